"""The nouns both wires speak of: cells, outputs, reasons, the graph, and the snapshot of a notebook.

Field names are snake_case in Python and camelCase on the gateway's wire. A field that is `None` by default is
absent on the wire when it is `None`; every other field is always there.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any, Literal, NewType, Protocol

from msgspec import Meta, Struct, field

CellId = NewType("CellId", str)
NotebookId = NewType("NotebookId", str)
RunId = NewType("RunId", str)
ClientId = NewType("ClientId", str)
CommandId = NewType("CommandId", str)

IDENTIFIER = r"^[A-Za-z0-9_-]+$(?!\n)"  # in Python `$` alone also matches before a last line end
TABLE_MIME = "application/vnd.tailrace.table+json"  # {token, rows, columns}: how to ask for the rows of a DataFrame
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=IDENTIFIER)]

CellType = Literal["python", "sql", "markdown"]
CellMode = Literal["auto", "manual", "disabled"]
FrameLibrary = Literal["pandas", "polars"]
Execution = Literal["local", "cluster"]
RunMode = Literal["reactive", "single", "stale", "all"]
Stream = Literal["stdout", "stderr"]
Status = Literal["idle", "queued", "running", "success", "error", "stale", "blocked", "disabled", "interrupted"]
KernelState = Literal["starting", "idle", "busy", "unresponsive", "dead", "restarting"]


class Wire(Struct, rename="camel", omit_defaults=True, kw_only=True, frozen=True):
    """Base of everything on the gateway's wire: immutable, camelCase, unknown fields ignored."""


class Reason(Wire, frozen=True, kw_only=True):
    """Why a cell has its status. `code` is stable; `message` is for a person.

    Codes: requested, upstream_ran (its inputs `names` came from `from_cells`), pulled, made_again, edited, moved,
    inputs_changed, outside_effect, manual, lazy, disabled_upstream, kernel_restarted, not_run_here (its outputs came
    with the file), interrupted, dropped, cycle, upstream_failed, removed_upstream, run_cap.
    """

    code: str
    request: str | None = None
    names: tuple[str, ...] | None = None
    from_cells: tuple[str, ...] | None = None
    message: str | None = None


class Diagnostic(Wire, frozen=True, kw_only=True):
    """What analysis has to say of a cell; `line` counts from 1, `column` from 0 in code points."""

    kind: str
    message: str
    line: int | None = None
    column: int | None = None
    cells: tuple[str, ...] | None = None
    names: tuple[str, ...] | None = None


class CellError(Wire, frozen=True, kw_only=True):
    """A cell that failed: data, not an exception of ours. `traceback` holds ANSI lines."""

    ename: str
    evalue: str
    traceback: tuple[str, ...]
    line: int | None = None


class StreamOutput(Wire, tag_field="kind", tag="stream", frozen=True, kw_only=True):
    index: int
    stream: Stream
    text: str


class DisplayOutput(Wire, tag_field="kind", tag="display", frozen=True, kw_only=True):
    """A MIME bundle; a value over limits.MAX_INLINE is `{"$url", "bytes"}` instead."""

    index: int
    data: dict[str, Any]
    metadata: dict[str, Any]
    display_id: str | None = None
    execution_count: int | None = None


class ResultOutput(Wire, tag_field="kind", tag="result", frozen=True, kw_only=True):
    """The value of a cell's last expression."""

    index: int
    data: dict[str, Any]
    metadata: dict[str, Any]
    display_id: str | None = None
    execution_count: int | None = None


class ErrorOutput(Wire, tag_field="kind", tag="error", frozen=True, kw_only=True):
    index: int
    ename: str
    evalue: str
    traceback: tuple[str, ...]
    line: int | None = None


Output = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput


