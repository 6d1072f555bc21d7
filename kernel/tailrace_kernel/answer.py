"""One request of our own and its one answer, which may be given later and from another thread.

Knows the session, sockets and event loops; must not know what requests mean.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import msgspec

from tailrace_kernel.frames import send_frames
from tailrace_kernel.outbox import Header
from tailrace_kernel.session import TailraceSession, pack_content
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
        self, session: TailraceSession, stream: Any, ident: Any, message: dict[str, Any], on_close: Callable[[], None]
    ) -> None:
        self.message = {**message, "ident": ident}
        self.closed: Future[None] = Future()
        self._session = session
        self._stream = stream
        self._ident = ident
        self._on_close = on_close
        self._at_once = False
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()

    @property
    def kind(self) -> str:
        return str(self.message["msg_type"])

    @property
    def header(self) -> Header:
        header: Header = self.message["header"]
        return header

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """In the stream's own receiving callback: what is answered meanwhile goes out here, not by a turn of the loop.

        A send may take the signal that more has come in; the stream looks itself after each callback.
        """
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def answer(self, content: Content, buffers: Sequence[bytes] = ()) -> None:
        if self.message.get("encoding"):  # not JSON
            self._send({"status": "ok", **msgspec.to_builtins(content)}, buffers)
            return
        body = pack_content(content)
        body = b'{"status":"ok",' + body[1:] if len(body) > 2 else b'{"status":"ok"}'
        frames = self._session.answer_frames(reply_type(self.kind), body, self.message, self._ident)
        self._on_thread(self._send_frames, [*frames, *buffers])

    def refuse(self, error: TailraceError) -> None:
        self._send(refusal(error), ())

    def close(self) -> None:
        self._on_close()
        self.closed.set_result(None)

    def _send(self, content: dict[str, Any], buffers: Sequence[bytes]) -> None:
        message = self._session.msg(reply_type(self.kind), content, self.message)
        self._on_thread(self._send_frames, [*self._session.serialize(message, self._ident), *buffers])

    def _on_thread(self, send: Callable[[list[bytes]], None], frames: list[bytes]) -> None:
        if threading.get_ident() == self._thread:
            send(frames)
        else:
            self._loop.call_soon_threadsafe(send, frames)

    def _send_frames(self, frames: list[bytes]) -> None:
        stream, is_small = self._stream, max(map(len, frames)) < self._session.copy_threshold
        if self._at_once and is_small and not stream.sending():
            send_frames(stream.socket, frames)
        else:
            stream.send_multipart(frames, copy=is_small)


def reply_type(kind: str) -> str:
    return kind.removesuffix("_request") + "_reply"
