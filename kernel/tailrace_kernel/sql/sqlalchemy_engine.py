"""Every database but DuckDB, through SQLAlchemy: PostgreSQL (psycopg 3), SQLite, MySQL, others by their dialects.

Knows pools, transactions and streaming; what differs from one database to the next is in `backends`. Rows come
through a server-side cursor where that is possible, so that looking at a large table costs what is looked at.
"""

import logging
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, CursorResult
from sqlalchemy.pool import StaticPool

from tailrace_kernel.sql.backends import Backend, backend_of
from tailrace_kernel.sql.binding import Bound
from tailrace_kernel.sql.engine import Answer, Keep, makes_temporary
from tailrace_kernel.sql.failures import (
    Place,
    SqlStatementError,
    classify_connect,
    clean_text,
    connect_sentence,
    line_in,
    renumbered,
)
from tailrace_kernel.sql.grid import Budget, from_rows
from tailrace_kernel.sql.made import Maker
from tailrace_kernel.sql.schema import SchemaNode
from tailrace_kernel.sql.schema_cache import SchemaCache
from tailrace_kernel.sql.secrets import Secrets
from tailrace_kernel.sql_statements import Statement
from tailrace_protocol.errors import ErrorCode, TailraceError

logger = logging.getLogger(__name__)

BLOCK = 10_000  # rows fetched at a time
RECYCLE = 1800  # seconds a pooled connection lives
POOL_WAIT = 10  # seconds
BULK = 1_000  # tables of a schema whose columns are asked for at once
SQLGLOT = {
    "postgresql": "postgres",
    "mssql": "tsql",
    "mariadb": "mysql",
    "awsathena": "athena",
    "clickhousedb": "clickhouse",
}
LOGGING_NAME = "tailrace"
_WRITES = re.compile(r"\b(?:insert|update|delete|merge|into)\b", re.IGNORECASE)


# SQLAlchemy logs statements and rows at INFO and DEBUG; whatever else is logged, those of cells are not.
for _logger in ("sqlalchemy.engine.Engine", "sqlalchemy.pool.impl.QueuePool", "sqlalchemy.pool.impl.StaticPool"):
    logging.getLogger(f"{_logger}.{LOGGING_NAME}").setLevel(logging.WARNING)


