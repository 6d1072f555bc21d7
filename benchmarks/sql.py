"""SQL cells on DuckDB and a real PostgreSQL, against the same query written with LIMIT and against the bare driver.

Promise S1: a cell that shows the first 100 rows of a million takes at most 1.3 times the cell with `LIMIT 101`, and
at most 20 MB of memory. It is measured with what is shown alone (`page_rows=100`); by default a cell without a result
name keeps 10,000 rows to page through, which is a finding of its own.
"""

import gc
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import duckdb
import pandas as pd
import psutil
import psycopg
import sqlalchemy as sa

from benchmarks.measurement import Finding, Series, at_most, interleaved, ratio, run_parts, seconds_of
from tailrace_kernel.sql import Connections, SqlLimits
from tests.postgres import postgres_server

ROWS = 1_000_000
ROUNDS = 15
FEW_ROUNDS = 3  # of whole results
MILLI = 1e3
MIB = 2**20
SHOWN = SqlLimits(page_rows=100)
SELECT = "SELECT i, name, amount, placed FROM big"
ONE = "SELECT 1 AS n"
MAKE = {
    "DuckDB": (
        f"CREATE TABLE big AS SELECT range AS i, 'name ' || range AS name, range * 1.5 AS amount, "
        f"TIMESTAMP '2026-01-01' + to_seconds(range) AS placed FROM range({ROWS})"
    ),
    "PostgreSQL": (
        f"CREATE TABLE big AS SELECT i, 'name ' || i AS name, i * 1.5::float8 AS amount, "
        f"timestamp '2026-01-01' + i * interval '1 second' AS placed FROM generate_series(0, {ROWS} - 1) i"
    ),
}


@dataclass(frozen=True)
class Side:
    """One database: its connection for cells, and its driver alone. `frame` gives a whole result as pandas."""

    database: str
    connections: Connections
    name: str
    fetch: Callable[[str], object]
    frame: Callable[[str], object]
    how: str  # what `frame` is

    def cell(self, query: str, *, limits: SqlLimits | None = None, result: str | None = None) -> object:
        """The cell as it is run, its table rendered."""
        return self.connections.run(query, self.name, limits=limits, result=result).html


@contextmanager
def duckdb_side() -> Iterator[Side]:
    """A database file; the driver's side is a second connection of this process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "big.duckdb"
        connections = Connections()
        connections.configure("file", f"duckdb:///{file}")
        connections.run(MAKE["DuckDB"], "file")
        driver = duckdb.connect(str(file))
        try:
            yield Side(
                "DuckDB",
                connections,
                "file",
                lambda query: driver.cursor().execute(query).fetchall(),
                lambda query: driver.cursor().execute(query).df(),
                "the driver's df()",
            )
        finally:
            driver.close()
            connections.close()


@contextmanager
def postgresql_side() -> Iterator[Side]:
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        connections = Connections()
        stack.callback(connections.close)
        connections.configure("pg", server.url)
        connections.run(MAKE["PostgreSQL"], "pg")
        driver = stack.enter_context(
            psycopg.connect(
                host=server.host, port=server.port, user=server.user, password=server.password, dbname=server.database
            )
        )
        engine = sa.create_engine(server.url.replace("postgresql:", "postgresql+psycopg:"))
        stack.callback(engine.dispose)
        yield Side(
            "PostgreSQL",
            connections,
            "pg",
            lambda query: driver.execute(query).fetchall(),
            lambda query: pd.read_sql(query, engine),
            "pandas.read_sql",
        )


SIDES = (duckdb_side, postgresql_side)


def first_rows(seed: int) -> Iterator[Finding]:
    """Memory is that of the first time, before anything is warm."""
    for side_of in SIDES:
        with side_of() as side:
            grown = growth_of(partial(side.cell, SELECT, limits=SHOWN)) / MIB
            series = timed(
                {
                    "tailrace": partial(side.cell, SELECT, limits=SHOWN),
                    "tailrace, LIMIT 101": partial(side.cell, f"{SELECT} LIMIT 101", limits=SHOWN),
                    "driver, LIMIT 101": partial(side.fetch, f"{SELECT} LIMIT 101"),
                },
                seed,
            )
            factor = ratio(series["tailrace"], series["tailrace, LIMIT 101"])
            yield Finding(
                "S1",
                f"show the first 100 of 1,000,000 rows ({side.database})",
                "ms",
                series,
                (at_most("≤ 1.3x of the cell with LIMIT 101", factor, 1.3), at_most("≤ 20 MB of memory", grown, 20.0)),
            )


def overhead(seed: int) -> Iterator[Finding]:
    for side_of in SIDES:
        with side_of() as side:
            one = timed({"tailrace": partial(side.cell, ONE), "driver": partial(side.fetch, ONE)}, seed)
            yield Finding("overhead", f"a query of one row ({side.database})", "ms", one)
            kept = timed(
                {"tailrace": partial(side.cell, SELECT), "driver": partial(side.fetch, f"{SELECT} LIMIT 10001")}, seed
            )
            yield Finding("overhead", f"keep 10,000 of 1,000,000 rows to page through ({side.database})", "ms", kept)
            works = {"tailrace": partial(side.cell, SELECT, result="frame"), side.how: partial(side.frame, SELECT)}
            whole = timed(works, seed, FEW_ROUNDS)
            yield Finding("overhead", f"1,000,000 rows as a DataFrame ({side.database})", "ms", whole)


def timed(works: Mapping[str, Callable[[], object]], seed: int, rounds: int = ROUNDS) -> dict[str, Series]:
    """In milliseconds."""
    taken = interleaved(rounds, {name: partial(seconds_of, work) for name, work in works.items()}, seed)
    return {name: series.scaled(MILLI) for name, series in taken.items()}


def growth_of(work: Callable[[], object]) -> int:
    """How much this process's memory grows meanwhile, at its highest; in bytes."""
    process, stop = psutil.Process(), threading.Event()
    gc.collect()
    before = highest = process.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not stop.wait(0.001):
            highest = max(highest, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        stop.set()
        watcher.join()
    return int(max(highest, process.memory_info().rss) - before)


def versions() -> dict[str, str | None]:
    return {name: version(name) for name in ("tailrace", "duckdb", "psycopg", "sqlalchemy", "pandas", "pyarrow")}


if __name__ == "__main__":
    sys.exit(run_parts({"S1": first_rows, "overhead": overhead}, versions))
