"""A real gateway in a process of its own, started as a person starts it: `tailrace serve`."""

import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

START_SECONDS = 30.0
STOP_SECONDS = 20.0


@dataclass
class GatewayProcess:
    """`folder` is served; state and runtime directories come from the environment of the test session."""

    folder: Path
    log: Path
    port: int = 0
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    options: tuple[str, ...] = ()
    log_level: str = "WARNING"
    environment: dict[str, str] = field(default_factory=dict)
    process: psutil.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return int(self.process.pid)

    def start(self) -> None:
        """Returns once the gateway accepts connections; a second start takes the same port again."""
        ready = self.log.with_suffix(".ready")
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tailrace_cli", "--log-level", self.log_level]
        command += ["serve", str(self.folder), "--no-browser"]
        command += ["--port", str(self.port), "--ready-file", str(ready), *self.options]
        with self.log.open("ab") as log:
            self.process = psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "TAILRACE_TOKEN": self.token, "PYTHONUNBUFFERED": "1", **self.environment},
            )
        self.port = json.loads(self._wait_for(ready))["port"]

    def _wait_for(self, ready: Path) -> str:
        assert self.process is not None
        for _ in range(int(START_SECONDS / 0.05)):
            if ready.exists() and (text := ready.read_text()):
                return text
            try:
                code = self.process.wait(timeout=0.05)
            except psutil.TimeoutExpired:
                continue
            raise AssertionError(f"the gateway ended with {code}:\n{self.log.read_text()}")
        raise AssertionError(f"no gateway after {START_SECONDS} s:\n{self.log.read_text()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends it and returns its exit code; the kernels it started must end with it."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(timeout=STOP_SECONDS)
        self.process = None
        return int(code or 0)

    def get(self, path: str) -> object:
        """JSON of an API route, asked as a program."""
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as response:
            listing: object = json.load(response)
            return listing

    def login_url(self) -> str:
        """A new single-use login URL, as the command line prints one."""
        request = urllib.request.Request(
            f"{self.url}/api/v1/login-code", data=b"{}", headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return str(json.load(response)["url"])

    def notebook_id(self, name: str) -> str:
        """The id of the notebook whose path ends with `name`."""
        listing = self.get("/api/v1/notebooks")
        rows = listing["notebooks"] if isinstance(listing, dict) else listing
        assert isinstance(rows, list)
        return str(next(row["id"] for row in rows if row["path"].endswith(name)))


@contextmanager
def running_gateway(folder: Path, log: Path, *options: str) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(folder, log, options=options)
    gateway.start()
    try:
        yield gateway
    finally:
        if gateway.process is not None:
            gateway.stop()
