"""Changes that no table knows are seen by what they leave behind."""

import functools
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tailrace_kernel.mutations import Watch


def counter() -> Any:
    count = 0

    def up() -> int:
        nonlocal count
        count += 1
        return count

    return up


def collect(item: int, into: list[int] = []) -> list[int]:  # noqa: B006  the mutable default is the case
    into.append(item)
    return into


class Model:
    def __init__(self) -> None:
        self.weights = [1000]


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1000], lambda x: x.__setitem__(0, 1001)),
        ({"a": [1]}, lambda x: x["a"].append(2)),
        (Model(), lambda x: x.weights.append(1)),
        (counter(), lambda x: x()),
        (collect, lambda x: x(1)),
        (functools.cache(len), lambda x: x("text")),
        (iter([1, 2]), next),
        ((n for n in (1, 2)), next),
        (random.Random(1), lambda x: x.random()),
        (np.random.default_rng(1), lambda x: x.random()),
        (np.arange(3), lambda x: x.__setitem__(0, 7)),
        (pd.DataFrame({"a": [1], "b": ["t"]}), lambda x: x.__setitem__("c", 1)),
        (pd.DataFrame({"a": [1], "b": ["t"]}), lambda x: x.loc.__setitem__((0, "b"), "u")),
        (pd.Series([1.5]), lambda x: x.__setitem__(0, 2.5)),
        (bytearray(b"a"), lambda x: x.__setitem__(0, 98)),
    ],
    ids=lambda case: type(case).__name__ if not callable(case) else "",
)
def test_a_change_is_seen_and_looking_is_none(value: Any, change: Any) -> None:
    watch = Watch({"x": value, "other": [1]}, ())
    assert watch.changed(()) == []
    watch = Watch({"x": value, "other": [1]}, ())
    change(value)
    assert watch.changed(()) == ["x"]


def test_counting_twice_is_seen_although_an_address_may_come_back() -> None:
    value = [1000]
    watch = Watch({"x": value}, ())
    for _ in range(8):
        value[0] += 1
        assert watch.changed(()) == ["x"]


def test_what_shares_an_object_with_a_known_change_is_no_news() -> None:
    inner = [1]
    box, other = {"in": inner}, [inner]
    watch = Watch({"other": other}, [box])
    inner.append(2)
    assert watch.changed([box]) == []
    watch = Watch({"other": other}, ())
    inner.append(3)
    assert watch.changed(()) == ["other"]
