"""What a SQL text reads and writes, from its grammar tree alone; no connection, no catalogue, no Python values.

The parser is loaded here, when the first SQL is analysed: it costs 0.25 s.
"""

import ast
from dataclasses import dataclass, field

from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import NOTHING, Diagnostic
from tailrace_kernel.sql_parameters import Anonymous, Expression, Named, Text, scan
from tailrace_kernel.sql_statements import Statement, split

ASKING = frozenset({"select", "from", "values", "table"})


@dataclass(frozen=True, slots=True)
class SqlAnalysis:
    """Tables as written, parts joined by dots, unquoted parts folded as the dialect folds them.

    Prefixes mark what is no table: `file:`, `db:`, `schema:`, `function:`.
    """

    reads: frozenset[str] = NOTHING  # outside objects whose content or existence is needed
    writes: frozenset[str] = NOTHING
    creates: frozenset[str] = NOTHING  # subset of writes: made by the text, and there after it
    drops: frozenset[str] = NOTHING  # subset of writes: gone after the text
    tolerates: frozenset[str] = NOTHING  # subset of writes: IF [NOT] EXISTS asks whether it is there before
    params: tuple[str, ...] = ()  # in order of first use; "?" if there are anonymous ones
    writes_unknown: bool = False
    statements: tuple[Statement, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    only_asks: bool = False  # queries without effects: when they run in between others makes no difference
    written_as: frozenset[str] = NOTHING  # unqualified tables among the reads, spelled as in the text
    needs: frozenset[str] = NOTHING  # what the text goes through and a cell may have made: `function:f`, `schema:s`


@dataclass(slots=True)
class _Sum:
    """Statements seen so far: what an earlier one made is no read of a later one."""

    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)  # before the text made it, if it does
    gone: set[str] = field(default_factory=set)  # dropped, and not made again
    tolerates: set[str] = field(default_factory=set)
    written_as: set[str] = field(default_factory=set)
    needs: set[str] = field(default_factory=set)
    unknown: bool = False
    only_asks: bool = True
    diagnostics: list[Diagnostic] = field(default_factory=list)


def analyze_sql(sql: str, dialect: str) -> SqlAnalysis:
    """Never raises: what does not parse is opaque and carries a diagnostic. `dialect` is sqlglot's word."""
    statements = split(sql, dialect)
    total = _Sum()
    for statement in statements:
        _add(total, statement, dialect)
    return SqlAnalysis(
        frozenset(total.reads),
        frozenset(total.writes),
        frozenset(total.made - total.gone),
        frozenset(total.gone),
        frozenset(total.tolerates - total.reads - (total.dropped & total.made)),
        _parameters(sql, dialect),
        total.unknown,
        tuple(statements),
        tuple(total.diagnostics),
        bool(statements) and total.only_asks and not total.unknown and not total.writes,
        frozenset(total.written_as),
        frozenset(total.needs),
    )


def _add(total: _Sum, statement: Statement, dialect: str) -> None:
    from tailrace_kernel import sql_tree

    if statement.is_opaque:
        total.unknown = True
        return
    facts = sql_tree.read_statement(_with_placeholders(statement.text, dialect, sql_tree.PLACEHOLDER), dialect)
    if isinstance(facts, sql_tree.Problem):
        total.unknown = True
        line = statement.start_line + facts.line - 1
        total.diagnostics.append(Diagnostic("sql_syntax", facts.message, line, facts.column))
        return
    total.unknown |= facts.unknown
    total.only_asks &= facts.only_asks and statement.kind in ASKING and not statement.is_write
    if facts.parameter_tables:
        message = "a parameter stands for a table here, but only values can be bound: write the table's name"
        total.diagnostics.append(Diagnostic("sql_table_parameter", message, statement.start_line, 0))
    total.reads |= facts.reads - total.made
    total.needs |= facts.needs - total.made
    folded_made = {name.lower() for name in total.made}
    total.written_as |= {name for name in facts.written_as if name.lower() not in folded_made}
    total.writes |= facts.writes
    total.tolerates |= (facts.if_missing | facts.if_there) - total.made - total.dropped
    total.dropped |= facts.drops - total.made
    total.made |= facts.creates
    total.gone = (total.gone | facts.drops) - facts.creates


def _with_placeholders(sql: str, dialect: str, placeholder: str) -> str:
    """The text with a name in the place of each parameter: a name parses wherever a value does."""
    parts = []
    for number, segment in enumerate(scan(sql, dialect)):
        parts.append(segment.text if isinstance(segment, Text) else f"{placeholder}{number}")
    return "".join(parts)


def _parameters(sql: str, dialect: str) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for segment in scan(sql, dialect):
        match segment:
            case Named(name=name):
                names[name] = None
            case Anonymous():
                names["?"] = None
            case Expression(source=source):
                names.update(dict.fromkeys(free_names(source)))
            case Text():
                pass
    return tuple(names)


def free_names(source: str) -> tuple[str, ...]:
    """Python names that an expression needs from outside, in order of first use; builtins left out."""
    needed = analyze(source).reads
    nodes = [node for node in ast.walk(ast.parse(source, mode="eval")) if isinstance(node, ast.Name)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    return tuple(dict.fromkeys(node.id for node in nodes if node.id in needed))
