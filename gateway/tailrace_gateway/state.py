"""The state of one open notebook: cells in order, their outputs beside them, graph, kernel, database, people.

A value at the edge (`snapshot`, `image`), changed in place inside by `fold.fold` and `document.commit` only. Must not
know sockets, files, clocks or the numbering of the event stream.
"""

from collections.abc import Iterable

import msgspec

from tailrace_gateway.answers import Answers
from tailrace_gateway.cell_ids import same_cells
from tailrace_gateway.history import History
from tailrace_gateway.output_log import OutputLog
from tailrace_gateway.records import Image, Saved, StoredCell
from tailrace_gateway.sql_header import parse_header
from tailrace_gateway.texts import Texts
from tailrace_protocol.events import Snapshot
from tailrace_protocol.objects import (
    Cell,
    CellPatch,
    Connection,
    Edge,
    Graph,
    Input,
    Kernel,
    Member,
    NotebookInfo,
    Output,
    Run,
    Settings,
    hash_of_parts,
    hash_part,
)

EMPTY_GRAPH = Graph(edges=(), cycles=(), version=0)
STARTING = Kernel(state="starting")


class NotebookState:
    """Read anything; change nothing but through `fold` and `commit`. `cells` hold no outputs: see `outputs`."""

    __slots__ = (
        "_hash",
        "_parts",
        "answers",
        "base",
        "cells",
        "clients",
        "cycles",
        "db",
        "edges",
        "graph_version",
        "history",
        "info",
        "input",
        "kernel",
        "order",
        "outputs",
        "read_only",
        "revision",
        "run",
        "run_count",
        "runs",
        "saved",
        "size",
        "terminal_runs",
        "texts",
    )

    def __init__(self, info: NotebookInfo, cells: Iterable[Cell] = (), *, revision: int = 0) -> None:
        self.info = info
        self.revision = revision
        self.order: list[str] = []
        self.cells: dict[str, Cell] = {}
        self.outputs = OutputLog()
        self.edges: dict[tuple[str, str], Edge] = {}
        self.cycles: tuple[tuple[str, ...], ...] = ()
        self.graph_version = 0
        self.kernel = STARTING
        self.db: dict[str, Connection] = {}
        self.clients: tuple[Member, ...] = ()
        self.run: Run | None = None
        self.input: Input | None = None  # what a cell waits for
        self.read_only: str | None = None  # why changes cannot be written now
        self.run_count = 0
        self.runs: dict[str, int] = {}  # run id → its number, in order of appearance, from 1
        self.terminal_runs: dict[str, int] = {}  # cell id → number of the run of its last terminal status
        self.history = History()
        self.answers = Answers()
        self.texts = Texts()
        self.saved: Saved | None = None
        self.base: tuple[StoredCell, ...] | None = None  # the cells of the file that `saved` is about
        self.size = 0  # bytes of code in all cells
        self._hash: str | None = None
        self._parts: dict[str, bytes] = {}  # cell id → its part of the hash, until it changes
        for cell in cells:
            self.place(cell, len(self.order))

    def cell(self, cell_id: str) -> Cell:
        """One cell with its outputs, as clients see it."""
        return self.outputs.fill(self.cells[cell_id])

    def index(self, cell_id: str) -> int:
        return self.order.index(cell_id)

    def before(self, index: int) -> str | None:
        """Id of the cell above this position; null at the top."""
        return self.order[index - 1] if index > 0 else None

    def hash(self) -> str:
        """The document hash of SPEC.md B0, remembered until the document changes."""
        if self._hash is None:
            self._hash = hash_of_parts(self._parts.get(cell_id) or self._part(cell_id) for cell_id in self.order)
        return self._hash

    def _part(self, cell_id: str) -> bytes:
        part = self._parts[cell_id] = hash_part(self.cells[cell_id])
        return part

    def graph(self) -> Graph:
        edges = tuple(self.edges[key] for key in sorted(self.edges))
        return Graph(edges=edges, cycles=self.cycles, version=self.graph_version)

    def stored(self) -> tuple[StoredCell, ...]:
        """What the user wrote, in document order: what files and records hold."""
        return tuple(StoredCell.of(self.cells[cell_id]) for cell_id in self.order)

    # Changes: for `fold` and `commit`.

    def place(self, cell: Cell, index: int) -> None:
        """Put a cell at this position; its outputs go to the log."""
        if cell.id in self.cells:
            self.order.remove(cell.id)
        self.order.insert(index, cell.id)
        self.outputs.load(cell)
        self.put(bare(cell))

    def put(self, cell: Cell) -> None:
        old = self.cells.get(cell.id)
        self.size += bytes_of(cell.code) - (bytes_of(old.code) if old is not None else 0)
        self.cells[cell.id] = cell
        self._parts.pop(cell.id, None)
        self._hash = None

    def drop(self, cell_id: str) -> None:
        self.order.remove(cell_id)
        self.size -= bytes_of(self.cells.pop(cell_id).code)
        self._parts.pop(cell_id, None)
        self.outputs.forget(cell_id)
        self.texts.forget(cell_id)
        self.terminal_runs.pop(cell_id, None)
        self._hash = None

    def move(self, cell_id: str, index: int) -> None:
        self.order.remove(cell_id)
        self.order.insert(index, cell_id)
        self._hash = None

    def set_graph(self, graph: Graph) -> None:
        self.edges = {(edge.from_, edge.to): edge for edge in graph.edges}
        self.cycles = graph.cycles
        self.graph_version = graph.version


