"""SQL for the kernel: cells run in a worker thread, connections are configured beside a running cell.

Knows room `sql` and threads; must not know requests, statuses or sockets. duckdb and pandas are imported when the
first SQL cell runs or a connection is configured, because a kernel without SQL should not pay for them.
"""

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tailrace_kernel.early import Begun, EarlyQueries
from tailrace_kernel.shown_tables import ShownTables
from tailrace_kernel.sql_cell import SqlCell
from tailrace_kernel.stimuli import EarlyQuery
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import (
    ConfigureDbReply,
    ConfigureDbRequest,
    ExportTableReply,
    ExportTableRequest,
    SchemaNode,
    SchemaReply,
    SchemaRequest,
    TablePageReply,
    TablePageRequest,
)
from tailrace_protocol.objects import FrameLibrary

if TYPE_CHECKING:
    from tailrace_kernel.sql import Connections, Maker, Running, SqlResult
    from tailrace_kernel.sql.grid import Grid

T = TypeVar("T")
CANCEL_PATIENCE = 0.5  # seconds a reader waits for a cancelled statement to let go; it is chased on after that
CLOSE_PATIENCE = 1.0  # seconds that the end of the kernel waits for its databases


Order = Callable[[], Sequence[str]]  # all cells, in the order of the document


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Languages:
    """What analysis needs to know about the connections: connection → sqlglot dialect, and which are embedded."""

    dialects: Mapping[str, str]
    embedded: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a cell shows; `token` tells it from what the cell showed before and after."""

    result: "SqlResult"
    token: str


class Queries:
    """`names` is the dict that user code runs in; `library` makes the DataFrames of named results; `tables` are the
    DataFrames that Python cells show. `order` is set by who knows the document."""

    def __init__(self, names: dict[str, Any], tables: ShownTables) -> None:
        self._names = names
        self._tables = tables
        self._opening = threading.Lock()
        self._connections: Connections | None = None
        self._running: set[Running] = set()
        self._makers: set[str] = set()  # cells that made tables in the notebook's own database
        self.holds: set[str] = set()  # cells that ran as SQL: what they showed and made is here
        self._tokens = itertools.count(1)
        self.library: FrameLibrary = "pandas"
        self.order: Order = tuple
        self._cells = ThreadPoolExecutor(1, thread_name_prefix="sql-cell")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="sql-aside")
        self.early = EarlyQueries(names, lambda: self.connections)
        self.results: dict[str, Shown] = {}  # cell → what it showed last, for pages and downloads

    @property
    def connections(self) -> "Connections":
        """Asked for by cells, configure, pages and the schema browser, each on its own thread."""
        with self._opening:
            if self._connections is None:
                from tailrace_kernel.sql import Connections

                self._connections = Connections()
            return self._connections

    def get_ready(self) -> None:
        """Load the libraries in the background: seconds that the first run need not wait. May be called often."""
        if self._connections is None:
            self._aside.submit(lambda: self.connections)

    async def run(self, cell_id: str, cell: SqlCell) -> Any:
        """Run a SQL cell and bind its result name; gives what is to be shown. A cancelled await cancels the driver."""
        from tailrace_kernel.sql import Running

        self.early.note_turn()
        self.holds.add(cell_id)
        self.results.pop(cell_id, None)  # a failing cell shows no table
        maker = maker_of(cell_id, cell, self.order)
        if maker is None:
            self._unmake(cell_id)
        else:
            self._makers.add(cell_id)
        begun = self.early.take(cell_id, cell)
        result = await self._early_result(begun) if begun is not None else None
        if result is None:
            running = Running()
            result = await self._finished(running, self._cells.submit(self._run, cell, running, maker))
        return self._take(cell_id, result)

    async def _early_result(self, begun: Begun) -> "SqlResult | None":
        """None if the cell has to run now: what went wrong before its turn does not count."""
        try:
            result = await self._finished(begun.running, begun.answer)
        except Exception:
            return None
        if not self.early.counts(begun, self.library):
            return None
        self.early.taken += 1
        return result

    async def _finished(self, running: "Running", answer: "Future[SqlResult]") -> "SqlResult":
        self._running.add(running)
        done = asyncio.wrap_future(answer)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait([done], timeout=CANCEL_PATIENCE)
            if done.done():
                done.exception()  # looked at: the loop need not report it
            raise
        finally:
            self._running.discard(running)

    def begin_early(self, foreseen: tuple[EarlyQuery, ...]) -> None:
        """Queries that may run beside the cell whose turn it is. Returns at once: nobody waits for the libraries."""
        if self._connections is not None:
            self.early.begin(foreseen, self.library)

    def run_now(self, cell_id: str, cell: SqlCell) -> Any:
        """The same for a caller that cannot await (the `%%sql` magic). Waits on the main thread; a KeyboardInterrupt
        cancels the driver."""
        from tailrace_kernel.sql import Running

        running = Running()
        self._running.add(running)
        self.holds.add(cell_id)
        self.results.pop(cell_id, None)  # a failing cell shows no table
        done = self._cells.submit(self._run, cell, running)
        try:
            result = done.result()
        except KeyboardInterrupt:
            running.cancel()
            wait([done], timeout=CANCEL_PATIENCE)
            raise
        finally:
            self._running.discard(running)
        return self._take(cell_id, result)

    def _take(self, cell_id: str, result: "SqlResult") -> Any:
        if result.name is not None:
            self._names[result.name] = result.frame
        self.results[cell_id] = Shown(result, str(next(self._tokens)))
        return result.display

    def _unmake(self, cell_id: str) -> None:
        """What the cell made in the notebook's own database goes, before any cell that is run later."""
        if cell_id in self._makers:
            self._makers.discard(cell_id)
            self.early.note_change()
            self._cells.submit(self.connections.forget, cell_id).add_done_callback(_look_at)

    def _run(self, cell: SqlCell, running: "Running", maker: "Maker | None" = None) -> "SqlResult":
        if cell.analysis.early is not None:
            return self._ask(cell, running, None)
        self.early.note_statements(cell)
        try:
            return self._ask(cell, running, maker)
        finally:
            self.early.note_statements(cell)

    def _ask(self, cell: SqlCell, running: "Running", maker: "Maker | None") -> "SqlResult":
        return self.connections.run(
            cell.statement,
            cell.connection,
            parameters=self._value,
            frames=self._frames(cell),
            result=cell.result,
            running=running,
            first_line=cell.first_line,
            library=self.library,
            write=cell.write,
            maker=maker,
        )

    def _value(self, source: str) -> object:
        """The value of a `:parameter` or `{expression}`."""
        return eval(source, self._names)  # noqa: S307

    def _frames(self, cell: SqlCell) -> dict[str, object]:
        """Every variable with the name of a table of the cell: those that are no tables serve to explain an error."""
        return {name: self._names[name] for name in cell.mentioned if name in self._names}

    def configure(self, request: ConfigureDbRequest) -> "Future[ConfigureDbReply]":
        """In a thread of its own, so that neither a running statement nor a slow host holds anybody up."""
        return self._aside.submit(self._configure, request)

    def _configure(self, request: ConfigureDbRequest) -> ConfigureDbReply:
        configured = self.connections.configure(
            request.name, request.url, read_only=request.read_only, connect_timeout=request.connect_timeout
        )
        self.early.note_change()
        return ConfigureDbReply(
            name=configured.name,
            dialect=configured.dialect,
            driver=configured.driver,
            server_version=configured.server_version,
            redacted_url=configured.redacted_url,
            seconds=configured.seconds,
            note=configured.note or None,
        )

    def redacted(self, url: str | None) -> str:
        """The URL as it may be shown; a reference (`env:NAME`) holds no secret and stays."""
        from tailrace_kernel.sql.secrets import redact

        return redact(url) if url else ""

    def schema(self, request: SchemaRequest) -> "Future[SchemaReply]":
        return self._aside.submit(self._schema, request)

    def _schema(self, request: SchemaRequest) -> SchemaReply:
        nodes = self.connections.schema(request.connection, request.path, refresh=request.refresh)
        return SchemaReply(
            nodes=tuple(
                SchemaNode(name=node.name, kind=node.kind, type=node.type, has_children=node.has_children)
                for node in nodes
            )
        )

    def page(self, request: TablePageRequest) -> "Future[TablePageReply]":
        return self._aside.submit(self._page, request)

    def _page(self, request: TablePageRequest) -> TablePageReply:
        from tailrace_kernel.pages import page

        return page(self._grid(request.cell_id, request.token)[0], request)

    def export(self, request: ExportTableRequest) -> "Future[tuple[ExportTableReply, list[bytes]]]":
        return self._aside.submit(self._export, request)

    def _export(self, request: ExportTableRequest) -> tuple[ExportTableReply, list[bytes]]:
        from tailrace_kernel.sql.download import part

        grid, token = self._grid(request.cell_id, request.token)
        if request.token not in {None, token}:
            message = f"Cell {request.cell_id!r} has run again since this download began: start it again."
            raise TailraceError(ErrorCode.NO_SUCH_OUTPUT, message)
        made = part(grid, request.format, request.row)
        reply = ExportTableReply(token=token, rows=grid.table.num_rows, complete=grid.complete, next_row=made.next_row)
        return reply, [made.content]

    def aside(self, work: Callable[[], T]) -> "Future[T]":
        """Done on the thread that answers beside a running cell."""
        return self._aside.submit(work)

    def forget(self, cell_id: str) -> None:
        """The cell is gone, or SQL no more: so is what it showed, and what it made. Call it before others can run for
        that."""
        self.holds.discard(cell_id)
        self._unmake(cell_id)
        self.results.pop(cell_id, None)
        self._tables.forget(cell_id)

    def _grid(self, cell_id: str, token: str | None) -> tuple["Grid", str]:
        """The table that a cell shows, and its token. Raises no_such_output."""
        if token is not None and (grid := self._tables.grid(token)) is not None:
            return grid, token
        shown = self.results.get(cell_id)
        if shown is None or shown.result.grid is None:
            message = f"Cell {cell_id!r} shows no table now; run it first."
            raise TailraceError(ErrorCode.NO_SUCH_OUTPUT, message)
        return shown.result.grid, shown.token

    def languages(self) -> Languages:
        return Languages(self.connections.dialects(), self.connections.embedded())

    def close(self) -> None:
        """Stop what runs and close the connections: a thread that waits for a database would keep the process."""
        for running in list(self._running):
            running.cancel()
        self.early.close()
        self._cells.shutdown(wait=False, cancel_futures=True)
        self._aside.shutdown(wait=False, cancel_futures=True)
        if self._connections is not None:
            closing = threading.Thread(target=self._connections.close, name="sql-close", daemon=True)
            closing.start()
            closing.join(CLOSE_PATIENCE)


def maker_of(cell_id: str, cell: SqlCell, order: Order) -> "Maker | None":
    """The cell as the maker of what it stores in the notebook's own database; None if it makes nothing there."""
    from tailrace_kernel.sql import Maker

    facts = cell.analysis
    creates = facts.stored & facts.binds
    if not creates:
        return None
    above = itertools.takewhile(lambda other: other != cell_id, order())
    plain = {name: name.partition(":")[2] for name in creates}
    surely = frozenset(plain[name] for name in creates - facts.reads)
    return Maker(cell_id, frozenset(plain.values()), surely, frozenset(above))


def _look_at(done: "Future[None]") -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.error("what a cell had made could not be dropped", exc_info=error)
