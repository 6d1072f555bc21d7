"""The servers that are measured, each in a process of its own: our gateway, jupyter_server, a bare aiohttp control.

Knows how they are started and asked; must not know what is measured.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil

from benchmarks.peers import python_of_peers, version_of
from benchmarks.web_sockets import WebSocket
from tests.gateway_process import GatewayProcess, running_gateway

PATIENCE = 30.0  # seconds until a server answers
GLANCE = 0.05  # seconds between two looks
PLAIN = "tailrace.v1.json"
FRAMED = "v1.kernel.websocket.jupyter.org"
NODELAY = '''
from tornado.httpserver import HTTPServer

handle = HTTPServer.handle_stream

def handle_stream(self, stream, address):
    """As shipped, but each small frame leaves at once, also after Tornado has turned that off again."""
    turn = stream.set_nodelay
    stream.set_nodelay = lambda value: turn(True)
    turn(True)
    return handle(self, stream, address)

HTTPServer.handle_stream = handle_stream
'''
UNLIMITED = ("iopub_msg_rate_limit", "iopub_data_rate_limit")  # what would leave out events


@contextmanager
def gateway(base: Path, notebooks: Mapping[str, str]) -> Iterator[GatewayProcess]:
    """`tailrace serve` on these files (name → text), with directories of its own."""
    folder = base / "served"
    folder.mkdir(parents=True)
    for name, text in notebooks.items():
        (folder / name).write_text(text)
    state = {"XDG_STATE_HOME": str(base / "state"), "XDG_RUNTIME_DIR": str(base)}
    before = {name: os.environ.get(name) for name in state}
    os.environ.update(state)
    try:
        with running_gateway(folder, base / "gateway.log") as running:
            yield running
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def attach(running: GatewayProcess, notebook_id: str, client: str, receive_bytes: int = 0, **more: Any) -> WebSocket:
    """A client that takes arrays of events, as the page does."""
    path = f"/api/v1/ws/notebook/{notebook_id}"
    one = WebSocket(running.port, path, token=running.token, protocol=PLAIN, receive_bytes=receive_bytes)
    one.send(orjson.dumps({"type": "attach", "id": "attach", "client": client, "batch": True, **more}))
    one.until(b'"type":"ack"')
    return one


class JupyterServer:
    """Of the peers' environment, with ipykernel; `nodelay` turns Nagle's algorithm off."""

    def __init__(self, base: Path, *, nodelay: bool) -> None:
        base.mkdir()
        self.port, self.token = free_port(), secrets.token_hex(16)
        config = base / "jupyter_server_config.py"
        limits = [f"c.ZMQChannelsWebsocketConnection.{name} = 0" for name in UNLIMITED]
        config.write_text("\n".join([NODELAY if nodelay else "", *limits, ""]))
        command = [python_of_peers(), "-m", "jupyter_server", "--no-browser", "--allow-root", f"--config={config}"]
        command += [f"--port={self.port}", f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={base}"]
        own = {"JUPYTER_CONFIG_DIR": str(base), "JUPYTER_RUNTIME_DIR": str(base), "IPYTHONDIR": str(base)}
        self.log = (base / "server.log").open("wb")
        self.process = psutil.Popen(
            command, env={**os.environ, **own}, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        answered(self.process, f"http://127.0.0.1:{self.port}/api/status?token={self.token}")
        self.kernel = self._post("/api/kernels", {"name": "python3"})["id"]
        self._session = secrets.token_hex(8)

    def _post(self, path: str, content: object) -> Any:
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", orjson.dumps(content), headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return json.load(response)

    def connect(self) -> WebSocket:
        """A client of its own session, once it hears the kernel."""
        session = secrets.token_hex(8)
        path = f"/api/kernels/{self.kernel}/channels?session_id={session}"
        one = WebSocket(self.port, path, token=self.token, protocol=FRAMED)
        self.execute(one, "7")
        one.until(b'"execute_result"')
        one.until(b'"idle"')
        return one

    def execute(self, one: WebSocket, code: str) -> None:
        header = {"msg_id": secrets.token_hex(8), "msg_type": "execute_request", "session": self._session}
        header |= {"username": "bench", "version": "5.4", "date": "2026-01-01T00:00:00Z"}
        content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": True}
        parts = [b"shell", orjson.dumps(header), b"{}", b"{}", orjson.dumps(content)]
        offsets = [8 * (len(parts) + 2)]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        numbers = [len(offsets), *offsets]
        one.send(b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts]), binary=True)

    def close(self) -> None:
        end(self.process)
        self.log.close()


@contextmanager
def jupyter_server(base: Path, *, nodelay: bool) -> Iterator[JupyterServer | None]:
    """None when it is not installed."""
    if version_of("jupyter_server") is None:
        yield None
        return
    running = JupyterServer(base, nodelay=nodelay)
    try:
        yield running
    finally:
        running.close()


@contextmanager
def control(base: Path) -> Iterator[int]:
    """The port of a bare aiohttp server; see gateway_control.py."""
    base.mkdir(exist_ok=True)
    port = free_port()
    with serving(
        [sys.executable, "-m", "benchmarks.gateway_control", str(port), str(base)], f"http://127.0.0.1:{port}/"
    ):
        yield port


@contextmanager
def serving(command: Sequence[str], url: str) -> Iterator[None]:
    """A process that ends with the block, entered once it answers."""
    process = psutil.Popen(command)
    try:
        answered(process, url)
        yield
    finally:
        end(process)


def answered(process: psutil.Popen, url: str) -> None:
    """Returns once the server answers, with whatever status. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.is_running():
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(GLANCE)
    raise TimeoutError("a server did not start")


def end(process: psutil.Popen) -> None:
    """And what it has started."""
    family = [process, *process.children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, timeout=5.0)
    for one in left:
        one.kill()
    psutil.wait_procs(left, timeout=5.0)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def processor_seconds(pid: int) -> float:
    """Of this process alone, since its start."""
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)
