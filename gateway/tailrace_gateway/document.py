"""The pure core of a notebook: a command becomes events and a record, or a typed refusal.

`step` only looks; `commit` makes it so. The caller may step and commit a batch, await the journal for all of it, then
acknowledge and publish in the same order. Must not know sockets, files, threads or the clock.
"""

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from tailrace_gateway.fold import fold
from tailrace_gateway.operations import effect_of
from tailrace_gateway.planning import Lost, Plan, Refused, plan_command
from tailrace_gateway.records import Operation, Record, Replace, StoredCell
from tailrace_gateway.state import NotebookState, patch_of
from tailrace_protocol.commands import DocumentCommand, KernelCommand
from tailrace_protocol.events import Cause, CellUpdated, CommandRedo, CommandUndo, Event
from tailrace_protocol.objects import Cell, Diagnostic

__all__ = ["Applied", "Lost", "Refused", "analysed", "commit", "replace_cells", "replay", "step"]


@dataclass(frozen=True, slots=True)
class Applied:
    """`events` have neither seq nor ts yet; `result` is that of the ack; `record` goes to the journal."""

    events: tuple[Event, ...]
    result: dict[str, Any] | None
    record: Record
    lost: Lost | None = None


def step(
    state: NotebookState, command: DocumentCommand | KernelCommand, client: str, *, run_id: str | None = None
) -> Applied | Refused:
    """What this command of this client would do. Changes nothing; pass the result to `commit`.

    `run_id` is the id that the caller gives to the run of a run command: it becomes `result.runId`.
    Commands of the kernel give a record without operation, except `run_cell` with `code`, which saves it.
    """
    plan = plan_command(state, command, client)
    if isinstance(plan, Refused):
        return plan
    if run_id is not None:
        plan = Plan(plan.operation, (plan.result or {}) | {"runId": run_id})
    return _applied(state, plan, command_id=command.id, client=client, name=str(command.__struct_config__.tag))


def replace_cells(state: NotebookState, cells: tuple[StoredCell, ...], client: str, command_id: str) -> Applied:
    """Import, or the merge of an outside edit: the document becomes `cells`, as one undoable step."""
    return _applied(state, Plan(Replace(cells=cells)), command_id=command_id, client=client, name="import")


def commit(state: NotebookState, applied: Applied) -> None:
    """Make an outcome of `step` part of the state: fold its events, note history, answer and revision."""
    for event in applied.events:
        if isinstance(event, CellUpdated) and (cell := state.cells.get(event.cell_id)):
            _note_texts(state, cell, event, applied.record.client)
        fold(state, event)
    state.history.note(applied.record)
    state.answers.remember(applied.record)
    state.revision = applied.record.revision


def replay(state: NotebookState, record: Record) -> None:
    """Apply a record of the journal again: same document, history and answers as when it was made."""
    events: tuple[Event, ...] = ()
    if record.operation is not None:
        events, _ = effect_of(state, record.operation, None)
    commit(state, Applied(events=events, result=record.result, record=record))


def analysed(
    state: NotebookState,
    cell_id: str,
    version: int,
    *,
    reads: tuple[str, ...],
    writes: tuple[str, ...],
    diagnostics: tuple[Diagnostic, ...] = (),
    outside_effects: tuple[str, ...] | None = None,
) -> CellUpdated | None:
    """The event that the kernel has analysed this version; null when the cell is gone or has a newer version."""
    cell = state.cells.get(cell_id)
    if cell is None or cell.version != version:
        return None
    known = replace(
        cell,
        reads=reads,
        writes=writes,
        diagnostics=diagnostics,
        outside_effects=outside_effects,
        analysed=True,
    )
    return CellUpdated(cell_id=cell_id, cell=patch_of(known))


def _applied(state: NotebookState, plan: Plan, *, command_id: str, client: str, name: str) -> Applied:
    cause = Cause(client=client, id=command_id)
    events: tuple[Event, ...] = ()
    inverse: Operation | None = None
    revision = state.revision
    if plan.operation is not None:
        revision += 1
        events, inverse = effect_of(state, plan.operation, cause)
    elif plan.touches is not None:
        revision += 1
        cell = state.cells[plan.touches]
        events = (CellUpdated(cell_id=cell.id, cell=patch_of(cell), cause=cause),)
    if plan.undoes is not None:
        announce = CommandUndo if plan.kind == "undo" else CommandRedo
        events = (announce(undid=plan.undoes.id, client=client, revision=revision, cause=cause), *events)
    record = Record(
        id=command_id,
        client=client,
        command=name,
        base=state.revision,
        revision=revision,
        operation=plan.operation,
        inverse=inverse,
        kind=plan.kind,
        undoes=plan.undoes.revision if plan.undoes else None,
        result=plan.result,
    )
    return Applied(events=events, result=plan.result, record=record, lost=plan.lost)


def _note_texts(state: NotebookState, cell: Cell, event: CellUpdated, author: str) -> None:
    if cell.code != event.cell.code:
        if state.texts.get(cell.id, cell.version) is None:
            state.texts.note(cell.id, cell.version, cell.code, "")
        state.texts.note(cell.id, event.cell.version, event.cell.code, author)
