"""The one inbox of a notebook: work is done in the order in which it came, one piece at a time.

Edits of different cells that wait together are handed on together, so that they share a sync of the journal. Knows the
order of work, not what it means.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tailrace_gateway.clients import Client
from tailrace_gateway.metrics import Metrics
from tailrace_protocol.commands import AnyCommand, CellUpdate
from tailrace_protocol.errors import TailraceError

log = logging.getLogger(__name__)

TOGETHER = 256  # edits handed on at once
TOGETHER_CHARACTERS = 2**20  # of their code

Work = Callable[[], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Submitted:
    """A command of a client."""

    client: Client
    command: AnyCommand


class Inbox:
    """`take` gets one command, `take_edits` several edits, each of another cell, in the order in which they came."""

    def __init__(
        self,
        take: Callable[[Submitted], Awaitable[None]],
        take_edits: Callable[[list[Submitted]], Awaitable[None]],
        metrics: Metrics,
        name: str,
    ) -> None:
        self._take = take
        self._take_edits = take_edits
        self._metrics = metrics
        self._name = name
        self._queue: asyncio.Queue[Work | Submitted] = asyncio.Queue()
        self._held: Work | Submitted | None = None  # taken out of the queue and not begun
        self._task = asyncio.create_task(self._run())

    def put(self, work: Work | Submitted) -> None:
        self._queue.put_nowait(work)

    async def done(self, work: Callable[[], None]) -> None:
        """Returns when this work has been done. Raises what it raises."""
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def do() -> None:
            try:
                work()
            except TailraceError as error:
                outcome.set_exception(error)
            else:
                outcome.set_result(None)

        self.put(do)
        await outcome

    async def settle(self) -> None:
        """Returns when everything that is in the inbox now has been done."""
        await self._queue.join()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            work = self._held if self._held is not None else await self._queue.get()
            self._held = None
            together = self._gather(work)
            try:
                await self._do(work, together)
            except TailraceError as error:  # nobody waits for this work: who is attached has been told
                log.warning("notebook %s: %s", self._name, error.message)
            except Exception:
                self._metrics.failed()
                log.exception("work in the inbox of notebook %s failed", self._name)
            finally:
                for _ in range(max(1, len(together))):
                    self._queue.task_done()

    async def _do(self, work: Work | Submitted, together: list[Submitted]) -> None:
        if len(together) > 1:
            await self._take_edits(together)
        elif isinstance(work, Submitted):
            await self._take(work)
        else:
            result = work()
            if result is not None:
                await result

    def _gather(self, first: Work | Submitted) -> list[Submitted]:
        """This edit and those that wait behind it, until one is no edit, or of a cell that is edited already."""
        edits: list[Submitted] = []
        cells: set[str] = set()
        ids: set[tuple[str, str]] = set()
        size = 0
        work: Work | Submitted | None = first
        while isinstance(work, Submitted) and isinstance(work.command, CellUpdate) and len(edits) < TOGETHER:
            edit, key = work.command, (work.client.id, work.command.id)
            size += len(edit.code)
            if edit.cell_id in cells or key in ids or (edits and size > TOGETHER_CHARACTERS):
                break
            edits.append(work)
            cells.add(edit.cell_id)
            ids.add(key)
            work = None if self._queue.empty() else self._queue.get_nowait()
        if edits:
            self._held = work
        return edits
