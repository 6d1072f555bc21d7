"""What a notebook loses with its kernel: runs, values, turns. Outputs stay. Knows statuses and runs, no kernel."""

from collections.abc import Callable
from typing import Any

from tailrace_gateway.runs import Runs
from tailrace_gateway.state import NotebookState
from tailrace_protocol.events import CellStatus, Event
from tailrace_protocol.objects import Reason

RAN = frozenset({"success", "error", "interrupted", "running", "queued", "stale"})
RUNNABLE = RAN | {"idle"}
OLDER = frozenset({"kernel_restarted", "not_run_here"})  # why outputs shown are of no run in this kernel


class Losses:
    def __init__(self, state: NotebookState, publish: Callable[[Event], Any], runs: Runs):
        self._state = state
        self._publish = publish
        self._runs = runs

    def tell(self) -> None:
        """The kernel is gone: its runs are lost, and the cells that ran or waited did not come to an end."""
        cut = self._cut_cell()
        for lost in self._runs.lose():
            self._publish(lost)
        for cell_id in self._state.order:
            status = self._state.cells[cell_id].status
            if cell_id == cut:
                reason = Reason(code="interrupted", message="The kernel ended while the cell ran.")
                self._publish(CellStatus(cell_id=cell_id, status="interrupted", reason=reason))
            elif status == "queued":
                reason = Reason(code="dropped", message="The kernel ended before the cell ran.")
                self._publish(CellStatus(cell_id=cell_id, status="stale", reason=reason))

    def _cut_cell(self) -> str | None:
        """The cell that ran when the kernel went; its `running` may have gone with the kernel."""
        cells = self._state.cells
        for cell_id in self._state.order:
            if cells[cell_id].status == "running":
                return cell_id
        return next((one for one in self._runs.unfinished() if one in cells and cells[one].status in RUNNABLE), None)

    def mark_all(self) -> None:
        """What cells computed is in no kernel any more; their outputs stay."""
        for cell_id in self._state.order:
            self._mark(cell_id)

    def _mark(self, cell_id: str) -> None:
        cell = self._state.cells[cell_id]
        told = cell.status == "stale" and cell.reason is not None and cell.reason.code in OLDER
        if cell.type == "markdown" or told:
            return
        if cell.status in RAN or (cell.status == "idle" and self._state.outputs.outputs(cell_id)):
            message = "The kernel is new: values are gone, the outputs shown are from before."
            reason = Reason(code="kernel_restarted", message=message)
            self._publish(CellStatus(cell_id=cell_id, status="stale", reason=reason))
