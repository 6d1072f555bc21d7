"""A bounded description of a value that never runs user code: what the variables panel shows.

Knows builtin containers and the frames and arrays of a few libraries, by type; everything else is shown by its type
alone, because asking an object for its own words (`repr`, `len`, attributes) may run code of the user's that blocks.
"""

import itertools
import sys
from collections import deque
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from tailrace_protocol.kernel_messages import Variable

MAX_PREVIEW = 120  # characters
MAX_ITEMS = 8  # shown of one container
MAX_DEPTH = 2
SCALARS = frozenset({int, float, bool, complex, type(None)})
BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), deque: ("[", "]")}
FRAMES = frozenset({"numpy", "pandas", "polars", "pyarrow"})


def describe(name: str, value: object, cell_id: str | None) -> Variable:
    """`size` in bytes where it is cheap to know, `shape` where the value has rows or dimensions."""
    kind = type(value)
    return Variable(
        name=name,
        type=kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}",
        preview=_preview(value),
        cell_id=cell_id,
        size=_size(value),
        shape=_shape(value),
    )


def _preview(value: object) -> str:
    try:
        text = _text(value, 0)
    except (RuntimeError, ValueError):  # changed by its cell meanwhile, or a number of too many digits
        text = f"<{type(value).__name__}>"
    return text if len(text) <= MAX_PREVIEW else text[: MAX_PREVIEW - 1] + "…"


def _text(value: Any, depth: int) -> str:
    """`type` and never `isinstance`: the latter asks the object for its `__class__`."""
    kind: Any = type(value)
    if kind in SCALARS:
        return repr(value) if kind is not int or abs(value).bit_length() < 2_000 else "<int>"
    if kind in (str, bytes):
        return repr(value[:MAX_PREVIEW])
    if kind in (list, tuple, set, frozenset, deque) and depth < MAX_DEPTH:
        return _items(value, depth)
    if kind is dict and depth < MAX_DEPTH:
        return _pairs(value, depth)
    if kind in (FunctionType, BuiltinFunctionType):
        return f"<function {value.__name__}>"
    if kind is ModuleType:
        return f"<module {value.__dict__.get('__name__', '?')}>"
    if kind is type:
        return f"<class {type.__getattribute__(value, '__name__')}>"
    shape = _shape(value)
    return f"<{kind.__name__}{f' {shape}' if shape else ''}>"


def _items(value: Any, depth: int) -> str:
    opening, closing = BRACKETS.get(type(value), ("{", "}"))
    shown = [_text(item, depth + 1) for item in itertools.islice(value, MAX_ITEMS)]
    if len(value) > MAX_ITEMS:
        shown.append("…")
    return f"{opening}{', '.join(shown)}{closing}"


def _pairs(value: Any, depth: int) -> str:
    pairs = itertools.islice(value.items(), MAX_ITEMS)
    shown = [f"{_text(key, depth + 1)}: {_text(item, depth + 1)}" for key, item in pairs]
    if len(value) > MAX_ITEMS:
        shown.append("…")
    return f"{{{', '.join(shown)}}}"


def _is_frame(value: object) -> bool:
    return type(value).__module__.partition(".")[0] in FRAMES


def _shape(value: Any) -> tuple[int, ...] | None:
    if type(value) in (list, tuple, set, frozenset, deque, dict, str, bytes):
        return (len(value),)
    shape = getattr(value, "shape", None) if _is_frame(value) else None
    if type(shape) is tuple and all(type(length) is int for length in shape):
        return shape
    return None


def _size(value: Any) -> int | None:
    kind = type(value)
    if kind in SCALARS or kind in (str, bytes, list, tuple, set, frozenset, dict, deque):
        return sys.getsizeof(value)
    size = getattr(value, "nbytes", None) if _is_frame(value) else None
    return size if type(size) is int else None
