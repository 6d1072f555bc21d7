"""Taking a step back without silently taking back somebody else's later work. Pure.

A step can be taken back when the document still shows what the step did; a text that others edited since is
merged when their edits are elsewhere in it. Else the answer says what would be lost.
"""

from typing import Any, assert_never

from msgspec.structs import replace

from tailrace_gateway.merge import merge
from tailrace_gateway.operations import fields
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
    Step,
    StoredCell,
)
from tailrace_gateway.state import NotebookState

Loss = dict[str, Any]  # {cellId?, field, now?, wouldBe?}: one entry of `details.changes`


def take_back(state: NotebookState, step: Step) -> Operation | list[Loss]:
    """The operation that takes this step back now, or what it would take away from others."""
    match step.inverse:
        case Remove(cell_id=cell_id):
            return _remove(state, cell_id, step.operation)
        case Insert(cell=stored):
            # Somebody may have brought the same cell back already, by an import.
            return [{"cellId": stored.id, "field": "cell"}] if stored.id in state.cells else step.inverse
        case Move(cell_id=cell_id):
            return _move(state, cell_id, step)
        case Change():
            assert isinstance(step.operation, Change)
            return _change(state, step.operation, step.inverse)
        case Rewrite():
            assert isinstance(step.operation, Rewrite)
            return _rewrite(state, step.operation, step.inverse)
        case Configure():
            same = step.operation == Configure(name=state.info.name, settings=state.info.settings)
            return step.inverse if same else [{"field": "settings"}]
        case Replace():
            return _replace(state, step)
        case _:
            assert_never(step.inverse)


def _remove(state: NotebookState, cell_id: str, operation: Operation) -> Operation | list[Loss]:
    if cell_id not in state.cells:
        return [{"cellId": cell_id, "field": "cell"}]
    assert isinstance(operation, Insert)
    now = StoredCell.of(state.cells[cell_id])
    losses = [
        {"cellId": cell_id, "field": name, "now": getattr(now, name)}
        for name in CHANGE_FIELDS
        if getattr(now, name) != getattr(operation.cell, name)
    ]
    if losses:
        return losses
    return Remove(cell_id=cell_id) if len(state.order) > 1 else Change(cell_id=cell_id, code="")


def _move(state: NotebookState, cell_id: str, step: Step) -> Operation | list[Loss]:
    if cell_id not in state.cells:
        return [{"cellId": cell_id, "field": "cell"}]
    for later in state.history.since(step.revision):
        if later.client != step.client and isinstance(later.operation, Move) and later.operation.cell_id == cell_id:
            return [{"cellId": cell_id, "field": "position"}]
    return step.inverse


def _change(state: NotebookState, done: Change, inverse: Change) -> Change | list[Loss]:
    if done.cell_id not in state.cells:
        return [{"cellId": done.cell_id, "field": "cell"}]
    cell = state.cells[done.cell_id]
    back = fields(inverse)
    losses: list[Loss] = []
    for name, value in fields(done).items():
        now = getattr(cell, name)
        if now == value:
            continue
        merged = merge(value, now, back[name]) if name == "code" else None
        if merged is None:
            losses.append({"cellId": cell.id, "field": name, "now": now, "wouldBe": back[name]})
        else:
            back[name] = merged
    return losses or Change(cell_id=cell.id, **back)


def _rewrite(state: NotebookState, done: Rewrite, inverse: Rewrite) -> Operation | list[Loss]:
    """All of it or nothing, as it was done."""
    changes: list[Change] = []
    losses: list[Loss] = []
    for change, back in zip(done.changes, inverse.changes, strict=True):
        outcome = _change(state, change, back)
        if isinstance(outcome, list):
            losses += outcome
        else:
            changes.append(outcome)
    return losses or Rewrite(changes=tuple(changes))


def _replace(state: NotebookState, step: Step) -> Operation | list[Loss]:
    assert isinstance(step.operation, Replace)
    done = {stored.id: stored for stored in step.operation.cells}
    losses: list[Loss] = [{"cellId": cell_id, "field": "cell"} for cell_id in done.keys() ^ state.cells.keys()]
    for stored in state.stored():
        was = done.get(stored.id)
        if was is not None and replace(was, version=0) != replace(stored, version=0):
            losses.append({"cellId": stored.id, "field": "code", "now": stored.code})
    return sorted(losses, key=lambda loss: str(loss["cellId"])) or step.inverse
