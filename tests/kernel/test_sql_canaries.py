"""A password typed into a URL is found nowhere: not in logs, errors, results, representations or the process list."""

import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tailrace_kernel.sql import Connections, SqlStatementError
from tailrace_protocol.errors import TailraceError
from tests.postgres import Postgres

CANARY = "canary-5ecret-w0rd"


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every logger at its most talkative, SQLAlchemy's and psycopg's too."""
    with caplog.at_level(logging.DEBUG):
        for name in ("sqlalchemy.engine", "sqlalchemy.pool", "psycopg", "tailrace_kernel"):
            caplog.set_level(logging.DEBUG, logger=name)
        yield caplog


def test_no_canary_anywhere(everything_logged: pytest.LogCaptureFixture, postgres: Postgres, tmp_path: Path) -> None:
    postgres.administer("DROP ROLE IF EXISTS canary_user")
    postgres.administer(f"CREATE ROLE canary_user LOGIN PASSWORD '{CANARY}'")
    url = postgres.url_with(user="canary_user", password=CANARY)
    connections = Connections()
    seen: list[str] = [repr(connections.configure("pg", url)), repr(connections.configured()), repr(vars(connections))]
    for wrong in (
        url.replace(CANARY, f"{CANARY}x"),
        url.replace(CANARY, f"a@{CANARY}"),
        url.replace("postgresql", "postgres"),
        url.replace("postgresql", "mysql"),
        url.replace("127.0.0.1", "nohost.invalid"),
        f"{url}?sslmode=nonsense&password={CANARY}",
        f"password={CANARY} host=127.0.0.1",
    ):
        with pytest.raises(TailraceError) as refused:
            connections.configure("pg", wrong)
        seen += [repr(refused.value), str(refused.value.details), "".join(traceback.format_exception(refused.value))]
    files = {
        "lite": f"sqlite:///file:{tmp_path}/lite.db?mode=rwc&uri=true&secret={CANARY}",
        "duck": f"duckdb:///{tmp_path}/file.duckdb?token={CANARY}",
    }
    seen += [repr(connections.configure(name, url)) for name, url in files.items()]
    failing = {
        "pg": f"SELECT '{CANARY}'::int",
        "lite": f'SELECT 1 AS "{CANARY}" FROM "{CANARY}"',
        "duck": f"SELECT '{CANARY}' +",
    }
    for name, echoed in failing.items():
        for sql in ("SELECT nope", "SELECT * FROM nowhere", "SELEKT 1", echoed):
            with pytest.raises(SqlStatementError) as failed:
                connections.run(sql, name)
            seen += [repr(failed.value), "".join(traceback.format_exception(failed.value))]
    result = connections.run("SELECT * FROM pg_stat_activity WHERE usename = 'canary_user'", "pg", result="activity")
    seen += [result.text, result.html]
    command_lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    connections.close()
    found = [text for text in [*seen, everything_logged.text, *command_lines] if CANARY in text]
    assert found == []
    assert "connection pg: postgresql" in everything_logged.text
    assert "SELECT nope" not in everything_logged.text
    assert any("canary_user" in text for text in seen)
