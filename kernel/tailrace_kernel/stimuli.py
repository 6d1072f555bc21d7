"""What enters and leaves the dataflow machine: stimuli, events, effects, and the values inside them.

Pure data, in msgspec structs because several are made for every cell of a cascade. A *version* of a name is a
pair (name, cell that wrote it). Statuses, reasons and edges are the kernel wire's own, so that a shell forwards them as
they are.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from tailrace_kernel.facts import NOTHING, Analysis
from tailrace_protocol.kernel_messages import KernelDiagnostic, KernelEdge, KernelReason, StatusChange
from tailrace_protocol.objects import CellMode, CellType, RunMode, Status

Outcome = Literal["success", "error", "interrupted"]
Version = tuple[str, str]  # name, cell that wrote it


# Stimuli: what happened outside. `Scheduler.step` raises TailraceError(UNKNOWN_CELL) for ids it does not know.


class CellRegistered(Struct, frozen=True, kw_only=True):
    """A cell is new or has new code or settings. `after_cell_id`: None = top; an unknown id = end.

    Without `after_cell_id` and `index` a known cell keeps its place and a new one goes to the end. `payload` is
    what the runner needs; the machine hands it back in `Execute` unread.
    """

    cell_id: str
    code: str
    analysis: Analysis
    cell_type: CellType = "python"
    mode: CellMode = "auto"
    version: int | None = None  # counted from 1 by the machine when None
    after_cell_id: str | UnsetType | None = UNSET
    index: int | None = None
    allow_outside_effects: bool = False
    payload: Any = None


class CellsRegistered(Struct, frozen=True, kw_only=True):
    """Many at once; their order is the document's order, cells not named here come after them."""

    cells: tuple[CellRegistered, ...]


class CellRemoved(Struct, frozen=True, kw_only=True):
    """With `run_dependents` the direct readers that had run run again, under `run_id`."""

    cell_id: str
    run_dependents: bool = True
    run_id: str | None = None


class CellsReordered(Struct, frozen=True, kw_only=True):
    """The document's order; cells not named keep their order and come after these."""

    cell_ids: tuple[str, ...]


class RunRequested(Struct, frozen=True, kw_only=True):
    """`cell_ids` is ignored by the modes `stale` and `all`. `run_id` must be new."""

    run_id: str
    cell_ids: tuple[str, ...] = ()
    mode: RunMode = "reactive"


class CellFinished(Struct, frozen=True, kw_only=True):
    """The cell of the last `Execute` ended. Made by `Namespace.commit`; hand-made ones may leave the rest out."""

    cell_id: str
    outcome: Outcome
    seconds: float = 0.0
    execution_count: int | None = None  # of this run
    unbound: frozenset[str] = NOTHING  # names it may write that are not bound now
    deleted: frozenset[str] = NOTHING  # those of them that it unbound itself, though its text may also leave them alone
    kept: frozenset[str] = NOTHING  # names whose new value counts as the old one: no new generation
    copied: frozenset[str] = NOTHING  # changed names of which it got a copy: the version above stays good
    touched: frozenset[str] = NOTHING  # changed names whose object itself was handed out
    shared: frozenset[Version] = (
        frozenset()
    )  # other versions that held such an object before; writer "" = the one shown
    kin: frozenset[tuple[str, str]] = frozenset()  # (changed name, name of an object or class that it was made of)
    rebound: frozenset[Version] = frozenset()  # those of them whose name it gave another object, or deleted
    recalled: frozenset[Version] = frozenset()  # versions somebody works on copies of and that are shared now
    found: frozenset[str] = NOTHING  # names an opaque cell was seen to bind
    excess: int = 0  # bytes that kept versions take beyond their budget
    held: tuple[tuple[Version, int], ...] = ()  # with `excess`: versions that could go, in bytes


class Interrupted(Struct, frozen=True, kw_only=True):
    """Drops what is pending (of one run when given). The running cell ends by its own `CellFinished`."""

    run_id: str | None = None


class SettingsChanged(Struct, frozen=True, kw_only=True):
    lazy: bool | None = None
    cutoff: bool | None = None


class VersionsEvicted(Struct, frozen=True, kw_only=True):
    """The namespace let these versions go to keep its budget: they count as spent."""

    versions: tuple[Version, ...]


Stimulus = (
    CellRegistered
    | CellsRegistered
    | CellRemoved
    | CellsReordered
    | RunRequested
    | CellFinished
    | Interrupted
    | SettingsChanged
    | VersionsEvicted
)


# Events: what the machine did, in order.


