"""`%%sql` as IPython's own cell magic, for requests that name no cell (a console, nbclient). Knows no graph.

Cells with an id never come here: they are SQL cells, run by the dataflow machine.
"""

from typing import Any

from tailrace_kernel.catalogue import Catalogue
from tailrace_kernel.queries import Queries
from tailrace_kernel.shell import TailraceShell
from tailrace_kernel.sql_cell import analyze_sql_cell

PLACE = "%%sql"  # under this name the last result can be paged


def install(shell: TailraceShell, queries: Queries, catalogue: Catalogue) -> None:
    """Make `%%sql [connection] [result <<]` known to the shell."""

    def sql(line: str, cell: str) -> Any:
        """Run SQL on a connection of this kernel: %%sql [connection] [result <<]"""
        code = f"%%sql {line}\n{cell}"
        parsed = analyze_sql_cell(code, dialects=catalogue.dialects, embedded=catalogue.embedded)
        try:
            return queries.run_now(PLACE, parsed)
        except Exception as error:
            raise error.with_traceback(None) from None

    register: Any = shell.register_magic_function  # its declared type has no `self`
    register(sql, "cell", "sql")
