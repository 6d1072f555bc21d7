"""Kernels that belong to nobody's terminal: one private folder each, with connection file, log and who it is.

Knows processes, files and the heartbeat; must not know arguments or what to print.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import zmq

from tailrace_cli.probe_client import ConnectionFile, ProbeClient
from tailrace_cli.refusal import RefusedError
from tailrace_gateway.config import default_runtime_dir
from tailrace_gateway.kernel_directory import private_directory
from tailrace_gateway.provisioner import PRIVATE
from tailrace_kernel.app import is_loopback
from tailrace_protocol.errors import TailraceError

RECORD = "daemon.json"
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
START_SECONDS = 60.0  # until the first heartbeat; a cold disk is no failure
ASK_SECONDS = 2.0  # for a heartbeat, or for the answer to a shutdown
END_SECONDS = 5.0  # between asking a process to end and killing it
TAIL = 2_000  # characters of the log that an error quotes


@dataclass(frozen=True, slots=True)
class Listen:
    """Where a kernel is to listen: Unix sockets, or TCP at `ip`; `curve` encrypts either."""

    ip: str | None = None
    curve: bool = False


@dataclass(frozen=True, slots=True)
class Daemon:
    """`began` tells its process from a later one with the same number (seconds since 1970, as the system has it)."""

    name: str
    pid: int
    began: float
    folder: Path

    @property
    def connection_file(self) -> Path:
        return self.folder / "connection.json"

    def process(self) -> psutil.Process | None:
        """The process while it is alive."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.began) < 1.0
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def start(name: str | None, listen: Listen, cwd: Path) -> Daemon:
    """Start a kernel in a session of its own; returns once it answers. Raises RefusedError."""
    name = name or secrets.token_hex(3)
    if not NAME.fullmatch(name):
        raise RefusedError(f"{name!r} cannot be a kernel's name: take letters, digits, _ . and -, at most 64.")
    if any(each.name == name for each in running()):
        raise RefusedError(f"A kernel {name!r} is running: stop it first, or choose another name.")
    if listen.ip is not None and not is_loopback(listen.ip) and not listen.curve:
        raise RefusedError(f"A kernel on {listen.ip} could be reached from other machines: add --curve.")
    if not cwd.is_dir():
        raise RefusedError(f"There is no folder {cwd} to work in.")
    try:
        folder = private_directory(default_runtime_dir())
    except TailraceError as error:
        raise RefusedError(error.message) from None
    process = None
    try:
        _write_connection_file(folder, listen)
        process = _launch(folder, cwd)
        daemon = Daemon(name, process.pid, psutil.Process(process.pid).create_time(), folder)
        record = json.dumps({**asdict(daemon), "folder": str(folder)})
        _write_private(folder / RECORD, record)
        _wait_for_heartbeat(daemon, process)
    except BaseException:
        if process is not None:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    process.returncode = 0  # its end is not awaited here: no warning about a child left running
    return daemon


def _write_connection_file(folder: Path, listen: Listen) -> None:
    """On TCP the kernel chooses its ports and writes them into the file: nobody can take one in between."""
    key = secrets.token_hex(32)
    info: dict[str, object] = {"key": key, "signature_scheme": "hmac-sha256", "kernel_name": "tailrace"}
    if listen.ip is None:
        info |= {"transport": "ipc", "ip": str(folder / "s")}
        info |= {port: number for number, port in enumerate(PORTS, 1)}
    else:
        info |= {"transport": "tcp", "ip": listen.ip} | dict.fromkeys(PORTS, 0)
    if listen.curve:
        public, secret = zmq.curve_keypair()
        info |= {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}
    _write_private(folder / "connection.json", json.dumps(info, indent=2))


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _launch(folder: Path, cwd: Path) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if name not in PRIVATE}
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "tailrace_kernel", "-f", str(folder / "connection.json")]
    log = os.open(folder / "output.log", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the end of the terminal's session is not its own
        )
    finally:
        os.close(log)


def _wait_for_heartbeat(daemon: Daemon, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log = (daemon.folder / "output.log").read_text(errors="replace")[-TAIL:].strip().replace("\n", " ")
            raise RefusedError(f"The kernel ended with code {process.returncode}: {log or 'it said nothing'}")
        if _has_ports(daemon) and answers(daemon):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise RefusedError(f"The kernel has not answered within {START_SECONDS:g} s.")


def _has_ports(daemon: Daemon) -> bool:
    """Whether the kernel has written its ports; while it writes them the file is not whole."""
    try:
        said = json.loads(daemon.connection_file.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return all(said[port] for port in PORTS)


def answers(daemon: Daemon) -> bool:
    """Whether its heartbeat answers, which it does while a cell runs too."""
    try:
        with ProbeClient(ConnectionFile.read(daemon.connection_file)) as client:
            client.ping(ASK_SECONDS)
    except RefusedError:
        return False
    return True


def running() -> list[Daemon]:
    """Those that are alive, by name; what dead ones have left is removed."""
    found = []
    for daemon in _recorded(default_runtime_dir()):
        if daemon.process() is not None:
            found.append(daemon)
        else:
            shutil.rmtree(daemon.folder, ignore_errors=True)
    return sorted(found, key=lambda daemon: daemon.name)


def _recorded(base: Path) -> Iterator[Daemon]:
    for record in base.glob(f"*/{RECORD}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # half-written, or not ours
            said = json.loads(record.read_text(encoding="utf-8"))
            yield Daemon(str(said["name"]), int(said["pid"]), float(said["began"]), record.parent)


def stop(daemon: Daemon) -> None:
    """Ask it to end, then make it: a cell may hold it. Returns when the process is gone."""
    process = daemon.process()
    if process is None:
        return
    with contextlib.suppress(RefusedError), ProbeClient(ConnectionFile.read(daemon.connection_file)) as client:
        client.request("shutdown_request", {"restart": False}, timeout=ASK_SECONDS)
    _, alive = psutil.wait_procs([process], timeout=END_SECONDS)
    if alive:  # what its cells have started is in its group and goes with it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(daemon.pid, signal.SIGKILL)
        psutil.wait_procs(alive, timeout=END_SECONDS)
    shutil.rmtree(daemon.folder, ignore_errors=True)
