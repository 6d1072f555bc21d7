"""One page of a SQL result or a DataFrame, sorted and filtered over all rows. Knows Arrow; no database, no cells."""

import math
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tailrace_kernel.sql.grid import Grid, as_text, python_values
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import TableColumn, TablePageReply, TablePageRequest

arrow: Any = pa  # its stubs ask for one literal type at each call
PLAIN = frozenset({str, int, float, bool, type(None)})
Key = tuple[str, Literal["ascending", "descending"]]
LOOKED_AT = 10_000  # rows whose values are Python objects at once
MAX_EXACT = 2**53  # integers beyond this lose digits in a browser


def page(grid: Grid, request: TablePageRequest) -> TablePageReply:
    """`sort` is a list of {column, descending}; `filter` keeps the rows with that text in any column, whatever case."""
    table = grid.table
    columns = tuple(
        TableColumn(name=name, type=word) for name, word in zip(table.column_names, grid.types, strict=True)
    )
    if request.filter:
        table = _containing(table, request.filter)
    if request.sort:
        table = _sorted(table, [_key(table, key) for key in request.sort])
    rows = table.slice(request.offset, request.limit)
    values = [[_plain(value) for value in python_values(column)] for column in rows.columns]
    return TablePageReply(columns=columns, rows=tuple(zip(*values, strict=True)), total=table.num_rows)


def _containing(table: pa.Table, text: str) -> pa.Table:
    wanted = text.lower()
    found: list[bool] = []
    for start in range(0, table.num_rows, LOOKED_AT):
        columns = [python_values(column) for column in table.slice(start, LOOKED_AT).columns]
        found += [
            any(value is not None and wanted in (as_text(value) or "").lower() for value in row)
            for row in zip(*columns, strict=True)
        ]
    return table.filter(pa.array(found, pa.bool_()))


def _sorted(table: pa.Table, keys: list[Key]) -> pa.Table:
    try:
        order = pc.sort_indices(_sortable(table, keys), sort_keys=keys)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        message = f"These columns cannot be sorted by: lists and documents have no order ({error})."
        raise TailraceError(ErrorCode.BAD_FIELD, message, details={"field": "sort"}) from None
    return table.take(order)


def _sortable(table: pa.Table, keys: list[Key]) -> Any:
    """The columns to sort by; Arrow has no order for dictionaries (categories, DuckDB's ENUM), but for their values."""
    columns = {name: table.column(name) for name, _ in keys}
    plain = {
        name: column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for name, column in columns.items()
    }
    return arrow.table(plain)


def _key(table: pa.Table, key: dict[str, Any]) -> Key:
    column = key.get("column")
    if not isinstance(column, str) or column not in table.column_names:
        raise TailraceError(
            ErrorCode.BAD_FIELD, f"There is no column {column!r} to sort by.", details={"field": "sort"}
        )
    return column, "descending" if key.get("descending") else "ascending"


def _plain(value: object) -> Any:
    """The value if JSON can carry it exactly, else its text."""
    if type(value) not in PLAIN:
        return as_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if type(value) is int and abs(value) > MAX_EXACT:
        return str(value)
    return value
