"""What SQL texts read, write and want as parameters, by hand, and in DuckDB's and SQLite's own opinion."""

import random
import sqlite3

import duckdb
import pytest

from tailrace_kernel.sql_analysis import analyze_sql, free_names
from tailrace_kernel.sql_parameters import Anonymous, Expression, Named, Text, scan
from tailrace_kernel.sql_statements import split

CASES = [
    # dialect, text, reads, writes
    ("duckdb", "select * from Orders o join customers using (id)", "orders customers", ""),
    ("snowflake", 'select * from Orders, "Mixed"', "ORDERS Mixed", ""),
    ("clickhouse", "select * from Orders", "Orders", ""),
    ("bigquery", "select * from `p.d.T`", "p.d.T", ""),
    ("postgres", "select * from s.t, other.db.t", "s.t other.db.t", ""),
    ("postgres", "with a as (select * from b) select * from a, c", "b c", ""),
    ("postgres", "with a as (select * from a) select * from a", "a", ""),
    ("postgres", "with recursive a as (select 1 union select * from a) select * from a", "", ""),
    ("postgres", "with a as (select 1), b as (select * from a) select * from b", "", ""),
    ("postgres", "with a as (select 1) select * from s.a", "s.a", ""),
    ("postgres", "select (with q as (select * from t) select 1 from q) from q", "t q", ""),
    ("postgres", "select * from t where a in (select b from u) and exists (select 1 from v)", "t u v", ""),
    ("postgres", "select * from a union select * from b", "a b", ""),
    ("postgres", "select * from generate_series(1, 2), unnest(array[1])", "", ""),
    ("postgres", "insert into t (a) select b from u returning a", "t u", "t"),
    ("postgres", "update t set a = (select max(b) from u) from v where v.i = t.i", "t u v", "t"),
    ("postgres", "delete from t using u where u.i = t.i", "t u", "t"),
    ("postgres", "merge into t using s on t.i = s.i when matched then delete", "t s", "t"),
    ("postgres", "with d as (delete from t returning *) insert into u select * from d", "t u", "t u"),
    ("postgres", "truncate a, b", "a b", "a b"),
    ("postgres", "drop table a", "a", "a"),
    ("postgres", "drop table if exists a, b cascade", "", "a b"),
    ("postgres", "alter table a add column b int", "a", "a"),
    ("postgres", "alter table if exists a add column b int", "", "a"),
    ("postgres", "alter table a rename to b", "a", "a b"),
    ("mysql", "rename table a to b", "a", "a b"),
    ("postgres", "create table n as select * from t", "t", "n"),
    ("postgres", "create temp table n on commit drop as select * from t", "t", "n"),
    ("postgres", "create table n (a int references o (id))", "o", "n"),
    ("postgres", "create view v as with c as (select * from t) select * from c", "t", "v"),
    ("postgres", "create unique index i on t (a)", "t", "t"),
    ("postgres", "refresh materialized view m", "m", "m"),
    ("postgres", "select * into n from t", "t", "n"),
    ("sqlite", "replace into t select * from u", "t u", "t"),
    ("sqlite", "create trigger g after insert on t begin update x set a = 1; end", "t", "t"),
    ("sqlite", "pragma table_info(t)", "t", ""),
    ("tsql", "select * into #n from t; select * from #n", "t", "#n"),
    ("tsql", "update a set x = 1 from t a", "t", "t"),
    ("mysql", "delete a from t a join b on a.i = b.i", "t b", "t"),
    ("mysql", "replace into t values (1)", "t", "t"),
    ("postgres", "explain select * from t", "t", ""),
    ("postgres", "explain delete from t", "t", ""),
    ("postgres", "explain analyze delete from t", "t", "t"),
    ("duckdb", "from t", "t", ""),
    ("duckdb", "pivot t on a using sum(b)", "t", ""),
    ("duckdb", "describe t; summarize u", "t u", ""),
    ("duckdb", "copy t to 'x.csv'", "t", "file:x.csv"),
    ("duckdb", "copy t from 'x.csv'", "t file:x.csv", "t"),
    ("duckdb", "copy (select * from t) to 'x.parquet'", "t", "file:x.parquet"),
    ("duckdb", "select * from 'x.parquet', read_csv('y.csv')", "file:x.parquet file:y.csv", ""),
    ("duckdb", "attach 'f.db' as g; select * from g.t; detach g", "file:f.db g.t", "db:g"),
    ("duckdb", "create schema s; create macro f(x) as x + 1", "", "schema:s function:f"),
    ("duckdb", "install httpfs; load httpfs; set threads = 4; begin; commit; checkpoint", "", ""),
    # what an earlier statement made is no read of a later one
    ("duckdb", "create table n as select * from t; insert into n select * from u; select * from n", "t u", "n"),
    ("duckdb", "insert into n values (1); create table n (a int)", "n", "n"),
]


