"""What a command asks of the document: one operation, nothing new, or a refusal. Pure: looks only."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from msgspec import UNSET

from tailrace_gateway.merge import merge
from tailrace_gateway.operations import changed, position
from tailrace_gateway.records import Change, Configure, Insert, Move, Operation, Remove, Rewrite, Step, StoredCell
from tailrace_gateway.sql_header import edit_header
from tailrace_gateway.state import NotebookState, bytes_of
from tailrace_gateway.undo import take_back
from tailrace_protocol import code_hash
from tailrace_protocol.commands import (
    CellUpdate,
    CreateCell,
    DeleteCell,
    DocumentCommand,
    Interrupt,
    KernelCommand,
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
from tailrace_protocol.errors import ErrorCode
from tailrace_protocol.events import Conflict
from tailrace_protocol.limits import MAX_CELLS, MAX_CODE
from tailrace_protocol.objects import Cell, Settings

MAX_DOCUMENT = 32 * 2**20  # bytes of code in one notebook: half of what a file may have


@dataclass(frozen=True, slots=True)
class Lost:
    """Text of `client` was overwritten by a later writer: `frame` goes to that client only."""

    client: str
    frame: Conflict


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changed. `code`, `message`, `details` are those of the `error` frame."""

    code: ErrorCode
    message: str
    details: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command comes to: one operation, or none when everything is already so."""

    operation: Operation | None
    result: dict[str, Any] | None = None
    lost: Lost | None = None
    kind: Literal["do", "undo", "redo"] = "do"
    undoes: Step | None = None
    touches: str | None = None  # cell whose present state is told again when there is no operation


def plan_command(state: NotebookState, command: DocumentCommand | KernelCommand, client: str) -> Plan | Refused:
    match command:
        case CreateCell():
            return _plan_create(state, command, client)
        case CellUpdate():
            return _plan_update(state, command, client)
        case UpdateCells():
            return _plan_updates(state, command, client)
        case DeleteCell():
            return _plan_delete(state, command)
        case MoveCell():
            return _plan_move(state, command)
        case SetCell():
            return _plan_set(state, command)
        case SetNotebook():
            return _plan_configure(state, command)
        case RunCell():
            return _plan_run(state, command)
        case Undo() | Redo():
            return _plan_undo(state, client, redo=isinstance(command, Redo))
        case RunAll() | RunStale() | Interrupt() | RestartKernel() | UpdateDbConnection() | Save():
            return Plan(None)
        case _:
            assert_never(command)


def _plan_create(state: NotebookState, command: CreateCell, client: str) -> Plan | Refused:
    if len(state.order) >= MAX_CELLS:
        return Refused(ErrorCode.TOO_MANY, f"A notebook may hold {MAX_CELLS} cells. Delete some, or start another one.")
    code = lines_of(command.code)
    if refused := _too_large(state, code):
        return refused
    count = len(state.order)
    if command.after_cell_id is not UNSET:
        index = position(state.order, command.after_cell_id, count)
    elif command.index is None:
        index = count
    elif command.index <= count:
        index = command.index
    else:
        return Refused(
            ErrorCode.BAD_POSITION,
            f"Index {command.index} is beyond the end: the notebook has {count} cells. Leave it out to append.",
            {"cells": count},
        )
    cell_id = new_id(state, client, command.id)
    operation = Insert(
        cell=StoredCell(id=cell_id, type=command.cell_type, code=code), index=index, after=state.before(index)
    )
    return Plan(operation, {"cellId": cell_id, "index": index})


def _plan_update(state: NotebookState, command: CellUpdate, client: str) -> Plan | Refused:
    cell = state.cells.get(command.cell_id)
    if cell is None:
        return unknown_cell(command.cell_id)
    code, lost = lines_of(command.code), None
    if refused := _too_large(state, code, cell.code):
        return refused
    result: dict[str, Any] = {}
    if command.base_version is not None and command.base_version < cell.version:
        author = state.texts.author_since(cell.id, command.base_version, client)
        if author is not None:
            base = state.texts.get(cell.id, command.base_version)
            merged = merge(base.code, cell.code, code) if base else None
            if merged is None:
                lost = _lost(cell, code, base.code if base else "", author)
            else:
                code = merged
                result["merged"] = True
    if code == cell.code:
        return Plan(None, result | {"version": cell.version}, touches=cell.id)
    return Plan(Change(cell_id=cell.id, code=code), result | {"version": cell.version + 1}, lost)


def _plan_updates(state: NotebookState, command: UpdateCells, client: str) -> Plan | Refused:
    """Every text as `cell_update` would take it; the first one that cannot be refuses all."""
    if len({text.cell_id for text in command.cells}) < len(command.cells):
        return Refused(ErrorCode.BAD_FIELD, "Name every cell once.", {"field": "cells", "want": "different cells"})
    changes: list[Change] = []
    growth = 0
    for text in command.cells:
        one = CellUpdate(id=command.id, cell_id=text.cell_id, code=text.code, base_version=text.base_version)
        plan = _plan_update(state, one, client)
        if isinstance(plan, Refused):
            return plan
        if plan.lost is not None:
            return Refused(
                ErrorCode.STALE_CODE,
                f"Somebody changed the same place of cell {text.cell_id} meanwhile. Nothing was changed: look, and try "
                "again.",
                {"cellId": text.cell_id, "version": state.cells[text.cell_id].version},
            )
        if isinstance(plan.operation, Change):
            changes.append(plan.operation)
            growth += bytes_of(str(plan.operation.code)) - bytes_of(state.cells[text.cell_id].code)
    if growth > 0 and state.size + growth > MAX_DOCUMENT:
        return _document_full()
    versions = {text.cell_id: state.cells[text.cell_id].version for text in command.cells}
    versions |= {change.cell_id: versions[change.cell_id] + 1 for change in changes}
    return Plan(Rewrite(changes=tuple(changes)) if changes else None, {"versions": versions})


def _lost(cell: Cell, code: str, base: str, author: str) -> Lost:
    frame = Conflict(cell_id=cell.id, yours=cell.code, theirs=code, base=base, version=cell.version + 1)
    return Lost(client=author, frame=frame)


def _plan_delete(state: NotebookState, command: DeleteCell) -> Plan | Refused:
    cell = state.cells.get(command.cell_id)
    if cell is None:
        return unknown_cell(command.cell_id)
    if len(state.order) > 1:
        return Plan(Remove(cell_id=cell.id))
    if cell.code == "":
        return Plan(None, {"cleared": True}, touches=cell.id)
    return Plan(Change(cell_id=cell.id, code=""), {"cleared": True})


def _plan_move(state: NotebookState, command: MoveCell) -> Plan | Refused:
    if command.cell_id not in state.cells:
        return unknown_cell(command.cell_id)
    after = command.after_cell_id
    if after == command.cell_id or (after is not None and after not in state.cells):
        return Refused(
            ErrorCode.BAD_POSITION,
            f"Cell {command.cell_id!r} cannot go after {after!r}: name another cell, or null for the top.",
        )
    old = state.index(command.cell_id)
    index = 0 if after is None else state.index(after) + 1
    index -= index > old
    return Plan(Move(cell_id=command.cell_id, index=index, after=after), {"index": index})


def _plan_set(state: NotebookState, command: SetCell) -> Plan | Refused:
    cell = state.cells.get(command.cell_id)
    if cell is None:
        return unknown_cell(command.cell_id)
    values: dict[str, Any] = {"type": command.cell_type, "mode": command.mode, "execution": command.execution}
    values = {name: value for name, value in values.items() if value is not None}
    if command.name is not None:
        values["name"] = command.name or None
    if command.connection is not None or command.result is not None:
        if values.get("type", cell.type) != "sql":
            return Refused(
                ErrorCode.BAD_FIELD,
                "Only a SQL cell has a connection and a result name. Set cellType to sql first.",
                {"field": "connection" if command.connection else "result", "want": "a SQL cell"},
            )
        values["code"] = edit_header(cell.code, connection=command.connection, result=command.result)
        if refused := _too_large(state, values["code"], cell.code):
            return refused
    values = {name: value for name, value in values.items() if value != getattr(cell, name)}
    if not values:
        return Plan(None, {"version": cell.version}, touches=cell.id)
    change = Change(cell_id=cell.id, **values)
    return Plan(change, {"version": changed(cell, change).version})


def _plan_configure(state: NotebookState, command: SetNotebook) -> Plan:
    old = state.info.settings
    settings = Settings(
        auto_run=old.auto_run if command.auto_run is None else command.auto_run,
        lazy=old.lazy if command.lazy is None else command.lazy,
        cutoff=old.cutoff if command.cutoff is None else command.cutoff,
        frames=old.frames if command.frames is None else command.frames,
        early_queries=old.early_queries if command.early_queries is None else command.early_queries,
    )
    return Plan(Configure(name=command.name or state.info.name, settings=settings))


def _plan_run(state: NotebookState, command: RunCell) -> Plan | Refused:
    cell = state.cells.get(command.cell_id)
    if cell is None:
        return unknown_cell(command.cell_id)
    code = cell.code if command.code is None else lines_of(command.code)
    if refused := _too_large(state, code, cell.code):
        return refused
    if command.code_hash is not None and command.code_hash != code_hash(code):
        return Refused(
            ErrorCode.STALE_CODE,
            f"Cell {cell.id!r} holds other code than you want to run. Take its newest version, or send the code.",
            {"version": cell.version, "codeHash": code_hash(cell.code)},
        )
    return Plan(Change(cell_id=cell.id, code=code) if code != cell.code else None)


def _plan_undo(state: NotebookState, client: str, *, redo: bool) -> Plan | Refused:
    target = state.history.last_undone(client) if redo else state.history.last(client)
    word = "redo" if redo else "undo"
    if target is None:
        return Refused(ErrorCode.NOTHING_TO_UNDO, f"There is nothing of yours to {word} in this notebook.")
    outcome = take_back(state, target)
    if isinstance(outcome, list):
        return Refused(
            ErrorCode.UNDO_CONFLICT,
            f"Somebody changed the same place since: {word} would take their work away. Edit the cell instead.",
            {"changes": outcome},
        )
    kind: Literal["undo", "redo"] = "redo" if redo else "undo"
    return Plan(outcome, {"undid": target.id}, kind=kind, undoes=target)


def unknown_cell(cell_id: str) -> Refused:
    message = f"There is no cell {cell_id!r} in this notebook. Somebody may have deleted it; reload to see the cells."
    return Refused(ErrorCode.UNKNOWN_CELL, message, {"cellId": cell_id})


def lines_of(code: str) -> str:
    """Code with the line ends that a document has: `\\n`."""
    return code.replace("\r\n", "\n").replace("\r", "\n") if "\r" in code else code


def new_id(state: NotebookState, client: str, command_id: str) -> str:
    """A cell id that this notebook does not have, made of the command: replaying the command gives it again."""
    for attempt in range(1_000):
        seed = f"{client}\0{command_id}\0{state.revision}\0{attempt}"
        cell_id = hashlib.sha256(seed.encode()).hexdigest()[:8]
        if cell_id not in state.cells:
            return cell_id
    raise AssertionError("no free cell id in 1,000 attempts")


def _too_large(state: NotebookState, code: str, former: str = "") -> Refused | None:
    """Is this code, in the place of the former one, more than a cell or a notebook may hold?"""
    size = bytes_of(code)
    if size > MAX_CODE:
        message = f"A cell may hold {MAX_CODE} bytes; this one has {size}. Move data into a file and read it."
        return Refused(ErrorCode.TOO_LARGE, message)
    growth = size - bytes_of(former)
    if growth > 0 and state.size + growth > MAX_DOCUMENT:
        return _document_full()
    return None


def _document_full() -> Refused:
    message = f"A notebook may hold {MAX_DOCUMENT} bytes of code. Move data into files, or start another notebook."
    return Refused(ErrorCode.TOO_LARGE, message)
