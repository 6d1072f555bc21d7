"""Read-only connections, layer by layer, and the header that lets one cell write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace_kernel.sql import Connections, SqlStatementError
from tailrace_kernel.sql_cell import analyze_sql_cell
from tailrace_protocol.errors import ErrorCode, TailraceError
from tests.postgres import Postgres

READ_ONLY = ("pg", "lite", "duck")


@pytest.fixture
def connections(postgres: Postgres, tmp_path: Path) -> Iterator[Connections]:
    with postgres.own_schema("work"):
        made = Connections()
        for name, url in (
            ("pg", postgres.url),
            ("lite", f"sqlite:///{tmp_path}/lite.db"),
            ("duck", f"duckdb:///{tmp_path}/store.duckdb"),
        ):
            made.configure(name, url)
            made.run("CREATE TABLE t (n int)", name)
            made.configure(name, url, read_only=True)
        yield made
        made.close()


def count(connections: Connections, name: str) -> int:
    result = connections.run("SELECT count(*) AS n FROM t", name, result="r")
    return int(result.frame["n"][0])


def test_the_header_says_write() -> None:
    assert analyze_sql_cell("-- connection: pg  write: true\nDELETE FROM t").write
    assert analyze_sql_cell("-- write: true\nDELETE FROM t").write
    assert not analyze_sql_cell("-- connection: pg  write: false\nDELETE FROM t").write
    assert not analyze_sql_cell("-- connection: pg\nDELETE FROM t").write
    assert not analyze_sql_cell("SELECT 1 -- write: true").write


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_cell_may_write_and_the_next_may_not(connections: Connections, name: str) -> None:
    with pytest.raises(TailraceError, match="write: true") as refused:
        connections.run("INSERT INTO t VALUES (1)", name)
    assert refused.value.code is ErrorCode.DB_READ_ONLY
    done = connections.run("INSERT INTO t VALUES (1), (2)", name, write=True)
    assert done.row_counts == (2,)
    assert count(connections, name) == 2
    with pytest.raises(TailraceError):
        connections.run("DELETE FROM t", name)
    assert count(connections, name) == 2


@pytest.mark.parametrize("name", READ_ONLY)
def test_a_writing_cell_that_fails_leaves_nothing(connections: Connections, name: str) -> None:
    with pytest.raises(SqlStatementError):
        connections.run("INSERT INTO t VALUES (1); SELECT nothing FROM t", name, write=True)
    assert count(connections, name) == 0
    connections.run("CREATE TABLE made (a int)", name, write=True)
    schema = {"pg": "work"}.get(name, "main")
    assert [node.name for node in connections.schema(name, (schema,))] == ["made", "t"]


@pytest.mark.parametrize("name", READ_ONLY)
def test_words_that_look_like_reading_are_stopped_by_the_session(connections: Connections, name: str) -> None:
    """The second layer: what the words do not tell, the database refuses."""
    trick = {
        "pg": "SELECT pg_catalog.set_config('transaction_read_only', 'off', false), lo_create(0)",
        "lite": "PRAGMA user_version = 5",
        "duck": "SELECT * FROM query('INSERT INTO t VALUES (1)')",
    }[name]
    with pytest.raises(TailraceError):
        connections.run(trick, name)
    assert count(connections, name) == 0


def test_a_duckdb_file_stays_in_force_when_it_cannot_be_opened_anew(connections: Connections, tmp_path: Path) -> None:
    (tmp_path / "no.duckdb").write_text("this is no database")
    with pytest.raises(TailraceError):
        connections.configure("duck", f"duckdb:///{tmp_path}/no.duckdb")
    connections.configure("reader", f"duckdb:///{tmp_path}/store.duckdb", read_only=True)
    with pytest.raises(TailraceError, match="different configuration"):
        connections.configure("duck", f"duckdb:///{tmp_path}/store.duckdb")
    assert count(connections, "duck") == 0
    connections.configure("reader", None)
    connections.configure("duck", f"duckdb:///{tmp_path}/store.duckdb")
    connections.run("INSERT INTO t VALUES (1)", "duck")
    assert count(connections, "duck") == 1


def test_a_read_only_database_in_memory_explains_itself() -> None:
    connections = Connections()
    connections.configure("memory", "sqlite://", read_only=True)
    with pytest.raises(TailraceError, match="without read_only"):
        connections.run("CREATE TABLE t (n int)", "memory", write=True)
    connections.configure("duck", "duckdb://", read_only=True)
    connections.run("CREATE TABLE t AS SELECT 1 AS n", "duck", write=True)
    with pytest.raises(TailraceError):
        connections.run("DROP TABLE t", "duck")
    assert count(connections, "duck") == 1
    connections.close()
