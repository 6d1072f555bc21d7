"""Edits, removals, requests and interrupts while cells run: the machine stays whole and comes to rest."""

import random
from collections import Counter

import pytest

from tailrace_kernel.stimuli import (
    CellRegistered,
    CellRemoved,
    CellsReordered,
    Interrupted,
    RunFinished,
    RunRequested,
    RunStarted,
    SettingsChanged,
    StatusChanged,
)
from tests.kernel.dataflow import Notebook, analyze
from tests.kernel.random_texts import Texts

KINDS = (
    *("finish", "finish", "finish", "finish", "edit", "new", "remove", "order"),
    *("run", "run", "all", "stop", "mode", "lazy"),
)
TERMINAL = {"success", "error", "interrupted", "stale", "idle", "blocked", "disabled"}
NEXT = {
    "queued": {"running", *TERMINAL},
    "running": {"success", "error", "interrupted", "queued", "blocked", "disabled", "stale"},
}


class Storm:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.texts = Texts(random.Random(seed))
        self.notebook = Notebook(checked=True)
        self.counts: Counter[str] = Counter()
        self._count = 0

    def blow(self, steps: int) -> None:
        for text in self.texts.first_cells():
            self._register(f"c{self._next()}", text)
        for _ in range(steps):
            kind = self.random.choice(
                [
                    "finish",
                    "finish",
                    "finish",
                    "finish",
                    "edit",
                    "new",
                    "remove",
                    "order",
                    "run",
                    "run",
                    "all",
                    "stop",
                    "mode",
                    "lazy",
                ]
            )
            self.counts[kind] += self.notebook.waiting is not None
            self._act(kind)
        self.notebook.step(SettingsChanged(lazy=False))
        self.notebook.finish_all()

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _register(self, cell: str, text: str, mode: str = "auto") -> None:
        nb = self.notebook
        running = nb.waiting.cell_id if nb.waiting else None
        if cell != running:
            nb.code[cell] = text
        nb.step(CellRegistered(cell_id=cell, code=text, analysis=analyze(text), mode=mode))  # type: ignore[arg-type]

    def _act(self, kind: str) -> None:
        nb, rnd = self.notebook, self.random
        order = list(nb.scheduler.order())
        cell = rnd.choice(order) if order else ""
        match kind:
            case "finish":
                if nb.waiting is not None:
                    nb.finish("interrupted" if rnd.random() < 0.05 else None)
            case "new":
                self._register(f"c{self._next()}", self.texts.text())
            case "edit" if order:
                self._register(cell, self.texts.text() if rnd.random() < 0.9 else "x = (")
            case "mode" if order:
                self._register(cell, nb.code.get(cell, ""), rnd.choice(("auto", "auto", "manual", "disabled")))
            case "remove" if len(order) > 3:
                nb.step(CellRemoved(cell_id=cell, run_dependents=rnd.random() < 0.8))
            case "order" if order:
                rnd.shuffle(order)
                nb.step(CellsReordered(cell_ids=tuple(order[:2])))
            case "run" if order:
                mode = rnd.choice(("reactive", "reactive", "single", "stale"))
                cells = tuple(rnd.sample(order, min(2, len(order))))
                nb.step(RunRequested(run_id=f"run{self._next()}", cell_ids=cells, mode=mode))  # type: ignore[arg-type]
            case "all":
                nb.step(RunRequested(run_id=f"run{self._next()}", mode="all"))
            case "stop":
                runs = list(nb.scheduler.state.agenda.runs)
                nb.step(Interrupted(run_id=rnd.choice(runs) if runs and rnd.random() < 0.7 else None))
            case "lazy":
                nb.step(SettingsChanged(lazy=rnd.random() < 0.3))
            case _:
                pass


@pytest.mark.parametrize("first", [0, 1000])
def test_the_machine_stays_whole_and_comes_to_rest(first: int) -> None:
    total: Counter[str] = Counter()
    for seed in range(first, first + 15):
        storm = Storm(seed)
        storm.blow(60)
        total += storm.counts
        nb = storm.notebook
        assert nb.waiting is None
        assert not nb.scheduler.state.agenda.entries, f"seed {seed}"
        started = [e.run_id for e in nb.events if isinstance(e, RunStarted)]
        finished = [e.run_id for e in nb.events if isinstance(e, RunFinished)]
        assert sorted(started) == sorted(finished), f"seed {seed}"
        follow_each_other(nb, seed)
    assert total["edit"] > 15, total
    assert total["remove"] > 8, total
    assert total["stop"] > 8, total


def follow_each_other(nb: Notebook, seed: int) -> None:
    """What is queued runs, fails or goes back; only what was queued runs."""
    now: dict[str, str] = {}
    for event in nb.events:
        if isinstance(event, StatusChanged):
            was = now.get(event.cell_id, "idle")
            assert event.status != "running" or was == "queued", f"seed {seed}: {event.cell_id} {was} → running"
            if was in NEXT:
                assert event.status in NEXT[was], f"seed {seed}: {event.cell_id} {was} → {event.status}"
            now[event.cell_id] = event.status
