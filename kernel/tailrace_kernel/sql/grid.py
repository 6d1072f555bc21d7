"""The rows of one query as Arrow, built from Arrow batches or from driver rows, within a budget. Knows no database.

Arrow has one type per column; a driver's column may not (SQLite stores what it is given, JSON documents differ). Such
a column keeps its Python values beside the Arrow table, where its text stands for display.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from pandas.api.types import pandas_dtype

from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import FrameLibrary

Table: TypeAlias = pa.Table
ChunkedArray: TypeAlias = "pa.ChunkedArray[Any]"
arrow: Any = pa  # its stubs ask for one literal type at each call

_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])
_DAY = 86_400_000_000  # microseconds
_MOST_DAYS = 100_000_000  # of a duration in microseconds
_EXACT, _EXACT_POWER = 2**53, 22  # whole numbers and powers of ten that floats hold exactly: one division is exact too
_BEYOND_TEXT = 3_000  # bytes a Python value of a mixed column counts at most, guessed


@dataclass(frozen=True, slots=True)
class Grid:
    """`table` has unique column names; `types` are the database's words; `objects` maps a column's index to its
    Python values where Arrow has no one type for it. `complete` is False if the query had more rows."""

    table: pa.Table
    types: tuple[str, ...]
    objects: dict[int, list[object]] = field(default_factory=dict)
    complete: bool = True

    def frame(self, library: FrameLibrary = "pandas") -> Any:
        """The rows as a DataFrame of pandas or polars. Raises not_supported when polars is not installed."""
        return self.polars() if library == "polars" else self.pandas()

    def polars(self) -> Any:
        """A polars DataFrame on Arrow's own memory; decimals become numbers as in `pandas`."""
        try:
            import polars  # by use: an extra, and 0.3 s
        except ModuleNotFoundError:
            message = "polars is not installed: run `pip install polars`, or set `frames` back to pandas."
            raise TailraceError(ErrorCode.NOT_SUPPORTED, message) from None
        columns = []
        for index, name in enumerate(self.table.column_names):
            column = self.table.column(index)
            try:
                if index in self.objects:
                    numbers = _numbers(self.objects[index])
                    kind = polars.Object if numbers is None else polars.Float64
                    columns.append(polars.Series(name, self.objects[index] if numbers is None else numbers, dtype=kind))
                else:
                    columns.append(polars.Series(name, polars.from_arrow(_as_frames_have_it(column))))
            except polars.exceptions.PolarsError:  # intervals, unions
                columns.append(polars.Series(name, python_values(column), dtype=polars.Object))
        return polars.DataFrame(columns)

    def pandas(self) -> pd.DataFrame:
        """A writable DataFrame: whole numbers stay whole (Int64 where some are missing), decimals become whole
        numbers or floats as in `pandas.read_sql`, dates become datetime64."""
        series = {index: self._series(index) for index in range(self.table.num_columns)}
        frame = pd.DataFrame(series, copy=False) if series else pd.DataFrame(index=range(self.table.num_rows))
        frame.columns = pd.Index(self.table.column_names)
        return frame

    def _series(self, index: int) -> Any:
        if index in self.objects:
            numbers = _numbers(self.objects[index])
            return pd.Series(self.objects[index], dtype=object) if numbers is None else pd.Series(numbers, dtype=float)
        return _column_series(self.table.column(index))


def _column_series(column: Any) -> Any:
    column = _as_frames_have_it(column)
    kind = column.type
    if pa.types.is_integer(kind) and column.null_count:
        word = f"{'Int' if pa.types.is_signed_integer(kind) else 'UInt'}{kind.bit_width}"
        return column.to_pandas(types_mapper=lambda _: pandas_dtype(word))
    if pa.types.is_boolean(kind) and column.null_count:
        return column.to_pandas(types_mapper=lambda _: pd.BooleanDtype())
    if pa.types.is_null(kind):
        return pd.Series([None] * len(column), dtype=object)
    try:
        series = pd.Series(column.to_pandas(date_as_object=False, maps_as_pydicts="lossy"))
    except (ValueError, OverflowError, pa.ArrowNotImplementedError):  # DuckDB's 24:00:00, years BC, unions
        series = pd.Series(python_values(column), dtype=object)
    return series.copy() if not pa.types.is_string(kind) else series  # Arrow's own memory is read-only


