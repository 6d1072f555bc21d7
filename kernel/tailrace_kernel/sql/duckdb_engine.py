"""DuckDB, natively: the notebook's own in-memory database, or a file. One fresh cursor for each cell.

Replacement scans are off: a cell sees exactly the frames it was given, under the names it was given, and no local
variable of ours. Only calls that DuckDB 1.5 and 2.0 share are used.
"""

import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as pads

from tailrace_kernel.sql.binding import Bound
from tailrace_kernel.sql.engine import Answer, Keep, makes_temporary, may_return_rows
from tailrace_kernel.sql.failures import SqlStatementError, clean_text, line_in, renumbered
from tailrace_kernel.sql.grid import Budget, from_batches
from tailrace_kernel.sql.made import Made, Maker, Thing
from tailrace_kernel.sql.schema import SchemaNode
from tailrace_kernel.sql.schema_cache import SchemaCache
from tailrace_kernel.sql.secrets import Secrets
from tailrace_kernel.sql.values import plain
from tailrace_kernel.sql_statements import Statement

logger = logging.getLogger(__name__)

NO_SECRETS = Secrets.of("")
BATCH = 2048 * 16  # rows of one Arrow batch
ARROW = (pa.Table, pa.RecordBatch, pa.RecordBatchReader, pads.Dataset)

# What a cell can make in memory, older entries first: kind, database, schema, name.
MADE = """
    SELECT kind, database_name, schema_name, name FROM (
        SELECT 'TABLE' AS kind, database_name, schema_name, table_name AS name, table_oid AS oid, internal
        FROM duckdb_tables()
        UNION ALL SELECT 'VIEW', database_name, schema_name, view_name, view_oid, internal FROM duckdb_views()
        UNION ALL SELECT 'SEQUENCE', database_name, schema_name, sequence_name, sequence_oid, false
        FROM duckdb_sequences()
        UNION ALL SELECT 'TYPE', database_name, schema_name, type_name, type_oid, internal FROM duckdb_types()
        UNION ALL SELECT 'SCHEMA', database_name, schema_name, schema_name, oid, internal FROM duckdb_schemas()
        UNION ALL SELECT if(function_type = 'macro', 'MACRO', 'MACRO TABLE'), database_name, schema_name, function_name,
            function_oid, internal FROM duckdb_functions() WHERE function_type IN ('macro', 'table_macro')
    ) WHERE NOT internal AND database_name IN ('memory', 'temp') ORDER BY oid
"""


