"""Which cell gives each name to which reader: an index from names to writers and readers, kept up to date by edits.

Pure and incremental: an edit touches the cells that share a name with it. Knows no values, no runs and no statuses.
"""

import builtins
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from tailrace_kernel.calls import Calls, Writers
from tailrace_kernel.facts import NOTHING, CallEffects, union
from tailrace_kernel.order import Ordered, in_order
from tailrace_kernel.places import Places
from tailrace_kernel.reach import Reach, is_table
from tailrace_kernel.rules import Rules
from tailrace_protocol.kernel_messages import KernelEdge

BUILTINS = frozenset(dir(builtins))
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
        self.reach: dict[str, Reach] = {}
        self.learned: dict[str, frozenset[str]] = {}
        self.touches: dict[str, frozenset[str]] = {}  # names the cell binds and whose objects it changes
        self.taken: dict[str, frozenset[tuple[str, str]]] = {}
        self.reads: dict[str, frozenset[str]] = {}
        self.writes: dict[str, frozenset[str]] = {}
        self.changes: dict[str, frozenset[str]] = {}
        self.writers: dict[str, list[str]] = {}  # in document order
        self.watchers: dict[str, dict[str, None]] = {}  # whose bindings depend on the writers of a name
        self.bound: dict[str, dict[str, Writers]] = {}
        self.later: dict[str, dict[str, Writers]] = {}
        self.preds: dict[str, dict[str, tuple[str, ...]]] = {}
        self.succs: dict[str, dict[str, None]] = {}
        self.cycles: tuple[tuple[str, ...], ...] = ()
        self.blocked: frozenset[str] = frozenset()
        self._calls = Calls()
        self._watched: dict[str, frozenset[str]] = {}
        self._below: dict[str, int] = {}  # cell → place of the lowest cell it reads from below
        self.possible: dict[str, frozenset[str]] = {}  # opaque cell → names it is not seen to read
        self._opaque: dict[str, None] = {}  # cells that may read any name
        self._stars: dict[str, None] = {}  # cells that may bind any name
        self._star: str | None = None  # the highest of them
        self._firm: frozenset[str] = frozenset()  # cells whose call-time reads bind no writer below
        self._ordered = Ordered({}, ())
        self._dirty: dict[str, None] = {}
        self._before: dict[str, dict[str, tuple[str, ...]]] = {}
        self._names: set[str] = set()
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
        self._before.setdefault(cell, self.preds[cell])
        for reader in self.succs[cell]:
            self._before.setdefault(reader, self.preds[reader])
        self._unindex(cell, self.writes[cell])
        self._watch(cell, NOTHING)
        self._export(cell, {})
        self._define(cell, self.reach[cell], EMPTY)
        self._calls.of.pop(cell)
        for writer in self.preds[cell]:
            self.succs[writer].pop(cell, None)
        for table in (self.reach, self.reads, self.writes, self.changes, self.bound, self.later):
            table.pop(cell)
        known = (
            self.learned,
            self.taken,
            self.touches,
            self._below,
            self._watched,
            self._dirty,
            self._opaque,
            self._stars,
        )
        for other in (*known, self.possible):
            other.pop(cell, None)
        del self.preds[cell]
        self.places.remove(cell)
        delta = self._settle()
        del self.succs[cell]
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
        self._dirty[cell] = None
        return self._settle()

    # Questions

    def candidates(self, cell: str, name: str) -> Writers:
        """The writers that may have given `name` to `cell`, nearest first."""
        return self._candidates(cell, name, self.writes[cell])

    def last(self, name: str) -> Writers:
        """The same for a reader at the end of the document."""
        writers = self.writers.get(name)
        return self._above(name, writers, len(writers)) if writers else ()

    def stops(self, writer: str, name: str) -> bool:
        """Whether nothing behind this writer is consulted: it surely binds or unbinds the name, or read it itself."""
        facts = self.reach[writer]
        if name in facts.binds or name in self.reads[writer] or name in facts.deletes:
            return True
        return not self.rules.may_bind_passes

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
        self.bound[cell], self.later[cell], self.preds[cell], self.succs[cell] = {}, {}, {}, {}
        self._calls.of[cell] = {}
        if facts.calls:
            self._define(cell, EMPTY, facts)
        self._before[cell] = {}
        if facts.star:
            self._stars[cell] = None
        self._index(cell, facts.writes)
        self._dirty[cell] = None

    def _replace(self, cell: str, facts: Reach, learned: frozenset[str]) -> None:
        if learned:
            self.learned[cell] = learned
        else:
            self.learned.pop(cell, None)
        if facts != self.reach[cell]:
            self._define(cell, self.reach[cell], facts)
            self.reach[cell] = facts
            self._touch(self.writes[cell])
            if facts.star:
                self._stars[cell] = None
            else:
                self._stars.pop(cell, None)
        self._dirty[cell] = None

    def _define(self, cell: str, was: Reach, now: Reach) -> None:
        if was.calls or now.calls:
            for callee in self._calls.define(cell, was.calls.values(), now.calls.values()):
                self._dirty.update(self.watchers.get(callee, {}))

    def _reorder(self, order: Sequence[str]) -> None:
        moved = self.places.moved(order)
        for cell in moved:
            self._unindex(cell, self.writes[cell])
            self.places.remove(cell)
        where = {cell: index for index, cell in enumerate(order)}
        for cell in sorted(moved, key=where.__getitem__):
            self.places.insert(where[cell], cell)
            names, self.writes[cell] = self.writes[cell], NOTHING
            self._index(cell, names)
            self._dirty[cell] = None

    def _index(self, cell: str, names: frozenset[str]) -> None:
        at = self.places.at
        here = at[cell]
        for name in names:
            writers = self.writers.setdefault(name, [])
            if writers and at[writers[-1]] > here:
                writers.insert(bisect_left(writers, here, key=at.__getitem__), cell)
            else:
                writers.append(cell)
        self.writes[cell] = union(self.writes[cell], names)
        self._touch(names)

    def _unindex(self, cell: str, names: Iterable[str]) -> None:
        for name in names:
            self.writers[name].remove(cell)
            if not self.writers[name]:
                del self.writers[name]
        self._touch(names)

    def _touch(self, names: Iterable[str]) -> None:
        if self._opaque and names:
            self._dirty.update(self._opaque)
        for name in names:
            self._names.add(name)
            watchers = self.watchers.get(name)
            if watchers:
                self._dirty.update(watchers)

    def _watch(self, cell: str, names: frozenset[str]) -> None:
        old = self._watched.get(cell, NOTHING)
        if old == names:
            return
        for name in old - names:
            del self.watchers[name][cell]
            if not self.watchers[name]:
                del self.watchers[name]
        for name in names - old:
            self.watchers.setdefault(name, {})[cell] = None
        self._watched[cell] = names

    # Binding

    def _above(self, name: str, writers: list[str], end: int) -> Writers:
        """Changers of a table that stand above its first creator come right after it."""
        if is_table(name):
            reach = self.reach
            firm = (i for i, w in enumerate(writers) if name in reach[w].binds or name in reach[w].deletes)
            first = next(firm, 0)
            if first == end - 1 and name in reach[writers[first]].binds:
                end = first or end
        return self._upwards(name, writers, end)

    def _upwards(self, name: str, writers: list[str], end: int) -> Writers:
        found = []
        for index in range(end - 1, -1, -1):
            found.append(writers[index])
            if self.stops(writers[index], name):
                break
        return tuple(found)

    def _candidates(self, cell: str, name: str, own: frozenset[str]) -> Writers:
        writers = self.writers.get(name)
        if not writers:
            return ()
        at = self.places.at
        here = bisect_left(writers, at[cell], key=at.__getitem__)
        if here:
            return self._above(name, writers, here)
        below = writers[1:] if writers[0] == cell else writers
        if not below:
            return ()
        if is_table(name):
            return self._table_below(cell, name, own, below)
        if name in BUILTINS and self.rules.builtin_never_below:
            return ()
        if self._star is not None and at[self._star] <= at[cell]:
            return ()
        if name in own and self.rules.own_never_below:
            return ()
        if cell in self._firm and name not in self.reach[cell].reads:
            return ()
        return (below[0],)

    def _table_below(self, cell: str, name: str, own: frozenset[str], below: list[str]) -> Writers:
        """Nothing above: a changer comes after the first creator below, a mere reader after all writers. Who makes or
        drops a table whether it is there or not waits for nobody."""
        if name not in own:
            return (below[-1],)
        facts = self.reach[cell]
        if name not in self.reads[cell] or name in facts.binds or name in facts.deletes:
            return ()
        creators = [w for w in below if name in self.reach[w].binds]
        return (creators[0],) if creators else ()

    # Evaluation

    def _settle(self) -> Delta:
        if self._stars or self._star is not None:
            self._find_star()
        self._dirty.update(dict.fromkeys(self._firm))
        self._firm = frozenset()
        was = self.blocked
        self._forget_calls(was)
        self._evaluate_all()
        while True:
            self._find_order()
            if self.blocked <= self._firm or not self.rules.call_below_dropped:
                break
            self._forget_calls(self.blocked - self._firm)
            self._firm |= self.blocked
            self._dirty.update(dict.fromkeys(self.blocked))
            self._evaluate_all()
        return self._delta(was)

    def _find_star(self) -> None:
        """Nobody below a star import reads from below: the import may give the name."""
        first = min(self._stars, key=self.places.at.__getitem__, default=None)
        if first != self._star or first in self._dirty:
            self._star = first
            self._dirty.update(dict.fromkeys(self.places))

    def _forget_calls(self, cells: Iterable[str]) -> None:
        """Inside a cycle call-time effects could hold each other up after their cause is gone: find them anew."""
        for cell in cells:
            if self._calls.of.get(cell):
                self._export(cell, {})
                self._dirty[cell] = None

    def _find_order(self) -> None:
        if self._below or self.blocked:
            self._ordered = in_order(self, self._below)
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
            for cell in self._dirty:
                if cell in at and cell not in queued and rounds.get(cell, 0) < MAX_ROUNDS:
                    queued.add(cell)
                    heappush(heap, (at[cell], cell))
            self._dirty.clear()
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
            reads, writes, changes = reads | learned, writes | learned, changes | learned
        if facts.opaque:
            self._opaque[cell] = None
            self.possible[cell] = self._names_above(cell) - reads
            reads |= self.possible[cell]
        elif cell in self._opaque:
            del self._opaque[cell], self.possible[cell]
        watched = reads | facts.later if facts.later else reads
        calls = self._calls
        if facts.methods:
            watched = watched | facts.methods
        touches = NOTHING
        if calls.names and calls.concern(watched, facts.methods):
            writers_of = self._writers_of(cell, writes)
            reads, writes, changes, asked, touches = calls.used(facts, reads, writes, changes, writers_of)
            watched = watched | reads | asked
        self.touches.pop(cell, None)
        if touches or facts.touches:
            self.touches[cell] = touches | facts.touches
        if changes and self.rules.imports_exempt:
            reads, writes, changes = self._without_imports(cell, reads, writes, changes)
        self._take(cell, reads, writes, changes)
        self._watch(cell, watched)
        self._bind(cell)
        if facts.calls or facts.carries or (changes and calls.names) or calls.of[cell]:
            writers_of = self._writers_of(cell, self.writes[cell])
            self._export(cell, calls.exported(facts, self.changes[cell], writers_of))
        self._touched.add(cell)

    def _writers_of(self, cell: str, own: frozenset[str]) -> Callable[[str], Writers]:
        return lambda name: self._candidates(cell, name, own)

    def _names_above(self, cell: str) -> frozenset[str]:
        """What an opaque cell may read: all that is written above it."""
        at, own = self.places.at, self.reach[cell].binds
        here = at[cell]
        return frozenset(name for name, writers in self.writers.items() if at[writers[0]] < here) - own

    def _without_imports(
        self, cell: str, reads: frozenset[str], writes: frozenset[str], changes: frozenset[str]
    ) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """A change of something imported (`os.environ[…] = …`) is no write of the name."""
        rebinds = self.reach[cell].rebinds
        exempt = set()
        for name in changes:
            nearest = self._candidates(cell, name, writes)
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
            self._touch((reads ^ was_reads) & was_writes)
        if writes != was_writes:
            self._unindex(cell, was_writes - writes)
            self.writes[cell] = was_writes & writes
            self._index(cell, writes - was_writes)
            self.writes[cell] = writes

    def _bind(self, cell: str) -> None:
        facts, own = self.reach[cell], self.writes[cell]
        here = self.places.at[cell]
        bound: dict[str, Writers] = {}
        names: dict[str, list[str]] = {}
        for name in self.reads[cell]:
            if name in self.writers:
                writers = self._candidates(cell, name, own)
                if writers:
                    bound[name] = writers
                    for writer in writers:
                        names.setdefault(writer, []).append(name)
        later: dict[str, Writers] = {}
        if facts.later:
            at = self.places.at
            for name in facts.later - self.reads[cell]:
                writers = self._candidates(cell, name, own)
                if writers and at[writers[0]] < here:
                    later[name] = writers
                    for writer in writers:
                        names.setdefault(writer, []).append(name)
        self.bound[cell], self.later[cell] = bound, later
        self._link(cell, {w: tuple(sorted(ns)) for w, ns in names.items() if w != cell}, here)

    def _link(self, cell: str, preds: dict[str, tuple[str, ...]], here: int) -> None:
        was = self.preds[cell]
        if preds != was:
            self._before.setdefault(cell, was)
            for writer in was:
                if writer not in preds and writer in self.succs:
                    self.succs[writer].pop(cell, None)
            for writer in preds:
                self.succs[writer][cell] = None
            self.preds[cell] = preds
        at = self.places.at
        lowest = max((at[w] for w in preds), default=0)
        if lowest > here:
            self._below[cell] = lowest
        else:
            self._below.pop(cell, None)

    def _export(self, cell: str, new: dict[str, frozenset[CallEffects]]) -> None:
        self._touch(self._calls.replace(cell, new))

    def _delta(self, was: frozenset[str]) -> Delta:
        added, removed = [], []
        for cell, before in self._before.items():
            after = self.preds.get(cell, {})
            removed += [self.edge(w, cell, names) for w, names in before.items() if after.get(w) != names]
            added += [self.edge(w, cell, names) for w, names in after.items() if before.get(w) != names]
        delta = Delta(
            frozenset(self._touched),
            frozenset(self._names),
            tuple(added),
            tuple(removed),
            self.blocked - was,
            (was - self.blocked) & self.reach.keys(),
        )
        self._touched.clear()
        self._names.clear()
        self._before.clear()
        return delta
