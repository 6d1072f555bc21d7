"""A SQL cell: its header line, and the names it reads and writes beside those of Python cells. Runs nothing.

Tables become `connection:table`. On the embedded DuckDB a table may be a Python variable: it is a read of both.
"""

import keyword
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import NOTHING, Analysis, Diagnostic, Early, Effect
from tailrace_kernel.sql_analysis import SqlAnalysis, analyze_sql
from tailrace_kernel.sql_parameters import Expression, scan
from tailrace_kernel.sql_statements import in_autocommit

DEFAULT_CONNECTION = "default"
EMBEDDED: frozenset[str] = frozenset({DEFAULT_CONNECTION, "duckdb"})
DEFAULT_DIALECTS: Mapping[str, str] = dict.fromkeys(EMBEDDED, "duckdb")
UNKNOWN_DIALECT = "postgres"  # of a connection that is not configured yet

_HEADER = re.compile(r"--\s*(?=\w+\s*:)((?:(?:connection|result|write)\s*:\s*\S+\s*)+)$")
_FIELD = re.compile(r"(connection|result|write)\s*:\s*(\S+)")
_MAGIC = re.compile(r"%%sql\b(.*)$")
_CONNECTION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FOLDING = frozenset({"duckdb", "sqlite", "tsql", "trino", "presto", "fabric"})  # quotes do not keep the case apart
_OWN_CATALOGS = frozenset({"memory", "temp", "main", "system"})  # DuckDB's own, in memory
_DEFAULT_SCHEMAS = {
    "duckdb": ("memory.main.", "main."),
    "sqlite": ("main.",),
    "postgres": ("public.",),
    "tsql": ("dbo.",),
}


@dataclass(frozen=True, slots=True)
class SqlCell:
    """`statement` is the cell without its header line; it starts in line `first_line` of the cell, from 1."""

    analysis: Analysis
    connection: str
    result: str | None  # the name the whole result is bound to
    statement: str
    dialect: str  # sqlglot's word
    first_line: int
    variables: frozenset[str] = NOTHING  # tables, as written, that may be Python variables (embedded DuckDB only)
    mentioned: frozenset[str] = NOTHING  # the same for any connection: to explain a table that is not there
    write: bool = False  # the header lifts the connection's read_only for this cell


@dataclass(frozen=True, slots=True)
class _Header:
    connection: str | None
    result: str | None
    statement: str
    first_line: int
    write: bool = False


def analyze_sql_cell(
    code: str,
    connection: str | None = None,
    result: str | None = None,
    dialects: Mapping[str, str] = DEFAULT_DIALECTS,
    embedded: Collection[str] = EMBEDDED,
) -> SqlCell:
    """What a SQL cell does. A header line wins over `connection` and `result`.

    `dialects`: connection → sqlglot dialect (unknown connections are read as PostgreSQL). `embedded`: connections that
    are the notebook's own in-memory DuckDB, writes to which are no outside effect.
    """
    header = _read_header(code)
    used = header.connection or connection or DEFAULT_CONNECTION
    dialect = dialects.get(used, DEFAULT_DIALECTS.get(used, UNKNOWN_DIALECT))
    wanted = header.result or result or None
    diagnostics = _name_problems(used, wanted)
    bound = wanted if wanted is not None and _is_name(wanted) else None
    sql = analyze_sql(header.statement, dialect)
    mentioned = _variables(sql)
    variables = mentioned if used in embedded else NOTHING
    database = _database(used, embedded)
    values = _values(header.statement, dialect)
    python_reads = variables.union(*(value.reads for value in values)) | _named(sql)
    changes = NOTHING.union(*(value.changes for value in values))
    tables = _graph_names(sql.writes, database, dialect)
    ours = used in embedded
    result_name = frozenset({bound}) if bound else NOTHING
    reads = sql.reads | sql.tolerates if ours else sql.reads
    analysis = Analysis(
        reads=_graph_names(reads, database, dialect) | python_reads,
        writes=tables | result_name | changes,
        changes=changes,
        builtin_reads=NOTHING.union(*(value.builtin_reads for value in values)),
        effects=_effects(sql, ours),
        diagnostics=(*diagnostics, *(_moved(found, header.first_line - 1) for found in sql.diagnostics)),
        binds=_graph_names(sql.creates, database, dialect) | result_name,
        deletes=_graph_names(sql.drops, database, dialect),
        stored=_stored(sql.writes, database, dialect) if ours else NOTHING,
        lasting=in_autocommit(sql.statements),
        opaque=any(value.opaque for value in values),
        early=_early(sql, values, header.write, ours),
        needs=_graph_names(sql.needs, database, dialect),
    )
    return SqlCell(
        analysis, used, bound, header.statement, dialect, header.first_line, variables, mentioned, header.write
    )


def is_sql_cell(code: str) -> bool:
    """Whether a code cell of a foreign frontend is a SQL cell: its first line is `%%sql …`."""
    return _MAGIC.match(code.lstrip().split("\n", 1)[0]) is not None