class SQLAlchemyEngine:
    """A pool for one URL. `begin` checks a connection out; one with temporary tables is kept for the next cell."""

    def __init__(self, engine: sa.Engine, backend: Backend, secrets: Secrets, *, read_only: bool) -> None:
        self.engine = engine
        self.backend = backend
        self.read_only = read_only
        self.dialect = engine.dialect.name
        self.sqlglot_dialect = SQLGLOT.get(self.dialect, self.dialect)
        self.driver = engine.dialect.driver
        self.paramstyle: str = engine.dialect.paramstyle
        self.server_version = ""
        self.structure = SchemaCache()
        self._secrets = secrets
        self._url, self._connect_timeout = engine.url, 0.0
        # All users of an in-memory SQLite share one connection, and so one transaction: one at a time.
        self._turn: AbstractContextManager[object] = (
            threading.Lock() if isinstance(engine.pool, StaticPool) else nullcontext()
        )
        self._pin = threading.Lock()
        self._pinned: Connection | None = None
        self._temporary = False  # a connection has temporary tables, used or not

    @classmethod
    def connect(cls, url: URL, secrets: Secrets, *, read_only: bool, connect_timeout: float) -> "SQLAlchemyEngine":
        """Make the pool and ask the server once. Raises what the driver raises."""
        given, backend = url, backend_of(url)
        url, options = backend.options(url, read_only=read_only, connect_timeout=connect_timeout)
        pool = {} if "poolclass" in options else {"pool_timeout": POOL_WAIT}
        options |= {"logging_name": LOGGING_NAME, "pool_logging_name": LOGGING_NAME}
        engine = sa.create_engine(
            url, pool_pre_ping=True, pool_recycle=RECYCLE, hide_parameters=True, **pool, **options
        )
        backend.prepare(engine, read_only=read_only)
        made = cls(engine, backend, secrets, read_only=read_only)
        made._url, made._connect_timeout = given, connect_timeout
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(backend.probe)
                made.server_version = ".".join(map(str, engine.dialect.server_version_info or ()))
        except BaseException:
            engine.dispose()
            raise
        return made

    def begin(
        self, frames: Mapping[str, object], *, autocommit: bool, early: bool = False, maker: Maker | None = None
    ) -> "SQLAlchemySession":
        """`frames` cannot be tables here; their names serve to explain a table that does not exist. What a `maker`
        made stays: others may use it."""
        self._turn.__enter__()
        try:
            return self._begin(autocommit, early)
        except BaseException:
            self.give_turn()
            raise

    def give_turn(self) -> None:
        """The session that `begin` gave is closed."""
        self._turn.__exit__(None, None, None)

    def _begin(self, autocommit: bool, early: bool) -> "SQLAlchemySession":
        with self._pin:
            connection = None if early else self._pinned
            self._pinned = self._pinned if early else None
        if connection is not None and not self._answers(connection):
            connection = None
        pinned = connection is not None
        chosen = connection or self._connected()
        try:
            return SQLAlchemySession(self, chosen, autocommit=autocommit, pinned=pinned)
        except BaseException:
            chosen.close()
            raise

    @contextmanager
    def writable(self) -> Iterator["SQLAlchemyEngine"]:
        """A connection of its own, closed afterwards: none that may write stays in the pool."""
        if not self.read_only:
            yield self
            return
        if isinstance(self.engine.pool, StaticPool):
            message = "A read-only database in memory has nothing to write to: configure it without read_only."
            raise TailraceError(ErrorCode.DB_READ_ONLY, message)
        try:
            timeout = self._connect_timeout
            other = SQLAlchemyEngine.connect(self._url, self._secrets, read_only=False, connect_timeout=timeout)
        except Exception as error:
            raise self._unreachable(error) from None
        other.structure = self.structure
        try:
            yield other
        finally:
            other.close()

    def takes_early(self) -> bool:
        return not self._temporary and not isinstance(self.engine.pool, StaticPool)

    def normalise(self, value: object, source: str) -> object:
        return self.backend.normalise(value, source)

    def error_text(self, error: BaseException) -> str:
        text = clean_text(error)
        return self._secrets.scrub(renumbered(text, -1) if self.backend.streams else text)

    def error_line(self, error: BaseException) -> int | None:
        return line_in(self.error_text(error))

    def schema(self, path: tuple[str, ...]) -> dict[tuple[str, ...], tuple[SchemaNode, ...]]:
        with self._turn:
            return self._schema(path)

    def _schema(self, path: tuple[str, ...]) -> dict[tuple[str, ...], tuple[SchemaNode, ...]]:
        inspector = sa.inspect(self.engine)
        match path:
            case ():
                names = [name for name in inspector.get_schema_names() if name not in self.backend.hidden_schemas]
                return {path: tuple(SchemaNode(name, "schema", has_children=True) for name in sorted(names))}
            case (schema,):
                tables = [SchemaNode(name, "table", has_children=True) for name in inspector.get_table_names(schema)]
                views = [SchemaNode(name, "view", has_children=True) for name in inspector.get_view_names(schema)]
                return {path: tuple(sorted(tables + views, key=lambda node: node.name))}
            case (schema, table):
                siblings = inspector.get_table_names(schema)
                if table in siblings and len(siblings) <= BULK:
                    found = inspector.get_multi_columns(schema=schema)
                    return {(schema, name): _column_nodes(columns) for (_, name), columns in found.items()}
                return {path: _column_nodes(inspector.get_columns(table, schema))}
            case _:
                return {}

    def _connected(self) -> Connection:
        """A connection of the pool, opened again if the server went away meanwhile."""
        try:
            return self.engine.connect()
        except Exception as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> TailraceError:
        text = self.error_text(error)
        url = self.engine.url
        place = Place(url.host or "", url.port, url.username or "", url.database or "")
        code = classify_connect(error, text)
        return TailraceError(code, connect_sentence(code, place.scrubbed(self._secrets.scrub), text))

    def _answers(self, connection: Connection) -> bool:
        """Whether a kept connection still lives; if not it is dropped, its temporary tables are gone anyway."""
        try:
            driver_connection = connection.connection.dbapi_connection
            alive = driver_connection is not None and self.engine.dialect.do_ping(driver_connection)
            connection.rollback()
        except Exception:
            alive = False
        if not alive:
            connection.invalidate()
            connection.close()
        return alive

    def keep_connection(self, connection: Connection) -> None:
        """Hold a connection with temporary tables for the next cell."""
        with self._pin:
            former, self._pinned = self._pinned, connection
            self._temporary = True
        if former is not None:
            former.close()

    def close(self) -> None:
        with self._pin:
            pinned, self._pinned = self._pinned, None
        if pinned is not None:
            pinned.close()
        self.engine.dispose()


