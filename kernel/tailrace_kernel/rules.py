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
    order_only: bool = True  # readers of a version run before the cell that changes it
    call_below_dropped: bool = True  # a call-time read drops an edge from below that would close a cycle
    unbinds_first: bool = True  # a name that a cell may bind and does not read
    failed_change_spends: bool = True
    sharers_stay: bool = True  # a version that shares an object is not let go
    pulls: bool = True
    skip_fresh: bool = True
    run_cap: bool = True
    failure_removes: bool = True  # names bound before the failure too
    no_fallback: bool = True  # to a writer above one that failed
    failed_not_pulled: bool = True  # while its code and inputs are unchanged
    cutoff_whole: bool = True  # equal containers stay only where all the cell writes is equal
    imports_exempt: bool = True  # a change of something imported is no write
    edited_not_pulled: bool = True  # an edited writer that has a value: nobody's half-typed code runs unasked
    unasked: bool = True  # cells in mode manual or with effects outside run only when named
    disabled: bool = True  # disabled cells and what depends on them do not run
    coalescing: bool = True  # one run for all requests that wait for the cell
    lazy: bool = True  # a cascade marks instead of runs, when the setting says so
    undo: bool = True  # staleness is derived: the code that ran makes fresh again
    deletion_runs: bool = True  # readers of a removed cell run, and what it changed is made again
