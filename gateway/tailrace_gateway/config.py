"""What a gateway is told when it starts. Knows directories and environment names; opens nothing."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tailrace_gateway.state_directory import state_directory

LOOPBACK = "127.0.0.1"
TOKEN_VARIABLE = "TAILRACE_TOKEN"  # noqa: S105  the name of a variable, not a secret
SOCKET_PATH_LIMIT = 100  # bytes; the system allows about 107 for a socket path


def default_runtime_dir() -> Path:
    """A short private directory: socket paths inside it must stay under the system's limit.

    TAILRACE_RUNTIME_DIR overrides it.
    """
    if chosen := os.environ.get("TAILRACE_RUNTIME_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"tailrace-{os.getuid()}"


@dataclass(frozen=True, slots=True)
class Config:
    """`paths` are served folders or notebook files; `port` 0 takes a free one; `token` is what programs send.

    `trace`: the file that gets every frame of every socket.
    `token` None: TAILRACE_TOKEN, else the one stored in `state_dir`, else a new one, stored 0600.
    """

    paths: tuple[Path, ...]
    host: str = LOOPBACK
    port: int = 0
    token: str | None = field(default=None, repr=False)
    keep_kernels: bool = False
    trace: Path | None = None
    state_dir: Path = field(default_factory=state_directory)
    runtime_dir: Path = field(default_factory=default_runtime_dir)

    def __post_init__(self) -> None:
        if self.host != LOOPBACK:
            message = f"The gateway listens on {LOOPBACK} only, not on {self.host!r}: put a tunnel in front of it."
            raise ValueError(message)
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"A port is a number from 0 to 65535, not {self.port}.")
        if not self.paths:
            raise ValueError("Name at least one folder or notebook file to serve.")


def environment_token(environment: Mapping[str, str]) -> str | None:
    """The program token that the environment gives, or None when it is absent or empty."""
    return environment.get(TOKEN_VARIABLE) or None