def python_values(column: Any) -> list[Any]:
    """The values of an Arrow column; as texts where Python has none for them."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        values = [_value_or_text(column, index) for index in range(len(column))]
    return values


def _value_or_text(column: Any, index: int) -> Any:
    try:
        return column[index].as_py()
    except (ValueError, OverflowError):
        pass
    try:
        return str(column.slice(index, 1).cast(pa.string())[0])
    except pa.ArrowNotImplementedError:  # inside a list or a document
        return f"<{column.type} that Python cannot hold>"


def _as_frames_have_it(column: Any) -> Any:
    """Decimals as numbers; DuckDB's intervals without months as durations (else they stay: a month has no length)."""
    if pa.types.is_interval(column.type):
        chunks = [_duration(chunk) for chunk in column.chunks]
        return column if any(chunk is None for chunk in chunks) else arrow.chunked_array(chunks, pa.duration("us"))
    if not pa.types.is_decimal(column.type):
        return column
    if column.type.scale == 0:
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    return arrow.chunked_array([_floats(chunk) for chunk in column.chunks], pa.float64())


def _numbers(values: Sequence[object]) -> list[float | None] | None:
    """Decimals for which Arrow has no type, for one of them is NaN or infinite, as floats; None for other values."""
    if not all(value is None or isinstance(value, Decimal) for value in values):
        return None
    return [float(value) if isinstance(value, Decimal) else None for value in values]


def _floats(chunk: Any) -> Any:
    """Decimals as the nearest floats, as `float(Decimal)` gives them: Arrow's own cast misses every fifth by a bit."""
    kind = chunk.type
    if pa.types.is_decimal128(kind) and 0 <= kind.scale <= _EXACT_POWER and len(chunk):
        halves = np.frombuffer(chunk.buffers()[1], "<i8").reshape(-1, 2)[chunk.offset : chunk.offset + len(chunk)]
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        low, high = (np.where(valid, halves[:, half], 0) for half in (0, 1))
        if np.array_equal(high, low >> 63) and np.all(np.abs(low) < _EXACT):
            return arrow.array(low / 10**kind.scale, pa.float64(), mask=~valid)
    return chunk.cast(pa.string()).cast(pa.float64())


