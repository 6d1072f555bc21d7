"""What the machine remembers of each cell: its text, its last run, its status. Decides nothing."""

from collections import deque
from typing import Any

from tailrace_kernel.facts import NOTHING, Analysis
from tailrace_kernel.stimuli import Outcome, StatusChanged
from tailrace_protocol.kernel_messages import KernelReason
from tailrace_protocol.objects import CellMode, CellType, Status

NOT_ANALYSED = Analysis()
STORY = 64  # status changes kept per cell
NO_VERSIONS: frozenset[tuple[str, str]] = frozenset()
Inputs = dict[str, tuple[tuple[str, int], ...]]  # name → writers consulted, each with the generation it had


class Record:
    """One cell. Fields of the last run keep their meaning while the cell is edited."""

    __slots__ = (
        "analysis",
        "cell_type",
        "code",
        "copied",
        "direct",
        "execution_count",
        "fresh",
        "generation",
        "given",
        "held",
        "id",
        "inputs",
        "kept",
        "kin",
        "late_inputs",
        "latest",
        "learned",
        "missed",
        "mode",
        "outcome",
        "own_stale",
        "passed",
        "payload",
        "ran_code",
        "reason",
        "seconds",
        "spends",
        "spent",
        "status",
        "story",
        "unasked",
        "unbound",
        "version",
    )

    def __init__(self, cell_id: str) -> None:
        self.id = cell_id
        self.code = ""
        self.analysis = NOT_ANALYSED
        self.cell_type: CellType = "python"
        self.mode: CellMode = "auto"
        self.version = 0
        self.payload: Any = None
        self.unasked: str | None = None  # why it may run only when named: a reason code
        # the last run
        self.outcome: Outcome | None = None
        self.ran_code: str | None = None
        self.inputs: Inputs = {}
        self.late_inputs: Inputs = {}  # of names that bodies of its functions read
        self.generation = 0
        self.kept: dict[str, int] = {}  # names whose generation is an older one: the same object was bound again
        self.given: frozenset[str] = NOTHING  # names it wrote
        self.unbound: frozenset[str] = NOTHING  # those of them that it left unbound
        self.passed: frozenset[str] = NOTHING  # those of them that readers look behind
        self.learned: frozenset[str] = NOTHING  # names it changed through sharing
        self.kin: frozenset[tuple[str, tuple[str, str]]] = frozenset()  # (name it changed, version that was made of)
        self.missed: frozenset[tuple[str, str]] = NO_VERSIONS  # versions to change, had they been bound above
        self.seconds: float | None = None
        self.execution_count: int | None = None
        self.direct: frozenset[tuple[str, str]] = NO_VERSIONS  # versions whose object it was handed to change
        self.copied: frozenset[tuple[str, str]] = frozenset()  # versions of whose object it got a copy
        self.spends: frozenset[tuple[str, str]] = NO_VERSIONS  # versions it spent
        self.latest: frozenset[tuple[str, str]] = NO_VERSIONS  # those of them that the last run spent
        self.spent: dict[str, set[str]] = {}  # its own versions that are spent → by which cells, "" = let go
        # derived
        self.own_stale = True  # its code or inputs differ from those of the last run
        self.fresh = False
        # shown
        self.status: Status = "idle"
        self.reason: KernelReason | None = None
        self.held: KernelReason | None = None  # why it was left out of a run that reached it
        self.story: deque[StatusChanged] | None = None  # made with the first change: most cells of a document rest

    def gives(self, name: str) -> bool:
        """Whether the last run left a version of this name: a value, or the knowledge that there is none."""
        return self.outcome == "success" and name in self.given

    def has(self, name: str) -> bool:
        """Whether there is an object."""
        return self.outcome == "success" and name in self.given and name not in self.unbound

    def generation_of(self, name: str) -> int:
        return self.kept.get(name, self.generation) if self.kept else self.generation