class SQLAlchemySession:
    """One cell on one connection of the pool."""

    def __init__(self, engine: SQLAlchemyEngine, connection: Connection, *, autocommit: bool, pinned: bool) -> None:
        self._engine = engine
        self._connection = connection
        self._autocommit = autocommit
        self._has_temporary = pinned
        if autocommit:
            connection.execution_options(**engine.backend.autocommit)
        self._driver_connection = connection.connection.dbapi_connection
        connection.begin()

    def execute(self, bound: Bound, statement: Statement, keep: Keep | None) -> Answer:
        streamed = keep is not None and not self._autocommit and self._engine.backend.streams
        streamed = streamed and reads_only(statement) and not has_untyped_twice(bound)
        block = BLOCK if keep is None or keep.rows is None else min(BLOCK, keep.rows + 1)
        options: dict[str, object] = {"stream_results": streamed, "max_row_buffer": block}
        if not bound.values:
            options["no_parameters"] = True
        # The newline keeps `DECLARE … CURSOR FOR` out of the line that an error message quotes (see error_text).
        text = f"\n{bound.text}" if self._engine.backend.streams else bound.text
        values = bound.values or None
        result = self._connection.exec_driver_sql(text, values, execution_options=options)
        try:
            self._has_temporary |= makes_temporary(statement)
            return self._answer(result, keep, block)
        finally:
            result.close()

    def interrupt(self) -> None:
        self._engine.backend.interrupt(self._driver_connection, self._engine.engine)

    def commit(self) -> None:
        if self._autocommit and self._engine.backend.in_transaction(self._driver_connection):
            self.rollback()
            message = "The cell began a transaction and did not end it, so it was rolled back: add COMMIT."
            raise SqlStatementError(message, None)
        self._connection.commit()

    def rollback(self) -> None:
        try:
            if self._autocommit:
                self._engine.backend.roll_back(self._driver_connection)
            self._connection.rollback()
        except Exception:  # the connection is broken: the server rolls back by itself
            logger.debug("a rollback failed", exc_info=True)
            self._connection.invalidate()

    def close(self) -> None:
        try:
            if self._has_temporary and not self._connection.invalidated:
                self._connection.rollback()
                self._engine.keep_connection(self._connection)
            else:
                self._connection.close()
        except Exception:  # the same
            logger.debug("a connection did not close", exc_info=True)
        finally:
            self._engine.give_turn()

    def _answer(self, result: CursorResult[tuple[object, ...]], keep: Keep | None, block: int) -> Answer:
        if not result.returns_rows or result.cursor is None:
            return Answer(None, result.rowcount if result.rowcount >= 0 else None)
        if keep is None:
            return Answer(None, None)
        described = result.cursor.description or ()
        columns = [self._engine.backend.column(each) for each in described]
        grid = from_rows(
            blocks_of(result, block),
            [str(each[0]) for each in described],
            self._engine.backend.named([word for word, _ in columns], self._connection),
            [kind for _, kind in columns],
            keep.rows,
            Budget(keep.bytes),
        )
        return Answer(grid, grid.table.num_rows if grid.complete else None)


def blocks_of(result: CursorResult[tuple[object, ...]], size: int) -> Iterator[Sequence[Sequence[object]]]:
    """The driver's own tuples, which cost a third of SQLAlchemy's rows; it holds the first one already."""
    first = result.fetchmany(1)
    cursor = result.cursor
    if not first or cursor is None:
        return
    rows: list[Sequence[object]] = [*first, *cursor.fetchmany(max(1, size - 1))]
    while rows:
        yield rows
        rows = list(cursor.fetchmany(size))


def _column_nodes(columns: Sequence[Any]) -> tuple[SchemaNode, ...]:
    return tuple(SchemaNode(column["name"], "column", type=str(column["type"])) for column in columns)


def reads_only(statement: Statement) -> bool:
    """Whether a server-side cursor takes it; a word of a string that looks like a write costs speed only."""
    return statement.kind in {"select", "values", "table", "with"} and not _WRITES.search(statement.text)


def has_untyped_twice(bound: Bound) -> bool:
    """Whether a text is bound in two places: a cursor's declaration fixes its type before it is known
    (`:x IS NULL OR name = :x`)."""
    if not isinstance(bound.values, Mapping):
        return False
    return any(isinstance(value, str) and bound.text.count(f"%({name})s") > 1 for name, value in bound.values.items())
