"""The edges between cells as they are, and what changed since somebody asked."""

from tailrace_kernel.places import Places

Preds = dict[str, tuple[str, ...]]  # writer → the names that it gives, sorted
Edge = tuple[str, str, tuple[str, ...]]  # writer, reader, names


class Links:
    """Public mappings are for reading. `below`: cell → place of the lowest cell that it reads from below."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.preds: dict[str, Preds] = {}
        self.succs: dict[str, dict[str, None]] = {}
        self.below: dict[str, int] = {}
        self._before: dict[str, Preds] = {}  # of cells whose edges changed, what they were

    def add(self, cell: str) -> None:
        self.preds[cell], self.succs[cell] = {}, {}
        self._before[cell] = {}

    def link(self, cell: str, preds: Preds) -> None:
        """The cell reads from these writers now and from no others."""
        was = self.preds[cell]
        if preds != was:
            self._before.setdefault(cell, was)
            for writer in was:
                if writer not in preds and writer in self.succs:
                    self.succs[writer].pop(cell, None)
            for writer in preds:
                self.succs[writer][cell] = None
            self.preds[cell] = preds
        at = self._places.at
        lowest = max((at[w] for w in preds), default=0)
        if lowest > at[cell]:
            self.below[cell] = lowest
        else:
            self.below.pop(cell, None)

    def unlink(self, cell: str) -> None:
        """The cell goes: it reads nothing any more. Its readers are still known, until they are linked anew."""
        self._before.setdefault(cell, self.preds[cell])
        for reader in self.succs[cell]:
            self._before.setdefault(reader, self.preds[reader])
        for writer in self.preds.pop(cell):
            self.succs[writer].pop(cell, None)
        self.below.pop(cell, None)

    def drop(self, cell: str) -> None:
        del self.succs[cell]

    def changes(self) -> tuple[list[Edge], list[Edge]]:
        """Edges added and removed since the last call."""
        added: list[Edge] = []
        removed: list[Edge] = []
        for cell, before in self._before.items():
            after = self.preds.get(cell, {})
            removed += [(w, cell, names) for w, names in before.items() if after.get(w) != names]
            added += [(w, cell, names) for w, names in after.items() if before.get(w) != names]
        self._before.clear()
        return added, removed
