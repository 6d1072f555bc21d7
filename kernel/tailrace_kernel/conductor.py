"""Drives the dataflow machine: one lock, its events out in order, its effects performed on the main thread.

Knows the machine, the namespace, the runner and the outbox; must not know sockets or request formats. Any thread
may `submit`, `change` or ask; only the main thread runs cells (`drive`). Nothing that can run user code happens
under the lock: what the namespace lets go of is dropped after it is released.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, assert_never

from tailrace_kernel.interrupt import Interrupts
from tailrace_kernel.outbox import Header, Outbox
from tailrace_kernel.runner import Ended, Failure, Runner, is_immediate
from tailrace_kernel.scheduler import Scheduler
from tailrace_kernel.stimuli import (
    Bind,
    CellDropped,
    CellRegistered,
    CellSkipped,
    CellView,
    Event,
    Execute,
    GraphChanged,
    Interrupted,
    RunFinished,
    RunRequested,
    RunStarted,
    StatusChanged,
    Stimulus,
    UpstreamFailed,
    VariablesChanged,
)
from tailrace_kernel.versions import Namespace
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import (
    ExecuteCellsReply,
    ExecutedCell,
    KernelEdge,
    KernelReason,
    RunFinishedContent,
    RunStartedContent,
    SkippedCell,
    StatusChange,
)
from tailrace_protocol.kernel_messages import GraphChanged as GraphChangedContent

logger = logging.getLogger(__name__)

Untold = GraphChanged | RunStarted | RunFinished | CellSkipped | UpstreamFailed | CellDropped  # told one by one

SLICE = 0.02  # seconds of cells between two turns for comm messages
STOPPED = Ended("interrupted", 0.0, None)  # before its first line
TERMINAL = frozenset({"success", "error", "interrupted"})
UNRUN = Ended("error", 0.0, None)  # by a bug of ours


@dataclass(slots=True)
class Run:
    """One request under way. `finished` is called once, under no lock, on whatever thread ended the run."""

    run_id: str
    header: Header  # of the request, with run_id: parent of everything the run publishes
    message: dict[str, Any]  # the request as a message, for input and comms
    finished: Callable[["Run"], None]
    began: float = field(default_factory=time.monotonic)
    stdin: frozenset[str] = frozenset()  # cells that may ask for input
    claim: Callable[[str], dict[str, Any] | None] | None = None  # a cell's own request, if its outputs belong there
    settle: Callable[["Run"], Awaitable[None]] | None = None  # awaited before the machine chooses the next cell
    has_turn: bool = False  # its request waits in the shell queue and drives when its turn comes
    plan: frozenset[str] = frozenset()
    executed: dict[str, ExecutedCell] = field(default_factory=dict)
    failures: dict[str, Failure | None] = field(default_factory=dict)
    ended: bool = False
    skipped: dict[str, KernelReason] = field(default_factory=dict)

    def message_for(self, cell_id: str) -> dict[str, Any]:
        """The message that a cell's outputs, comms and input belong to."""
        message = (self.claim and self.claim(cell_id)) or self.message
        header = {**message["header"], "cell_id": cell_id, "run_id": self.run_id}
        return {**message, "header": header, "allow_stdin": cell_id in self.stdin}

    def reply(self) -> ExecuteCellsReply:
        skipped = tuple(SkippedCell(cell_id=cell, reason=reason) for cell, reason in self.skipped.items())
        return ExecuteCellsReply(run_id=self.run_id, executed=tuple(self.executed.values()), skipped=skipped)


def has_ended(run: Run | None) -> bool:
    return run is not None and run.ended


