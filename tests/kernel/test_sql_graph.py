"""SQL cells in the one graph, run by the real machine on real databases: order, names, what runs again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace_kernel.sql import Connections
from tests.kernel.sql_notebook import SqlNotebook


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[SqlNotebook]:
    connections = Connections()
    connections.configure("lite", f"sqlite:///{tmp_path}/lite.db")
    yield SqlNotebook(connections)
    connections.close()


def numbers(notebook: SqlNotebook, name: str) -> list[int]:
    return [int(value) for value in notebook.value(name)["n"]]


def test_creator_changers_readers_whatever_their_place(notebook: SqlNotebook) -> None:
    notebook.sql("read", "-- result: seen\nSELECT n FROM t ORDER BY n")
    notebook.sql("two", "INSERT INTO t SELECT max(n) * 10 FROM t")
    notebook.sql("make", "CREATE OR REPLACE TABLE t AS SELECT 1 AS n")
    notebook.sql("three", "INSERT INTO t SELECT max(n) + 1 FROM t")
    assert notebook.scheduler.cycles() == ()
    assert notebook.run(mode="all") == ["make", "two", "three", "read"]
    assert numbers(notebook, "seen") == [1, 10, 11]
    assert notebook.all_fresh()


def test_a_changer_that_runs_again_changes_the_table_once(notebook: SqlNotebook) -> None:
    notebook.sql("make", "CREATE TABLE t AS SELECT 1 AS n")
    notebook.sql("more", "INSERT INTO t VALUES (2)")
    notebook.sql("read", "-- result: seen\nSELECT n FROM t ORDER BY n")
    notebook.run(mode="all")
    assert numbers(notebook, "seen") == [1, 2]
    assert notebook.scheduler.plan(["more"]).made_again == ("make",)
    assert notebook.run("more") == ["make", "more", "read"]
    assert numbers(notebook, "seen") == [1, 2]
    assert notebook.run("make") == ["make", "more", "read"]
    assert notebook.run("read") == ["read"]
    assert numbers(notebook, "seen") == [1, 2]


def test_a_chain_of_changers_is_made_again_from_its_beginning(notebook: SqlNotebook) -> None:
    notebook.sql("make", "CREATE TABLE t (n int)")
    notebook.sql("one", "INSERT INTO t VALUES (1)")
    notebook.sql("middle", "-- result: half\nSELECT n FROM t ORDER BY n")
    notebook.sql("two", "INSERT INTO t SELECT n + 1 FROM t")
    notebook.sql("read", "-- result: seen\nSELECT n FROM t ORDER BY n")
    notebook.run(mode="all")
    assert notebook.run("two") == ["make", "one", "middle", "two", "read"]
    assert (numbers(notebook, "half"), numbers(notebook, "seen")) == ([1], [1, 2])
    notebook.sql("middle", "-- result: half\nSELECT n * 5 AS n FROM t")
    assert notebook.run("middle") == ["make", "one", "middle", "two", "read"]
    assert (numbers(notebook, "half"), numbers(notebook, "seen")) == ([5], [1, 2])


def test_a_change_that_fails_is_taken_back_and_spends_nothing(notebook: SqlNotebook) -> None:
    notebook.sql("make", "CREATE TABLE t AS SELECT 1 AS n")
    notebook.sql("more", "INSERT INTO t VALUES (2); SELECT nothing_here")
    notebook.run(mode="all")
    notebook.sql("more", "INSERT INTO t VALUES (2)")
    assert notebook.run("more") == ["more"]
    notebook.sql("more", "BEGIN; INSERT INTO t VALUES (3); COMMIT; SELECT nothing_here")
    assert notebook.run("more") == ["make", "more"]
    notebook.sql("more", "-- result: seen\nINSERT INTO t VALUES (4); SELECT n FROM t ORDER BY n")
    assert notebook.run("more") == ["make", "more"]
    assert numbers(notebook, "seen") == [1, 4]


def test_a_change_that_is_taken_out_is_gone(notebook: SqlNotebook) -> None:
    notebook.sql("make", "CREATE TABLE t AS SELECT 1 AS n")
    notebook.sql("more", "INSERT INTO t VALUES (2)")
    notebook.sql("read", "-- result: seen\nSELECT n FROM t ORDER BY n")
    notebook.run(mode="all")
    assert notebook.remove("more") == ["make", "read"]
    assert numbers(notebook, "seen") == [1]
    notebook.sql("more", "INSERT INTO t VALUES (3)", index=1)
    notebook.run("more")
    assert numbers(notebook, "seen") == [1, 3]
    notebook.sql("more", "SELECT 1")
    notebook.run("more")
    assert numbers(notebook, "seen") == [1]


def test_the_next_table_of_a_name_takes_the_place_of_the_one_above(notebook: SqlNotebook) -> None:
    notebook.sql("first", "CREATE OR REPLACE TABLE t AS SELECT 1 AS n")
    notebook.sql("one", "-- result: one\nSELECT n FROM t")
    notebook.sql("second", "CREATE OR REPLACE TABLE t AS SELECT 2 AS n")
    notebook.sql("two", "-- result: two\nSELECT n FROM t")
    notebook.run(mode="all")
    assert notebook.run("second") == ["second", "two"]
    assert notebook.run("one") == ["first", "one", "second", "two"]
    assert (numbers(notebook, "one"), numbers(notebook, "two")) == ([1], [2])


@pytest.mark.parametrize(
    "make",
    [
        "CREATE TABLE t AS SELECT 1 AS n",
        "CREATE TEMP TABLE t AS SELECT 1 AS n",
        "CREATE VIEW t AS SELECT 1 AS n",
        "CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (1)",
        "DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT 1 AS n",
        "BEGIN; CREATE TABLE t AS SELECT 1 AS n; COMMIT",
        "CREATE SEQUENCE s; CREATE TYPE word AS ENUM ('a'); CREATE MACRO double(x) AS x * 2; "
        "CREATE TABLE \"T\" (n int DEFAULT nextval('s'), w word); INSERT INTO t (w) VALUES ('a')",
        "CREATE TABLE parent (n int PRIMARY KEY); INSERT INTO parent VALUES (1); "
        "CREATE TABLE t (n int REFERENCES parent); INSERT INTO t VALUES (1)",
        'CREATE TABLE "o\'dd ""na;me" (n int); CREATE TABLE t AS SELECT 1 AS n',
    ],
)
def test_a_cell_may_make_its_tables_again(notebook: SqlNotebook, make: str) -> None:
    notebook.sql("make", make)
    notebook.sql("read", "-- result: seen\nSELECT n FROM t")
    notebook.run(mode="all")
    assert notebook.run("make") == ["make", "read"]
    assert (numbers(notebook, "seen"), notebook.error) == ([1], {})


def test_a_table_that_was_not_made_is_missed_by_its_name(notebook: SqlNotebook) -> None:
    notebook.sql("make", "CREATE TABLE t AS SELECT nothing_here")
    notebook.sql("more", "INSERT INTO t VALUES (2)")
    notebook.run(mode="all")
    assert notebook.error["more"] == "UpstreamError: t is not there: cell make, which writes it, failed"


def test_what_a_failing_cell_had_made_for_good_is_known_as_its_own(notebook: SqlNotebook) -> None:
    notebook.sql("make", "BEGIN; CREATE TABLE t AS SELECT 1 AS n; COMMIT; SELECT nothing_here")
    notebook.run("make")
    assert "nothing_here" in notebook.error["make"]
    notebook.sql("make", "-- result: seen\nCREATE TABLE t AS SELECT 2 AS n; SELECT n FROM t")
    notebook.run("make")
    assert notebook.status("make") == "success", notebook.error
    assert numbers(notebook, "seen") == [2]


def test_what_cannot_be_dropped_yet_is_dropped_by_who_makes_it_anew(notebook: SqlNotebook) -> None:
    notebook.sql("parent", "CREATE TABLE p (n int PRIMARY KEY); CREATE TABLE other AS SELECT 1 AS n")
    notebook.sql("child", "CREATE TABLE c (n int REFERENCES p)")
    notebook.run(mode="all")
    notebook.remove("parent", run_dependents=False)  # p is needed by c; other is not
    notebook.remove("child")
    notebook.sql("again", "CREATE TABLE p (n int); CREATE TABLE other (n int)")
    notebook.run("again")
    assert notebook.status("again") == "success", notebook.error


def test_what_a_cell_makes_no_more_is_gone(notebook: SqlNotebook) -> None:
    notebook.sql("make", "CREATE TABLE t AS SELECT 1 AS n")
    notebook.sql("read", "-- result: seen\nSELECT n FROM t")
    notebook.run(mode="all")
    notebook.sql("make", "CREATE TABLE u AS SELECT 1 AS n")
    assert notebook.run("make") == ["make", "read"]
    assert "t does not exist" in notebook.error.pop("read")
    notebook.sql("make", "CREATE TABLE t AS SELECT 3 AS n")
    notebook.run("make")
    assert numbers(notebook, "seen") == [3]
    assert notebook.remove("make") == ["read"]
    assert "t does not exist" in notebook.error["read"]


def test_a_table_is_lost_neither_by_a_failure_nor_to_a_cell_that_did_not_make_it(notebook: SqlNotebook) -> None:
    notebook.connections.run("CREATE TABLE by_hand AS SELECT 5 AS n")
    notebook.sql("clash", "CREATE TABLE by_hand AS SELECT 6 AS n")
    notebook.sql("make", "CREATE TABLE t AS SELECT 1 AS n")
    notebook.sql("twice", "CREATE TABLE t AS SELECT 2 AS n")
    notebook.run(mode="all")
    assert all("already exists" in notebook.error[cell] for cell in ("clash", "twice"))
    notebook.sql("make", "CREATE TABLE t AS SELECT 1 AS n; SELECT nothing_here")
    notebook.run("make")
    seen = notebook.connections.run("SELECT n FROM t UNION ALL SELECT n FROM by_hand", result="r").frame
    assert list(seen["n"]) == [1, 5]


def test_a_server_makes_nothing_again(notebook: SqlNotebook) -> None:
    """Others may use its tables, so a cell there does what it says each time it is asked."""
    notebook.sql("make", "-- connection: lite\nCREATE TABLE t AS SELECT 1 AS n")
    notebook.sql("more", "-- connection: lite\nINSERT INTO t VALUES (2)")
    notebook.sql("read", "-- connection: lite  result: seen\nSELECT n FROM t ORDER BY n")
    notebook.run(mode="all")
    assert notebook.run("more") == ["more", "read"]
    assert numbers(notebook, "seen") == [1, 2, 2]
    notebook.run("make")
    assert "already exists" in notebook.error["make"]


def test_a_reader_above_a_changer_sees_the_table_before_it(notebook: SqlNotebook) -> None:
    notebook.sql("make", "CREATE OR REPLACE TABLE t AS SELECT 1 AS n")
    notebook.sql("before", "-- result: former\nSELECT n FROM t")
    notebook.sql("more", "UPDATE t SET n = n + 1")
    notebook.sql("after", "-- result: latter\nSELECT n FROM t")
    assert notebook.run(mode="all") == ["make", "before", "more", "after"]
    assert (numbers(notebook, "former"), numbers(notebook, "latter")) == ([1], [2])


def test_the_embedded_database_is_one_under_all_its_names(notebook: SqlNotebook) -> None:
    notebook.sql("read", "-- connection: duckdb  result: seen\nSELECT n FROM t")
    made = notebook.sql("make", "CREATE OR REPLACE TABLE t AS SELECT 7 AS n")
    assert made.analysis.writes == {"default:t"} == notebook.queries["read"].analysis.reads - {"t"}
    assert notebook.run(mode="all") == ["make", "read"]
    assert numbers(notebook, "seen") == [7]


def test_duckdb_stays_the_embedded_one_when_default_is_another(notebook: SqlNotebook, tmp_path: Path) -> None:
    notebook.connections.configure("default", f"sqlite:///{tmp_path}/other.db")
    ours = notebook.sql("ours", "-- connection: duckdb\nCREATE TABLE t AS SELECT 1 AS n")
    theirs = notebook.sql("theirs", "CREATE TABLE t AS SELECT 2 AS n")
    assert ours.analysis.writes == {"duckdb:t"}
    assert theirs.analysis.writes == {"default:t"}


def test_tables_of_two_databases_do_not_touch(notebook: SqlNotebook) -> None:
    notebook.sql("ours", "CREATE OR REPLACE TABLE t AS SELECT 1 AS n")
    notebook.sql("theirs", "-- connection: lite\nCREATE TABLE IF NOT EXISTS t AS SELECT 2 AS n")
    notebook.sql("read", "-- connection: lite  result: seen\nSELECT n FROM t")
    edges = {(edge.from_, edge.to) for edge in notebook.scheduler.edges()}
    assert edges == {("theirs", "read")}
    notebook.run(mode="all")
    assert numbers(notebook, "seen") == [2]


def test_values_flow_from_sql_to_python_to_sql(notebook: SqlNotebook) -> None:
    notebook.sql("base", "-- result: base\nSELECT unnest([3, 1, 2]) AS n")
    notebook.put("frame", "doubled = base.assign(n=base['n'] * 2)\nleast = 3")
    notebook.sql("kept", "-- result: kept\nSELECT n FROM doubled WHERE n > :least ORDER BY n")
    notebook.put("total", "total = int(kept['n'].sum())")
    notebook.run(mode="all")
    assert notebook.value("total") == 10
    notebook.put("frame", "doubled = base.assign(n=base['n'] * 2)\nleast = 5")
    assert notebook.run("frame") == ["frame", "kept", "total"]
    assert notebook.value("total") == 6


def test_a_cascade_does_not_write_to_a_database_outside(notebook: SqlNotebook) -> None:
    notebook.put("value", "n = 1")
    notebook.sql("write", "-- connection: lite\nCREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (:n)")
    notebook.sql("read", "-- connection: lite  result: seen\nSELECT n FROM t")
    notebook.run(mode="all")
    assert numbers(notebook, "seen") == [1]
    notebook.put("value", "n = 2")
    assert notebook.run("value") == ["value"]
    assert notebook.status("write") == "stale"
    assert notebook.run("write") == ["write", "read"]
    assert numbers(notebook, "seen") == [1, 2]


def test_circular_tables_block_their_cells_only(notebook: SqlNotebook) -> None:
    notebook.sql("a", "CREATE OR REPLACE TABLE x AS SELECT * FROM y")
    notebook.sql("b", "CREATE OR REPLACE TABLE y AS SELECT * FROM x")
    notebook.sql("free", "-- result: seen\nSELECT 1 AS n")
    assert {frozenset(cycle) for cycle in notebook.scheduler.cycles()} == {frozenset({"a", "b"})}
    assert notebook.run(mode="all") == ["free"]
    assert (notebook.status("a"), notebook.status("b")) == ("blocked", "blocked")
