"""WebSockets of a client that costs next to nothing: blocking sockets whose bytes are searched, not decoded.

Knows RFC 6455 as far as a client on the same machine needs it; must not know who serves. Marks never span two frames,
so frames need no taking apart; the same client is used for every server that is measured.
"""

import re
import selectors
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

PATIENCE = 30.0  # seconds
CHUNK = 2**18  # bytes read at once
STAMP = re.compile(rb"@(\d+\.\d+)@")
STAMP_BYTES = 40  # a stamp is shorter
KEY = b64encode(bytes(16)).decode()


class WebSocket:
    """Connected when made. `receive_bytes` is the size of the socket's buffer, for a client that is to stall."""

    def __init__(self, port: int, path: str, *, token: str = "", protocol: str = "", receive_bytes: int = 0) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = bytearray()  # what was received and not looked through
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += [f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13"]
        lines += [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        lines += [f"Authorization: token {token}"] if token else []
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        if not self.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101"):
            raise ConnectionError(f"{path} is no WebSocket for us")

    def send(self, payload: bytes, *, binary: bool = False) -> None:
        """One frame. The mask is zero: the payload goes as it is."""
        kind, size = 0x82 if binary else 0x81, len(payload)
        long = struct.pack(">BH", 0x80 | 126, size) if size < 2**16 else struct.pack(">BQ", 0x80 | 127, size)
        self.socket.sendall(bytes([kind]) + (bytes([0x80 | size]) if size < 126 else long) + bytes(4) + payload)

    def until(self, mark: bytes) -> bytes:
        """Wait for these bytes; returns what came up to their end. Raises TimeoutError, ConnectionError."""
        looked = 0
        while (found := self.got.find(mark, looked)) < 0:
            looked = max(0, len(self.got) - len(mark))
            self.read()
        end = found + len(mark)
        before = bytes(self.got[:end])
        del self.got[:end]
        return before

    def read(self) -> None:
        chunk = self.socket.recv(CHUNK)
        if not chunk:
            raise ConnectionError("the server closed the socket")
        self.got += chunk

    def close(self) -> None:
        self.socket.close()


@dataclass
class Audience:
    """Many sockets that are sent stamped events: `@SECONDS@` of the monotonic clock, which all processes share."""

    sockets: Sequence[WebSocket]
    delays: list[float] = field(default_factory=list)  # seconds from stamp to socket, of each delivery

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        for one in self.sockets:
            self._selector.register(one.socket, selectors.EVENT_READ, one)

    def listen(self, deliveries: int, seconds: float = PATIENCE) -> None:
        """Until so many events were delivered, to all together. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while len(self.delays) < deliveries:
            ready = self._selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"{len(self.delays)} of {deliveries} deliveries in {seconds:.0f} s")
            for key, _ in ready:
                self._take(key.data)

    def _take(self, one: WebSocket) -> None:
        one.read()
        now, end = time.monotonic(), 0
        for match in STAMP.finditer(one.got):
            self.delays.append(now - float(match[1]))
            end = match.end()
        del one.got[: max(end, len(one.got) - STAMP_BYTES)]

    def close(self) -> None:
        self._selector.close()
        for one in self.sockets:
            one.close()
