"""What a SQL text reads and writes, from its grammar tree alone; no connection, no catalogue, no Python names.

sqlglot is imported here only, and when first needed: it costs 0.25 s.
"""

from dataclasses import dataclass

from tailrace_kernel.facts import NOTHING, Diagnostic
from tailrace_kernel.sql_statements import Statement


@dataclass(frozen=True, slots=True)
class SqlAnalysis:
    """Tables as written, parts joined by dots, unquoted parts folded as the dialect folds them.

    Prefixes mark what is no table: `file:`, `db:`, `schema:`, `function:`.
    """

    reads: frozenset[str] = NOTHING  # outside objects whose content or existence is needed
    writes: frozenset[str] = NOTHING
    params: tuple[str, ...] = ()  # order of first use; "?" for each text that has anonymous ones
    writes_unknown: bool = False
    statements: tuple[Statement, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    written_as: frozenset[str] = NOTHING  # unqualified tables among the reads, spelled as in the text


def analyze_sql(sql: str, dialect: str) -> SqlAnalysis:
    """Never raises: what does not parse is opaque and carries a diagnostic. `dialect` is sqlglot's word."""
    raise NotImplementedError
