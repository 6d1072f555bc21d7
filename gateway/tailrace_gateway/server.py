"""Runs one gateway from start to stop: listening socket, signals, orderly end. Knows aiohttp's runner, no notebooks."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tailrace_gateway.config import Config


@dataclass(frozen=True, slots=True)
class Ready:
    """Given to `ready` once connections are accepted. `url` has no secret in it; the rest may be shown to the person only."""

    url: str  # http://127.0.0.1:PORT/
    port: int
    pid: int
    token: str = field(repr=False)  # program token
    fresh_login_url: Callable[[], str] = field(repr=False)
    """Each call makes a new single-use login URL, good for 5 minutes."""


async def serve(config: Config, ready: Callable[[Ready], None]) -> None:
    """Serve until SIGINT or SIGTERM, then close sockets (1012), save, shut kernels down (unless keep_kernels).

    Raises OSError when the port is taken.
    """
    raise NotImplementedError
