"""What cells give when they run as a plain script, and values as pictures that can be compared."""

import contextlib
import io
from types import FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any

from tailrace_kernel.sharing import immutable
from tests.kernel.dataflow import compiled


def script(codes: list[str]) -> tuple[dict[str, Any], list[str]] | None:
    """Namespace and outputs of the cells run top to bottom in one plain namespace; None when one raises."""
    user: dict[str, Any] = {"__name__": "__main__"}
    outputs = []
    for code in codes:
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                exec(compiled(code), user)
        except Exception:
            return None
        outputs.append(out.getvalue())
    return user, outputs


def picture(value: Any, depth: int = 0) -> object:
    """A value without addresses."""
    kind = type(value)
    if depth > 6:
        return "…"
    if isinstance(value, ModuleType):
        return ("module", value.__name__)
    if isinstance(value, FunctionType):
        return ("function", value.__name__, value.__code__.co_names)
    if isinstance(value, MethodType):
        return ("method", value.__name__, picture(value.__self__, depth + 1))
    if isinstance(value, GeneratorType):
        return ("generator", None if value.gi_frame is None else value.gi_frame.f_lasti)
    if isinstance(value, type):
        own = {k: picture(v, depth + 1) for k, v in vars(value).items() if not k.startswith("__")}
        return ("class", value.__name__, sorted(own.items(), key=str))
    if kind in {list, tuple}:
        return (kind.__name__, [picture(v, depth + 1) for v in value])
    if kind is dict:
        return ("dict", [(k, picture(v, depth + 1)) for k, v in value.items()])
    if kind.__name__ == "list_iterator":
        return ("iterator", value.__length_hint__())
    if kind.__module__.startswith(("numpy", "pandas")):
        return table(value)
    if kind.__module__ == "builtins":
        return repr(value)
    return ("instance", kind.__name__, sorted((k, picture(v, depth + 1)) for k, v in vars(value).items()))


def table(value: Any) -> object:
    """A frame, a column of it, or an array; printing one takes far longer."""
    kind = type(value).__name__
    if kind == "DataFrame":
        columns = [(value.columns[at], table(value.iloc[:, at])) for at in range(value.shape[1])]
        return (kind, value.index.tolist(), columns)
    if kind == "Series":
        return (kind, value.name, str(value.dtype), value.index.tolist(), repr(value.to_numpy().tolist()))
    if kind == "ndarray":
        return (kind, str(value.dtype), value.shape, repr(value.tolist()))
    return (kind, str(value))


def pictures(user: dict[str, Any]) -> dict[str, object]:
    return {name: picture(value) for name, value in user.items() if not name.startswith("__")}


def sharing(user: dict[str, Any]) -> set[frozenset[str]]:
    """Groups of names that are one changeable object."""
    groups: dict[int, set[str]] = {}
    for name, value in user.items():
        if not immutable(value) and not callable(value):
            groups.setdefault(id(value), set()).add(name)
    return {frozenset(names) for names in groups.values() if len(names) > 1}