StatusChanged = StatusChange  # `run_id` is the run that caused it, None for edits and moves


class GraphChanged(Struct, frozen=True, kw_only=True):
    version: int
    added_cells: tuple[str, ...] = ()
    removed_cells: tuple[str, ...] = ()
    added_edges: tuple[KernelEdge, ...] = ()
    removed_edges: tuple[KernelEdge, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()  # all cycles there are now


class RunStarted(Struct, frozen=True, kw_only=True):
    run_id: str
    mode: RunMode
    cells: tuple[str, ...]  # as named by the request
    plan: tuple[str, ...]  # in the order they will run
    reason: KernelReason | None = None
    expected_seconds: float | None = None


class RunFinished(Struct, frozen=True, kw_only=True):
    run_id: str
    status: Outcome
    success: int = 0
    error: int = 0
    skipped: int = 0


class CellSkipped(Struct, frozen=True):
    """A cell of a run's plan did not run in it: it was fresh, dropped, or may not run unasked."""

    cell_id: str
    run_id: str
    reason: KernelReason


class UpstreamFailed(Struct, frozen=True):
    """The error output of a cell that was not run; its `StatusChanged` to error follows."""

    cell_id: str
    run_id: str | None
    evalue: str
    names: tuple[str, ...]
    from_cells: tuple[str, ...]
    ename: str = "UpstreamError"


class CellDropped(Struct, frozen=True):
    """The answer to `CellRemoved`: names that are gone, names that show another cell's version, direct readers."""

    cell_id: str
    removed_names: tuple[str, ...]
    rebound: dict[str, str]
    dependents: tuple[str, ...]


class VariablesChanged(Struct, frozen=True):
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


Event = (
    StatusChanged
    | GraphChanged
    | RunStarted
    | RunFinished
    | CellSkipped
    | UpstreamFailed
    | CellDropped
    | VariablesChanged
)


# Effects: what the shell must do now, in order.


class Directions(Struct, frozen=True):
    """For the namespace, in this order: give versions to another cell (name, from, to), put what is shown aside,
    drop versions, bind names (None: unbind)."""

    adopt: tuple[tuple[str, str, str], ...] = ()
    save: tuple[Version, ...] = ()
    forget: tuple[Version, ...] = ()
    bind: tuple[tuple[str, str | None], ...] = ()


STAY = Directions()


class Bind(Struct, frozen=True):
    """Never emitted while a cell runs: apply it under the same lock as the step, drop the garbage outside."""

    directions: Directions


class EarlyQuery(Struct, frozen=True):
    """A pending cell whose query may begin now, if its answer is checked at its turn; otherwise it runs then."""

    cell_id: str
    payload: Any


class Execute(Struct, frozen=True):
    """Run this cell; answer with `CellFinished`. At most one is outstanding."""

    cell_id: str
    run_id: str
    version: int
    analysis: Analysis
    payload: Any
    writes: frozenset[str]  # names that may be bound or unbound by it, tables among them
    reads: frozenset[str] = NOTHING
    changes: frozenset[str] = NOTHING  # names whose object it may change in place
    directions: Directions = STAY
    touches: frozenset[str] = NOTHING  # names it binds and whose object it changes: others may hold it
    keeps: frozenset[str] = NOTHING  # names whose old value is compared with the new one
    sources: dict[str, str] = {}  # changed name → cell whose version it gets
    cutoff: bool = False
    opaque: bool = False  # what it binds cannot be known before
    caught: frozenset[str] = NOTHING  # names that it does not read and may unbind at the end of an `except`
    early: tuple[EarlyQuery, ...] = ()  # may begin beside it


Effect = Execute | Bind


class Step(Struct, frozen=True):
    events: tuple[Event, ...]
    effects: tuple[Effect, ...]


# Answers to questions; none changes the machine.


class CellView(Struct, frozen=True, kw_only=True):
    """`reads` and `writes` as analysed; `diagnostics` are those of the graph (cycle, run cap), not the analysis'."""

    cell_id: str
    cell_type: CellType
    mode: CellMode
    version: int
    status: Status
    reason: KernelReason | None
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    diagnostics: tuple[KernelDiagnostic, ...] = ()
    seconds: float | None = None


class Plan(Struct, frozen=True, kw_only=True):
    """What a request would run now: order, groups without edges inside, and why each cell is in it."""

    order: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    reasons: dict[str, KernelReason]
    expected_seconds: float | None = None
    seconds: dict[str, float] = {}  # what each cell took at its last run
    made_again: tuple[str, ...] = ()  # cells that run only because what they gave was changed in place or let go
    made_again_seconds: float | None = None
