"""Queries begun before their turn: an answer counts only if it is the one that the turn would give."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import psycopg
import pytest
from hypothesis import example, given, settings

from tailrace_kernel.early import Begun
from tailrace_kernel.queries import Queries
from tailrace_kernel.shown_tables import ShownTables
from tailrace_kernel.sql import SqlInterrupted
from tailrace_kernel.sql_cell import SqlCell, analyze_sql_cell
from tailrace_kernel.stimuli import EarlyQuery, Execute, Outcome
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.kernel_messages import ConfigureDbRequest
from tests.kernel.dataflow import Notebook
from tests.kernel.kernel_client import Peer, outputs, running_kernel
from tests.postgres import Postgres

PATIENCE = 20.0  # seconds
ENDLESS = "SELECT count(*) AS n FROM range(1000000000) a, range(1000000) b WHERE a.range + b.range = 3"


class Desk:
    """Queries as the kernel drives them, one turn after the other, with no kernel around."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.queries = Queries(self.names, ShownTables(lambda: 0))
        self.order: list[str] = []
        self.queries.order = lambda: self.order
        self.loop = asyncio.Runner()
        assert self.queries.connections is not None

    def close(self) -> None:
        self.queries.close()
        self.loop.close()

    def configure(self, name: str, url: str) -> None:
        self.queries.configure(ConfigureDbRequest(name=name, url=url)).result(PATIENCE)

    def cell(self, code: str) -> SqlCell:
        languages = self.queries.languages()
        return analyze_sql_cell(code, dialects=languages.dialects, embedded=languages.embedded)

    def begin(self, cell: SqlCell) -> Begun:
        """Begin it early; what is under way."""
        self.queries.begin_early((EarlyQuery("q", cell),))
        return self.queries.early._begun["q"]

    def python(self) -> None:
        self.queries.early.note_code()

    def turn(self, cell: SqlCell, name: str = "q") -> None:
        self.wait(self.queries.run(name, cell))

    def run(self, code: str) -> None:
        """As one more cell."""
        self.order.append(f"other{len(self.order)}")
        self.queries.early.note_code()
        self.turn(self.cell(code), self.order[-1])

    def wait(self, what: Awaitable[Any]) -> Any:
        async def bounded() -> Any:
            return await asyncio.wait_for(what, PATIENCE)

        return self.loop.run(bounded())

    def shown(self, name: str = "q") -> list[Any]:
        grid = self.queries.results[name].result.grid
        assert grid is not None
        return [next(iter(row.values())) for row in grid.table.to_pylist()]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def early_then(desk: Desk, code: str, between: Callable[[], object]) -> tuple[list[Any], bool]:
    """Begin `code` early and let it end, do something, then give it its turn: what it shows, and whether the early
    answer counted."""
    cell, before = desk.cell(code), desk.queries.early.taken
    begun = desk.begin(cell)
    begun.answer.exception(PATIENCE)
    between()
    desk.queries.early.note_code()
    desk.turn(cell)
    return desk.shown(), desk.queries.early.taken > before


def nothing() -> None:
    pass


def test_an_answer_counts_when_nothing_happened(desk: Desk) -> None:
    desk.run("CREATE TABLE t AS SELECT 1 AS n")
    desk.names["least"] = 0
    code = "-- result: found\nSELECT n FROM t WHERE n > :least"
    assert early_then(desk, code, nothing) == ([1], True)
    assert list(desk.names["found"]["n"]) == [1]


def test_python_does_not_disturb_our_own_database(desk: Desk) -> None:
    assert early_then(desk, "SELECT 7", desk.python) == ([7], True)


@pytest.mark.parametrize(
    "between",
    [
        "INSERT INTO t VALUES (2)",
        "BEGIN; DELETE FROM t; INSERT INTO t VALUES (1), (2); COMMIT",
        "CREATE TEMP TABLE t AS SELECT unnest([1, 2]) AS n",
    ],
)
def test_an_answer_from_before_a_change_does_not_count(desk: Desk, between: str) -> None:
    desk.run("CREATE TABLE t AS SELECT 1 AS n")
    assert early_then(desk, "SELECT n FROM t ORDER BY n", lambda: desk.run(between)) == ([1, 2], False)


