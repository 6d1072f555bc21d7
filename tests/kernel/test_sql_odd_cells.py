"""Odd cells that people write, on three real databases: what they show, or the sentence that says why not."""

import datetime as dt
import decimal
import math
import sys
import uuid
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from tailrace_kernel.sql import Connections, SqlResult
from tailrace_protocol.errors import TailraceError
from tests.postgres import Postgres

VALUES = {
    "n": 5,
    "name": "O'Brien; DROP TABLE t; --",
    "ids": [1, 2, 3],
    "none": None,
    "nat": pd.NaT,
    "when": pd.Timestamp("2026-03-29 03:30", tz="Europe/Zurich"),
    "day": dt.date(2026, 1, 2),
    "key": uuid.UUID(int=5),
    "price": decimal.Decimal("0.1"),
    "count": np.int64(2**62),
    "texts": ["a;b", "c'd"],
    "empty": [],
    "odd": ["😀", "\u0301"],
    "doc": {"a": [1, {"b": None}]},
}
ALL = ("default", "pg", "lite")


@pytest.fixture(scope="module")
def connections(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connections]:
    with postgres.own_schema("odd"):
        made = Connections()
        made.configure("pg", postgres.url)
        made.configure("lite", f"sqlite:///{tmp_path_factory.mktemp('odd')}/lite.db")
        yield made
        made.close()


def run(connections: Connections, name: str, sql: str, *, result: str | None = "r") -> SqlResult:
    return connections.run(sql, name, parameters=lambda source: eval(source, dict(VALUES)), result=result)


def values(result: SqlResult) -> list[list[object]]:
    found: list[list[object]] = result.frame.to_numpy(dtype=object).tolist()
    return [[None if value is None or value is pd.NaT or value is pd.NA else value for value in row] for row in found]


