"""What using a name does: the functions, methods and instances that cells give, followed to whoever calls them.

Knows which cell gives what; who the writers of a name are for a certain cell is asked of the graph.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from tailrace_kernel.binding import Writers
from tailrace_kernel.facts import OWN_MARK, CallEffects, alters, any_class
from tailrace_kernel.reach import Reach

WritersOf = Callable[[str], Writers]
Names = frozenset[str]
Sets = tuple[Names, Names, Names, Names, Names]  # reads, writes, changes, stand-ins, own names that are touched


class Calls:
    """`of`: cell → name that it gives → what using the name does. `names`: how many cells give such a name."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, frozenset[CallEffects]]] = {}
        self.names: dict[str, int] = {}
        self._classes: dict[str, dict[str, set[CallEffects]]] = {}  # `any_class(method)` → cell → those that change

    def define(self, cell: str, was: Iterable[CallEffects], now: Iterable[CallEffects]) -> set[str]:
        """The functions and classes that the cell itself defines. Returns the stand-ins for classes concerned."""
        touched = set()
        for does in was:
            for callee in _stand_ins(does):
                touched.add(callee)
                self._classes.get(callee, {}).pop(cell, None)
                if not self._classes.get(callee):
                    self._classes.pop(callee, None)
        for does in now:
            for callee in _stand_ins(does):
                touched.add(callee)
                self._classes.setdefault(callee, {}).setdefault(cell, set()).add(does)
        return touched

    def concern(self, names: frozenset[str], methods: frozenset[str]) -> bool:
        """Whether using these names or calling these methods may do anything."""
        return not self.names.keys().isdisjoint(names) or not self._classes.keys().isdisjoint(methods)

    def replace(self, cell: str, new: dict[str, frozenset[CallEffects]]) -> list[str]:
        """Returns the names whose use does something else now."""
        old = self.of[cell]
        if new == old:
            return []
        for name in old:
            self.names[name] -= 1
            if not self.names[name]:
                del self.names[name]
        for name in new:
            self.names[name] = self.names.get(name, 0) + 1
        self.of[cell] = new
        return [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]

    def used(
        self,
        facts: Reach,
        reads: frozenset[str],
        writes: frozenset[str],
        changes: frozenset[str],
        writers_of: WritersOf,
    ) -> Sets:
        """What the functions do that the cell uses happens in the cell; it calls none through learned names.

        The fourth set are the stand-ins for classes that the answer depends on, the last one names that the cell bound
        itself and whose objects are changed there.
        """
        todo = list(facts.reads)
        seen = set(todo)
        more_reads, more_writes, more_changes = set(reads), set(writes), set(changes)
        hands, known = set(facts.hands), dict[str, list[CallEffects]]()
        while todo:
            name = todo.pop()
            for does in self._given(name, writers_of):
                more_reads |= does.reads | does.changes | does.may_bind
                more_changes |= does.changes
                if does.remembers:
                    more_changes.add(name)
                    more_writes.add(name)
                more_writes |= does.changes | does.may_bind
                hands |= does.hands
                hands |= {replace(hand, name=name) for hand in does.bound}
                known.setdefault(name, []).append(does)
                new = does.reads - seen
                seen |= new
                todo.extend(new)

        asked = set(facts.methods)

        def calling(name: str) -> Iterable[CallEffects]:
            if not name.startswith("."):
                return known.get(name, ())
            asked.add(name)
            return set[CallEffects]().union(*self._classes.get(name, {}).values())

        given = {
            h.name
            for h in hands
            if (h.callee in known or h.method) and alters(calling(h.callee), h.method, h.place, calling)
        }
        own = {name for name in given if name.endswith(OWN_MARK)}
        given -= own
        sets = frozenset(more_reads | given), frozenset(more_writes | given), frozenset(more_changes | given)
        return *sets, frozenset(asked), frozenset(name[: -len(OWN_MARK)] for name in own)

    def exported(
        self, facts: Reach, changes: frozenset[str], writers_of: WritersOf
    ) -> dict[str, frozenset[CallEffects]]:
        """What using each name that the cell gives does: its functions, those it carries on, those it changed."""
        out: dict[str, set[CallEffects]] = {name: {does} for name, does in facts.calls.items()}
        for name, carried in facts.carries.items():
            for carry in carried:
                found = self._given(carry.name, writers_of)
                if carry.by_call:
                    found = {does.of_result() for does in found if does.makes_callables}
                out.setdefault(name, set()).update(found)
        for name in changes:
            if name in self.names:
                out.setdefault(name, set()).update(self._given(name, writers_of))
        kept = self._kept(facts, writers_of) if facts.callbacks else set()
        for name in changes - facts.changes if kept else ():
            out.setdefault(name, set()).update(kept)
        return {name: frozenset(does) for name, does in out.items() if does}

    def _kept(self, facts: Reach, writers_of: WritersOf) -> set[CallEffects]:
        """Functions that change something, given to calls: what such a call changes may keep them and call them."""
        found = {does for does in facts.callbacks if not isinstance(does, str)}
        for name in facts.callbacks:
            if isinstance(name, str):
                found |= self._given(name, writers_of)
        return {does for does in found if does.changes or does.may_bind or does.hands}

    def _given(self, name: str, writers_of: WritersOf) -> set[CallEffects]:
        if name not in self.names:
            return set()
        return {does for writer in writers_of(name) for does in self.of[writer].get(name, ())}


def _stand_ins(does: CallEffects) -> set[str]:
    return {callee for method in does.acts_by() & does.methods if (callee := any_class(method)) is not None}
