"""A value is described without running its code."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tailrace_kernel.variables import MAX_PREVIEW, describe


class Trap:
    """Says so when its code is run."""

    ran = False

    def __repr__(self) -> str:
        Trap.ran = True
        return "repr"

    def __len__(self) -> int:
        Trap.ran = True
        return 0

    def __getattribute__(self, name: str) -> Any:
        Trap.ran = True
        return object.__getattribute__(self, name)


@pytest.mark.parametrize(
    ("value", "kind", "preview", "shape"),
    [
        (42, "int", "42", None),
        ("text", "str", "'text'", (4,)),
        ([1, "a", None], "list", "[1, 'a', None]", (3,)),
        ({"k": [1]}, "dict", "{'k': [1]}", (1,)),
        ({3}, "set", "{3}", (1,)),
        (list(range(100)), "list", "[0, 1, 2, 3, 4, 5, 6, 7, …]", (100,)),
        (np.zeros((2, 3)), "numpy.ndarray", "<ndarray (2, 3)>", (2, 3)),
        (pd.DataFrame({"a": [1, 2]}), "pandas.DataFrame", "<DataFrame (2, 1)>", (2, 1)),
        (int, "type", "<class int>", None),
    ],
)
def test_descriptions(value: object, kind: str, preview: str, shape: tuple[int, ...] | None) -> None:
    variable = describe("v", value, "a")
    assert (variable.name, variable.cell_id) == ("v", "a")
    assert (variable.type, variable.preview, variable.shape) == (kind, preview, shape)


def test_no_code_of_the_value_runs() -> None:
    trap = Trap()
    Trap.ran = False
    assert describe("v", [trap, {"k": trap}], None).preview == "[<Trap>, {'k': <Trap>}]"
    assert describe("v", trap, None).preview == "<Trap>"
    assert not Trap.ran
    repr(trap)
    assert Trap.ran


def test_a_preview_is_bounded() -> None:
    assert describe("v", 10**5000, None).preview == "<int>"
    assert len(describe("v", "x" * 10**6, None).preview) == MAX_PREVIEW
    nested: list[Any] = []
    nested.append(nested)
    assert describe("v", nested, None).preview == "[[<list (1,)>]]"
