"""What an operation does to a document: its events, and the operation that takes it back. Pure: looks only."""

from typing import Any, assert_never

from msgspec import UNSET
from msgspec.structs import replace

from tailrace_gateway.records import (
    CHANGE_FIELDS,
    Change,
    Configure,
    Insert,
    Move,
    Operation,
    Remove,
    Replace,
    Rewrite,
    StoredCell,
)
from tailrace_gateway.sql_header import parse_header
from tailrace_gateway.state import NotebookState, new_cell, patch_of
from tailrace_protocol.events import Cause, CellCreated, CellDeleted, CellMoved, CellUpdated, Event, NotebookUpdated
from tailrace_protocol.objects import Cell

Effect = tuple[tuple[Event, ...], Operation]


def effect_of(state: NotebookState, operation: Operation, cause: Cause | None) -> Effect:
    """Events of this operation and its inverse. The cells it names must be there."""
    match operation:
        case Insert(cell=stored):
            index = position(state.order, operation.after, operation.index)
            created = CellCreated(
                cell_id=stored.id, cell=new_cell(stored), index=index, after_cell_id=state.before(index), cause=cause
            )
            return (created,), Remove(cell_id=stored.id)
        case Remove(cell_id=cell_id):
            index = state.index(cell_id)
            stored = StoredCell.of(state.cells[cell_id])
            back = Insert(cell=replace(stored, version=stored.version + 1), index=index, after=state.before(index))
            return (CellDeleted(cell_id=cell_id, cause=cause),), back
        case Move():
            return _effect_of_move(state, operation, cause)
        case Change():
            cell = state.cells[operation.cell_id]
            updated = CellUpdated(cell_id=cell.id, cell=patch_of(changed(cell, operation)), cause=cause)
            return (updated,), former(cell, operation)
        case Rewrite(changes=changes):
            parts = [effect_of(state, change, cause) for change in changes]
            events = tuple(event for part, _ in parts for event in part)
            return events, Rewrite(changes=tuple(former(state.cells[change.cell_id], change) for change in changes))
        case Configure(name=name, settings=settings):
            back_to = Configure(name=state.info.name, settings=state.info.settings)
            return (NotebookUpdated(name=name, settings=settings, cause=cause),), back_to
        case Replace(cells=cells):
            return _effect_of_replace(state, cells, cause)
        case _:
            assert_never(operation)


def position(order: list[str], after: str | None, index: int) -> int:
    """Index of a place after this cell (null = top); `index`, within bounds, when that cell is not there."""
    if after is None:
        return 0
    return order.index(after) + 1 if after in order else min(index, len(order))


def changed(cell: Cell, change: Change) -> Cell:
    """The cell with the new values; new code is a new version that nobody has analysed yet."""
    values = fields(change)
    if values.get("code", cell.code) != cell.code:
        values |= {"version": cell.version + 1, "analysed": False}
    if values.get("type", cell.type) != cell.type:
        values |= {"analysed": False, "outside_effects": None}
    if "mode" in values and (values["mode"] == "disabled") != (cell.mode == "disabled"):
        values["status"] = "disabled" if values["mode"] == "disabled" else "idle"
        values["reason"] = None
    cell = replace(cell, **values)
    header = parse_header(cell.code) if cell.type == "sql" else None
    return replace(
        cell,
        connection=header.connection if header else None,
        result=header.result if header else None,
        analysed=cell.analysed or cell.type == "markdown",
    )


def fields(change: Change) -> dict[str, Any]:
    """The fields that this change sets."""
    return {name: value for name in CHANGE_FIELDS if (value := getattr(change, name)) is not UNSET}


def former(cell: Cell, change: Change) -> Change:
    """The change that gives the cell's present values back."""
    return Change(cell_id=cell.id, **{name: getattr(cell, name) for name in fields(change)})


def _effect_of_move(state: NotebookState, move: Move, cause: Cause | None) -> Effect:
    old = state.index(move.cell_id)
    others = [cell_id for cell_id in state.order if cell_id != move.cell_id]
    index = position(others, move.after, move.index)
    after = others[index - 1] if index > 0 else None
    moved = CellMoved(cell_id=move.cell_id, index=index, after_cell_id=after, cause=cause)
    return (moved,), Move(cell_id=move.cell_id, index=old, after=state.before(old))


def _effect_of_replace(state: NotebookState, cells: tuple[StoredCell, ...], cause: Cause | None) -> Effect:
    """Deletions, then each cell in order: created, changed or moved where it differs."""
    wanted = {stored.id for stored in cells}
    events: list[Event] = [
        CellDeleted(cell_id=cell_id, cause=cause) for cell_id in state.order if cell_id not in wanted
    ]
    order = [cell_id for cell_id in state.order if cell_id in wanted]
    for index, stored in enumerate(cells):
        after = order[index - 1] if index else None
        if stored.id not in state.cells:
            created = new_cell(stored)
            events.append(CellCreated(cell_id=stored.id, cell=created, index=index, after_cell_id=after, cause=cause))
            order.insert(index, stored.id)
            continue
        cell = state.cells[stored.id]
        new = changed(cell, _difference(cell, stored))
        if new != cell:
            events.append(CellUpdated(cell_id=cell.id, cell=patch_of(new), cause=cause))
        if order[index] != stored.id:
            order.remove(stored.id)
            order.insert(index, stored.id)
            events.append(CellMoved(cell_id=stored.id, index=index, after_cell_id=after, cause=cause))
    back = tuple(
        stored if stored.id in wanted else replace(stored, version=stored.version + 1) for stored in state.stored()
    )
    return tuple(events), Replace(cells=back)


def _difference(cell: Cell, stored: StoredCell) -> Change:
    values = {name: getattr(stored, name) for name in CHANGE_FIELDS if getattr(stored, name) != getattr(cell, name)}
    return Change(cell_id=cell.id, **values)
