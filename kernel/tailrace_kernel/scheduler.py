"""The dataflow machine: which cells run, in what order and why. Knows no clock, thread, socket or user object.

A shell drives it under one lock: `step(stimulus)` gives events to publish and effects to perform, both in order.
"""

from collections.abc import Iterable

from tailrace_protocol.objects import RunMode

from tailrace_kernel.rules import Rules
from tailrace_kernel.stimuli import CellView, Plan, StatusChanged, Step, Stimulus


class Scheduler:
    """Mutable inside, immutable values at its edge."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()

    def step(self, stimulus: Stimulus) -> Step:
        """Take one stimulus; raises TailraceError(UNKNOWN_CELL, UNKNOWN_RUN) and is then unchanged."""
        raise NotImplementedError

    def plan(self, cell_ids: Iterable[str], mode: RunMode = "reactive") -> Plan:
        """What a request would do now; changes nothing."""
        raise NotImplementedError

    def cell(self, cell_id: str) -> CellView:
        raise NotImplementedError

    def story(self, cell_id: str) -> tuple[StatusChanged, ...]:
        """The last status changes of a cell, oldest first."""
        raise NotImplementedError

    def validate(self) -> None:
        """Recompute everything from scratch and compare; raises AssertionError. For tests."""
        raise NotImplementedError
