"""A Jupyter client in pyzmq alone: signs, sends, waits for the reply and hands over what IOPub says meanwhile.

Knows frames and signatures (SPEC.md part A); must not know what the requests mean.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgpack
import zmq

from tailrace_cli.refusal import RefusedError

Encoding = Literal["json", "msgpack"]
Channel = Literal["shell", "control"]
DELIMITER = b"<IDS|MSG>"
PORTS = ("shell_port", "iopub_port", "control_port", "hb_port")


@dataclass(frozen=True, slots=True)
class ConnectionFile:
    """Where a kernel listens, the key that signs its messages, and its public key if it encrypts them."""

    transport: str
    ip: str
    ports: Mapping[str, int]
    key: bytes = field(repr=False)
    curve: bytes | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises RefusedError when the file is not there or is no connection file."""
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                str(said["transport"]),
                str(said["ip"]),
                {name: int(said[name]) for name in PORTS},
                str(said["key"]).encode(),
                str(said["curve_publickey"]).encode() if said.get("curve_publickey") else None,
            )
        except OSError as error:
            raise RefusedError(f"Cannot read the connection file {path}: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(f"{path} is not a kernel's connection file ({_reason(error)}).") from None

    def address(self, port: str) -> str:
        separator = "-" if self.transport == "ipc" else ":"
        return f"{self.transport}://{self.ip}{separator}{self.ports[port]}"


@dataclass(frozen=True, slots=True)
class Message:
    """`parent` is the id of the request that it answers or belongs to; empty when there is none."""

    type: str
    content: dict[str, Any]
    metadata: dict[str, Any]
    parent: str
    buffers: tuple[bytes, ...] = ()

    @property
    def seq(self) -> int | None:
        tailrace = self.metadata.get("tailrace")
        return tailrace.get("seq") if isinstance(tailrace, dict) else None

    @property
    def cell_id(self) -> str | None:
        tailrace = self.metadata.get("tailrace")
        return tailrace.get("cell_id") if isinstance(tailrace, dict) else None


class ProbeClient:
    """One client of one kernel; use it in a `with`. Not for several threads."""

    def __init__(self, connection: ConnectionFile, encoding: Encoding = "json") -> None:
        self._key = connection.key
        self._encoding = encoding
        self._name = secrets.token_hex(8)
        self._context = zmq.Context()
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        own_keys = zmq.curve_keypair() if connection.curve is not None else (b"", b"")
        for channel, kind in (("shell", zmq.DEALER), ("control", zmq.DEALER), ("iopub", zmq.SUB), ("hb", zmq.REQ)):
            socket = self._context.socket(kind)
            socket.linger = 0
            socket.rcvhwm = 0  # the default of 1,000 messages loses output and `idle`
            if connection.curve is not None:
                socket.curve_serverkey = connection.curve
                socket.curve_publickey, socket.curve_secretkey = own_keys
            socket.connect(connection.address(f"{channel}_port"))
            self._sockets[channel] = socket
        self._sockets["iopub"].subscribe(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._context.destroy(linger=0)

    def ping(self, timeout: float) -> float:
        """Round trip of the heartbeat in seconds. Raises RefusedError after `timeout` seconds."""
        started = time.monotonic()
        socket = self._sockets["hb"]
        socket.send(b"ping")
        if not socket.poll(int(timeout * 1000)):
            raise RefusedError(
                f"No kernel answers within {timeout:g} s: is it running, and is the connection file its own?"
            )
        socket.recv()
        return time.monotonic() - started

    def send(self, kind: str, content: Mapping[str, Any], channel: Channel = "control") -> str:
        """Send one request; returns its id, which its reply and its events name as `parent`."""
        header = {
            "msg_id": secrets.token_hex(16),
            "msg_type": kind,
            "session": self._name,
            "username": "probe",
            "date": datetime.now(UTC).isoformat(),
            "version": "5.5",
        }
        parts = [self._pack(part) for part in (header, {}, {}, dict(content))]
        self._sockets[channel].send_multipart([DELIMITER, self._sign(parts), *parts])
        return header["msg_id"]

    def request(
        self,
        kind: str,
        content: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        channel: Channel = "control",
        hear: Callable[[Message], None] | None = None,
    ) -> Message:
        """Send a request and wait for its reply; `hear` gets the IOPub messages that come before it, and its own.

        A reply may overtake events on the way here: those that belong to the request are waited for until its `idle`,
        when `hear` is given. `timeout` None waits for ever. Raises RefusedError when there is no answer in time.
        """
        sent = self.send(kind, content or {}, channel)
        reply: Message | None = None
        idle = hear is None
        for source, message in self.receive((channel, "iopub"), timeout):
            if source == "iopub":
                if hear is not None:
                    hear(message)
                if message.parent == sent and message.content.get("execution_state") == "idle":
                    idle = True
            elif message.parent == sent:
                reply = message
            if reply is not None and idle:
                return reply
        raise RefusedError(f"The kernel has not answered {kind} within {timeout:g} s.")

    def events(self, timeout: float | None = None) -> Iterator[Message]:
        """IOPub messages as they come; ends after `timeout` seconds without one."""
        while self._sockets["iopub"].poll(None if timeout is None else int(timeout * 1000)):
            yield self.decode(self._sockets["iopub"].recv_multipart())

    def wait_until_heard(self, timeout: float) -> None:
        """Return once IOPub reaches us: a subscription takes effect some time after connecting."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            sent = self.send("kernel_info_request", {}, "control")
            for source, message in self.receive(("control", "iopub"), 0.2):
                if source == "iopub" and message.parent == sent:
                    return
        raise RefusedError(
            f"No kernel answers within {timeout:g} s: is it running, and is the connection file its own?"
        )

    def receive(self, channels: Sequence[str], timeout: float | None) -> Iterator[tuple[str, Message]]:
        """Messages of these channels until `timeout` seconds have passed in all."""
        deadline = None if timeout is None else time.monotonic() + timeout
        poller = zmq.Poller()
        for channel in channels:
            poller.register(self._sockets[channel], zmq.POLLIN)
        while True:
            left = None if deadline is None else max(0, int((deadline - time.monotonic()) * 1000))
            ready = dict(poller.poll(left))
            if not ready:
                return
            for channel in channels:
                if self._sockets[channel] in ready:
                    yield channel, self.decode(self._sockets[channel].recv_multipart())

    def decode(self, frames: Sequence[bytes]) -> Message:
        """Frames as they came → message. Raises RefusedError when they are signed with another key."""
        start = frames.index(DELIMITER)
        signature, *parts = frames[start + 1 : start + 6]
        if not hmac.compare_digest(signature, self._sign(parts)):
            raise RefusedError(
                "A message is not signed with the key of this connection file: it belongs to another kernel."
            )
        header, parent, metadata, content = (_unpack(part) for part in parts)
        return Message(
            header["msg_type"], content, metadata, parent.get("msg_id", ""), tuple(frames[start + 6 :])
        )  # fmt: skip

    def _sign(self, parts: Sequence[bytes]) -> bytes:
        if not self._key:
            return b""
        return hmac.new(self._key, b"".join(parts), hashlib.sha256).hexdigest().encode()

    def _pack(self, value: Mapping[str, Any]) -> bytes:
        if self._encoding == "json":
            return json.dumps(value).encode()
        return bytes(msgpack.packb(value))


def _unpack(part: bytes) -> Any:
    """A dictionary frame in either encoding: only JSON begins with a brace."""
    return json.loads(part) if part[:1] in {b"{", b" "} else msgpack.unpackb(part, strict_map_key=False)


def _reason(error: Exception) -> str:
    return f"it has no {error.args[0]!r}" if isinstance(error, KeyError) else "it is not such JSON"