class DuckDBEngine:
    """`begin` gives each cell its own cursor; temporary tables keep the cursor that made them."""

    dialect = sqlglot_dialect = driver = "duckdb"
    paramstyle = "dollar"

    def __init__(
        self, connection: Any, *, read_only: bool, path: str | None = None, secrets: Secrets = NO_SECRETS
    ) -> None:
        self._connection = connection
        self._secrets = secrets
        self.path = path  # of a database file
        self._open = threading.Lock()  # held while the file is open for writing, and so not for reading
        self.read_only = read_only
        self.structure = SchemaCache()
        self.server_version = str(duckdb.__version__)
        self.made = Made() if path is None else None  # files outlive the notebook
        self._pin = threading.Lock()
        self._pinned: Any = None  # the cursor that holds temporary tables, while no cell uses it
        self._temporary = False  # there is such a cursor, used or not
        _refuse_scans(connection)

    @classmethod
    def in_memory(cls) -> "DuckDBEngine":
        return cls(duckdb.connect(":memory:"), read_only=False)

    @classmethod
    def at(cls, path: str, *, read_only: bool, secrets: Secrets = NO_SECRETS) -> "DuckDBEngine":
        """A database file. Raises what DuckDB raises; the file is locked for other processes."""
        if path in {"", ":memory:"}:
            return cls(duckdb.connect(":memory:"), read_only=read_only, secrets=secrets)
        return cls(duckdb.connect(path, read_only=read_only), read_only=read_only, path=path, secrets=secrets)

    @contextmanager
    def writable(self) -> Iterator["DuckDBEngine"]:
        """DuckDB opens a file either for reading or for writing, so this reopens it, and temporary tables go."""
        if not self.read_only:
            yield self
        elif self.path is None:
            yield DuckDBEngine(self._connection, read_only=False, secrets=self._secrets)
        else:
            with self._open:
                self._close()
                try:
                    other = DuckDBEngine.at(self.path, read_only=False, secrets=self._secrets)
                    try:
                        yield other
                    finally:
                        other.close()
                finally:
                    self._connect()

    def begin(
        self, frames: Mapping[str, object], *, autocommit: bool, early: bool = False, maker: Maker | None = None
    ) -> "DuckDBSession":
        with self._open, self._pin:
            cursor = None if early else self._pinned
            self._pinned = self._pinned if early else None
            used = cursor or self._connection.cursor()
        session = DuckDBSession(self, used, frames, autocommit=autocommit)
        session.has_temporary = cursor is not None
        if maker is not None and self.made is not None:
            try:
                session.clear_for(maker, self.made)
            except BaseException:
                session.close()
                raise
        return session

    def forget(self, cell: str) -> None:
        """Drop what a cell made that is gone."""
        made = self.made
        things = made.of(cell) if made is not None else []
        if made is None or not things:
            return
        session = self.begin({}, autocommit=True)
        try:
            for thing in things:  # what another table needs stays, and stays known as made here
                if session.drop((thing,)):
                    made.forget(thing)
        finally:
            session.close()
            self.structure.forget()

    def takes_early(self) -> bool:
        """A view may read a file, which may be written any time."""
        if self._temporary:
            return False
        with self._open, self._connection.cursor() as cursor:
            (views,) = cursor.execute("SELECT count(*) FROM duckdb_views() WHERE NOT internal").fetchone()
        return not views

    def normalise(self, value: object, source: str) -> object:
        return plain(value, source)

    def error_text(self, error: BaseException) -> str:
        return self._secrets.scrub(clean_text(error))

    def error_line(self, error: BaseException) -> int | None:
        return line_in(str(error))

    def schema(self, path: tuple[str, ...]) -> dict[tuple[str, ...], tuple[SchemaNode, ...]]:
        with self._open, self._connection.cursor() as cursor:
            match path:
                case ():
                    return {path: _schemas(cursor)}
                case (schema,):
                    return {path: _tables(cursor, schema)}
                case (schema, _):
                    return _columns(cursor, schema)
                case _:
                    return {}

    def keep_cursor(self, cursor: Any) -> None:
        """Hold a cursor with temporary tables for the next cell."""
        with self._pin:
            former, self._pinned = self._pinned, cursor
            self._temporary = True
        if former is not None:
            former.close()

    def close(self) -> None:
        with self._open:
            self._close()

    def let_go(self) -> None:
        """Close the file, so that it can be opened in another way; temporary tables go."""
        with self._open:
            self._close()

    def open_again(self) -> None:
        """Undo `let_go`."""
        with self._open:
            self._connect()

    def _connect(self) -> None:
        self._connection = duckdb.connect(self.path or ":memory:", read_only=self.read_only)
        _refuse_scans(self._connection)
        self.structure.forget()

    def _close(self) -> None:
        with self._pin:
            if self._pinned is not None:
                self._pinned.close()
                self._pinned = None
            self._temporary = False
        self._connection.close()


