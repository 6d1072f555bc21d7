"""The moves a block makes on variables: load, bind, delete, change, call. Keeps state and record; knows no syntax."""

import builtins
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tailrace_kernel.facts import NOTHING, OWN_MARK, CallEffects, Carry, Hand, Pass, Place, any_class, handed_on
from tailrace_kernel.python_scopes import Scope, Variable
from tailrace_kernel.python_state import Record, State
from tailrace_kernel.python_values import UNKNOWN, Value, either, marked, merge_calls, own_names

BUILTINS = frozenset(dir(builtins))


@dataclass(slots=True)
class Attempt:
    """What a `try` body (or anything that may be left half-way) touched so far."""

    bound: dict[str, list[Value]] = field(default_factory=dict)
    unbound: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class ClassState:
    """A class and its attributes that all its instances change. `on_class`: the method gets the class."""

    name: str
    shared: frozenset[str]
    on_class: bool = False


class Names:
    """One block that runs at one time: a module with its class bodies and comprehensions, or a function body."""

    def __init__(self, scope: Scope, state: State, *, is_function: bool) -> None:
        self.scope = scope
        self.state = state
        self.record = Record()
        self.is_function = is_function
        self.attempts: list[Attempt] = []
        self.made: list[list[CallEffects]] = []  # what each open class body defines
        self.parameters: dict[str, tuple[Place, ...]] = {}  # of a function: by which places its caller gives them
        self.method = ""  # the function's name, in a class body
        self.classes: list[CallEffects] = []  # that a function body defines: its results may be of them
        self.owner: ClassState | None = None  # of methods; of blocks: the class whose body is open

    def load(self, name: str) -> Value:
        """A name is read. Whoever takes the value says `use` when it may be called there."""
        return self._load(self.scope.variable(name))

    def _load(self, variable: Variable) -> Value:
        known = self.state.values.get(variable.key, UNKNOWN)
        if variable.key in self.state.bound:
            return known
        if variable.is_global:
            self.record.reads.add(variable.key)
            outside = Value(frozenset((variable.key,)), NOTHING, None, frozenset((Carry(variable.key, False),)))
            return either((known, outside))
        if variable.fallback is not None:
            return either((known, self._load(Variable(variable.fallback, True))))
        return known

    def bind(self, name: str, value: Value = UNKNOWN, *, by_import: bool = False, scope: Scope | None = None) -> None:
        variable = (scope or self.scope).variable(name)
        if variable.is_global and not self.is_function and not by_import:
            value = marked(variable.key, value)
        self.state.bind(variable.key, value)
        for attempt in self.attempts:
            attempt.bound.setdefault(variable.key, []).append(value)
        if variable.is_global:
            self.record.stored.add(variable.key)
            (self.record.imported if by_import else self.record.assigned).add(variable.key)

    def note_function(self, name: str) -> None:
        """`name` was bound to a function or class that this block defines."""
        variable = self.scope.variable(name)
        if variable.is_global:
            self.record.functions.add(variable.key)

    def delete(self, name: str) -> None:
        variable = self.scope.variable(name)
        if variable.is_global:
            if variable.key not in self.state.bound:
                self.record.reads.add(variable.key)
            self.record.deleted.add(variable.key)
        self.unbind(variable)

    def leave_handler(self, name: str) -> None:
        variable = self.scope.variable(name)
        if variable.is_global:
            self.record.caught.add(variable.key)
        self.unbind(variable)

    def unbind(self, variable: Variable) -> None:
        self.state.unbind(variable.key)
        for attempt in self.attempts:
            attempt.unbound.add(variable.key)

    def change(self, value: Value, root: str | None) -> None:
        """An object is changed in place; `root` is the name it was reached from in the source."""
        own = own_names(value)
        if own:
            self.record.touched |= own
            value = replace(value, same=frozenset(key for key in value.same if not key.endswith(OWN_MARK)))
        if not value.same:
            if root is not None and self.scope.encloses(self.scope.variable(root).key):
                self.record.remembers = True
            return
        self.record.changes |= value.same
        self.record.reads.update(name for name in value.same if "@" not in name)
        if root is not None:
            variable = self.scope.variable(root)
            name = variable.key if variable.is_global else variable.fallback
            if name in value.same and name not in self.state.bound:
                self.record.changed.add(name)

    def change_class(self) -> None:
        """A method changes the class that it belongs to."""
        variable = self.scope.variable(self.owner.name) if self.owner is not None else None
        if variable is not None and variable.is_global:
            self.record.reads.add(variable.key)
            self.record.changes.add(variable.key)

    def enrich(self, root: str | None, value: Value) -> None:
        """`value` was stored into the object that `root` names: that one holds it from now on."""
        part = value.inside()
        if root is None or part is UNKNOWN:
            return
        key = self.scope.variable(root).key
        self.state.values[key] = either((self.state.values.get(key, UNKNOWN), part))

    def use(self, value: Value) -> None:
        """The value may be called here: what its body does happens now."""
        if value.calls is not None:
            self._call(value.calls, set())

    def _call(self, effects: CallEffects, seen: set[str]) -> None:
        for name in effects.reads:
            known = self.state.values.get(name, UNKNOWN)
            if name not in self.state.bound:
                self.record.reads.add(name)
            if known.calls is not None and name not in seen:
                seen.add(name)
                self._call(known.calls, seen)
        for name in effects.changes:
            known = self.state.values.get(name, UNKNOWN)
            own = NOTHING if name in self.state.bound or "@" in name else frozenset((name,))
            self.change(Value(known.same | own), None)
            self.record.changed |= own
        self.record.hands |= effects.hands
        for hand in effects.hands:
            does = self.known(hand.callee)
            if does and hand.name not in self.state.bound and self._goes(does, hand.method, hand.place, (hand.name,)):
                self.change(Value(frozenset((hand.name,))), hand.name)
        for name in effects.may_bind:
            self.record.stored.add(name)
            self.record.assigned.add(name)
            self.state.gone.discard(name)
            self.state.values[name] = either((self.state.values.get(name, UNKNOWN), Value()))

    def known(self, name: str) -> tuple[CallEffects, ...]:
        """What calling a name of this very block does."""
        if name.startswith("."):
            every = {value.calls for value in self.state.values.values() if value.calls is not None}
            return tuple(does for does in every if name[1:] in does.methods)
        does = self.state.values.get(name, UNKNOWN).calls
        return () if does is None else (does,)

    def hand(self, callee: Value, method: str, place: Place, given: Value, *, part: bool = False) -> bool:
        """An object is handed to a call; returns whether that is known to change it.

        `part`: the method is one of something that the callee holds, whatever class that has.
        """
        record = self.record
        own = {mine for key in given.same for mine in self.parameters.get(key, ())}
        if place == 0 and 0 in own and not part:
            record.relays.add((self.method, method))
            own.discard(0)
        unknown = any_class(method)
        outside = [name for name in given.same if "@" not in name]
        if unknown is not None or not method:
            outside += [name for name in given.same if name.endswith(OWN_MARK)]
        if unknown is not None and (part or not (callee.carries or callee.calls)):
            record.passes.update(Pass(self.method, mine, unknown, method, place) for mine in own)
            return self._goes((), method, place, outside)
        for carry in callee.carries if outside or own else ():
            if (method or not carry.by_call) and carry.name not in BUILTINS:
                record.hands.update(Hand(carry.name, method, place, name) for name in outside)
                record.passes.update(Pass(self.method, mine, carry.name, method, place) for mine in own)
        return callee.calls is not None and self._goes((callee.calls,), method, place, outside)

    def give(self, functions: Iterable[Value]) -> None:
        """What is called may keep these functions."""
        for value in functions:
            if value.calls is not None:
                self.record.callbacks.add(value.calls)
            self.record.callbacks.update(carry.name for carry in value.carries if not carry.by_call)

    def bound_method(self, of: Value, method: str, *, part: bool) -> CallEffects | None:
        """What calling `method` of this object will do to the outside objects that it may be."""
        unknown = any_class(method)
        outside = [name for name in of.same if "@" not in name]
        if unknown is None or not outside:
            return None
        callees = {unknown} if part or not of.carries else {carry.name for carry in of.carries} - BUILTINS
        hands = frozenset(Hand(callee, method, 0, name) for callee in callees for name in outside)
        return CallEffects(hands=hands, bound=hands)

    def own_object(self) -> Value:
        """`super()` in a method."""
        return Value(frozenset(key for key, places in self.parameters.items() if 0 in places))

    def _goes(self, does: tuple[CallEffects, ...], method: str, place: Place, outside: Iterable[str]) -> bool:
        """Whether objects given to such a call are changed there; where they go outside, the graph will know."""
        went = handed_on(does, method, place, self.known)
        for callee, to_method, to_place in went:
            if callee and callee not in self.state.bound:
                self.record.hands.update(Hand(callee, to_method, to_place, name) for name in outside)
        return any(went.values())

    def define(self, effects: CallEffects) -> None:
        """A function or class came to be. In a function body what it does counts as done by that body."""
        self.record.makes_callables = True
        if self.made:
            self.made[-1].append(effects)
        if self.is_function:
            self._call(effects, set())
            if effects.methods:
                self.classes.append(effects)

    def effects(self) -> CallEffects:
        """What running this block (a function body) does."""
        record = self.record
        own = CallEffects(
            frozenset(record.reads),
            frozenset(name for name in record.changes if "@" not in name or self.scope.encloses(name)),
            frozenset(record.stored | record.deleted),
            record.makes_callables,
            self._alters(),
            frozenset(record.relays),
            frozenset(record.hands),
            self._passes(),
            makes_remembering=record.makes_remembering,
        )
        if not self.classes:
            return own
        return replace(
            own,
            alters=own.alters | {(method, place) for does in self.classes for method, place in does.alters if method},
            relays=own.relays.union(*(does.relays for does in self.classes)),
            passes=own.passes | {p for does in self.classes for p in does.passes if p.method},
            methods=NOTHING.union(*(does.methods for does in self.classes)),
        )

    def _passes(self) -> frozenset[Pass]:
        """As `_alters`: a constructor hands on what it is given, but for the new object itself."""
        if self.method not in ("__init__", "__call__"):
            return frozenset(self.record.passes)
        kept = (p for p in self.record.passes if p.place != 0 or self.method == "__call__")
        return frozenset(replace(p, method="") for p in kept)

    def _alters(self) -> frozenset[tuple[str, Place]]:
        """The parameters whose objects the body changes; what a constructor does to its arguments, the class does."""
        places = {place for key in self.record.changes for place in self.parameters.get(key, ())}
        if self.method == "__init__":
            places.discard(0)
        method = "" if self.method in ("__init__", "__call__") else self.method
        return frozenset((method, place) for place in places)

    def attempt_state(self, entry: State, attempt: Attempt) -> State:
        """What holds wherever in between the attempt was left."""
        state = entry.copy()
        state.live = True
        state.bound -= attempt.unbound
        state.gone -= attempt.bound.keys()
        for key, values in attempt.bound.items():
            state.values[key] = either((state.values.get(key, UNKNOWN), *values))
        return state


def class_value(made: list[CallEffects], methods: frozenset[str], bases: Value, decorators: list[Value]) -> Value:
    """A class: calling it, or anything of it, does what its methods and bases do."""
    called_itself = any(place == 0 and method == "" for does in made for method, place in does.alters)
    own = CallEffects(makes_callables=True, methods=methods, makes_remembering=called_itself)
    return Value(NOTHING, NOTHING, merge_calls((own, *made, bases.calls)), bases.carries | called(decorators))


def called(values: list[Value]) -> frozenset[Carry]:
    """What results of calling `values` carry."""
    return frozenset(Carry(carry.name, True) for value in values for carry in value.carries)
