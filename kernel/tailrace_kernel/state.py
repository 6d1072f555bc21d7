"""The machine's state in one place, and how a cell's status follows from it. Decides what is shown, not what is run."""

from collections import deque
from collections.abc import Iterable

from tailrace_kernel.agenda import Agenda, Entry
from tailrace_kernel.facts import NOTHING
from tailrace_kernel.freshness import LET_GO, Freshness
from tailrace_kernel.graph import Delta, Graph
from tailrace_kernel.records import STORY, Inputs, Record
from tailrace_kernel.rules import Rules
from tailrace_kernel.shown import Shown
from tailrace_kernel.stimuli import Effect, Event, GraphChanged, StatusChanged, Version
from tailrace_protocol.kernel_messages import KernelDiagnostic, KernelReason
from tailrace_protocol.objects import Status

TERMINAL = frozenset({"success", "error", "interrupted"})
NO_SOURCES: dict[str, str] = {}


class Running:
    """The cell that runs now, with what it was started with: the record may be edited or removed meanwhile."""

    __slots__ = (
        "code",
        "edits",
        "entry",
        "found_out",
        "had_run",
        "inputs",
        "late_inputs",
        "passed_before",
        "record",
        "removed",
        "run_id",
        "sources",
        "turned",
        "writes",
    )

    def __init__(self, record: Record, entry: Entry, inputs: Inputs, late_inputs: Inputs, edits: int) -> None:
        self.edits = edits
        self.record = record
        self.entry = entry
        self.run_id = entry.runs[0].id
        self.code = record.code
        self.inputs = inputs
        self.late_inputs = late_inputs
        self.writes = NOTHING
        self.passed_before = record.passed
        self.had_run = record.outcome == "success"
        self.sources = NO_SOURCES
        self.removed = False
        self.found_out = False  # its edges are others now
        self.turned: frozenset[str] = NOTHING  # cells that this blocked or unblocked


