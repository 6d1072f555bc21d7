"""What a request would run, found without running anything and without changing the machine."""

from tailrace_kernel.agenda import Entry, Run
from tailrace_kernel.gather import Gather
from tailrace_kernel.state import State
from tailrace_kernel.stimuli import Plan
from tailrace_protocol.kernel_messages import KernelReason
from tailrace_protocol.objects import RunMode


class Trial(State):
    """The machine's state behind glass: shares graph and records, shows nothing, has its own pending set."""

    def __init__(self, state: State) -> None:
        super().__init__(state.rules)
        self.graph, self.records, self.freshness = state.graph, state.records, state.freshness
        self.then, self.lazy, self.disabled = state.then, state.lazy, state.disabled

    def show(self, *_args: object, **_named: object) -> None:
        return

    def refresh(self, *_args: object, **_named: object) -> None:
        return


class TrialGather(Gather):
    def hold(self, *_args: object) -> None:
        return


def plan_of(state: State, named: tuple[str, ...], mode: RunMode) -> Plan:
    trial = Trial(state)
    run = Run("plan", mode, named)
    follow = mode != "single" and not state.lazy
    TrialGather(trial).name(run, named, reason=KernelReason(code="requested"), follow=follow)
    entries = trial.agenda.entries
    graph = state.graph
    order = tuple(sorted((c for c in entries if c not in graph.blocked), key=graph.rank))
    known = [state.records[cell].seconds for cell in order]
    seconds = [s for s in known if s is not None]
    return Plan(
        order=order,
        levels=levels(state, order),
        reasons={cell: without_request(entries[cell]) for cell in order},
        expected_seconds=sum(seconds) if seconds and len(seconds) == len(known) else None,
    )


def levels(state: State, order: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Groups of cells that need nothing of each other, in the order they could start."""
    depth: dict[str, int] = {}
    found: list[list[str]] = []
    for cell in order:
        depth[cell] = 1 + max((depth[w] for w in state.graph.preds[cell] if w in depth), default=-1)
        if depth[cell] == len(found):
            found.append([])
        found[depth[cell]].append(cell)
    return tuple(tuple(group) for group in found)


def without_request(entry: Entry) -> KernelReason:
    reason = entry.reason
    return KernelReason(code=reason.code, names=reason.names, from_cells=reason.from_cells, message=reason.message)
