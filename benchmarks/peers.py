"""The peers we measure ourselves against: where they are, which versions, and how the ones in Python are driven.

`make peers` installs them into an environment of their own, so that they cannot change ours. A peer that is not there
is named as missing and left out.
"""

import json
import os
import subprocess
from contextlib import ExitStack
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
DRIVER = ROOT / "benchmarks" / "marimo_driver.py"
PATIENCE = 60.0  # seconds a peer's process may take to end
ASK = "import sys; from importlib import metadata; print(metadata.version(sys.argv[1]))"


def python_of_peers() -> str:
    """The interpreter of the peers' environment; `TAILRACE_PEERS` may name another one."""
    return os.environ.get("TAILRACE_PEERS", str(PYTHON))


@cache
def version_of(package: str) -> str | None:
    """Its version in the peers' environment; None when it is missing."""
    try:
        asked = subprocess.run(
            [python_of_peers(), "-c", ASK, package], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()


def our_versions(*packages: str) -> dict[str, str | None]:
    return {package: metadata.version(package) for package in packages}


class Marimo:
    """A process with marimo's kernel in it; see marimo_driver.py for what it can be asked."""

    def __init__(self) -> None:
        command = [python_of_peers(), str(DRIVER)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> "Marimo":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, frames: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def seconds(self, do: str, **words: Any) -> float:
        return float(self.ask(do, **words)["seconds"])

    def cpu_seconds(self, do: str, **words: Any) -> float:
        return float(self.ask(do, **words)["cpu"])


def marimo(stack: ExitStack) -> Marimo | None:
    """A new process that ends with the stack; None when marimo is not installed."""
    return stack.enter_context(Marimo()) if version_of("marimo") is not None else None
