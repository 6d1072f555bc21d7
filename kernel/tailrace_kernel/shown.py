"""Which version of each name the namespace shows now, and the directions that make it show another. No objects here."""

from collections.abc import Iterable

from tailrace_kernel.facts import NOTHING
from tailrace_kernel.freshness import Freshness
from tailrace_kernel.graph import Graph
from tailrace_kernel.reach import is_table
from tailrace_kernel.records import Record
from tailrace_kernel.stimuli import STAY, Directions, Version

Want = tuple[str, str | None]


class Shown:
    """`by[name]` is the cell whose version the namespace shows; names without one are not the machine's business."""

    def __init__(self, graph: Graph, records: dict[str, Record], freshness: Freshness) -> None:
        self.by: dict[str, str] = {}
        self._graph = graph
        self._records = records
        self._freshness = freshness
        self._unrest: dict[str, None] = {}  # names that may show something else than they should at rest
        self._aside: set[Version] = set()  # versions the namespace keeps beside the shown ones
        self._forget: list[Version] = []
        self._adopt: list[tuple[str, str, str]] = []

    def unsettle(self, names: Iterable[str]) -> None:
        self._unrest.update(dict.fromkeys(names))

    def alive(self, name: str, cell: str) -> bool:
        """Whether this version may be bound again."""
        record = self._records.get(cell)
        return record is not None and record.has(name) and name not in record.spent

    def may_go(self, name: str, cell: str) -> bool:
        """Whether the version is only kept, neither shown now nor at rest."""
        return self.alive(name, cell) and self.by.get(name) != cell and self.at_rest(name) != cell

    def keeps(self, name: str, cell: str) -> bool:
        """Whether the namespace has this version aside."""
        return (name, cell) in self._aside and (name, cell) not in self._forget

    # Around a run

    def before(self, record: Record, bound: dict[str, str | None]) -> Directions:
        """Directions for a run: `bound` says for each name read which writer's version it gets."""
        cell, by = record.id, self.by
        if not self._graph.rules.versions:
            return STAY
        wants: list[Want] = []
        for name, writer in bound.items():
            if by.get(name) != writer and not is_table(name):
                wants.append((name, writer))
        graph = self._graph
        reads, writes = graph.reads[cell], graph.writes[cell]
        if len(reads) > len(bound):
            wants += [(name, None) for name in reads if name not in bound and name in by]
        save: list[Version] = []
        binds = graph.reach[cell].binds
        for name in writes:
            shows = by.get(name)
            if self._aside:
                self.drop(name, cell)
            if shows is None:
                continue
            if shows != cell:
                save.append((name, shows))
                self._unrest[name] = None
            if name not in binds and name not in reads and graph.rules.unbinds_first:
                wants.append((name, None))
        if record.given is not writes:
            wants += self._outdated(record, writes, bound)
        if not (wants or save or self._forget or self._adopt):
            return STAY
        return self._directions(cell, wants, save)

    def _outdated(self, record: Record, writes: frozenset[str], bound: dict[str, str | None]) -> list[Want]:
        """Names of the last run that the cell writes no more."""
        wants: list[Want] = []
        for name in record.given - writes:
            if self.by.get(name) == record.id and name not in bound:
                wants.append((name, None))
            self.drop(name, record.id)
            self._unrest[name] = None
        return wants

    def _directions(self, cell: str, wants: list[Want], save: list[Version]) -> Directions:
        by, aside = self.by, self._aside
        for name, _ in wants:
            shows = by.get(name)
            if shows is not None and shows != cell and (name, shows) not in save:
                save.append((name, shows))
            self._unrest[name] = None
        save = [version for version in save if version not in aside and self.alive(*version)]
        aside.update(save)
        for name, writer in wants:
            if writer is None:
                by.pop(name, None)
            else:
                by[name] = writer
        adopted, self._adopt = tuple(self._adopt), []
        forgotten, self._forget = tuple(self._forget), []
        return Directions(adopted, tuple(save), forgotten, tuple(wants))

    def after(self, record: Record, writes: frozenset[str], unbound: frozenset[str]) -> None:
        """A run gave these names, but for those it left unbound."""
        cell, by, writers = record.id, self.by, self._graph.writers
        for name in writes:
            if name in unbound:
                by.pop(name, None)
                self._unrest[name] = None
            else:
                by[name] = cell
                if len(writers.get(name, "")) != 1:
                    self._unrest[name] = None

    def adopt(self, name: str, old: str, new: str) -> None:
        """The object of `old`'s version is `new`'s now: it shares what `new` changed."""
        if self.by.get(name) == old:
            self.by[name] = new
        elif (name, old) in self._aside and (name, old) not in self._forget:
            self._adopt.append((name, old, new))
            self._aside.add((name, new))
        self._unrest[name] = None

    def lost(self, record: Record) -> list[str]:
        """The cell has no versions any more; returns the names that showed one of them."""
        gone = []
        for name in record.given | self._graph.writes.get(record.id, NOTHING):
            if self.by.get(name) == record.id:
                gone.append(name)
            self.drop(name, record.id)
            self._unrest[name] = None
        return gone

    def drop(self, name: str, cell: str) -> None:
        """This version is never needed again (it may be shown still)."""
        if (name, cell) in self._aside:
            self._aside.discard((name, cell))
            self._forget.append((name, cell))

    # At rest

    def settle(self) -> Directions:
        """Directions that make each name show the version of its last writer."""
        wants: list[Want] = []
        for name in self._unrest:
            if is_table(name):
                continue
            shows = self.by.get(name)
            want = self.at_rest(name)
            if want is not None and name in self._records[want].spent:
                want = shows
            if shows != want:
                wants.append((name, want))
        self._unrest.clear()
        if not (wants or self._forget or self._adopt):
            return STAY
        directions = self._directions("", wants, [])
        self._unrest.clear()
        return directions

    def at_rest(self, name: str) -> str | None:
        """The cell whose object the name shows when nothing runs: the last writer whose last run gave it.

        Nothing if that run unbound the name or failed. A writer that never ran, or did when its text did not write the
        name yet, takes nothing away; one that only may bind the name and did not is looked behind.
        """
        strict = self._graph.rules.no_fallback
        for writer in reversed(self._graph.writers.get(name, ())):
            record = self._records[writer]
            if name not in record.given or name in record.passed or not (strict or record.has(name)):
                continue
            return writer if record.has(name) else None
        return None
