"""A notebook file and its journal → the state of an open notebook. Blocking parts run in a thread; runs no code."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from tailrace_gateway.document import commit, replace_cells, replay
from tailrace_gateway.journal import FileJournal, Recovered, open_journal
from tailrace_gateway.library import Found
from tailrace_gateway.notebook_file import Contents, NotebookFile
from tailrace_gateway.output_store import KeptOutputs, OutputStore
from tailrace_gateway.outside import OUTSIDE, merge_outside
from tailrace_gateway.records import Record, StoredCell
from tailrace_gateway.saving import Opened
from tailrace_gateway.state import NotebookState, from_image, image, open_state
from tailrace_gateway.state_directory import notebook_directory
from tailrace_protocol.objects import Cell, NotebookInfo, Output, Reason

LOST = Reason(code="kernel_restarted", message="Its values are gone; the outputs shown are from before.")


async def open_notebook(found: Found, state_dir: Path) -> Opened:
    """Raises TailraceError unreadable_notebook, already_open, too_large, read_only or disk_full."""
    file = NotebookFile(found.path)
    contents = await asyncio.to_thread(file.read)
    folder = notebook_directory(found.id, state_dir)
    journal, recovered = await asyncio.to_thread(open_journal, folder)
    store = OutputStore(folder)
    try:
        state = await _recover(found, file, contents, journal, recovered)
    except BaseException:
        await journal.close()
        raise
    show_again(state, contents.outputs, await asyncio.to_thread(store.load))
    return Opened(state=state, journal=journal, file=file, store=store, base=contents.cells)


async def _recover(
    found: Found, file: NotebookFile, contents: Contents, journal: FileJournal, recovered: Recovered
) -> NotebookState:
    info = NotebookInfo(id=found.id, path=found.shown, name=found.name, settings=contents.settings)
    if recovered.image is None:
        state = open_state(info, contents.cells)
        await journal.renew(image(state))
        return state
    state, base = _replayed(from_image(recovered.image, info), recovered)
    if state.saved is None or state.saved.file_hash != file.file_hash:
        merged = merge_outside(base, state.stored(), contents.cells)
        if merged.cells != state.stored():
            applied = replace_cells(state, merged.cells, OUTSIDE, f"open-{(file.file_hash or '')[:32]}")
            await journal.append(applied.record)
            commit(state, applied)
    return state


def _replayed(state: NotebookState, recovered: Recovered) -> tuple[NotebookState, tuple[StoredCell, ...]]:
    """The state after all records, and the cells that the file held when it was last written."""
    base = state.stored()
    for record in recovered.records:
        if isinstance(record, Record):
            replay(state, record)
        else:
            state.saved = record
            base = state.stored()
    return state, base


def show_again(
    state: NotebookState, in_file: Mapping[str, tuple[Output, ...]], kept: Mapping[str, KeptOutputs]
) -> None:
    """Outputs of former runs come back, and their cells are stale: no kernel holds what they computed."""
    for cell_id in state.order:
        cell = state.cells[cell_id]
        if cell.type == "markdown":
            continue
        if cell_id in kept:
            _show(state, _restored(cell, kept[cell_id]))
        elif in_file.get(cell_id):
            _show(state, replace(cell, outputs=in_file[cell_id]))


def _restored(cell: Cell, kept: KeptOutputs) -> Cell:
    return replace(
        cell,
        outputs=kept.outputs,
        error=kept.error,
        seconds=kept.seconds,
        execution_count=kept.execution_count,
        omitted_bytes=kept.omitted_bytes,
    )


def _show(state: NotebookState, cell: Cell) -> None:
    status = "disabled" if cell.mode == "disabled" else "stale"
    state.place(replace(cell, status=status, reason=LOST), state.index(cell.id))
