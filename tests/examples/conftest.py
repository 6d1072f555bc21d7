"""The real kernel of the command line's tests, for the client that speaks to one."""

from tests.cli.conftest import connection_file, kernel

__all__ = ["connection_file", "kernel"]
