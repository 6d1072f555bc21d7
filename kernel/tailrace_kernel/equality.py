"""Exact equality of values for the cut-off: same type, same value, nothing of the user's called. Bounded."""

import struct
from typing import Any

from tailrace_kernel.sharing import ATOMS, MAX_PARTS

MAX_BYTES = 64 * 2**20  # of an array or a frame that is compared


def equal_values(old: Any, new: Any) -> bool:
    """False when unsure. NaN equals NaN, 0.0 does not equal -0.0, True does not equal 1."""
    return _equal(old, new, [MAX_PARTS])


def _equal(old: Any, new: Any, left: list[int]) -> bool:
    kind = type(old)
    left[0] -= 1
    if kind is not type(new) or left[0] < 0:
        return False
    if kind is float:
        return struct.pack("<d", old) == struct.pack("<d", new)
    if kind is complex:
        return _equal(old.real, new.real, left) and _equal(old.imag, new.imag, left)
    if kind in ATOMS or kind is bytearray:
        return bool(old == new)
    if kind is list or kind is tuple:
        return len(old) == len(new) and all(_equal(a, b, left) for a, b in zip(old, new, strict=True))
    if kind is dict:
        return len(old) == len(new) and all(
            _equal(a, b, left) and _equal(old[a], new[b], left) for a, b in zip(old, new, strict=True)
        )
    if kind is set or kind is frozenset:
        return len(old) == len(new) and all(type(item) in ATOMS for item in old | new) and bool(old == new)
    return old is new or _equal_arrays(old, new, kind)


def _equal_arrays(old: Any, new: Any, kind: type) -> bool:
    where = kind.__module__.partition(".")[0]
    if where == "numpy" and kind.__name__ == "ndarray":
        if old.dtype != new.dtype or old.shape != new.shape or old.dtype.hasobject or old.nbytes > MAX_BYTES:
            return False
        return bool(old.tobytes() == new.tobytes())
    if where == "pandas" and kind.__name__ in {"DataFrame", "Series"}:
        return bool(old.equals(new)) and bool(old.index.equals(new.index)) and _same_labels(old, new)
    return False


def _same_labels(old: Any, new: Any) -> bool:
    return str(old.attrs) == str(new.attrs) and getattr(old, "name", None) == getattr(new, "name", None)
