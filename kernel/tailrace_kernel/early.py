"""Queries begun before their turn, in threads of their own: their answers are taken at the turn, or not at all.

Knows threads and the namespace; must not know the graph, runs or statuses. What the machine foresaw is a guess: an
answer counts only if, from its beginning to the turn of its cell, no cell did more than ask a database, its
parameters kept their values and, for a database outside, no Python ran. Otherwise the cell runs at its turn as if
nothing had been. So errors are those of the turn too.
"""

import datetime
import decimal
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tailrace_kernel.facts import Early
from tailrace_kernel.sql_cell import SqlCell
from tailrace_kernel.sql_statements import split
from tailrace_kernel.stimuli import EarlyQuery
from tailrace_protocol.objects import FrameLibrary

if TYPE_CHECKING:
    from tailrace_kernel.sql import Connections, Running, SqlResult

logger = logging.getLogger(__name__)

THREADS = 3  # queries at once, beside the cell whose turn it is
SHARE = 8  # an early result may take this part of what a result may take
CHANGES = frozenset("insert update delete merge replace create drop alter truncate copy comment".split())  # noqa: SIM905
FIXED = (int, float, str, bool, type(None), datetime.date, datetime.datetime, decimal.Decimal)  # may be kept by value


class NotEarlyError(Exception):
    """The query has to wait for its turn. Never leaves this module."""


@dataclass(slots=True, eq=False)
class Begun:
    """One query under way: what has to be the same at its turn."""

    cell: SqlCell
    running: "Running"
    library: FrameLibrary
    changes: int
    python: int
    values: dict[str, object] = field(default_factory=dict)  # parameters, as they were bound
    answer: "Future[SqlResult]" = field(init=False)


class EarlyQueries:
    """The main thread begins, takes and drops; `changing` may be entered on any."""

    def __init__(self, names: dict[str, Any], connections: "Callable[[], Connections]") -> None:
        self.enabled = True
        self.taken = 0  # answers that counted
        self._names = names
        self._connections = connections
        self._begun: dict[str, Begun] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sql-early")
        self._lock = threading.Lock()
        self._changes = 0
        self._settled: set[str] = set()  # connections whose sessions a cell gave settings: they are not alike
        self._executed = 0
        self._turns = 0

    # What goes by.

    def note_code(self) -> None:
        """Code of any kind is about to run on the main thread."""
        self._executed += 1

    def note_turn(self) -> None:
        """That code is a SQL cell."""
        self._turns += 1

    def note_change(self) -> None:
        """What a database answers may be different from here on. Call it before and after."""
        with self._lock:
            self._changes += 1

    def note_statements(self, cell: SqlCell) -> None:
        """Before and after a cell that may do more than ask."""
        self.note_change()
        for each in split(cell.statement, cell.dialect):
            asks = each.kind in {"select", "with", "from", "values", "explain"} and not each.is_opaque
            if each.kind not in CHANGES and not (asks and "set_config" not in each.text.lower()):
                self._settled.add(cell.connection)

    # Queries.

    def begin(self, foreseen: Iterable[EarlyQuery], library: FrameLibrary) -> None:
        """Begin those that are not under way. Returns at once."""
        if not self.enabled:
            return
        for query in foreseen:
            cell, former = query.payload, self._begun.get(query.cell_id)
            if former is not None and former.cell is cell:
                continue
            if not isinstance(cell, SqlCell) or any(name in self._names for name in cell.mentioned):
                continue  # a table may be a DataFrame: it could change under the query
            self._drop(query.cell_id)
            self._begun[query.cell_id] = self._begin(cell, library)

    def take(self, cell_id: str, cell: SqlCell) -> Begun | None:
        """The query that began for this cell, now that its turn has come; await its answer and ask `counts`."""
        begun = self._begun.get(cell_id)
        if begun is None:
            return None
        if begun.cell is not cell or begun.answer.cancel():  # edited meanwhile; or it waits for a thread
            self._drop(cell_id)
            return None
        return self._begun.pop(cell_id)

    def counts(self, begun: Begun, library: FrameLibrary) -> bool:
        """Whether the answer is what the cell would get in its turn."""
        if begun.changes != self._changes or begun.library != library:
            return False
        if begun.cell.analysis.early is not Early.BESIDE_PYTHON and begun.python != self._python:
            return False
        if any(name in self._names for name in begun.cell.mentioned):
            return False
        return all(name in self._names and _same(self._names[name], was) for name, was in begun.values.items())

    def drop(self) -> None:
        """Stop all that is under way; nobody waits for it any more."""
        for cell_id in list(self._begun):
            self._drop(cell_id)

    def close(self) -> None:
        self.drop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def _python(self) -> int:
        return self._executed - self._turns

    def _begin(self, cell: SqlCell, library: FrameLibrary) -> Begun:
        from tailrace_kernel.sql import Running

        begun = Begun(cell, Running(), library, self._changes, self._python)
        begun.answer = self._threads.submit(self._run, begun)
        return begun

    def _drop(self, cell_id: str) -> None:
        begun = self._begun.pop(cell_id, None)
        if begun is not None and not begun.answer.cancel():
            begun.running.cancel()

    def _run(self, begun: Begun) -> "SqlResult":
        from tailrace_kernel.sql import SqlLimits

        cell, connections = begun.cell, self._connections()
        if cell.connection in self._settled or not connections.takes_early(cell.connection):
            raise NotEarlyError
        usual = SqlLimits()

        def value(source: str) -> object:
            found = self._names.get(source, NotEarlyError)
            if type(found) not in FIXED:
                raise NotEarlyError
            begun.values[source] = found
            return found

        return connections.run(
            cell.statement,
            cell.connection,
            parameters=value,
            result=cell.result,
            limits=SqlLimits(result_bytes=usual.result_bytes // SHARE),
            running=begun.running,
            first_line=cell.first_line,
            library=begun.library,
            early=True,
        )


def _same(value: object, was: object) -> bool:
    """Equal to the last bit: 0.0 is not -0.0, and 1 is not True."""
    return type(value) is type(was) and repr(value) == repr(was)
