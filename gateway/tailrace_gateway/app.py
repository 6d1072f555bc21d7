"""The aiohttp application: routes behind the one door. Refuses to start with a route that declares no need."""

from pathlib import Path

from aiohttp import web

from tailrace_gateway.config import Config
from tailrace_gateway.credentials import Credentials, SessionFile, stored_token
from tailrace_gateway.door import Door, check_declared, gate
from tailrace_gateway.notebooks import Kernels, Notebooks, local_kernels
from tailrace_gateway.page import STATIC
from tailrace_gateway.routes import Routes

RESTART = 1012  # close code: reconnect
DOOR: web.AppKey[Door] = web.AppKey("door", Door)
NOTEBOOKS: web.AppKey[Notebooks] = web.AppKey("notebooks", Notebooks)


def create_app(config: Config, *, kernels: Kernels | None = None, static: Path = STATIC) -> web.Application:
    """The gateway for the port of `config`, which must be known already: Host, Origin and cookie name contain it.

    Raises UndeclaredRouteError, and ValueError for port 0.
    """
    if config.port == 0:
        raise ValueError("The port must be known: bind the socket first, then put its port into the configuration.")
    token = config.token or stored_token(config.state_dir / "token")
    credentials = Credentials(token, config.port, SessionFile(config.state_dir / "sessions.json"))
    notebooks = Notebooks(config, kernels or local_kernels(config))
    routes = Routes(notebooks, credentials, static)
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

    async def stop(_app: web.Application) -> None:
        await notebooks.close()
        await routes.close_sockets(RESTART)

    app.on_shutdown.append(stop)
    return app
