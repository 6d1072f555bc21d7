"""DataFrames kept for their pages: snapshots, within a budget, gone with the cell's next run."""

import gc
import sys
import weakref
from typing import Any

import pandas as pd
import polars as pl
import pytest

from tailrace_kernel.shown_tables import MAX_TABLES, ShownTables


def first(tables: ShownTables, token: str) -> Any:
    grid = tables.grid(token)
    return None if grid is None else grid.table.column(0)[0].as_py()


def token_of(tables: ShownTables, cell_id: str, frame: Any) -> str:
    reference = tables.reference(cell_id, frame)
    assert reference is not None
    return str(reference["token"])


@pytest.mark.parametrize("library", [pd, pl])
def test_a_table_stays_what_was_shown(library: Any) -> None:
    tables = ShownTables(lambda: 10**6)
    frame = library.DataFrame({"n": [1, 2]})
    before = sys.getrefcount(frame)
    token = token_of(tables, "a", frame)
    assert sys.getrefcount(frame) == before
    if library is pd:
        frame.loc[0, "n"] = 100
    else:
        frame[0, "n"] = 100
    assert frame["n"][0] == 100
    assert first(tables, token) == 1


def test_a_reference_tells_the_size() -> None:
    reference = ShownTables(lambda: 10**6).reference("a", pd.DataFrame({"n": range(5), "m": 1}))
    assert reference is not None
    assert (reference["rows"], reference["columns"]) == (5, 2)


def test_other_values_are_no_tables() -> None:
    tables = ShownTables(lambda: 10**6)
    assert tables.reference("a", pd.Series([1])) is None
    assert tables.reference("a", [1]) is None


def test_the_next_run_of_the_cell_lets_go() -> None:
    tables = ShownTables(lambda: 10**6)
    frame = pd.DataFrame({"n": [1]})
    one, other = token_of(tables, "a", frame), token_of(tables, "b", frame)
    assert first(tables, one) == 1
    tables.forget("a")
    assert tables.grid(one) is None
    assert first(tables, other) == 1


def test_the_oldest_go_when_the_budget_is_used() -> None:
    frame = pd.DataFrame({"n": range(1_000)})  # 8,000 bytes and an index
    tables = ShownTables(lambda: 20_000)
    tokens = [token_of(tables, f"c{number}", frame.copy()) for number in range(3)]
    assert [tables.grid(token) is not None for token in tokens] == [False, True, True]
    assert tables.reference("big", pd.DataFrame({"n": range(10_000)})) is None
    assert tables.grid(tokens[2]) is not None


def test_a_loop_of_displays_keeps_the_last_ones_only() -> None:
    tables = ShownTables(lambda: 10**9)
    frame = pd.DataFrame({"n": [1]})
    tokens = [token_of(tables, "a", frame) for _ in range(MAX_TABLES + 5)]
    assert [tables.grid(token) is None for token in (tokens[4], tokens[5])] == [True, False]


def test_nothing_holds_a_frame_that_was_let_go() -> None:
    tables = ShownTables(lambda: 10**6)
    frame = pd.DataFrame({"n": [1]})
    token_of(tables, "a", frame)
    gone = weakref.ref(frame)
    del frame
    gc.collect()
    assert gone() is None
