"""A kernel of our own for one command: started, spoken to, and gone when the command ends.

Knows jupyter_client's manager and the file system; must not know cells.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from tailrace_cli.probe_client import ConnectionFile, Message, ProbeClient
from tailrace_cli.refusal import RefusedError

START_SECONDS = 60.0  # a cold import on a slow disk is not a failure
TICK = 0.5  # seconds between looks at the process
TAIL = 2_000  # characters of the process's own output shown when it dies


class KernelEndedError(RefusedError):
    """The kernel's process has ended; the text holds its last words."""


class OwnSpec(KernelSpecManager):
    """The kernel of this installation, run by this interpreter, whether its kernelspec is installed or not."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, "-m", "tailrace_kernel", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Tailrace", language="python", interrupt_mode="message")


class HeadlessKernel:
    """Use it in a `with`; `client` is attached and hears IOPub."""

    client: ProbeClient

    def __init__(self, cwd: Path) -> None:
        self._cwd = cwd
        self._directory = Path(tempfile.mkdtemp(prefix="tailrace-"))  # mode 0700, short enough for socket paths
        self._manager = KernelManager(
            kernel_name="tailrace",
            kernel_spec_manager=OwnSpec(),
            connection_file=str(self._directory / "connection.json"),
            transport="ipc",
            ip=str(self._directory / "s"),
        )

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def receive(self) -> Iterator[tuple[str, Message] | None]:
        """Messages of control and IOPub for ever, None when nothing came for a moment. Raises KernelEndedError."""
        while True:
            quiet = True
            for source, message in self.client.receive(("control", "iopub"), TICK):
                quiet = False
                yield source, message
            if quiet:
                self.check_alive()
                yield None

    def check_alive(self) -> None:
        """Raises KernelEndedError."""
        if not self._manager.is_alive():
            said = self._log.read_text(errors="replace")[-TAIL:].strip()
            raise KernelEndedError("The kernel ended by itself" + (f"; its last words:\n{said}" if said else "."))

    @property
    def _log(self) -> Path:
        return self._directory / "output.log"

    def _start(self) -> None:
        with self._log.open("wb") as log:
            self._manager.start_kernel(cwd=str(self._cwd), env=dict(os.environ), stdout=log, stderr=log)
        connection = ConnectionFile.read(self._directory / "connection.json")
        self.client = ProbeClient(connection, "msgpack")
        for _ in range(int(START_SECONDS / TICK)):
            self.check_alive()
            with contextlib.suppress(RefusedError):
                self.client.wait_until_heard(TICK)
                break
        else:
            raise RefusedError(f"The kernel has not started within {START_SECONDS:g} s.")
        self.client.request("attach_request", {"client": "run"}, timeout=START_SECONDS)

    def _stop(self) -> None:
        if hasattr(self, "client"):
            self.client.close()
        if self._manager.has_kernel:
            self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        shutil.rmtree(self._directory, ignore_errors=True)
