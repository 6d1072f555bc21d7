"""The law for tables: after any edits, what the cells of the notebook's own database show is what a script would show.

The oracle is DuckDB alone, which runs the cells from top to bottom in a new database.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import duckdb
import pytest

from tailrace_kernel.sql import Connections
from tests.kernel.sql_notebook import SqlNotebook

HISTORIES = int(os.environ.get("TAILRACE_SQL_HISTORIES", "16"))
STEPS = 16
LEAST = HISTORIES  # questions that a script must answer, or the test has shown too little
TEXTS = (
    "CREATE TABLE {t} AS SELECT {k} AS n",
    "CREATE OR REPLACE TABLE {t} AS SELECT {k} AS n",
    "CREATE TABLE IF NOT EXISTS {t} (n int); INSERT INTO {t} VALUES ({k})",
    "DROP TABLE IF EXISTS {t}; CREATE TABLE {t} AS SELECT {k} AS n",
    "INSERT INTO {t} VALUES ({k})",
    "INSERT INTO {t} VALUES ({k})",
    "INSERT INTO {t} SELECT n * 10 FROM {u}",
    "UPDATE {t} SET n = n + {k}",
    "DELETE FROM {t} WHERE n % 2 = {k} % 2",
    "CREATE OR REPLACE TABLE {t} AS SELECT n + {k} AS n FROM {t}",
    "ALTER TABLE {t} ADD COLUMN c{k} int",
    "ALTER TABLE {t} RENAME TO {u}",
    "DROP TABLE {t}",
    "DROP TABLE IF EXISTS {t}",
)
ASK = "SELECT count(*) AS n, coalesce(sum(n), 0) AS s FROM {t}"


@dataclass
class History:
    """A notebook under random edits; `texts` is what its cells say, in the order of the document."""

    notebook: SqlNotebook
    seed: int
    texts: dict[str, str] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.count = 0

    def text(self) -> str:
        t, u = self.random.sample(["t", "u"], 2)
        if self.random.random() < 0.4:
            return ASK.format(t=t)
        return self.random.choice(TEXTS).format(t=t, u=u, k=self.random.randrange(1, 9))

    def put(self, cell: str, text: str, index: int) -> None:
        before = [name for name in self.texts if name != cell]
        before.insert(index, cell)
        self.texts = {name: self.texts.get(name, "") for name in before} | {cell: text}
        self.texts = {name: self.texts[name] for name in before}
        code = f"-- result: seen_{cell}\n{text}" if text.startswith("SELECT") else text
        self.notebook.sql(cell, code, index=index)
        self.trace.append(f"put {cell} at {index}: {text}")

    def step(self) -> None:
        cells = list(self.texts)
        match self.random.choice(["new", "new", "edit", "move", "remove", "run", "run", "run"]):
            case "edit" if cells:
                cell = self.random.choice(cells)
                self.put(cell, self.text(), cells.index(cell))
                self.run(cell)
            case "move" if cells:
                cell = self.random.choice(cells)
                self.put(cell, self.texts[cell], self.random.randrange(len(cells)))
            case "remove" if len(cells) > 2:
                self.remove(self.random.choice(cells))
            case "run" if cells:
                self.run(self.random.choice(cells))
            case _:
                end = len(cells)
                self.new(self.text(), end if self.random.random() < 0.6 else self.random.randrange(end + 1))

    def new(self, text: str, index: int) -> None:
        self.count += 1
        self.put(f"c{self.count}", text, index)

    def remove(self, cell: str) -> None:
        del self.texts[cell]
        self.trace.append(f"remove {cell}: {self.notebook.remove(cell)}")

    def run(self, *cells: str, mode: str = "reactive") -> None:
        self.trace.append(f"run {cells or mode}: {self.notebook.run(*cells, mode=mode)}")

    def settle(self) -> None:
        """As a person would who wants all cells to be fresh: what is stale or failed is run again."""
        for _ in range(4):
            self.run(mode="stale")
            failed = [cell for cell in self.texts if self.notebook.status(cell) != "success"]
            if not failed:
                return
            self.run(*failed)


def script(oracle: duckdb.DuckDBPyConnection, texts: dict[str, str]) -> tuple[dict[str, tuple[int, ...]], list[str]]:
    """What each question of a script answers, and the cells that fail in it, which count as left out."""
    answers, failed = {}, []
    for table in ("t", "u"):
        oracle.execute(f"DROP TABLE IF EXISTS {table}")
    for cell, text in texts.items():
        try:
            found = oracle.execute(f"BEGIN; {text}").fetchall()
            oracle.execute("COMMIT")
        except duckdb.Error:
            oracle.execute("ROLLBACK")
            failed.append(cell)
        else:
            if text.startswith("SELECT"):
                answers[cell] = tuple(found[0])
    return answers, failed


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections()
    yield connections
    connections.close()


def test_any_history_ends_as_a_script_does(connections: Connections) -> None:
    asked = 0
    with duckdb.connect() as oracle:
        for seed in range(HISTORIES):
            history = History(SqlNotebook(connections), seed)
            for number, table in enumerate(("t", "u")):
                history.new(TEXTS[0].format(t=table, k=number), number)
            for _ in range(STEPS):
                history.step()
            for table in ("t", "u"):
                history.new(ASK.format(t=table), len(history.texts))
            expected, failed = script(oracle, history.texts)
            for cell in failed:
                history.remove(cell)
            history.settle()
            told = "\n".join([f"seed {seed}", *history.trace, *history.texts.values()])
            assert all(history.notebook.status(cell) == "success" for cell in history.texts), told
            found = {cell: tuple(map(int, history.notebook.value(f"seen_{cell}").iloc[0])) for cell in expected}
            assert found == expected, told
            asked += len(expected)
            for cell in list(history.texts):
                history.remove(cell)
            left = connections.run("SELECT * FROM duckdb_tables() WHERE NOT internal", result="left").frame
            assert not len(left), told
    assert asked >= LEAST
