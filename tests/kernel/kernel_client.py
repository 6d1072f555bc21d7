"""A kernel in a process of its own, and a peer that speaks to it with nothing but pyzmq, HMAC and one encoding."""

import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgpack
import psutil
import zmq

Encoding = Literal["json", "msgpack"]
Message = dict[str, Any]
DELIMITER = b"<IDS|MSG>"
PATIENCE = 15.0  # seconds


class RunningKernel:
    """The process and its connection file; ipc sockets in a directory of the test."""

    def __init__(self, directory: Path, environment: dict[str, str] | None = None, **options: Any) -> None:
        self.file = directory / "kernel.json"
        self.key = secrets.token_hex(16)
        ports = {f"{name}_port": number for number, name in enumerate(("shell", "iopub", "stdin", "hb", "control"), 1)}
        info = {"transport": "ipc", "ip": str(directory / "k"), "key": self.key, "signature_scheme": "hmac-sha256"}
        self.file.write_text(json.dumps({**info, **ports}))
        self.info: dict[str, Any] = {**info, **ports}
        env = {**os.environ, "IPYTHONDIR": str(directory / "ipython"), **(environment or {})}
        command = [sys.executable, "-Xfrozen_modules=off", "-m", "tailrace_kernel", "-f", str(self.file)]
        self.log = directory / "kernel.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=log, **options)

    def address(self, channel: str) -> str:
        return f"ipc://{self.info['ip']}-{self.info[f'{channel}_port']}"

    def end(self) -> None:
        """Kill the process and what it started; the children are looked at first, so that a leak is seen."""
        if self.process.poll() is None:
            children = psutil.Process(self.process.pid).children(recursive=True)
            for child in children:
                child.kill()
            self.process.kill()
        self.process.wait(PATIENCE)


