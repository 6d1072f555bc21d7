"""Runs under way, and what one structural step did: what requests and the conductor tell each other.

Pure data; must not know the machine, threads or sockets.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tailrace_kernel.outbox import Header
from tailrace_kernel.runner import Failure
from tailrace_kernel.stimuli import CellDropped
from tailrace_protocol.kernel_messages import ExecuteCellsReply, ExecutedCell, KernelEdge, KernelReason, SkippedCell


@dataclass(slots=True)
class Run:
    """One request under way. `finished` is called once, under no lock, on whatever thread ended the run."""

    run_id: str
    header: Header  # of the request, with run_id: parent of everything the run publishes
    message: dict[str, Any]  # the request as a message, for input and comms
    finished: Callable[["Run"], None]
    began: float = field(default_factory=time.monotonic)
    stdin: frozenset[str] = frozenset()  # cells that may ask for input
    claim: Callable[[str], dict[str, Any] | None] | None = None  # a cell's own request, if its outputs belong there
    settle: Callable[["Run"], Awaitable[None]] | None = None  # awaited before the machine chooses the next cell
    has_turn: bool = False  # its request waits in the shell queue and drives when its turn comes
    plan: frozenset[str] = frozenset()
    executed: dict[str, ExecutedCell] = field(default_factory=dict)
    failures: dict[str, Failure | None] = field(default_factory=dict)
    ended: bool = False
    skipped: dict[str, KernelReason] = field(default_factory=dict)

    def message_for(self, cell_id: str) -> dict[str, Any]:
        """The message that a cell's outputs, comms and input belong to."""
        message = (self.claim and self.claim(cell_id)) or self.message
        header = {**message["header"], "cell_id": cell_id, "run_id": self.run_id}
        return {**message, "header": header, "allow_stdin": cell_id in self.stdin}

    def reply(self) -> ExecuteCellsReply:
        skipped = tuple(SkippedCell(cell_id=cell, reason=reason) for cell, reason in self.skipped.items())
        return ExecuteCellsReply(run_id=self.run_id, executed=tuple(self.executed.values()), skipped=skipped)


def has_ended(run: Run | None) -> bool:
    return run is not None and run.ended


@dataclass(slots=True)
class Change:
    """What one structural step did, gathered from its events for the reply."""

    added_edges: list[KernelEdge] = field(default_factory=list)
    removed_edges: list[KernelEdge] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    dropped: CellDropped | None = None
    started: bool = False  # a run began with it