class Cell(Wire, frozen=True, kw_only=True):
    """One cell as clients see it: the document's part, then the kernel's part."""

    id: str
    type: CellType
    code: str
    mode: CellMode
    execution: Execution
    version: int
    status: Status
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    analysed: bool
    outputs: tuple[Output, ...]
    stdout: str
    name: str | None = None
    connection: str | None = None
    result: str | None = None
    reason: Reason | None = None
    seconds: float | None = None
    execution_count: int | None = None
    error: CellError | None = None
    omitted_bytes: int | None = None
    outside_effects: tuple[str, ...] | None = None


class CellPatch(Wire, frozen=True, kw_only=True):
    """What `cell_updated` carries: every field of a cell but its outputs."""

    type: CellType
    code: str
    mode: CellMode
    execution: Execution
    version: int
    status: Status
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    analysed: bool
    name: str | None = None
    connection: str | None = None
    result: str | None = None
    reason: Reason | None = None
    outside_effects: tuple[str, ...] | None = None


class Edge(Wire, frozen=True, kw_only=True):
    """`to` reads `names` from `from`. `learned`: sharing found at run time."""

    from_: str = field(name="from")
    to: str
    names: tuple[str, ...]
    learned: bool | None = None


class Graph(Wire, frozen=True, kw_only=True):
    edges: tuple[Edge, ...]
    cycles: tuple[tuple[str, ...], ...]
    version: int


class Kernel(Wire, frozen=True, kw_only=True):
    state: KernelState
    pid: int | None = None
    queue: int | None = None
    cause: str | None = None


class Connection(Wire, frozen=True, kw_only=True):
    """A database connection of a notebook; the string is redacted, never a secret."""

    name: str
    status: Literal["success", "error", "needs_credentials"]
    connection_string: str
    dialect: str | None = None
    error: "WireError | None" = None
    seconds: float | None = None
    note: str | None = None  # worth showing: a new, empty file was made …


class WireError(Wire, frozen=True, kw_only=True):
    code: str
    message: str


class Member(Wire, frozen=True, kw_only=True):
    client: str
    name: str
    cell_id: str | None = None


class Settings(Wire, frozen=True, kw_only=True, omit_defaults=False):
    """Settings of one notebook; `auto_run` is the page's 1.5 s timer, `frames` what SQL cells give, `early_queries`
    whether those that only ask may begin before their turn."""

    auto_run: bool = True
    lazy: bool = False
    cutoff: bool = False
    frames: FrameLibrary = "pandas"
    early_queries: bool = True


class NotebookInfo(Wire, frozen=True, kw_only=True):
    id: str
    path: str
    name: str
    settings: Settings


class Run(Wire, frozen=True, kw_only=True):
    run_id: str
    plan: tuple[str, ...]
    done: int
    mode: RunMode


class Input(Wire, frozen=True, kw_only=True):
    """A cell waits for a line of text; a kernel waits for one at a time."""

    cell_id: str
    prompt: str
    password: bool
    request_id: str


class HasDocumentFields(Protocol):
    """The part of a cell that the document hash covers."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> CellType: ...
    @property
    def code(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def mode(self) -> CellMode: ...
    @property
    def execution(self) -> Execution: ...
    @property
    def connection(self) -> str | None: ...


def document_hash(cells: Iterable[HasDocumentFields]) -> str:
    """First 16 hex digits of SHA-256 over `<byte length>:<UTF-8 bytes>` of each field of each cell, in order.

    Fields: id, type, code, name, mode, execution, connection; an absent one is empty. Source: SPEC.md B0.
    """
    return hash_of_parts(map(hash_part, cells))


def hash_part(cell: HasDocumentFields) -> bytes:
    """What one cell gives to the document hash: whoever asks often keeps it until the cell changes."""
    values = (cell.id, cell.type, cell.code, cell.name or "", cell.mode, cell.execution, cell.connection or "")
    return b"".join(b"%d:%b" % (len(raw), raw) for raw in map(str.encode, values))


def hash_of_parts(parts: Iterable[bytes]) -> str:
    """The document hash of cells in order, each given by its part."""
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def code_hash(code: str) -> str:
    """Lower-case hex SHA-256 of the UTF-8 code: `codeHash` on the wire."""
    return hashlib.sha256(code.encode()).hexdigest()
