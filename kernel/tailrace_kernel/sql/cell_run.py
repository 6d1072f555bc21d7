"""One SQL cell from its text to its result: split, parameters, statements one by one, what is kept and shown.

Knows the ports of an engine and of a session, no connection names.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tailrace_kernel.sql.binding import Bound, bind, needed
from tailrace_kernel.sql.display import SqlDisplay
from tailrace_kernel.sql.engine import Engine, Keep, Session, may_return_rows
from tailrace_kernel.sql.failures import SqlInterrupted, SqlStatementError, renumbered
from tailrace_kernel.sql.grid import Grid
from tailrace_kernel.sql.made import Maker
from tailrace_kernel.sql.result import SqlLimits, SqlResult, StatementOutcome
from tailrace_kernel.sql.running import Running
from tailrace_kernel.sql.schema_cache import may_change_structure
from tailrace_kernel.sql_parameters import Text, scan
from tailrace_kernel.sql_statements import Statement, in_autocommit, split
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import FrameLibrary

BEYOND_PYTHON = re.compile(  # psycopg, grid.py
    r"^(?:(?:timestamp|date) too (?:large|small) .*: |can't parse (?:time|timetz) |no time is )'([^']*)'(?:$|:)",
    re.MULTILINE,
)
CLIENT_STREAM = re.compile(r"\b(?:(?P<to>to\s+stdout)|from\s+stdin)\b(?=[^']*$|\s+(?:with\b|\())", re.IGNORECASE)
ESCAPES = frozenset({"set", "reset", "discard", "pragma", "use"})  # could switch a read-only session back


@dataclass(frozen=True, slots=True)
class CellText:
    """What is to be run: `first_line` is the line of the cell where `text` starts; `result` names the whole result."""

    text: str
    connection: str
    result: str | None
    first_line: int
    limits: SqlLimits
    library: FrameLibrary = "pandas"  # of the result
    early: bool = False  # it is not its turn yet
    maker: Maker | None = None  # the cell, where its tables are to be made anew

    def line_of(self, statement: Statement) -> int:
        """Of the cell, from 1."""
        return self.first_line + statement.start_line - 1


@dataclass(frozen=True, slots=True)
class Prepared:
    statement: Statement
    bound: Bound


def run_cell(
    cell: CellText,
    engine: Engine,
    parameters: Callable[[str], object],
    frames: Mapping[str, object],
    running: Running,
) -> SqlResult:
    """Run it in one transaction, or in autocommit where a statement demands it. Raises as `Connections.run`."""
    began = time.monotonic()
    statements = split(cell.text, engine.sqlglot_dialect)
    refuse_streams(cell, statements)
    if engine.read_only:
        refuse_writes(cell, statements)
    prepared = prepare(statements, engine, parameters)
    autocommit = in_autocommit(statements)
    running.check()
    work = _Work(cell, engine, frames)
    try:
        session = engine.begin(frames, autocommit=autocommit, early=cell.early, maker=cell.maker)
    except Exception as error:
        raise work.failure(error, None) from None
    try:
        with running.holding(session.interrupt):
            work.execute_all(session, prepared, running)
        work.make_frame()  # before anything is final: it may fail
        session.commit()
    except BaseException as error:
        session.rollback()
        if not isinstance(error, Exception):
            raise
        if running.cancelled:
            raise SqlInterrupted from None
        raise work.failure(error, None) from None
    finally:
        session.close()
        if may_change_structure(statements):
            engine.structure.forget()
    return work.result(time.monotonic() - began)


def prepare(
    statements: Sequence[Statement], engine: Engine, parameters: Callable[[str], object]
) -> tuple[Prepared, ...]:
    """Bind every statement before the first one runs; each name or expression is evaluated once. The parameters of
    PREPARE are the database's."""
    segments = [
        (Text(each.text),) if each.kind == "prepare" else scan(each.text, engine.sqlglot_dialect) for each in statements
    ]
    values: dict[str, object] = {}
    for source in (source for each in segments for source in needed(each)):
        if source not in values:
            values[source] = parameters(source)
    return tuple(
        Prepared(
            statement,
            bind(
                each,
                values,
                engine.paramstyle,
                sqlglot_dialect=engine.sqlglot_dialect,
                normalise=engine.normalise,
            ),
        )
        for statement, each in zip(statements, segments, strict=True)
    )