@pytest.mark.parametrize(("dialect", "sql", "reads", "writes"), CASES)
def test_reads_and_writes(dialect: str, sql: str, reads: str, writes: str) -> None:
    facts = analyze_sql(sql, dialect)
    assert (facts.reads, facts.writes) == (frozenset(reads.split()), frozenset(writes.split()))
    assert not facts.writes_unknown
    assert not facts.diagnostics


@pytest.mark.parametrize(
    "sql",
    [
        *("call f()", "execute q(1)", "do $$ begin end $$", "selec x fro", "insert into {t} select 1"),
        *("selec * form t", "this is not sql", "orders"),  # these parse, as expressions
    ],
)
def test_what_nobody_can_read_is_opaque(sql: str) -> None:
    assert analyze_sql(sql, "postgres").writes_unknown


@pytest.mark.parametrize(
    ("sql", "needs"),
    [
        ("select f(x), s.g(1), lower(y) from m(3)", "function:f function:s.g function:m"),
        ("select * from d.s.t", "db:d schema:d.s"),
        ("create table s.t (a int)", "db:s schema:s"),
        ("create macro f(x) as x + 1; select f(2)", ""),
        ("attach 'x.db' as d; select * from d.t", "schema:d"),
        ("select nextval('Numbers')", "function:nextval numbers"),
    ],
)
def test_what_a_text_goes_through(sql: str, needs: str) -> None:
    assert analyze_sql(sql, "duckdb").needs == set(needs.split())


def test_a_syntax_error_has_its_place() -> None:
    (found,) = analyze_sql("select 1;\n\nselec x fro", "postgres").diagnostics
    assert (found.kind, found.line) == ("sql_syntax", 3)


def test_a_parameter_is_no_table() -> None:
    facts = analyze_sql("select * from {table}", "duckdb")
    assert [found.kind for found in facts.diagnostics] == ["sql_table_parameter"]
    assert facts.reads == frozenset()
    assert not facts.writes_unknown


PARAMETERS = [
    ("duckdb", "select :b, :a, :b", ("b", "a")),
    ("duckdb", "select $b, @a, x::int", ("b", "a")),
    ("sqlite", "select ?, ?", ("?",)),
    ("duckdb", "select {a + f(b, len(c))}", ("a", "f", "b", "c")),
    ("duckdb", "select {d['k}']} , {{x}}", ("d",)),
    ("duckdb", "select ':a', \":b\" -- :c\n/* :d /* :e */ :f */ , $$ :g $$", ()),
    ("postgres", "select E'\\':a', $t$ :b $t$, 'it''s :c', :d::text", ("d",)),
    ("postgres", "select data ? 'k', data ?| array['a'], a <@ b, x = ?", ("?",)),
    ("postgres", "select a[:b], a[1:b], array[:c], a[:d]", ("c",)),
    ("duckdb", "select {'a': 1, 'b': :x}, MAP {'k': {v}}", ("x", "v")),
    ("duckdb", "select {[i for i in xs if i > n]}", ("xs", "n")),
    ("mysql", 'select @v, :x, "it\'s :no", `a:b` # :no\n', ("x",)),
    ("tsql", "declare @n int = 1; select @n, @m from [a :b]", ("m",)),
    ("bigquery", "select @a, r'\\':no'", ("a",)),
    ("snowflake", "select data:field, :x", ("x",)),
    ("oracle", "select :1 from dual", ("1",)),
    ("postgres", "select $1", ("1",)),
    ("duckdb", "select * from t where a=@x and b>=@y and c<>@z", ("x", "y", "z")),
    ("postgres", "select a<@b, a@>b, a@@b", ()),
    ("tsql", "select * from t where a<@x", ("x",)),
]


