import datetime as dt
import uuid
from decimal import Decimal
from enum import Enum

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tailrace_kernel.sql.values import for_sqlite, plain
from tailrace_protocol.errors import ErrorCode, TailraceError


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float64(1.5), 1.5),
        (np.str_("x"), "x"),
        (np.datetime64("2020-01-02"), dt.datetime(2020, 1, 2)),
        (np.datetime64("NaT"), None),
        (np.timedelta64(5, "s"), dt.timedelta(seconds=5)),
        (pd.Timestamp("2020-01-02T03:04:05"), dt.datetime(2020, 1, 2, 3, 4, 5)),
        (pd.Timedelta("1s"), dt.timedelta(seconds=1)),
        (pd.NaT, None),
        (pd.NA, None),
        (None, None),
        (Colour.RED, "red"),
        (Decimal("1.10"), Decimal("1.10")),
        (bytearray(b"x"), b"x"),
        (np.array([1, 2]), [1, 2]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        (pd.Index(["a"]), ["a"]),
        (pl.Series([1, None]), [1, None]),
        ((np.int64(1), pd.NaT), [1, None]),
        (range(2), [0, 1]),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_a_value_becomes_one_of_the_standard_library(value: object, expected: object) -> None:
    got = plain(value, "x")
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize("value", [pd.DataFrame({"a": [1]}), pl.DataFrame({"a": [1]}), len])
def test_what_is_no_value_is_refused_by_name(value: object) -> None:
    with pytest.raises(TailraceError, match=r"^orders is a ") as caught:
        plain(value, "orders")
    assert caught.value.code is ErrorCode.DB_PARAMETER


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("2"), 2),
        (Decimal("2.5"), 2.5),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (dt.datetime(2020, 1, 2, 3), "2020-01-02 03:00:00"),
        (dt.date(2020, 1, 2), "2020-01-02"),
        ({"ä": [1]}, '{"ä": [1]}'),
        ([Decimal("2"), dt.date(2020, 1, 2)], [2, "2020-01-02"]),
    ],
)
def test_sqlite_gets_numbers_text_and_bytes(value: object, expected: object) -> None:
    got = for_sqlite(value, "x")
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize("value", [2**63, dt.timedelta(1)])
def test_what_sqlite_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(TailraceError, match=r"^n is a ") as caught:
        for_sqlite(value, "n")
    assert caught.value.code is ErrorCode.DB_PARAMETER
    assert for_sqlite(2**63 - 1, "n") == 2**63 - 1
