"""Which cell made each table of the notebook's own database, so that a cell can make them once more. Asks no database.

A name in Python is bound anew when its cell runs again; `CREATE TABLE t` would fail, and `CREATE TABLE IF NOT EXISTS`
keep what was there. So what a cell made is dropped before it runs again, and when it is removed. What nobody here
made — in a console, in an attached database — is never dropped.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tailrace_kernel.facts import NOTHING

KINDS = ("VIEW", "TABLE", "MACRO", "MACRO TABLE", "SEQUENCE", "TYPE", "SCHEMA")  # each may need those behind it
_PREFIXES = {"MACRO": "function:", "MACRO TABLE": "function:", "SCHEMA": "schema:"}


@dataclass(frozen=True, slots=True)
class Maker:
    """The cell that runs. `creates`: what it makes, as the graph names it, without the connection; `surely`: those
    that it makes whether they are there or not. `above`: the cells above it, whose tables it finds."""

    cell: str
    creates: frozenset[str] = NOTHING
    surely: frozenset[str] = NOTHING
    above: frozenset[str] = NOTHING


@dataclass(frozen=True, slots=True)
class Thing:
    """One entry of DuckDB's catalogue; `kind` as in `DROP kind name`."""

    kind: str
    database: str
    schema: str
    name: str

    @property
    def key(self) -> str:
        """The name in the graph, without the connection."""
        name = self.name if self.schema == "main" or self.kind == "SCHEMA" else f"{self.schema}.{self.name}"
        return _PREFIXES.get(self.kind, "") + name.lower()

    @property
    def drop(self) -> str:
        path = (self.database, self.name) if self.kind == "SCHEMA" else (self.database, self.schema, self.name)
        quoted = ".".join('"{}"'.format(part.replace('"', '""')) for part in path)
        return f"DROP {self.kind} IF EXISTS {quoted}"


class Made:
    """One per database in memory; used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._makers: dict[Thing, str] = {}  # in the order in which they were made

    def former(self, maker: Maker) -> list[Thing]:
        """What has to go before the cell runs, in this order: what it made itself, and what it would find there
        although only a cell below it, or one that is gone, has made it."""
        with self._lock:
            found = [
                thing
                for thing, cell in reversed(self._makers.items())
                if cell == maker.cell or (thing.key in maker.creates and cell not in maker.above)
            ]
        return sorted(found, key=lambda thing: KINDS.index(thing.kind))

    def take(self, maker: Maker, before: Iterable[Thing], after: Sequence[Thing]) -> None:
        """The cell ended well: `before` and `after` it the database held these, in the order of their making."""
        had, has = set(before), set(after)
        with self._lock:
            self._makers = {thing: cell for thing, cell in self._makers.items() if thing in has and cell != maker.cell}
            for thing in after:
                if thing not in had or thing.key in maker.surely:
                    self._makers.pop(thing, None)
                    self._makers[thing] = maker.cell

    def of(self, cell: str) -> list[Thing]:
        """What a cell made, in the order in which it can be dropped."""
        return self.former(Maker(cell))

    def forget(self, thing: Thing) -> None:
        """It has been dropped."""
        with self._lock:
            self._makers.pop(thing, None)