@pytest.mark.parametrize(("dialect", "sql", "params"), PARAMETERS)
def test_parameters(dialect: str, sql: str, params: tuple[str, ...]) -> None:
    assert analyze_sql(sql, dialect).params == params


def test_segments_keep_the_text() -> None:
    assert scan("a = :x and {y + 1} = {{z}} or ? > $n", "sqlite") == (
        Text("a = "),
        Named("x", ":"),
        Text(" and "),
        Expression("y + 1"),
        Text(" = {z} or "),
        Anonymous(),
        Text(" > "),
        Named("n", "$"),
    )
    assert scan("", "duckdb") == ()


def test_free_names_are_in_order_of_use() -> None:
    assert free_names("b + [c for c in a if d] + len(b)") == ("b", "a", "d")


def test_random_texts_are_cut_without_loss() -> None:
    """Whatever the text: nothing gets lost, and no quoting is left half-way."""
    pieces = [
        "'",
        '"',
        "`",
        "$$",
        "--",
        "/*",
        "*/",
        "\n",
        ";",
        ":x",
        "{y}",
        "{",
        "}",
        "?",
        " ",
        "a",
        "E'",
        "\\",
        "[",
        "]",
        "@z",
        "$t$",
    ]
    parameters = 0
    for seed in range(3000):
        rng = random.Random(seed)
        text = "".join(rng.choices(pieces, k=rng.randint(1, 14)))
        dialect = rng.choice(["duckdb", "postgres", "sqlite", "mysql", "tsql", "bigquery", "snowflake"])
        back = ""
        for segment in scan(text, dialect):
            match segment:
                case Text(text=plain):
                    back += plain.replace("{", "{{").replace("}", "}}") if "{{" in text or "}}" in text else plain
                case Named(name=name, sigil=sigil):
                    back += sigil + name
                case Anonymous():
                    back += "?"
                case Expression(source=source):
                    back += "{" + source + "}"
            parameters += not isinstance(segment, Text)
        if "{{" not in text and "}}" not in text:
            assert back == text, f"seed {seed}"
        statements = split(text, dialect)
        assert all(statement.text in text for statement in statements), f"seed {seed}"
    assert parameters > 1000


STATEMENTS = [
    ("postgres", "select ';'; ; -- x;\nselect 2 ;", [("select", 1), ("select", 2)]),
    ("postgres", "do $$ begin; end; $$; select 1", [("do", 1), ("select", 1)]),
    ("sqlite", "create trigger g after insert on t begin select case when 1 then 2 end; select 1; end; select 2",
     [("create", 1), ("select", 1)]),
    ("duckdb", "\n\nselect {f(';')};\nfrom t", [("select", 3), ("from", 4)]),
    ("postgres", "with a as (select 1) update t set a = 1; (select 1)", [("update", 1), ("select", 1)]),
    ("tsql", "select 1\ngo\nselect 2", [("select", 1), ("select", 3)]),
    ("mysql", "select 1 # ;\n; select 2", [("select", 1), ("select", 2)]),
    ("postgres", "-- nothing\n/* ; */", []),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "sql", "found"), STATEMENTS)
