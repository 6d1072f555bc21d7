"""What differs between the databases behind SQLAlchemy: options, cancel, types, values, how read-only is enforced.

Read-only is enforced in layers, none of which is a wall by itself: the statements' words (`connections`), the session
(here), and — the only true boundary — a database role that may only SELECT, which is the user's to make.
"""

import math
import sqlite3
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

from tailrace_kernel.sql.values import as_json, for_sqlite, plain, without_nan

CANCEL_TIMEOUT = 2.0  # seconds
LOCK_WAIT = 5.0  # seconds SQLite waits for another writer
_APPLICATION = "tailrace"
_UNKNOWN = "oid "  # before the number of a type of PostgreSQL that has no name yet


def backend_of(url: URL) -> "Backend":
    match url.get_backend_name():
        case "postgresql" if url.get_driver_name() == "psycopg":
            return PostgreSQL()
        case "sqlite":
            return SQLite()
        case "mysql" | "mariadb":
            return MySQL()
        case _:
            return Backend()


class Backend:
    """A dialect we know nothing about."""

    probe = "SELECT 1"
    streams = False
    hidden_schemas: frozenset[str] = frozenset({"information_schema"})
    autocommit: ClassVar[dict[str, Any]] = {"isolation_level": "AUTOCOMMIT"}

    def options(self, url: URL, *, read_only: bool, connect_timeout: float) -> tuple[URL, dict[str, Any]]:
        """The URL and the further arguments of `create_engine`."""
        return url, {}

    def prepare(self, engine: sa.Engine, *, read_only: bool) -> None:
        """Listeners for new connections."""

    def interrupt(self, connection: Any, engine: sa.Engine) -> None:
        """Stop what runs; a driver without a cancel loses its connection, and the server may go on."""
        (getattr(connection, "cancel", None) or connection.close)()

    def in_transaction(self, connection: Any) -> bool:
        """Whether a cell in autocommit left a transaction of its own open."""
        return False

    def roll_back(self, connection: Any) -> None:
        """End a transaction that the cell began itself."""
        connection.rollback()

    def column(self, described: Sequence[Any]) -> tuple[str, pa.DataType | None]:
        """The database's word for a column's type, and the Arrow type its values have, from PEP 249's description."""
        return "", None

    def named(self, words: list[str], connection: sa.Connection) -> list[str]:
        """The words of `column`, with the names of types that only this database has."""
        return words

    def normalise(self, value: object, source: str) -> object:
        return _documents(plain(value, source), as_json)


class PostgreSQL(Backend):
    streams = True
    hidden_schemas = frozenset({"information_schema", "pg_catalog", "pg_toast"})

    _ARROW: ClassVar[dict[int, pa.DataType]] = {
        16: pa.bool_(), 17: pa.binary(), 18: pa.string(), 19: pa.string(), 20: pa.int64(), 21: pa.int16(),
        23: pa.int32(), 25: pa.string(), 26: pa.int64(), 700: pa.float64(), 701: pa.float64(), 1042: pa.string(),
        1043: pa.string(), 1082: pa.date32(), 1083: pa.time64("us"), 1114: pa.timestamp("us"),
        1184: pa.timestamp("us", "UTC"), 1186: pa.duration("us"), 2950: pa.string(),
    }  # fmt: skip

    def options(self, url: URL, *, read_only: bool, connect_timeout: float) -> tuple[URL, dict[str, Any]]:
        arguments: dict[str, Any] = {"prepare_threshold": None}
        if "connect_timeout" not in url.query:
            arguments["connect_timeout"] = math.ceil(connect_timeout)
        if "application_name" not in url.query:
            arguments["application_name"] = _APPLICATION
        if read_only:
            given = url.query.get("options", "")
            arguments["options"] = f"{given} -c default_transaction_read_only=on".strip()
            url = url.difference_update_query(["options"])
        return url, {"connect_args": arguments}

    def prepare(self, engine: sa.Engine, *, read_only: bool) -> None:
        @sa.event.listens_for(engine, "handle_error")
        def failed(context: sa.engine.ExceptionContext) -> None:
            """SQLAlchemy forgets the cursor of a connection that broke; psycopg wants it closed."""
            cursor = context.execution_context.cursor if context.execution_context is not None else None
            if context.is_disconnect and cursor is not None:
                cursor.close()

    def interrupt(self, connection: Any, engine: sa.Engine) -> None:
        connection.cancel_safe(timeout=CANCEL_TIMEOUT)

    def in_transaction(self, connection: Any) -> bool:
        return bool(connection.info.transaction_status.name != "IDLE")

    def column(self, described: Sequence[Any]) -> tuple[str, pa.DataType | None]:
        from psycopg.postgres import types

        oid = described[1]
        known = types.get(oid)
        if known is None:
            return f"{_UNKNOWN}{oid}", None
        return known.name + ("[]" if oid == known.array_oid else ""), self._ARROW.get(oid)

    def named(self, words: list[str], connection: sa.Connection) -> list[str]:
        """Enums, domains and composites have an OID that the driver cannot know."""
        unknown = [int(word.removeprefix(_UNKNOWN)) for word in words if word.startswith(_UNKNOWN)]
        if not unknown:
            return words
        asked = "SELECT oid::int8, format_type(oid, NULL) FROM pg_catalog.pg_type WHERE oid = ANY(%(oids)s)"
        rows = connection.exec_driver_sql(asked, {"oids": unknown})
        names = {f"{_UNKNOWN}{oid}": name for oid, name in rows}
        return [names.get(word, word) for word in words]

    def normalise(self, value: object, source: str) -> object:
        from psycopg.types.json import Jsonb

        return _documents(plain(value, source), Jsonb)


