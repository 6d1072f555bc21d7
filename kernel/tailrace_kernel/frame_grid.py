"""A DataFrame as a grid, so that pages and downloads of it are those of SQL results. Knows pandas, polars and Arrow.

Columns that Arrow can hold are shared with the frame where Arrow allows it; the others stand as their texts.
"""

import sys
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from tailrace_kernel.sql.grid import Grid, as_text, unique_names

arrow: Any = pa  # its stubs ask for one literal type at each call
UNFIT = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, TypeError, ValueError)


def grid_of(frame: Any) -> Grid:
    """The whole frame; an index that is more than row numbers comes first, level by level."""
    series = list(_columns(frame))
    columns = [_array(values) for _, values in series]
    names = unique_names(name for name, _ in series)
    types = tuple(str(values.dtype) for _, values in series)
    return Grid(arrow.table(columns, names=names) if columns else pa.table({}), types)


def _columns(frame: Any) -> Iterable[tuple[str, Any]]:
    pandas: Any = sys.modules.get("pandas")
    if pandas is None or not isinstance(frame, pandas.DataFrame):
        return ((series.name, series) for series in frame.get_columns())
    index = frame.index
    levels = []
    if not _is_row_numbers(pandas, index):
        levels = [
            (_name(name if name is not None else ("index" if index.nlevels == 1 else f"level_{number}")), values)
            for number, name in enumerate(index.names)
            if (values := index.get_level_values(number).to_series()) is not None
        ]
    return [*levels, *((_name(frame.columns[at]), frame.iloc[:, at]) for at in range(frame.shape[1]))]


def _is_row_numbers(pandas: Any, index: Any) -> bool:
    plain = isinstance(index, pandas.RangeIndex) and index.name is None
    return bool(plain and index.start == 0 and index.step == 1)


def _name(name: object) -> str:
    """Of several levels: `sales / sum`."""
    return " / ".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)


def _array(series: Any) -> Any:
    try:
        polars = hasattr(series, "to_arrow")
        values = series.to_arrow() if polars else arrow.array(series, from_pandas=True)
        if not isinstance(values.type, pa.BaseExtensionType) and not _keeps_documents(values.type):
            return values
    except UNFIT:
        pass
    return arrow.array([_text(value) for value in series], pa.string())


def _keeps_documents(kind: pa.DataType) -> bool:
    """Arrow gives documents of different shape one shape, with NULL where a key was missing."""
    return pa.types.is_struct(kind) or pa.types.is_union(kind)


def _text(value: Any) -> str | None:
    pandas: Any = sys.modules.get("pandas")
    if value is None or (pandas is not None and pandas.api.types.is_scalar(value) and pandas.isna(value)):
        return None
    return as_text(value)
