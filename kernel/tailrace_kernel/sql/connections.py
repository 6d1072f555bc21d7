"""The named connections of one kernel, and the one entry for running a SQL cell on one of them.

Knows names and engines; not cells, not the graph. Every method may be called from any thread. A connection is
replaced only after the new one answered a probe; what cannot connect leaves the old one in force. `default` and
`duckdb` are the notebook's own in-memory DuckDB until they are configured; its tables live as long as the kernel.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from tailrace_kernel.sql.cell_run import CellText, run_cell
from tailrace_kernel.sql.duckdb_engine import DuckDBEngine
from tailrace_kernel.sql.engine import Engine
from tailrace_kernel.sql.made import Maker
from tailrace_kernel.sql.opening import duckdb_file, open_engine
from tailrace_kernel.sql.result import SqlLimits, SqlResult
from tailrace_kernel.sql.running import Running
from tailrace_kernel.sql.schema import SchemaNode
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import FrameLibrary

logger = logging.getLogger(__name__)

EMBEDDED_NAMES = ("default", "duckdb")
CONNECT_TIMEOUT = 8.0  # seconds


@dataclass(frozen=True, slots=True)
class Configured:
    """A connection in force; holds no secret. `note` is a sentence worth showing (a new file was made …)."""

    name: str
    dialect: str  # SQLAlchemy's word: duckdb, postgresql, sqlite, mysql …
    driver: str
    server_version: str
    redacted_url: str
    seconds: float  # the probe took
    note: str = ""


def no_parameters(source: str) -> object:
    """The lookup of a cell that has none."""
    raise NameError(f"name {source!r} is not defined")


class Connections:
    """One per kernel."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._embedded = DuckDBEngine.in_memory()
        embedded = Configured("default", "duckdb", "duckdb", self._embedded.server_version, "duckdb:///:memory:", 0.0)
        self._engines: dict[str, tuple[Engine, Configured]] = {"default": (self._embedded, embedded)}

    def configure(
        self,
        name: str = "default",
        url: str | None = None,
        *,
        read_only: bool = False,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> Configured:
        """Connect `name` to `url` (or `env:NAME`, `keyring:NAME`); None is the embedded DuckDB. Blocks for at most
        `connect_timeout` seconds plus one.

        Raises TailraceError (db_*), with no secret in it; the former connection of that name then stays in force.
        """
        began = time.monotonic()
        if url is None:
            version = self._embedded.server_version
            configured = Configured(name, "duckdb", "duckdb", version, "duckdb:///:memory:", 0.0)
            self._replace(name, self._embedded, configured)
            return configured
        with self._set_aside(name, url):
            opened = open_engine(url, read_only=read_only, connect_timeout=connect_timeout)
        seconds = time.monotonic() - began
        engine = opened.engine
        configured = Configured(
            name, engine.dialect, engine.driver, engine.server_version, opened.redacted_url, seconds, opened.note
        )
        self._replace(name, engine, configured)
        return configured

    @contextmanager
    def _set_aside(self, name: str, url: str) -> Iterator[None]:
        """DuckDB opens a file in one way at a time: who wants the same file in another way must let go of it first."""
        with self._lock:
            engine = self._engines[name][0] if name in self._engines else None
        path = duckdb_file(url)
        if path is None or not isinstance(engine, DuckDBEngine) or engine.path != path:
            yield
            return
        engine.let_go()
        try:
            yield
        except BaseException:
            engine.open_again()
            raise

    def configured(self) -> tuple[Configured, ...]:
        """Every connection in force, by name."""
        with self._lock:
            return tuple(configured for _, configured in self._engines.values())

    def dialect(self, name: str = "default") -> str:
        """sqlglot's word for the dialect of a connection. Raises unknown_connection."""
        return self._engine(name).sqlglot_dialect

    def dialects(self) -> dict[str, str]:
        """Connection → sqlglot's word, for `analyze_sql_cell`."""
        with self._lock:
            known = {name: engine.sqlglot_dialect for name, (engine, _) in self._engines.items()}
        return {**dict.fromkeys(EMBEDDED_NAMES, "duckdb"), **known}

    def embedded(self) -> frozenset[str]:
        """Names that now mean the notebook's own in-memory DuckDB, for `analyze_sql_cell`."""
        with self._lock:
            others = {name for name, (engine, _) in self._engines.items() if engine is not self._embedded}
            ours = {name for name, (engine, _) in self._engines.items() if engine is self._embedded}
        return frozenset((ours | set(EMBEDDED_NAMES)) - others)

    def run(
        self,
        statement: str,
        connection: str = "default",
        *,
        parameters: Callable[[str], object] = no_parameters,
        frames: Mapping[str, object] | None = None,
        result: str | None = None,
        limits: SqlLimits | None = None,
        running: Running | None = None,
        first_line: int = 1,
        library: FrameLibrary = "pandas",
        write: bool = False,
        early: bool = False,
        maker: Maker | None = None,
    ) -> SqlResult:
        """Run the statements of one cell in one transaction; blocks.

        `parameters` gives the value of a Python name or expression and is called once for each, before the
        transaction begins; what it raises goes through. `frames` that `is_table` are registered under exactly these
        names (DuckDB), for this cell only, and hide tables of the same name; the others help to explain an error.
        `result`: the name that will hold the whole result. `first_line`: line of the cell at which `statement` starts.
        `write`: the cell may write on a read-only connection; it then has a database session of its own.
        `early`: another cell may be in its turn on this connection; see `takes_early`. `maker`: on the embedded
        database, what this cell made when it ran last is dropped first, in the same transaction.

        Raises SqlStatementError, SqlInterrupted, TailraceError (unknown_connection, db_parameter, db_read_only,
        result_too_large); the transaction is then rolled back and the connection stays usable.
        """
        cell = CellText(statement, connection, result, first_line, limits or SqlLimits(), library, early, maker)
        engine = self._engine(connection)
        with engine.writable() if write else nullcontext(engine) as used:
            return run_cell(cell, used, parameters, frames or {}, running or Running())

    def takes_early(self, connection: str) -> bool:
        """Whether a query on it may run beside the cell whose turn it is. Blocks on the database."""
        return self._engine(connection).takes_early()

    def forget(self, cell: str) -> None:
        """The cell is gone, and with it what it made in the embedded database. Blocks on the database."""
        self._embedded.forget(cell)

    def cancel(self, running: Running) -> None:
        """The same as `running.cancel()`."""
        running.cancel()

    def schema(
        self, connection: str = "default", path: tuple[str, ...] = (), *, refresh: bool = False
    ) -> tuple[SchemaNode, ...]:
        """The nodes below `path` (schema, table, column). Blocks on the database when they are not known or `refresh`
        is set; known ones are forgotten when a cell may have changed the structure. Raises as `run`."""
        engine = self._engine(connection)
        if refresh:
            engine.structure.forget()
        return engine.structure.nodes(path, engine.schema)

    def close(self) -> None:
        """Close every connection; the object is not used after this."""
        with self._lock:
            engines = {id(engine): engine for engine, _ in self._engines.values()}
            self._engines.clear()
        engines[id(self._embedded)] = self._embedded
        for engine in engines.values():
            engine.close()

    def _engine(self, name: str) -> Engine:
        with self._lock:
            if name in self._engines:
                return self._engines[name][0]
            known = ", ".join(sorted({*self._engines, *EMBEDDED_NAMES}))
        if name in EMBEDDED_NAMES:
            return self._embedded
        message = f"There is no connection {name!r}: configure it first, or pick one of: {known}."
        raise TailraceError(ErrorCode.UNKNOWN_CONNECTION, message)

    def _replace(self, name: str, engine: Engine, configured: Configured) -> None:
        with self._lock:
            former = self._engines.get(name)
            self._engines[name] = (engine, configured)
            unused = former is not None and all(former[0] is not used for used, _ in self._engines.values())
        if former is not None and unused and former[0] is not self._embedded:
            former[0].close()
        logger.info("connection %s: %s", name, configured.dialect)
