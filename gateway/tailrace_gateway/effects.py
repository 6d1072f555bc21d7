"""What a command that everybody has been told of makes the kernel and the file do.

Knows the rooms that do it; must not know clients, the journal, or how a command changes the document.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from tailrace_gateway.document import Applied
from tailrace_gateway.execution import Execution
from tailrace_gateway.kernel_life import KernelLife
from tailrace_gateway.pending import Pending, PendingTable
from tailrace_gateway.saving import Saving
from tailrace_protocol.commands import (
    CellUpdate,
    CreateCell,
    DeleteCell,
    Interrupt,
    MoveCell,
    Redo,
    RestartKernel,
    RunAll,
    RunCell,
    RunStale,
    Save,
    SetCell,
    SetNotebook,
    Undo,
    UpdateCells,
    UpdateDbConnection,
)
from tailrace_protocol.objects import RunMode

Effectful = (
    CreateCell | CellUpdate | UpdateCells | DeleteCell | MoveCell | SetCell | SetNotebook | Undo | Redo
    | RunCell | RunAll | RunStale | Interrupt | RestartKernel | UpdateDbConnection | Save
)  # fmt: skip


class Effects:
    def __init__(self, execution: Execution, life: KernelLife, saving: Saving, pendings: PendingTable) -> None:
        self._execution = execution
        self._life = life
        self._saving = saving
        self._pendings = pendings

    def check(self, command: Effectful) -> None:
        """Refuse before anything is written what the kernel cannot take now. Raises TailraceError."""
        match command:
            case RunCell() | RunAll() | RunStale() | UpdateDbConnection():
                self._life.check_running()
            case RestartKernel():
                self._life.check_restart()
            case Interrupt(run_id=run_id):
                self._execution.check_interrupt(run_id)

    def ahead(self, command: Effectful, run_id: str) -> Callable[[], None] | None:
        """What may be done as soon as a command that changes no document is written: its run need not wait for the
        disk, only what is told of it must. Null when there is nothing of the kind."""
        match command:
            case RunCell() | RunAll() | RunStale():
                return partial(self._execution.ask_ahead, *self._asked(command), run_id)
            case _:
                return None

    def _asked(self, command: RunCell | RunAll | RunStale) -> tuple[tuple[str, ...], RunMode]:
        match command:
            case RunCell(cell_id=cell_id):
                return (cell_id,), "reactive"
            case RunAll():
                return (), "all"
            case RunStale():
                return self._execution.stale_cells()

    def perform(self, command: Effectful, applied: Applied, pending: Pending, run_id: str) -> None:
        """Raises TailraceError; `run_id` is that of a run that begins here, else empty."""
        execution = self._execution
        if isinstance(command, SetCell) and command.mode is not None:
            execution.lift_outside_effects(command.cell_id, allowed=command.mode == "auto")
        cleared = bool(applied.result and applied.result.get("cleared"))
        execution.take(applied.events, pending, cleared=cleared)
        match command:
            case RunCell() | RunAll() | RunStale():
                execution.run(pending, *self._asked(command), run_id)
            case Interrupt(run_id=target):
                execution.interrupt(target)
            case RestartKernel():
                execution.restart(pending, command, run_id)
            case UpdateDbConnection():
                execution.connect(pending, command)
            case Save():
                self._saving.touch()
                self._pendings.wait(pending, "saved")
                asyncio.ensure_future(self._saving.write())  # noqa: RUF006  its outcome comes through the inbox
