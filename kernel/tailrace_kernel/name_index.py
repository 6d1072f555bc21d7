"""The index of a graph: who writes each name, in document order, and whose answers depend on the writers of a name."""

from bisect import bisect_left
from collections.abc import Iterable

from tailrace_kernel.facts import NOTHING, union
from tailrace_kernel.places import Places


class NameIndex:
    """Mappings are for reading. `dirty`: cells to look at anew; `names`: those whose writers may have changed."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.writers: dict[str, list[str]] = {}  # in document order
        self.writes: dict[str, frozenset[str]] = {}
        self.watchers: dict[str, dict[str, None]] = {}  # whose bindings depend on the writers of a name
        self.opaque: dict[str, None] = {}  # cells that may read any name
        self.dirty: dict[str, None] = {}
        self.names: set[str] = set()
        self._watched: dict[str, frozenset[str]] = {}

    def add(self, cell: str, names: frozenset[str]) -> None:
        at = self.places.at
        here = at[cell]
        for name in names:
            writers = self.writers.setdefault(name, [])
            if writers and at[writers[-1]] > here:
                writers.insert(bisect_left(writers, here, key=at.__getitem__), cell)
            else:
                writers.append(cell)
        self.writes[cell] = union(self.writes[cell], names)
        self.touch(names)

    def remove(self, cell: str, names: Iterable[str]) -> None:
        for name in names:
            self.writers[name].remove(cell)
            if not self.writers[name]:
                del self.writers[name]
        self.touch(names)

    def touch(self, names: Iterable[str]) -> None:
        if self.opaque and names:
            self.dirty.update(self.opaque)
        for name in names:
            self.names.add(name)
            watchers = self.watchers.get(name)
            if watchers:
                self.dirty.update(watchers)

    def watch(self, cell: str, names: frozenset[str]) -> None:
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

    def forget(self, cell: str) -> None:
        """It writes and watches nothing any more."""
        self.remove(cell, self.writes.pop(cell))
        self.watch(cell, NOTHING)
        self._watched.pop(cell, None)
        for table in (self.dirty, self.opaque):
            table.pop(cell, None)
