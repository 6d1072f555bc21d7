"""What is known at one point of a block (`State`), and what a whole block has done to names (`Record`)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tailrace_kernel.facts import CallEffects, Diagnostic, Effect, Hand, Pass
from tailrace_kernel.python_values import UNKNOWN, Value, either


@dataclass(slots=True)
class State:
    """Keys of variables that are bound on every path to here, or unbound on every path, and values bound to them."""

    bound: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    values: dict[str, Value] = field(default_factory=dict)
    live: bool = True  # False behind raise, return, break, continue

    def copy(self) -> "State":
        return State(set(self.bound), set(self.gone), dict(self.values), self.live)

    def bind(self, key: str, value: Value) -> None:
        self.bound.add(key)
        self.gone.discard(key)
        if value is UNKNOWN:
            self.values.pop(key, None)
        else:
            self.values[key] = value

    def unbind(self, key: str) -> None:
        self.bound.discard(key)
        self.gone.add(key)
        self.values.pop(key, None)


def join(states: Iterable[State]) -> State:
    """Where paths meet. Dead paths do not count; if all are dead, so is the place behind them."""
    every = list(states)
    live = [state for state in every if state.live]
    if not live:
        dead = every[0].copy()
        dead.live = False
        return dead
    first, *others = live
    joined = first.copy()
    for other in others:
        joined.bound &= other.bound
        joined.gone &= other.gone
        for key, value in other.values.items():
            mine = joined.values.get(key)
            if mine != value:
                joined.values[key] = value if mine is None else either((mine, value))
    return joined


@dataclass(slots=True)
class Record:
    """Global names only, whatever the path. `changed` holds those changed under their own name."""

    reads: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)  # own names whose object, from nobody knows where, is changed
    stored: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)  # stored by anything but an import
    functions: set[str] = field(default_factory=set)
    effects: set[Effect] = field(default_factory=set)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    caught: set[str] = field(default_factory=set)
    hands: set[Hand] = field(default_factory=set)
    relays: set[tuple[str, str]] = field(default_factory=set)
    passes: set[Pass] = field(default_factory=set)
    callbacks: set[CallEffects | str] = field(default_factory=set)
    opaque: bool = False
    star: bool = False
    makes_callables: bool = False
    remembers: bool = False  # it changes what a function around it made
    makes_remembering: bool = False