class State:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.graph = Graph(rules)
        self.records: dict[str, Record] = {}
        self.freshness = Freshness(self.graph, self.records, rules)
        self.shown = Shown(self.graph, self.records, self.freshness)
        self.agenda = Agenda(self.graph.rank)
        self.running: Running | None = None
        self.lazy = False
        self.cutoff = False
        self.disabled = 0  # cells with mode `disabled`
        self.early: set[str] = set()  # cells whose queries may begin before their turn
        self.graph_version = 0
        self.excess = 0  # bytes of kept versions beyond their budget
        self.held: tuple[tuple[Version, int], ...] = ()
        self.edits = 0  # changes of structure so far
        self.forks: dict[Version, set[str]] = {}  # version → cells that worked on copies of its object
        self.then: dict[str, dict[str, None]] = {}  # cell → cells that read it at their last run and do so no more
        self.events: list[Event] = []
        self.effects: list[Effect] = []
        self._off: dict[str, bool] = {}

    # Statuses

    def status(self, record: Record) -> Status:
        cell = record.id
        if self.running is not None and self.running.record is record:
            return "running"
        if cell in self.agenda.entries:
            return "queued"
        if cell in self.graph.blocked:
            return "blocked"
        if record.mode == "disabled":
            return "disabled"
        if record.outcome == "success":
            return "success" if record.fresh else "stale"
        if record.outcome is not None:
            return record.outcome
        if record.held is None:
            return "idle"
        return "interrupted" if record.held.code == "interrupted" else "stale"

    def show(
        self,
        record: Record,
        status: Status,
        reason: KernelReason | None,
        run_id: str | None = None,
        seconds: float | None = None,
    ) -> None:
        record.status = status
        record.reason = reason
        change = StatusChanged(
            cell_id=record.id,
            status=status,
            version=record.version,
            run_id=run_id,
            reason=reason,
            seconds=seconds,
            execution_count=record.execution_count if status in TERMINAL else None,
        )
        if record.story is None:
            record.story = deque(maxlen=STORY)
        record.story.append(change)
        self.events.append(change)

    def refresh(self, cells: Iterable[str], code: str, *, about: str | None = None, run_id: str | None = None) -> None:
        """Show the status of cells whose freshness changed; `code` is the reason for the cell `about`."""
        entries = self.agenda.entries
        for cell in cells:
            record = self.records[cell]
            if cell in entries:
                continue
            status = self.status(record)
            if status != record.status:
                self.show(
                    record, status, self.reason(record, status, code if cell == about else "inputs_changed"), run_id
                )

    def reason(self, record: Record, status: Status, code: str) -> KernelReason | None:
        if status == "blocked":
            return self.cycle(record.id)
        if status != "stale":
            return record.held
        if record.held is not None:
            return record.held
        names, cells = self.differing(record)
        owed = self.freshness.owed
        if record.id in owed:
            return KernelReason(code="made_again", names=tuple(sorted(record.spent)), from_cells=spenders(record))
        return KernelReason(code=code, names=names or None, from_cells=cells or None)

    def differing(self, record: Record) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names whose input is not that of the last run, and the cells behind that."""
        names, cells = set(), set()
        now = self.freshness.inputs(self.graph.bound[record.id])
        for name, consulted in now.items():
            stale = [w for w, _ in consulted if w != record.id and not self.records[w].fresh]
            if consulted != record.inputs.get(name) or stale:
                names.add(name)
                cells.update(stale or [w for w, _ in consulted])
        names.update(record.inputs.keys() - now.keys())
        return tuple(sorted(names)), tuple(sorted(cells))

    def cycle(self, cell: str) -> KernelReason:
        found = next(c for c in self.graph.cycles if cell in c)
        names = sorted({n for c in found for w, ns in self.graph.preds[c].items() if w in found for n in ns})
        message = (
            f"cells {', '.join(found)} need each other's names {', '.join(names)}: "
            "no order exists in which they can run. Change one of them."
        )
        return KernelReason(code="cycle", names=tuple(names), from_cells=found, message=message)

    def diagnostics(self, record: Record) -> tuple[KernelDiagnostic, ...]:
        """What the graph has to say of a cell."""
        reason = self.cycle(record.id) if record.id in self.graph.blocked else record.held
        if reason is None or reason.code not in {"cycle", "run_cap"}:
            return ()
        return (
            KernelDiagnostic(
                kind=reason.code, message=reason.message or reason.code, cells=reason.from_cells, names=reason.names
            ),
        )

    # Graph

    def graph_changed(self, delta: Delta, added: tuple[str, ...] = (), removed: tuple[str, ...] = ()) -> None:
        """Take what a change of the graph means for names, order and readers of the last run."""
        self._off.clear()
        self.edits += 1
        self.shown.unsettle(delta.names)
        for edge in delta.removed:
            reader = self.records.get(edge.to)
            if reader is not None and edge.from_ in self.records and reads_from(reader, edge.from_):
                self.then.setdefault(edge.from_, {})[edge.to] = None
        self.agenda.sort_anew()
        if added or removed or delta.added or delta.removed or delta.blocked or delta.unblocked:
            self.graph_version += 1
            self.events.append(
                GraphChanged(
                    version=self.graph_version,
                    added_cells=added,
                    removed_cells=removed,
                    added_edges=delta.added,
                    removed_edges=delta.removed,
                    cycles=self.graph.cycles,
                )
            )

    def judge(self, delta: Delta, also: Iterable[str] = ()) -> list[str]:
        """Judge the freshness of all cells that a change of the graph may concern."""
        cells = dict.fromkeys(delta.cells & self.records.keys())
        cells.update(dict.fromkeys(delta.blocked | delta.unblocked))
        cells.update(dict.fromkeys(also))
        for cell in list(cells):
            record = self.records[cell]
            cells.update(dict.fromkeys(writer for _, writer in record.spends))
            for name in record.spent:
                cells.update(dict.fromkeys(self.freshness.spenders(cell, name)))
        for name in delta.names:
            for writer in self.graph.writers.get(name, ()):
                if self.records[writer].spent:
                    cells[writer] = None
                    cells.update(dict.fromkeys(self.freshness.spenders(writer, name)))
        return self.freshness.update(cells)

    def let_go(self, name: str, cell: str) -> None:
        """The version is dropped to keep the budget: from now on it counts as spent."""
        self.freshness.spend(cell, name, LET_GO)
        self.shown.drop(name, cell)
        self.forks.pop((name, cell), None)

    def forget_readers(self, record: Record) -> None:
        """The cell runs anew: what it read at its last run no longer counts."""
        for writer in writers_of(record):
            readers = self.then.get(writer)
            if readers is not None:
                readers.pop(record.id, None)
                if not readers:
                    del self.then[writer]

    def off(self, cell: str) -> bool:
        """Whether the cell is disabled or depends on one that is."""
        if not self.disabled or not self.rules.disabled:
            return False
        known = self._off
        work = [cell]
        while work:
            here = work[-1]
            if here in known:
                work.pop()
                continue
            if self.records[here].mode == "disabled":
                known[here] = True
                continue
            known_false = True
            missing = [w for w in self.graph.preds[here] if w not in known and w not in work]
            if missing:
                work.append(missing[0])
                continue
            known_false = not any(known.get(w, False) for w in self.graph.preds[here])
            known[here] = not known_false
        return known[cell]

    def modes_changed(self) -> None:
        self._off.clear()


def reads_from(record: Record, writer: str) -> bool:
    """Whether the last run of the cell consulted this writer."""
    return any(w == writer for c in (*record.inputs.values(), *record.late_inputs.values()) for w, _ in c)


def writers_of(record: Record) -> set[str]:
    """All that the last run of the cell consulted."""
    return {w for c in (*record.inputs.values(), *record.late_inputs.values()) for w, _ in c}


def spenders(record: Record) -> tuple[str, ...]:
    return tuple(sorted({by for found in record.spent.values() for by in found if by}))
