"""Bringing file, journal and kept outputs together into the state of a notebook that is being opened. Pure.

Knows which of them is right: the journal for what was acknowledged, the file for what others wrote since it was saved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from tailrace_gateway.cell_ids import same_cells
from tailrace_gateway.cell_merge import merge_cells
from tailrace_gateway.document import Applied, commit, replace_cells, replay
from tailrace_gateway.history import OUTSIDE
from tailrace_gateway.journal import Recovered
from tailrace_gateway.kept_session import KeptOutputs
from tailrace_gateway.notebook_file import Contents
from tailrace_gateway.records import Image, Record, Saved, StoredCell
from tailrace_gateway.state import NotebookState, from_image, open_state
from tailrace_protocol import code_hash
from tailrace_protocol.objects import Cell, Connection, NotebookInfo, Output, Reason

STORED = Reason(
    code="not_run_here",
    message="These outputs were stored in the file; the cell has not run in this kernel.",
)


@dataclass(frozen=True, slots=True)
class Opened:
    """The state to start from. Next: `renew(image(state))`, and save when `state.saved` is not of its revision.

    `conflicts`: cells that were edited here and in the file; both texts are in the document.
    """

    state: NotebookState
    conflicts: tuple[str, ...] = ()


def open_notebook(
    info: NotebookInfo,
    contents: Contents,
    file_hash: str,
    recovered: Recovered,
    kept: Mapping[str, KeptOutputs],
    *,
    alive: bool = False,
) -> Opened:
    """`contents` and `file_hash` are those of the file now; `recovered` and `kept` are what the gateway remembered.

    `alive`: the kernel that the kept outputs are of is there still, so they are as they were.
    """
    opened = _open_document(info, contents, file_hash, recovered)
    for cell_id, outputs in contents.outputs.items():
        _show(opened.state, cell_id, outputs)
    for cell_id, entry in kept.items():
        _show_again(opened.state, cell_id, entry, alive=alive)
    return opened


def show_connections(state: NotebookState, kept: Sequence[Connection], *, alive: bool) -> None:
    """The databases of the session before: a kernel that lives has them still, a new one lacks their passwords."""
    for connection in kept:
        lost = not alive and connection.status == "success"
        state.db[connection.name] = replace(connection, status="needs_credentials") if lost else connection


def remember_save(
    state: NotebookState, file_hash: str, *, revision: int | None = None, cells: tuple[StoredCell, ...] | None = None
) -> Saved:
    """The file holds this revision and these cells (null: those of now): the entry to append to the journal."""
    state.saved = Saved(revision=state.revision if revision is None else revision, file_hash=file_hash)
    state.base = state.stored() if cells is None else cells
    return state.saved


def remember_file(state: NotebookState, file_hash: str, cells: tuple[StoredCell, ...]) -> Saved:
    """The file holds these cells, which somebody else wrote and the state has taken in: the entry to append."""
    state.base = cells
    same = same_cells(cells, state.stored())
    state.saved = Saved(revision=state.revision, file_hash=file_hash, cells=None if same else cells)
    return state.saved


def is_saved(state: NotebookState) -> bool:
    """Does the file hold this revision?"""
    return state.saved is not None and state.saved.revision == state.revision and state.saved.cells is None


def take_outside_edit(
    state: NotebookState, base: Sequence[StoredCell], contents: Contents, command_id: str
) -> tuple[Applied | None, tuple[str, ...]]:
    """What an edit of the file does to the open document, as one step of `OUTSIDE`, and the cells in conflict.

    `base` is what the file said before (`NotebookFile.cells`). Null: it changes nothing here.
    """
    ours = state.stored()
    merged = merge_cells(base, ours, contents.cells)
    if merged.cells == ours:
        return None, merged.conflicts
    return replace_cells(state, merged.cells, OUTSIDE, command_id), merged.conflicts


def _open_document(info: NotebookInfo, contents: Contents, file_hash: str, recovered: Recovered) -> Opened:
    if recovered.image is None:
        state = open_state(replace(info, settings=contents.settings), contents.cells)
        remember_save(state, file_hash)
        return Opened(state)
    state = _replayed(recovered.image, recovered.records, info, contents.cells)
    if state.saved is not None and state.saved.file_hash == file_hash:
        return Opened(state)
    ours = state.stored()
    merged = merge_cells(ours if state.base is None else state.base, ours, contents.cells)
    if merged.cells != ours:
        commit(state, replace_cells(state, merged.cells, OUTSIDE, f"outside-{state.revision + 1}"))
    remember_file(state, file_hash, contents.cells)
    return Opened(state, merged.conflicts)


def _replayed(
    image: Image, records: Sequence[Record | Saved], info: NotebookInfo, on_disk: tuple[StoredCell, ...]
) -> NotebookState:
    """The state as it was, its `base` the cells that the file last got from us.

    A gateway may be killed between the rename of the file and the entry that says so. Then the file holds a revision
    after the last one said to be saved: it is ours all the same, and nobody's outside edit.
    """
    state = from_image(image, info)
    saved = next((entry for entry in reversed(records) if isinstance(entry, Saved)), image.saved)
    state.saved = saved
    if saved is None:
        return state
    base = saved.cells
    seen = -1
    for entry in (None, *records):
        if isinstance(entry, Record):
            replay(state, entry)
        if state.revision == seen or state.revision < saved.revision:
            continue
        seen = state.revision
        cells = state.stored()
        if (seen == saved.revision and saved.cells is None) or same_cells(cells, on_disk):
            base = cells
    state.base = base
    return state


def _show(state: NotebookState, cell_id: str, outputs: Sequence[Output]) -> None:
    """Outputs as the file has them: of a run nobody here knows."""
    cell = state.cells.get(cell_id)
    if cell is not None:
        _stale(state, replace(cell, outputs=tuple(outputs)), STORED)


def _show_again(state: NotebookState, cell_id: str, kept: KeptOutputs, *, alive: bool) -> None:
    cell = state.cells.get(cell_id)
    if cell is None:
        return
    shown = replace(
        cell,
        outputs=kept.outputs or state.outputs.outputs(cell_id),
        error=kept.error,
        seconds=kept.seconds,
        execution_count=kept.execution_count,
        omitted_bytes=kept.omitted_bytes,
    )
    if alive:
        state.place(replace(shown, outputs=kept.outputs, status=kept.status, reason=kept.reason), state.index(cell.id))
        return
    _stale(state, shown, Reason(code="edited" if kept.code_hash != code_hash(cell.code) else "kernel_restarted"))


def _stale(state: NotebookState, cell: Cell, reason: Reason) -> None:
    """What the cell shows is of an older run. What is known of a run here says more than the file's outputs."""
    index = state.index(cell.id)
    if cell.status == "idle" or cell.reason == STORED:
        cell = replace(cell, status="stale", reason=reason)
    state.place(cell, index)
