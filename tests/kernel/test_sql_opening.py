"""Every mistake in a connection string has its code and a sentence, and none shows a secret."""

import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import keyring
import pytest
from keyring.backend import KeyringBackend

from tailrace_kernel.sql import Connections
from tailrace_kernel.sql.backends import MySQL
from tailrace_kernel.sql.failures import classify_connect
from tailrace_kernel.sql.opening import parse, resolve
from tailrace_protocol.errors import ErrorCode, TailraceError
from tests.postgres import Postgres

CANARY = "canary5ecret"


@pytest.fixture
def connections() -> Iterator[Connections]:
    made = Connections()
    yield made
    made.close()


def refusal(connections: Connections, url: str, timeout: float = 8.0) -> TailraceError:
    """What `configure` says, after checking that nothing of the canary is in it and the old connection works."""
    with pytest.raises(TailraceError) as caught:
        connections.configure("default", url, connect_timeout=timeout)
    assert "canary" not in f"{caught.value!r} {caught.value.details}".lower()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert connections.run("SELECT 41 + 1 AS answer").grid is not None
    return caught.value


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (f"{CANARY}@foo", ErrorCode.DB_BAD_URL, "dialect://user:password@host"),
        ("", ErrorCode.DB_BAD_URL, "dialect://"),
        (f"postgresql://u:{CANARY}@h:abc/x", ErrorCode.DB_BAD_URL, "dialect://"),
        (f"postgres://u:{CANARY}@h/x", ErrorCode.DB_UNKNOWN_DIALECT, "postgresql://"),
        (f"postgrsql://u:{CANARY}@h/x", ErrorCode.DB_UNKNOWN_DIALECT, "postgresql://"),
        (f"sqlite+nope://u:{CANARY}@h/x", ErrorCode.DB_UNKNOWN_DIALECT, "sqlite://"),
        (f"mssql+pyodbc://u:{CANARY}@h/x", ErrorCode.DB_DRIVER_MISSING, "pip install 'pyodbc'"),
        (f"mysql+mysqldb://u:{CANARY}@h/x", ErrorCode.DB_DRIVER_MISSING, "pip install 'mysqlclient'"),
        (f"trino://u:{CANARY}@h/x", ErrorCode.DB_DRIVER_MISSING, "pip install 'trino[sqlalchemy]'"),
        (f"snowflake://u:{CANARY}@h/x?private_key={CANARY}", ErrorCode.DB_DRIVER_MISSING, "snowflake-sqlalchemy"),
        (f"postgresql://u:{CANARY}@127.0.0.1:1/x", ErrorCode.DB_REFUSED, "is the server running"),
        (f"postgresql://u:{CANARY}@nohost.invalid/x", ErrorCode.DB_UNKNOWN_HOST, "nohost.invalid"),
        (f"postgresql://u:x@{CANARY}@nohost.invalid/x", ErrorCode.DB_UNKNOWN_HOST, "nohost.invalid"),
        ("postgresql://u:***@h/x", ErrorCode.DB_NEEDS_CREDENTIALS, "env:NAME"),
        ("env:TAILRACE_TEST_UNSET", ErrorCode.DB_NEEDS_CREDENTIALS, "TAILRACE_TEST_UNSET"),
        ("sqlite:////no/such/directory/x.db", ErrorCode.DB_NO_DATABASE, "x.db"),
        ("duckdb:////no/such/directory/x.db", ErrorCode.DB_NO_DATABASE, "x.db"),
    ],
)
def test_a_mistake_is_named_and_the_connection_stays(
    connections: Connections, url: str, code: ErrorCode, words: str
) -> None:
    error = refusal(connections, url)
    assert error.code is code
    assert words in error.message


def test_a_wrong_password_is_told_quickly_and_without_it(connections: Connections, postgres: Postgres) -> None:
    assert connections.configure("default", postgres.url).dialect == "postgresql"
    began = time.monotonic()
    error = refusal(connections, postgres.url_with(password=CANARY))
    assert time.monotonic() - began < 10
    assert error.code is ErrorCode.DB_AUTH
    assert postgres.user in error.message
    assert connections.dialect() == "postgres"


def test_a_password_that_ends_in_a_word_of_ours_spoils_no_sentence(
    connections: Connections, postgres: Postgres
) -> None:
    """`pass***` would tell how it ends."""
    error = refusal(connections, postgres.url_with(password="p@ss/word"))
    assert "or its password: check both" in error.message