SAME = {
    "WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r": [[15]],
    "/* ; */ SELECT 1 AS a -- ;\n;;; -- nothing more": [[1]],
    """SELECT 'a;b' AS "select", 'it''s' AS "b;c", ':n' AS "é ü", '{n}' AS d, '?' AS e""": [
        ["a;b", "it's", ":n", "{n}", "?"]
    ],
    "SELECT :name AS a, 10 % 3 AS b, '%s' AS c": [["O'Brien; DROP TABLE t; --", 1, "%s"]],
    "SELECT {n + 1} AS a, {name.upper()[:3]} AS b, {sum(ids)} AS c": [[6, "O'B", 6]],
    "SELECT 1 AS a WHERE 2 IN :ids AND 2 IN (:ids) AND 7 NOT IN :empty AND 'c''d' IN :texts AND 3 IN {ids[2:]}": [[1]],
    "SELECT 1 AS a WHERE 1 IN :empty": [],
    "SELECT 1 AS a WHERE :none IS NULL AND :nat IS NULL": [[1]],
    "SELECT i, CAST(NULL AS int) AS missing FROM (SELECT 1 AS i UNION ALL SELECT 2) AS t ORDER BY i": [
        [1, None],
        [2, None],
    ],
    "SELECT :count AS a, {odd[0] + odd[1]} AS b": [[2**62, "😀\u0301"]],
    "SELECT 'C:\\n' AS a, 'two\nlines' AS b": [["C:\\n", "two\nlines"]],
    """CREATE TABLE "Odd; Name" ("or der" int, "b" text DEFAULT 'x;'); INSERT INTO "Odd; Name" ("or der") VALUES (:n);
       UPDATE "Odd; Name" SET "b" = "b" || ';' WHERE "or der" = 5; SELECT * FROM "Odd; Name"; DROP TABLE "Odd; Name";
    """: [[5, "x;;"]],
    "CREATE TABLE once (n int); INSERT INTO once VALUES (1), (2) RETURNING n; DROP TABLE once": [[1], [2]],
    "SELECT count(*) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS c FROM "
    "(SELECT 1 AS i UNION ALL SELECT 2 UNION ALL SELECT 3) AS t": [[1], [2], [2]],
    "SELECT a.x, b.x FROM (SELECT 1 AS x) AS a CROSS JOIN (SELECT 2 AS x) AS b": [[1, 2]],
    "BEGIN; CREATE TABLE own (n int); INSERT INTO own VALUES (4); COMMIT; SELECT n FROM own; DROP TABLE own": [[4]],
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("sql", SAME)
def test_the_same_on_every_database(connections: Connections, name: str, sql: str) -> None:
    assert values(run(connections, name, sql)) == SAME[sql]


OWN = [
    ("pg", "SELECT $tag$a $$ ; b$tag$ AS a, E'q\\'z' AS b, U&'\\0041' AS c", [["a $$ ; b", "q'z", "A"]]),
    ("pg", "CREATE FUNCTION plus(x int) RETURNS int AS $$ SELECT x + 1; $$ LANGUAGE sql; SELECT plus(:n)", [[6]]),
    (
        "pg",
        "SELECT '{\"a\":[1,2]}'::jsonb->'a'->>0 AS a, '{\"a\":1}'::jsonb ? 'a' AS b, :doc::jsonb @> :doc AS c",
        [["1", True, True]],
    ),
    (
        "pg",
        "SELECT (ARRAY[1, 2, 3])[2:3] = ARRAY[2, 3] AS a, :n = ANY(:ids) AS b, :n::int :: text AS c",
        [[True, False, "5"]],
    ),
    (
        "pg",
        "CREATE TABLE m (k int PRIMARY KEY, v text); INSERT INTO m VALUES (1, 'a'); "
        "MERGE INTO m USING (VALUES (1, 'b'), (2, 'c')) s(k, v) ON m.k = s.k "
        "WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v); "
        "INSERT INTO m VALUES (2, 'd') ON CONFLICT (k) DO UPDATE SET v = excluded.v; SELECT * FROM m ORDER BY k",
        [[1, "b"], [2, "d"]],
    ),
    ("pg", "WITH gone AS (DELETE FROM m RETURNING k) SELECT sum(k) FROM gone", [[3]]),
    ("pg", "PREPARE q AS SELECT $1::int + 1 AS v; EXECUTE q(3)", [[4]]),
    (
        "pg",
        "SELECT '2026-01-01 00:00+14'::timestamptz AS a, :when AS b",
        [[pd.Timestamp("2025-12-31 10:00", tz="UTC"), pd.Timestamp("2026-03-29 01:30", tz="UTC")]],
    ),
    (
        "pg",
        "SELECT 0.1::numeric(38,20) AS a, 12345678901234567890123456789.5::numeric AS b, :price AS c",
        [[0.1, 1.2345678901234568e28, 0.1]],
    ),
    ("pg", "SELECT 'Infinity'::numeric AS a UNION ALL SELECT 1.5 ORDER BY 1", [[1.5], [math.inf]]),
    ("pg", "DO $$ BEGIN PERFORM 1; END $$; TABLE m", []),
    ("default", "SELECT {'a': :n} AS a, [1, 2, 3][2:3] = [2, 3] AS b, :ids[1] AS c", [[{"a": 5}, True, 1]]),
    ("default", "FROM range(3) SELECT range * 2 AS x WHERE range > 0", [[2], [4]]),
    ("default", "PIVOT (SELECT 'a' AS k, 1 AS v) ON k USING sum(v)", [[1]]),
    ("default", "PREPARE p AS SELECT $1::int + 1; EXECUTE p(3)", [[4]]),
    ("default", "CALL range(2)", [[0], [1]]),
    ("default", "SELECT * EXCLUDE (a) FROM (SELECT 1 AS a, 2 AS b)", [[2]]),
    (
        "default",
        "SELECT sum(i) AS s, 0.82::DECIMAL(18,2) AS d, MAP {'k': 1} AS m FROM range(10) AS r(i)",
        [[45, 0.82, {"k": 1}]],
    ),
    (
        "default",
        "SELECT TIMESTAMPTZ '2026-01-01 00:00:00+05' AS a, INTERVAL 36 HOUR AS b",
        [[pd.Timestamp("2025-12-31 19:00", tz="UTC"), pd.Timedelta(hours=36)]],
    ),
    (
        "lite",
        "SELECT '{\"a\":[1]}' -> '$.a' AS a, '{\"a\":1}' ->> '$.a' AS b, :doc AS c",
        [["[1]", 1, '{"a": [1, {"b": null}]}']],
    ),
    (
        "lite",
        "CREATE TABLE g (k int); CREATE TRIGGER t AFTER INSERT ON g BEGIN UPDATE g SET k = k + 1; END; "
        "INSERT INTO g VALUES (1); SELECT k FROM g",
        [[2]],
    ),
    ("lite", "SELECT typeof(:day) AS a, :key AS b, :price AS c", [["text", str(uuid.UUID(int=5)), 0.1]]),
    ("lite", "PRAGMA user_version", [[0]]),
]


@pytest.mark.parametrize(("name", "sql", "expected"), OWN, ids=[f"{name}-{sql[:40]}" for name, sql, _ in OWN])
def test_what_only_one_database_says(
    connections: Connections, name: str, sql: str, expected: list[list[object]]
) -> None:
    assert values(run(connections, name, sql)) == expected


REFUSED = [
    ("pg", "-- \nCOPY (SELECT 1) TO STDOUT WITH CSV", "no stream to write to"),
    ("default", "COPY (SELECT 1) TO STDOUT", "no stream to write to"),
    ("pg", "COPY m FROM STDIN", "no stream to read from"),
    ("pg", "SELECT $1", r"\$1 does not say which value"),
    ("default", "SELECT $1", r"\$1 does not say which value"),
    ("lite", "SELECT ?", "bare \\? does not say"),
    ("pg", "SELECT '24:00'::time", "no date or time for 24:00:00: cast the column"),
    ("pg", "SELECT 'infinity'::timestamp", "no date or time for infinity: cast the column"),
    ("default", "SELECT 'infinity'::timestamp UNION ALL SELECT NULL", "no date or time for infinity: cast the column"),
    ("default", "SELECT '-infinity'::date", "no date or time for -infinity: cast the column"),
    ("default", "SELECT 'infinity'::timestamptz", "no date or time for infinity: cast the column"),
    ("lite", "SELECT :ids AS x", "write `IN :ids`"),
    ("default", "INSERT INTO nowhere VALUES (1)", "nowhere does not exist"),
]


@pytest.mark.parametrize(("name", "sql", "told"), REFUSED)
def test_a_refusal_says_what_to_do(connections: Connections, name: str, sql: str, told: str) -> None:
    with pytest.raises(TailraceError, match=told):
        run(connections, name, sql)


@pytest.mark.parametrize("result", [None, "r"])
def test_types_that_only_this_database_has_are_shown_by_name(connections: Connections, result: str | None) -> None:
    run(connections, "pg", "DROP TYPE IF EXISTS mood CASCADE; CREATE TYPE mood AS ENUM ('ok')", result=None)
    found = run(connections, "pg", "SELECT 'ok'::mood AS a, 1::int4 AS b, ARRAY['ok']::mood[] AS c", result=result)
    assert found.grid is not None
    assert found.grid.types == ("mood", "int4", "mood[]")
    assert found.grid.table.column(0).to_pylist() == ["ok"]


@pytest.mark.parametrize("name", ALL)
def test_a_wide_table(connections: Connections, name: str) -> None:
    result = run(connections, name, "SELECT " + ", ".join(f"{number} AS c{number}" for number in range(1200)))
    assert result.frame.shape == (1, 1200)
    assert result.html.count("<th") < 200


def test_a_frame_that_cannot_be_made_leaves_nothing(connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is missing: that is known before the transaction ends."""
    monkeypatch.setitem(sys.modules, "polars", None)
    run(connections, "pg", "CREATE TABLE lost (n int)", result=None)
    with pytest.raises(TailraceError, match="polars is not installed"):
        connections.run("INSERT INTO lost VALUES (1) RETURNING n", "pg", result="r", library="polars")
    assert values(run(connections, "pg", "SELECT count(*) FROM lost")) == [[0]]


def test_a_line_of_a_refusal_is_that_of_the_cell(connections: Connections) -> None:
    with pytest.raises(TailraceError) as caught:
        connections.run("SELECT 1;\nCOPY m TO STDOUT", "pg", first_line=3)
    assert caught.value.details == {"line": 4}
