"""Document events → requests that keep the kernel's cells equal to the document's. Pure.

Knows what the kernel was told. Registering runs nothing. A cell whose kernel part did not change is not sent again.
"""

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from tailrace_gateway.state import NotebookState
from tailrace_protocol.events import CellCreated, CellDeleted, CellMoved, CellUpdated, Event, NotebookUpdated
from tailrace_protocol.kernel_messages import (
    Content,
    RegisterCellRequest,
    RegisterCellsRequest,
    RemoveCellRequest,
    ReorderCellsRequest,
    SettingsRequest,
)

MAX_SINGLE = 50  # cells of one command registered one by one; beyond that all at once
OWNER = "document"
Request = tuple[str, Content]  # kind without `_request`, content


class Registration:
    """What one life of a kernel knows of the document. `lifted`: cells whose outside effects a person allowed."""

    def __init__(self, lifted: set[str]):
        self._lifted = lifted
        self._told: dict[str, RegisterCellRequest] = {}

    def everything(self, state: NotebookState) -> RegisterCellsRequest:
        """All cells in document order; replaces what was told before."""
        cells = tuple(self._describe(state, cell_id) for cell_id in state.order)
        self._told = {cell.cell_id: cell for cell in cells}
        return RegisterCellsRequest(cells=cells)

    def requests(self, events: Iterable[Event], state: NotebookState, *, cleared: bool = False) -> Iterator[Request]:
        """What the kernel must be told after these events, which are part of `state` already.

        `cleared`: the only cell was emptied in place of being deleted, so its names go too.
        """
        kept = [event for event in events if isinstance(event, CellCreated | CellUpdated | CellDeleted | CellMoved)]
        if len(kept) > MAX_SINGLE:
            yield from self._bulk(state)
            kept = []
        for event in kept:
            match event:
                case CellDeleted(cell_id=cell_id):
                    yield from self._remove(cell_id)
                case CellMoved() if not any(isinstance(other, CellMoved) for other in kept[kept.index(event) + 1 :]):
                    yield "reorder_cells", ReorderCellsRequest(cell_ids=tuple(state.order))
                case CellCreated(cell_id=cell_id) | CellUpdated(cell_id=cell_id):
                    if cleared:
                        yield from self._remove(cell_id)
                    yield from self._register(state, cell_id)
        if any(isinstance(event, NotebookUpdated) for event in events):
            yield "settings", self.settings(state)

    def settings(self, state: NotebookState) -> SettingsRequest:
        settings = state.info.settings
        return SettingsRequest(
            lazy=settings.lazy, cutoff=settings.cutoff, frames=settings.frames, early_queries=settings.early_queries
        )

    def _bulk(self, state: NotebookState) -> Iterator[Request]:
        for cell_id in [cell_id for cell_id in self._told if cell_id not in state.cells]:
            yield from self._remove(cell_id)
        yield "register_cells", self.everything(state)

    def _remove(self, cell_id: str) -> Iterator[Request]:
        if self._told.pop(cell_id, None) is not None:
            yield "remove_cell", RemoveCellRequest(cell_id=cell_id)

    def _register(self, state: NotebookState, cell_id: str) -> Iterator[Request]:
        if cell_id not in state.cells:
            return  # deleted again by the same command
        cell = self._describe(state, cell_id)
        if self._told.get(cell_id) == cell:
            return
        self._told[cell_id] = cell
        yield "register_cell", replace(cell, after_cell_id=state.before(state.index(cell_id)))

    def _describe(self, state: NotebookState, cell_id: str) -> RegisterCellRequest:
        cell = state.cells[cell_id]
        return RegisterCellRequest(
            cell_id=cell.id,
            cell_type=cell.type,
            code=cell.code,
            mode=cell.mode,
            execution=cell.execution,
            connection=cell.connection,
            result=cell.result,
            version=cell.version,
            owner=OWNER,
            allow_outside_effects=cell.id in self._lifted,
        )
