"""A SQL cell: its header line, and the names it reads and writes beside those of Python cells. Runs nothing.

Tables become `connection:table`. On the embedded DuckDB a table may be a Python variable: it is a read of both.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tailrace_kernel.facts import NOTHING, Analysis

DEFAULT_CONNECTION = "default"
EMBEDDED: frozenset[str] = frozenset({DEFAULT_CONNECTION})
DEFAULT_DIALECTS: Mapping[str, str] = {DEFAULT_CONNECTION: "duckdb"}


@dataclass(frozen=True, slots=True)
class SqlCell:
    """`statement` is the cell without its header line, which stands in line `first_line - 1` if there is one."""

    analysis: Analysis
    connection: str
    result: str | None  # the name the whole result is bound to
    statement: str
    dialect: str  # sqlglot's word
    first_line: int  # line of the cell at which `statement` starts, from 1
    variables: frozenset[str] = NOTHING  # tables, as written, that may be Python variables (embedded DuckDB only)


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
    raise NotImplementedError


def is_sql_cell(code: str) -> bool:
    """Whether a code cell of a foreign frontend is a SQL cell: its first line is `%%sql …`."""
    raise NotImplementedError
