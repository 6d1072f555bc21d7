"""The DataFrames that cells show, kept for pages and downloads within a budget. Knows frames by their type only.

What is kept is a snapshot: a shallow copy, which pandas (copy-on-write) and polars keep apart from later changes. So
the reference count of the user's own object, by which the kernel decides about copies, stays what it was.
"""

import secrets
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tailrace_kernel.sql.grid import Grid

MAX_TABLES = 200  # of all cells


@dataclass(slots=True)
class KeptTable:
    """`size`: bytes of the frame without its Python objects, all of it, as if nobody shared them."""

    cell_id: str
    frame: Any
    size: int


class ShownTables:
    """Tables by token; the oldest go when there are too many bytes. Main thread adds, another one reads."""

    def __init__(self, budget: Callable[[], int]) -> None:
        """`budget`: bytes, asked once, when the first table is shown."""
        self._budget = budget
        self._limit: int | None = None
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, KeptTable] = OrderedDict()
        self._bytes = 0
        self._looked_at: tuple[str, Grid] | None = None  # the last one: it may be as large as its frame
        self.cells: set[str] = set()  # that have a table here

    def reference(self, cell_id: str, frame: Any) -> dict[str, Any] | None:
        """What stands in a MIME bundle for this frame; None if it is no DataFrame, or one beyond the budget."""
        library = library_of(frame)
        if library is None:
            return None
        if self._limit is None:
            self._limit = self._budget()
        size = _size(frame, library)
        if size > self._limit:
            return None
        kept = frame.copy(deep=False) if library == "pandas" else frame.clone()
        token = secrets.token_urlsafe(9)
        with self._lock:
            self._kept[token] = KeptTable(cell_id, kept, size)
            self._bytes += size
            self.cells.add(cell_id)
            while self._bytes > self._limit or len(self._kept) > MAX_TABLES:
                self._drop(next(iter(self._kept)))
        rows, columns = frame.shape
        return {"token": token, "rows": rows, "columns": columns}

    def forget(self, cell_id: str) -> None:
        """The cell runs anew, or is gone: what it showed is no more."""
        with self._lock:
            for token in [token for token, table in self._kept.items() if table.cell_id == cell_id]:
                self._drop(token)
            self.cells.discard(cell_id)

    def grid(self, token: str) -> "Grid | None":
        """The rows as Arrow; None when the table is gone."""
        with self._lock:
            table, looked_at = self._kept.get(token), self._looked_at
        if table is None:
            return None
        if looked_at is not None and looked_at[0] == token:
            return looked_at[1]
        from tailrace_kernel.frame_grid import grid_of  # by use: pyarrow

        grid = grid_of(table.frame)
        with self._lock:
            if token in self._kept:
                self._looked_at = (token, grid)
        return grid

    def _drop(self, token: str) -> None:
        self._bytes -= self._kept.pop(token).size
        if self._looked_at is not None and self._looked_at[0] == token:
            self._looked_at = None


def library_of(value: Any) -> str | None:
    """`pandas` or `polars` for a DataFrame of theirs. Imports neither."""
    for name in ("pandas", "polars"):
        kind = getattr(sys.modules.get(name), "DataFrame", None)
        if kind is not None and isinstance(value, kind):
            return name
    return None


def _size(frame: Any, library: str) -> int:
    return int(frame.memory_usage(deep=False).sum()) if library == "pandas" else int(frame.estimated_size())
