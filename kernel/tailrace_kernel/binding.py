"""Which writers a read consults: the nearest above, else the nearest below, and those behind a writer that passes.

Source of the rules: DESIGN.md §3, "Binding". Knows the index of names and what each cell does; keeps nothing itself.
"""

import builtins
from bisect import bisect_left
from collections.abc import Mapping

from tailrace_kernel.places import Places
from tailrace_kernel.reach import Reach, is_table
from tailrace_kernel.rules import Rules

Writers = tuple[str, ...]  # nearest first: the last one surely gives the name
BUILTINS = frozenset(dir(builtins))


class Binding:
    """`star`: the highest cell with a star import; `firm`: cells whose call-time reads bind no writer below."""

    def __init__(
        self,
        rules: Rules,
        places: Places,
        writers: Mapping[str, list[str]],
        reach: Mapping[str, Reach],
        reads: Mapping[str, frozenset[str]],
    ) -> None:
        self._rules, self._places = rules, places
        self._writers, self._reach, self._reads = writers, reach, reads
        self.star: str | None = None
        self.firm: frozenset[str] = frozenset()

    def last(self, name: str) -> Writers:
        """For a reader at the end of the document."""
        writers = self._writers.get(name)
        return self._above(name, writers, len(writers)) if writers else ()

    def stops(self, writer: str, name: str) -> bool:
        """Whether nothing behind this writer is consulted: it surely binds or unbinds the name, or read it itself."""
        facts = self._reach[writer]
        if name in facts.binds or name in self._reads[writer] or name in facts.deletes:
            return True
        return not self._rules.may_bind_passes

    def _above(self, name: str, writers: list[str], end: int) -> Writers:
        """Changers of a table that stand above its first creator come right after it."""
        if is_table(name):
            reach = self._reach
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

    def candidates(self, cell: str, name: str, own: frozenset[str]) -> Writers:
        writers = self._writers.get(name)
        if not writers:
            return ()
        at = self._places.at
        here = bisect_left(writers, at[cell], key=at.__getitem__)
        if here:
            return self._above(name, writers, here)
        below = writers[1:] if writers[0] == cell else writers
        if not below:
            return ()
        if is_table(name):
            return self._table_below(cell, name, own, below)
        if name in BUILTINS and self._rules.builtin_never_below:
            return ()
        if self.star is not None and at[self.star] <= at[cell]:
            return ()
        if name in own and self._rules.own_never_below:
            return ()
        if cell in self.firm and name not in self._reach[cell].reads:
            return ()
        return (below[0],)

    def _table_below(self, cell: str, name: str, own: frozenset[str], below: list[str]) -> Writers:
        """Nothing above: a changer comes after the first creator below, a mere reader after all writers. Who makes or
        drops a table whether it is there or not waits for nobody."""
        if name not in own:
            return (below[-1],)
        facts = self._reach[cell]
        if name not in self._reads[cell] or name in facts.binds or name in facts.deletes:
            return ()
        creators = [w for w in below if name in self._reach[w].binds]
        return (creators[0],) if creators else ()

    def names_above(self, cell: str) -> frozenset[str]:
        """What an opaque cell may read: all that is written above it."""
        at, own = self._places.at, self._reach[cell].binds
        here = at[cell]
        return frozenset(name for name, writers in self._writers.items() if at[writers[0]] < here) - own