class SQLite(Backend):
    """Transactions are ours: `sqlite3` would begin them only before some statements."""

    probe = "PRAGMA schema_version"  # unlike SELECT 1 it opens the file
    hidden_schemas = frozenset()
    autocommit: ClassVar[dict[str, Any]] = {"tailrace_autocommit": True}

    def options(self, url: URL, *, read_only: bool, connect_timeout: float) -> tuple[URL, dict[str, Any]]:
        arguments: dict[str, Any] = {"check_same_thread": False, "timeout": LOCK_WAIT}
        path = url.database or ""
        if path in {"", ":memory:"}:
            return url, {"connect_args": arguments, "poolclass": StaticPool}
        if read_only and not path.startswith("file:"):
            url = url.set(database=f"file:{quote(path)}").update_query_dict({"mode": "ro", "uri": "true"})
        return url, {"connect_args": arguments}

    def prepare(self, engine: sa.Engine, *, read_only: bool) -> None:
        @sa.event.listens_for(engine, "connect")
        def connected(connection: sqlite3.Connection, _: object) -> None:
            connection.isolation_level = None
            if read_only:
                connection.execute("PRAGMA query_only = ON")
                connection.set_authorizer(_only_reads)

        @sa.event.listens_for(engine, "begin")
        def began(connection: sa.Connection) -> None:
            if not connection.get_execution_options().get("tailrace_autocommit"):
                connection.exec_driver_sql("BEGIN")

    def interrupt(self, connection: Any, engine: sa.Engine) -> None:
        connection.interrupt()

    def in_transaction(self, connection: Any) -> bool:
        return bool(connection.in_transaction)

    def normalise(self, value: object, source: str) -> object:
        return for_sqlite(plain(value, source), source)


class MySQL(Backend):
    _IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS of MySQL's client protocol, in the status of every answer

    hidden_schemas = frozenset({"information_schema", "mysql", "performance_schema", "sys"})

    def options(self, url: URL, *, read_only: bool, connect_timeout: float) -> tuple[URL, dict[str, Any]]:
        if "connect_timeout" in url.query:
            return url, {}
        return url, {"connect_args": {"connect_timeout": math.ceil(connect_timeout)}}

    def prepare(self, engine: sa.Engine, *, read_only: bool) -> None:
        if not read_only:
            return

        @sa.event.listens_for(engine, "connect")
        def connected(connection: Any, _: object) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")

    def interrupt(self, connection: Any, engine: sa.Engine) -> None:
        with engine.connect() as other:
            other.exec_driver_sql(f"KILL QUERY {int(connection.thread_id())}")

    def in_transaction(self, connection: Any) -> bool:
        return bool(getattr(connection, "server_status", 0) & self._IN_TRANSACTION)

    def normalise(self, value: object, source: str) -> object:
        value = _documents(plain(value, source), as_json)
        return [without_nan(each) for each in value] if isinstance(value, list) else without_nan(value)


_READS = frozenset({
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
    sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT,
})  # fmt: skip


def _only_reads(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """SQLite's authorizer: reading, and asking a PRAGMA without setting it."""
    asks = action == sqlite3.SQLITE_PRAGMA and (second is None or first in {"table_info", "index_list", "table_xinfo"})
    return sqlite3.SQLITE_OK if action in _READS or asks else sqlite3.SQLITE_DENY


def _documents(value: object, wrap: Any) -> object:
    """`value` with its documents (dict) wrapped, also inside a list."""
    match value:
        case dict():
            return wrap(value)
        case list():
            return [_documents(each, wrap) for each in value]
    return value
