"""Parameters of a statement: evaluated once, normalised for the driver, bound by its own placeholders, never formatted.

Works on the segments of `sql_parameters.scan`; knows placeholder styles (PEP 249), not connections.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from tailrace_kernel.sql_parameters import Anonymous, Expression, Named, Segment, Text
from tailrace_protocol.errors import ErrorCode, TailraceError

_IN_BEFORE = re.compile(r"(?P<not>\bNOT\s+)?\bIN\s*(?P<paren>\(\s*)?$", re.IGNORECASE)
_TABLE_BEFORE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|VIEW|SCHEMA|DATABASE|INDEX)\s+$", re.IGNORECASE)
EMPTY_LIST = "(SELECT NULL FROM (SELECT 1) AS empty_list WHERE 1 = 0)"


@dataclass(frozen=True, slots=True)
class Bound:
    """`text` in the driver's paramstyle; `values` by name, or in order for qmark, format and numeric styles."""

    text: str
    values: Mapping[str, object] | tuple[object, ...] = field(default=(), repr=False)
    at_table: str | None = None  # a parameter that stands where a table name does: databases refuse it


def needed(segments: tuple[Segment, ...]) -> Iterator[str]:
    """The Python name or expression of each parameter, in order, repeated as written."""
    for segment in segments:
        match segment:
            case Named(name=name, sigil=sigil) if name.isdigit():
                raise _unnamed(f"{sigil}{name}")
            case Named(name=name):
                yield name
            case Expression(source=source):
                yield source
            case Anonymous():
                raise _unnamed("A bare ?")
            case Text():
                pass


def _unnamed(mark: str) -> TailraceError:
    message = f"{mark} does not say which value it wants: write :name or {{expression}}."
    return TailraceError(ErrorCode.DB_PARAMETER, message)


def bind(
    segments: tuple[Segment, ...],
    values: Mapping[str, object],
    paramstyle: str,
    *,
    sqlglot_dialect: str,
    normalise: Callable[[object, str], object],
) -> Bound:
    """The statement for the driver. Lists after IN become one placeholder for each value; elsewhere they are given
    whole. Raises db_parameter for a value no driver takes."""
    if not any(isinstance(segment, Named | Expression) for segment in segments):
        return Bound("".join(segment.text for segment in segments if isinstance(segment, Text)))
    writer = _Writer(paramstyle, sqlglot_dialect)
    at_table = None
    for segment in segments:
        match segment:
            case Text(text=text):
                writer.write(text)
            case Named(name=source) | Expression(source=source):
                if at_table is None and _TABLE_BEFORE.search(writer.written):
                    at_table = source
                writer.value(source, normalise(values[source], source))
            case Anonymous():
                pass
    return writer.bound(at_table)


class _Writer:
    """A statement being written, with the values of its placeholders."""

    def __init__(self, paramstyle: str, sqlglot_dialect: str) -> None:
        self._style = paramstyle
        self._doubles = paramstyle in {"format", "pyformat"}  # a percent sign of the text is written twice
        self._dialect = sqlglot_dialect
        self._parts: list[str] = []
        self._names: dict[str, str] = {}  # source → placeholder name of a scalar already written
        self._values: dict[str, object] = {}
        self._order: list[object] = []

    @property
    def written(self) -> str:
        return "".join(self._parts)[-200:]

    def write(self, text: str) -> None:
        self._parts.append(text.replace("%", "%%") if self._doubles else text)

    def value(self, source: str, value: object) -> None:
        before = _IN_BEFORE.search(self.written) if isinstance(value, list) else None
        if before is None:
            self._refuse_list(source, value)
            self._parts.append(self._scalar(source, value))
        elif value:
            assert isinstance(value, list)
            marks = ", ".join(self._placeholder(each) for each in value)
            self._parts.append(marks if before["paren"] else f"({marks})")
        else:
            self._empty_list(before)
        self._parts.append("\n" * source.count("\n"))  # lines of errors stay those of the cell

    def bound(self, at_table: str | None) -> Bound:
        if not self._values:  # nothing is bound, so the driver looks for no placeholders
            return Bound("".join(self._parts).replace("%%", "%") if self._doubles else "".join(self._parts))
        values = self._values if self._style in {"named", "pyformat", "dollar"} else tuple(self._order)
        return Bound("".join(self._parts), values, at_table)

    def _scalar(self, source: str, value: object) -> str:
        """One name for every use of a source, so that the database sees one parameter."""
        if value is None and self._dialect == "postgres":
            return "NULL"  # a keyword, no value: bound, it would have no type in `:x IS NULL`
        if self._style not in {"named", "pyformat", "dollar"}:
            return self._placeholder(value)
        if source not in self._names:
            self._names[source] = f"p{len(self._values) + 1}"
            self._values[self._names[source]] = value
        return self._mark(self._names[source])

    def _placeholder(self, value: object) -> str:
        name = f"p{len(self._values) + 1}"
        self._values[name] = value
        self._order.append(value)
        return self._mark(name)

    def _mark(self, name: str) -> str:
        match self._style:
            case "dollar":
                return f"${name}"
            case "named":
                return f":{name}"
            case "pyformat":
                return f"%({name})s"
            case "format":
                return "%s"
            case "numeric":
                return f":{len(self._order)}"
            case "numeric_dollar":
                return f"${len(self._order)}"
            case _:
                return "?"

    def _empty_list(self, before: re.Match[str]) -> None:
        """Nothing is in an empty list. PostgreSQL must learn its type from the other side: only an array does."""
        if self._dialect != "postgres":
            self._parts.append(EMPTY_LIST if not before["paren"] else EMPTY_LIST[1:-1])
            return
        text = "".join(self._parts)
        operator = "<> ALL ('{}'" if before["not"] else "= ANY ('{}'"
        self._parts = [text[: len(text) - len(before[0])], operator, "" if before["paren"] else ")"]

    def _refuse_list(self, source: str, value: object) -> None:
        if isinstance(value, list) and self._dialect not in {"postgres", "duckdb", "clickhouse", "trino"}:
            message = f"{source} is a list, which this database takes after IN only: write `IN :{source}`."
            raise TailraceError(ErrorCode.DB_PARAMETER, message)
