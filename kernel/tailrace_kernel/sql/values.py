"""Python values as drivers take them: NumPy, pandas and polars scalars become plain ones, containers lists.

Measured on each driver: a NumPy integer bound to SQLite is stored as bytes, NaT fails on PostgreSQL, a dict fails
everywhere but DuckDB.
"""

import datetime as dt
import enum
import json
import math
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd

from tailrace_protocol.errors import ErrorCode, TailraceError

NAT: object = pd.NaT  # looks like a datetime to isinstance
INT64 = range(-(2**63), 2**63)


def plain(value: object, source: str) -> object:
    """`value` in types of the standard library; NaT, NA become None, arrays, series and sets lists."""
    match value:
        case np.datetime64() | np.timedelta64():
            stamp = pd.Timestamp(value) if isinstance(value, np.datetime64) else pd.Timedelta(value)
            return plain(stamp, source)
        case np.generic():
            return plain(value.item(), source)
        case enum.Enum():
            return plain(value.value, source)
        case None | bool() | str() | bytes() | dict() | Decimal() | uuid.UUID():
            return value
        case pd.Timestamp():
            return value.to_pydatetime(warn=False)
        case pd.Timedelta():
            return value.to_pytimedelta()
        case pd.Period():
            return value.start_time.to_pydatetime(warn=False)
        case int() | float() | dt.date() | dt.time() | dt.timedelta():
            return None if value is NAT else value
        case bytearray() | memoryview():
            return bytes(value)
        case list() | tuple() | set() | frozenset() | range():
            return [plain(each, source) for each in value]
        case np.ndarray() | pd.Series() | pd.Index() | pd.api.extensions.ExtensionArray():
            return [plain(each, source) for each in value]
        case pd.DataFrame():
            raise refused(source, value, "use its name as a table on the embedded DuckDB, or bind one of its columns")
    if value is pd.NA or value is NAT:
        return None
    to_list = getattr(value, "to_list", None)  # polars Series
    if type(value).__module__.partition(".")[0] == "polars" and callable(to_list):
        return [plain(each, source) for each in to_list()]
    if callable(value) or type(value).__module__.partition(".")[0] in {"polars", "pyarrow"}:
        raise refused(source, value, "bind a number, a text, a date or a list of them")
    return value


def for_sqlite(value: object, source: str) -> object:
    """SQLite stores numbers, text and bytes, nothing else."""
    match value:
        case list():
            return [for_sqlite(each, source) for each in value]
        case dict():
            return as_json(value)
        case Decimal():
            whole = value == value.to_integral_value() and int(value) in INT64
            return int(value) if whole else float(value)
        case uuid.UUID():
            return str(value)
        case dt.datetime():
            return value.isoformat(sep=" ")
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            raise refused(source, value, f"SQLite has no such type: bind {source}.total_seconds()")
        case int() if value not in INT64:
            raise refused(source, value, "it does not fit in SQLite's 64 bits")
    return value


def without_nan(value: object) -> object:
    """For databases whose floats have no NaN (MySQL)."""
    return None if isinstance(value, float) and math.isnan(value) else value


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def refused(source: str, value: object, advice: str) -> TailraceError:
    message = f"{source} is a {type(value).__name__} and cannot be bound: {advice}."
    return TailraceError(ErrorCode.DB_PARAMETER, message)
