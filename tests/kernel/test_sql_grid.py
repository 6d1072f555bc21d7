import datetime as dt
import math
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from tailrace_kernel.sql.grid import Budget, Grid, as_text, from_batches, from_rows, unique_names
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import FrameLibrary


def grid_of(*partitions: Sequence[object], rows: int | None = None, budget: int = 2**20) -> Grid:
    """One column `c` that arrives in these partitions."""

    def parts() -> Iterator[Sequence[Sequence[object]]]:
        for partition in partitions:
            yield [(value,) for value in partition]

    return from_rows(parts(), ["c"], [""], [None], rows, Budget(budget))


@pytest.mark.parametrize(
    ("partitions", "kind", "values"),
    [
        ([[1, 2], [3]], "int64", [1, 2, 3]),
        ([[1, None]], "Int64", [1, None]),
        ([[2**60, None], [1]], "Int64", [2**60, None, 1]),
        ([[1], [2.5]], "float64", [1.0, 2.5]),
        ([[None], [1]], "Int64", [None, 1]),
        ([[True, None]], "boolean", [True, None]),
        ([["a"], [None, "b"]], "str", ["a", None, "b"]),
        ([[None], [None]], "object", [None, None]),
        ([[Decimal("1.50")], [Decimal("100.125")]], "float64", [1.5, 100.125]),
        ([[Decimal(3), Decimal(2**40)]], "int64", [3, 2**40]),
        ([[1, "a"], [2.5]], "object", [1, "a", 2.5]),
        ([[1], ["a"]], "object", [1, "a"]),
        ([[{"a": 1}], [{"b": [2]}]], "object", [{"a": 1}, {"b": [2]}]),
        ([[b"x"], ["x"]], "object", [b"x", "x"]),
        ([[2**70]], "object", [2**70]),
        ([[dt.date(2020, 1, 2)]], "datetime64[ms]", [dt.datetime(2020, 1, 2)]),
        ([], "object", []),
    ],
)
def test_a_column_takes_the_type_its_values_have(
    partitions: list[list[object]], kind: str, values: list[object]
) -> None:
    column = grid_of(*partitions).frame()["c"]
    assert str(column.dtype) == kind
    assert [None if missing else value for value, missing in zip(column, column.isna(), strict=True)] == values


def test_rows_beyond_the_limit_are_not_held_and_it_is_said() -> None:
    cut = grid_of([1, 2, 3], [4], rows=2)
    assert cut.table.column("c").to_pylist() == [1, 2]
    assert not cut.complete
    whole = grid_of([1, 2], rows=2)
    assert whole.complete


def test_a_budget_ends_the_reading() -> None:
    read: list[int] = []

    def parts() -> Iterator[Sequence[Sequence[object]]]:
        for index in range(1000):
            read.append(index)
            yield [("x" * 1000,)]

    with pytest.raises(TailraceError, match="add LIMIT") as caught:
        from_rows(parts(), ["c"], [""], [None], None, Budget(10_000))
    assert caught.value.code is ErrorCode.RESULT_TOO_LARGE
    assert len(read) < 20
    with pytest.raises(TailraceError):
        grid_of([{"a": "x" * 1000}] * 100, budget=10_000)


def test_batches_keep_the_order_and_the_names() -> None:
    schema = pa.schema([pa.field("a", pa.int64()), pa.field("b", pa.int64())]).insert(1, pa.field("a", pa.string()))
    batch = pa.RecordBatch.from_arrays([pa.array([1, 2]), pa.array(["x", "y"]), pa.array([3, 4])], schema=schema)
    grid = from_batches(iter([batch, batch]), schema, ["INT", "TEXT", "INT"], 3, Budget(2**20))
    assert grid.table.to_pydict() == {"a": [1, 2, 1], "a_1": ["x", "y", "x"], "b": [3, 4, 3]}
    assert not grid.complete
    empty = from_batches(iter([]), schema, ["INT", "TEXT", "INT"], None, Budget(0))
    assert empty.frame().shape == (0, 3)


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_1", "a_2"]),
        (["a", "a", "a_1"], ["a", "a_2", "a_1"]),
        ([], []),
    ],
)
def test_names_become_unique_and_no_name_is_stolen(names: list[str], unique: list[str]) -> None:
    assert unique_names(names) == unique


def test_polars_has_the_same_columns() -> None:
    table = pa.table({"n": [1, None], "d": pa.array([Decimal("1.50"), None]), "t": ["a", None], "mixed": ["1", "x"]})
    frame = Grid(table, ("bigint", "decimal", "text", "mixed"), {3: [1, "x"]}).frame("polars")
    assert frame.columns == ["n", "d", "t", "mixed"]
    assert frame.rows() == [(1, 1.5, "a", 1), (None, None, None, "x")]
    assert Grid(pa.table({}), ()).frame("polars").shape == (0, 0)
    interval = pa.table({"i": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    assert Grid(interval, ("interval",)).frame("polars").rows()[0][0] == (1, 2, 3)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_intervals_without_months_are_durations(library: FrameLibrary) -> None:
    day = 86_400 * 10**9
    column = pa.array([(0, 2, 5_000), None, (0, -1, day // 2)], pa.month_day_nano_interval())
    table = pa.table({"i": column}).slice(1)
    values = Grid(table, ("interval",)).frame(library)["i"].to_list()
    assert [None if pd.isna(value) else value for value in values] == [None, dt.timedelta(hours=-12)]
    assert Grid(table.slice(0, 0), ("interval",)).frame(library)["i"].to_list() == []


def test_an_interval_that_has_no_length_stays_what_it_is() -> None:
    column = pa.array([(0, 1, 0), (1, 0, 0)], pa.month_day_nano_interval())
    frame = Grid(pa.table({"i": column}), ("interval",)).frame()
    assert list(pd.Timestamp("2026-02-01") + frame["i"]) == [pd.Timestamp("2026-02-02"), pd.Timestamp("2026-03-01")]


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((14, -1, 0), "14 months -1 day"),
        ((0, 0, 0), "00:00:00"),
        ((0, 0, 3_723_500_000_000), "01:02:03.5"),
        ((1, 0, -1_000), "1 month -00:00:00.000001"),
    ],
)
def test_an_interval_is_shown_as_its_database_writes_it(parts: tuple[int, int, int], text: str) -> None:
    assert as_text(pa.scalar(parts, pa.month_day_nano_interval()).as_py()) == text


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize(("precision", "scale"), [(18, 2), (18, 6), (38, 4), (38, 20), (38, 30)])
def test_a_decimal_becomes_the_nearest_float(library: FrameLibrary, precision: int, scale: int) -> None:
    draw = random.Random(scale)
    values: list[Decimal | None] = [Decimal(draw.randrange(-(10**15), 10**15)).scaleb(-scale) for _ in range(500)]
    values += [None, Decimal(10**16 + 1).scaleb(-scale), Decimal("0.1") if scale < 36 else None]
    column = pa.array([Decimal(7), *values], pa.decimal128(precision, scale)).slice(1)
    found = Grid(pa.table({"d": column}), ("decimal",)).frame(library)["d"].to_list()
    assert [None if pd.isna(value) else value for value in found] == [None if v is None else float(v) for v in values]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_decimals_without_end_are_floats_too(library: FrameLibrary) -> None:
    frame = grid_of([Decimal("1.5"), None], [Decimal("NaN"), Decimal("-Infinity")]).frame(library)
    assert str(frame["c"].dtype).lower() == "float64"
    assert frame["c"].to_list()[0] == 1.5
    assert frame["c"].to_list()[3] == -math.inf
