"""Drives the dataflow machine: one lock, its events out in order, its effects performed on the main thread.

Knows the machine, the namespace, the runner and the outbox; must not know sockets or request formats. Any thread
may `submit`, `change` or ask; only the main thread runs cells (`drive`). Nothing that can run user code happens
under the lock: what the namespace lets go of is dropped after it is released.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, assert_never

from tailrace_kernel.interrupt import Interrupts
from tailrace_kernel.outbox import Header, Outbox
from tailrace_kernel.publisher import Publisher
from tailrace_kernel.runner import Ended, Failure, Runner, is_immediate
from tailrace_kernel.runs import Change, Run, has_ended
from tailrace_kernel.scheduler import Scheduler
from tailrace_kernel.stimuli import Bind, CellRegistered, CellView, Execute, Interrupted, RunRequested, Stimulus
from tailrace_kernel.versions import Namespace
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import ExecutedCell

logger = logging.getLogger(__name__)

SLICE = 0.02  # seconds of cells between two turns for comm messages
STOPPED = Ended("interrupted", 0.0, None)  # before its first line
UNRUN = Ended("error", 0.0, None)  # by a bug of ours


class Conductor:
    """`wake` is called, under no lock, when there is a cell to run and nobody may be driving."""

    def __init__(
        self,
        scheduler: Scheduler,
        namespace: Namespace,
        runner: Runner,
        interrupts: Interrupts,
        outbox: Outbox,
        wake: Callable[[], None],
    ) -> None:
        self.scheduler = scheduler
        self.lock = threading.Lock()
        self._namespace = namespace
        self._runner = runner
        self._interrupts = interrupts
        self._wake = wake
        self._runs: dict[str, Run] = {}
        self._publisher = Publisher(outbox, self._runs)
        self._next: Execute | None = None
        self._now: tuple[str, Run] | None = None  # cell and run on the main thread
        self._dropped = False  # the cell in `_next` was interrupted before it began

    # What any thread may ask for.

    def submit(self, run: Run, cell_ids: tuple[str, ...], mode: Any, first: CellRegistered | None = None) -> None:
        """Enqueue a run. `first` is registered in the same breath: a cascade under way would take it up before.

        Raises TailraceError(unknown_cell), and then nothing was enqueued.
        """
        with self.lock:
            self._add(run)
            try:
                garbage = self._step(first, run.header) if first is not None else []
                garbage += self._step(RunRequested(run_id=run.run_id, cell_ids=cell_ids, mode=mode), run.header)
            except BaseException:
                del self._runs[run.run_id]
                raise
        self._after(garbage)

    def change(self, stimulus: Stimulus, header: Header, run: Run | None = None) -> Change:
        """One structural step. `run` is given when the step may start one. Raises TailraceError(unknown_cell)."""
        change = Change()
        with self.lock:
            if run is not None:
                self._add(run)
            try:
                garbage = self._step(stimulus, header, change)
            finally:
                if run is not None and not change.started:
                    del self._runs[run.run_id]
        self._after(garbage)
        return change

    def interrupt(self, run_id: str | None) -> bool:
        """Drop what is pending, of one run when given; true when the main thread is to be sent the signal as well.

        The signal alone would be lost on a run that was accepted and has not begun.
        """
        with self.lock:
            if run_id is not None and run_id not in self._runs:
                return False
            if self._now is not None:
                if run_id in (None, self._now[1].run_id):
                    return True
            elif self._next is not None and run_id in (None, self._next.run_id):
                self._dropped = True
            header = self._runs[run_id].header if run_id is not None else {}
            garbage = self._step(Interrupted(run_id=run_id), header)
        self._after(garbage)
        return run_id is None

    def view(self, cell_id: str) -> CellView:
        with self.lock:
            return self.scheduler.cell(cell_id)

    def order(self) -> tuple[str, ...]:
        with self.lock:
            return self.scheduler.order()

    def owners(self) -> dict[str, str]:
        """Names that show a cell's version → that cell."""
        with self.lock:
            written = {name for cell_id in self.scheduler.order() for name in self.scheduler.cell(cell_id).writes}
            owners = {name: self.scheduler.owner(name) for name in written}
        return {name: owner for name, owner in owners.items() if owner is not None}

    def _after(self, garbage: list[Any]) -> None:
        """Outside the lock: let go of objects, tell who waits, and see that somebody drives."""
        garbage.clear()
        self._tell_ended()
        if self._now is None:
            self._wake_if_due()

    def _wake_if_due(self) -> None:
        due = self._next
        run = self._runs.get(due.run_id) if due is not None else None
        if due is not None and (self._dropped or run is None or not run.has_turn):
            self._wake()

    def _tell_ended(self) -> None:
        ended = self._publisher.ended
        while True:
            try:
                run = ended.pop()  # two threads come here
            except IndexError:
                return
            run.finished(run)

    # The main thread.

    async def drive(self, until: Run | None = None) -> None:
        """Run cells until none is due, or a run has ended. The caller holds the main shell's lock; cells are awaited
        in its task."""
        if self._next is None:
            return
        turn = time.monotonic()
        with self._interrupts.watching():
            while (due := self._next) is not None and not has_ended(until):
                with self._runner.cascade():  # of one run: the next may be asked for before this one is left
                    while (execute := self._next) and execute.run_id == due.run_id and not has_ended(until):
                        run = self._runs[execute.run_id]
                        dropped = self._begin(execute, run)
                        if run.settle is None and (dropped or is_immediate(execute.payload)):
                            ended = self._run_at_once(execute, run, dropped)
                        else:
                            ended = await self._run_awaiting(execute, run, dropped)
                        self._end(execute, run, ended)
                        if time.monotonic() - turn > SLICE:
                            await asyncio.sleep(0)
                            turn = time.monotonic()
            self._runner.drop_early()  # of cells that were edited or dropped
        self._wake_if_due()

    def _begin(self, execute: Execute, run: Run) -> bool:
        """The cell is the one on the main thread now; true when it was interrupted before that."""
        with self.lock:
            self._next, self._now = None, (execute.cell_id, run)
            dropped, self._dropped = self._dropped, False
        self._namespace.prepare(execute).clear()
        if execute.early:
            self._runner.begin_early(execute.early)
        return dropped or self._interrupts.hit

    def _end(self, execute: Execute, run: Run, ended: Ended) -> None:
        cell_id, status = execute.cell_id, ended.outcome
        if status == "interrupted":
            self._runner.drop_early()
        finished, garbage = self._namespace.commit(execute, status, ended.seconds, ended.execution_count)
        garbage.clear()
        with self.lock:
            self._now = None
            self._note_executed(run, ExecutedCell(cell_id=cell_id, status=status, seconds=ended.seconds), ended.failure)
            left: list[Any] = []
            if self._interrupts.hit:
                self._interrupts.hit = False  # what was asked for from here on was asked for after the interrupt
                left += self._step(Interrupted(), run.header)
            left += self._step(finished, run.header)
        left.clear()
        if self._publisher.ended:
            self._tell_ended()

    async def _run_awaiting(self, execute: Execute, run: Run, dropped: bool) -> Ended:
        cell_id = execute.cell_id
        if dropped or is_immediate(execute.payload):
            ended = self._run_at_once(execute, run, dropped)
        else:
            try:
                ended = await self._runner.run(cell_id, execute.payload, run.message_for(cell_id))
            except Exception:
                logger.exception("cell %s could not be run", cell_id)
                ended = UNRUN
            except KeyboardInterrupt:  # the second of two, while the cell's guard was taking the first
                self._interrupts.armed = False
                ended = STOPPED
        more = run.plan - run.executed.keys() - {cell_id}
        if run.settle is not None and more and not dropped and not self._interrupts.hit:
            await run.settle(run)
        return ended

    def _run_at_once(self, execute: Execute, run: Run, dropped: bool) -> Ended:
        """A bug of ours must not leave the machine waiting for a cell that will never end."""
        if dropped:
            return STOPPED
        cell_id = execute.cell_id
        try:
            return self._runner.run_at_once(cell_id, execute.payload, run.message_for(cell_id))
        except Exception:
            logger.exception("cell %s could not be run", cell_id)
            return UNRUN
        except KeyboardInterrupt:  # the second of two, as above
            self._interrupts.armed = False
            return STOPPED

    def must_be_new(self, run: Run) -> None:
        """Raises TailraceError(bad_field) while a run of this id is under way."""
        if run.run_id in self._runs:
            raise TailraceError(ErrorCode.BAD_FIELD, f"Run {run.run_id!r} is under way: choose a new run_id.")

    # Under the lock.

    def _add(self, run: Run) -> None:
        self.must_be_new(run)
        self._runs[run.run_id] = run

    def _note_executed(self, run: Run, cell: ExecutedCell, failure: Failure | None) -> None:
        """A cell that several runs asked for ran once, for all of them."""
        for other in self._runs.values():
            if other is run or cell.cell_id in other.plan:
                other.executed[cell.cell_id] = cell
                other.failures[cell.cell_id] = failure

    def _step(self, stimulus: Stimulus, header: Header, change: Change | None = None) -> list[Any]:
        step = self.scheduler.step(stimulus)
        self._publisher.publish(step.events, header, change)
        garbage: list[Any] = []
        for effect in step.effects:
            match effect:
                case Execute():
                    self._next = effect
                case Bind():
                    garbage.append(self._namespace.apply(effect))
                case _:
                    assert_never(effect)
        return garbage
