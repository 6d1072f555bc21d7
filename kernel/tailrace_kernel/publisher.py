"""What the machine's events become for clients: messages of the run that they belong to, in order.

Knows the outbox and the runs under way; must not know threads, the namespace or how cells are run. Everything here is
called under the conductor's lock.
"""

import time
from collections.abc import Iterable
from typing import assert_never

from tailrace_kernel.outbox import Header, Outbox
from tailrace_kernel.runs import Change, Run
from tailrace_kernel.stimuli import (
    CellDropped,
    CellSkipped,
    Event,
    GraphChanged,
    RunFinished,
    RunStarted,
    StatusChanged,
    UpstreamFailed,
    VariablesChanged,
)
from tailrace_protocol.kernel_messages import GraphChanged as GraphChangedContent
from tailrace_protocol.kernel_messages import KernelReason, RunFinishedContent, RunStartedContent

Untold = GraphChanged | RunStarted | RunFinished | CellSkipped | UpstreamFailed | CellDropped  # told one by one


class Publisher:
    """`runs` is the conductor's table; a run that ends is taken out of it and waits in `ended` for being told so."""

    def __init__(self, outbox: Outbox, runs: dict[str, Run]) -> None:
        self.ended: list[Run] = []
        self._outbox = outbox
        self._runs = runs

    def publish(self, events: Iterable[Event], header: Header, change: Change | None) -> None:
        """Statuses and variables of one parent are told together; whatever else happens keeps its place among them."""
        changes: list[StatusChanged] = []
        variables: dict[str, bool] = {}
        gathered = header  # what `changes` and `variables` belong to
        runs = self._runs
        for event in events:
            if isinstance(event, StatusChanged):
                run = runs.get(event.run_id or "")
                parent = header if run is None else run.header
                if parent is not gathered:
                    self._tell_gathered(changes, variables, gathered)
                    gathered = parent
                changes.append(event)
                if change is not None and event.status == "stale":
                    change.stale.append(event.cell_id)
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

    def _tell_gathered(self, changes: list[StatusChanged], variables: dict[str, bool], parent: Header) -> None:
        if changes or variables:
            self._outbox.gather(changes, variables, parent)
            changes.clear()
            variables.clear()

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
        self.ended.append(run)