class DuckDBSession:
    """One cell on one cursor."""

    def __init__(self, engine: DuckDBEngine, cursor: Any, frames: Mapping[str, object], *, autocommit: bool) -> None:
        self._engine = engine
        self._cursor = cursor
        self._autocommit = autocommit
        self._frames = [name for name, frame in frames.items() if is_table(frame)]
        self.has_temporary = False
        for name in self._frames:
            cursor.register(name, frames[name])
        self._making: tuple[Maker, Made, list[Thing]] | None = None
        if not autocommit:
            cursor.begin()

    def clear_for(self, maker: Maker, made: Made) -> None:
        """Drop what the cell made when it ran last; from then on note what it makes."""
        if not self.drop(made.former(maker)) and not self._autocommit:
            self._rolled_back()
            self._cursor.begin()
        self._making = maker, made, self._things()

    def drop(self, things: Iterable[Thing]) -> bool:
        """False if something else needs one of them: then the cell itself will say so, in its own words."""
        try:
            for thing in things:
                self._cursor.execute(thing.drop)
        except duckdb.Error:
            logger.debug("what a cell made is needed elsewhere", exc_info=True)
            return False
        return True

    def execute(self, bound: Bound, statement: Statement, keep: Keep | None) -> Answer:
        try:
            if may_return_rows(statement) or statement.kind in {"call", "execute"}:
                relation = self._cursor.sql(bound.text, params=bound.values or None)
                if relation is None:
                    return Answer(None, None)
                if keep is not None and keep.rows is not None and statement.kind in {"select", "from", "table"}:
                    relation = relation.limit(keep.rows + 1)  # so that no more than that is computed
                return self._read(relation, keep)
            self._cursor.execute(bound.text, bound.values or None)
        except duckdb.Error as error:
            raise self._located(error, bound) from None
        self.has_temporary |= makes_temporary(statement)
        return Answer(None, self._changed() if statement.is_write else None)

    def interrupt(self) -> None:
        self._cursor.interrupt()

    def commit(self) -> None:
        if self._autocommit and self._rolled_back():
            message = "The cell began a transaction and did not end it, so it was rolled back: add COMMIT."
            raise SqlStatementError(message, None)
        after = self._things() if self._making is not None else []
        if not self._autocommit:
            self._cursor.commit()
        self._take(after)

    def rollback(self) -> None:
        self._rolled_back()
        if self._autocommit and self._making is not None:  # what came before the failure stays
            try:
                self._take(self._things())
            except duckdb.Error:
                logger.warning("what a failed cell made is not known", exc_info=True)

    def _take(self, after: list[Thing]) -> None:
        if self._making is not None:
            maker, made, before = self._making
            made.take(maker, before, after)

    def close(self) -> None:
        try:
            for name in self._frames:
                self._cursor.unregister(name)
            if self.has_temporary:
                self._engine.keep_cursor(self._cursor)
            else:
                self._cursor.close()
        except duckdb.Error:
            logger.debug("a cursor did not close", exc_info=True)

    def _things(self) -> list[Thing]:
        """All that cells can make, but for the frames of this one, which are views for the time of the cell."""
        rows = self._cursor.execute(MADE).fetchall()
        frames = {("temp", name.lower()) for name in self._frames}
        return [Thing(*row) for row in rows if row[0] != "VIEW" or (row[1], row[3].lower()) not in frames]

    def _rolled_back(self) -> bool:
        try:
            self._cursor.rollback()
        except duckdb.Error:  # no transaction is active
            return False
        return True

    def _read(self, relation: Any, keep: Keep | None) -> Answer:
        reader = relation.to_arrow_reader(BATCH)
        if keep is None:  # run it all the same: it may fail, or call nextval
            for _ in reader:
                pass
            return Answer(None, None)
        types = [str(kind) for kind in relation.types]
        grid = from_batches(iter(reader), reader.schema, types, keep.rows, Budget(keep.bytes))
        reader.close()
        return Answer(grid, grid.table.num_rows if grid.complete else None)

    def _located(self, error: duckdb.Error, bound: Bound) -> duckdb.Error:
        """The error with the line that it is about, which `sql()` leaves out and EXPLAIN, running nothing, tells."""
        if line_in(str(error)) is not None or isinstance(error, duckdb.InterruptException):
            return error
        try:
            self._cursor.execute(f"EXPLAIN\n{bound.text}", bound.values or None).fetchall()
        except duckdb.Error as told:
            if str(told).partition("\n")[0] == str(error).partition("\n")[0]:
                return type(error)(renumbered(str(told), -1))
        return error

    def _changed(self) -> int | None:
        """How many rows a statement changed: it answers with one column `Count`."""
        description = self._cursor.description
        if not description or [column[0] for column in description] != ["Count"]:
            return None
        row = self._cursor.fetchone()
        return int(row[0]) if row else 0


def is_table(value: object) -> bool:
    """Whether DuckDB reads the value as a table: a DataFrame (pandas, polars), Arrow, or an array of 1 or 2 axes."""
    if isinstance(value, np.ndarray):
        return value.ndim in {1, 2} and value.dtype != object
    if type(value).__module__.partition(".")[0] == "polars":
        return type(value).__name__ in {"DataFrame", "LazyFrame", "Series"}
    return isinstance(value, (pd.DataFrame, pd.Series, *ARROW))


def _refuse_scans(connection: Any) -> None:
    connection.execute("SET python_enable_replacements = false")


def _schemas(cursor: Any) -> tuple[SchemaNode, ...]:
    rows = cursor.execute(
        "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() "
        "AND schema_name NOT IN ('information_schema', 'pg_catalog') ORDER BY 1"
    ).fetchall()
    return tuple(SchemaNode(name, "schema", has_children=True) for (name,) in rows)


def _tables(cursor: Any, schema: str) -> tuple[SchemaNode, ...]:
    rows = cursor.execute(
        "SELECT table_name, table_type FROM information_schema.tables "
        "WHERE table_schema = $schema AND table_catalog = current_database() ORDER BY 1",
        {"schema": schema},
    ).fetchall()
    return tuple(SchemaNode(name, "view" if kind == "VIEW" else "table", has_children=True) for name, kind in rows)


def _columns(cursor: Any, schema: str) -> dict[tuple[str, ...], tuple[SchemaNode, ...]]:
    """Those of every table of the schema."""
    rows = cursor.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = $schema "
        "AND table_catalog = current_database() ORDER BY table_name, ordinal_position",
        {"schema": schema},
    ).fetchall()
    found: dict[tuple[str, ...], tuple[SchemaNode, ...]] = {}
    for table, name, kind in rows:
        found[schema, table] = (*found.get((schema, table), ()), SchemaNode(name, "column", type=kind))
    return found
