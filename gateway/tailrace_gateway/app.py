"""The aiohttp application: routes behind the one door. Refuses to start with a route that declares no need."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from tailrace_gateway.config import Config
from tailrace_gateway.credentials import Credentials, SessionFile, stored_token
from tailrace_gateway.door import Door, check_declared, gate
from tailrace_gateway.metrics import Metrics
from tailrace_gateway.notebooks import Kernels, Notebooks, local_kernels
from tailrace_gateway.page import STATIC
from tailrace_gateway.routes import Routes
from tailrace_gateway.trace import Trace

RESTART = 1012  # close code: reconnect
DOOR: web.AppKey[Door] = web.AppKey("door", Door)
METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)
NOTEBOOKS: web.AppKey[Notebooks] = web.AppKey("notebooks", Notebooks)


def create_app(config: Config, *, kernels: Kernels | None = None, static: Path = STATIC) -> web.Application:
    """The gateway for the port of `config`, which must be known already: Host, Origin and cookie name contain it.

    Raises UndeclaredRouteError, and ValueError for port 0.
    """
    if config.port == 0:
        raise ValueError("The port must be known: bind the socket first, then put its port into the configuration.")
    token = config.token or stored_token(config.state_dir / "token")
    credentials = Credentials(token, config.port, SessionFile(config.state_dir / "sessions.json"))
    metrics = Metrics()
    trace = Trace(config.trace) if config.trace is not None else None
    notebooks = Notebooks(config, kernels or local_kernels(config), metrics)
    routes = Routes(notebooks, credentials, static, metrics, trace)
    table = routes.table()
    needs = {route.key: route.need for route in table}
    bodies = {route.key: route.limit for route in table if route.limit is not None}
    door = Door(credentials, config.port, needs, bodies)
    app = gate(door)
    for route in table:
        app.router.add_route(route.method, route.path, route.handler)
    check_declared(app, needs)
    app[DOOR] = door
    app[NOTEBOOKS] = notebooks
    app[METRICS] = metrics

    async def stop(_app: web.Application) -> None:
        await notebooks.close()
        await routes.close_sockets(RESTART)
        if trace is not None:
            trace.close()

    async def watch(_app: web.Application) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        former = loop.get_exception_handler()
        loop.set_exception_handler(metrics.loop_failed)
        tasks = [asyncio.create_task(metrics.watch_loop()), asyncio.create_task(notebooks.adopt())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        loop.set_exception_handler(former)

    app.cleanup_ctx.append(watch)
    app.on_shutdown.append(stop)
    return app
