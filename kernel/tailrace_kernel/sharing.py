"""Which objects values are made of: identity, and a bounded walk through containers, instances and their classes.

Knows no cells. Calls no user code but what an object may hide behind its `__dict__`.
"""

import contextlib
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

MAX_PARTS = 10_000  # objects looked at inside one value
MAX_PRINTED = 2**20  # bytes of an array that are hashed
SMALL = 4096  # values in a frame: asking pandas what it takes would cost more than it tells
HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
ATOMS = frozenset({int, float, str, bytes, bool, type(None), complex, range, type(...), type(NotImplemented)})
CODE = (FunctionType, BuiltinFunctionType, MethodType, property, staticmethod, classmethod)
CONTAINERS = frozenset({list, dict, set, deque, bytearray})
OWN_MODULES = frozenset({"__main__", "builtins"})  # of what cells define
ITERATING = frozenset({"builtins", "itertools", "_csv", "_io"})
LIST_ITERATOR: type = type(iter([]))


def immutable(value: Any) -> bool:
    """Whether nothing reachable through containers can be changed: numbers, texts, modules, tuples of them."""
    kind = type(value)
    if kind in ATOMS or issubclass(kind, ModuleType):
        return True
    if kind is tuple or kind is frozenset:
        return len(value) <= MAX_PARTS and all(map(immutable, value))
    return kind.__module__ == "numpy" and kind.__name__ != "ndarray" and hasattr(kind, "dtype")


def parts(values: Iterable[Any], *, classes: bool, limit: int = MAX_PARTS) -> dict[int, Any]:
    """The changeable objects that these values are made of, by id; stops looking after `limit` of them.

    An instance is also made of its class for whoever sees it (`classes`), but a change of it does not change the class.
    """
    found: dict[int, Any] = {}
    todo = list(values)
    seen: set[int] = set()
    while todo and len(seen) < limit:
        value = todo.pop()
        kind = type(value)
        if kind in ATOMS or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, type):
            if is_users_class(value):
                found[id(value)] = value
                todo += class_attributes(value)
            continue
        if issubclass(kind, ModuleType):
            continue
        if kind in CODE:
            kept = remembered(value, kind)
            if kept:
                found[id(value)] = value
                todo += kept
            continue
        if kind is not tuple and kind is not frozenset:
            found[id(value)] = value
        if is_users_class(kind):
            if classes:
                found[id(kind)] = kind
            todo += class_attributes(kind)
        todo.extend(inside(value, kind, limit))
    return found


def remembered(value: Any, kind: type) -> list[Any]:
    """What a function has beside its code: variables of functions around it, defaults, the object of its method.

    Of functions of the notebook and methods of its objects and of containers only: `get_ipython` leads to everything.
    """
    if kind is MethodType:
        return [value.__self__] if is_users_class(type(value.__self__)) else []
    if kind is BuiltinFunctionType:
        return [value.__self__] if type(value.__self__) in CONTAINERS else []
    if kind is not FunctionType or value.__module__ not in OWN_MODULES:
        return []
    kept = [d for d in value.__defaults__ or () if type(d) not in ATOMS]
    for cell in value.__closure__ or ():
        with contextlib.suppress(ValueError):  # not bound yet
            if type(cell.cell_contents) not in ATOMS:
                kept.append(cell.cell_contents)
    return kept


def is_users_class(kind: type) -> bool:
    """Classes that cells defined: those of libraries are left out, all their instances would seem to share."""
    return bool(kind.__flags__ & HEAP_TYPE) and kind.__module__ in OWN_MODULES


def class_attributes(kind: type) -> list[Any]:
    return [value for name, value in vars(kind).items() if not name.startswith("__")]


def inside(value: Any, kind: type, limit: int) -> Iterator[Any]:
    """What the walk goes on to."""
    if issubclass(kind, dict):
        items: Iterable[Any] = dict.values(value)
    elif issubclass(kind, (list, tuple, set, frozenset, deque)):
        items = kind_iter(value, kind)
    elif kind is LIST_ITERATOR:
        items = value.__reduce__()[1][:1]
    else:
        items = behind(value, kind)
    for index, item in enumerate(items):
        if index >= limit:
            break
        yield item
    if kind.__dictoffset__:
        attributes = object.__getattribute__(value, "__dict__")
        if type(attributes) is dict:
            yield from attributes.values()


