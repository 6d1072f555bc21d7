"""What analysis knows about a value: which outside objects it may be or hold, and what calling it does. Pure data."""

from collections.abc import Iterable
from dataclasses import dataclass

from tailrace_kernel.facts import NOTHING, OWN_MARK, CallEffects, Carry, Hand, Pass, Place

NO_CARRIES: frozenset[Carry] = frozenset()


@dataclass(frozen=True, slots=True)
class Value:
    """`same`: names whose object this may be, or be a part of: changing it changes them.

    `parts`: names whose object this fresh container may hold: only changing an element changes them.
    """

    same: frozenset[str] = NOTHING
    parts: frozenset[str] = NOTHING
    calls: CallEffects | None = None
    carries: frozenset[Carry] = NO_CARRIES

    def element(self) -> "Value":
        """What a subscript or an iteration gives."""
        if not self.parts:
            return self
        return Value(self.same | self.parts, NOTHING, self.calls, self.carries)

    def inside(self) -> "Value":
        """A fresh container that holds this, or holds what this holds."""
        if not self.same:
            return self
        return Value(NOTHING, self.same | self.parts, self.calls, self.carries)

    def callable_part(self) -> "Value":
        return Value(NOTHING, NOTHING, self.calls, self.carries) if self.calls or self.carries else UNKNOWN


UNKNOWN = Value()


def own_names(value: Value) -> set[str]:
    """Names of the cell itself whose object this may be, or be a part of."""
    return {key[: -len(OWN_MARK)] for key in value.same if key.endswith(OWN_MARK)}


def marked(name: str, value: Value) -> Value:
    """`value`, bound to a name of the cell, where nothing outside is known that it could be."""
    if any(not key.endswith(OWN_MARK) for key in value.same):
        return value
    return Value(value.same | {name + OWN_MARK}, value.parts, value.calls, value.carries)


def either(values: Iterable[Value]) -> Value:
    """One of `values`, nobody knows which."""
    found = [value for value in values if value is not UNKNOWN]
    if len(found) <= 1:
        return found[0] if found else UNKNOWN
    return Value(
        NOTHING.union(*(value.same for value in found)),
        NOTHING.union(*(value.parts for value in found)),
        merge_calls(value.calls for value in found),
        NO_CARRIES.union(*(value.carries for value in found)),
    )


def merge_calls(effects: Iterable[CallEffects | None]) -> CallEffects | None:
    found = [effect for effect in effects if effect is not None]
    if len(found) <= 1:
        return found[0] if found else None
    return CallEffects(
        NOTHING.union(*(effect.reads for effect in found)),
        NOTHING.union(*(effect.changes for effect in found)),
        NOTHING.union(*(effect.may_bind for effect in found)),
        any(effect.makes_callables for effect in found),
        frozenset[tuple[str, Place]]().union(*(effect.alters for effect in found)),
        frozenset[tuple[str, str]]().union(*(effect.relays for effect in found)),
        frozenset[Hand]().union(*(effect.hands for effect in found)),
        frozenset[Pass]().union(*(effect.passes for effect in found)),
        NOTHING.union(*(effect.methods for effect in found)),
        any(effect.remembers for effect in found),
        any(effect.makes_remembering for effect in found),
        frozenset[Hand]().union(*(effect.bound for effect in found)),
    )
