"""A page of a result: sorted and filtered over all rows, values that JSON can carry."""

import pyarrow as pa
import pytest

from tailrace_kernel.pages import page
from tailrace_kernel.sql.grid import Grid
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.kernel_messages import TablePageRequest

TABLE = pa.table({"n": [3, 1, 2, None], "t": ["c", "A", "b", "ab"], "f": [float("nan"), 2.0**60, 0.5, None]})
GRID = Grid(TABLE, ("bigint", "text", "double"))


def test_a_slice_keeps_the_order_and_counts_all_rows() -> None:
    answer = page(GRID, TablePageRequest(cell_id="a", offset=1, limit=2))
    assert answer.rows == ((1, "A", 2.0**60), (2, "b", 0.5))
    assert answer.total == 4
    assert [(column.name, column.type) for column in answer.columns] == [
        ("n", "bigint"),
        ("t", "text"),
        ("f", "double"),
    ]


def test_sorting_and_filtering_reach_all_rows() -> None:
    by_n = page(GRID, TablePageRequest(cell_id="a", limit=2, sort=({"column": "n", "descending": True},)))
    assert [row[0] for row in by_n.rows] == [3, 2]
    with_b = page(GRID, TablePageRequest(cell_id="a", filter="B", limit=1))
    assert ([row[1] for row in with_b.rows], with_b.total) == (["b"], 2)


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(TailraceError, match="no column 'x'"):
        page(GRID, TablePageRequest(cell_id="a", sort=({"column": "x"},)))


def test_values_that_json_cannot_carry_are_text() -> None:
    table = pa.table({"big": [2**60], "nan": [float("nan")], "bytes": [b"\x00"], "list": [[1, None]]})
    grid = Grid(table, ("a", "b", "c", "d"))
    assert page(grid, TablePageRequest(cell_id="a")).rows == ((str(2**60), "nan", "0x00", "[1, null]"),)
    assert page(grid, TablePageRequest(cell_id="a", filter="NULL]")).total == 1


def test_lists_have_no_order() -> None:
    grid = Grid(pa.table({"pair": [[1], [2]]}), ("integer[]",))
    with pytest.raises(TailraceError, match="no order"):
        page(grid, TablePageRequest(cell_id="a", sort=({"column": "pair"},)))
