"""How a SQL result is shown: an HTML table with types, plain text, always bounded. Knows grids, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import pyarrow as pa

from tailrace_kernel.sql.grid import Grid, as_text, python_values

if TYPE_CHECKING:
    from tailrace_kernel.sql.result import SqlLimits, StatementOutcome

TEXT_ROWS = 20  # of the plain text
TEXT_WIDTH = 40  # characters of one value there
SHOWN_COLUMNS = 100
STYLE = (
    ".tailrace-sql{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    ".tailrace-sql th,.tailrace-sql td{padding:2px 8px;text-align:left;vertical-align:top}"
    ".tailrace-sql small{display:block;font-weight:normal;opacity:.6}"
    ".tailrace-sql .n{text-align:right}.tailrace-sql .null{opacity:.45}"
)


@dataclass(frozen=True, slots=True, repr=False)
class SqlDisplay:
    """Rendered already: showing it runs nothing and holds no data."""

    html: str
    text: str

    @staticmethod
    def of(
        grid: Grid | None, name: str | None, statements: Sequence[StatementOutcome], limits: SqlLimits
    ) -> SqlDisplay:
        counts = [line for line in map(_count_line, statements) if line]
        if grid is None:
            text = "\n".join(counts) or "done"
            return SqlDisplay("<br>".join(escape(line) for line in counts) or "done", text)
        rows = _shown(grid, limits)
        note = _note(grid, name, len(rows))
        html = [f"<div>{escape(line)}</div>" for line in counts]
        html += [_html_table(grid, rows), f"<div><small>{escape(note)}</small></div>"]
        return SqlDisplay("".join(html), "\n".join([*counts, _text_table(grid, rows), note]))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}

    def __repr__(self) -> str:
        return self.text


def _count_line(outcome: StatementOutcome) -> str:
    if outcome.kind in {"insert", "update", "delete", "merge", "replace", "copy"} and outcome.rows is not None:
        return f"{outcome.kind.upper()}: {outcome.rows:,} row{'' if outcome.rows == 1 else 's'}"
    return ""


def _shown(grid: Grid, limits: SqlLimits) -> list[list[str | None]]:
    """The first rows as texts, None for NULL."""
    head = grid.table.slice(0, limits.shown_rows)
    columns = [
        [_cell(value, limits.cell_characters) for value in python_values(head.column(index))]
        for index in range(min(head.num_columns, SHOWN_COLUMNS))
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _cell(value: object, characters: int) -> str | None:
    if value is None:
        return None
    match value:
        case bool():
            text = "true" if value else "false"
        case bytes():
            text = f"0x{value[:32].hex()}" + ("…" if len(value) > 32 else "")
        case float():
            text = f"{value:.15g}"
        case _:
            text = as_text(value) or ""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def _note(grid: Grid, name: str | None, shown: int) -> str:
    total, columns = grid.table.num_rows, grid.table.num_columns
    size = f"{total:,} row{'' if total == 1 else 's'} × {columns} column{'' if columns == 1 else 's'}"
    if not grid.complete:
        size = f"more than {size}"
        advice = "; give the result a name to keep all rows, for instance -- result: df"
    else:
        advice = f" in {name}" if name else ""
    part = f", first {shown:,} shown" if shown < total or not grid.complete else ""
    return f"{size}{advice if grid.complete else ''}{part}{'' if grid.complete else advice}"


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _html_table(grid: Grid, rows: list[list[str | None]]) -> str:
    schema = grid.table.schema
    width = min(len(schema), SHOWN_COLUMNS)
    marks = [' class="n"' if _is_number(schema.field(index).type) else "" for index in range(width)]
    heads = "".join(
        f"<th{marks[index]}>{escape(schema.names[index])}<small>{escape(grid.types[index])}</small></th>"
        for index in range(width)
    )
    body = "".join("<tr>" + "".join(map(_html_cell, row, marks)) + "</tr>" for row in rows)
    table = f'<table class="tailrace-sql"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    return f"<style>{STYLE}</style>{table}"


def _html_cell(text: str | None, mark: str) -> str:
    return f"<td{mark}>{escape(text)}</td>" if text is not None else '<td class="null">NULL</td>'


def _text_table(grid: Grid, rows: list[list[str | None]]) -> str:
    names = grid.table.schema.names[:SHOWN_COLUMNS]
    lines = [[_line(name) for name in names]]
    lines += [[_line("NULL" if text is None else text) for text in row] for row in rows[:TEXT_ROWS]]
    widths = [max(len(line[index]) for line in lines) for index in range(len(names))]
    text = ["  ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join(text + (["…"] if len(rows) > TEXT_ROWS else []))


def _line(text: str) -> str:
    flat = text.replace("\n", "⏎")
    return flat if len(flat) <= TEXT_WIDTH else flat[: TEXT_WIDTH - 1] + "…"
