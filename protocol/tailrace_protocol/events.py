"""Gateway → client: numbered events (noun + participle) and unnumbered control frames. Source: SPEC.md B2.

`seq` is consecutive per notebook and epoch over events only; `ts` is seconds since the Unix epoch, for display.
"""

from typing import Any, Literal

from msgspec import field

from tailrace_protocol.objects import (
    Cell,
    CellError,
    CellPatch,
    Connection,
    Graph,
    Input,
    Kernel,
    KernelState,
    Member,
    NotebookInfo,
    Output,
    Reason,
    Run,
    RunMode,
    Settings,
    Status,
    Stream,
    Wire,
    WireError,
)


class Cause(Wire, frozen=True, kw_only=True):
    """The command that led to an event."""

    client: str
    id: str


class Event(Wire, tag_field="type", frozen=True, kw_only=True):
    """The stream numbers an event when it publishes it: `seq` 0 means not yet published."""

    seq: int = field(default=0)
    ts: float = field(default=0.0)
    notebook_id: str = field(default="")
    cause: Cause | None = None
    hash: str | None = None


# cell


class CellCreated(Event, tag="cell_created", frozen=True, kw_only=True):
    cell_id: str
    cell: Cell
    index: int
    after_cell_id: str | None = field()


class CellUpdated(Event, tag="cell_updated", frozen=True, kw_only=True):
    cell_id: str
    cell: CellPatch


class CellDeleted(Event, tag="cell_deleted", frozen=True, kw_only=True):
    cell_id: str


class CellMoved(Event, tag="cell_moved", frozen=True, kw_only=True):
    cell_id: str
    index: int
    after_cell_id: str | None = field()


class CellStatus(Event, tag="cell_status", frozen=True, kw_only=True):
    cell_id: str
    status: Status
    reason: Reason | None = None
    seconds: float | None = None
    version: int | None = None
    run_id: str | None = None
    execution_count: int | None = None


class CellStdout(Event, tag="cell_stdout", frozen=True, kw_only=True):
    """Append `data` to the stream."""

    cell_id: str
    data: str
    stream: Stream


class CellOutput(Event, tag="cell_output", frozen=True, kw_only=True):
    cell_id: str
    output: Output


class CellOutputUpdated(Event, tag="cell_output_updated", frozen=True, kw_only=True):
    """Replaces every output with this display id, in any cell."""

    cell_id: str
    display_id: str
    output: Output


class CellOmitted(Event, tag="cell_omitted", frozen=True, kw_only=True):
    """Outputs of a cell that shows its limit already: how many bytes they had."""

    cell_id: str
    bytes: int


class CellOutputsCleared(Event, tag="cell_outputs_cleared", frozen=True, kw_only=True):
    cell_id: str
    wait: bool


class CellErrored(Event, tag="cell_error", frozen=True, kw_only=True):
    cell_id: str
    error: CellError


# graph


class NodeCreated(Event, tag="graph:node-created", frozen=True, kw_only=True):
    cell_id: str


class NodeDeleted(Event, tag="graph:node-deleted", frozen=True, kw_only=True):
    cell_id: str


class NodeLinked(Event, tag="graph:node-linked", frozen=True, kw_only=True):
    from_: str = field(name="from")
    to: str
    names: tuple[str, ...]
    learned: bool | None = None


class NodeUnlinked(Event, tag="graph:node-unlinked", frozen=True, kw_only=True):
    from_: str = field(name="from")
    to: str


class PropertyChanged(Event, tag="graph:property-changed", frozen=True, kw_only=True):
    """`property` is `cycles` (value: whole list) or a property of a cell's node: reads, writes."""

    property: str
    value: Any
    cell_id: str | None = None
    previous: Any = None


class PropertyDeleted(Event, tag="graph:property-deleted", frozen=True, kw_only=True):
    property: str
    cell_id: str | None = None
    previous: Any = None


class GraphReplaced(Event, tag="graph:replaced", frozen=True, kw_only=True):
    graph: Graph


# command


