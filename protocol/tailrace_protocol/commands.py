"""Client → gateway: one frozen struct per frame type, named verb + noun. Source: SPEC.md B1.

Every command has `id`: request id and idempotency key within its client. Fields that hold secrets are listed in
`SECRET_FIELDS` and are `"***"` in every repr, log and trace.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from tailrace_protocol.objects import IDENTIFIER, CellMode, CellType, Execution, FrameLibrary, Name, Wire

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Cell = Annotated[str, Meta(min_length=1, max_length=512)]


class Command(Wire, tag_field="type", frozen=True, kw_only=True):
    id: Id

    def __repr__(self) -> str:
        shown = (
            f"{name}={'***' if name in SECRET_FIELDS else repr(getattr(self, name))}" for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(shown)})"


SECRET_FIELDS = frozenset({"key", "connection_string", "value"})


class Since(Wire, frozen=True, kw_only=True):
    epoch: str
    seq: Annotated[int, Meta(ge=0)]


Topic = Literal["cell", "graph", "command", "session", "project", "kernel", "db", "run", "comm"]


class Attach(Command, tag="attach", frozen=True, kw_only=True):
    key: str | None = None
    client: Annotated[str, Meta(min_length=1, max_length=64, pattern=IDENTIFIER)] | None = None
    since: Since | None = None
    topics: tuple[Topic, ...] | None = None
    name: Annotated[str, Meta(max_length=64)] | None = None
    batch: bool = False


class CreateCell(Command, tag="create_cell", frozen=True, kw_only=True):
    """`after_cell_id`: null = top, absent = see `index`; neither = end; unknown = end."""

    cell_type: CellType
    after_cell_id: Cell | UnsetType | None = UNSET
    index: Annotated[int, Meta(ge=0)] | None = None
    code: str = ""


class CellUpdate(Command, tag="cell_update", frozen=True, kw_only=True):
    cell_id: Cell
    code: str
    base_version: int | None = None


class CellText(Wire, frozen=True, kw_only=True):
    cell_id: Cell
    code: str
    base_version: int | None = None


class UpdateCells(Command, tag="update_cells", frozen=True, kw_only=True):
    """All of them or, where somebody else changed the same place since `base_version`, none: one step to undo."""

    cells: Annotated[tuple[CellText, ...], Meta(min_length=1)]


class DeleteCell(Command, tag="delete_cell", frozen=True, kw_only=True):
    cell_id: Cell


class MoveCell(Command, tag="move_cell", frozen=True, kw_only=True):
    """`after_cell_id` null moves to the top."""

    cell_id: Cell
    after_cell_id: Cell | None


class SetCell(Command, tag="set_cell", frozen=True, kw_only=True):
    cell_id: Cell
    cell_type: CellType | None = None
    name: Annotated[str, Meta(max_length=64)] | None = None
    mode: CellMode | None = None
    execution: Execution | None = None
    connection: Name | None = None
    result: Name | None = None


class SetNotebook(Command, tag="set_notebook", frozen=True, kw_only=True):
    auto_run: bool | None = None
    lazy: bool | None = None
    cutoff: bool | None = None
    frames: FrameLibrary | None = None
    early_queries: bool | None = None
    name: Annotated[str, Meta(min_length=1, max_length=255)] | None = None


class RunCell(Command, tag="run_cell", frozen=True, kw_only=True):
    cell_id: Cell
    code: str | None = None
    code_hash: str | None = None


class RunAll(Command, tag="run_all", frozen=True, kw_only=True):
    pass


class RunStale(Command, tag="run_stale", frozen=True, kw_only=True):
    pass


class Interrupt(Command, tag="interrupt", frozen=True, kw_only=True):
    run_id: str | None = None


class RestartKernel(Command, tag="restart_kernel", frozen=True, kw_only=True):
    rerun: bool = False


class UpdateDbConnection(Command, tag="update_db_connection", frozen=True, kw_only=True):
    """`connection_string` null goes back to the embedded DuckDB."""

    connection_string: Annotated[str, Meta(max_length=4096)] | None
    name: Name = "default"
    read_only: bool = False


class Undo(Command, tag="undo", frozen=True, kw_only=True):
    pass


class Redo(Command, tag="redo", frozen=True, kw_only=True):
    pass


class Complete(Command, tag="complete", frozen=True, kw_only=True):
    cell_id: Cell
    code: str
    cursor: Annotated[int, Meta(ge=0)]


class Inspect(Command, tag="inspect", frozen=True, kw_only=True):
    cell_id: Cell
    code: str
    cursor: Annotated[int, Meta(ge=0)]


class VariablePage(Command, tag="variable_page", frozen=True, kw_only=True):
    """Without a name: all names of the notebook, a page at a time."""

    name: str | None = None
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class TablePage(Command, tag="table_page", frozen=True, kw_only=True):
    """`token` is that of a DataFrame's MIME bundle; the table of a SQL cell has none."""

    cell_id: Cell
    output_index: Annotated[int, Meta(ge=0)]
    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    sort: tuple[dict[str, Any], ...] = ()
    filter: str | None = None
    token: Annotated[str, Meta(max_length=64)] | None = None


class Schema(Command, tag="schema", frozen=True, kw_only=True):
    """`path` is empty, (schema,) or (schema, table); `refresh` asks the database again."""

    connection: Name = "default"
    path: Annotated[tuple[str, ...], Meta(max_length=3)] = ()
    refresh: bool = False


class RenameVariable(Command, tag="rename_variable", frozen=True, kw_only=True):
    """Asks what the texts must become; `update_cells` makes them so."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    new_name: Annotated[str, Meta(min_length=1, max_length=255)]


class StdinReply(Command, tag="stdin_reply", frozen=True, kw_only=True):
    cell_id: Cell
    value: str
    request_id: str | None = None


class Comm(Command, tag="comm", frozen=True, kw_only=True):
    comm_id: str
    phase: Literal["open", "msg", "close"]
    data: dict[str, Any]
    cell_id: Cell | None = None
    target_name: str | None = None
    metadata: dict[str, Any] | None = None
    buffers: tuple[bytes, ...] = ()  # base64 in JSON, bin in msgpack


class Presence(Command, tag="presence", frozen=True, kw_only=True):
    """Null: on no cell."""

    cell_id: Cell | None = None


class Subscribe(Command, tag="subscribe", frozen=True, kw_only=True):
    topics: tuple[Topic, ...]


class Save(Command, tag="save", frozen=True, kw_only=True):
    pass


class Ping(Command, tag="ping", frozen=True, kw_only=True):
    pass


DocumentCommand = CreateCell | CellUpdate | UpdateCells | DeleteCell | MoveCell | SetCell | SetNotebook | Undo | Redo
KernelCommand = RunCell | RunAll | RunStale | Interrupt | RestartKernel | UpdateDbConnection | Save
Query = (
    Complete
    | Inspect
    | VariablePage
    | TablePage
    | Schema
    | RenameVariable
    | StdinReply
    | Comm
    | Presence
    | Subscribe
    | Ping
)
AnyCommand = Attach | DocumentCommand | KernelCommand | Query

COMMANDS: dict[str, type[Command]] = {
    str(struct.__struct_config__.tag): struct
    for struct in (
        Attach, CreateCell, CellUpdate, UpdateCells, DeleteCell, MoveCell, SetCell, SetNotebook, RunCell, RunAll,
        RunStale, Interrupt, RestartKernel, UpdateDbConnection, Undo, Redo, Complete, Inspect, VariablePage, TablePage,
        Schema, RenameVariable, StdinReply, Comm, Presence, Subscribe, Save, Ping,
    )
}  # fmt: skip