def table_name(connection: str, table: str, dialect: str) -> str:
    """The name in the graph of a table as `analyze_sql` spells it. Files are the same file on every connection."""
    if table.startswith("file:"):
        return table
    kind, colon, name = (table.lower() if dialect in _FOLDING else table).rpartition(":")
    for schema in _DEFAULT_SCHEMAS.get(dialect, ()):
        if name.startswith(schema):
            name = name[len(schema) :]
            break
    return f"{connection}:{kind}{colon}{name}"


def _database(connection: str, embedded: Collection[str]) -> str:
    """The name under which the graph knows the tables of a connection: all embedded ones are one database."""
    if connection not in embedded:
        return connection
    return DEFAULT_CONNECTION if DEFAULT_CONNECTION in embedded else min(embedded)


def _read_header(code: str) -> _Header:
    lines = code.split("\n")
    number = next((number for number, line in enumerate(lines) if line.strip()), 0)
    first, rest = lines[number].strip(), "\n".join(lines[number + 1 :])
    if magic := _MAGIC.match(first):
        return _magic_header(magic.group(1), rest, number + 2)
    if fields := _HEADER.match(first):
        found = dict(_FIELD.findall(fields.group(1)))
        write = found.get("write", "").lower() == "true"
        return _Header(found.get("connection"), found.get("result"), rest, number + 2, write)
    return _Header(None, None, code, 1)


def _magic_header(arguments: str, rest: str, first_line: int) -> _Header:
    """`%%sql [connection] [result <<]`; what follows a longer line is SQL already."""
    named, arrow, behind = arguments.partition("<<")
    words = named.split()
    if arrow:
        result = words.pop() if words else None
        connection = words[0] if words else None
        return _Header(connection, result, _joined(behind, rest), first_line - bool(behind.strip()))
    if len(words) > 1:
        return _Header(None, None, _joined(arguments, rest), first_line - 1)
    return _Header(words[0] if words else None, None, rest, first_line)


def _joined(start: str, rest: str) -> str:
    return f"{start.strip()}\n{rest}" if start.strip() else rest


def _name_problems(connection: str, result: str | None) -> list[Diagnostic]:
    found = []
    if not _CONNECTION.fullmatch(connection):
        found.append(
            Diagnostic("bad_header", f"`{connection}` is no connection name: use letters, digits, _ and -", 1, 0)
        )
    if result is not None and not _is_name(result):
        found.append(Diagnostic("bad_header", f"`{result}` is no Python name: the result is not kept", 1, 0))
    return found


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def _variables(sql: SqlAnalysis) -> frozenset[str]:
    return frozenset(name for name in sql.written_as if _is_name(name))


def _named(sql: SqlAnalysis) -> frozenset[str]:
    """Named parameters, and free names of expressions, that can be Python names."""
    return frozenset(name for name in sql.params if _is_name(name))


def _values(statement: str, dialect: str) -> list[Analysis]:
    return [analyze(segment.source) for segment in scan(statement, dialect) if isinstance(segment, Expression)]


def _graph_names(tables: Iterable[str], connection: str, dialect: str) -> frozenset[str]:
    return frozenset(table_name(connection, table, dialect) for table in tables)


def _effects(sql: SqlAnalysis, embedded: bool) -> frozenset[Effect]:
    found = set()
    if sql.writes_unknown:
        found.add(Effect.OPAQUE_SQL)
    if embedded:
        if any(_leaves_memory(table, sql.creates) for table in sql.writes):
            found.add(Effect.SQL_WRITE)
    elif sql.writes or any(statement.is_write for statement in sql.statements):
        found.add(Effect.SQL_WRITE)
    return frozenset(found)


def _early(sql: SqlAnalysis, values: list[Analysis], write: bool, embedded: bool) -> Early | None:
    """Tables with a dot are of another schema or of an attached database; files may be written by Python."""
    if not sql.only_asks or write or sql.diagnostics or any(table.startswith("file:") for table in sql.reads):
        return None
    if any(value.opaque or value.changes or value.writes for value in values):
        return None
    if embedded and not any("." in table for table in sql.reads):
        return Early.BESIDE_PYTHON
    return Early.BESIDE_QUERIES


def _stored(tables: Iterable[str], connection: str, dialect: str) -> frozenset[str]:
    """What is written in the notebook's own database; `s.t` may as well be in an attached one."""
    own = (table for table in tables if not table.startswith(("file:", "db:")))
    return frozenset(name for name in _graph_names(own, connection, dialect) if "." not in name)


def _leaves_memory(table: str, creates: frozenset[str]) -> bool:
    """A table of an attached database: `files.main.orders`, or `files.orders`, where no text tells it from a schema."""
    owner, *rest = table.split(".")
    if ":" in table or not rest or owner in _OWN_CATALOGS:
        return False
    return len(rest) > 1 or f"schema:{owner}" not in creates


def _moved(found: Diagnostic, lines: int) -> Diagnostic:
    line = None if found.line is None else found.line + lines
    return Diagnostic(found.kind, found.message, line, found.column, found.cells, found.names)