class CommandExecuting(Event, tag="command:executing", frozen=True, kw_only=True):
    command: str
    id: str
    client: str
    cell_id: str | None = None


class CommandExecuted(Event, tag="command:executed", frozen=True, kw_only=True):
    command: str
    id: str
    client: str
    seconds: float
    revision: int
    cell_id: str | None = None


class CommandFailed(Event, tag="command:failed", frozen=True, kw_only=True):
    command: str
    id: str
    client: str
    code: str
    message: str
    cell_id: str | None = None


class CommandUndo(Event, tag="command:undo", frozen=True, kw_only=True):
    undid: str
    client: str
    revision: int


class CommandRedo(Event, tag="command:redo", frozen=True, kw_only=True):
    undid: str
    client: str
    revision: int


# session


class SessionConnected(Event, tag="session:connected", frozen=True, kw_only=True):
    client: str
    name: str
    role: str
    clients: tuple[Member, ...]


class SessionDisconnected(Event, tag="session:disconnected", frozen=True, kw_only=True):
    client: str
    clients: tuple[Member, ...]


class SessionMoved(Event, tag="session:moved", frozen=True, kw_only=True):
    client: str
    clients: tuple[Member, ...]


# project


class ProjectSaved(Event, tag="project:saved", frozen=True, kw_only=True):
    """`hash`, in the envelope, is that of the document at this revision."""

    revision: int
    path: str


class ProjectLoaded(Event, tag="project:loaded", frozen=True, kw_only=True):
    """Registration, import and restart: the whole graph at once instead of one event per edge."""

    path: str
    graph: Graph


class ProjectChangedOnDisk(Event, tag="project:changed_on_disk", frozen=True, kw_only=True):
    conflicts: tuple[str, ...]


class NotebookUpdated(Event, tag="project:settings", frozen=True, kw_only=True):
    name: str
    settings: Settings


# kernel


class KernelStatus(Event, tag="kernel_status", frozen=True, kw_only=True):
    state: KernelState
    pid: int | None = None
    queue: int | None = None
    kernel_cause: str | None = None


class InputRequested(Event, tag="input_requested", frozen=True, kw_only=True):
    cell_id: str
    prompt: str
    password: bool
    request_id: str


class InputAnswered(Event, tag="input_answered", frozen=True, kw_only=True):
    """Somebody gave the line: nobody need ask for it any more."""

    cell_id: str
    request_id: str


# run


class RunStarted(Event, tag="run_started", frozen=True, kw_only=True):
    run_id: str
    cells: tuple[str, ...]
    plan: tuple[str, ...]
    mode: RunMode
    expected_seconds: float | None = None


class RunProgress(Event, tag="run_progress", frozen=True, kw_only=True):
    run_id: str
    done: int
    total: int
    cell_id: str


class RunCounts(Wire, frozen=True, kw_only=True):
    success: int
    error: int
    skipped: int


class RunFinished(Event, tag="run_finished", frozen=True, kw_only=True):
    run_id: str
    status: Literal["success", "error", "interrupted", "lost"]
    counts: RunCounts
    seconds: float


# db and comm


class DbConnectionUpdated(Event, tag="db_connection_updated", frozen=True, kw_only=True):
    """`connection_string` is the redacted string that was tried, `in_force` the redacted one in use."""

    name: str
    connection_string: str
    status: Literal["success", "error"]
    in_force: str
    error: WireError | None = None
    dialect: str | None = None
    seconds: float | None = None
    note: str | None = None  # worth showing: a new, empty file was made …


class CommSent(Event, tag="comm", frozen=True, kw_only=True):
    comm_id: str
    phase: Literal["open", "msg", "close"]
    data: dict[str, Any]
    cell_id: str | None = None
    target_name: str | None = None
    metadata: dict[str, Any] | None = None
    buffers: tuple[bytes, ...] | None = None  # base64 in JSON, bin in msgpack


class ReadOnly(Event, tag="read_only", frozen=True, kw_only=True):
    """Changes cannot be made durable, or not be saved to the file. Without `reason`: they can again."""

    reason: str | None = None


