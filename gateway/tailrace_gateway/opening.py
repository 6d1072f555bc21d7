"""Bringing file, journal and kept outputs together into the state of a notebook that is being opened. Pure.

Knows which of them is right: the journal for what was acknowledged, the file for what others wrote since it was saved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from tailrace_gateway.cell_ids import same_cells
from tailrace_gateway.cell_merge import merge_cells
from tailrace_gateway.document import Applied, commit, replace_cells, replay
from tailrace_gateway.journal import Recovered
from tailrace_gateway.notebook_file import Contents
from tailrace_gateway.output_store import KeptOutputs
from tailrace_gateway.records import Saved, StoredCell
from tailrace_gateway.state import NotebookState, from_image, open_state
from tailrace_protocol import code_hash
from tailrace_protocol.objects import Cell, NotebookInfo, Output, Reason

OUTSIDE = "outside"  # the client that edits made in the file count for


@dataclass(frozen=True, slots=True)
class Opened:
    """The state to start from. Next: `renew(image(state))`, and save when `state.saved` is not of its revision.

    `conflicts`: cells that were edited here and in the file; both texts are in the document.
    """

    state: NotebookState
    conflicts: tuple[str, ...] = ()


def open_notebook(
    info: NotebookInfo, contents: Contents, file_hash: str, recovered: Recovered, kept: Mapping[str, KeptOutputs]
) -> Opened:
    """`contents` and `file_hash` are those of the file now; `recovered` and `kept` are what the gateway remembered."""
    opened = _open_document(info, contents, file_hash, recovered)
    for cell_id, outputs in contents.outputs.items():
        _show(opened.state, cell_id, outputs)
    for cell_id, entry in kept.items():
        _show_again(opened.state, cell_id, entry)
    return opened


def remember_save(state: NotebookState, file_hash: str) -> Saved:
    """The file now holds this state: the entry to append to the journal."""
    state.saved = Saved(revision=state.revision, file_hash=file_hash)
    return state.saved


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
    state = from_image(recovered.image, info)
    base = _cells_if(state)
    for entry in recovered.records:
        if isinstance(entry, Saved):
            state.saved = entry
            base = _cells_if(state)
        else:
            replay(state, entry)
    if state.saved is not None and state.saved.file_hash == file_hash:
        return Opened(state)
    ours = state.stored()
    merged = merge_cells(ours if base is None else base, ours, contents.cells)
    if merged.cells != ours:
        commit(state, replace_cells(state, merged.cells, OUTSIDE, f"outside-{state.revision + 1}"))
    if same_cells(merged.cells, contents.cells):
        remember_save(state, file_hash)
    return Opened(state, merged.conflicts)


def _cells_if(state: NotebookState) -> tuple[StoredCell, ...] | None:
    """The cells that the file held when it was saved; null when the state has gone on since."""
    return state.stored() if state.saved is not None and state.saved.revision == state.revision else None


def _show(state: NotebookState, cell_id: str, outputs: Sequence[Output]) -> None:
    """Outputs as the file has them: of a run nobody knows any more."""
    cell = state.cells.get(cell_id)
    if cell is not None:
        _stale(state, replace(cell, outputs=tuple(outputs)))


def _show_again(state: NotebookState, cell_id: str, kept: KeptOutputs) -> None:
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
    _stale(state, shown, edited=kept.code_hash != code_hash(cell.code))


def _stale(state: NotebookState, cell: Cell, *, edited: bool = False) -> None:
    """Its kernel is gone: what the cell shows is of an older run."""
    reason = Reason(code="edited" if edited else "kernel_restarted")
    index = state.index(cell.id)
    if cell.status == "idle":
        cell = replace(cell, status="stale", reason=reason)
    state.place(cell, index)
