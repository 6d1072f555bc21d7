"""The runs under way in one kernel, and how far each is. Knows events and a clock it is given."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

import msgspec

from tailrace_protocol.events import CellStatus, Event, RunCounts, RunFinished, RunProgress, RunStarted
from tailrace_protocol.objects import RunMode

PROGRESS = 0.2  # seconds between two run_progress of one run
KNOWN_RUNS = 10_000  # run ids remembered, so that a frame sent again learns whether its run survived
ENDS = frozenset({"success", "error", "interrupted"})


class KeptRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run under way, for a gateway that takes its kernel over. `left`: cells that have not ended, in order."""

    run_id: str
    cells: tuple[str, ...]
    plan: tuple[str, ...]
    mode: RunMode
    left: tuple[str, ...]
    done: int


@dataclass(slots=True)
class _Run:
    started: RunStarted
    began: float
    total: int
    told: float
    left: dict[str, None]  # cells that have not ended, in order
    done: int = 0


class Runs:
    def __init__(self, now: Callable[[], float]):
        self._now = now
        self._active: dict[str, _Run] = {}
        self._known: dict[str, None] = {}
        self._asked: dict[str, tuple[str, ...]] = {}  # runs the kernel was asked for and has not told of yet
        self._latest: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._active)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._active

    def note(self, run_id: str) -> None:
        """A run that this gateway asked for."""
        self._known[run_id] = None
        if len(self._known) > KNOWN_RUNS:
            del self._known[next(iter(self._known))]

    def is_known(self, run_id: str) -> bool:
        return run_id in self._known

    @property
    def known(self) -> tuple[str, ...]:
        return tuple(self._known)

    @property
    def active(self) -> tuple[RunStarted, ...]:
        return tuple(run.started for run in self._active.values())

    def under_way(self) -> tuple[KeptRun, ...]:
        return tuple(
            KeptRun(
                run_id=run_id,
                cells=run.started.cells,
                plan=run.started.plan,
                mode=run.started.mode,
                left=tuple(run.left),
                done=run.done,
            )
            for run_id, run in self._active.items()
        )

    def take_over(self, kept: Iterable[KeptRun], known: Iterable[str]) -> list[Event]:
        """Go on with the runs of a gateway that is gone; what to publish of them."""
        events: list[Event] = []
        for run_id in known:
            self.note(run_id)
        for run in kept:
            started = RunStarted(run_id=run.run_id, cells=run.cells, plan=run.plan, mode=run.mode)
            self.follow(started)
            active = self._active[run.run_id]
            active.left, active.done = dict.fromkeys(run.left), run.done
            events.append(started)
            ended = next((cell_id for cell_id in run.plan if cell_id not in active.left), None)
            if ended is not None:
                events.append(RunProgress(run_id=run.run_id, done=run.done, total=active.total, cell_id=ended))
        return events

    def ask(self, run_id: str, cells: tuple[str, ...]) -> None:
        """The kernel is asked for this run now; `cells` is what it will probably run."""
        self._asked[run_id] = cells

    def give_up(self, run_id: str) -> None:
        """The kernel had nothing to run."""
        self._asked.pop(run_id, None)

    def unfinished(self) -> tuple[str, ...]:
        """Cells of the runs under way that have not ended, in the order they run."""
        under_way = [tuple(run.left) for run in self._active.values()]
        return tuple(cell_id for cells in (*under_way, *self._asked.values()) for cell_id in cells)

    def latest(self) -> tuple[str, ...]:
        """Cells of what runs, or ran last."""
        return (*self._latest, *self.unfinished())

    def follow(self, event: Event) -> RunProgress | None:
        """Take a published event in; the progress to publish after it, at most five a second."""
        match event:
            case RunStarted(run_id=run_id, plan=plan):
                self._asked.pop(run_id, None)
                self.note(run_id)
                self._latest = plan
                self._active[run_id] = _Run(event, self._now(), len(plan), self._now(), dict.fromkeys(plan))
            case RunFinished(run_id=run_id):
                self._active.pop(run_id, None)
            case CellStatus(run_id=str(run_id), status=status) if status in ENDS and run_id in self._active:
                return self._advance(run_id, event.cell_id)
        return None

    def _advance(self, run_id: str, cell_id: str) -> RunProgress | None:
        run = self._active[run_id]
        run.done += 1
        run.left.pop(cell_id, None)
        run.total = max(run.total, run.done)
        if self._now() - run.told < PROGRESS:
            return None
        run.told = self._now()
        return RunProgress(run_id=run_id, done=run.done, total=run.total, cell_id=cell_id)

    def lose(self, but: Container[str] = ()) -> list[RunFinished]:
        """Every run is lost: the kernel is gone, or has forgotten all runs but these."""
        lost = [
            RunFinished(
                run_id=run_id,
                status="lost",
                counts=RunCounts(success=0, error=0, skipped=0),
                seconds=round(self._now() - run.began, 6),
            )
            for run_id, run in self._active.items()
            if run_id not in but
        ]
        for run in lost:
            self._known.pop(run.run_id, None)
            del self._active[run.run_id]
        if not self._active:
            self._asked.clear()
            self._latest = ()
        return lost
