"""Which cell gives each name to which reader: an index from names to writers and readers, kept up to date by edits.

Pure and incremental: an edit touches the cells that share a name with it. Knows no values, no runs and no statuses.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from tailrace_kernel.binding import Binding, Writers
from tailrace_kernel.calls import Calls
from tailrace_kernel.facts import NOTHING, CallEffects
from tailrace_kernel.links import Links
from tailrace_kernel.name_index import NameIndex
from tailrace_kernel.order import Ordered, in_order
from tailrace_kernel.places import Places
from tailrace_kernel.reach import Reach
from tailrace_kernel.rules import Rules
from tailrace_protocol.kernel_messages import KernelEdge

MAX_ROUNDS = 16  # evaluations of one cell in one change; only call-time effects that undo each other need more
EMPTY = Reach()


@dataclass(frozen=True, slots=True)
class Delta:
    """What a change of the graph did: cells whose bindings or place, names whose writers may have changed."""

    cells: frozenset[str]
    names: frozenset[str]
    added: tuple[KernelEdge, ...]
    removed: tuple[KernelEdge, ...]
    blocked: frozenset[str]  # newly in a cycle
    unblocked: frozenset[str]


class Graph:
    """Public mappings are for reading. `bound`: cell → name → writers consulted; `later`: those of function bodies."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.places = Places()
        self._index = NameIndex(self.places)
        self.writers, self.watchers, self.writes = self._index.writers, self._index.watchers, self._index.writes
        self.reach: dict[str, Reach] = {}
        self.learned: dict[str, frozenset[str]] = {}
        self.only_learned: dict[str, frozenset[str]] = {}  # … and that its text, and what it calls, leave alone
        self.touches: dict[str, frozenset[str]] = {}  # names the cell binds and whose objects it changes
        self.taken: dict[str, frozenset[tuple[str, str]]] = {}
        self.reads: dict[str, frozenset[str]] = {}
        self.changes: dict[str, frozenset[str]] = {}
        self.bound: dict[str, dict[str, Writers]] = {}
        self.later: dict[str, dict[str, Writers]] = {}
        self._links = Links(self.places)
        self.preds, self.succs = self._links.preds, self._links.succs
        self.cycles: tuple[tuple[str, ...], ...] = ()
        self.blocked: frozenset[str] = frozenset()
        self._calls = Calls()
        self.possible: dict[str, frozenset[str]] = {}  # opaque cell → names it is not seen to read
        self._stars: dict[str, None] = {}  # cells that may bind any name
        self._ordered = Ordered({}, ())
        self._binding = Binding(self.rules, self.places, self.writers, self.reach, self.reads)
        self._touched: set[str] = set()

    # Changes

    def put(self, cells: Sequence[tuple[str, Reach, frozenset[str]]], order: Sequence[str] | None = None) -> Delta:
        """New facts and learned names of known or new cells; new ones are appended. `order`: all cells."""
        for cell, facts, learned in cells:
            if cell in self.reach:
                self._replace(cell, facts, learned)
            else:
                self.places.insert(len(self.places), cell)
                self._add(cell, facts)
        if order is not None:
            self._reorder(order)
        return self._settle()

    def insert(self, cell: str, facts: Reach, index: int) -> Delta:
        self.places.insert(index, cell)
        self._add(cell, facts)
        return self._settle()

    def remove(self, cell: str) -> Delta:
        self._index.forget(cell)
        self._export(cell, {})
        self._define(cell, self.reach[cell], EMPTY)
        self._calls.of.pop(cell)
        self._links.unlink(cell)
        for table in (self.reach, self.reads, self.changes, self.bound, self.later):
            table.pop(cell)
        for known in (
            self.learned,
            self.only_learned,
            self.taken,
            self.touches,
            self.possible,
            self._index.dirty,
            self._stars,
        ):
            known.pop(cell, None)
        self.places.remove(cell)
        delta = self._settle()
        self._links.drop(cell)
        return delta

    def reorder(self, order: Sequence[str]) -> Delta:
        """`order` is a permutation of all cells."""
        self._reorder(order)
        return self._settle()

    def learn(self, cell: str, names: frozenset[str], taken: frozenset[tuple[str, str]]) -> Delta:
        """`cell` was seen to change these names through sharing; and versions (name, writer) of cells below it."""
        if taken:
            self.taken[cell] = taken
        else:
            self.taken.pop(cell, None)
        if names:
            self.learned[cell] = names
        else:
            self.learned.pop(cell, None)
        self._index.dirty[cell] = None
        return self._settle()

    # Questions

    def candidates(self, cell: str, name: str) -> Writers:
        """The writers that may have given `name` to `cell`, nearest first."""
        return self._binding.candidates(cell, name, self.writes[cell])

    def last(self, name: str) -> Writers:
        """The same for a reader at the end of the document."""
        return self._binding.last(name)

    def stops(self, writer: str, name: str) -> bool:
        """Whether nothing behind this writer is consulted: it surely binds or unbinds the name, or read it itself."""
        return self._binding.stops(writer, name)

    def rank(self, cell: str) -> int:
        """Grows along the topological order with document order as tie-break."""
        ranks = self._ordered.rank
        return (ranks.get(cell) or self.places.at[cell]) if ranks else self.places.at[cell]

    def ranked(self, cells: Iterable[str]) -> list[str]:
        return sorted(cells, key=self.rank if self._ordered.rank else self.places.at.__getitem__)

    def edges(self) -> list[KernelEdge]:
        return [self.edge(w, c, names) for c in self.places for w, names in self.preds[c].items()]

    def edge(self, writer: str, reader: str, names: tuple[str, ...]) -> KernelEdge:
        learned = self.learned.get(reader, NOTHING) | self.learned.get(writer, NOTHING)
        return KernelEdge(from_=writer, to=reader, names=names, learned=True if learned.issuperset(names) else None)

    # Index

    def _add(self, cell: str, facts: Reach) -> None:
        self.reach[cell] = facts
        self.reads[cell], self.writes[cell], self.changes[cell] = facts.reads, NOTHING, facts.changes
        self.bound[cell], self.later[cell] = {}, {}
        self._links.add(cell)
        self._calls.of[cell] = {}
        if facts.calls:
            self._define(cell, EMPTY, facts)
        if facts.star:
            self._stars[cell] = None
        self._index.add(cell, facts.writes)
        self._index.dirty[cell] = None

    def _replace(self, cell: str, facts: Reach, learned: frozenset[str]) -> None:
        if learned:
            self.learned[cell] = learned
        else:
            self.learned.pop(cell, None)
        if facts != self.reach[cell]:
            self._define(cell, self.reach[cell], facts)
            self.reach[cell] = facts
            self._index.touch(self.writes[cell])
            if facts.star:
                self._stars[cell] = None
            else:
                self._stars.pop(cell, None)
        self._index.dirty[cell] = None

    def _define(self, cell: str, was: Reach, now: Reach) -> None:
        if was.calls or now.calls:
            for callee in self._calls.define(cell, was.calls.values(), now.calls.values()):
                self._index.dirty.update(self.watchers.get(callee, {}))

    def _reorder(self, order: Sequence[str]) -> None:
        moved = self.places.moved(order)
        for cell in moved:
            self._index.remove(cell, self.writes[cell])
            self.places.remove(cell)
        where = {cell: index for index, cell in enumerate(order)}
        for cell in sorted(moved, key=where.__getitem__):
            self.places.insert(where[cell], cell)
            names, self.writes[cell] = self.writes[cell], NOTHING
            self._index.add(cell, names)
            self._index.dirty[cell] = None

    # Evaluation

    def _settle(self) -> Delta:
        if self._stars or self._binding.star is not None:
            self._find_star()
        self._index.dirty.update(dict.fromkeys(self._binding.firm))
        self._binding.firm = frozenset()
        was = self.blocked
        self._forget_calls(was)
        self._evaluate_all()
        while True:
            self._find_order()
            if self.blocked <= self._binding.firm or not self.rules.call_below_dropped:
                break
            self._forget_calls(self.blocked - self._binding.firm)
            self._binding.firm |= self.blocked
            self._index.dirty.update(dict.fromkeys(self.blocked))
            self._evaluate_all()
        return self._delta(was)

    def _find_star(self) -> None:
        """Nobody below a star import reads from below: the import may give the name."""
        first = min(self._stars, key=self.places.at.__getitem__, default=None)
        if first != self._binding.star or first in self._index.dirty:
            self._binding.star = first
            self._index.dirty.update(dict.fromkeys(self.places))

    def _forget_calls(self, cells: Iterable[str]) -> None:
        """Inside a cycle call-time effects could hold each other up after their cause is gone: find them anew."""
        for cell in cells:
            if self._calls.of.get(cell):
                self._export(cell, {})
                self._index.dirty[cell] = None

    def _find_order(self) -> None:
        if self._links.below or self.blocked:
            self._ordered = in_order(self, self._links.below)
            self.cycles = self._ordered.cycles
            self.blocked = frozenset(cell for cycle in self.cycles for cell in cycle)
        elif self._ordered.rank:
            self._ordered = Ordered({}, ())

    def _evaluate_all(self) -> None:
        at = self.places.at
        heap: list[tuple[int, str]] = []
        queued: set[str] = set()
        rounds: dict[str, int] = {}
        while True:
            for cell in self._index.dirty:
                if cell in at and cell not in queued and rounds.get(cell, 0) < MAX_ROUNDS:
                    queued.add(cell)
                    heappush(heap, (at[cell], cell))
            self._index.dirty.clear()
            if not heap:
                return
            cell = heappop(heap)[1]
            queued.discard(cell)
            rounds[cell] = rounds.get(cell, 0) + 1
            self._evaluate(cell)

    def _evaluate(self, cell: str) -> None:
        facts = self.reach[cell]
        reads, writes, changes = facts.reads, facts.writes, facts.changes
        learned = self.learned.get(cell)
        if learned:
            reads, writes = reads | learned, writes | learned
        if facts.opaque:
            self._index.opaque[cell] = None
            self.possible[cell] = self._binding.names_above(cell) - reads
            reads |= self.possible[cell]
        elif cell in self._index.opaque:
            del self._index.opaque[cell], self.possible[cell]
        watched = reads | facts.later if facts.later else reads
        calls = self._calls
        if facts.methods:
            watched = watched | facts.methods
        touches = NOTHING
        if calls.names and calls.concern(watched, facts.methods):
            writers_of = self._writers_of(cell, writes)
            reads, writes, changes, asked, touches = calls.used(facts, reads, writes, changes, writers_of)
            watched = watched | reads | asked
        self.only_learned.pop(cell, None)
        if learned:
            self.only_learned[cell] = learned - changes
            changes |= learned
        self.touches.pop(cell, None)
        if touches or facts.touches:
            self.touches[cell] = touches | facts.touches
        if changes and self.rules.imports_exempt:
            reads, writes, changes = self._without_imports(cell, reads, writes, changes)
        self._take(cell, reads, writes, changes)
        self._index.watch(cell, watched)
        self._bind(cell)
        if facts.calls or facts.carries or (changes and calls.names) or calls.of[cell]:
            writers_of = self._writers_of(cell, self.writes[cell])
            self._export(cell, calls.exported(facts, self.changes[cell], writers_of))
        self._touched.add(cell)

    def _writers_of(self, cell: str, own: frozenset[str]) -> Callable[[str], Writers]:
        return lambda name: self._binding.candidates(cell, name, own)

    def _without_imports(
        self, cell: str, reads: frozenset[str], writes: frozenset[str], changes: frozenset[str]
    ) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """A change of something imported (`os.environ[…] = …`) is no write of the name."""
        rebinds = self.reach[cell].rebinds
        exempt = set()
        for name in changes:
            nearest = self._binding.candidates(cell, name, writes)
            if nearest and name in self.reach[nearest[0]].imports:
                exempt.add(name)
        if not exempt:
            return reads, writes, changes
        return reads, writes - (exempt - rebinds), changes - exempt

    def _take(self, cell: str, reads: frozenset[str], writes: frozenset[str], changes: frozenset[str]) -> None:
        was_reads, was_writes = self.reads[cell], self.writes[cell]
        self.reads[cell] = reads = was_reads if reads == was_reads else reads
        self.changes[cell] = changes
        if reads is not was_reads:
            self._index.touch((reads ^ was_reads) & was_writes)
        if writes != was_writes:
            self._index.remove(cell, was_writes - writes)
            self.writes[cell] = was_writes & writes
            self._index.add(cell, writes - was_writes)
            self.writes[cell] = writes

    def _bind(self, cell: str) -> None:
        facts, own = self.reach[cell], self.writes[cell]
        here = self.places.at[cell]
        bound: dict[str, Writers] = {}
        names: dict[str, list[str]] = {}
        for name in self.reads[cell]:
            if name in self.writers:
                writers = self._binding.candidates(cell, name, own)
                if writers:
                    bound[name] = writers
                    for writer in writers:
                        names.setdefault(writer, []).append(name)
        later: dict[str, Writers] = {}
        if facts.later:
            at = self.places.at
            for name in facts.later - self.reads[cell]:
                writers = self._binding.candidates(cell, name, own)
                if writers and at[writers[0]] < here:
                    later[name] = writers
                    for writer in writers:
                        names.setdefault(writer, []).append(name)
        self.bound[cell], self.later[cell] = bound, later
        self._links.link(cell, {w: tuple(sorted(ns)) for w, ns in names.items() if w != cell})

    def _export(self, cell: str, new: dict[str, frozenset[CallEffects]]) -> None:
        self._index.touch(self._calls.replace(cell, new))

    def _delta(self, was: frozenset[str]) -> Delta:
        added, removed = self._links.changes()
        delta = Delta(
            frozenset(self._touched),
            frozenset(self._index.names),
            tuple(self.edge(*each) for each in added),
            tuple(self.edge(*each) for each in removed),
            self.blocked - was,
            (was - self.blocked) & self.reach.keys(),
        )
        self._touched.clear()
        self._index.names.clear()
        return delta
