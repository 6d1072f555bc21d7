"""The objects behind the names: puts the right version of each name into the user's namespace around a run.

Decides nothing about order; follows the directions of the machine and reports what it saw. Whatever it lets go of is
returned as garbage: the caller drops it outside its lock, because dropping a last reference runs user code.
"""

import os
import sys
from typing import Any, NamedTuple

from tailrace_kernel.equality import Equality
from tailrace_kernel.facts import NOTHING
from tailrace_kernel.reach import is_table
from tailrace_kernel.rules import Rules
from tailrace_kernel.sharing import (
    ATOMS,
    MAX_PARTS,
    behind,
    copied,
    fingerprint,
    flat,
    immutable,
    is_drained,
    parts,
    size,
)
from tailrace_kernel.stimuli import STAY, Bind, CellFinished, Directions, Execute, Outcome, Version

Garbage = list[Any]
NO_VERSIONS: frozenset[Version] = frozenset()
NO_OBJECTS: dict[int, Any] = {}
MAX_LOOKS = 200_000  # objects looked at to find who shares what one cell changes
SHELL_NAMES = frozenset({"In", "Out", "get_ipython", "exit", "quit", "open"})
HISTORY = ("_", "__", "___")


class Prepared:
    """What `prepare` learned and `commit` needs."""

    __slots__ = ("before", "copied", "given", "kin", "old", "prints", "read", "shared", "touched")

    def __init__(self) -> None:
        self.touched: dict[str, Any] = {}
        self.before: dict[str, Any] | None = None  # all names, when the cell is opaque
        self.copied: frozenset[str] = NOTHING
        self.shared: frozenset[Version] = frozenset()
        self.old: dict[str, Any] = {}
        self.given: dict[str, Any] = {}  # what names that it writes showed before, when it changes objects
        self.read: dict[int, Any] = {}  # changeable objects behind what it only reads, by id
        self.prints: dict[int, object] = {}  # their fingerprints before the run
        self.kin: frozenset[tuple[str, str]] = frozenset()


class Seen(NamedTuple):
    """The part of `CellFinished` that takes a look at objects: names and versions, no objects."""

    copied: frozenset[str] = NOTHING
    touched: frozenset[str] = NOTHING
    shared: frozenset[Version] = NO_VERSIONS
    kin: frozenset[tuple[str, str]] = frozenset()
    rebound: frozenset[Version] = NO_VERSIONS
    kept: frozenset[str] = NOTHING
    found: frozenset[str] = NOTHING


UNSEEN = Seen()
UNPREPARED = Prepared()
UNTOUCHED = object()  # stands for a name while a cell runs that does not read it, to see whether the cell unbinds it


