"""Changes that no table knows: fingerprints of what a cell reads, taken before its run and compared after it.

Sees further than the walk that finds sharing (closures, defaults, caches, generators, random generators), and costs
more: it is for looking, not for every run. Knows values; must not know cells.
"""

from collections.abc import Iterable, Mapping
from types import FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

from tailrace_kernel.sharing import ATOMS, MAX_PARTS, class_attributes, fingerprint, inside, is_users_class, shallow

MAX_CELLS = 1_000_000  # of a frame that are looked at


class Watch:
    """Holds the objects from its beginning to `changed`: an address means nothing once its object is gone."""

    def __init__(self, values: Mapping[str, Any], changed: Iterable[Any]) -> None:
        """`values` are watched by name; what `changed` values are made of may change."""
        self._values = dict(values)
        self._expected = set(made_of(changed))
        self._before = {name: prints(value) for name, value in self._values.items()}

    def changed(self, changed: Iterable[Any]) -> list[str]:
        """Names whose object, or a part of it, is another than before. `changed` again: what it is made of now."""
        expected = self._expected | set(made_of(changed))
        found = []
        for name, value in self._values.items():
            now = prints(value)
            if any(key not in expected and now.get(key, was) != was for key, was in self._before[name].items()):
                found.append(name)
        return sorted(found)


def prints(value: Any) -> dict[int, object]:
    return {key: look(part) for key, part in made_of((value,)).items()}


def made_of(values: Iterable[Any]) -> dict[int, Any]:
    """The objects behind these values that may change, by id; also those that functions keep."""
    found: dict[int, Any] = {}
    todo = list(values)
    while todo and len(found) < MAX_PARTS:
        value = todo.pop()
        kind = type(value)
        if kind in ATOMS or id(value) in found or issubclass(kind, ModuleType):
            continue
        if isinstance(value, type):
            if not is_users_class(value):
                continue
            todo += class_attributes(value)
        found[id(value)] = value
        if is_users_class(kind):
            todo.append(kind)
        todo += kept_by(value, kind)
        todo.extend(inside(value, kind, MAX_PARTS))
    return found


def kept_by(value: Any, kind: type) -> list[Any]:
    """What a function or a method keeps between its calls."""
    if kind is MethodType:
        return [value.__self__, value.__func__]
    if kind is not FunctionType:
        wrapped = getattr(value, "__wrapped__", None) if hasattr(kind, "cache_info") else None
        return [] if wrapped is None else [wrapped]
    kept = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    for cell in value.__closure__ or ():
        try:
            kept.append(cell.cell_contents)
        except ValueError:  # not bound yet
            continue
    return kept


def look(value: Any) -> object:
    """What differs once the object itself was changed; None where nothing is known of its kind."""
    kind = type(value)
    where = kind.__module__
    if kind is FunctionType:
        return [shallow(part) for part in kept_by(value, kind)], {
            name: shallow(part) for name, part in value.__dict__.items()
        }
    if kind is GeneratorType:
        return None if value.gi_frame is None else value.gi_frame.f_lasti, value.gi_frame is None
    if hasattr(kind, "cache_info"):
        return value.cache_info()
    if isinstance(value, type):
        return [shallow(part) for part in class_attributes(value)]
    if where.startswith("pandas") and kind.__name__ in {"DataFrame", "Series"}:
        return look_at_table(value)
    if where == "random" and hasattr(kind, "getstate"):
        return hash(value.getstate())
    if where.startswith("numpy.random") and hasattr(kind, "bit_generator"):
        return repr(value.bit_generator.state)
    if where in {"builtins", "itertools", "_collections"} and hasattr(kind, "__length_hint__"):
        return value.__length_hint__()
    return fingerprint(value)


def look_at_table(table: Any) -> object:
    """A frame or a column: labels, and values by value where they are numbers, else by which objects they are."""
    if table.size > MAX_CELLS:
        return None
    columns = [table] if table.ndim == 1 else [table.iloc[:, at] for at in range(table.shape[1])]
    values = [column.to_numpy() for column in columns]
    cells = [hash(v.tobytes()) if not v.dtype.hasobject else [shallow(item) for item in v.tolist()] for v in values]
    labels = [shallow(label) for label in (table.columns.tolist() if table.ndim == 2 else [table.name])]
    return labels, [shallow(label) for label in table.index.tolist()], cells
