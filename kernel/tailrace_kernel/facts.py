"""What a cell does with names: the value that analysis produces and graph, scheduler and versions consume.

Pure data. A *name* is a string in one of two spaces that cannot collide: a Python identifier, or a table written
`connection:table` (a colon is in no identifier). Source of the terms: DESIGN.md §3, "Four kinds of write".
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import CodeType
from typing import Any, TypeVar

from tailrace_kernel.in_place import KNOWN_METHODS

_EMPTY: frozenset[Any] = frozenset()
NOTHING: frozenset[str] = _EMPTY
Item = TypeVar("Item")

# A notebook has thousands of these sets and most are empty: one object for all keeps the collector's walks short.


def packed(items: Set[Item]) -> frozenset[Item]:
    return frozenset(items) if items else _EMPTY


def union(*sets: frozenset[str]) -> frozenset[str]:
    """One of them itself where the others add nothing."""
    some = [each for each in sets if each]
    return some[0] if len(some) == 1 else NOTHING.union(*some) if some else NOTHING


class Effect(StrEnum):
    """An effect outside the notebook that analysis can see: such a cell runs only when it is named."""

    SHELL = "shell"
    SQL_WRITE = "sql_write"
    OPAQUE_SQL = "opaque_sql"


class Early(StrEnum):
    """What a cell that only asks a database may begin beside, before its turn: nothing there can change its answer."""

    BESIDE_PYTHON = "beside_python"  # the notebook's own in-memory DuckDB, which Python cells cannot reach
    BESIDE_QUERIES = "beside_queries"  # a database outside: Python may write there with no edge (`df.to_sql`)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """`line` counts from 1, `column` from 0 in code points; both None when the cell as a whole is meant."""

    kind: str
    message: str
    line: int | None = None
    column: int | None = None
    cells: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


Place = int | str  # 0 the receiver of a method, 1 and on the arguments, or a keyword; "**" any other keyword
MAX_PLACES = 16  # positional arguments that are followed through `*`


OWN_MARK = "@="  # behind a name of the cell itself: its object came from nobody knows where, others may hold it


@dataclass(frozen=True, slots=True)
class Hand:
    """The object of `name` is handed to a call of `callee`, or of its method ("" for none).

    `name` ends with `OWN_MARK` where the cell bound it itself.
    """

    callee: str
    method: str
    place: Place
    name: str


@dataclass(frozen=True, slots=True)
class Pass:
    """What is given to `method` at `place` is handed on to a call of `callee`, or of its method, at another place."""

    method: str
    place: Place
    callee: str
    to_method: str
    to_place: Place


@dataclass(frozen=True, slots=True)
class CallEffects:
    """What code does when it is *called*: it happens at the place of whoever uses the name it is bound to."""

    reads: frozenset[str] = NOTHING  # names of `builtins` included: a cell may write such a name
    changes: frozenset[str] = NOTHING
    may_bind: frozenset[str] = NOTHING  # declared `global` and stored
    makes_callables: bool = False  # its result may hold functions or classes defined inside
    alters: frozenset[tuple[str, Place]] = frozenset()  # (method or "", which of its arguments it changes in place)
    relays: frozenset[tuple[str, str]] = frozenset()  # (method, method that it calls on the same object)
    hands: frozenset[Hand] = frozenset()
    passes: frozenset[Pass] = frozenset()
    methods: frozenset[str] = NOTHING  # that the class defines
    remembers: bool = False  # calling it changes itself: a closure, a default that is a container
    makes_remembering: bool = False  # what it returns does
    bound: frozenset[Hand] = frozenset()  # of a bound method: its object is handed over, whatever its name is by now

    def of_result(self) -> "CallEffects":
        """What using the result of such a call does."""
        if not (self.remembers or self.makes_remembering or self.bound):
            return self
        return replace(self, remembers=self.makes_remembering, makes_remembering=False, bound=frozenset())

    def acts_by(self) -> frozenset[str]:
        """The methods that may change what they are called on or given."""
        found = {method for method, _ in self.alters} | {method for method, _ in self.relays}
        return packed((found | {p.method for p in self.passes}) - {""})


def any_class(method: str) -> str | None:
    """The callee that stands for whichever class of the notebook has this method; None where none is asked.

    Most objects with a method of the tables are no objects of notebook classes.
    """
    return None if method in KNOWN_METHODS or not method else f".{method}"


Known = Callable[[str], Iterable[CallEffects]]  # what calling a name does, as far as that is known


def handed_on(
    found: Iterable[CallEffects], method: str, place: Place, known: Known
) -> dict[tuple[str, str, Place], bool]:
    """Where an object goes that is given to such a call: (callee, method, place) → whether it is changed there.

    The callee "" is the call itself, and other methods of its object.
    """
    bodies = {"": tuple(found)}
    went: dict[tuple[str, str, Place], bool] = {}
    todo = [("", method, place)]
    while todo:
        callee, here, at = todo.pop()
        if (callee, here, at) in went:
            continue
        every = bodies[callee] if callee in bodies else bodies.setdefault(callee, tuple(known(callee)))
        went[callee, here, at] = any(m == here and _meets(at, place) for does in every for m, place in does.alters)
        for does in every:
            todo += [(callee, to, 0) for caller, to in does.relays if at == 0 and caller == here]
            todo += [
                (p.callee, p.to_method, p.to_place) for p in does.passes if p.method == here and _meets(at, p.place)
            ]
        unknown = any_class(here)
        if unknown is not None and not any(here in does.methods for does in every):
            todo.append((unknown, here, at))
    return went


def _meets(given: Place, place: Place) -> bool:
    """`**` on either side is any keyword."""
    return given == place or (isinstance(given, str) and isinstance(place, str) and "**" in (given, place))


def alters(found: Iterable[CallEffects], method: str, place: Place, known: Known) -> bool:
    """Whether such a call changes what it is given there, by itself or by what it hands it on to."""
    return any(handed_on(found, method, place, known).values())


@dataclass(frozen=True, slots=True)
class Carry:
    """A name bound from another: `g = f` carries what f does when called; `g = make()` what make's results do."""

    name: str
    by_call: bool