def test_parameters_are_those_of_the_turn(desk: Desk) -> None:
    code = "SELECT n FROM range(5) AS r(n) WHERE n > :least"
    for was, becomes, expected in ((3, 2, [3, 4]), (1, True, [2, 3, 4]), (0.0, -0.0, [1, 2, 3, 4])):
        desk.names["least"] = was
        rebind = partial(desk.names.update, least=becomes)
        assert early_then(desk, code, rebind) == (expected, False)
    desk.names["least"] = [3]  # a list may change in place
    assert early_then(desk, "SELECT n FROM range(5) AS r(n) WHERE n IN :least", nothing) == ([3], False)


def test_expressions_are_evaluated_once_and_at_the_turn(desk: Desk) -> None:
    desk.names["count"] = partial(next, itertools.count(1))
    assert early_then(desk, "SELECT {count()} AS n", nothing) == ([1], False)


def test_a_table_that_became_a_frame(desk: Desk) -> None:
    desk.run("CREATE TABLE t AS SELECT 1 AS n")
    frame = pd.DataFrame({"n": [5]})
    assert early_then(desk, "SELECT n FROM t", lambda: desk.names.update(t=frame)) == ([5], False)
    desk.queries.begin_early((EarlyQuery("frame", desk.cell("SELECT n FROM t")),))
    assert "frame" not in desk.queries.early._begun


def test_views_and_temporary_tables_wait_for_the_turn(desk: Desk, tmp_path: Path) -> None:
    """A view may read a file, which Python may write; temporary tables are seen by one session only."""
    file = tmp_path / "a.csv"
    file.write_text("n\n1\n")
    desk.run(f"CREATE VIEW v AS SELECT n FROM read_csv('{file}')")
    assert early_then(desk, "SELECT n FROM v", lambda: file.write_text("n\n2\n")) == ([2], False)
    desk.run("DROP VIEW v; CREATE TABLE v AS SELECT 3 AS n")
    assert early_then(desk, "SELECT n FROM v", nothing) == ([3], True)
    desk.run("CREATE TEMP TABLE v AS SELECT 4 AS n")
    assert early_then(desk, "SELECT n FROM v", nothing) == ([4], False)


def test_what_fails_early_fails_at_its_turn_only(desk: Desk) -> None:
    cell = desk.cell("SELECT n FROM later")
    assert desk.begin(cell).answer.exception(PATIENCE) is not None
    desk.run("CREATE TABLE later AS SELECT 9 AS n")
    desk.turn(cell)
    assert desk.shown() == [9]
    lost = desk.cell("SELECT n FROM never")
    desk.begin(lost).answer.exception(PATIENCE)
    with pytest.raises(TailraceError, match="never"):
        desk.turn(lost)


def test_an_edited_cell_gets_none_of_the_old_answer(desk: Desk) -> None:
    begun = desk.begin(desk.cell(ENDLESS))
    desk.turn(desk.cell("SELECT 2"))
    assert desk.shown() == [2]
    assert isinstance(begun.answer.exception(PATIENCE), SqlInterrupted)


def test_drop_stops_what_runs(desk: Desk) -> None:
    begun = desk.begin(desk.cell(ENDLESS))
    desk.queries.early.drop()
    assert begun.answer.cancelled() or isinstance(begun.answer.exception(PATIENCE), SqlInterrupted)
    assert early_then(desk, "SELECT 1", nothing) == ([1], True)


def test_an_interrupt_at_the_turn_stops_what_began_early(desk: Desk) -> None:
    cell = desk.cell(ENDLESS)
    begun = desk.begin(cell)

    async def interrupted() -> None:
        turn = asyncio.ensure_future(desk.queries.run("q", cell))
        await asyncio.sleep(0)
        turn.cancel()
        await turn

    with pytest.raises(asyncio.CancelledError):
        desk.wait(interrupted())
    assert begun.answer.cancelled() or isinstance(begun.answer.exception(PATIENCE), SqlInterrupted)
    assert early_then(desk, "SELECT 1", nothing) == ([1], True)


def test_the_setting(desk: Desk) -> None:
    desk.queries.early.enabled = False
    desk.queries.begin_early((EarlyQuery("q", desk.cell("SELECT 1")),))
    assert desk.queries.early._begun == {}