def bytes_of(text: str) -> int:
    """Its length in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def bare(cell: Cell) -> Cell:
    """A cell without its outputs."""
    return msgspec.structs.replace(cell, outputs=(), stdout="", error=None, omitted_bytes=None)


def new_cell(stored: StoredCell, outputs: tuple[Output, ...] = ()) -> Cell:
    """A cell nothing has been run of. Connection and result of a SQL cell come from its header line."""
    header = parse_header(stored.code) if stored.type == "sql" else None
    return Cell(
        id=stored.id,
        type=stored.type,
        code=stored.code,
        mode=stored.mode,
        execution=stored.execution,
        version=stored.version,
        status="disabled" if stored.mode == "disabled" else "idle",
        reads=(),
        writes=(),
        diagnostics=(),
        analysed=stored.type == "markdown",
        outputs=outputs,
        stdout="",
        name=stored.name,
        connection=header.connection if header else None,
        result=header.result if header else None,
    )


def patch_of(cell: Cell) -> CellPatch:
    """What `cell_updated` carries of this cell."""
    return CellPatch(**{name: getattr(cell, name) for name in CellPatch.__struct_fields__})


def open_state(info: NotebookInfo, cells: Iterable[StoredCell]) -> NotebookState:
    """A notebook as read from its file, before any command."""
    return NotebookState(info, (new_cell(stored) for stored in cells))


def snapshot(state: NotebookState, *, epoch: str, seq: int) -> Snapshot:
    """The state as one frame. Outputs that a pending clear will empty are left out: folding on gives the same."""
    return Snapshot(
        epoch=epoch,
        seq=seq,
        revision=state.revision,
        hash=state.hash(),
        notebook=state.info,
        cells=tuple(state.cell(cell_id) for cell_id in state.order),
        graph=state.graph(),
        kernel=state.kernel,
        db=tuple(state.db[name] for name in sorted(state.db)),
        clients=state.clients,
        run=state.run,
        read_only=state.read_only,
        input=state.input,
    )


def from_snapshot(frame: Snapshot) -> NotebookState:
    """What a client that loads this frame holds. History and answers are the gateway's own and not in it."""
    state = NotebookState(frame.notebook, frame.cells, revision=frame.revision)
    state.set_graph(frame.graph)
    state.kernel = frame.kernel
    state.db = {connection.name: connection for connection in frame.db}
    state.clients = frame.clients
    state.run = frame.run
    state.read_only = frame.read_only
    state.input = frame.input
    return state


def image(state: NotebookState) -> Image:
    """Everything the journal needs to start a segment."""
    undo, redo = state.history.stacks()
    return Image(
        revision=state.revision,
        cells=state.stored(),
        name=state.info.name,
        settings=state.info.settings,
        undo=undo,
        redo=redo,
        answers=tuple(state.answers),
        saved=_saved(state),
    )


def _saved(state: NotebookState) -> Saved | None:
    if state.saved is None or state.base is None:
        return state.saved
    elsewhere = not same_cells(state.base, state.stored())
    return msgspec.structs.replace(state.saved, cells=state.base if elsewhere else None)


def from_image(frame: Image, info: NotebookInfo) -> NotebookState:
    """The document as the journal's image has it; `info` gives id and path."""
    named = msgspec.structs.replace(info, name=frame.name, settings=frame.settings)
    state = NotebookState(named, (new_cell(stored) for stored in frame.cells), revision=frame.revision)
    state.history = History(frame.undo, frame.redo)
    state.answers = Answers(frame.answers)
    state.saved = frame.saved
    state.base = frame.cells if frame.saved is None or frame.saved.cells is None else frame.saved.cells
    return state


DEFAULT_SETTINGS = Settings()
