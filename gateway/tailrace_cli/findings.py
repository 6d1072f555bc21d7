"""The rules of `tailrace check`: what is wrong, or looks wrong, with a notebook, from its text and graph alone.

Each rule has a code that stays the same for ever, a name, a severity and a hint. E: a cell cannot run. W: it runs, and
likely not as meant. I: nothing is wrong, but worth knowing.
"""

import ast
import builtins
import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tailrace_cli.outline import Outline, OutlinedCell
from tailrace_kernel.facts import Diagnostic

BUILTINS = frozenset(dir(builtins))
SESSION = frozenset("In Out get_ipython display exit quit _ __ ___ _i _ii _iii _ih _oh _dh _exit_code".split())  # noqa: SIM905
SESSION_NUMBERED = re.compile(r"_i?\d+")  # `_3`, `_i3`: what IPython keeps of earlier runs
OWN_DATABASE = frozenset({"default:", "duckdb:"})  # empty when the kernel starts: its tables are made by cells


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True)
class Rule:
    code: str
    kind: str
    hint: str

    @property
    def severity(self) -> Severity:
        return {"E": Severity.ERROR, "W": Severity.WARNING, "I": Severity.INFORMATION}[self.code[0]]


@dataclass(frozen=True, slots=True)
class Finding:
    """`line` counts from 1 within the cell, `column` from 0; null when the cell as a whole is meant."""

    rule: Rule
    cell: str
    message: str
    line: int | None = None
    column: int | None = None
    names: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()  # others that are concerned


SYNTAX = Rule("E101", "syntax", "mend it: until then the cell does not run")
CYCLE = Rule("E102", "cycle", "rename one of the names, or put the cells into one")
STAR_IMPORT = Rule("W201", "star_import", "import the names that are used")
SQL_SYNTAX = Rule("W202", "sql_syntax", "if the database takes it, all is well, but nothing can follow what it reads")
SQL_TABLE = Rule("W203", "sql_table_parameter", "write the table's name; only values can be bound")
HEADER = Rule("W204", "bad_header", "the header reads `-- connection: NAME  result: NAME`")
UNWRITTEN = Rule("W211", "unwritten_read", "define it in a cell, import it, or correct the spelling")
SHADOWED = Rule("W212", "shadows_builtin", "take another name: the cells below lose the builtin")
ALIAS = Rule("W213", "alias_mutation", "change it under its own name, or work on a copy")
STAR_READ = Rule("I302", "read_of_star_import", "import it by name: then it is followed")
SEVERAL = Rule("I301", "several_writers", "each reader takes the nearest writer above it")
OTHER = Rule("W299", "other", "see the message")
RULES = (
    *(SYNTAX, CYCLE, STAR_IMPORT, SQL_SYNTAX, SQL_TABLE, HEADER, UNWRITTEN, SHADOWED, ALIAS, OTHER, SEVERAL, STAR_READ),
)
_BY_KIND = {rule.kind: rule for rule in RULES}


def findings(found: Outline) -> list[Finding]:
    """All findings, in document order of the cells and then by line."""
    place = {cell.id: number for number, cell in enumerate(found.cells)}
    made = [
        *_diagnosed(found.cells),
        *_unwritten(found),
        *_shadowing(found.cells),
        *_aliases(found.cells),
        *_several(found.cells),
    ]
    return sorted(made, key=lambda one: (place[one.cell], one.line or 0, one.column or 0, one.rule.code))


def _diagnosed(cells: Iterable[OutlinedCell]) -> Iterator[Finding]:
    """What analysis and graph said. A cycle is told once, at its first cell."""
    for cell in cells:
        for one in cell.diagnostics:
            if one.kind == CYCLE.kind and one.cells and one.cells[0] != cell.id:
                continue
            yield _of(cell, one)


def _of(cell: OutlinedCell, one: Diagnostic) -> Finding:
    others = tuple(other for other in one.cells if other != cell.id)
    line = one.line
    if line is None and one.names:
        line = min(filter(None, (first_read(cell, name) for name in one.names)), default=None)
    return Finding(_BY_KIND.get(one.kind, OTHER), cell.id, one.message, line, one.column, one.names, others)


def _unwritten(found: Outline) -> Iterator[Finding]:
    """Names that nothing gives: no cell, no builtin, no session. Behind an opaque cell (`exec`) nobody can say."""
    given = {cell.id: set[str]() for cell in found.cells}
    for edge in found.edges:
        given[edge.to].update(edge.names)
    written = frozenset(name for cell in found.cells for name in cell.writes)
    opaque = star = False
    for cell in found.cells:
        facts = cell.analysis
        opaque |= facts.opaque
        star |= facts.star
        if opaque:
            return
        own = facts.may_bind | facts.deletes  # bound by itself on some path
        for name in sorted(facts.reads - given[cell.id] - own):
            if name in SESSION or SESSION_NUMBERED.fullmatch(name) or name in BUILTINS:
                continue
            if name in cell.analysis.call_time and name in written:
                continue  # met when the function is called
            if ":" in name:
                yield from _unmade_table(cell, name, given[cell.id])
            elif star:
                message = f"no cell writes {name}: a star import may bring it"
                yield Finding(STAR_READ, cell.id, message, first_read(cell, name), None, (name,))
            elif cell.type != "sql" or f"default:{name.lower()}" not in facts.reads:
                message = _nobody(name, found.cells, cell)
                yield Finding(UNWRITTEN, cell.id, message, first_read(cell, name), None, (name,))


