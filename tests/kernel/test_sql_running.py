"""A cancel from another thread: at any moment, on every engine, and the connection is usable afterwards."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tailrace_kernel.sql import Connections, Running, SqlInterrupted, SqlStatementError
from tests.postgres import Postgres

ENDLESS = {
    "default": "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range + b.range = 3",
    "pg": "SELECT pg_sleep(60)",
    "lite": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
}
LATE = 1.0  # seconds a cancelled statement may take


@pytest.fixture
def connections(postgres: Postgres, tmp_path: Path) -> Iterator[Connections]:
    with postgres.own_schema("work"):
        made = Connections()
        made.configure("pg", postgres.url)
        made.configure("lite", f"sqlite:///{tmp_path}/lite.db")
        yield made
        made.close()


def cancelled_after(connections: Connections, name: str, sql: str, begun: threading.Event, postgres: Postgres) -> float:
    """Run `sql`, cancel it once it runs, and give the seconds until `run` had raised."""
    running = Running()

    def parameter(_: str) -> object:
        begun.set()
        return 1

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(connections.run, sql, name, parameters=parameter, running=running)
        assert begun.wait(10)
        assert not done.done()
        if name == "pg":
            wait_for_sleep(postgres)
        else:
            with pytest.raises(TimeoutError):  # it runs, and would go on
                done.result(0.2)
        began = time.monotonic()
        running.cancel()
        assert time.monotonic() - began < 0.1  # a cancel waits for nobody
        with pytest.raises(SqlInterrupted):
            done.result(10)
        return time.monotonic() - began


def wait_for_sleep(postgres: Postgres) -> None:
    deadline = time.monotonic() + 10
    busy = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'analyst' AND wait_event = 'PgSleep'"
    while postgres.administer(busy) != [(1,)]:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("name", ENDLESS)
def test_a_cancel_stops_the_statement_and_takes_back_the_cell(
    connections: Connections, name: str, postgres: Postgres
) -> None:
    connections.run("CREATE TABLE t (a int)", name)
    sql = f"INSERT INTO t VALUES (:one); {ENDLESS[name]}"
    assert cancelled_after(connections, name, sql, threading.Event(), postgres) < LATE
    after = connections.run("SELECT count(*) AS n FROM t", name)
    assert after.grid is not None
    assert after.grid.table.to_pydict() == {"n": [0]}
    connections.run("INSERT INTO t VALUES (1)", name)


@pytest.mark.parametrize("name", ENDLESS)
def test_a_cancel_before_the_cell_begins_holds(connections: Connections, name: str) -> None:
    running = Running()
    running.cancel()
    with pytest.raises(SqlInterrupted):
        connections.run(ENDLESS[name], name, running=running)
    assert connections.run("SELECT 1 AS a", name).row_counts == (1,)


@pytest.mark.parametrize("name", ENDLESS)
def test_a_cancel_while_rows_are_fetched(connections: Connections, name: str) -> None:
    sql = {
        "default": "SELECT * FROM range(100000000000) AS r(n)",
        "pg": "SELECT n, repeat('x', 200) FROM generate_series(1, 100000000) AS n",
        "lite": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r",
    }[name]
    running = Running()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(connections.run, sql, name, result="rows", running=running)
        with pytest.raises(TimeoutError):
            done.result(0.4)
        began = time.monotonic()
        running.cancel()
        with pytest.raises(SqlInterrupted):
            done.result(10)
    assert time.monotonic() - began < LATE
    assert connections.run("SELECT 1 AS a", name).row_counts == (1,)


@pytest.mark.parametrize("name", ENDLESS)
def test_a_late_cancel_hits_nobody(connections: Connections, name: str) -> None:
    running = Running()
    connections.run("SELECT 1 AS a", name, running=running)
    running.cancel()
    for _ in range(20):
        assert connections.run("SELECT 2 AS a", name).row_counts == (1,)


def test_a_cancel_at_any_moment_leaves_no_half(connections: Connections) -> None:
    """Cancels spread over the life of short cells: each is done or undone, and the connection goes on."""
    connections.run("CREATE TABLE t (a int)", "pg")
    outcomes = []
    for index in range(30):
        running = Running()
        timer = threading.Timer(index * 0.0007, running.cancel)
        timer.start()
        try:
            connections.run(
                "INSERT INTO t VALUES (1); SELECT pg_sleep(0.005); INSERT INTO t VALUES (2)", "pg", running=running
            )
            outcomes.append(True)
        except SqlInterrupted:
            outcomes.append(False)
        timer.join()
    found = connections.run(
        "SELECT count(*) FILTER (WHERE a = 1) AS x, count(*) FILTER (WHERE a = 2) AS y FROM t", "pg"
    )
    assert found.grid is not None
    assert found.grid.table.to_pydict() == {"x": [sum(outcomes)], "y": [sum(outcomes)]}
    assert True in outcomes
    assert False in outcomes


def test_one_connection_is_cancelled_and_its_neighbour_is_not(connections: Connections, postgres: Postgres) -> None:
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(connections.run, "SELECT pg_sleep(1), 5 AS a", "pg")
        wait_for_sleep(postgres)
        running = Running()
        threading.Timer(0.2, running.cancel).start()
        with pytest.raises(SqlInterrupted):
            connections.run(ENDLESS["lite"], "lite", running=running)
        assert other.result(10).row_counts == (1,)


def test_a_server_that_dies_under_a_statement(connections: Connections, postgres: Postgres) -> None:
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(connections.run, ENDLESS["pg"], "pg")
        wait_for_sleep(postgres)
        postgres.administer("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'analyst'")
        with pytest.raises(SqlStatementError, match="terminating connection"):
            done.result(10)
    assert connections.run("SELECT 1 AS a", "pg").row_counts == (1,)
