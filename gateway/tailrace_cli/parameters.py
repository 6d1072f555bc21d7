"""`-p NAME=VALUE`: values that a run gets from outside, as cells between the notebook's own. Pure."""

import ast
import keyword
from collections.abc import Mapping, Sequence

from tailrace_cli.outline import outline
from tailrace_cli.refusal import RefusedError
from tailrace_gateway.records import StoredCell


def parse(words: Sequence[str]) -> dict[str, object]:
    """`n=5` is a number, `n=[1, 2]` a list; what is no Python literal is text. Raises RefusedError."""
    values: dict[str, object] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier() or keyword.iskeyword(name):
            raise RefusedError(f"A parameter is given as NAME=VALUE with a Python name, not as {word!r}.")
        values[name] = _value(text)
    return values


def _value(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def with_parameters(cells: Sequence[StoredCell], values: Mapping[str, object]) -> tuple[StoredCell, ...]:
    """The cells with one more below the first writer of each name, so that what reads the name meets this value.

    A name that is read and never written gets its cell at the top. Raises RefusedError for a name no cell knows.
    """
    placed = list(cells)
    outlined = outline(cells).cells if values else ()
    for name, value in values.items():
        writer = next((cell.id for cell in outlined if name in cell.writes), None)
        if writer is None and not any(name in cell.reads for cell in outlined):
            known = sorted({name for cell in outlined for name in cell.writes})
            raise RefusedError(
                f"No cell reads or writes {name!r}; the notebook's names are: {', '.join(known) or 'none'}."
            )
        at = next((place + 1 for place, cell in enumerate(placed) if cell.id == writer), 0)
        placed.insert(at, StoredCell(id=f"parameter-{name}", type="python", code=f"{name} = {value!r}"))
    return tuple(placed)
