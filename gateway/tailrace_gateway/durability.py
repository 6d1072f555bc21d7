"""Nothing is acknowledged before it is durable, and everybody is told while that, or saving, cannot be done.

Knows the journal of one notebook and the clock; must not know what a command means. The journal that failed is never
continued: a new segment, begun from the state in memory, is the way back, tried by itself until it succeeds.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tailrace_gateway.conversation import Post
from tailrace_gateway.journal import RecordLog, WhenWritten
from tailrace_gateway.records import Record, Saved
from tailrace_gateway.state import NotebookState, image
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.events import Event, ReadOnly

log = logging.getLogger(__name__)

RETRY = 0.5  # seconds until the next attempt to begin a new segment


class Durability:
    """`post` puts work into the inbox of the notebook: all methods are called there."""

    def __init__(self, state: NotebookState, journal: RecordLog, publish: Callable[[Event], Any], post: Post) -> None:
        self._state = state
        self._journal = journal
        self._publish = publish
        self._post = post
        self._failed = False
        self._timer: asyncio.TimerHandle | None = None
        self._troubles: dict[str, str] = {}  # what cannot be written → why

    async def ready(self) -> None:
        """After a failure: try to go on now, for somebody wants to. Raises TailraceError disk_full or read_only."""
        if self._failed:
            await self._renew()

    async def append(self, entry: Record | Saved, written: WhenWritten | None = None) -> None:
        """Returns when it is durable; `written` as in RecordLog.

        Raises TailraceError disk_full or read_only; then everybody has been told.
        """
        try:
            await self._journal.append(entry, written)
        except TailraceError as error:
            self.failed(error)
            raise

    async def append_all(self, records: Sequence[Record]) -> tuple[int, TailraceError | None]:
        """How many of these, from the first, are durable, and what became of the rest: call `failed` with that."""
        outcomes = await asyncio.gather(*map(self._journal.append, records), return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, TailraceError):
                return number, outcome
            if outcome is not None:
                raise outcome
        return len(records), None

    def failed(self, error: TailraceError) -> None:
        """Nothing is acknowledged from now on: tell everybody, and try to go on."""
        self._failed = True
        self.trouble("journal", error.message)
        self._try_later()

    async def compact(self) -> None:
        """Begin a new segment when the old one has grown; one that cannot be begun is no reason to stop."""
        if self._journal.wants_renewal() and not self._failed:
            try:
                await self._journal.renew(image(self._state))
            except TailraceError as error:
                log.warning("the journal of %s stays long: %s", self._state.info.id, error.message)

    def trouble(self, what: str, reason: str | None) -> None:
        """`what` (journal, file) cannot be written, or can be again: tell everybody, once per change."""
        if reason is None:
            self._troubles.pop(what, None)
        else:
            self._troubles[what] = reason
        shown = self._troubles.get("journal") or self._troubles.get("file")
        if shown != self._state.read_only:
            log.warning("notebook %s: %s", self._state.info.id, shown or "everything can be written again")
            self._publish(ReadOnly(reason=shown))

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._journal.close()

    async def _renew(self) -> None:
        await self._journal.renew(image(self._state))
        self._failed = False
        self.trouble("journal", None)

    def _try_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(RETRY, partial(self._post, self._try))

    async def _try(self) -> None:
        self._timer = None
        if not self._failed:
            return
        try:
            await self._renew()
        except TailraceError:
            self._try_later()
