"""What one cell reads, writes and changes, in the form the graph asks for. Knows one cell at a time.

A `Reach` is what the cell's own text does; the graph adds what the functions do that it uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tailrace_kernel.facts import NOTHING, Analysis, CallEffects, Carry


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


def reach(analysis: Analysis, *, call_time: bool = True) -> Reach:
    """A `del` on some path is also a read; a name bound by import is not changed."""
    a = analysis
    changes = a.changes - a.imports if a.changes else NOTHING
    reads = a.immediate_reads | a.builtin_reads | changes
    if a.deletes:
        reads |= (a.deletes & a.writes) - a.binds
    later = frozenset().union(*a.deferred.values(), *(c.reads for c in a.calls.values())) if a.deferred or a.calls else NOTHING
    writes = a.writes | changes | a.binds | a.may_bind | a.deletes
    if not call_time:
        for c in a.calls.values():
            changes, writes = changes | c.changes, writes | c.changes | c.may_bind
        return Reach(reads | (later - a.binds), writes, changes, a.binds, a.deletes, a.imports, a.binds | a.may_bind)
    rebinds = a.binds | a.may_bind | a.deletes | (a.writes - changes)
    return Reach(
        reads, writes, changes, a.binds, a.deletes, a.imports, rebinds, later - a.binds - reads, a.calls, a.carries, a.opaque
    )


def is_table(name: str) -> bool:
    return ":" in name
