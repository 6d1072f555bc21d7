"""Parts of a download put together are the table, whatever its types and size."""

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace_kernel.sql import Connections
from tailrace_kernel.sql.download import MAX_ROWS, PART, Format, part
from tailrace_kernel.sql.grid import Grid


def whole(grid: Grid, kind: Format) -> tuple[bytes, int]:
    """All parts joined, and how many there were."""
    parts, row = [], 0
    while True:
        made = part(grid, kind, row)
        parts.append(made.content)
        if made.next_row is None:
            return b"".join(parts), len(parts)
        assert made.next_row > row
        row = made.next_row


def lines(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_a_large_table_comes_in_bounded_parts() -> None:
    grid = Grid(pa.table({"n": range(200_000), "t": ["x" * 100] * 200_000}), ("bigint", "text"))
    arrow, parts = whole(grid, "arrow")
    assert pa.ipc.open_stream(arrow).read_all().equals(grid.table)
    assert parts >= grid.table.nbytes / PART
    assert len(part(grid, "arrow", 0).content) < 2 * PART
    text, _ = whole(grid, "csv")
    assert len(lines(text)) == 200_001
    narrow = Grid(pa.table({"n": pa.array([None] * (MAX_ROWS + 1), pa.null())}), ("",))
    assert whole(narrow, "csv")[1] == 2


@pytest.mark.parametrize("kind", ["csv", "arrow"])
def test_a_table_without_rows_has_its_columns(kind: Format) -> None:
    content, parts = whole(Grid(pa.table({"a": pa.array([], pa.int64())}), ("bigint",)), kind)
    assert parts == 1
    if kind == "csv":
        assert lines(content) == [["a"]]
    else:
        assert pa.ipc.open_stream(content).schema.names == ["a"]


def test_every_type_has_a_text() -> None:
    kinds = pa.table(
        {
            "list": [[1, 2], None],
            "struct": pa.array([{"a": "é"}, None]),
            "bytes": [b"\x00\xff", None],
            "date": [date(2026, 1, 2), None],
            "span": [timedelta(hours=1), None],
            "money": [Decimal("1.50"), None],
            "flag": [True, None],
            "word": pa.array(["on", None]).dictionary_encode(),
        }
    )
    content, _ = whole(Grid(kinds, ("",) * 8), "csv")
    assert lines(content)[1:] == [
        ["[1, 2]", '{"a": "é"}', "0x00ff", "2026-01-02", "1:00:00", "1.50", "true", "on"],
        [""] * 8,
    ]
    arrow, _ = whole(Grid(kinds, ("",) * 8), "arrow")
    assert pa.ipc.open_stream(arrow).read_all().column("word").to_pylist() == ["on", None]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r")), min_size=1))
def test_any_text_survives_csv(texts: list[str]) -> None:
    content, _ = whole(Grid(pa.table({"t": texts, "u": texts}), ("text", "text")), "csv")
    assert lines(content)[1:] == [[text, text] for text in texts]


def test_results_of_every_type_of_duckdb() -> None:
    connections = Connections()
    result = connections.run("SELECT * FROM test_all_types()", result="r")
    assert result.grid is not None
    assert len(lines(whole(result.grid, "csv")[0])) == result.grid.table.num_rows + 1
    assert pa.ipc.open_stream(whole(result.grid, "arrow")[0]).read_all().num_rows == result.grid.table.num_rows
    connections.close()
