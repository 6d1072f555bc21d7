"""Kernel wire (ZeroMQ): contents of the requests, replies and IOPub types we add. Source: SPEC.md part A.

Field names are snake_case on this wire. A reply is `{"status": "ok", …fields}` or
`{"status": "error", "ename": code, "evalue": sentence}`.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from tailrace_protocol.objects import CellMode, CellType, Execution, FrameLibrary, Name, RunMode, Status

PROTOCOL_VERSION = 1
VariableName = Annotated[str, Meta(min_length=1, max_length=255)]
CellKey = Annotated[str, Meta(min_length=1, max_length=512)]


class Content(Struct, omit_defaults=True, kw_only=True, frozen=True):
    """Base of everything on the kernel's wire."""


class KernelReason(Content, frozen=True, kw_only=True, gc=False):
    """objects.Reason in the kernel's spelling."""

    code: str
    request: str | None = None
    names: tuple[str, ...] | None = None
    from_cells: tuple[str, ...] | None = None
    message: str | None = None


class KernelDiagnostic(Content, frozen=True, kw_only=True):
    kind: str
    message: str
    line: int | None = None
    column: int | None = None
    cells: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None


class KernelEdge(Content, frozen=True, kw_only=True):
    from_: str = field(name="from")
    to: str
    names: tuple[str, ...]
    learned: bool | None = None


class GraphDelta(Content, frozen=True, kw_only=True):
    added_edges: tuple[KernelEdge, ...]
    removed_edges: tuple[KernelEdge, ...]


# requests


class AttachRequest(Content, frozen=True, kw_only=True):
    """`lifeline`: path of a Unix socket on which the client listens; while that connection lives the kernel does.

    `outlive`: and after it as well, until it is stopped or adopted by a client that does not say so.
    """

    client: str
    batch: bool = False
    lifeline: str | None = None
    outlive: bool = False


class RegisterCellRequest(Content, frozen=True, kw_only=True):
    """`after_cell_id`: null = top, absent = see `index`; neither = end. Registering a known id replaces it."""

    cell_id: CellKey
    cell_type: CellType = "python"
    code: str
    after_cell_id: CellKey | UnsetType | None = UNSET
    index: Annotated[int, Meta(ge=0)] | None = None
    mode: CellMode = "auto"
    execution: Execution = "local"
    connection: Name | None = None
    result: Name | None = None
    version: Annotated[int, Meta(ge=1)] | None = None
    owner: str | None = None
    allow_outside_effects: bool = False  # `set_cell {mode: "auto"}` was given explicitly on this cell


class RegisterCellsRequest(Content, frozen=True, kw_only=True):
    """Atomic; the order of `cells` is the document's order and replaces the order known so far."""

    cells: tuple[RegisterCellRequest, ...]


class RemoveCellRequest(Content, frozen=True, kw_only=True):
    cell_id: CellKey
    run_dependents: bool = True
    run_id: Name | None = None


class ReorderCellsRequest(Content, frozen=True, kw_only=True):
    cell_ids: tuple[CellKey, ...]


class ExecuteCellsRequest(Content, frozen=True, kw_only=True):
    """`allow_stdin`: cells named by this request may call `input()`; cells of the cascade never may."""

    cell_ids: tuple[CellKey, ...] = ()
    mode: RunMode = "reactive"
    wait: bool = True
    run_id: Name | None = None
    allow_stdin: bool = False


class PlanRequest(Content, frozen=True, kw_only=True):
    cell_ids: tuple[CellKey, ...] = ()
    mode: RunMode = "reactive"


class ConfigureDbRequest(Content, frozen=True, kw_only=True):
    """`url` null goes back to the embedded DuckDB."""

    url: Annotated[str, Meta(max_length=4096)] | None
    name: Name = "default"
    read_only: bool = False
    connect_timeout: Annotated[float, Meta(gt=0, le=300)] = 8.0  # seconds

    def __repr__(self) -> str:
        return f"ConfigureDbRequest(name={self.name!r}, url='***')"


class GraphRequest(Content, frozen=True, kw_only=True):
    pass


class VariablesRequest(Content, frozen=True, kw_only=True):
    names: tuple[str, ...] | None = None
    cell_id: CellKey | None = None


class ReplayRequest(Content, frozen=True, kw_only=True):
    epoch: str
    since: Annotated[int, Meta(ge=0)]
    limit: Annotated[int, Meta(ge=1, le=1000)] = 1000


class TailraceInterruptRequest(Content, frozen=True, kw_only=True):
    run_id: str | None = None


class SettingsRequest(Content, frozen=True, kw_only=True):
    """Notebook settings that change what a run does."""

    lazy: bool | None = None
    cutoff: bool | None = None
    frames: FrameLibrary | None = None
    early_queries: bool | None = None  # SQL cells that only ask may begin before their turn


