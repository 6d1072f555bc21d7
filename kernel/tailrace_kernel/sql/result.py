"""What a SQL cell gives back: the frame for the namespace, the counts of its statements, and what is shown.

`SqlResult` is a plain value; nothing here talks to a database.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from tailrace_kernel.sql.display import SqlDisplay
from tailrace_kernel.sql.grid import Grid

__all__ = ["SqlDisplay", "SqlLimits", "SqlResult", "StatementOutcome"]


def memory_budget() -> int:
    """A quarter of this machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4


@dataclass(frozen=True, slots=True)
class SqlLimits:
    """How much is rendered at once, kept for paging an unnamed result, and held at most."""

    shown_rows: int = 100
    page_rows: int = 10_000
    result_bytes: int = field(default_factory=memory_budget)  # of Arrow
    cell_characters: int = 200  # of one shown value


@dataclass(frozen=True, slots=True)
class StatementOutcome:
    """One statement of the cell: `rows` is what it changed or returned, None where that means nothing."""

    kind: str  # leading verb in lower case
    rows: int | None
    line: int  # of the cell, from 1
    seconds: float


@dataclass(frozen=True, slots=True)
class SqlResult:
    """`frame` is the whole result of the last query if the cell names one, else None. `truncated`: rows not shown."""

    name: str | None
    frame: Any  # of pandas or polars
    grid: Grid | None  # of the last query: Arrow, for pages and downloads
    statements: tuple[StatementOutcome, ...]
    truncated: bool
    seconds: float
    display: SqlDisplay

    @property
    def row_counts(self) -> tuple[int | None, ...]:
        return tuple(statement.rows for statement in self.statements)

    @property
    def html(self) -> str:
        return self.display.html

    @property
    def text(self) -> str:
        return self.display.text
