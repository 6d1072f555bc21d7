"""What the schema browser knows is asked once, and again after a cell that may have changed the structure."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace_kernel.sql import Connections, SqlStatementError
from tailrace_kernel.sql.schema import SchemaNode
from tailrace_kernel.sql.schema_cache import Nodes, SchemaCache, may_change_structure
from tailrace_kernel.sql.schema_cache import Path as NodePath
from tailrace_kernel.sql_statements import split
from tests.postgres import Postgres

CHANGES = [
    ("SELECT 1; SELECT a FROM t", False),
    ("INSERT INTO t VALUES (1); UPDATE t SET a = 2; DELETE FROM t", False),
    ("BEGIN; INSERT INTO t VALUES (1); COMMIT", False),
    ("WITH x AS (SELECT 1) SELECT * FROM x", False),
    ("SELECT 1 AS a INTO t", True),
    ("CREATE TABLE t (a int)", True),
    ("ALTER TABLE t ADD COLUMN b int", True),
    ("DROP VIEW v", True),
    ("SELECT 1; USE other", True),
    ("CALL make_tables()", True),
    ("COMMENT ON TABLE t IS 'x'", True),
]


@pytest.mark.parametrize(("sql", "changes"), CHANGES)
def test_which_statements_change_the_structure(sql: str, changes: bool) -> None:
    assert may_change_structure(split(sql, "postgres")) is changes


def test_an_answer_that_is_older_than_a_change_is_not_kept() -> None:
    cache = SchemaCache()
    asked: list[NodePath] = []

    def ask(path: NodePath) -> dict[NodePath, Nodes]:
        asked.append(path)
        if len(asked) == 1:
            cache.forget()  # a cell ended meanwhile
        return {path: (SchemaNode(f"t{len(asked)}", "table"),), ("main", "t"): ()}

    assert [cache.nodes(("main",), ask)[0].name for _ in range(3)] == ["t1", "t2", "t2"]
    assert cache.nodes(("main", "t"), ask) == ()
    assert cache.nodes(("other", "t"), ask)[0].name == "t3"
    assert asked == [("main",), ("main",), ("other", "t")]


@pytest.fixture
def connections(postgres: Postgres, tmp_path: Path) -> Iterator[Connections]:
    with postgres.own_schema("work"):
        made = Connections()
        made.configure("pg", postgres.url)
        made.configure("lite", f"sqlite:///{tmp_path}/lite.db")
        yield made
        made.close()


@pytest.mark.parametrize(("name", "schema"), [("default", "main"), ("pg", "work"), ("lite", "main")])
def test_structure_is_new_after_a_cell_changed_it(connections: Connections, name: str, schema: str) -> None:
    def columns(table: str) -> list[str]:
        return [node.name for node in connections.schema(name, (schema, table))]

    def tables() -> list[str]:
        return [node.name for node in connections.schema(name, (schema,))]

    assert tables() == []
    connections.run("CREATE TABLE t (a int); CREATE TABLE u (c int)", name)
    assert (tables(), columns("t"), columns("u")) == (["t", "u"], ["a"], ["c"])
    connections.run("ALTER TABLE t ADD COLUMN b int", name)
    assert columns("t") == ["a", "b"]
    connections.run("CREATE VIEW v AS SELECT a FROM t", name)
    assert (tables(), columns("v")) == (["t", "u", "v"], ["a"])
    with pytest.raises(SqlStatementError):
        connections.run("DROP VIEW v; DROP TABLE nothing", name)
    assert tables() == ["t", "u", "v"]


def test_what_another_program_changed_is_seen_after_refresh(connections: Connections, postgres: Postgres) -> None:
    assert connections.schema("pg", ("work",)) == ()
    postgres.administer("CREATE TABLE work.foreign_made (a int)")
    assert connections.schema("pg", ("work",)) == ()
    assert [node.name for node in connections.schema("pg", ("work",), refresh=True)] == ["foreign_made"]
    assert [node.name for node in connections.schema("pg", ("work",))] == ["foreign_made"]
    postgres.administer("DROP TABLE work.foreign_made")
