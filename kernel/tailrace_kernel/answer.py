"""One request of our own and its one answer, which may be given later and from another thread.

Knows the session, sockets and event loops; must not know what requests mean.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec

from tailrace_kernel.outbox import Header
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.kernel_messages import Content


def refusal(error: TailraceError) -> dict[str, Any]:
    """The content of an error reply."""
    content: dict[str, Any] = {"status": "error", "ename": error.code.value, "evalue": error.message, "traceback": []}
    if error.details:
        content["details"] = error.details
    return content


class Call:
    """Sockets belong to the thread that received the request: an answer from elsewhere travels to its loop.

    `closed` is set when the request is over, which may be after its answer (`wait: false`).
    """

    def __init__(
        self, session: Any, stream: Any, ident: Any, message: dict[str, Any], on_close: Callable[[], None]
    ) -> None:
        self.message = {**message, "ident": ident}
        self.closed: Future[None] = Future()
        self._session = session
        self._stream = stream
        self._ident = ident
        self._on_close = on_close
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()

    @property
    def kind(self) -> str:
        return str(self.message["msg_type"])

    @property
    def header(self) -> Header:
        header: Header = self.message["header"]
        return header

    def answer(self, content: Content, buffers: list[bytes] | None = None) -> None:
        fields: dict[str, Any] = msgspec.to_builtins(content)
        self._send({"status": "ok", **fields}, buffers)

    def refuse(self, error: TailraceError) -> None:
        self._send(refusal(error), None)

    def close(self) -> None:
        self._on_close()
        self.closed.set_result(None)

    def _send(self, content: dict[str, Any], buffers: list[bytes] | None) -> None:
        if threading.get_ident() == self._thread:
            self._send_here(content, buffers)
        else:
            self._loop.call_soon_threadsafe(self._send_here, content, buffers)

    def _send_here(self, content: dict[str, Any], buffers: list[bytes] | None) -> None:
        reply = reply_type(self.kind)
        self._session.send(self._stream, reply, content, self.message, self._ident, buffers)


def reply_type(kind: str) -> str:
    return kind.removesuffix("_request") + "_reply"
