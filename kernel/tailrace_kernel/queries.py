"""SQL for the kernel: cells run in a worker thread, connections are configured beside a running cell.

Knows room `sql` and threads; must not know requests, statuses or sockets. duckdb and pandas are imported when the
first SQL cell runs or a connection is configured, because a kernel without SQL should not pay for them.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace_kernel.sql_cell import SqlCell
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import (
    ConfigureDbReply,
    ConfigureDbRequest,
    SchemaNode,
    SchemaReply,
    TablePageReply,
    TablePageRequest,
)

if TYPE_CHECKING:
    from tailrace_kernel.sql import Connections, Running, SqlResult

CANCEL_PATIENCE = 5.0  # seconds a cancelled statement may take to let go of its connection


@dataclass(frozen=True, slots=True)
class Languages:
    """What analysis needs to know about the connections: connection → sqlglot dialect, and which are embedded."""

    dialects: Mapping[str, str]
    embedded: frozenset[str]


class Queries:
    """`names` is the dict that user code runs in."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names
        self._connections: Connections | None = None
        self._cells = ThreadPoolExecutor(1, thread_name_prefix="sql-cell")
        self._aside = ThreadPoolExecutor(1, thread_name_prefix="sql-aside")
        self.results: dict[str, SqlResult] = {}  # cell → what it showed last, for pages

    @property
    def connections(self) -> "Connections":
        if self._connections is None:
            from tailrace_kernel.sql import Connections

            self._connections = Connections()
        return self._connections

    async def run(self, cell_id: str, cell: SqlCell) -> Any:
        """Run a SQL cell and bind its result name; gives what is to be shown. A cancelled await cancels the driver."""
        from tailrace_kernel.sql import Running

        running = Running()
        done = asyncio.wrap_future(self._cells.submit(self._run, cell, running))
        try:
            result = await asyncio.shield(done)
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait([done], timeout=CANCEL_PATIENCE)
            if done.done():
                done.exception()  # looked at: the loop need not report it
            raise
        if result.name is not None:
            self._names[result.name] = result.frame
        self.results[cell_id] = result
        return result.display

    def _run(self, cell: SqlCell, running: "Running") -> "SqlResult":
        return self.connections.run(
            cell.statement,
            cell.connection,
            parameters=self._value,
            frames=self._frames(cell),
            result=cell.result,
            running=running,
            first_line=cell.first_line,
        )

    def _value(self, source: str) -> object:
        """The value of a `:parameter` or `{expression}`."""
        return eval(source, self._names)  # noqa: S307

    def _frames(self, cell: SqlCell) -> dict[str, object]:
        """The variables among the cell's tables that DuckDB can read as tables."""
        found = {name: self._names[name] for name in cell.variables if name in self._names}
        return {name: value for name, value in found.items() if is_frame(value)}

    def configure(self, request: ConfigureDbRequest) -> "Future[ConfigureDbReply]":
        """In a thread of its own, so that neither a running statement nor a slow host holds anybody up."""
        return self._aside.submit(self._configure, request)

    def _configure(self, request: ConfigureDbRequest) -> ConfigureDbReply:
        configured = self.connections.configure(
            request.name, request.url, read_only=request.read_only, connect_timeout=request.connect_timeout
        )
        return ConfigureDbReply(
            name=configured.name,
            dialect=configured.dialect,
            driver=configured.driver,
            server_version=configured.server_version,
            redacted_url=configured.redacted_url,
            seconds=configured.seconds,
        )

    def redacted(self, url: str | None) -> str:
        """The URL as it may be shown; a reference (`env:NAME`) holds no secret and stays."""
        from tailrace_kernel.sql.secrets import redact

        return redact(url) if url else ""

    def schema(self, connection: str, path: tuple[str, ...]) -> "Future[SchemaReply]":
        return self._aside.submit(self._schema, connection, path)

    def _schema(self, connection: str, path: tuple[str, ...]) -> SchemaReply:
        nodes = self.connections.schema(connection, path)
        return SchemaReply(
            nodes=tuple(
                SchemaNode(name=node.name, kind=node.kind, type=node.type, has_children=node.has_children)
                for node in nodes
            )
        )

    def page(self, request: TablePageRequest) -> "Future[TablePageReply]":
        return self._aside.submit(self._page, request)

    def _page(self, request: TablePageRequest) -> TablePageReply:
        result = self.results.get(request.cell_id)
        if result is None or result.grid is None:
            message = f"Cell {request.cell_id!r} shows no table now; run it first."
            raise TailraceError(ErrorCode.NO_SUCH_OUTPUT, message)
        from tailrace_kernel.pages import page

        return page(result.grid, request)

    def languages(self) -> Languages:
        return Languages(self.connections.dialects(), self.connections.embedded())

    def close(self) -> None:
        self._cells.shutdown(wait=False, cancel_futures=True)
        self._aside.shutdown(wait=False, cancel_futures=True)


def is_frame(value: object) -> bool:
    """Whether DuckDB can scan the object: it offers Arrow's or the dataframe interchange, or is DuckDB's own."""
    kind = type(value)
    return hasattr(kind, "__arrow_c_stream__") or hasattr(kind, "__dataframe__") or kind.__module__.startswith("duckdb")