def _duration(chunk: Any) -> Any:
    """Months, days and nanoseconds (Arrow's MonthDayNano) in microseconds; None if that cannot be said."""
    if not len(chunk):
        return arrow.array([], pa.duration("us"))
    parts = np.frombuffer(chunk.buffers()[1], _INTERVAL)[chunk.offset : chunk.offset + len(chunk)]
    valid = chunk.is_valid().to_numpy(zero_copy_only=False)
    days, nanoseconds = (np.where(valid, parts[name].astype("i8"), 0) for name in ("days", "nanoseconds"))
    if np.any(parts["months"][valid]) or np.any(np.abs(days) > _MOST_DAYS) or np.any(nanoseconds % 1_000):
        return None
    return arrow.array(days * _DAY + nanoseconds // 1_000, pa.duration("us"), mask=~valid)


def unique_names(names: Iterable[str]) -> list[str]:
    """Column names in order, a second `a` as `a_1`; a name that another column has is not taken."""
    names = list(names)
    taken = set(names)
    seen: set[str] = set()
    unique = []
    for name in names:
        fresh, count = name, 0
        while fresh in seen or (fresh != name and fresh in taken):
            count += 1
            fresh = f"{name}_{count}"
        seen.add(fresh)
        unique.append(fresh)
    return unique


class Budget:
    """Counts the bytes of a result and refuses beyond the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, count: int) -> None:
        self.used += count
        if self.used > self.limit:
            message = (
                f"The result is larger than {self.limit / 2**20:,.0f} MiB, the memory this kernel gives one result: "
                "add LIMIT, aggregate in the database, or leave the result without a name to see its first rows."
            )
            raise TailraceError(ErrorCode.RESULT_TOO_LARGE, message, details={"bytes": self.limit})


def from_batches(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, types: Sequence[str], rows: int | None, budget: Budget
) -> Grid:
    """The first `rows` rows of Arrow batches (all if None)."""
    kept: list[pa.RecordBatch] = []
    count, complete = 0, True
    for batch in batches:
        for column in batch.columns:
            must_be_finite(column)
        if rows is not None and count + batch.num_rows > rows:
            kept.append(batch.slice(0, rows - count))
            complete = False
            break
        kept.append(batch)
        count += batch.num_rows
        budget.take(batch.nbytes)
    names = unique_names(schema.names)
    renamed = pa.schema([each.with_name(name) for each, name in zip(schema, names, strict=True)])
    batches_renamed = [pa.RecordBatch.from_arrays(batch.columns, schema=renamed) for batch in kept]
    return Grid(pa.Table.from_batches(batches_renamed, schema=renamed), tuple(types), {}, complete)


def must_be_finite(column: Any) -> None:
    """DuckDB's infinite dates come as the last and first numbers of their type.

    Raises OverflowError, with the value as its database writes it: a year 294247 would pass for a date.
    """
    kind = column.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date32(kind)):
        return
    integer = pa.int64() if pa.types.is_timestamp(kind) else pa.int32()
    last = 2 ** (integer.bit_width - 1) - 1
    found = {last: "infinity", -last: "-infinity"}
    ends = arrow.compute.min_max(column.view(integer))
    for end in (ends["min"].as_py(), ends["max"].as_py()):
        if end in found:
            raise OverflowError(f"no time is '{found[end]}'")


def from_rows(
    partitions: Iterator[Sequence[Sequence[object]]],
    names: Sequence[str],
    types: Sequence[str],
    wanted: Sequence[pa.DataType | None],
    rows: int | None,
    budget: Budget,
) -> Grid:
    """The first `rows` rows of a driver; `wanted` is the Arrow type of a column where the driver tells it."""
    columns = [Column(kind) for kind in wanted]
    count, complete = 0, True
    for partition in partitions:
        part = partition
        if rows is not None and count + len(part) > rows:
            part = part[: rows - count]
            complete = False
        count += len(part)
        if part:
            for column, values in zip(columns, zip(*part, strict=True), strict=True):
                budget.take(column.extend(values))
        if not complete:
            break
    arrays = [column.array() for column in columns]
    table = pa.table(arrays, names=unique_names(names)) if arrays else pa.table({})
    objects = {index: column.objects for index, column in enumerate(columns) if column.objects is not None}
    words = [word or _word(table.schema.field(index).type, index in objects) for index, word in enumerate(types)]
    return Grid(table, tuple(words), objects, complete)


class Column:
    """One column being read; becomes a column of Python objects when Arrow has no type for all its values."""

    def __init__(self, wanted: pa.DataType | None) -> None:
        self.wanted = wanted
        self.chunks: list[Any] = []
        self.objects: list[object] | None = None

    def extend(self, values: Sequence[object]) -> int:
        """Add values; the bytes they take."""
        if self.objects is None:
            try:
                chunk = _array(values, self.wanted)
            except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, TypeError):
                self._keep_objects()
            else:
                if self.chunks and not _joins(self.chunks[-1].type, chunk.type):
                    self._keep_objects()
                else:
                    self.chunks.append(chunk)
                    return int(chunk.nbytes)
        assert self.objects is not None
        self.objects.extend(values)
        return sum(min(_BEYOND_TEXT, 56 + len(str(value))) for value in values)

    def array(self) -> Any:
        if self.objects is not None:
            return arrow.chunked_array([arrow.array([as_text(value) for value in self.objects], pa.string())])
        if not self.chunks:
            return arrow.chunked_array([], self.wanted or pa.null())
        tables = [pa.table({"c": chunk}) for chunk in self.chunks]
        return arrow.concat_tables(tables, promote_options="permissive").column(0)

    def _keep_objects(self) -> None:
        self.objects = [value for chunk in self.chunks for value in chunk.to_pylist()]
        self.chunks.clear()


def as_text(value: object) -> str | None:
    """A value as a person reads it: documents as JSON, bytes in hexadecimal, the rest by str()."""
    match value:
        case None:
            return None
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=as_text)
        case bytes():
            return f"0x{value.hex()}"
        case pa.MonthDayNano():
            return _interval_text(value)
    return str(value)


def _interval_text(value: Any) -> str:
    """As DuckDB writes it: `2 months 3 days 04:05:06.5`."""
    seconds, rest = divmod(abs(value.nanoseconds) // 1_000, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}" + (
        f".{rest:06}".rstrip("0") if rest else ""
    )
    parts = [
        f"{n} {word}{'' if abs(n) == 1 else 's'}" for n, word in ((value.months, "month"), (value.days, "day")) if n
    ]
    if value.nanoseconds or not parts:
        parts.append(("-" if value.nanoseconds < 0 else "") + clock)
    return " ".join(parts)


def _word(kind: pa.DataType, is_mixed: bool) -> str:
    """A word for a type where the database gives none (SQLite)."""
    words = {"int64": "integer", "double": "real", "string": "text", "binary": "blob", "null": ""}
    return "mixed" if is_mixed else words.get(str(kind), str(kind))


def _array(values: Sequence[object], wanted: pa.DataType | None) -> Any:
    if wanted is None and any(isinstance(value, dict) for value in values):
        raise pa.ArrowTypeError("documents keep their own shape")
    array = arrow.array(values, wanted)
    if pa.types.is_nested(array.type) and wanted is None and any(isinstance(v, dict) for v in _leaves(values)):
        raise pa.ArrowTypeError("documents keep their own shape")
    return array


def _leaves(values: Sequence[object]) -> Iterator[object]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _leaves(value)
        else:
            yield value


def _joins(left: pa.DataType, right: pa.DataType) -> bool:
    """Whether Arrow can hold both in one column without changing a value's meaning."""
    if left == right or pa.types.is_null(left) or pa.types.is_null(right):
        return True
    both_decimal = pa.types.is_decimal(left) and pa.types.is_decimal(right)
    both_number = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in (left, right))
    return both_decimal or both_number
