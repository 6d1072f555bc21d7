"""`%%sql` as IPython's own cell magic, and `%sql NAME URL`, which connects. Knows no graph.

The cell magic is for requests that name no cell (a console, nbclient); cells with an id are SQL cells, run by the
dataflow machine. The line magic is for notebooks that are run without a gateway.
"""

from typing import Any

from tailrace_kernel.catalogue import Catalogue
from tailrace_kernel.queries import Queries
from tailrace_kernel.shell import TailraceShell
from tailrace_kernel.sql_cell import analyze_sql_cell
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import ConfigureDbRequest

PLACE = "%%sql"  # under this name the last result can be paged
PATIENCE = 15.0  # seconds a connection may take, its own timeout included
USAGE = "Write %sql NAME URL: env:NAME or keyring:NAME where the URL holds a password, none for the embedded DuckDB."


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

    def connect(line: str) -> None:
        """Connect NAME to a database: %sql NAME URL"""
        name, _, url = line.strip().partition(" ")
        try:
            reply = queries.configure(_request(name, url.strip())).result(PATIENCE)
        except Exception as error:
            raise error.with_traceback(None) from None
        languages = queries.languages()
        catalogue.dialects, catalogue.embedded = languages.dialects, languages.embedded
        print(f"{name}: {reply.dialect} {reply.server_version}".rstrip(), f"({reply.note})" if reply.note else "")

    register: Any = shell.register_magic_function  # its declared type has no `self`
    register(sql, "cell", "sql")
    register(connect, "line", "sql")


def _request(name: str, url: str) -> ConfigureDbRequest:
    """A notebook is a file that is passed on, so no password may stand in it. Raises bad_field."""
    from tailrace_kernel.sql.secrets import redact

    if not name:
        raise TailraceError(ErrorCode.BAD_FIELD, USAGE)
    if url and redact(url) != url:
        message = f"A password would be saved with the notebook. {USAGE}"
        raise TailraceError(ErrorCode.BAD_FIELD, message)
    return ConfigureDbRequest(name=name, url=url if url not in {"", "none"} else None)
