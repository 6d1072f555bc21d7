"""SQL cells: header lines, names in the graph, outside effects."""

import pytest

from tailrace_kernel.facts import Effect
from tailrace_kernel.sql_cell import analyze_sql_cell, is_sql_cell, table_name

DIALECTS = {"default": "duckdb", "pg": "postgres", "files": "sqlite"}

HEADERS = [
    # code, connection, result, statement, first line
    ("select 1", "default", None, "select 1", 1),
    ("-- connection: pg  result: orders\nselect 1", "pg", "orders", "select 1", 2),
    ("\n-- result: orders\nselect 1", "default", "orders", "select 1", 3),
    ("-- connection: pg\n", "pg", None, "", 2),
    ("-- a remark: with a colon\nselect 1", "default", None, "-- a remark: with a colon\nselect 1", 1),
    ("%%sql\nselect 1", "default", None, "select 1", 2),
    ("%%sql pg\nselect 1", "pg", None, "select 1", 2),
    ("%%sql orders <<\nselect 1", "default", "orders", "select 1", 2),
    ("%%sql pg orders <<\nselect 1", "pg", "orders", "select 1", 2),
    ("%%sql pg orders<<\nselect 1", "pg", "orders", "select 1", 2),
    ("%%sql select 1\nfrom t", "default", None, "select 1\nfrom t", 1),
]


@pytest.mark.parametrize(("code", "connection", "result", "statement", "first_line"), HEADERS)
def test_headers(code: str, connection: str, result: str | None, statement: str, first_line: int) -> None:
    cell = analyze_sql_cell(code, dialects=DIALECTS)
    assert (cell.connection, cell.result) == (connection, result)
    assert (cell.statement, cell.first_line) == (statement, first_line)


def test_a_header_wins_over_settings() -> None:
    cell = analyze_sql_cell("-- connection: pg\nselect 1", "files", "kept", DIALECTS)
    assert (cell.connection, cell.result, cell.dialect) == ("pg", "kept", "postgres")


def test_names_of_tables_and_python_stand_side_by_side() -> None:
    cell = analyze_sql_cell("select * from Orders where k = :limit and j = {f(n)}", result="top", dialects=DIALECTS)
    assert cell.analysis.reads == {"default:orders", "Orders", "limit", "f", "n"}
    assert cell.analysis.writes == cell.analysis.binds == {"top"}
    assert cell.variables == {"Orders"}
    assert cell.analysis.effects == frozenset()


def test_another_database_sees_no_variables() -> None:
    cell = analyze_sql_cell("select * from public.orders join s.t using (i)", "pg", dialects=DIALECTS)
    assert cell.analysis.reads == {"pg:orders", "pg:s.t"}
    assert cell.variables == frozenset()


EFFECTS = [
    ("default", "create table t as select 1", set()),
    ("default", "insert into files.t values (1)", {Effect.SQL_WRITE}),
    ("default", "insert into main.t values (1)", set()),
    ("default", "create schema s; create table s.t (i int); insert into s.t values (1)", set()),
    ("default", "insert into files.main.t values (1)", {Effect.SQL_WRITE}),
    ("pg", "select * from t", set()),
    ("pg", "insert into t values (1)", {Effect.SQL_WRITE}),
    ("pg", "explain insert into t values (1)", set()),
    ("pg", "vacuum", {Effect.SQL_WRITE}),
    ("pg", "call f()", {Effect.OPAQUE_SQL, Effect.SQL_WRITE}),
    ("default", "call f()", {Effect.OPAQUE_SQL}),
    ("pg", "begin; select 1; commit", set()),
]


@pytest.mark.parametrize(("connection", "sql", "effects"), EFFECTS)
def test_outside_effects(connection: str, sql: str, effects: set[Effect]) -> None:
    assert analyze_sql_cell(sql, connection, dialects=DIALECTS).analysis.effects == effects


