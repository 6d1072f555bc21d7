"""The objects behind the names: puts the right version of each name into the user's namespace around a run.

Decides nothing about order; follows the directions of the machine and reports what it saw. Whatever it lets go of is
returned as garbage: the caller drops it outside its lock, because dropping a last reference runs user code.
"""

from typing import Any

from tailrace_kernel.stimuli import Bind, CellFinished, Execute, Outcome

Garbage = list[Any]


class Namespace:
    """Wraps the dict that user code runs in; no other code may replace that dict."""

    def __init__(self, user: dict[str, Any], *, copies: bool = True, budget: int | None = None) -> None:
        self.user = user

    def apply(self, effect: Bind) -> Garbage:
        """Under the lock of the step that gave the effect."""
        raise NotImplementedError

    def prepare(self, execute: Execute) -> Garbage:
        """Bind what the cell reads. Call just before its code runs, in the thread that runs it."""
        raise NotImplementedError

    def commit(self, execute: Execute, outcome: Outcome, seconds: float) -> tuple[CellFinished, Garbage]:
        """Take what the cell wrote. Call just after its code ran; pass the result to `Scheduler.step`."""
        raise NotImplementedError