class SchemaRequest(Content, frozen=True, kw_only=True):
    """Answers are kept until a cell of this kernel changes the structure; `refresh` asks the database again."""

    connection: Name = "default"
    path: tuple[str, ...] = ()
    refresh: bool = False


class TablePageRequest(Content, frozen=True, kw_only=True):
    cell_id: CellKey
    output: int = 0
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    sort: tuple[dict[str, Any], ...] = ()
    filter: str | None = None
    token: str | None = None


class RenameVariableRequest(Content, frozen=True, kw_only=True):
    """Changes nothing: the reply says what the texts of the cells must become."""

    name: VariableName
    new_name: VariableName


class ExportTableRequest(Content, frozen=True, kw_only=True):
    """One part of a table as a file: `row` is the `next_row` of the part before, with its `token`. The first part of
    a DataFrame has the `token` of its MIME bundle, that of a SQL cell has none."""

    cell_id: CellKey
    output: Annotated[int, Meta(ge=0)] = 0
    format: Literal["csv", "arrow"] = "csv"  # arrow: the IPC stream
    row: Annotated[int, Meta(ge=0)] = 0
    token: str | None = None


class LibraryFileRequest(Content, frozen=True, kw_only=True):
    """The JavaScript that a Python package of the kernel's environment brings along, to draw its outputs."""

    name: Literal["plotly"]


# replies


class WaitingInput(Content, frozen=True, kw_only=True):
    """A cell waits for a line; an `input_reply` on stdin from any client ends that."""

    cell_id: str
    prompt: str
    password: bool


class AttachReply(Content, frozen=True, kw_only=True):
    """`input`: what a cell waits for now; who asked for its run may be gone."""

    kernel_id: str
    epoch: str
    last_seq: int
    protocol_version: int = field(default=0)
    input: WaitingInput | None = None


class RegisterCellReply(Content, frozen=True, kw_only=True):
    cell_id: str
    version: int
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    diagnostics: tuple[KernelDiagnostic, ...]
    graph: GraphDelta
    stale: tuple[str, ...]
    outside_effects: tuple[str, ...] = ()
    connection: str | None = None  # as the header line or magic of a SQL cell says
    result: str | None = None


class RegisterCellsReply(Content, frozen=True, kw_only=True):
    cells: tuple[RegisterCellReply, ...]
    order: tuple[str, ...]


class RemoveCellReply(Content, frozen=True, kw_only=True):
    cell_id: str
    removed_names: tuple[str, ...]
    rebound: dict[str, str]
    dependents: tuple[str, ...]
    graph: GraphDelta
    run_id: str | None = None


class ReorderCellsReply(Content, frozen=True, kw_only=True):
    graph: GraphDelta
    stale: tuple[str, ...]
    order: tuple[str, ...]


class ExecutedCell(Content, frozen=True, kw_only=True, gc=False):
    cell_id: str
    status: Status
    seconds: float


class SkippedCell(Content, frozen=True, kw_only=True):
    cell_id: str
    reason: KernelReason


class ExecuteCellsReply(Content, frozen=True, kw_only=True):
    run_id: str
    executed: tuple[ExecutedCell, ...]
    skipped: tuple[SkippedCell, ...]


class PlanReply(Content, frozen=True, kw_only=True):
    order: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    reasons: dict[str, KernelReason]
    expected_seconds: float | None = None
    seconds: dict[str, float] = {}  # what each cell took at its last run
    made_again: tuple[str, ...] = ()  # cells that run only because what they gave was changed in place or let go
    made_again_seconds: float | None = None  # what those took


class ConfigureDbReply(Content, frozen=True, kw_only=True):
    name: str
    dialect: str
    driver: str
    server_version: str
    redacted_url: str
    seconds: float
    note: str | None = None  # worth showing: a new, empty file was made …


class GraphCell(Content, frozen=True, kw_only=True):
    type: CellType
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    status: Status
    version: int
    mode: CellMode
    diagnostics: tuple[KernelDiagnostic, ...] = ()
    reason: KernelReason | None = None
    owner: str | None = None  # as it was registered


class GraphReply(Content, frozen=True, kw_only=True):
    cells: dict[str, GraphCell]
    edges: tuple[KernelEdge, ...]
    cycles: tuple[tuple[str, ...], ...]
    order: tuple[str, ...]
    version: int = field(default=0)


class Variable(Content, frozen=True, kw_only=True):
    name: str
    type: str
    preview: str
    cell_id: str | None = None
    size: int | None = None  # bytes
    shape: tuple[int, ...] | None = None


class VariablesReply(Content, frozen=True, kw_only=True):
    variables: tuple[Variable, ...]


