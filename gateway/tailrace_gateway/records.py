"""The operations of the document and the records that the journal keeps of them.

Knows what changed, by whom, and how to take it back; must not know files, sockets or the kernel. A record is
written before its command is acknowledged; replaying the records in order rebuilds document, undo and answers.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from tailrace_protocol.objects import Cell, CellMode, CellType, Execution, Settings


class StoredCell(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The document's part of a cell: what the user wrote, nothing the kernel said."""

    id: str
    type: CellType
    code: str = ""
    name: str | None = None
    mode: CellMode = "auto"
    execution: Execution = "local"
    version: int = 1

    @classmethod
    def of(cls, cell: Cell) -> "StoredCell":
        return cls(
            id=cell.id,
            type=cell.type,
            code=cell.code,
            name=cell.name,
            mode=cell.mode,
            execution=cell.execution,
            version=cell.version,
        )


class Insert(Struct, frozen=True, kw_only=True, tag_field="op", tag="insert"):
    """A cell enters; `after` (null = top) wins over `index` when that cell is still there."""

    cell: StoredCell
    index: int
    after: str | None


class Remove(Struct, frozen=True, kw_only=True, tag_field="op", tag="remove"):
    cell_id: str


class Move(Struct, frozen=True, kw_only=True, tag_field="op", tag="move"):
    """`after` null = top; `index` is used when the cell named by `after` is gone."""

    cell_id: str
    index: int
    after: str | None


class Change(Struct, frozen=True, kw_only=True, tag_field="op", tag="change", omit_defaults=True):
    """New values of some fields of one cell; an unset field keeps its value."""

    cell_id: str
    type: CellType | UnsetType = UNSET
    code: str | UnsetType = UNSET
    name: str | UnsetType | None = UNSET
    mode: CellMode | UnsetType = UNSET
    execution: Execution | UnsetType = UNSET


class Rewrite(Struct, frozen=True, kw_only=True, tag_field="op", tag="rewrite"):
    """New values of several cells as one undoable step; every cell is named once."""

    changes: tuple[Change, ...]


class Configure(Struct, frozen=True, kw_only=True, tag_field="op", tag="configure"):
    """Name and settings of the notebook."""

    name: str
    settings: Settings


class Replace(Struct, frozen=True, kw_only=True, tag_field="op", tag="replace"):
    """All cells at once: import, and the merge of an outside edit, as one undoable step."""

    cells: tuple[StoredCell, ...]


Operation = Insert | Remove | Move | Change | Rewrite | Configure | Replace

CHANGE_FIELDS = ("type", "code", "name", "mode", "execution")


class Record(Struct, frozen=True, kw_only=True, tag="op", omit_defaults=True):
    """One accepted command. `seq` is that of its ack; `undoes` is the revision that an undo or redo takes back.

    Commands without a document part (runs, database) have `operation` null: their id and answer are kept all the
    same, so that a frame sent twice has its effect once. Never holds a field of `commands.SECRET_FIELDS`.
    """

    id: str
    client: str
    command: str
    base: int
    revision: int
    operation: Operation | None = None
    inverse: Operation | None = None
    kind: Literal["do", "undo", "redo"] = "do"
    undoes: int | None = None
    result: dict[str, Any] | None = None
    seq: int = 0


class Answer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ack that a command got, for the same frame sent again."""

    client: str
    id: str
    revision: int
    seq: int = 0
    result: dict[str, Any] | None = None


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One undoable step of a client: `operation` is what happened, `inverse` takes it back."""

    id: str
    client: str
    revision: int
    operation: Operation
    inverse: Operation


class Saved(Struct, frozen=True, kw_only=True, tag="saved", omit_defaults=True):
    """The notebook file holds this revision; `file_hash` is the SHA-256 of its bytes.

    `cells` is what the file holds when that is not the document of this revision: somebody else wrote it.
    """

    revision: int
    file_hash: str
    cells: tuple[StoredCell, ...] | None = None


class Image(Struct, frozen=True, kw_only=True, tag="image", omit_defaults=True):
    """The whole document with its undo stacks and answers: the first record of a segment.

    `saved.cells` is what the file holds when that is not these cells: where a merge begins.
    """

    revision: int
    cells: tuple[StoredCell, ...]
    name: str
    settings: Settings
    undo: tuple[Step, ...] = ()
    redo: tuple[Step, ...] = ()
    answers: tuple[Answer, ...] = ()
    saved: Saved | None = None


Entry = Image | Record | Saved
