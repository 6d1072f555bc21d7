"""Names of connections, transactions, results and errors of whole cells, on three real databases."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tailrace_kernel.sql import Connections, SqlLimits, SqlResult, SqlStatementError
from tailrace_protocol.errors import ErrorCode, TailraceError
from tests.postgres import Postgres

DATABASES = ("default", "pg", "lite")


@pytest.fixture
def connections(postgres: Postgres, tmp_path: Path) -> Iterator[Connections]:
    """`default` is the embedded DuckDB, `pg` PostgreSQL with an empty schema of its own, `lite` a SQLite file."""
    with postgres.own_schema("work"):
        made = Connections()
        made.configure("pg", postgres.url)
        made.configure("lite", f"sqlite:///{tmp_path}/lite.db")
        yield made
        made.close()


def looked_up(values: Mapping[str, object]) -> Callable[[str], object]:
    def value(source: str) -> object:
        return eval(source, dict(values))

    return value


def rows(result: SqlResult) -> list[tuple[object, ...]]:
    assert result.grid is not None
    columns = result.grid.table.to_pydict().values()
    return list(zip(*columns, strict=True))


def test_the_embedded_database_needs_no_set_up() -> None:
    connections = Connections()
    assert rows(connections.run("SELECT 6 * 7 AS answer")) == [(42,)]
    assert connections.dialects() == {"default": "duckdb", "duckdb": "duckdb"}
    assert connections.embedded() == {"default", "duckdb"}
    connections.close()


def test_names_and_dialects(connections: Connections, postgres: Postgres) -> None:
    assert connections.dialects() == {"default": "duckdb", "duckdb": "duckdb", "pg": "postgres", "lite": "sqlite"}
    assert connections.embedded() == {"default", "duckdb"}
    with pytest.raises(TailraceError, match="default, duckdb, lite, pg") as caught:
        connections.run("SELECT 1", "warehouse")
    assert caught.value.code is ErrorCode.UNKNOWN_CONNECTION
    connections.run("CREATE TABLE kept AS SELECT 1 AS a")
    connections.configure("default", postgres.url)
    assert connections.dialect() == "postgres"
    assert connections.embedded() == {"duckdb"}
    assert rows(connections.run("SELECT a FROM kept", "duckdb")) == [(1,)]
    connections.configure("default", None)
    assert rows(connections.run("SELECT a FROM kept")) == [(1,)]


@pytest.mark.parametrize("name", DATABASES)
def test_a_cell_is_one_transaction(connections: Connections, name: str) -> None:
    done = connections.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); SELECT a FROM t ORDER BY a", name)
    assert rows(done) == [(1,), (2,)]
    assert done.statements[1].rows == 2
    assert [outcome.kind for outcome in done.statements] == ["create", "insert", "select"]
    with pytest.raises(SqlStatementError):
        connections.run("INSERT INTO t VALUES (3);\nSELECT nope FROM t", name)
    with pytest.raises(SqlStatementError):
        connections.run("CREATE TABLE u (a int); SELECT nope FROM u", name)
    assert rows(connections.run("SELECT count(*) AS n FROM t", name)) == [(2,)]
    with pytest.raises(SqlStatementError):
        connections.run("SELECT * FROM u", name)


@pytest.mark.parametrize("name", DATABASES)
def test_a_transaction_of_the_cells_own(connections: Connections, name: str) -> None:
    connections.run("CREATE TABLE t (a int)", name)
    connections.run("BEGIN; INSERT INTO t VALUES (1); COMMIT; BEGIN; INSERT INTO t VALUES (2); ROLLBACK", name)
    with pytest.raises(SqlStatementError, match="add COMMIT"):
        connections.run("BEGIN; INSERT INTO t VALUES (3)", name)
    assert rows(connections.run("SELECT a FROM t", name)) == [(1,)]


@pytest.mark.parametrize("name", DATABASES)
def test_statements_that_refuse_transactions(connections: Connections, name: str) -> None:
    connections.run("CREATE TABLE t (a int)", name)
    connections.run("VACUUM", name)
    if name == "pg":
        connections.run("CREATE INDEX CONCURRENTLY i ON t (a)", name)
    assert rows(connections.run("INSERT INTO t VALUES (1) RETURNING a", name)) == [(1,)]


@pytest.mark.parametrize("name", DATABASES)
def test_temporary_tables_last_from_cell_to_cell(connections: Connections, name: str) -> None:
    connections.run("CREATE TEMP TABLE scratch AS SELECT 7 AS a", name)
    assert rows(connections.run("SELECT a FROM scratch", name)) == [(7,)]
    with pytest.raises(SqlStatementError):
        connections.run("SELECT nope FROM scratch", name)
    assert rows(connections.run("SELECT a FROM scratch", name)) == [(7,)]


@pytest.mark.parametrize("name", DATABASES)
def test_values_are_bound_and_never_text(connections: Connections, name: str) -> None:
    connections.run("CREATE TABLE people (name text, age int); INSERT INTO people VALUES ('Ann', 40)", name)
    attack = "x'; DROP TABLE people; --"
    values = {"who": attack, "n": np.int64(40), "nothing": pd.NA, "names": ["Ann", attack], "none": []}
    cells = {
        "SELECT name FROM people WHERE name = :who": [],
        "SELECT name FROM people WHERE name = {who + ''} OR age = :n": [("Ann",)],
        "SELECT name FROM people WHERE name IN :names": [("Ann",)],
        "SELECT name FROM people WHERE name IN (:none)": [],
        "SELECT name FROM people WHERE age NOT IN :none": [("Ann",)],
        "SELECT ':who' AS a, '%%' AS b -- {nope}\nFROM people WHERE age = :n AND age % 3 = 1": [(":who", "%%")],
    }
    for sql, expected in cells.items():
        assert rows(connections.run(sql, name, parameters=looked_up(values))) == expected, sql
    inserted = connections.run(
        "INSERT INTO people VALUES (:who, :nothing); SELECT name, age FROM people WHERE age IS NULL",
        name,
        parameters=looked_up(values),
    )
    assert rows(inserted) == [(attack, None)]


@pytest.mark.parametrize("name", DATABASES)
def test_a_filter_that_may_be_missing(connections: Connections, name: str) -> None:
    connections.run("CREATE TABLE t (s text); INSERT INTO t VALUES ('a'), ('b')", name)
    sql = "SELECT s FROM t WHERE CAST(:s AS varchar) IS NULL OR s = :s ORDER BY s"
    assert rows(connections.run(sql, name, parameters=looked_up({"s": None}))) == [("a",), ("b",)]
    assert rows(connections.run(sql, name, parameters=looked_up({"s": "a"}))) == [("a",)]


def test_each_name_is_evaluated_once_and_its_error_goes_through(connections: Connections) -> None:
    asked: list[str] = []

    def value(source: str) -> object:
        asked.append(source)
        return 1

    connections.run("SELECT :n, :n, {n}; SELECT :n", parameters=value)
    assert asked == ["n"]
    with pytest.raises(NameError, match="missing"):
        connections.run("SELECT :missing", parameters=looked_up({}))


@pytest.mark.parametrize("name", DATABASES)
def test_a_parameter_is_no_table(connections: Connections, name: str) -> None:
    with pytest.raises(SqlStatementError, match="table stands where the name of a table"):
        connections.run("SELECT * FROM {table}", name, parameters=looked_up({"table": "people"}))


@pytest.mark.parametrize(("name", "line"), [("default", 6), ("pg", 6), ("lite", 5)])
def test_an_error_names_the_line_of_the_cell(connections: Connections, name: str, line: int) -> None:
    sql = "SELECT 1;\n\n-- next\nSELECT *\nFROM nope"
    with pytest.raises(SqlStatementError, match="nope") as caught:
        connections.run(sql, name, first_line=2)
    assert caught.value.line == line
    assert "[SQL" not in caught.value.message
    assert "sqlalche.me" not in caught.value.message
    assert "psycopg" not in caught.value.message
    assert "DECLARE" not in caught.value.message


def test_an_unnamed_result_is_cut_and_says_so(connections: Connections) -> None:
    for name, sql in {
        "default": "SELECT * FROM range(100000000) AS r(n)",
        "pg": "SELECT n FROM generate_series(1, 1000000) AS n",
        "lite": "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r",
    }.items():
        result = connections.run(sql, name)
        assert result.frame is None
        assert result.truncated
        assert len(rows(result)) == SqlLimits().page_rows
        assert "more than 10,000 rows × 1 column, first 100 shown" in result.text


def test_a_named_result_is_whole_or_fails(connections: Connections) -> None:
    for name, sql in {
        "default": "SELECT n, 'text' AS t FROM range(30000) AS r(n)",
        "pg": "SELECT n, 'text' AS t FROM generate_series(0, 29999) AS n",
    }.items():
        result = connections.run(sql, name, result="numbers")
        assert result.frame is not None
        assert result.frame["n"].tolist() == list(range(30_000))
        assert result.truncated
        assert "30,000 rows × 2 columns in numbers, first 100 shown" in result.text
        with pytest.raises(TailraceError, match="LIMIT") as caught:
            connections.run(sql, name, result="numbers", limits=SqlLimits(result_bytes=50_000))
        assert caught.value.code is ErrorCode.RESULT_TOO_LARGE
        assert rows(connections.run("SELECT 1 AS a", name)) == [(1,)]


def test_changes_are_counted(connections: Connections) -> None:
    for name in DATABASES:
        connections.run("CREATE TABLE t (a int)", name)
        result = connections.run("INSERT INTO t VALUES (1), (2); UPDATE t SET a = 5 WHERE a = 1; DELETE FROM t", name)
        assert result.row_counts == (2, 1, 2)
        assert result.text == "INSERT: 2 rows\nUPDATE: 1 row\nDELETE: 2 rows"
        assert result.frame is None


def test_types_a_data_person_expects(connections: Connections) -> None:
    sql = (
        "SELECT * FROM (VALUES (1, 1.50, true, 'a', DATE '2020-01-02', TIMESTAMP '2020-01-02 03:04:05',"
        " 9007199254740993),"
        " (NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS v(i, d, b, s, day, moment, big)"
    )
    for name in ("default", "pg"):
        frame = connections.run(sql, name, result="v").frame
        assert frame is not None
        kinds = {column: str(kind) for column, kind in frame.dtypes.items()}
        assert kinds["i"] == "Int32"
        assert kinds["d"] == "float64"
        assert kinds["b"] == "boolean"
        assert kinds["s"] == "str"
        assert kinds["day"].startswith("datetime64")
        assert kinds["moment"].startswith("datetime64")
        assert frame["big"][0] == 9007199254740993
        frame.loc[0, "i"] = 5  # a result is the user's own to change
        frame["d"] = frame["d"] * 2
        assert frame["d"][0] == 3.0


def test_two_columns_of_one_name_both_survive(connections: Connections) -> None:
    for name in DATABASES:
        frame = connections.run("SELECT 1 AS a, 2 AS a, 3 AS a_1", name, result="r").frame
        assert frame is not None
        assert list(frame.columns) == ["a", "a_2", "a_1"]
        assert frame.iloc[0].tolist() == [1, 2, 3]


def test_documents_and_lists_of_postgresql(connections: Connections) -> None:
    values = {"doc": {"a": 1, "b": [1, None]}, "tags": ["x", "y"]}
    frame = connections.run(
        "CREATE TABLE t (j jsonb, k json, tags text[]); INSERT INTO t VALUES (:doc, :doc, :tags), ('[1]', '3', NULL);"
        "SELECT *, 'x' = ANY(:tags) AS has FROM t",
        "pg",
        parameters=looked_up(values),
        result="r",
    ).frame
    assert frame is not None
    assert frame["j"].tolist() == [{"a": 1, "b": [1, None]}, [1]]
    assert frame["k"].tolist() == [{"a": 1, "b": [1, None]}, 3]
    assert frame["has"].tolist() == [True, True]


def test_sqlite_gives_back_what_it_stores(connections: Connections) -> None:
    values = {"n": np.int64(5)}
    sql = "CREATE TABLE t (a); INSERT INTO t VALUES (:n), ('x'), (2.5), (NULL); SELECT a, typeof(a) AS k FROM t"
    result = connections.run(sql, "lite", parameters=looked_up(values), result="r")
    assert result.frame is not None
    assert result.frame["a"].tolist() == [5, "x", 2.5, None]
    assert result.frame["k"].tolist() == ["integer", "text", "real", "null"]


def test_read_only_refuses_in_words_and_in_the_session(
    connections: Connections, postgres: Postgres, tmp_path: Path
) -> None:
    for name, url in {"pg": postgres.url, "lite": f"sqlite:///{tmp_path}/lite.db"}.items():
        connections.run("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", name)
        connections.configure("reader", url, read_only=True)
        assert rows(connections.run("SELECT a FROM t", "reader")) == [(1,)]
        for sql in ("DELETE FROM t", "COMMIT; DROP TABLE t", "WITH d AS (DELETE FROM t RETURNING a) SELECT * FROM d"):
            with pytest.raises(TailraceError) as caught:
                connections.run(sql, "reader")
            assert caught.value.code is ErrorCode.DB_READ_ONLY
    connections.run("CREATE FUNCTION sly() RETURNS int LANGUAGE sql AS 'DELETE FROM t RETURNING 1'", "pg")
    connections.configure("reader", postgres.url, read_only=True)
    with pytest.raises(SqlStatementError, match="read-only transaction"):
        connections.run("SELECT sly()", "reader")
    assert rows(connections.run("SELECT a FROM t", "pg")) == [(1,)]


def test_a_duckdb_file_may_be_read_only(connections: Connections, tmp_path: Path) -> None:
    url = f"duckdb:///{tmp_path}/shop.duckdb"
    connections.configure("shop", url)
    connections.run("CREATE TABLE t AS SELECT 1 AS a", "shop")
    connections.configure("shop", None)
    connections.configure("reader", url, read_only=True)
    assert rows(connections.run("SELECT a FROM t", "reader")) == [(1,)]
    with pytest.raises(TailraceError) as caught:
        connections.run(f"COPY t TO '{tmp_path}/out.csv'", "reader")
    assert caught.value.code is ErrorCode.DB_READ_ONLY


def test_a_connection_that_the_server_cut_is_opened_again(connections: Connections, postgres: Postgres) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'analyst'"
    connections.run("SELECT 1", "pg")
    assert postgres.administer(cut) == [(True,)]
    assert rows(connections.run("SELECT 2 AS a", "pg")) == [(2,)]
    connections.run("CREATE TEMP TABLE scratch AS SELECT 1 AS a", "pg")
    assert (True,) in postgres.administer(cut)
    assert rows(connections.run("SELECT 3 AS a", "pg")) == [(3,)]


def test_the_schema_one_level_at_a_time(connections: Connections) -> None:
    for name, schema in {"default": "main", "pg": "work", "lite": "main"}.items():
        connections.run("CREATE TABLE shop (id int, label text); CREATE VIEW seen AS SELECT id FROM shop", name)
        assert schema in [node.name for node in connections.schema(name)]
        kinds = {node.name: node.kind for node in connections.schema(name, (schema,))}
        assert kinds == {"shop": "table", "seen": "view"}
        columns = connections.schema(name, (schema, "shop"))
        assert [node.name for node in columns] == ["id", "label"]
        assert all(node.type for node in columns)


def test_an_empty_cell_and_a_comment_do_nothing(connections: Connections) -> None:
    for name in DATABASES:
        assert connections.run("-- nothing;\n;", name).row_counts == ()


def test_an_in_memory_sqlite_is_one_for_all_threads(connections: Connections) -> None:
    connections.configure("memory", "sqlite://")
    connections.run("CREATE TABLE t (a int)", "memory")

    def add(index: int) -> None:
        connections.run("INSERT INTO t VALUES (:i); INSERT INTO t VALUES (:i)", "memory", parameters=lambda _: index)
        assert connections.schema("memory", ("main",))[0].name == "t"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))
    found = connections.run("SELECT count(*) AS n, count(DISTINCT a) AS d FROM t", "memory")
    assert rows(found) == [(80, 40)]


@pytest.mark.parametrize("written", ["'infinity'::timestamp", "'-infinity'::date", "'0044-03-15 BC'::date"])
def test_a_date_that_python_does_not_have(connections: Connections, written: str) -> None:
    with pytest.raises(SqlStatementError, match=r"Python has no date or time for .*: cast the column to text"):
        connections.run(f"SELECT {written} AS d", "pg")
    assert rows(connections.run(f"SELECT ({written})::text AS d", "pg")) == [(written.split("'")[1],)]