def behind(value: Any, kind: type) -> tuple[Any, ...]:
    """The object that this one is a window onto: an array's base, the frame of `df.loc`."""
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return () if value.base is None else (value.base,)
    if kind.__module__ == "pandas.core.indexing" and hasattr(value, "obj"):
        return (value.obj,)
    return (value.obj,) if kind is memoryview else ()


def is_drained(kind: type) -> bool:
    """Whether using such an object uses it up: generators, iterators, readers, open files, those of the notebook."""
    if not hasattr(kind, "__next__"):
        return False
    return kind.__module__ in ITERATING or is_users_class(kind)


def kind_iter(value: Any, kind: type) -> Iterator[Any]:
    """Iterate without a user's `__iter__`."""
    for base in (list, tuple, set, frozenset, deque):
        if issubclass(kind, base):
            return iter(base.__iter__(value))
    raise AssertionError(kind)


def fingerprint(value: Any) -> object:
    """Differs when the object itself was changed: which objects it holds, not what they hold; None when unknown."""
    kind = type(value)
    if issubclass(kind, (dict, list, set, deque)) and len(value) > MAX_PARTS:
        return None
    if issubclass(kind, dict):
        return [(shallow(k), shallow(v)) for k, v in dict.items(value)]
    if issubclass(kind, (list, set, deque)):
        return [shallow(item) for item in kind_iter(value, kind)]
    if kind is bytearray:
        return bytes(value)
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray":
        return hash(value.tobytes()) if value.nbytes <= MAX_PRINTED and not value.dtype.hasobject else None
    if kind.__dictoffset__ and kind.__flags__ & HEAP_TYPE:
        return {name: shallow(item) for name, item in object.__getattribute__(value, "__dict__").items()}
    return None


def shallow(item: Any) -> object:
    """A number or text as it is, since its address may be another's soon; of anything else the address."""
    return item if type(item) in ATOMS else id(item)


def flat(value: Any) -> bool:
    """Whether a shallow copy is independent of the original: a container of immutable values, an array, a frame."""
    kind = type(value)
    if kind is list or kind is set or kind is deque:
        return len(value) <= MAX_PARTS * 10 and all(type(item) in ATOMS or immutable(item) for item in value)
    if kind is dict:
        return len(value) <= MAX_PARTS * 10 and all(immutable(k) and immutable(v) for k, v in value.items())
    if kind is bytearray:
        return True
    return foreign_flat(value, kind)


def foreign_flat(value: Any, kind: type) -> bool:
    where = kind.__module__.partition(".")[0]
    if where == "numpy":
        return kind.__name__ == "ndarray" and value.base is None and not value.dtype.hasobject
    if where == "pandas" and kind.__name__ in {"DataFrame", "Series"} and writes_on_copy():
        types = [value.dtype] if kind.__name__ == "Series" else list(value.dtypes)
        return all(str(t) != "object" for t in types)
    return where == "polars" and kind.__name__ in {"DataFrame", "Series"}


def writes_on_copy() -> bool:
    """pandas copies on write from version 3 on."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and int(pandas.__version__.partition(".")[0]) >= 3


def copied(value: Any) -> Any:
    """A copy of a flat value."""
    kind = type(value)
    where = kind.__module__.partition(".")[0]
    if where == "pandas":
        return value.copy(deep=False)
    if where == "polars":
        return value.clone()
    return value.copy()


def size(value: Any) -> int:
    """Bytes, roughly: what the object says of itself, and the first level of a container."""
    kind = type(value)
    nbytes = getattr(value, "nbytes", None) if kind.__module__.partition(".")[0] in {"numpy", "pyarrow"} else None
    if isinstance(nbytes, int):
        return nbytes
    if kind.__module__.startswith("pandas") and kind.__name__ in {"DataFrame", "Series"}:
        if value.size < SMALL:
            return int(value.size) * 8
        used = value.memory_usage(deep=False)
        return int(used if kind.__name__ == "Series" else used.sum())
    if kind.__module__.startswith("polars") and kind.__name__ in {"DataFrame", "Series"}:
        return int(value.estimated_size())
    if kind in {list, tuple, set, frozenset, deque}:
        items = list(value)
        sample = items[:100]
        return sys.getsizeof(value) + sum(map(sys.getsizeof, sample)) * len(items) // max(1, len(sample))
    return sys.getsizeof(value, 64) if kind in ATOMS or kind is dict or kind is bytearray else 64
