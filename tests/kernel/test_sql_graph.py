"""SQL cells in the one graph, run by the real machine on real databases: order, names, what runs again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace_kernel.sql import Connections
from tailrace_kernel.sql_cell import SqlCell, analyze_sql_cell
from tailrace_kernel.stimuli import Execute, Outcome
from tailrace_protocol.errors import TailraceError
from tests.kernel.dataflow import Notebook


class SqlNotebook(Notebook):
    """Cells put by `sql` run on `connections`, the others as Python."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self.connections = connections
        self.queries: dict[str, SqlCell] = {}

    def sql(self, cell: str, code: str, *, anywhere: bool = False) -> SqlCell:
        """`anywhere`: the cell may run by itself although it writes outside."""
        parsed = analyze_sql_cell(code, dialects=self.connections.dialects(), embedded=self.connections.embedded())
        self.queries[cell] = parsed
        self.put(cell, code, parsed.analysis, cell_type="sql", allow_outside_effects=anywhere)
        return parsed

    def _execute(self, execute: Execute) -> Outcome:
        query = self.queries.get(execute.cell_id)
        if query is None:
            return super()._execute(execute)
        self.runs.append(execute.cell_id)
        try:
            result = self.connections.run(
                query.statement,
                query.connection,
                parameters=lambda source: eval(source, self.user),
                frames={name: self.user[name] for name in query.mentioned if name in self.user},
                result=query.result,
            )
        except TailraceError as error:
            self.error[execute.cell_id] = error.message
            return "error"
        if result.name is not None:
            self.user[result.name] = result.frame
        return "success"


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


def test_a_changer_that_runs_again_changes_the_table_again(notebook: SqlNotebook) -> None:
    """What a database holds has no versions: whoever wants a fresh table runs its creator."""
    notebook.sql("make", "CREATE OR REPLACE TABLE t AS SELECT 1 AS n")
    notebook.sql("more", "INSERT INTO t VALUES (2)")
    notebook.sql("read", "-- result: seen\nSELECT n FROM t ORDER BY n")
    notebook.run(mode="all")
    assert numbers(notebook, "seen") == [1, 2]
    assert notebook.run("more") == ["more", "read"]
    assert numbers(notebook, "seen") == [1, 2, 2]
    assert notebook.run("make") == ["make", "more", "read"]
    assert numbers(notebook, "seen") == [1, 2]


def test_what_a_query_goes_through_is_followed(notebook: SqlNotebook, tmp_path: Path) -> None:
    """A macro, a schema, an attached database: the cell that makes it comes first, and its users follow."""
    notebook.sql("calls", "-- result: seen\nSELECT main.twice(n) AS n FROM own.t")
    notebook.sql("fills", "CREATE OR REPLACE TABLE own.t AS SELECT 4 AS n")
    notebook.sql("opens", "CREATE SCHEMA IF NOT EXISTS own")
    notebook.sql("macro", "CREATE OR REPLACE MACRO twice(x) AS x * 2")
    assert notebook.run(mode="all") == ["opens", "fills", "macro", "calls"]
    assert numbers(notebook, "seen") == [8]
    notebook.sql("macro", "CREATE OR REPLACE MACRO twice(x) AS x * 20")
    assert notebook.run("macro") == ["macro", "calls"]
    assert numbers(notebook, "seen") == [80]
    notebook.sql("attached", "-- result: far\nSELECT n FROM files.main.t")
    notebook.sql("attach", f"ATTACH '{tmp_path}/far.db' AS files; CREATE TABLE files.t AS SELECT 5 AS n", anywhere=True)
    assert {(edge.from_, edge.to) for edge in notebook.scheduler.edges()} >= {("attach", "attached")}


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
