"""A notebook without a shell around it: registers cells, runs what the machine asks for with exec, records all."""

import contextlib
import io
from functools import lru_cache
from types import CodeType
from typing import Any

from tailrace_kernel import analysis as python
from tailrace_kernel.facts import Analysis
from tailrace_kernel.rules import Rules
from tailrace_kernel.scheduler import Scheduler
from tailrace_kernel.stimuli import (
    Bind,
    CellFinished,
    CellRegistered,
    CellRemoved,
    CellsRegistered,
    CellsReordered,
    Event,
    Execute,
    Interrupted,
    Outcome,
    RunRequested,
    StatusChanged,
    Step,
    Stimulus,
    UpstreamFailed,
)
from tailrace_kernel.versions import Namespace


@lru_cache(8192)
def analyze(code: str) -> Analysis:
    return python.analyze(code)


@lru_cache(8192)
def compiled(code: str) -> CodeType:
    return compile(code, "<cell>", "exec")


def facts(**names: str) -> Analysis:
    """`facts(reads="a b", binds="c")`; `writes` is the union of what is bound, may be bound and deleted."""
    given = {kind: frozenset(text.split()) for kind, text in names.items()}
    writes = given.get("binds", frozenset()) | given.get("may_bind", frozenset()) | given.get("deletes", frozenset())
    writes |= given.pop("writes", frozenset()) | given.get("changes", frozenset())
    return Analysis(writes=writes, **given)  # type: ignore[arg-type]


class Notebook:
    """Cells are named a, b, c … by the caller. `runs`: cells really executed, in order."""

    def __init__(
        self,
        *,
        rules: Rules | None = None,
        copies: bool = True,
        budget: int | None = None,
        checked: bool = True,
    ) -> None:
        self.scheduler = Scheduler(rules)
        self.user: dict[str, Any] = {"__name__": "__main__"}
        self.namespace = Namespace(self.user, copies=copies, budget=budget, rules=rules)
        self.events: list[Event] = []
        self.runs: list[str] = []
        self.output: dict[str, str] = {}
        self.error: dict[str, str] = {}
        self.code: dict[str, str] = {}
        self.waiting: Execute | None = None
        self.checked = checked
        self._count = 0
        self._valid = -1

    # Stimuli

    def step(self, stimulus: Stimulus) -> Step:
        step = self.scheduler.step(stimulus)
        self.events += step.events
        for event in step.events:
            if isinstance(event, UpstreamFailed):
                self.error[event.cell_id] = f"{event.ename}: {event.evalue}"
                self.output[event.cell_id] = ""
        for effect in step.effects:
            if isinstance(effect, Bind):
                self.namespace.apply(effect)
            else:
                assert self.waiting is None
                self.waiting = effect
        if self.checked:
            self._validate()
        return step

    def _validate(self) -> None:
        """The graph is built anew only when it was changed: that takes most of the time."""
        edits = self.scheduler.state.edits
        self.scheduler.validate(graph=edits != self._valid)
        self._valid = edits

    def put(self, cell: str, code: str, analysis: Analysis | None = None, **more: Any) -> Step:
        self.code[cell] = code
        return self.step(CellRegistered(cell_id=cell, code=code, analysis=analysis or analyze(code), **more))

    def put_all(self, cells: dict[str, str]) -> Step:
        self.code.update(cells)
        stimuli = tuple(CellRegistered(cell_id=c, code=code, analysis=analyze(code)) for c, code in cells.items())
        return self.step(CellsRegistered(cells=stimuli))

    def remove(self, cell: str, **more: Any) -> list[str]:
        del self.code[cell]
        self.output.pop(cell, None)
        return self._drive(CellRemoved(cell_id=cell, **more))

    def order(self, *cells: str) -> Step:
        return self.step(CellsReordered(cell_ids=cells))

    def run(self, *cells: str, mode: Any = "reactive") -> list[str]:
        """Request a run and carry it out; returns the cells executed by it."""
        self._count += 1
        return self._drive(RunRequested(run_id=f"run{self._count}", cell_ids=cells, mode=mode))

    def request(self, *cells: str, mode: Any = "reactive", run_id: str | None = None) -> Step:
        """Only ask."""
        self._count += 1
        return self.step(RunRequested(run_id=run_id or f"run{self._count}", cell_ids=cells, mode=mode))

    def interrupt(self, run_id: str | None = None) -> Step:
        return self.step(Interrupted(run_id=run_id))

    def _drive(self, stimulus: Stimulus) -> list[str]:
        here = len(self.runs)
        self.step(stimulus)
        self.finish_all()
        return self.runs[here:]

    # Execution

    def finish_all(self) -> None:
        while self.waiting is not None:
            self.finish()

    def begin(self) -> Execute:
        assert self.waiting is not None
        self.namespace.prepare(self.waiting)
        return self.waiting

    def finish(self, outcome: Outcome | None = None) -> CellFinished:
        """Execute the cell that is due; `outcome` pretends an interruption instead."""
        execute = self.begin()
        self.waiting = None
        outcome = outcome or self._execute(execute)
        finished, garbage = self.namespace.commit(execute, outcome, 0.001)
        del garbage
        self.step(finished)
        return finished

    def _execute(self, execute: Execute) -> Outcome:
        cell = execute.cell_id
        self.runs.append(cell)
        self.error.pop(cell, None)
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                exec(compiled(self.code.get(cell, "")), self.user)
        except Exception as error:
            self.error[cell] = f"{type(error).__name__}: {error}"
            error.__traceback__ = None
            return "error"
        finally:
            self.output[cell] = out.getvalue()
        return "success"

    # What is seen

    def status(self, cell: str) -> str:
        return self.scheduler.cell(cell).status

    def statuses(self) -> dict[str, str]:
        return {cell: self.status(cell) for cell in self.scheduler.order()}

    def value(self, name: str) -> Any:
        return self.user[name]

    def changes(self, cell: str) -> list[str]:
        """All statuses the cell has shown."""
        return [e.status for e in self.events if isinstance(e, StatusChanged) and e.cell_id == cell]

    def all_fresh(self) -> bool:
        records = self.scheduler.state.records.values()
        return all(r.fresh and r.outcome == "success" for r in records)
