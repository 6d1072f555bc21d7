"""A Jupyter kernel in a process of its own and one raw ZeroMQ client of it, the same for ours and for ipykernel.

Knows frames and signatures; reads no more of a message than it must, so that the client's share of a time is small.
Both kernels run in this environment, so that they share IPython, pyzmq and the message packer.
"""

import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import zmq

PATIENCE = 60  # seconds
DELIMITER = b"<IDS|MSG>"
CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
TAILRACE, IPYKERNEL = "tailrace_kernel", "ipykernel_launcher"


def environment(directory: Path) -> dict[str, str]:
    """Folders of its own, and compiled modules for both kernels: what is installed has them, a clone makes them."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return found | {"IPYTHONDIR": str(directory / "ipython"), "JUPYTER_RUNTIME_DIR": str(directory)}


class KernelProcess:
    """`module` is what `python -m` starts. Sockets are connected before the kernel binds them."""

    def __init__(self, module: str, directory: Path) -> None:
        directory.mkdir()
        self.module = module
        self._key = secrets.token_bytes(16).hex().encode()
        self._session = secrets.token_hex(8)
        info: dict[str, Any] = {f"{name}_port": number for number, name in enumerate(CHANNELS, 1)}
        info |= {"transport": "ipc", "ip": str(directory / "k"), "signature_scheme": "hmac-sha256"}
        file = directory / "kernel.json"
        file.write_text(json.dumps({**info, "key": self._key.decode()}))
        self._context = zmq.Context()
        self._sockets = {name: self._connect(name, zmq.DEALER, info) for name in ("shell", "control")}
        self._iopub = self._connect("iopub", zmq.SUB, info)
        self.process = subprocess.Popen(
            [sys.executable, "-Xfrozen_modules=off", "-m", module, "-f", str(file)],
            env=environment(directory),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _connect(self, name: str, kind: int, info: dict[str, Any]) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.rcvhwm = 0
        socket.reconnect_ivl = 2  # milliseconds
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(f"ipc://{info['ip']}-{info[f'{name}_port']}")
        return socket

    def close(self) -> None:
        self._context.destroy(linger=0)
        self.process.kill()
        self.process.wait(PATIENCE)

    def __enter__(self) -> "KernelProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def listen(self) -> None:
        """Return once IOPub messages arrive here."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.reply(self.send("kernel_info_request"))
            if self._iopub.poll(200):
                while self._iopub.poll(50):
                    self._iopub.recv_multipart()
                return
        raise TimeoutError("the kernel publishes nothing")

    def send(self, kind: str, content: Any = None, channel: str = "shell") -> bytes:
        """Send a request; its message id."""
        msg_id = secrets.token_hex(8)
        header = {"msg_id": msg_id, "msg_type": kind, "session": self._session, "username": "bench", "version": "5.4"}
        header["date"] = "2026-01-01T00:00:00Z"
        parts = [orjson.dumps(header), b"{}", b"{}", orjson.dumps({} if content is None else content)]
        mac = hmac.new(self._key, b"".join(parts), hashlib.sha256)
        self._sockets[channel].send_multipart([DELIMITER, mac.hexdigest().encode(), *parts])
        return msg_id.encode()

    def reply(self, msg_id: bytes, channel: str = "shell") -> dict[str, Any]:
        """Content of the reply to a request; raises TimeoutError, and RuntimeError for an error."""
        socket = self._sockets[channel]
        while socket.poll(PATIENCE * 1000):
            frames = socket.recv_multipart()
            if msg_id in frames[3]:
                content: dict[str, Any] = orjson.loads(frames[5])
                if content["status"] != "ok":
                    raise RuntimeError(f"{content.get('ename')}: {content.get('evalue')}")
                return content
        raise TimeoutError(f"no reply on {channel}")

    def ask(self, kind: str, content: Any = None, channel: str = "control") -> dict[str, Any]:
        return self.reply(self.send(kind, content, channel), channel)

    def published(self, msg_id: bytes, take: Callable[[Sequence[bytes]], None] = lambda frames: None) -> None:
        """Hand what belongs to a request to `take` up to its `idle`: signature, header, parent, metadata, content."""
        while self._iopub.poll(PATIENCE * 1000):
            frames = self._iopub.recv_multipart()
            frames = frames[frames.index(DELIMITER) + 1 :]
            if msg_id not in frames[2]:
                continue
            take(frames)
            if b'"idle"' in frames[4] and b'"status"' in frames[1]:
                return
        raise TimeoutError("no idle on IOPub")

    def execute(self, code: str, history: bool = False, **more: Any) -> dict[str, Any]:
        """One plain execute_request: returns its reply once the reply and `idle` are here."""
        content = {"code": code, "silent": False, "store_history": history, "allow_stdin": False, **more}
        msg_id = self.send("execute_request", content)
        self.published(msg_id)
        return self.reply(msg_id)

    def value(self, expression: str) -> str:
        """repr of an expression in the kernel."""
        found = self.execute("", user_expressions={"it": expression})["user_expressions"]["it"]
        if found["status"] != "ok":
            raise RuntimeError(f"{found['ename']}: {found['evalue']}")
        text: str = found["data"]["text/plain"]
        return text