@pytest.mark.parametrize(
    ("sql", "reads", "binds", "deletes", "stored"),
    [
        ("CREATE TABLE t (n int)", "", "t", "", "t"),
        ("CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (1)", "t", "t", "", "t"),
        ("DROP TABLE IF EXISTS t; CREATE TABLE t (n int)", "", "t", "", "t"),
        ("DROP TABLE IF EXISTS t; CREATE TABLE IF NOT EXISTS t (n int)", "", "t", "", "t"),
        ("CREATE TABLE t (n int); DROP TABLE t", "", "", "t", "t"),
        ("CREATE TABLE t (n int); DROP TABLE t; CREATE TABLE t AS SELECT 1 AS n", "", "t", "", "t"),
        ("DROP TABLE IF EXISTS t", "t", "", "t", "t"),
        ("DROP TABLE t", "t", "", "t", "t"),
        ("INSERT INTO t VALUES (1)", "t", "", "", "t"),
        ("ALTER TABLE t RENAME TO u", "t", "u", "", "t u"),
        ("CREATE OR REPLACE TABLE t AS SELECT * FROM t", "t", "t", "", "t"),
        ("INSERT INTO files.main.t VALUES (1)", "files.main.t", "", "", ""),
        ("INSERT INTO s.t VALUES (1)", "s.t", "", "", ""),
    ],
)
def test_what_becomes_of_tables(sql: str, reads: str, binds: str, deletes: str, stored: str) -> None:
    facts = analyze_sql_cell(sql).analysis
    found = (facts.reads, facts.binds, facts.deletes, facts.stored)
    tables = [" ".join(sorted(n.partition(":")[2] for n in names if ":" in n)) for names in found]
    assert tables == [reads, binds, deletes, stored]


def test_only_our_own_database_has_one_version_of_each_table() -> None:
    outside = analyze_sql_cell("-- connection: pg\nCREATE TABLE IF NOT EXISTS t (n int)").analysis
    assert (outside.stored, outside.reads) == (frozenset(), frozenset())
    assert analyze_sql_cell("BEGIN; INSERT INTO t VALUES (1); COMMIT").analysis.lasting
    assert not analyze_sql_cell("INSERT INTO t VALUES (1)").analysis.lasting


def test_a_default_that_is_configured_elsewhere_is_outside() -> None:
    cell = analyze_sql_cell("insert into t values (1)", dialects={"default": "postgres"}, embedded=())
    assert cell.analysis.effects == {Effect.SQL_WRITE}
    assert cell.variables == frozenset()


def test_expressions_bring_their_python_facts() -> None:
    facts = analyze_sql_cell("select {x.pop()}, {len(y)}", dialects=DIALECTS).analysis
    assert facts.reads == {"x", "y"}
    assert facts.changes == {"x"}
    assert facts.builtin_reads == {"len"}


def test_bad_headers_are_told() -> None:
    facts = analyze_sql_cell("-- connection: a/b  result: 1x\nselect 1", dialects=DIALECTS).analysis
    assert [found.kind for found in facts.diagnostics] == ["bad_header", "bad_header"]
    assert facts.writes == frozenset()


def test_lines_count_from_the_start_of_the_cell() -> None:
    (found,) = analyze_sql_cell("-- result: r\nselect 1;\nselect from from", dialects=DIALECTS).analysis.diagnostics
    assert (found.kind, found.line) == ("sql_syntax", 3)


def test_sql_cells_of_foreign_frontends() -> None:
    assert is_sql_cell("%%sql pg\nselect 1")
    assert is_sql_cell("\n%%sql\nselect 1")
    assert not is_sql_cell("%%sqlite\nselect 1")
    assert not is_sql_cell("x = 1")


def test_one_table_has_one_name() -> None:
    assert table_name("default", "memory.main.Orders", "duckdb") == "default:orders"
    assert table_name("pg", "public.t", "postgres") == table_name("pg", "t", "postgres") == "pg:t"
    assert table_name("pg", "Mixed", "postgres") == "pg:Mixed"
    assert table_name("pg", "file:x.csv", "postgres") == "file:x.csv"
