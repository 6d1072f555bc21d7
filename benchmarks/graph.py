"""K2 and K3: what an edit and a re-run cost as a notebook grows, and how long a plan takes, beside marimo's graph code.

Ours is the dataflow core without sockets: analysed cells go to the scheduler one by one; a re-run is request, prepare,
exec, commit, finish. marimo's is measured in its own process by `marimo_driver.py`. Times are CPU time of the process.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

from benchmarks.measurement import Finding, at_most, cpu_seconds_of, interleaved, ratio, run_parts
from benchmarks.notebooks import ROOT, SHAPES, Cells, chain, last_of
from benchmarks.peers import Marimo, marimo, our_versions, version_of
from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import Analysis
from tailrace_kernel.scheduler import Scheduler
from tailrace_kernel.stimuli import Bind, CellRegistered, Execute, RunRequested, Step
from tailrace_kernel.versions import Namespace

SMALL, MEDIUM, SHARED, LARGE = 50, 500, 800, 5_000  # cells
MARIMO_SIZES = (SMALL, 200, SHARED)  # it would need minutes to register 5,000 cells
PLANNED = 1_000  # cells
LEAF_RUNS = 20  # in one sample
MILLI, MICRO = 1e3, 1e6  # of a second
Works = dict[str, Callable[[], float]]


class Notebook:
    """The dataflow core with a loop around it that does nothing but exec; every cell has run once."""

    def __init__(self, cells: Cells) -> None:
        self.scheduler = Scheduler()
        self.executed = 0
        self._user: dict[str, Any] = {}
        self._namespace = Namespace(self._user)
        self._code = {cell: compile(code, cell, "exec") for cell, code in cells.items()}
        self._runs = 0
        register(self.scheduler, cells, analysed(cells))
        self.run(mode="all")
        assert self.executed == len(cells)

    def run(self, *cells: str, mode: Any = "reactive") -> None:
        self._runs += 1
        step = self.scheduler.step(RunRequested(run_id=f"run{self._runs}", cell_ids=cells, mode=mode))
        while (execute := self._due(step)) is not None:
            self._namespace.prepare(execute)
            exec(self._code[execute.cell_id], self._user)
            finished, _ = self._namespace.commit(execute, "success", 0.0)
            self.executed += 1
            step = self.scheduler.step(finished)

    def _due(self, step: Step) -> Execute | None:
        due = None
        for effect in step.effects:
            match effect:
                case Execute():
                    due = effect
                case Bind():
                    self._namespace.apply(effect)
        return due


def analysed(cells: Cells) -> dict[str, Analysis]:
    return {cell: analyze(code) for cell, code in cells.items()}


def register(scheduler: Scheduler, cells: Cells, facts: dict[str, Analysis]) -> None:
    for cell, analysis in facts.items():
        scheduler.step(CellRegistered(cell_id=cell, code=cells[cell], analysis=analysis))


def registration(seed: int) -> Iterator[Finding]:
    """K3: a chain of N, from analysed (compiled) cells to edges."""

    def sample(cells: Cells, facts: dict[str, Analysis]) -> float:
        seconds, times = 0.0, min(10, LARGE // len(cells))
        for _ in range(times):
            gc.collect()
            scheduler = Scheduler()
            seconds += cpu_seconds_of(partial(register, scheduler, cells, facts))
            assert len(scheduler.edges()) == len(cells) - 1
        return seconds / times

    works: Works = {}
    for size in (SMALL, MEDIUM, SHARED, LARGE):
        cells = chain(size)
        works[f"tailrace {size}"] = partial(sample, cells, analysed(cells))
    with ExitStack() as stack:
        if (theirs := marimo(stack)) is not None:
            works |= {f"marimo {n}": partial(theirs.cpu_seconds, "register", cells=chain(n)) for n in MARIMO_SIZES}
        series = interleaved(4, works, seed)
    cell = {name: taken.scaled(MICRO / int(name.split()[1])) for name, taken in series.items()}
    growth = ratio(cell[f"tailrace {LARGE}"], cell[f"tailrace {MEDIUM}"])
    against = ratio(series[f"tailrace {SHARED}"], series.get(f"marimo {SHARED}"))
    yield Finding(
        "K3",
        "register a chain of N, one by one; per cell",
        "µs",
        cell,
        (
            at_most(f"N = {LARGE:,} ≤ 1.2x of N = {MEDIUM}", growth, 1.2),
            at_most(f"chain of {SHARED} ≤ 1/5 of marimo", against, 1 / 5),
        ),
    )


def leaf(seed: int) -> Iterator[Finding]:
    """K2: one leaf of a chain that has run runs again."""

    def sample(notebook: Notebook, cell: str) -> float:
        def work() -> None:
            for _ in range(LEAF_RUNS):
                notebook.run(cell)

        return cpu_seconds_of(work) / LEAF_RUNS

    works: Works = {}
    for size in (SMALL, MEDIUM, LARGE):
        cells = chain(size)
        works[f"tailrace {size}"] = partial(sample, Notebook(cells), last_of(cells))
    with ExitStack() as stack:
        for size in MARIMO_SIZES:
            if (theirs := marimo(stack)) is not None:
                theirs.ask("load", cells=chain(size))
                works[f"marimo {size}"] = partial(theirs.cpu_seconds, "run", cell=last_of(chain(size)))
        series = interleaved(12, works, seed, every={name: 3 for name in works if name.startswith("marimo")})
    growth = ratio(series[f"tailrace {LARGE}"], series[f"tailrace {SMALL}"])
    theirs_grows = ratio(series.get(f"marimo {SHARED}"), series.get("marimo 200"))
    yield Finding(
        "K2",
        "re-run the last cell of a chain of N",
        "ms",
        {name: taken.scaled(MILLI) for name, taken in series.items()},
        (at_most(f"N = {LARGE:,} ≤ 1.2x of N = {SMALL}", growth, 1.2),),
        "" if theirs_grows is None else f"marimo grows {theirs_grows:.1f}x from 200 to {SHARED} cells",
    )


def planning(seed: int) -> Iterator[Finding]:
    """What a cascade of 1,000 cells would run, in order and with reasons."""

    def sample(notebook: Notebook) -> float:
        seconds = cpu_seconds_of(lambda: plans.append(notebook.scheduler.plan((ROOT,))))
        assert len(plans.pop().order) == PLANNED
        return seconds

    plans: list[Any] = []
    for shape, build in SHAPES.items():
        works: Works = {"tailrace": partial(sample, Notebook(build(PLANNED)))}
        with ExitStack() as stack:
            if shape == "chain" and (theirs := marimo(stack)) is not None:
                works["marimo"] = loaded_plan(theirs, build(PLANNED))
            series = interleaved(15, works, seed)
        yield Finding(
            "plan",
            f"plan a cascade over a {shape} of {PLANNED:,}",
            "ms",
            {name: taken.scaled(MILLI) for name, taken in series.items()},
            (at_most("≤ 5 ms on a quiet core", series["tailrace"].p10 * MILLI, 5.0),),
        )


def loaded_plan(theirs: Marimo, cells: Cells) -> Callable[[], float]:
    theirs.ask("register", cells=cells)
    return partial(theirs.cpu_seconds, "plan", cell=ROOT)


def versions() -> dict[str, str | None]:
    return {**our_versions("tailrace"), "marimo": version_of("marimo")}


if __name__ == "__main__":
    sys.exit(run_parts({"K2": leaf, "K3": registration, "plan": planning}, versions))
