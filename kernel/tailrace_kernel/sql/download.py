"""A result as a file, part by part: CSV for spreadsheets, Arrow IPC for programs. Knows grids; no cells, no database.

Every part is made from the grid and a row number alone, so nobody keeps a download open: an Arrow stream is its
schema, its batches and a mark of its end, one after the other.
"""

from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from pyarrow import csv

from tailrace_kernel.sql.grid import Grid, as_text, python_values

Format = Literal["csv", "arrow"]
PART = 4 * 2**20  # bytes of Arrow that one part holds, about
MAX_ROWS = 65_536  # of one part
ARROW_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # Arrow IPC streaming format, end of stream
WRITTEN = (  # by Arrow's own CSV writer
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string,
    pa.types.is_decimal128, pa.types.is_date, pa.types.is_time, pa.types.is_timestamp, pa.types.is_null,
)  # fmt: skip
arrow: Any = pa  # its stubs ask for one literal type at each call


@dataclass(frozen=True, slots=True)
class Part:
    content: bytes
    next_row: int | None  # None after the last part


def part(grid: Grid, kind: Format, row: int) -> Part:
    """The rows from `row` on, with what stands before the first and after the last one."""
    table = grid.table
    count = max(1, min(MAX_ROWS, PART * max(1, table.num_rows) // max(1, table.nbytes)))
    end = row + count
    rows = table.slice(row, count)
    last = end >= table.num_rows
    content = _csv(rows, heads=row == 0) if kind == "csv" else _arrow(rows, first=row == 0, last=last)
    return Part(content, None if last else end)


def _csv(rows: pa.Table, *, heads: bool) -> bytes:
    """UTF-8, a comma, quotes where they are needed; NULL is empty, nested values are JSON."""
    if not rows.num_columns:
        return b""
    texts = arrow.table([_as_field(column) for column in rows.columns], names=rows.column_names)
    sink = pa.BufferOutputStream()
    csv.write_csv(texts, sink, csv.WriteOptions(include_header=heads, quoting_style="needed"))
    return bytes(sink.getvalue())


def _as_field(column: Any) -> Any:
    """The column as a type that CSV has a word for."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    if any(is_kind(kind) for is_kind in WRITTEN):
        return column
    return _texts(as_text(value) for value in python_values(column))


def _texts(values: Any) -> Any:
    return arrow.array(list(values), pa.string())


def _arrow(rows: pa.Table, *, first: bool, last: bool) -> bytes:
    plain = _without_dictionaries(rows)
    parts = [plain.schema.serialize().to_pybytes()] if first else []
    parts += [batch.serialize().to_pybytes() for batch in plain.to_batches()]
    return b"".join([*parts, ARROW_END]) if last else b"".join(parts)


def _without_dictionaries(rows: pa.Table) -> pa.Table:
    """A dictionary (DuckDB's ENUM) would be one more message that all later parts depend on."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in rows.columns
    ]
    return pa.table(columns, names=rows.column_names) if columns else rows
