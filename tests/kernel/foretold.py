"""The plan told before a run, compared with what the run then does."""

from collections.abc import Sequence

from tailrace_kernel.stimuli import CellSkipped, Event, StatusChanged, UpstreamFailed
from tailrace_protocol.objects import RunMode
from tests.kernel.dataflow import Notebook


class Foretold:
    """Made just before the request. Where the run finds out nothing new, it must do what the plan says and no more."""

    def __init__(self, notebook: Notebook, cells: tuple[str, ...], mode: RunMode) -> None:
        self.notebook = notebook
        self.plan = notebook.scheduler.plan(cells, mode)
        self._known = self._what_runs_find_out()
        self._events = len(notebook.events)

    def _what_runs_find_out(self) -> object:
        """What a plan takes to be as the last runs left it: paths taken, sharing, who works on copies, imports."""
        state = self.notebook.scheduler.state
        return (
            dict(state.graph.learned),
            dict(state.graph.taken),
            {cell: (r.passed, r.unbound, r.outcome) for cell, r in state.records.items()},
            {version: frozenset(cells) for version, cells in state.forks.items()},
            {cell: frozenset(r.spends) for cell, r in state.records.items()},
        )

    def surprised(self) -> bool:
        """Whether the run found out what the plan could not know.

        Who failed among the writers of a cell is looked at in its turn. Whether a run keeps the original of a copy
        shows when it ends. A notebook without an order in which it comes to rest ends at the cap.
        """
        if any(
            isinstance(event, UpstreamFailed) or _capped(event) or _recalled(event)
            for event in self.notebook.events[self._events :]
        ):
            return True
        same_object_again = any(r.kept for r in self.notebook.scheduler.state.records.values())
        return same_object_again or self._what_runs_find_out() != self._known

    def _reads_from_below(self) -> bool:
        """Then two cells may use up what a third one gives, each before the other: that one runs twice, told once."""
        graph = self.notebook.scheduler.state.graph
        at = graph.places.at
        return any(at[w] > at[cell] for cell, bound in graph.bound.items() for ws in bound.values() for w in ws)

    def differs(self, executed: Sequence[str]) -> str | None:
        """What the run did otherwise than told, in words."""
        events = self.notebook.events[self._events :]
        left_out = set(self.plan.order) - set(executed) - {c for e in events if (c := _not_run(e)) is not None}
        if left_out:
            return f"planned, and neither run nor said why not: {sorted(left_out)}"
        if self.surprised():
            return None
        fresh = {e.cell_id for e in events if isinstance(e, CellSkipped) and e.reason.code == "fresh"}
        planned = [cell for cell in self.plan.order if cell not in fresh]
        if list(executed) != planned:
            once = self._reads_from_below() and set(executed) == set(planned)
            return None if once else f"planned {planned}, run {list(executed)}"
        again = {e.cell_id for e in events if isinstance(e, StatusChanged) and _runs_again(e)}
        if again != set(self.plan.made_again):
            return f"planned to make again {self.plan.made_again}, made again {sorted(again)}"
        return None


def _not_run(event: Event) -> str | None:
    return event.cell_id if isinstance(event, CellSkipped | UpstreamFailed) else None


def _runs_again(event: StatusChanged) -> bool:
    return event.status == "running" and event.reason is not None and event.reason.code == "made_again"


def _capped(event: Event) -> bool:
    return isinstance(event, CellSkipped) and event.reason.code == "run_cap"


def _recalled(event: Event) -> bool:
    return (
        isinstance(event, StatusChanged) and _runs_again(event) and event.reason is not None and not event.reason.names
    )
