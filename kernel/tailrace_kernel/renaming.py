"""Renaming a variable in every cell that uses it: the edits of the texts, or the sentence that says why not. Pure.

Knows texts and their analyses; runs nothing. Every new text is analysed again and must read and write what the old one
did, under the new name: what cannot be shown to mean the same is refused.
"""

import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tailrace_kernel.facts import Analysis
from tailrace_kernel.python_names import BUILTINS
from tailrace_kernel.python_occurrences import CapturedError, Place, UnplacedError, python_places
from tailrace_kernel.sql_cell import SqlCell, table_name
from tailrace_kernel.sql_occurrences import sql_places
from tailrace_protocol.kernel_messages import TextEdit


@dataclass(frozen=True, slots=True)
class Source:
    """A cell as it is registered; `sql` only for those in that language."""

    cell_id: str
    code: str
    analysis: Analysis
    sql: SqlCell | None = None


@dataclass(frozen=True, slots=True)
class Renaming:
    """`edits` by cell, in the order of the cells. `unseen` cells run text that no analysis can look into."""

    edits: Mapping[str, tuple[TextEdit, ...]]
    unseen: tuple[str, ...]


class RenameRefusedError(Exception):
    """The message is a sentence for a person; it names cells by their ids."""

    def __init__(self, message: str, *cells: str) -> None:
        super().__init__(message)
        self.message = message
        self.cells = cells


Analyse = Callable[[Source, str], Source]  # the cell with another text


def rename(
    sources: Sequence[Source], name: str, new: str, analyse: Analyse, transform: Callable[[str], str]
) -> Renaming:
    """`sources` are all cells in document order. Raises RenameRefusedError."""
    new = unicodedata.normalize("NFKC", new)
    _check_name(name, new)
    using = [source for source in sources if name in _names(source)]
    _check_use(sources, using, name, new)
    edits = {source.cell_id: _edits(source, name, new, analyse, transform) for source in using}
    unseen = tuple(source.cell_id for source in sources if source.analysis.opaque)
    return Renaming(edits, unseen)


def _check_name(name: str, new: str) -> None:
    if not new.isidentifier() or keyword.iskeyword(new):
        why = (
            "it is a word of Python's grammar"
            if keyword.iskeyword(new)
            else "letters, digits and _ only, no digit first"
        )
        raise RenameRefusedError(f"`{new}` is no name for a variable: {why}.")
    if new == name:
        raise RenameRefusedError(f"It is called `{name}` already.")
    if new in BUILTINS:
        raise RenameRefusedError(f"`{new}` is Python's own name: choose another one.")


def _check_use(sources: Sequence[Source], using: Sequence[Source], name: str, new: str) -> None:
    broken = [source for source in sources if not source.analysis.parses and _is_written(source.code, name, new)]
    if broken:
        which = _cells(broken)
        raise RenameRefusedError(f"The code of {which} cannot be read: correct it first.", *_ids(broken))
    if not any(name in source.analysis.writes for source in using):
        raise RenameRefusedError(
            f"No cell is known to write `{name}`: only a variable of this notebook can be renamed."
        )
    foreign = [
        source for source in using if name in source.analysis.builtin_reads and name not in source.analysis.writes
    ]
    if foreign:
        which = _cells(foreign)
        raise RenameRefusedError(f"`{name}` is Python's own name too, and {which} may mean that one.", *_ids(foreign))
    taken = [source for source in sources if new in _names(source)]
    if taken:
        raise RenameRefusedError(f"`{new}` is taken: {_cells(taken)} uses it.", *_ids(taken))
    tables = [source for source in sources if source.sql is not None and _makes_table(source, source.sql, name, new)]
    if tables and any(source.sql is not None and name in source.sql.variables for source in using):
        raise RenameRefusedError(
            f"A table of {_cells(tables)} has that name: queries could mean either.", *_ids(tables)
        )


def _is_written(code: str, *names: str) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", code) for name in names)


def _makes_table(source: Source, cell: SqlCell, *names: str) -> bool:
    return any(table_name("default", name, cell.dialect) in source.analysis.writes for name in names)


def _edits(
    source: Source, name: str, new: str, analyse: Analyse, transform: Callable[[str], str]
) -> tuple[TextEdit, ...]:
    try:
        if source.sql is not None:
            places = sql_places(source.code, source.sql, name, new)
        else:
            places = python_places(source.code, name, new, transform)
    except CapturedError as captured:
        raise RenameRefusedError(
            f"Line {captured.line} of cell {source.cell_id} is inside a function, class or comprehension that has its "
            f"own `{new}`: there it would mean that one.",
            source.cell_id,
        ) from None
    except UnplacedError as unplaced:
        raise RenameRefusedError(
            f"Line {unplaced.line} of cell {source.cell_id} uses `{name}` {unplaced.why}.", source.cell_id
        ) from None
    except SyntaxError:
        raise RenameRefusedError(
            f"The code of cell {source.cell_id} cannot be read: correct it first.", source.cell_id
        ) from None
    edits = tuple(TextEdit(start=place.start, end=place.end, text=place.form.format(new)) for place in _apart(places))
    after = analyse(source, applied(source.code, edits))
    if _meaning(source, name, new) != _meaning(after, new, new):
        raise RenameRefusedError(
            f"Cell {source.cell_id} uses `{name}` in a way that cannot be followed: change it there by hand first.",
            source.cell_id,
        )
    return edits


def _apart(places: Iterable[Place]) -> list[Place]:
    return sorted(set(places), key=lambda place: place.start)


def applied(code: str, edits: Sequence[TextEdit]) -> str:
    """The text after the edits."""
    for edit in reversed(edits):
        code = code[: edit.start] + edit.text + code[edit.end :]
    return code


def _names(source: Source) -> frozenset[str]:
    """Every global name that the cell has to do with, also when its functions are called."""
    facts = source.analysis
    called = [part for calls in facts.calls.values() for part in (calls.reads, calls.changes, calls.may_bind)]
    deferred = facts.deferred.values()
    every = facts.reads | facts.writes | facts.changes | facts.builtin_reads
    return every.union(*called, *deferred, source.sql.variables if source.sql else ())


def _meaning(source: Source, name: str, new: str) -> tuple[object, ...]:
    """What the cell does to names, with `name` called `new`."""
    facts = source.analysis
    swap = {name: new}
    if source.sql is not None and name in source.sql.variables:
        swap[table_name("default", name, source.sql.dialect)] = table_name("default", new, source.sql.dialect)

    def renamed(names: Iterable[str]) -> frozenset[str]:
        return frozenset(swap.get(one, one) for one in names if "@" not in one)

    calls = {
        swap.get(one, one): (renamed(does.reads), renamed(does.changes), renamed(does.may_bind))
        for one, does in facts.calls.items()
    }
    sets = (
        facts.reads, facts.writes, facts.changes, facts.builtin_reads, facts.binds, facts.may_bind, facts.deletes,
        facts.imports, facts.call_time,
    )  # fmt: skip
    return (facts.parses, facts.opaque, facts.star, calls, *map(renamed, sets))


def _cells(sources: Sequence[Source]) -> str:
    ids = _ids(sources)
    return f"cell {ids[0]}" if len(ids) == 1 else f"cells {', '.join(ids[:5])}{' and more' if len(ids) > 5 else ''}"


def _ids(sources: Sequence[Source]) -> tuple[str, ...]:
    return tuple(source.cell_id for source in sources)