class Namespace:
    """Wraps the dict that user code runs in; no other code may replace that dict. `budget`: bytes of kept versions."""

    def __init__(
        self,
        user: dict[str, Any],
        *,
        copies: bool = True,
        budget: int | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.budget = an_eighth_of_memory() if budget is None else budget
        self.user = user
        self.rules = rules or Rules()
        self.copies = copies and self.rules.copies
        self.aside: dict[Version, Any] = {}  # versions of names with several writers; may be shown as well
        self._originals: dict[str, dict[str, Any]] = {}  # name → writer → object somebody works on a copy of
        self._sizes: dict[Version, int] = {}  # bytes of the versions aside
        self._total = 0
        self._prepared = UNPREPARED
        self._drained: dict[int, Any] = NO_OBJECTS  # iterators that the running cell reads, by id
        self._alone: set[str] = set()  # cells whose values share nothing with what other cells had made before

    def apply(self, effect: Bind) -> Garbage:
        """Under the lock of the step that gave the effect."""
        return self._follow(effect.directions)

    def prepare(self, execute: Execute) -> Garbage:
        """Bind what the cell reads. Call just before its code runs, in the thread that runs it."""
        aside = {name: kept for name in execute.keeps if (kept := self.aside.get((name, execute.cell_id))) is not None}
        garbage = self._follow(execute.directions) if execute.directions is not STAY else []
        for name in execute.caught:
            garbage.append(self.user.get(name))
            self.user[name] = UNTOUCHED
        if execute.reads:
            self._drained = self._iterators(execute)
        if execute.changes or execute.touches or execute.keeps or execute.opaque:
            self._prepared = prepared = Prepared()
            if execute.opaque:
                prepared.before = dict(self.user)
            prepared.old = {name: self.user[name] for name in execute.keeps if name in self.user} | aside
            if execute.changes:
                self._hand_out(execute, prepared, garbage)
            if self.rules.sharing and (execute.touches or prepared.touched or prepared.copied):
                self._look_at_reads(execute, prepared)
        return garbage

    def commit(
        self, execute: Execute, outcome: Outcome, seconds: float, execution_count: int | None = None
    ) -> tuple[CellFinished, Garbage]:
        """Take what the cell wrote. Call just after its code ran; pass the result to `Scheduler.step`."""
        prepared, self._prepared = self._prepared, UNPREPARED
        user, garbage = self.user, list[Any]()
        unbound = NOTHING
        deleted = frozenset(name for name in execute.caught if name not in user)
        for name in execute.caught:
            if user.get(name) is UNTOUCHED:
                del user[name]
        if outcome == "success":
            for name in execute.writes:
                if name not in user and not is_table(name):
                    unbound |= {name}
        if not execute.cutoff:
            self._alone.discard(execute.cell_id)
        plain = prepared is UNPREPARED and not execute.cutoff
        seen = UNSEEN if plain else self._see(execute, outcome, prepared, garbage)
        if (execute.touches or self._drained) and self.rules.sharing:
            held = self._held_by_others(execute)
            if outcome != "success":  # it may not have come to bind the name: what that shows is another cell's
                held = frozenset(version for version in held if version[0] not in execute.touches)
            seen = seen._replace(shared=seen.shared | held)
        self._drained = NO_OBJECTS
        del prepared  # what it holds would look as if somebody kept an original
        if outcome != "success" and self.rules.failure_removes:
            garbage += [user.pop(name) for name in execute.writes if name in user]
        recalled = self._recalled(execute, garbage) if self._originals else NO_VERSIONS
        stored = execute.analysis.stored
        if stored and outcome == "error" and not execute.analysis.lasting:
            stored = NOTHING  # rolled back
        excess = max(0, self._total - self.budget)
        return (
            CellFinished(
                cell_id=execute.cell_id,
                outcome=outcome,
                seconds=seconds,
                execution_count=execution_count,
                unbound=unbound,
                deleted=deleted,
                kept=seen.kept,
                copied=seen.copied,
                touched=seen.touched | stored if stored else seen.touched,
                shared=seen.shared,
                kin=seen.kin,
                rebound=seen.rebound,
                found=seen.found,
                excess=excess,
                held=self.removable() if excess else (),
                recalled=recalled,
            ),
            garbage,
        )

    def _see(self, execute: Execute, outcome: Outcome, prepared: Prepared, garbage: Garbage) -> Seen:
        """What the run did to objects; looked at before a failure takes its names away."""
        shared = prepared.shared | self._attached(execute, prepared)
        ok = outcome == "success"
        return Seen(
            copied=prepared.copied,
            touched=frozenset(prepared.touched),
            shared=shared,
            kin=prepared.kin,
            rebound=self._rebound(execute, prepared, shared) if shared else NO_VERSIONS,
            kept=self._kept(execute, prepared, garbage) if ok else NOTHING,
            found=self._found(execute, prepared) if ok else NOTHING,
        )

    def removable(self) -> tuple[tuple[Version, int], ...]:
        """Versions aside with their bytes, but for those that share an object with another one or with a name.

        A change of that object could not be seen to concern them any more, and little would come free.
        """
        names = [(name, value) for name, value in self.user.items() if not is_shells(name)]
        holders: dict[int, int] = {}
        made_of: dict[Version, dict[int, Any]] = {}
        looks = MAX_LOOKS // 10
        for version, value in [*(((name, ""), value) for name, value in names), *self.aside.items()]:
            if type(value) in ATOMS:
                continue
            inside = parts((value,), classes=True)
            looks -= len(inside) + 1
            if looks < 0:
                return ()
            if version[1]:
                made_of[version] = inside
            if not version[1] or self.user.get(version[0]) is not value:
                for key in inside:
                    holders[key] = holders.get(key, 0) + 1
        return tuple(
            (version, taken)
            for version, taken in self._sizes.items()
            if not self.rules.sharers_stay or all(holders.get(key, 0) <= 1 for key in made_of.get(version, ()))
        )

    # Directions

    def _follow(self, directions: Directions) -> Garbage:
        user, aside = self.user, self.aside
        garbage: Garbage = []
        for name, old, new in directions.adopt:
            self._keep((name, new), aside[name, old])
        for name, writer in directions.save:
            if name in user:
                self._keep((name, writer), user[name])
        for version in directions.forget:
            garbage.append(aside.pop(version, None))
            self._total -= self._sizes.pop(version, 0)
            self._forget_original(version, garbage)
        for name, wanted in directions.bind:
            garbage.append(user.pop(name, None))
            if wanted is not None and (name, wanted) in aside:
                user[name] = aside[name, wanted]
        return garbage

    def _keep(self, version: Version, value: Any) -> None:
        self._total -= self._sizes.pop(version, 0)
        self.aside[version] = value
        self._sizes[version] = size(value)
        self._total += self._sizes[version]

    def _forget_original(self, version: Version, garbage: Garbage) -> None:
        name, writer = version
        originals = self._originals.get(name)
        if originals is not None and writer in originals:
            garbage.append(originals.pop(writer))
            if not originals:
                del self._originals[name]

    def _iterators(self, execute: Execute) -> dict[int, Any]:
        """What the run uses up by reading it, as far as its text does not say so."""
        user, found = self.user, NO_OBJECTS
        for name in execute.reads:
            kind = type(user.get(name))
            if kind not in ATOMS and is_drained(kind) and name not in execute.changes:
                found = {**found, id(user[name]): user[name]}
        return found

    # Before a run that changes objects

    def _hand_out(self, execute: Execute, prepared: Prepared, garbage: Garbage) -> None:
        """Give the cell a copy where that cannot be noticed, else the object itself."""
        user = self.user
        for name in sorted(execute.changes):
            if name not in user or immutable(user[name]):
                continue
            writer = execute.sources.get(name)
            if writer is not None and self.copies and self._may_copy(name, writer, garbage):
                original = user[name]
                user[name] = copied(original)
                self._originals.setdefault(name, {})[writer] = original
                prepared.copied |= {name}
            else:
                prepared.touched[name] = user[name]
        if not self.rules.sharing or not (prepared.touched or prepared.copied):
            return
        prepared.given = {name: user[name] for name in execute.writes if name in user}
        wanted = parts(prepared.touched.values(), classes=False)
        prepared.shared = self._holders(execute, wanted)
        shared = [(version[0], self.aside[version] if version[1] else user[version[0]]) for version in prepared.shared]
        prepared.kin = self._kin([*prepared.touched.items(), *shared])
        del shared

    def _look_at_reads(self, execute: Execute, prepared: Prepared) -> None:
        """What the cell may put into what it changes, and then change there."""
        user = self.user
        only_read = [user[n] for n in execute.reads if n in user and n not in execute.changes and not is_shells(n)]
        handed = parts(prepared.touched.values(), classes=False)
        prepared.read = {key: value for key, value in parts(only_read, classes=True).items() if key not in handed}
        prepared.prints = {key: fingerprint(value) for key, value in prepared.read.items()}

    def _may_copy(self, name: str, writer: str, garbage: Garbage) -> bool:
        """Nothing but the name, the version put aside and garbage refers to it, and a shallow copy is independent."""
        value = self.user[name]
        if self.aside.get((name, writer)) is not value:
            return False
        known = self._known(value, name, writer) + sum(1 for gone in garbage if gone is value)
        known += self._originals.get(name, {}).get(writer) is value
        del value
        return references(self.user, name) == known and flat(self.user[name])

    def _attached(self, execute: Execute, prepared: Prepared) -> frozenset[Version]:
        """Versions of objects that the run put into what it changes, and then changed there.

        Those it changed at all, where it changed something under a name of its own: that may have been one of them.
        """
        if not prepared.read:
            return frozenset()
        read = prepared.read
        if not execute.touches:
            inside = parts([self.user[name] for name in execute.changes if name in self.user], classes=True)
            read = {key: value for key, value in read.items() if key in inside}
        changed = {key: value for key, value in read.items() if fingerprint(value) != prepared.prints[key]}
        return self._holders(execute, changed)

    def _holders(self, execute: Execute, wanted: dict[int, Any]) -> frozenset[Version]:
        """Versions that hold one of these objects."""
        if not wanted:
            return frozenset()
        writes = execute.writes
        found = [(name, "") for name in self.user if name not in writes and not is_shells(name)]
        looks = MAX_LOOKS
        holders = []
        for version, value in [*((v, self.user[v[0]]) for v in found), *self.aside.items()]:
            if type(value) in ATOMS or version[1] == execute.cell_id:
                continue
            if id(value) in wanted:
                holders.append(version)
            elif self.rules.parts and looks > 0:
                inside = parts((value,), classes=True)
                looks -= len(inside) + 1
                if not inside.keys().isdisjoint(wanted):
                    holders.append(version)
        return frozenset(holders)

    def _kin(self, changed: list[tuple[str, Any]]) -> frozenset[tuple[str, str]]:
        """Names of what is changed, each with the names whose objects, or classes, it was made of before."""
        user = self.user
        others: dict[int, list[str]] = {}
        for name, value in user.items():
            if type(value) not in ATOMS and not is_shells(name):
                others.setdefault(id(value), []).append(name)
        kin = set()
        for name, changing in changed:
            made_of = parts((changing,), classes=True).keys() & others.keys()
            kin |= {(name, other) for key in made_of for other in others[key] if other != name}
        return frozenset(kin)

    # After a run

    def _held_by_others(self, execute: Execute) -> frozenset[Version]:
        """Versions of other cells that hold what this one changed under a name of its own, since a call gave it back.

        Or what it used up: an iterator that it read.
        """
        user = self.user
        wanted = dict(self._drained)
        for name in execute.touches:
            value = user.get(name)
            if type(value) in ATOMS:
                continue
            holders = references(user, name) - self._known(value, name, execute.cell_id)
            if holders > 1:  # `value` is one
                wanted[id(value)] = value
            wanted |= {id(each): each for each in behind(value, type(value))}
        return self._holders(execute, wanted)

    def _recalled(self, execute: Execute, garbage: Garbage) -> frozenset[Version]:
        """Originals that somebody keeps since this run; those of this cell's own last run are gone."""
        found: list[Version] = []
        for name in execute.writes:
            self._forget_original((name, execute.cell_id), garbage)
        for name in execute.reads:
            originals = self._originals.get(name, {})
            found += [(name, writer) for writer in originals if self._is_kept_elsewhere(name, writer, garbage)]
        if self.rules.copies_recalled:
            for version in found:
                self._forget_original(version, garbage)
            return frozenset(found)
        return frozenset()

    def _is_kept_elsewhere(self, name: str, writer: str, garbage: Garbage) -> bool:
        originals = self._originals[name]
        gone = sum(1 for value in garbage if value is originals[writer])
        return references(originals, writer) > self._known(originals[writer], name, writer) + gone + 1

    def _known(self, value: Any, name: str, writer: str) -> int:
        """References to a version of a name that do not count: the name, the version put aside, display history."""
        user = self.user
        out = user.get("Out")
        history = out.values() if type(out) is dict else ()
        count = sum(1 for mark in HISTORY if mark != name and user.get(mark) is value)
        count += sum(1 for shown in history if shown is value)
        return count + (self.aside.get((name, writer)) is value) + (user.get(name) is value)

    def _rebound(self, execute: Execute, prepared: Prepared, shared: frozenset[Version]) -> frozenset[Version]:
        """Shared versions whose name the cell itself gave another object, or deleted."""
        user, aside, given = self.user, self.aside, prepared.given
        deletes = execute.analysis.deletes - execute.analysis.may_bind  # on every path
        rebound = set()
        for name, writer in shared:
            if writer and name in execute.writes:
                shared_value = aside[name, writer]
                had = given[name] is shared_value if name in given else name in user or name in deletes
                if had and user.get(name) is not shared_value:
                    rebound.add((name, writer))
        return frozenset(rebound)

    def _found(self, execute: Execute, prepared: Prepared) -> frozenset[str]:
        """Names that an opaque cell bound, beside those its text shows."""
        before, user = prepared.before, self.user
        if before is None:
            return NOTHING
        bound = (n for n in user if not is_shells(n) and (n not in before or user[n] is not before[n]))
        return frozenset(bound) - execute.analysis.writes - execute.analysis.changes

    def _kept(self, execute: Execute, prepared: Prepared, garbage: Garbage) -> frozenset[str]:
        """Names whose new value counts as the old one."""
        user, imports = self.user, execute.analysis.imports
        kept: set[str] = set()
        if self.rules.same_import:
            kept = {n for n, old in prepared.old.items() if n in imports and user.get(n) is old}
        if execute.cutoff:
            kept |= self._unchanged(execute, prepared, garbage)
        return frozenset(kept)

    def _unchanged(self, execute: Execute, prepared: Prepared, garbage: Garbage) -> set[str]:
        """Equal immutable values; mutable ones only when all that the cell writes is equal: then the old ones stay.

        Not when old or new ones share an object with a value from elsewhere: it would be another one, or no longer the
        same one.
        """
        user, old = self.user, prepared.old
        equality = Equality()
        same = {name for name in sorted(old) if name in user and equality.holds(old[name], user[name])}
        firm = {name for name in same if immutable(user[name])}
        was_alone, is_alone = execute.cell_id in self._alone, self._stands_alone(execute)
        if is_alone:
            self._alone.add(execute.cell_id)
        else:
            self._alone.discard(execute.cell_id)
        other = same != execute.writes or prepared.touched or prepared.copied or not (was_alone and is_alone)
        if other and self.rules.cutoff_whole:
            return firm
        for name in same - firm:
            garbage.append(user[name])
            user[name] = old[name]
        return same

    def _stands_alone(self, execute: Execute) -> bool:
        """Whether nothing outside this cell holds an object that its values are made of. When unsure, not."""
        user, writes = self.user, execute.writes
        made = parts([user[name] for name in writes if name in user], classes=False)
        looks = MAX_LOOKS // 10 - len(made)
        if not made:
            return True
        others = [value for name, value in user.items() if name not in writes and not is_shells(name)]
        others += [value for (_, writer), value in self.aside.items() if writer != execute.cell_id]
        for value in others:
            if type(value) not in ATOMS:
                inside = parts((value,), classes=True)
                looks -= len(inside) + 1
                if looks < 0 or not inside.keys().isdisjoint(made):
                    return False
        return len(made) < MAX_PARTS


def is_shells(name: str) -> bool:
    """Names that IPython keeps for itself in the user's namespace."""
    return name in SHELL_NAMES or (name[:1] == "_" and name.strip("_ih0123456789") == "") or name[:2] == "__"


def references(table: dict[str, Any], key: str) -> int:
    """References to the value but the one that asking for it makes."""
    return sys.getrefcount(table[key]) - OWN


OWN = 0
OWN = references({"probe": object()}, "probe") - 1


def an_eighth_of_memory() -> int:
    """Bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8
