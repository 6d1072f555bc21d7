"""The port between a SQL cell and a database: two real implementations, DuckDB natively and SQLAlchemy."""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from tailrace_kernel.sql.binding import Bound
from tailrace_kernel.sql.grid import Grid
from tailrace_kernel.sql.made import Maker
from tailrace_kernel.sql.schema import SchemaNode
from tailrace_kernel.sql.schema_cache import SchemaCache
from tailrace_kernel.sql_statements import Statement

SILENT = frozenset({"set", "reset", "use", "attach", "detach", "vacuum", "analyze", "checkpoint", "load", "install"})
_TEMPORARY = re.compile(r"\s*create\s+(?:or\s+replace\s+)?(?:global\s+|local\s+)?temp(?:orary)?\s", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a result is fetched: `rows` None is all of them, within `bytes` of Arrow."""

    rows: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What one statement gave: a grid if it returns rows, and a count where one is known."""

    grid: Grid | None
    rows: int | None


class Session(Protocol):
    """One cell on one connection of the database."""

    def execute(self, bound: Bound, statement: Statement, keep: Keep | None) -> Answer:
        """Run one statement; `keep` None: its rows are not wanted. Raises what the driver raises."""
        ...

    def interrupt(self) -> None:
        """Make the statement that runs now fail; called from another thread."""
        ...

    def commit(self) -> None:
        """End the transaction for good. Raises if the cell left one of its own open."""
        ...

    def rollback(self) -> None:
        """Take back what the transaction did; never raises."""
        ...

    def close(self) -> None:
        """Give the connection back; never raises."""
        ...


class Engine(Protocol):
    """One database under one name."""

    @property
    def dialect(self) -> str: ...  # SQLAlchemy's word
    @property
    def sqlglot_dialect(self) -> str: ...
    @property
    def driver(self) -> str: ...
    @property
    def server_version(self) -> str: ...
    @property
    def paramstyle(self) -> str: ...  # PEP 249, and `dollar`: $name
    @property
    def read_only(self) -> bool: ...
    @property
    def structure(self) -> SchemaCache: ...

    def begin(
        self, frames: Mapping[str, object], *, autocommit: bool, early: bool = False, maker: Maker | None = None
    ) -> Session:
        """A session with `frames` registered as tables, in a transaction unless `autocommit`; never the one with
        temporary tables if `early`. In the notebook's own database what `maker` made before is dropped first."""
        ...

    def takes_early(self) -> bool:
        """Whether a session beside that of the cell whose turn it is sees the same tables. Asks the database."""
        ...

    def normalise(self, value: object, source: str) -> object:
        """`value` as the driver takes it; raises db_parameter naming `source`."""
        ...

    def error_text(self, error: BaseException) -> str:
        """The driver's words, cleaned and without secrets."""
        ...

    def error_line(self, error: BaseException) -> int | None:
        """Line of the statement, from 1, if the driver knows."""
        ...

    def schema(self, path: tuple[str, ...]) -> Mapping[tuple[str, ...], tuple[SchemaNode, ...]]:
        """The nodes below `path`, and those below other paths that came with them."""
        ...

    def writable(self) -> "AbstractContextManager[Engine]":
        """The same database for one cell that may write. Raises as `begin` where that cannot be opened."""
        ...

    def close(self) -> None: ...


def makes_temporary(statement: Statement) -> bool:
    """Whether the statement makes a table or view that only its own connection sees."""
    return _TEMPORARY.match(statement.text) is not None


def may_return_rows(statement: Statement) -> bool:
    """Whether the statement may be the one whose table is shown."""
    if statement.kind in {"select", "from", "values", "table"}:
        return True
    if statement.controls_transaction or statement.kind in SILENT:
        return False
    return not statement.is_write or "returning" in statement.text.lower()