class Peer:
    """One client: control, shell and IOPub sockets of its own. Nothing of Jupyter's Python packages is used."""

    def __init__(self, kernel: RunningKernel, encoding: Encoding = "json") -> None:
        self.kernel = kernel
        self.encoding = encoding
        self.session = secrets.token_hex(8)
        self.iopub: list[Message] = []
        self.last: list[Message] = []
        self.replies: dict[str, Message] = {}  # that nobody has asked for yet, as they came
        self._context = zmq.Context()
        self._sockets = {name: self._context.socket(zmq.DEALER) for name in ("shell", "control")}
        for name, socket in self._sockets.items():
            socket.linger = 0
            socket.identity = self.session.encode()
            socket.connect(kernel.address(name))
        self._iopub = self._context.socket(zmq.SUB)
        self._iopub.linger = 0
        self._iopub.rcvhwm = 0
        self._iopub.subscribe(b"")
        self._iopub.connect(kernel.address("iopub"))
        try:
            self.until(lambda message: message["type"] == "iopub_welcome", "the welcome")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._context.destroy(linger=0)

    def pack(self, value: Any) -> bytes:
        packed: bytes = json.dumps(value).encode() if self.encoding == "json" else msgpack.packb(value)
        return packed

    def sign(self, frames: list[bytes], key: str | None = None) -> bytes:
        mac = hmac.new((key or self.kernel.key).encode(), digestmod=hashlib.sha256)
        for frame in frames:
            mac.update(frame)
        return mac.hexdigest().encode()

    def send(
        self, kind: str, content: Any = None, channel: str = "control", metadata: Any = None, key: str | None = None
    ) -> str:
        """Send one request; its msg_id."""
        msg_id = secrets.token_hex(8)
        header = {"msg_id": msg_id, "msg_type": kind, "session": self.session, "username": "peer", "version": "5.4"}
        header["date"] = "2026-01-01T00:00:00Z"
        parts = [self.pack(part) for part in (header, {}, metadata or {}, {} if content is None else content)]
        self._sockets[channel].send_multipart([DELIMITER, self.sign(parts, key), *parts])
        return msg_id

    def send_raw(self, frames: list[bytes], channel: str = "control") -> None:
        self._sockets[channel].send_multipart(frames)

    def reply(self, msg_id: str, channel: str = "control", patience: float = PATIENCE) -> Message:
        """The reply to a request; replies to others wait until they are asked for."""
        if msg_id in self.replies:
            return self.replies.pop(msg_id)
        deadline = time.monotonic() + patience
        socket = self._sockets[channel]
        while socket.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            message = self._open(socket.recv_multipart())
            if message["parent_header"].get("msg_id") == msg_id:
                return message
            self.replies[str(message["parent_header"].get("msg_id", ""))] = message
        raise AssertionError(f"no reply within {patience} s on {channel}")

    def ask(self, kind: str, content: Any = None, channel: str = "control") -> dict[str, Any]:
        """Content of the reply to a request."""
        answer: dict[str, Any] = self.reply(self.send(kind, content, channel), channel)["content"]
        return answer

    def register(self, cell_id: str, code: str, **more: Any) -> dict[str, Any]:
        answer = self.ask("register_cell_request", {"cell_id": cell_id, "code": code, **more})
        assert answer["status"] == "ok", answer
        return answer

    def run(self, *cells: str, mode: str = "reactive", channel: str = "control") -> dict[str, Any]:
        """Run cells and wait for the end of the run on IOPub too; `last` is what it published."""
        start = len(self.iopub)
        msg_id = self.send("execute_cells_request", {"cell_ids": list(cells), "mode": mode}, channel)
        answer: dict[str, Any] = self.reply(msg_id, channel)["content"]
        assert answer["status"] == "ok", answer
        self.until_idle(msg_id)
        self.last = [each for each in self.iopub[start:] if each["parent_header"].get("msg_id") == msg_id]
        return answer

    def until_idle(self, msg_id: str) -> None:
        def is_idle(message: Message) -> bool:
            ours = message["type"] == "status" and message["parent_header"].get("msg_id") == msg_id
            return ours and bool(message["content"]["execution_state"] == "idle")

        self.until(is_idle, "idle")

    def until(self, wanted: Callable[[Message], bool], what: str, patience: float = PATIENCE) -> Message:
        """Read IOPub until a message is the wanted one; everything read stays in `iopub`."""
        deadline = time.monotonic() + patience
        while self._iopub.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            message = self._open(self._iopub.recv_multipart())
            self.iopub.append(message)
            if wanted(message):
                return message
        seen = [(message["type"], message["content"]) for message in self.iopub[-12:]]
        raise AssertionError(f"{what} did not come within {patience} s; last seen: {seen}")

    def _open(self, frames: list[bytes]) -> Message:
        at = frames.index(DELIMITER)
        assert hmac.compare_digest(frames[at + 1], self.sign(frames[at + 2 : at + 6])), "a wrong signature"
        unpack: Callable[[bytes], Any] = json.loads if frames[at + 2][:1] == b"{" else msgpack.unpackb
        header, parent, metadata, content = (unpack(frame) for frame in frames[at + 2 : at + 6])
        return {
            "type": header["msg_type"],
            "header": header,
            "parent_header": parent,
            "metadata": metadata,
            "content": content,
            "buffers": frames[at + 6 :],
            "encoding": "json" if frames[at + 2][:1] == b"{" else "msgpack",
            "topic": frames[0] if at else b"",
            "frames": frames,
        }


def cell_of(message: Message) -> str | None:
    cell: str | None = message["metadata"].get("tailrace", {}).get("cell_id")
    return cell


def outputs(messages: list[Message], cell_id: str) -> list[tuple[str, Any]]:
    """What a cell put out, in order: (type, text or content)."""
    kept: list[tuple[str, Any]] = []
    for message in messages:
        content = message["content"]
        match message["type"]:
            case "stream" if cell_of(message) == cell_id:
                if kept and kept[-1][0] == content["name"]:  # where a text is cut is a matter of time
                    content = {**content, "text": kept.pop()[1] + content["text"]}
                kept.append((content["name"], content["text"]))
            case "execute_result" | "display_data" if cell_of(message) == cell_id:
                kept.append((message["type"], content["data"]))
            case "error" if cell_of(message) == cell_id:
                kept.append(("error", content))
    return kept


def statuses(messages: list[Message], cell_id: str | None = None) -> list[tuple[str, str]]:
    """(cell, status) in order; of one cell when given."""
    found = [
        (change["cell_id"], change["status"])
        for message in messages
        if message["type"] == "cell_status"
        for change in message["content"]["changes"]
    ]
    return [each for each in found if cell_id is None or each[0] == cell_id]


@contextmanager
def running_kernel(directory: Path, environment: dict[str, str] | None = None) -> Iterator[RunningKernel]:
    kernel = RunningKernel(directory, environment)
    try:
        yield kernel
    finally:
        kernel.end()
