"""DataFrames as tables: exactly those that were given, under their names, in their cell."""

import threading
from collections.abc import Iterator

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tailrace_kernel.sql import Connections, SqlStatementError, is_table

FRAMES = {
    "pandas": pd.DataFrame({"a": [1, 2]}),
    "polars": pl.DataFrame({"a": [1, 2]}),
    "lazy": pl.LazyFrame({"a": [1, 2]}),
    "arrow": pa.table({"a": [1, 2]}),
    "array": np.array([[1, 2]]),
}


@pytest.fixture
def connections() -> Iterator[Connections]:
    made = Connections()
    yield made
    made.close()


def total(connections: Connections, sql: str, **frames: object) -> object:
    grid = connections.run(sql, frames=frames).grid
    assert grid is not None
    return grid.table.column(0).to_pylist()[0]


@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_of_frame_is_a_table(connections: Connections, kind: str) -> None:
    assert is_table(FRAMES[kind])
    column = "column0" if kind == "array" else "a"
    assert total(connections, f"SELECT sum({column}) FROM orders", orders=FRAMES[kind]) == 3


def test_a_name_is_seen_in_its_cell_only(connections: Connections) -> None:
    orders = FRAMES["pandas"]
    assert total(connections, "SELECT count(*) FROM orders", orders=orders) == 2
    with pytest.raises(SqlStatementError, match="orders does not exist"):
        connections.run("SELECT count(*) FROM orders")


def test_a_local_variable_of_nobody_is_no_table(connections: Connections) -> None:
    local_frame = FRAMES["pandas"]
    assert is_table(local_frame)
    with pytest.raises(SqlStatementError):
        connections.run("SELECT * FROM local_frame")
    with pytest.raises(SqlStatementError):
        connections.run("SELECT * FROM frames")


def test_a_change_in_place_is_seen_by_the_next_run(connections: Connections) -> None:
    orders = pd.DataFrame({"a": [1, 2]})
    assert total(connections, "SELECT sum(a) FROM orders", orders=orders) == 3
    orders.loc[0, "a"] = 10
    assert total(connections, "SELECT sum(a) FROM orders", orders=orders) == 12


def test_a_frame_hides_a_table_for_its_cell_and_feeds_it(connections: Connections) -> None:
    connections.run("CREATE TABLE orders AS SELECT 7 AS a")
    assert total(connections, "SELECT sum(a) FROM orders", orders=FRAMES["pandas"]) == 3
    assert total(connections, "SELECT sum(a) FROM orders") == 7
    connections.run("CREATE TABLE kept AS SELECT * FROM fresh", frames={"fresh": FRAMES["polars"]})
    assert total(connections, "SELECT sum(a) FROM kept") == 3


def test_a_frame_does_not_outlive_a_temporary_table(connections: Connections) -> None:
    connections.run("CREATE TEMP TABLE scratch AS SELECT * FROM orders", frames={"orders": FRAMES["pandas"]})
    assert total(connections, "SELECT sum(a) FROM scratch") == 3
    with pytest.raises(SqlStatementError, match="orders does not exist"):
        connections.run("SELECT * FROM orders")


def test_what_is_no_table_is_explained(connections: Connections) -> None:
    assert not is_table([1, 2])
    with pytest.raises(SqlStatementError, match="prices is a Python list"):
        connections.run("SELECT * FROM prices", frames={"prices": [1, 2]})


def test_another_database_explains_a_frame() -> None:
    connections = Connections()
    connections.configure("lite", "sqlite://")
    with pytest.raises(SqlStatementError, match="orders is a Python variable, and this cell runs on 'lite'"):
        connections.run("SELECT * FROM orders", "lite", frames={"orders": FRAMES["pandas"]})
    connections.close()


def test_a_result_is_a_table_of_the_next_cell(connections: Connections) -> None:
    made = connections.run("SELECT n, n * 1.5 AS price FROM range(5) AS r(n)", result="orders")
    assert total(connections, "SELECT sum(price) FROM orders", orders=made.frame) == 15.0


def test_an_unused_query_still_runs(connections: Connections) -> None:
    with pytest.raises(SqlStatementError, match="not today"):
        connections.run("SELECT error('not today'); SELECT 1")
    connections.run("CREATE SEQUENCE s; SELECT nextval('s'); SELECT 1")
    assert total(connections, "SELECT nextval('s')") == 2


def test_cells_in_two_threads_do_not_meet(connections: Connections) -> None:
    found: dict[int, object] = {}

    def run(index: int) -> None:
        for _ in range(5):
            found[index] = total(connections, "SELECT sum(a) FROM f", f=pd.DataFrame({"a": [index]}))

    threads = [threading.Thread(target=run, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == {0: 0, 1: 1, 2: 2, 3: 3}
