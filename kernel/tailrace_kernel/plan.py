"""What a request would run, found without running anything and without changing the machine."""

from tailrace_kernel.agenda import Agenda, Entry, Run
from tailrace_kernel.facts import NOTHING
from tailrace_kernel.gather import Gather
from tailrace_kernel.state import State
from tailrace_kernel.stimuli import Plan
from tailrace_protocol.kernel_messages import KernelReason
from tailrace_protocol.objects import RunMode


class TrialAgenda(Agenda):
    """Nobody asks it for its first cell."""

    def add(self, cell: str, entry: Entry) -> None:
        self.entries[cell] = entry


class Trial(State):
    """The machine's state behind glass: shares graph and records, shows nothing, has its own pending set."""

    def __init__(self, state: State) -> None:
        super().__init__(state.rules)
        self.agenda = TrialAgenda(state.graph.rank)
        self.graph, self.records, self.freshness = state.graph, state.records, state.freshness
        self.then, self.lazy, self.disabled = state.then, state.lazy, state.disabled

    def show(self, *_args: object, **_named: object) -> None:
        return

    def refresh(self, *_args: object, **_named: object) -> None:
        return


class TrialGather(Gather):
    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.refused: set[str] = set()  # cells that need what may not run

    def hold(self, *_args: object) -> None:
        return

    def pull(self, cell: str, name: str, reader: str, entry: Entry) -> KernelReason | None:
        refusal = super().pull(cell, name, reader, entry)
        if refusal is not None and name not in self._state.graph.possible.get(reader, NOTHING):
            self.refused.add(reader)
        return refusal


def plan_of(state: State, named: tuple[str, ...], mode: RunMode) -> Plan:
    trial = Trial(state)
    run = Run("plan", mode, named)
    follow = mode != "single" and not state.lazy
    gather = TrialGather(trial)
    gather.name(run, named, reason=KernelReason(code="requested"), follow=follow)
    entries = trial.agenda.entries
    graph = state.graph
    order = tuple(graph.ranked(entries.keys() - graph.blocked if graph.blocked else entries))
    if gather.refused:
        order = able(state, order, gather.refused)
    records = state.records
    seconds = {cell: took for cell in order if (took := records[cell].seconds) is not None}
    again = tuple(cell for cell in order if entries[cell].reason.code == "made_again")
    return Plan(
        order=order,
        levels=levels(state, order),
        reasons={cell: without_request(entries[cell]) for cell in order},
        expected_seconds=total(order, seconds),
        seconds=seconds,
        made_again=again,
        made_again_seconds=total(again, seconds),
    )


def able(state: State, order: tuple[str, ...], refused: set[str]) -> tuple[str, ...]:
    """Without the refused cells and those that need one of them, having no version of it to go on with."""
    stuck: set[str] = set()
    for cell in order:
        if cell in refused or any(needed(state, cell, name) in stuck for name in state.graph.bound[cell]):
            stuck.add(cell)
    return tuple(cell for cell in order if cell not in stuck)


def needed(state: State, cell: str, name: str) -> str | None:
    """The writer that must run before `cell` can have this name."""
    if name in state.graph.possible.get(cell, NOTHING):
        return None
    for writer in state.graph.bound[cell][name]:
        record = state.records[writer]
        if not record.gives(name) or name in record.spent:
            return writer
        if name not in record.passed:
            return None
    return None


def total(cells: tuple[str, ...], seconds: dict[str, float]) -> float | None:
    """None when one of them has never run, or there are none."""
    if not cells or any(cell not in seconds for cell in cells):
        return None
    return sum(seconds[cell] for cell in cells)


def levels(state: State, order: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Groups of cells that need nothing of each other, in the order they could start."""
    depth: dict[str, int] = {}
    found: list[list[str]] = []
    preds = state.graph.preds
    for cell in order:
        here = 0
        for writer in preds[cell]:
            above = depth.get(writer, -1)
            if above >= here:
                here = above + 1
        depth[cell] = here
        if here == len(found):
            found.append([])
        found[here].append(cell)
    return tuple(tuple(group) for group in found)


def without_request(entry: Entry) -> KernelReason:
    reason = entry.reason
    return KernelReason(code=reason.code, names=reason.names, from_cells=reason.from_cells, message=reason.message)
