"""The rules of the dataflow machine that a test may switch off to see that their absence is noticed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """All on in production. DESIGN.md §3 names them in this order."""

    builtin_never_below: bool = True
    own_never_below: bool = True
    may_bind_passes: bool = True
    call_time: bool = True
    versions: bool = True
    spent: bool = True
    made_again_at_rest: bool = True
    copies: bool = True
    copies_recalled: bool = True
    sharing: bool = True
    parts: bool = True  # sharing looks into containers and instances
    readers_then: bool = True
    same_import: bool = True