@pytest.mark.parametrize(
    ("number", "code"), [(1045, ErrorCode.DB_AUTH), (1044, ErrorCode.DB_NO_DATABASE), (1049, ErrorCode.DB_NO_DATABASE)]
)
def test_mysql_says_by_number_what_is_wrong(number: int, code: ErrorCode) -> None:
    """1044: the user may open the server and not this database; whether it exists is not told."""
    error = Exception(number, "Access denied for user 'u'@'%' to database 'none'")
    assert classify_connect(error, "Access denied for user 'u'@'%' to database 'none'") is code


def test_mysql_knows_a_transaction_left_open() -> None:
    """From the status flags of the last answer, as PyMySQL keeps them; another driver may have none."""
    assert MySQL().in_transaction(SimpleNamespace(server_status=2 | 1))
    assert not MySQL().in_transaction(SimpleNamespace(server_status=2))
    assert not MySQL().in_transaction(SimpleNamespace())


def test_postgresql_says_which_of_its_words_is_wrong(connections: Connections, postgres: Postgres) -> None:
    codes = {
        refusal(connections, url).code
        for url in [postgres.url_with(user="nobody_here", password=CANARY), postgres.url_with(password=f"x@{CANARY}")]
    }
    assert codes == {ErrorCode.DB_AUTH}
    missing = refusal(connections, postgres.url_with(password=postgres.password, database="nowhere"))
    assert missing.code is ErrorCode.DB_NO_DATABASE
    assert "nowhere" in missing.message
    assert refusal(connections, postgres.url_with()).code is ErrorCode.DB_NEEDS_CREDENTIALS


def test_an_unescaped_password_connects(connections: Connections, postgres: Postgres) -> None:
    postgres.administer("DROP ROLE IF EXISTS odd")
    postgres.administer("CREATE ROLE odd LOGIN PASSWORD 'p@ss:w#rd'")
    url = f"postgresql://odd:p@ss:w#rd@{postgres.host}:{postgres.port}/{postgres.database}"
    shown = connections.configure("odd", url).redacted_url
    assert shown == f"postgresql://odd:***@{postgres.host}:{postgres.port}/{postgres.database}"


def test_a_silent_server_is_given_up_in_time(connections: Connections) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        error = refusal(connections, f"postgresql://u:{CANARY}@127.0.0.1:{silent.getsockname()[1]}/x", timeout=1)
    assert error.code is ErrorCode.DB_TIMEOUT
    assert time.monotonic() - began < 5


def test_a_file_that_is_no_database(connections: Connections, tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, but long enough to be looked at " * 20)
    assert refusal(connections, f"sqlite:///{path}").code is ErrorCode.DB_NO_DATABASE
    assert refusal(connections, f"duckdb:///{path}").code is ErrorCode.DB_NO_DATABASE


def test_a_new_file_is_pointed_out(connections: Connections, tmp_path: Path) -> None:
    assert "new, empty" in connections.configure("a", f"sqlite:///{tmp_path}/typo.db").note
    sqlite3.connect(tmp_path / "there.db").execute("CREATE TABLE t (a)").connection.close()
    assert connections.configure("b", f"sqlite:///{tmp_path}/there.db").note == ""
    with pytest.raises(TailraceError) as caught:
        connections.configure("c", f"sqlite:///{tmp_path}/gone.db", read_only=True)
    assert caught.value.code is ErrorCode.DB_NO_DATABASE


def test_a_reference_is_shown_instead_of_what_it_stands_for(
    connections: Connections, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    monkeypatch.setenv("TAILRACE_TEST_URL", postgres.url)
    configured = connections.configure("pg", "env:TAILRACE_TEST_URL")
    assert (configured.redacted_url, configured.dialect, configured.driver) == (
        "env:TAILRACE_TEST_URL",
        "postgresql",
        "psycopg",
    )
    assert configured.server_version
    assert resolve("env:TAILRACE_TEST_URL") == postgres.url


def test_a_key_store_is_asked(request: pytest.FixtureRequest) -> None:
    class Store(KeyringBackend):
        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

        def get_password(self, service: str, username: str) -> str | None:
            return f"sqlite:///{service}-{username}.db" if username == "shop" else None

    former = keyring.get_keyring()
    request.addfinalizer(lambda: keyring.set_keyring(former))
    keyring.set_keyring(Store())  # type: ignore[no-untyped-call]
    assert resolve("keyring:shop") == "sqlite:///tailrace-shop.db"
    with pytest.raises(TailraceError) as caught:
        resolve("keyring:other")
    assert caught.value.code is ErrorCode.DB_NEEDS_CREDENTIALS


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://h/x", "postgresql+psycopg"),
        ("sqlite://", "sqlite"),
        ("duckdb:///x.db", "duckdb"),
    ],
)
def test_the_driver_where_none_is_named(url: str, driver: str) -> None:
    assert parse(url).drivername == driver
