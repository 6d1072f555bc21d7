"""SQL cells: named connections, bound parameters, whole results as frames. Knows no cells, graph or sockets.

The result of a cell: **a SQL cell shows the table of its last query and binds nothing, unless it names its result**
(header `-- result: orders`, `%%sql result <<`, or the cell's `result` property). A shared default such as `_df`
would make every SQL cell a writer of one name, and a hidden name per cell would keep results alive that nobody asked
for. A named result holds all rows or the cell fails with `result_too_large`; an unnamed one fetches what is shown and
paged (`SqlLimits.page_rows`) and says so.

For the runner: `Connections.run(...)` blocks and is called in a worker thread; `Running.cancel()` may be called from
any thread, before, during and after, and returns at once.
"""

from tailrace_kernel.sql.connections import Configured, Connections
from tailrace_kernel.sql.duckdb_engine import is_table
from tailrace_kernel.sql.failures import SqlInterrupted, SqlStatementError
from tailrace_kernel.sql.made import Maker
from tailrace_kernel.sql.result import SqlDisplay, SqlLimits, SqlResult, StatementOutcome
from tailrace_kernel.sql.running import Running
from tailrace_kernel.sql.schema import SchemaNode

__all__ = [
    "Configured",
    "Connections",
    "Maker",
    "Running",
    "SchemaNode",
    "SqlDisplay",
    "SqlInterrupted",
    "SqlLimits",
    "SqlResult",
    "SqlStatementError",
    "StatementOutcome",
    "is_table",
]
