"""When the notebook file is written, and when somebody else wrote it. Knows the file and the clock, no clients.

Written 300 ms after the last change, at most 2 s after the first; looked at once a second. Outputs go into a file that
keeps them, else into the store beside the journal.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tailrace_gateway.conversation import Post
from tailrace_gateway.ipynb_outputs import Blob
from tailrace_gateway.journal import RecordLog
from tailrace_gateway.kept_session import KeptKernel, KeptOutputs, KeptSession, kept_of
from tailrace_gateway.notebook_file import ChangedOnDisk, NotebookFile, Written
from tailrace_gateway.output_store import OutputStore
from tailrace_gateway.records import StoredCell
from tailrace_gateway.state import NotebookState
from tailrace_protocol import code_hash
from tailrace_protocol.errors import TailraceError

log = logging.getLogger(__name__)

QUIET = 0.3  # seconds without a change until the file is written
LATEST = 2.0  # seconds a change may wait
POLL = 1.0  # seconds between two looks at the file
SETTLE = 0.15  # seconds in which a file that somebody writes must stay the same before it is read
SETTLES = 5  # looks at most
AGAIN = 2.0  # seconds until a write that failed is tried again


@dataclass(frozen=True, slots=True)
class Kept:
    """A notebook that was read, and what keeps it."""

    state: NotebookState
    journal: RecordLog
    file: NotebookFile
    store: OutputStore
    conflicts: tuple[str, ...] = ()  # cells that were edited here and in the file since it was saved
    kernel: KeptKernel | None = None  # it lives still


class Saving:
    """`saved`, `changed` and `failed` are called through the inbox with what came out."""

    def __init__(
        self,
        kept: Kept,
        blob: Blob,
        kernel: Callable[[], KeptKernel | None],
        post: Post,
        saved: Callable[[int, tuple[StoredCell, ...], Written], Awaitable[None]],
        changed: Callable[[ChangedOnDisk], Awaitable[None]],
        failed: Callable[[TailraceError], None],
    ):
        self._file = kept.file
        self._store = kept.store
        self._state = kept.state
        self._blob = blob
        self._kernel = kernel
        self._post = post
        self._saved = saved
        self._changed = changed
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._busy = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._since: float | None = None  # time of the first change that is not written
        self._outputs_changed = False
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._poller = self._spawn(self._poll())

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def base(self) -> tuple[StoredCell, ...]:
        """The cells that the file held when it was last read or written."""
        return tuple(self._file.cells)

    def touch(self) -> None:
        """Something changed that belongs into the file."""
        if self._closed:
            return
        now = self._loop.time()
        self._since = now if self._since is None else self._since
        self._cancel_timer()
        delay = max(0.0, min(QUIET, self._since + LATEST - now))
        self._timer = self._loop.call_later(delay, self._start)

    def touch_outputs(self) -> None:
        """Cells have run: their outputs are to be kept."""
        self._outputs_changed = True
        self.touch()

    def remember(self) -> None:
        """What is kept of the kernel is old: write it soon, with the outputs, and not the notebook file."""
        self._outputs_changed = True
        if not self._closed:
            self._spawn(self.remember_now())

    async def remember_now(self) -> None:
        async with self._busy:
            await self._keep_outputs()

    def _start(self) -> None:
        self._spawn(self.write())

    async def write(self) -> None:
        """Write now, if anything changed; returns when the file is whole and the outcome is in the inbox."""
        async with self._busy:
            if self._since is None:
                return
            self._since = None
            cells, revision = self._state.stored(), self._state.revision
            await self._keep_outputs()
            try:
                result = await asyncio.to_thread(self._writing(cells))
            except TailraceError as error:
                self._since = self._loop.time()
                self._timer = self._loop.call_later(AGAIN, self._start)
                self._post(partial(self._failed, error))
                return
            if isinstance(result, Written):
                self._post(partial(self._saved, revision, cells, result))
            else:
                await self._take(result)

    def _writing(self, cells: tuple[StoredCell, ...]) -> Callable[[], Written | ChangedOnDisk]:
        state = self._state
        outputs = None
        if self._file.keeps_outputs:
            outputs = {cell_id: state.outputs.outputs(cell_id) for cell_id in state.order}
        return partial(self._file.write, cells, outputs=outputs, settings=state.info.settings, blob=self._blob)

    async def _keep_outputs(self) -> None:
        if not self._outputs_changed:
            return
        self._outputs_changed = False
        kernel = self._kernel()
        in_file = self._file.keeps_outputs and kernel is None
        cells = () if in_file else (self._state.cell(cell_id) for cell_id in self._state.order)
        kept = {cell.id: found for cell in cells if (found := kept_of(cell, code_hash(cell.code)))}
        try:
            await asyncio.to_thread(self._store.save, self._session(kept, kernel))
        except OSError as error:
            log.warning("outputs of %s are not kept: %s", self._file.path.name, error.strerror)

    def _session(self, kept: dict[str, KeptOutputs], kernel: KeptKernel | None) -> KeptSession:
        return KeptSession(outputs=kept, kernel=kernel, connections=tuple(self._state.db.values()))

    async def accept(self, changed: ChangedOnDisk) -> None:
        """What was found on disk is in the document now: the next write may replace it."""
        async with self._busy:
            try:
                await asyncio.to_thread(self._file.accept, changed)
            except TailraceError as error:
                log.warning("cannot take %s: %s", self._file.path.name, error.message)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            async with self._busy:
                change = await asyncio.to_thread(self._look)
                if change is not None:
                    await self._take(change)

    async def _take(self, change: ChangedOnDisk) -> None:
        """Many editors empty a file before they fill it: believe what stays the same for a moment."""
        for _ in range(SETTLES):
            await asyncio.sleep(SETTLE)
            again = await asyncio.to_thread(self._look)
            if again is None:
                self.touch()  # it is what it was: what we wanted to write may go
                return
            if again == change:
                break
            change = again
        self._post(partial(self._changed, change))

    def _look(self) -> ChangedOnDisk | None:
        try:
            return self._file.poll()
        except TailraceError as error:
            log.warning("cannot look at %s: %s", self._file.path.name, error.message)
            return None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def is_due(self) -> bool:
        """Something is not in the file yet."""
        return self._since is not None

    async def close(self) -> None:
        """Stop looking, and write no more."""
        self._closed = True
        self._poller.cancel()
        self._cancel_timer()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