def test_statements(dialect: str, sql: str, found: list[tuple[str, int]]) -> None:
    assert [(statement.kind, statement.start_line) for statement in split(sql, dialect)] == found


KINDS = [
    # text, write, opaque, refuses a transaction, controls one
    ("select replace(a, 'b', 'c') from (select 1) as t", False, False, False, False),
    ("select 1 from t for update", False, False, False, False),
    ("with d as (delete from t returning *) select * from d", True, False, False, False),
    ("with d as materialized (insert into t values (1) returning *) select * from d", True, False, False, False),
    ("select * into n from t", True, False, False, False),
    ("insert into t values (1)", True, False, False, False),
    ("explain delete from t", False, False, False, False),
    ("explain analyze delete from t", True, False, False, False),
    ("explain analyze select 1", False, False, False, False),
    ("call f()", True, True, False, False),
    ("vacuum", True, False, True, False),
    ("create database d", True, False, True, False),
    ("create index concurrently i on t (a)", True, False, True, False),
    ("begin", False, False, False, True),
    ("rollback to savepoint s", False, False, False, True),
    ("set x = 1", False, False, False, False),
    ("copy t to 'f'", True, False, False, False),
]


@pytest.mark.parametrize(("sql", "write", "opaque", "refuses", "controls"), KINDS)
def test_what_statements_may_do(sql: str, write: bool, opaque: bool, refuses: bool, controls: bool) -> None:
    (found,) = split(sql, "postgres")
    assert (found.is_write, found.is_opaque) == (write, opaque)
    assert (found.refuses_transaction, found.controls_transaction) == (refuses, controls)


SCHEMA = "create table a (i int, j int); create table b (i int, k int); create table c (j int);"
GENERATED_TABLES = ("a", "b", "c")


def _random_query(rng: random.Random, depth: int = 0) -> str:
    table = rng.choice(GENERATED_TABLES)
    choices = [f"select 1 as n from {table}", f"select count(*) as n from {table} as t"]
    if depth < 3:
        inner = _random_query(rng, depth + 1)
        name = rng.choice((*GENERATED_TABLES, "q"))
        choices += [
            f"select n from ({inner}) as s",
            f"with {name} as ({inner}) select n from {name}",
            f"with {name} as ({inner}) select 1 as n from {table}, {name}",
            f"{inner} union all select n from ({_random_query(rng, depth + 1)}) as u" if "with" not in inner else inner,
            f"select 1 as n from {table} where exists ({inner})",
            f"select ({inner} limit 1) as n from {table}" if "union" not in inner else inner,
        ]
    return rng.choice(choices)


def test_tables_are_those_that_duckdb_and_sqlite_find() -> None:
    compared = 0
    duck, lite = duckdb.connect(), sqlite3.connect(":memory:")
    lite.executescript(SCHEMA)
    duck.execute(SCHEMA)
    asked: set[str] = set()

    def authorize(action: int, first: str | None, second: str | None, *rest: object) -> int:
        if action == sqlite3.SQLITE_READ and first in GENERATED_TABLES:
            asked.add(first)
        return sqlite3.SQLITE_OK

    lite.set_authorizer(authorize)
    for seed in range(300):
        query = _random_query(random.Random(seed))
        reads = analyze_sql(query, "duckdb").reads
        if _shadows(query):  # both report a CTE of that name as the table
            continue
        assert reads == set(duck.get_table_names(query)), f"seed {seed}: {query}"
        asked.clear()
        try:
            lite.execute("explain " + query)
        except sqlite3.OperationalError:
            continue
        compared += 1
        assert asked <= analyze_sql(query, "sqlite").reads, f"seed {seed}: {query}"
    lite.close()
    duck.close()
    assert compared > 100


def _shadows(query: str) -> bool:
    return any(f"with {name} as" in query for name in GENERATED_TABLES)