def _unmade_table(cell: OutlinedCell, table: str, given: Collection[str]) -> Iterator[Finding]:
    """A table of the notebook's own database, which is empty at first; one with a dot may be attached elsewhere."""
    for prefix in OWN_DATABASE:
        name = table.removeprefix(prefix)
        variable = any(each.lower() == name.lower() for each in given)
        if name != table and name not in cell.analysis.writes and not variable and "." not in name and ":" not in name:
            message = f"no cell makes a table or a variable {name}"
            yield Finding(UNWRITTEN, cell.id, message, first_read(cell, name), None, (name,))


def _nobody(name: str, cells: Iterable[OutlinedCell], cell: OutlinedCell) -> str:
    others = tuple(other.id for other in cells if name in other.writes and other is not cell)
    if others:
        return f"{name} is needed here before this cell writes it, and only {_cells(others)} below writes it"
    if name in cell.writes:
        return f"{name} is needed here before this cell writes it, and no other cell writes it"
    known = sorted({each for other in cells for each in other.writes if ":" not in each})
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    return f"no cell writes {name}" + (f"; did you mean {near[0]}?" if near else "")


def _shadowing(cells: Iterable[OutlinedCell]) -> Iterator[Finding]:
    for cell in cells:
        facts = cell.analysis
        for name in sorted((facts.binds | facts.may_bind) & BUILTINS):
            if not name.startswith("_"):
                yield Finding(
                    SHADOWED, cell.id, f"{name} hides the builtin {name}", first_write(cell, name), None, (name,)
                )


def _aliases(cells: Iterable[OutlinedCell]) -> Iterator[Finding]:
    """A change that reaches a foreign object under another name: in one cell, or through `y = x` of another."""
    writers = _writers(cells)
    by_id = {cell.id: cell for cell in cells}
    shared: dict[str, tuple[str, str]] = {}  # name → the name it was taken from, the cell that did
    for cell in by_id.values():
        facts = cell.analysis
        for name in sorted(facts.changes - facts.writes):
            owners = tuple(each for each in writers.get(name, ()) if each != cell.id)
            if owners and not all(name in by_id[owner].analysis.imports for owner in owners):
                where = f", which {_cells(owners)} writes,"
                message = f"the object of {name}{where} is changed here under another name"
                yield Finding(ALIAS, cell.id, message, first_read(cell, name), None, (name,), owners)
        for name in sorted(facts.changes & facts.writes & shared.keys()):
            origin, where = shared[name]
            if where != cell.id and name not in facts.binds:
                message = f"{name} is the object of {origin} ({name} = {origin} in cell {where}): this changes both"
                yield Finding(ALIAS, cell.id, message, first_read(cell, name), None, (name, origin), (where,))
        for name in facts.binds:
            shared.pop(name, None)
        shared |= {name: (origin, cell.id) for name, origin in _taken(cell) if origin in writers}


def _taken(cell: OutlinedCell) -> Iterator[tuple[str, str]]:
    """`y = x` at the top of a cell: name and origin, when the origin is another cell's."""
    for node in _tree(cell).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in cell.analysis.reads:
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id in cell.analysis.binds:
                    yield target.id, node.value.id


def _several(cells: Iterable[OutlinedCell]) -> Iterator[Finding]:
    """Said once for a name, at its second writer. Not meant: loop variables that cells share (bound on some path)."""
    by_id = {cell.id: cell for cell in cells}
    for name, cell_ids in _writers(cells).items():
        bound = [
            each for each in cell_ids if name in by_id[each].analysis.binds and name not in by_id[each].analysis.imports
        ]
        if len(bound) > 1:
            first, second, *more = bound
            others = (first, *more)
            message = f"{name} is written by {_cells(others)} too"
            yield Finding(SEVERAL, second, message, first_write(by_id[second], name), None, (name,), others)


def _writers(cells: Iterable[OutlinedCell]) -> Mapping[str, tuple[str, ...]]:
    """Python names → cells that bind them, in document order."""
    writers: dict[str, tuple[str, ...]] = {}
    for cell in cells:
        for name in sorted(cell.analysis.binds | cell.analysis.may_bind):
            if ":" not in name:
                writers[name] = (*writers.get(name, ()), cell.id)
    return writers


def _cells(cell_ids: Collection[str]) -> str:
    return ("cell " if len(cell_ids) == 1 else "cells ") + ", ".join(cell_ids)


# Places


def first_read(cell: OutlinedCell, name: str) -> int | None:
    """The first line of the cell, from 1, on which the name is read."""
    if cell.type == "sql":
        return _first_word(cell.code, name)
    return _first(cell, lambda node: isinstance(node, ast.Name) and node.id == name and not _stores(node))


def first_write(cell: OutlinedCell, name: str) -> int | None:
    if cell.type == "sql":
        return _first_word(cell.code, name)
    return _first(cell, lambda node: _binds(node, name))


def _first(cell: OutlinedCell, wanted: Callable[[ast.AST], bool]) -> int | None:
    lines = (getattr(node, "lineno", None) for node in ast.walk(_tree(cell)) if wanted(node))
    return min(filter(None, lines), default=None)


def _first_word(code: str, name: str) -> int | None:
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.I)
    return next((number for number, line in enumerate(code.split("\n"), 1) if word.search(line)), None)


def _tree(cell: OutlinedCell) -> ast.Module:
    """Lines are those of the cell: IPython's syntax becomes Python line by line. Empty for what does not parse."""
    code = cell.analysis.code
    return ast.parse(code.transformed) if code is not None else ast.Module([], [])


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _binds(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Name():
            return node.id == name and _stores(node)
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.ExceptHandler() | ast.MatchAs():
            return node.name == name
        case ast.alias():
            return (node.asname or node.name.split(".")[0]) == name
        case ast.MatchStar():
            return node.name == name
        case ast.MatchMapping():
            return node.rest == name
    return False