def refuse_streams(cell: CellText, statements: Sequence[Statement]) -> None:
    """COPY to and from the client's own streams: a kernel has none. Raises db_statement."""
    for each in statements:
        found = CLIENT_STREAM.search(each.text) if each.kind == "copy" else None
        if found is not None and found["to"]:
            message = "COPY … TO STDOUT has no stream to write to here: run its query and download the table."
            raise SqlStatementError(message, cell.line_of(each))
        if found is not None:
            message = "COPY … FROM STDIN has no stream to read from here: read a file, or INSERT bound values."
            raise SqlStatementError(message, cell.line_of(each))


def refuse_writes(cell: CellText, statements: Sequence[Statement]) -> None:
    """The first layer of a read-only connection: words. Raises db_read_only."""
    for each in statements:
        if each.is_write or each.is_opaque or each.controls_transaction or each.kind in ESCAPES:
            message = (
                f"The connection {cell.connection!r} is read-only, and {each.kind.upper() or 'this'} may write: "
                "write `-- write: true` in its first line to allow that for this cell."
            )
            raise TailraceError(ErrorCode.DB_READ_ONLY, message, details={"line": cell.line_of(each)})


class _Work:
    """The statements of one cell as they are done."""

    def __init__(self, cell: CellText, engine: Engine, frames: Mapping[str, object]) -> None:
        self._cell = cell
        self._engine = engine
        self._frames = frames
        self._grid: Grid | None = None
        self._frame: object = None
        self._outcomes: list[StatementOutcome] = []

    def execute_all(self, session: Session, prepared: Sequence[Prepared], running: Running) -> None:
        last_query = max((index for index, each in enumerate(prepared) if may_return_rows(each.statement)), default=-1)
        limits = self._cell.limits
        keep = Keep(None if self._cell.result else limits.page_rows, limits.result_bytes)
        for index, each in enumerate(prepared):
            running.check()
            began = time.monotonic()
            try:
                answer = session.execute(each.bound, each.statement, keep if index >= last_query else None)
            except Exception as error:
                raise self.failure(error, each) from error
            if answer.grid is not None:
                self._grid = answer.grid
            line = self._cell.line_of(each.statement)
            seconds = time.monotonic() - began
            self._outcomes.append(StatementOutcome(each.statement.kind, answer.rows, line, seconds))

    def failure(self, error: Exception, failed: Prepared | None) -> TailraceError:
        """What the cell fails with: the driver's words, with the line of the cell."""
        if isinstance(error, TailraceError):
            return error
        text = self._engine.error_text(error)
        if failed is None:
            return SqlStatementError(text, None)
        start = self._cell.line_of(failed.statement)
        inside = self._engine.error_line(error)
        text = renumbered(text, start - 1)
        return SqlStatementError(f"{text}{self._advice(text, failed)}", start + (inside or 1) - 1)

    def make_frame(self) -> None:
        """The named result as a DataFrame. Raises not_supported."""
        if self._grid is not None and self._cell.result:
            self._frame = self._grid.frame(self._cell.library)

    def result(self, seconds: float) -> SqlResult:
        cell, grid = self._cell, self._grid
        truncated = grid is not None and (not grid.complete or grid.table.num_rows > cell.limits.shown_rows)
        display = SqlDisplay.of(grid, cell.result, self._outcomes, cell.limits)
        return SqlResult(cell.result, self._frame, grid, tuple(self._outcomes), truncated, seconds, display)

    def _advice(self, text: str, failed: Prepared) -> str:
        if failed.bound.at_table is not None and "syntax" in text.lower():
            return (
                f"\nA parameter stands for a value; {failed.bound.at_table} stands where the name of a table is "
                "expected. Write the name itself."
            )
        if (unread := BEYOND_PYTHON.search(text)) is not None:
            return (
                f"\nPython has no date or time for {unread[1]}: cast the column to text, or keep such rows out "
                "(`WHERE isfinite(…)`)."
            )
        named = [name for name in self._frames if re.search(rf"\b{re.escape(name)}\b", text.partition("\n")[0])]
        if not named:
            return ""
        if self._engine.dialect != "duckdb":
            return (
                f"\n{named[0]} is a Python variable, and this cell runs on {self._cell.connection!r}: "
                "DataFrames are tables on the embedded DuckDB only."
            )
        kind = type(self._frames[named[0]]).__name__
        return f"\n{named[0]} is a Python {kind}; DuckDB reads DataFrames, Arrow tables and NumPy arrays as tables."
