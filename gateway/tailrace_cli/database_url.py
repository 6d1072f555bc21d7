"""Database URLs as a command line may name them: never with a password in the arguments of a process.

Knows the environment and stdin; leaves `keyring:` references to the kernel, which runs as the same user.
"""

import os
import sys

from tailrace_cli.refusal import RefusedError


def database_url(spelled: str) -> str | None:
    """The URL that is meant; None is the embedded DuckDB. Raises RefusedError, whose sentence repeats no secret.

    Spelled `env:NAME`, `keyring:NAME`, `-` (a line of stdin), `duckdb` (the embedded one), or a URL without password.
    """
    if spelled == "duckdb":
        return None
    if spelled == "-":
        if url := sys.stdin.readline().strip():
            return url
        raise RefusedError("Nothing was read from stdin: pipe the database URL into the command.")
    if spelled.startswith("keyring:"):
        return spelled
    if spelled.startswith("env:"):
        name = spelled.removeprefix("env:")
        if url := os.environ.get(name):
            return url
        raise RefusedError(f"The environment variable {name} is not set: export it with the database URL.")
    from tailrace_kernel.sql.secrets import redact  # its package brings the database engines along

    if redact(spelled) != spelled:
        raise RefusedError(
            "A URL with a password is not taken on the command line, where everybody on this machine can read it: "
            "put it in an environment variable and give env:NAME, or - and pipe it in."
        )
    return spelled