@dataclass(frozen=True, slots=True)
class CellCode:
    """Compiled once: the statements, then the last expression if the cell ends with one that is displayed."""

    body: CodeType | None
    last: CodeType | None
    is_async: bool  # top-level await in either
    transformed: str  # source after IPython's transform; equal to the cell's code when it uses no such syntax


@dataclass(frozen=True, slots=True)
class Analysis:
    """Names needed from outside and names given. `binds`, `may_bind`, `deletes` and `changes` refine `writes`.

    `reads` holds the names that only bodies of this cell's own functions read as well; those are repeated in
    `call_time`, and `immediate_reads` are the others: only they order, pull and bind below.
    """

    reads: frozenset[str] = NOTHING
    writes: frozenset[str] = NOTHING
    changes: frozenset[str] = NOTHING  # in place; those reached through an alias stand only here, not in writes
    imports: frozenset[str] = NOTHING  # subset of writes, bound by import
    builtin_reads: frozenset[str] = NOTHING  # names of `builtins` that are read and not bound
    deferred: Mapping[str, frozenset[str]] = field(default_factory=dict)  # function or class → names its body reads
    effects: frozenset[Effect] = NOTHING  # type: ignore[assignment]
    diagnostics: tuple[Diagnostic, ...] = ()
    code: CellCode | None = None
    binds: frozenset[str] = NOTHING  # on every path
    may_bind: frozenset[str] = NOTHING  # on some path
    deletes: frozenset[str] = NOTHING
    calls: Mapping[str, CallEffects] = field(default_factory=dict)  # written name → what calling it does
    carries: Mapping[str, tuple[Carry, ...]] = field(default_factory=dict)  # written name → where its calls come from
    opaque: bool = False  # exec, globals(), foreign magic: any name may be read or written
    parses: bool = True
    touches: frozenset[str] = NOTHING  # names it bound and whose objects it changes: others may hold those as well
    hands: frozenset[Hand] = frozenset()  # objects given to functions of other cells, which may change them
    star: bool = False  # `from m import *`: it may bind any name
    caught: frozenset[str] = NOTHING  # subset of writes: unbound again at the end of an `except … as name`
    call_time: frozenset[str] = NOTHING  # subset of reads (builtins left out): read by function bodies only
    callbacks: frozenset[CallEffects | str] = frozenset()  # functions given to calls: what they do, or their names
    needs: frozenset[str] = NOTHING  # of SQL cells: functions, schemas … gone through; read in the graph, not listed
    stored: frozenset[str] = NOTHING  # subset of writes: tables in memory, which are there in one version only
    lasting: bool = False  # what it stored before it failed stays
    early: Early | None = None  # of SQL cells; None: it waits for its turn

    @property
    def immediate_reads(self) -> frozenset[str]:
        return self.reads - self.call_time