def test_two_queries_on_a_server_at_once(desk: Desk, postgres: Postgres) -> None:
    """The first waits for a lock, in its turn; the second ends meanwhile, and shows its answer afterwards."""
    with postgres.own_schema("work"):
        desk.configure("pg", postgres.url)
        desk.run("-- connection: pg\nCREATE TABLE held AS SELECT 1 AS n; CREATE TABLE free AS SELECT 2 AS n")
        first, second = (desk.cell(f"-- connection: pg\nSELECT n FROM {table}") for table in ("held", "free"))
        with psycopg.connect(postgres.url) as other:
            other.execute("LOCK TABLE work.held")
            begun = desk.begin(second)
            desk.queries.early.note_code()

            async def both() -> None:
                turn = asyncio.ensure_future(desk.queries.run("first", first))
                answer = await asyncio.wrap_future(begun.answer)
                assert answer.grid is not None
                assert not turn.done()
                other.rollback()
                await turn

            desk.wait(both())
        desk.queries.early.note_code()
        desk.turn(second)
        assert (desk.shown("first"), desk.shown(), desk.queries.early.taken) == ([1], [2], 1)


@pytest.mark.parametrize("kind", ["pg", "lite"])
def test_outside_python_and_settings_of_a_session_disturb(
    desk: Desk, kind: str, postgres: Postgres, tmp_path: Path
) -> None:
    with postgres.own_schema("work"):
        desk.configure(kind, postgres.url if kind == "pg" else f"sqlite:///{tmp_path}/lite.db")
        desk.run(f"-- connection: {kind}\nCREATE TABLE t AS SELECT 1 AS n")
        code = f"-- connection: {kind}\nSELECT n FROM t"
        assert early_then(desk, code, nothing) == ([1], True)
        assert early_then(desk, code, desk.python) == ([1], False)
        desk.run(f"-- connection: {kind}\n{'SET work_mem = 1024' if kind == 'pg' else 'PRAGMA cache_size = 100'}")
        assert early_then(desk, code, nothing) == ([1], False)


class EarlyNotebook(Notebook):
    """Cells whose code begins with `--` are SQL. With `ahead`, foreseen queries begin, and have ended (the worst that
    can be) before the cell beside them runs."""

    def __init__(self, desk: Desk, *, ahead: bool) -> None:
        super().__init__(checked=False)
        self.desk, self.ahead = desk, ahead
        self.user = self.namespace.user = desk.names

    def write(self, cell: str, code: str) -> None:
        if not code.startswith("--"):
            self.put(cell, code)
            return
        parsed = self.desk.cell(code)
        self.put(cell, code, parsed.analysis, cell_type="sql", payload=parsed)

    def _execute(self, execute: Execute) -> Outcome:
        if self.ahead:
            self.desk.queries.begin_early(execute.early)
            for begun in list(self.desk.queries.early._begun.values()):
                begun.answer.exception(PATIENCE)
        self.desk.python()
        if not isinstance(execute.payload, SqlCell):
            return super()._execute(execute)
        self.runs.append(execute.cell_id)
        try:
            self.desk.turn(execute.payload, execute.cell_id)
        except Exception as error:
            self.error[execute.cell_id] = str(error)
            return "error"
        return "success"


TABLES = st.sampled_from(["t", "u"])
NUMBERS = st.sampled_from(["x", "y"])
CELLS = st.one_of(
    st.builds("{} = {}".format, NUMBERS, st.integers(0, 3)),
    st.builds("{} = int(found_{}['n'].sum())".format, NUMBERS, TABLES),
    st.builds("--\nCREATE OR REPLACE TABLE {} AS SELECT {} AS n".format, TABLES, st.integers(0, 3)),
    st.builds("--\nINSERT INTO {} SELECT sum(n) + :{} FROM {}".format, TABLES, NUMBERS, TABLES),
    *[st.builds("-- result: found_{0}\nSELECT n + :{1} AS n FROM {0} ORDER BY 1".format, TABLES, NUMBERS)] * 2,
    st.builds("-- result: found_{}\nSELECT {} AS n".format, TABLES, st.integers(0, 3)),
)
ACTIONS = st.one_of(
    st.tuples(st.just("run"), st.integers(0, 7), st.none()),
    st.tuples(st.just("interrupt"), st.integers(0, 7), st.integers(0, 4)),
    st.tuples(st.just("edit"), st.integers(0, 7), CELLS),
)


