"""The control channel: our requests are read, answered and sent in one go of its thread.

Knows the stream, the session and the outbox; must not know what a request means. Beside a cell that computes, this
thread waits a switch interval whenever it let go of the interpreter: at each turn of its loop, and when a thread that
it woke goes first. So there is no task, no send by way of the loop, and nobody is woken before the answer is out.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from jupyter_client.session import extract_header

from tailrace_kernel.answer import Call
from tailrace_kernel.outbox import Outbox
from tailrace_kernel.session import TailraceSession

logger = logging.getLogger(__name__)

Message = dict[str, Any]
Stock = Callable[[Any], Awaitable[None]]


class ControlChannel:
    """`stock` takes frames of the kinds that ipykernel answers, one at a time; `handle` answers all others."""

    def __init__(
        self,
        session: TailraceSession,
        outbox: Outbox,
        stream: Any,
        stock_kinds: Collection[str],
        stock: Stock,
        handle: Callable[[Call], None],
    ) -> None:
        self._session = session
        self._outbox = outbox
        self._stream = stream
        self._stock_kinds = stock_kinds
        self._stock = stock
        self._handle = handle
        self._lock = asyncio.Lock()
        self._waiting = 0  # messages that have been given to a task

    def take(self, frames: Any) -> Awaitable[None] | None:
        """The stream's callback. A message behind one that waits for its task waits too: answers keep their order."""
        try:
            ident, parts = self._session.feed_identities(frames, copy=False)
            message = self._session.peek(parts)
            kind = message["msg_type"]
            is_stock = kind in self._stock_kinds or not kind.endswith("_request")
            if not is_stock:
                self._session.note_read(parts)
        except Exception:
            logger.warning("a control message that cannot be read was dropped", exc_info=True)
            return None
        if is_stock or self._waiting:
            self._waiting += 1
            return self._take_turn(frames if is_stock else None, ident, message)
        try:
            self._answer(ident, message)
        except Exception:  # out of here it would keep the stream from looking for the next message
            logger.exception("%s could not be answered", kind)
        return None

    async def _take_turn(self, frames: Any, ident: Any, message: Message) -> None:
        try:
            async with self._lock:
                if frames is None:
                    self._answer(ident, message)
                else:
                    await self._stock(frames)
        finally:
            self._waiting -= 1

    def _answer(self, ident: Any, message: Message) -> None:
        header = extract_header(message)
        call = Call(self._session, self._stream, ident, message, lambda: self._status("idle", header))
        with self._outbox.together():
            self._status("busy", header)
            with call.at_once():
                self._handle(call)

    def _status(self, state: str, header: Message) -> None:
        self._outbox.standard("status", {"execution_state": state}, header, soon=state == "idle")
