"""Where a SQL cell names a Python variable: parameters, expressions, its result name, and frames used as tables.

Knows the text and the grammar tree; no connection and no other cell. Offsets are code points of the cell.
"""

import re

from tailrace_kernel.python_occurrences import Place, UnplacedError, python_places
from tailrace_kernel.sql_cell import SqlCell
from tailrace_kernel.sql_statements import split
from tailrace_kernel.sql_tokens import Token, TokenKind, tokenize

_RESULT = r"^\s*(?:--.*?\bresult\s*:\s*({name})(?=\s)|%%sql\b[^\n]*?\b({name})\s*<<)"


def sql_places(code: str, cell: SqlCell, name: str, new: str) -> list[Place]:
    """Places of the variable, in order. Raises UnplacedError (an alias has the name of the table …), CapturedError."""
    at = len(code) - len(cell.statement)
    if not code.endswith(cell.statement):
        raise UnplacedError(cell.first_line, "in a header that cannot be followed")
    tokens = tokenize(cell.statement, cell.dialect)
    places = _header_places(code, cell, name)
    for token in tokens:
        text = cell.statement[token.start : token.end]
        if token.kind is TokenKind.NAMED and text[1:] == name:
            places.append(Place(at + token.start + 1, at + token.end))
        elif token.kind is TokenKind.EXPRESSION:
            places += [_moved(place, at + token.start + 1) for place in _expression_places(text[1:-1], name, new)]
    if name in cell.variables:
        places += [_moved(place, at) for place in _table_places(cell, tokens, name, new)]
    return sorted(places, key=lambda place: place.start)


def _moved(place: Place, by: int) -> Place:
    return Place(place.start + by, place.end + by, place.form)


def _header_places(code: str, cell: SqlCell, name: str) -> list[Place]:
    if cell.result != name:
        return []
    found = re.search(_RESULT.format(name=re.escape(name)), code, re.M)
    if found is None:
        raise UnplacedError(1, "as the result, in a place that cannot be told")
    return [Place(*found.span(1 if found.group(1) else 2))]


def _expression_places(source: str, name: str, new: str) -> list[Place]:
    """An expression may be spread over lines: in parentheses it parses as it stands."""
    return [_moved(place, -1) for place in python_places(f"({source})", name, new)]


def _table_places(cell: SqlCell, tokens: tuple[Token, ...], name: str, new: str) -> list[Place]:
    """The tables of that name, and what is qualified by it."""
    from tailrace_kernel.sql_tree import table_spans

    sql = _blanked(cell.statement, tokens)
    found: list[Place] = []
    at = 0
    for statement in split(sql, cell.dialect):
        at = sql.index(statement.text, at)
        spans = table_spans(statement.text, cell.dialect, name, new)
        if spans is None:
            raise UnplacedError(_line(cell, at), "in a statement where it cannot be told from other names")
        for start, end in spans:
            quoted = end - start > len(name)
            found.append(Place(at + start + quoted, at + end - quoted))
        at += len(statement.text)
    return found


def _blanked(sql: str, tokens: tuple[Token, ...]) -> str:
    """The text with a name of the same length in the place of each parameter, so that positions stay."""
    parts = []
    for token in tokens:
        text = sql[token.start : token.end]
        if token.kind in (TokenKind.NAMED, TokenKind.ANONYMOUS, TokenKind.EXPRESSION):
            text = "_" * len(text)
        elif token.kind is TokenKind.BRACE:
            text = f" {text[0]}"
        parts.append(text)
    return "".join(parts)


def _line(cell: SqlCell, at: int) -> int:
    return cell.first_line + cell.statement.count("\n", 0, at)
