"""Runs one gateway from start to stop: listening socket, signals, orderly end. Knows aiohttp's runner, no notebooks."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from aiohttp import web

from tailrace_gateway.app import DOOR, create_app
from tailrace_gateway.config import TOKEN_VARIABLE, Config, environment_token
from tailrace_gateway.credentials import Credentials, stored_token
from tailrace_gateway.redaction import install

log = logging.getLogger(__name__)

HANDLERS_SECONDS = 10.0  # for requests under way when the gateway stops
BACKLOG = 128
MAX_HEADER = 8_190  # bytes of one header line, and of the request line


@dataclass(frozen=True, slots=True)
class Ready:
    """Given to `ready` once connections are accepted. `url` holds no secret; the rest is for the person only."""

    url: str  # http://127.0.0.1:PORT/
    port: int
    pid: int
    token: str = field(repr=False)  # program token
    fresh_login_url: Callable[[], str] = field(repr=False)
    """Each call makes a new single-use login URL, good for 5 minutes."""


async def serve(config: Config, ready: Callable[[Ready], None]) -> None:
    """Serve until SIGINT or SIGTERM, then close sockets (1012), save, shut kernels down (unless keep_kernels).

    Takes TAILRACE_TOKEN out of the environment before any child starts. Raises OSError when the port is taken.
    """
    token = config.token or environment_token(os.environ) or stored_token(config.state_dir / "token")
    os.environ.pop(TOKEN_VARIABLE, None)
    listening = listen(config.host, config.port)
    port = int(listening.getsockname()[1])
    app = create_app(replace(config, port=port, token=token))
    credentials = app[DOOR].credentials
    uninstall = install(credentials.secrets)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=HANDLERS_SECONDS,
        max_line_size=MAX_HEADER,
        max_field_size=MAX_HEADER,
    )
    try:
        await runner.setup()
        await web.SockSite(runner, listening, backlog=BACKLOG).start()
        stopped = stop_signals()
        ready(describe(port, token, credentials))
        await stopped.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()
        uninstall()


def describe(port: int, token: str, credentials: Credentials) -> Ready:
    url = f"http://127.0.0.1:{port}/"
    return Ready(
        url=url,
        port=port,
        pid=os.getpid(),
        token=token,
        fresh_login_url=lambda: f"{url}#code={credentials.new_code()}",
    )


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; the port is held from now on. Raises OSError when it is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


def stop_signals() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped
