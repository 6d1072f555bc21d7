"""What one cell reads, writes and changes, in the form the graph asks for. Knows one cell at a time.

A `Reach` is what the cell's own text does; the graph adds what the functions do that it uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tailrace_kernel.facts import NOTHING, Analysis, CallEffects, Carry, Hand, any_class, packed, union


@dataclass(frozen=True, slots=True)
class Reach:
    """`reads` and `writes` include what is changed in place. `later` is read by bodies of functions it defines."""

    reads: frozenset[str] = NOTHING
    writes: frozenset[str] = NOTHING
    changes: frozenset[str] = NOTHING
    binds: frozenset[str] = NOTHING
    deletes: frozenset[str] = NOTHING
    imports: frozenset[str] = NOTHING
    rebinds: frozenset[str] = NOTHING  # written otherwise than by a change
    later: frozenset[str] = NOTHING
    calls: Mapping[str, CallEffects] = field(default_factory=dict)
    carries: Mapping[str, tuple[Carry, ...]] = field(default_factory=dict)
    opaque: bool = False
    star: bool = False  # it may bind any name
    touches: frozenset[str] = NOTHING
    hands: frozenset[Hand] = frozenset()
    callbacks: frozenset[CallEffects | str] = frozenset()
    methods: frozenset[str] = NOTHING  # stand-ins for the classes that have the methods it calls


def reach(analysis: Analysis, *, call_time: bool = True) -> Reach:
    """Without `call_time` a function's reads and changes belong to the cell that defines it (a test's switch)."""
    a = analysis
    reads = union(a.reads, a.builtin_reads, a.changes, a.needs)
    writes = union(a.writes, a.changes)
    changes = a.changes
    if not call_time:
        for does in a.calls.values():
            changes, writes = changes | does.changes, writes | does.changes | does.may_bind
        return Reach(reads | changes, writes, changes, a.binds, a.deletes, a.imports, a.binds | a.may_bind)
    return Reach(
        reads - a.call_time if a.call_time else reads,
        writes,
        changes,
        a.binds,
        a.deletes,
        a.imports,
        union(a.binds, a.may_bind, a.deletes),
        a.call_time,
        a.calls,
        a.carries,
        a.opaque,
        a.star,
        a.touches,
        a.hands,
        a.callbacks,
        _stand_ins(a.hands) if a.hands else NOTHING,
    )


def _stand_ins(hands: frozenset[Hand]) -> frozenset[str]:
    return packed({callee for hand in hands if (callee := any_class(hand.method)) is not None})


def is_table(name: str) -> bool:
    return ":" in name