def history(cells: list[str], actions: list[tuple[str, int, Any]], *, ahead: bool) -> tuple[list[Any], int]:
    """Everything that can be seen after each action, and how many early answers counted."""
    desk = Desk()
    try:
        notebook = EarlyNotebook(desk, ahead=ahead)
        for number, code in enumerate(cells):
            notebook.write(f"c{number}", code)
        notebook.run(mode="all")
        seen = [sight(notebook)]
        for kind, at, what in actions:
            cell = f"c{at % len(cells)}"
            if kind == "edit":
                notebook.write(cell, what)
            notebook.request(cell, mode="all" if kind == "interrupt" else "reactive")
            if kind == "interrupt":
                for _ in range(what):
                    if notebook.waiting is not None:
                        notebook.finish()
                notebook.interrupt()
                if notebook.waiting is not None:
                    notebook.finish("interrupted")
                desk.queries.early.drop()
            notebook.finish_all()
            desk.queries.early.drop()
            seen.append(sight(notebook))
        return seen, desk.queries.early.taken
    finally:
        desk.close()


def sight(notebook: EarlyNotebook) -> Any:
    values = {
        name: value.to_dict("list") if isinstance(value, pd.DataFrame) else value
        for name, value in notebook.user.items()
        if name in {"x", "y", "found_t", "found_u"}
    }
    tables = []
    for table in ("t", "u"):
        try:
            grid = notebook.desk.queries.connections.run(f"SELECT n FROM {table} ORDER BY 1").grid
            tables.append(grid.table.to_pylist() if grid is not None else None)
        except TailraceError:
            tables.append(None)
    return values, tables, notebook.statuses(), list(notebook.runs), dict(notebook.error)


COUNTED: list[int] = []
START = [
    "x = 1",
    "y = 2",
    "--\nCREATE OR REPLACE TABLE t AS SELECT 1 AS n",
    "--\nCREATE OR REPLACE TABLE u AS SELECT 2 AS n",
]
ASKS = ["-- result: found_t\nSELECT n + :x AS n FROM t", "-- result: found_u\nSELECT n + :y AS n FROM u"]


@settings(max_examples=25, deadline=None)
@given(st.lists(CELLS, min_size=3, max_size=6), st.lists(ACTIONS, max_size=3))
@example([*ASKS, "y = 3", *ASKS], [("run", 0, None), ("edit", 4, "--\nINSERT INTO t VALUES (:y)"), ("interrupt", 0, 5)])
def a_history_is_the_same_with_and_without(cells: list[str], actions: list[tuple[str, int, Any]]) -> None:
    seen, counted = history(START + cells, actions, ahead=True)
    assert seen == history(START + cells, actions, ahead=False)[0]
    COUNTED.append(counted)


def test_any_history_is_the_same_with_and_without() -> None:
    COUNTED.clear()
    a_history_is_the_same_with_and_without()
    assert sum(COUNTED) >= 4  # early answers did count


def test_in_a_kernel_a_query_ends_while_python_runs(tmp_path: Path) -> None:
    look = (
        "import time\nearly = get_ipython().kernel.queries.early\nend = time.monotonic() + {}\n"
        "while not any(b.answer.done() for b in early._begun.values()) and time.monotonic() < end:\n"
        "    time.sleep(0.005)\nprint(len(early._begun), early.taken)"
    )
    with running_kernel(tmp_path) as kernel:
        peer = Peer(kernel)
        try:
            peer.ask("attach_request", {"client": "test"})
            peer.register("warm", "SELECT 0", cell_type="sql")
            peer.run("warm")
            peer.register("python", look.format(PATIENCE))
            peer.register("query", "SELECT sum(range) AS n FROM range(100000)", cell_type="sql")
            peer.register("count", "print(early.taken)")
            peer.run("python", "query", "count")
            assert outputs(peer.last, "python") == [("stdout", "1 0\n")]
            assert "4999950000" in outputs(peer.last, "query")[0][1]["text/plain"]
            assert outputs(peer.last, "count") == [("stdout", "1\n")]
            assert peer.ask("settings_request", {"early_queries": False})["status"] == "ok"
            peer.register("python", look.format(0))
            peer.run("python", "query", "count")
            assert outputs(peer.last, "python") == [("stdout", "0 1\n")]
            assert outputs(peer.last, "count") == [("stdout", "1\n")]
        finally:
            peer.close()
