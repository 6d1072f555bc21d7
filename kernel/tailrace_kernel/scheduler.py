"""The dataflow machine: which cells run, in what order and why. Knows no clock, thread, socket or user object.

A shell drives it under one lock: `step(stimulus)` gives events to publish and effects to perform, both in order.
"""

from collections.abc import Iterable
from typing import assert_never

from tailrace_kernel.agenda import Run
from tailrace_kernel.facts import NOTHING
from tailrace_kernel.gather import Gather
from tailrace_kernel.plan import plan_of
from tailrace_kernel.rules import Rules
from tailrace_kernel.state import State
from tailrace_kernel.stimuli import (
    CellFinished,
    CellRegistered,
    CellRemoved,
    CellsRegistered,
    CellsReordered,
    CellView,
    Interrupted,
    Plan,
    RunRequested,
    SettingsChanged,
    StatusChanged,
    Step,
    Stimulus,
    VersionsEvicted,
)
from tailrace_kernel.structure import Structure, start, unknown_cell
from tailrace_kernel.turns import Turns
from tailrace_kernel.validate import validate
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import KernelEdge, KernelReason
from tailrace_protocol.objects import RunMode


class Scheduler:
    """Mutable inside, immutable values at its edge."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.state = State(rules or Rules())
        gather = Gather(self.state)
        self._gather = gather
        self._structure = Structure(self.state, gather)
        self._turns = Turns(self.state, gather)

    def step(self, stimulus: Stimulus) -> Step:
        """Take one stimulus; raises TailraceError(UNKNOWN_CELL) and is then unchanged."""
        state = self.state
        state.events, state.effects = [], []
        match stimulus:
            case CellFinished():
                self._finish(stimulus)
            case CellRegistered():
                self._structure.register(stimulus)
            case CellsRegistered():
                self._structure.register_all(stimulus.cells)
            case CellRemoved():
                self._structure.remove(stimulus)
            case CellsReordered():
                self._structure.reorder(stimulus.cell_ids)
            case RunRequested():
                self._request(stimulus)
            case Interrupted():
                self._interrupt(stimulus.run_id)
            case SettingsChanged():
                self._set(stimulus)
            case VersionsEvicted():
                self._evict(stimulus)
            case _:
                assert_never(stimulus)
        self._turns.proceed()
        return Step(tuple(state.events), tuple(state.effects))

    # Questions

    def plan(self, cell_ids: Iterable[str], mode: RunMode = "reactive") -> Plan:
        """What a request would do now; changes nothing. Raises TailraceError(UNKNOWN_CELL)."""
        return plan_of(self.state, self._named(tuple(cell_ids), mode), mode)

    def cell(self, cell_id: str) -> CellView:
        """Raises TailraceError(UNKNOWN_CELL)."""
        record = self.state.records.get(cell_id)
        if record is None:
            raise unknown_cell(cell_id)
        return CellView(
            cell_id=cell_id,
            cell_type=record.cell_type,
            mode=record.mode,
            version=record.version,
            status=record.status,
            reason=record.reason,
            reads=tuple(sorted(record.analysis.reads)),
            writes=tuple(sorted(record.analysis.writes)),
            diagnostics=self.state.diagnostics(record),
            seconds=record.seconds,
        )

    def order(self) -> tuple[str, ...]:
        """All cells in document order."""
        return tuple(self.state.graph.places)

    def edges(self) -> list[KernelEdge]:
        return self.state.graph.edges()

    def cycles(self) -> tuple[tuple[str, ...], ...]:
        return self.state.graph.cycles

    @property
    def graph_version(self) -> int:
        return self.state.graph_version

    def owner(self, name: str) -> str | None:
        """The cell whose version the namespace shows under this name."""
        return self.state.shown.by.get(name)

    def silent_reads(self, cell_id: str) -> dict[str, str]:
        """Names that a cell reads and is not known to change, each with the cell whose version it is now."""
        graph = self.state.graph
        names = graph.reads.get(cell_id, NOTHING) - graph.changes.get(cell_id, NOTHING)
        return {name: owner for name in names if (owner := self.owner(name)) is not None and owner != cell_id}

    def changes(self, cell_id: str) -> frozenset[str]:
        """Names whose objects a cell is known to change in place."""
        return self.state.graph.changes.get(cell_id, NOTHING)

    def running(self) -> tuple[str, str] | None:
        """Cell and run that are under way."""
        running = self.state.running
        return None if running is None else (running.record.id, running.run_id)

    def story(self, cell_id: str) -> tuple[StatusChanged, ...]:
        """The last status changes of a cell, oldest first."""
        record = self.state.records.get(cell_id)
        if record is None:
            raise unknown_cell(cell_id)
        return tuple(record.story or ())

    def validate(self, *, graph: bool = True) -> None:
        """Recompute everything from scratch and compare; raises AssertionError. For tests."""
        validate(self.state, graph=graph)

    # Stimuli

    def _named(self, cell_ids: tuple[str, ...], mode: RunMode) -> tuple[str, ...]:
        state = self.state
        for cell in cell_ids:
            if cell not in state.records:
                raise unknown_cell(cell)
        places = state.graph.places
        if mode == "all":
            return tuple(c for c in places if state.records[c].cell_type != "markdown")
        if mode == "stale":
            return tuple(c for c in places if self._is_stale(c))
        return tuple(dict.fromkeys(cell_ids))

    def _is_stale(self, cell: str) -> bool:
        """Stale cells are not named one by one: those that may run only when named stay as they are."""
        state, record = self.state, self.state.records[cell]
        if record.fresh or record.unasked is not None or record.cell_type == "markdown":
            return False
        return cell not in state.graph.blocked and not state.off(cell)

    def _request(self, stimulus: RunRequested) -> None:
        state = self.state
        if stimulus.run_id in state.agenda.runs:
            raise TailraceError(ErrorCode.BAD_FIELD, f"Run {stimulus.run_id!r} is under way: choose a new run_id.")
        run = Run(stimulus.run_id, stimulus.mode, self._named(stimulus.cell_ids, stimulus.mode))
        start(state, self._gather, run, KernelReason(code="requested", request=run.id))

    def _finish(self, stimulus: CellFinished) -> None:
        running = self.state.running
        if running is None or running.record.id != stimulus.cell_id:
            raise TailraceError(ErrorCode.INTERNAL, f"Cell {stimulus.cell_id!r} ended but was not running.")
        self._turns.finish(stimulus)

    def _interrupt(self, run_id: str | None) -> None:
        state = self.state
        runs = [run for run in state.agenda.runs.values() if run_id is None or run.id == run_id]
        for run in runs:
            run.interrupted = True
            if state.running is None or run not in state.running.entry.runs:
                self._turns.stop(run)

    def _set(self, stimulus: SettingsChanged) -> None:
        if stimulus.lazy is not None:
            self.state.lazy = stimulus.lazy and self.state.rules.lazy
        if stimulus.cutoff is not None:
            self.state.cutoff = stimulus.cutoff

    def _evict(self, stimulus: VersionsEvicted) -> None:
        state = self.state
        owners = []
        for name, cell in stimulus.versions:
            record = state.records.get(cell)
            if record is not None and record.has(name):
                state.let_go(name, cell)
                owners.append(cell)
        state.refresh(state.freshness.update(owners), "inputs_changed")