@dataclass(slots=True)
class Change:
    """What one structural step did, gathered from its events for the reply."""

    added_edges: list[KernelEdge] = field(default_factory=list)
    removed_edges: list[KernelEdge] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    dropped: CellDropped | None = None
    started: bool = False  # a run began with it


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
        self._outbox = outbox
        self._wake = wake
        self._runs: dict[str, Run] = {}
        self._ended: list[Run] = []
        self._next: Execute | None = None
        self._counts: dict[str, int] = {}  # cell → execution count of its last run
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
        while self._ended:
            run = self._ended.pop()
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
        finished, garbage = self._namespace.commit(execute, status, ended.seconds)
        garbage.clear()
        with self.lock:
            self._now = None
            if ended.execution_count is not None:
                self._counts[cell_id] = ended.execution_count
            self._note_executed(run, ExecutedCell(cell_id=cell_id, status=status, seconds=ended.seconds), ended.failure)
            left: list[Any] = []
            if self._interrupts.hit:
                self._interrupts.hit = False  # what was asked for from here on was asked for after the interrupt
                left += self._step(Interrupted(), run.header)
            left += self._step(finished, run.header)
        left.clear()
        if self._ended:
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

    # Under the lock.

    def _add(self, run: Run) -> None:
        if run.run_id in self._runs:
            raise TailraceError(ErrorCode.BAD_FIELD, f"Run {run.run_id!r} is under way: choose a new run_id.")
        self._runs[run.run_id] = run

    def _note_executed(self, run: Run, cell: ExecutedCell, failure: Failure | None) -> None:
        """A cell that several runs asked for ran once, for all of them."""
        for other in self._runs.values():
            if other is run or cell.cell_id in other.plan:
                other.executed[cell.cell_id] = cell
                other.failures[cell.cell_id] = failure

    def _step(self, stimulus: Stimulus, header: Header, change: Change | None = None) -> list[Any]:
        step = self.scheduler.step(stimulus)
        self._publish_all(step.events, header, change)
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

    def _publish_all(self, events: Iterable[Event], header: Header, change: Change | None) -> None:
        """Statuses and variables of one parent are told together; whatever else happens keeps its place among them."""
        changes: list[StatusChange] = []
        variables: dict[str, bool] = {}
        gathered = header  # what `changes` and `variables` belong to
        for event in events:
            if isinstance(event, StatusChanged):
                run = self._runs.get(event.run_id) if event.run_id is not None else None
                parent = run.header if run is not None else header
                if parent is not gathered:
                    self._tell_gathered(changes, variables, gathered)
                    gathered = parent
                changes.append(self._status(event, change))
            elif isinstance(event, VariablesChanged):
                if gathered is not header:
                    self._tell_gathered(changes, variables, gathered)
                    gathered = header
                for name in event.written:
                    variables[name] = True
                for name in event.removed:
                    variables[name] = False
            else:
                self._tell_gathered(changes, variables, gathered)
                gathered = header
                self._publish(event, header, change)
        self._tell_gathered(changes, variables, gathered)

    def _tell_gathered(self, changes: list[StatusChange], variables: dict[str, bool], parent: Header) -> None:
        if changes or variables:
            self._outbox.gather(changes, variables, parent)
            changes.clear()
            variables.clear()

    def _status(self, event: StatusChanged, change: Change | None) -> StatusChange:
        cell_id, status = event.cell_id, event.status
        if change is not None and status == "stale":
            change.stale.append(cell_id)
        return StatusChange(
            cell_id=cell_id,
            status=status,
            version=event.version,
            run_id=event.run_id,
            reason=event.reason,
            seconds=event.seconds,
            execution_count=self._counts.get(cell_id) if status in TERMINAL else None,
        )

    def _publish(self, event: Untold, header: Header, change: Change | None) -> None:
        match event:
            case GraphChanged():
                self._take_graph(event, header, change)
            case RunStarted():
                run = self._runs[event.run_id]
                run.plan = frozenset(event.plan)
                if change is not None:
                    change.started = True
                content = RunStartedContent(
                    run_id=event.run_id,
                    mode=event.mode,
                    cells=event.cells,
                    plan=event.plan,
                    reason=event.reason,
                    expected_seconds=event.expected_seconds,
                )
                self._outbox.event("run_started", content, run.header)
            case RunFinished():
                self._finish(event)
            case CellSkipped():
                if event.run_id in self._runs:
                    self._runs[event.run_id].skipped[event.cell_id] = event.reason
            case UpstreamFailed():
                self._publish_upstream(event, header)
            case CellDropped():
                if change is not None:
                    change.dropped = event
            case _:
                assert_never(event)

    def _take_graph(self, event: GraphChanged, header: Header, change: Change | None) -> None:
        if change is not None:
            change.added_edges.extend(event.added_edges)
            change.removed_edges.extend(event.removed_edges)
        content = GraphChangedContent(
            added_cells=event.added_cells,
            removed_cells=event.removed_cells,
            added_edges=event.added_edges,
            removed_edges=event.removed_edges,
            cycles=event.cycles,
            version=event.version,
        )
        self._outbox.event("graph_changed", content, header)

    def _publish_upstream(self, event: UpstreamFailed, header: Header) -> None:
        """A cell that was not run because its writer failed has an error output of its own."""
        run = self._runs.get(event.run_id) if event.run_id is not None else None
        parent = {**header, "cell_id": event.cell_id} if run is None else run.message_for(event.cell_id)["header"]
        text = f"{event.ename}: {event.evalue}"
        self._outbox.standard("error", {"ename": event.ename, "evalue": event.evalue, "traceback": [text]}, parent)
        if run is not None:
            reason = KernelReason(code="upstream_failed", names=event.names, from_cells=event.from_cells)
            run.skipped[event.cell_id] = reason

    def _finish(self, event: RunFinished) -> None:
        run = self._runs.pop(event.run_id)
        run.ended = True
        content = RunFinishedContent(
            run_id=event.run_id,
            status=event.status,
            counts={"success": event.success, "error": event.error, "skipped": event.skipped},
            seconds=time.monotonic() - run.began,
        )
        self._outbox.event("run_finished", content, run.header)
        self._ended.append(run)