class SchemaNode(Content, frozen=True, kw_only=True):
    """`kind`: schema, table, view or column; `type` is the database's word for a column's type."""

    name: str
    kind: str
    type: str | None = None
    has_children: bool = False


class SchemaReply(Content, frozen=True, kw_only=True):
    nodes: tuple[SchemaNode, ...]


class TableColumn(Content, frozen=True, kw_only=True):
    name: str
    type: str


class TablePageReply(Content, frozen=True, kw_only=True):
    """`total` counts the rows that passed the filter; values that JSON has no word for are text."""

    columns: tuple[TableColumn, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


class TextEdit(Content, frozen=True, kw_only=True):
    """Code points `start` to `end` of the cell's text become `text`."""

    start: int
    end: int
    text: str


class RenamedCell(Content, frozen=True, kw_only=True):
    """`edits` fit the text of this `version`, in order and apart from each other."""

    cell_id: str
    version: int
    edits: tuple[TextEdit, ...]


class RenameVariableReply(Content, frozen=True, kw_only=True):
    """`unseen` cells run text that nobody can look into (`exec`, a magic that is not known)."""

    cells: tuple[RenamedCell, ...]
    unseen: tuple[str, ...] = ()


class ExportTableReply(Content, frozen=True, kw_only=True):
    """One buffer follows: the bytes of this part, about 4 MiB. `complete`: false if the query had more rows than were
    kept (a result without a name)."""

    token: str
    rows: int  # of the whole table
    complete: bool
    next_row: int | None = None  # None after the last part


class LibraryFileReply(Content, frozen=True, kw_only=True):
    """One buffer follows: the file, UTF-8."""

    version: str  # of the Python package


class ReplayReply(Content, frozen=True, kw_only=True):
    """One buffer follows: per message u32 frame count, u32 lengths, then the frames; all little-endian."""

    first_seq: int
    last_seq: int
    complete: bool


# IOPub


class StatusChange(Content, frozen=True, kw_only=True, gc=False):
    cell_id: str
    status: Status
    version: int
    run_id: str | None = None
    reason: KernelReason | None = None
    seconds: float | None = None
    execution_count: int | None = None


class CellStatusContent(Content, frozen=True, kw_only=True):
    changes: tuple[StatusChange, ...]


class GraphChanged(Content, frozen=True, kw_only=True):
    added_cells: tuple[str, ...]
    removed_cells: tuple[str, ...]
    added_edges: tuple[KernelEdge, ...]
    removed_edges: tuple[KernelEdge, ...]
    cycles: tuple[tuple[str, ...], ...]
    version: int


class RunStartedContent(Content, frozen=True, kw_only=True):
    run_id: str
    mode: RunMode
    cells: tuple[str, ...]
    plan: tuple[str, ...]
    reason: KernelReason | None = None
    expected_seconds: float | None = None


class RunFinishedContent(Content, frozen=True, kw_only=True):
    run_id: str
    status: Literal["success", "error", "interrupted"]
    counts: dict[str, int]
    seconds: float


class DbConfigured(Content, frozen=True, kw_only=True):
    name: str
    status: Literal["success", "error"]
    redacted_url: str
    dialect: str | None = None
    error: dict[str, str] | None = None
    note: str | None = None


class VariablesChanged(Content, frozen=True, kw_only=True):
    written: tuple[str, ...]
    removed: tuple[str, ...]


REQUESTS: dict[str, type[Content]] = {
    "attach_request": AttachRequest,
    "register_cell_request": RegisterCellRequest,
    "register_cells_request": RegisterCellsRequest,
    "remove_cell_request": RemoveCellRequest,
    "reorder_cells_request": ReorderCellsRequest,
    "execute_cells_request": ExecuteCellsRequest,
    "plan_request": PlanRequest,
    "configure_db_request": ConfigureDbRequest,
    "graph_request": GraphRequest,
    "variables_request": VariablesRequest,
    "replay_request": ReplayRequest,
    "settings_request": SettingsRequest,
    "schema_request": SchemaRequest,
    "table_page_request": TablePageRequest,
    "export_table_request": ExportTableRequest,
    "rename_variable_request": RenameVariableRequest,
    "library_file_request": LibraryFileRequest,
}
"""`interrupt_request` is Jupyter's own; its content may hold `run_id` (TailraceInterruptRequest)."""

IOPUB: dict[str, type[Content]] = {
    "cell_status": CellStatusContent,
    "cell_registered": RegisterCellReply,
    "cell_removed": RemoveCellReply,
    "graph_changed": GraphChanged,
    "run_started": RunStartedContent,
    "run_finished": RunFinishedContent,
    "db_configured": DbConfigured,
    "variables_changed": VariablesChanged,
}
