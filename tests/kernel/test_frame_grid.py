"""A DataFrame as a grid: its index, its names, its types, and what Arrow cannot hold."""

import datetime
from typing import Any

import pandas as pd
import polars as pl
import pytest

from tailrace_kernel.frame_grid import grid_of
from tailrace_kernel.pages import page
from tailrace_protocol.kernel_messages import TablePageRequest


def rows(frame: Any, **asked: Any) -> tuple[tuple[Any, ...], ...]:
    return page(grid_of(frame), TablePageRequest(cell_id="a", **asked)).rows


@pytest.mark.parametrize("library", [pd, pl])
def test_pages_of_both_libraries_are_alike(library: Any) -> None:
    frame = library.DataFrame({"n": [3, 1, 2], "t": ["c", "Ä", None]})
    assert rows(frame, sort=({"column": "n"},), limit=2) == ((1, "Ä"), (2, None))
    assert rows(frame, filter="ä") == ((1, "Ä"),)
    assert grid_of(frame).table.column_names == ["n", "t"]


def test_types_are_the_words_of_the_library() -> None:
    assert grid_of(pd.DataFrame({"n": [1], "t": ["a"]})).types == ("int64", "str")
    assert grid_of(pl.DataFrame({"n": [1], "t": ["a"]})).types == ("Int64", "String")


def test_an_index_with_a_meaning_comes_first() -> None:
    sums = pd.DataFrame({"city": ["A", "B", "A"], "n": [1, 2, 3]}).groupby("city").agg(["sum", "max"])
    grid = grid_of(sums)
    assert grid.table.column_names == ["city", "n / sum", "n / max"]
    assert rows(sums) == (("A", 4, 3), ("B", 2, 2))
    cut = pd.DataFrame({"n": [1, 2, 3]}).iloc[1:]
    assert rows(cut) == ((1, 2), (2, 3))
    two = pd.DataFrame({"n": [5]}, index=pd.MultiIndex.from_tuples([("a", 1)]))
    assert grid_of(two).table.column_names == ["level_0", "level_1", "n"]


def test_equal_names_are_told_apart() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    assert grid_of(frame).table.column_names == ["a", "a_1"]


def test_what_arrow_has_no_type_for_is_text() -> None:
    frame = pd.DataFrame(
        {
            "mixed": [1, "two", None],
            "doc": [{"a": 1}, {"b": [2]}, None],
            "huge": [2**80, 1, None],
            "complex": [1j, 2j, 3j],
            "day": pd.period_range("2026-01-01", periods=3, freq="D"),
        }
    )
    assert rows(frame)[0] == ("1", '{"a": 1}', str(2**80), "1j", "2026-01-01")
    assert rows(frame)[2][:3] == (None, None, None)


def test_missing_numbers_are_null_and_dates_are_dates() -> None:
    frame = pd.DataFrame(
        {"f": [1.5, None], "when": [pd.Timestamp("2026-01-02"), None], "c": pd.Categorical(["x", None])}
    )
    grid = grid_of(frame)
    assert [column.null_count for column in grid.table.columns] == [1, 1, 1]
    assert grid.table.column("when")[0].as_py() == datetime.datetime(2026, 1, 2)
    assert rows(frame, sort=({"column": "c"},))[0][2] == "x"


@pytest.mark.parametrize("frame", [pd.DataFrame(), pl.DataFrame(), pd.DataFrame({"a": []})])
def test_empty_frames_have_no_rows(frame: Any) -> None:
    assert rows(frame) == ()