# control frames: never numbered


class Control(Wire, tag_field="type", frozen=True, kw_only=True):
    pass


class Ack(Control, tag="ack", frozen=True, kw_only=True):
    id: str
    revision: int
    seq: int
    result: dict[str, Any] | None = None


class Error(Control, tag="error", frozen=True, kw_only=True):
    id: str | None = field()
    code: str
    message: str
    details: dict[str, Any] | None = None
    retry: float | None = None


class Pong(Control, tag="pong", frozen=True, kw_only=True):
    id: str
    server_time: float


class Position(Control, tag="position", frozen=True, kw_only=True):
    seq: int


class Resync(Control, tag="resync", frozen=True, kw_only=True):
    reason: Literal["slow", "epoch", "bulk"]


class Conflict(Control, tag="conflict", frozen=True, kw_only=True):
    """To the losing writer only."""

    cell_id: str
    yours: str
    theirs: str
    base: str
    version: int


class Snapshot(Control, tag="snapshot", frozen=True, kw_only=True):
    """The state of one notebook: also what `GET /api/v1/notebooks/{id}` returns. Cells are in document order."""

    epoch: str
    seq: int
    revision: int
    hash: str
    notebook: NotebookInfo
    cells: tuple[Cell, ...]
    graph: Graph
    kernel: Kernel
    db: tuple[Connection, ...]
    clients: tuple[Member, ...]
    run: Run | None = None
    read_only: str | None = None
    input: Input | None = None


TOPICS: dict[str, str] = {
    "cell_created": "cell", "cell_updated": "cell", "cell_deleted": "cell", "cell_moved": "cell",
    "cell_status": "cell", "cell_stdout": "cell", "cell_output": "cell", "cell_output_updated": "cell",
    "cell_omitted": "cell", "cell_outputs_cleared": "cell", "cell_error": "cell",
    "graph:node-created": "graph", "graph:node-deleted": "graph", "graph:node-linked": "graph",
    "graph:node-unlinked": "graph", "graph:property-changed": "graph", "graph:property-deleted": "graph",
    "graph:replaced": "graph",
    "command:executing": "command", "command:executed": "command", "command:failed": "command",
    "command:undo": "command", "command:redo": "command",
    "session:connected": "session", "session:disconnected": "session",
    "session:moved": "session",
    "project:saved": "project", "project:loaded": "project", "project:changed_on_disk": "project",
    "project:settings": "project", "read_only": "project",
    "kernel_status": "kernel", "input_requested": "kernel", "input_answered": "kernel",
    "run_started": "run", "run_progress": "run", "run_finished": "run",
    "db_connection_updated": "db", "comm": "comm",
}  # fmt: skip

EVENTS: tuple[type[Event], ...] = (
    CellCreated, CellUpdated, CellDeleted, CellMoved, CellStatus, CellStdout, CellOutput, CellOutputUpdated,
    CellOmitted, CellOutputsCleared, CellErrored, NodeCreated, NodeDeleted, NodeLinked, NodeUnlinked, PropertyChanged,
    PropertyDeleted, GraphReplaced, CommandExecuting, CommandExecuted, CommandFailed, CommandUndo, CommandRedo,
    SessionConnected, SessionDisconnected, SessionMoved, ProjectSaved, ProjectLoaded, ProjectChangedOnDisk,
    NotebookUpdated,
    KernelStatus, InputRequested, InputAnswered, RunStarted, RunProgress, RunFinished, DbConnectionUpdated, CommSent,
    ReadOnly,
)  # fmt: skip
CONTROLS: tuple[type[Control], ...] = (Ack, Error, Pong, Position, Resync, Conflict, Snapshot)


def type_name(event: Event | Control | type[Event] | type[Control]) -> str:
    """The `type` field of this frame on the wire."""
    return str(event.__struct_config__.tag)


def topic_of(event: Event) -> str:
    return TOPICS[type_name(event)]
