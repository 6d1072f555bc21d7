"""Random notebooks and what a person does to them, played against the machine and against a plain script.

`python -m tests.kernel.histories FIRST COUNT [key=value …]` plays many; a violation prints its seed and its history.
"""

import contextlib
import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context

from tailrace_kernel.rules import Rules
from tailrace_kernel.sharing import immutable
from tailrace_kernel.stimuli import VersionsEvicted
from tailrace_protocol.objects import RunMode
from tests.kernel.dataflow import Notebook
from tests.kernel.foretold import Foretold
from tests.kernel.plain_script import pictures, script, sharing
from tests.kernel.random_texts import Texts

ACTS = (
    *("edit", "editrun", "editrun", "editrun", "insert", "insert", "move"),
    *("delete", "rerun", "rerun", "single", "stale", "undo"),
)


@dataclass(frozen=True, slots=True)
class Options:
    steps: int = 10
    copies: bool = True
    keep: int | None = None  # versions of changeable values kept after each run; None: all
    budget: int | None = None  # bytes of kept versions
    frames: bool = False
    calls: bool = False  # functions, methods and closures that change what they are given
    checked: bool = False  # validate the machine after every step
    rules: Rules = field(default_factory=Rules)


class ViolationError(AssertionError):
    """The law, or a promise beside it, is broken; the text holds the history."""


class History:
    """One notebook and what happens to it; `counts` says how much of each kind did."""

    def __init__(self, seed: int, options: Options) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.options = options
        self.texts = Texts(self.random, frames=options.frames, calls=options.calls)
        self.counts: Counter[str] = Counter()
        self.log: list[str] = []
        self.notebook = Notebook(
            rules=options.rules, copies=options.copies, budget=options.budget, checked=options.checked
        )
        self._cells = 0

    def play(self) -> Counter[str]:
        """Raises ViolationError."""
        for code in self.texts.first_cells():
            self._insert(len(self._order()), code)
        self._run(mode="all")
        for _ in range(self.options.steps):
            self._act()
        self._run(mode="stale")
        self._must_be_fresh()
        self._run(mode="all")
        self.counts["histories"] += 1
        return self.counts

    # What a person does

    def _order(self) -> list[str]:
        return list(self.notebook.scheduler.order())

    def _codes(self) -> list[str]:
        return [self.notebook.code[cell] for cell in self._order()]

    def _act(self) -> None:
        rnd = self.random
        order = self._order()
        cell = rnd.choice(order)
        act = rnd.choice(ACTS)
        self.counts[act] += 1
        match act:
            case "edit" | "editrun":
                cell = rnd.choice(order[len(order) // 3 :])
                self._edit(cell)
                if act == "editrun":
                    self._run(cell)
            case "insert":
                index = rnd.randint(0, len(order))
                codes = self._codes()
                new = self._insert(index, self.texts.good(lambda text: [*codes[:index], text, *codes[index:]]))
                if rnd.random() < 0.8:
                    self._run(new)
            case "move":
                self._move(cell, rnd.randrange(len(order)))
            case "delete":
                self._delete(rnd.choice(order[len(order) // 3 :]))
            case "rerun":
                self._again(cell)
            case "single":
                self._run(cell, mode="single")
            case "stale":
                self._run(mode="stale")
            case "undo":
                self._undo(cell)

    def _note(self, *what: object) -> None:
        self.log.append(" ".join(map(repr, what)))

    def _insert(self, index: int, code: str) -> str:
        cell = f"c{self._cells}"
        self._cells += 1
        self._note("insert", index, cell, code)
        self.notebook.put(cell, code, index=index)
        return cell

    def _edit(self, cell: str) -> None:
        order, codes = self._order(), self._codes()
        index = order.index(cell)
        code = self.texts.good(lambda text: [*codes[:index], text, *codes[index + 1 :]])
        self._note("edit", cell, code)
        self.notebook.put(cell, code)

    def _move(self, cell: str, index: int) -> None:
        order = self._order()
        order.remove(cell)
        order.insert(index, cell)
        if script([self.notebook.code[c] for c in order]) is None and self.random.random() < 0.9:
            return
        self._note("move", cell, index)
        self.notebook.order(*order)
        self._check()

    def _delete(self, cell: str) -> None:
        rest = [self.notebook.code[c] for c in self._order() if c != cell]
        if len(rest) < 4 or (script(rest) is None and self.random.random() < 0.8):
            return
        self.counts["deletions with readers"] += bool(self.notebook.scheduler.state.graph.succs[cell])
        self._note("delete", cell)
        self.notebook.remove(cell)
        self._after_run()

    def _run(self, *cells: str, mode: RunMode = "reactive") -> None:
        self._note("run", mode, *cells)
        foretold = Foretold(self.notebook, cells, mode)
        executed = self.notebook.run(*cells, mode=mode)
        differs = foretold.differs(executed)
        if differs is not None:
            raise self._violation(differs)
        if not foretold.surprised():
            self.counts["plans kept"] += 1
            self.counts["plans kept that make again"] += bool(foretold.plan.made_again)
        self._after_run()

    def _again(self, cell: str) -> None:
        """Running a fresh cell again changes nothing that can be seen."""
        before = self._seen() if self._law_applies() else None
        self._run(cell)
        if before is not None and self._law_applies():
            self.counts["re-runs compared"] += 1
            if self._seen() != before:
                raise self._violation(f"re-running {cell} gave {self._seen()} after {before}")

    def _undo(self, cell: str) -> None:
        code, was = self.notebook.code[cell], self.notebook.all_fresh()
        self._edit(cell)
        self._note("undo", cell)
        self.notebook.put(cell, code)
        if self.notebook.all_fresh() != was:
            raise self._violation(f"undoing the edit of {cell} did not undo staleness")

    # What must hold

    def _after_run(self) -> None:
        if self.options.keep is not None:
            self._let_go(self.options.keep)
        self._check()

    def _let_go(self, keep: int) -> None:
        """What the budget does, at its hardest."""
        nb = self.notebook
        records = nb.scheduler.state.records
        held = [
            (name, cell)
            for (name, cell), _ in nb.namespace.removable()
            if nb.scheduler.owner(name) != cell
            and not immutable(nb.namespace.aside[name, cell])
            and name not in records[cell].spent
        ]
        gone = tuple(held[: max(0, len(held) - keep)])
        if gone:
            self.counts["versions let go"] += len(gone)
            nb.step(VersionsEvicted(versions=gone))

    def _above_only(self) -> bool:
        graph = self.notebook.scheduler.state.graph
        at = graph.places.at
        return all(at[w] < at[c] for c in graph.bound for ws in graph.bound[c].values() for w in ws)

    def _law_applies(self) -> bool:
        return self.notebook.all_fresh() and self._above_only()

    def _seen(self) -> tuple[dict[str, object], list[str]]:
        return pictures(self.notebook.user), [self.notebook.output[c] for c in self._order()]

    def _check(self) -> None:
        state = self.notebook.scheduler.state
        self.counts["failures"] += sum(r.outcome == "error" for r in state.records.values()) > 0
        self.counts["learned"] += bool(state.graph.learned)
        self.counts["copies"] += bool(state.forks)
        self.counts["spent"] += any(r.spent for r in state.records.values())
        if not self._law_applies():
            self.counts["no law"] += 1
            return
        self.counts["law"] += 1
        plain = script(self._codes())
        if plain is None:
            raise self._violation("all is fresh but the script raises")
        user, outputs = plain
        mine, theirs = pictures(self.notebook.user), pictures(user)
        if mine != theirs:
            names = {n for n in mine.keys() | theirs.keys() if mine.get(n) != theirs.get(n)}
            raise self._violation(f"values {[(n, mine.get(n), theirs.get(n)) for n in sorted(names)]}")
        if self._seen()[1] != outputs:
            raise self._violation(f"outputs {self._seen()[1]}, script {outputs}")
        groups = sharing(user)
        self.counts["shared objects"] += bool(groups)
        if sharing(self.notebook.user) != groups:
            raise self._violation(f"sharing {sharing(self.notebook.user)}, script {groups}")

    def _must_be_fresh(self) -> None:
        """A run of what is stale makes all fresh, but for cells that reached their cap: those need another run."""
        if not self._above_only() or script(self._codes()) is None:
            return
        for _ in range(3):
            if not self._capped():
                break
            self.counts["run caps"] += 1
            self._run(mode="stale")
        if not self.notebook.all_fresh():
            raise self._violation(f"the script runs, the notebook is not fresh: {self.notebook.statuses()}")

    def _capped(self) -> bool:
        records = self.notebook.scheduler.state.records.values()
        return any(r.held is not None and r.held.code == "run_cap" for r in records)

    def _violation(self, what: str) -> ViolationError:
        cells = [f"  {c} {self.notebook.status(c)}: {self.notebook.code[c]!r}" for c in self._order()]
        return ViolationError("\n".join([f"seed {self.seed}: {what}", *self.log, "cells now:", *cells]))


def play(first: int, count: int, options: Options) -> Counter[str]:
    """Play the seeds first … first + count - 1; raises ViolationError at the first one that breaks a promise."""
    total: Counter[str] = Counter()
    for seed in range(first, first + count):
        total += History(seed, options).play()
    return total


@contextlib.contextmanager
def players() -> Iterator[Executor]:
    """A process for each core. They start anew, so nothing of the caller's is in them."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield pool


def play_all(pool: Executor, first: int, count: int, options: Options) -> Counter[str]:
    """The same on all cores; raises the first violation that is known."""
    step = min(100, max(5, count // 8))
    parts = [
        pool.submit(play, start, min(step, first + count - start), options)
        for start in range(first, first + count, step)
    ]
    total: Counter[str] = Counter()
    try:
        for part in as_completed(parts):
            total += part.result()
    finally:
        for part in parts:
            part.cancel()
    return total


def main(arguments: list[str]) -> int:
    first, count = int(arguments[0]), int(arguments[1])
    values = {key: eval(value) for key, value in (a.split("=") for a in arguments[2:])}
    rules = Rules(**values.pop("rules", {}))
    total: Counter[str] = Counter()
    broken = 0
    for seed in range(first, first + count):
        try:
            total += History(seed, Options(rules=rules, **values)).play()
        except ViolationError as violation:
            broken += 1
            print(violation if broken == 1 else str(violation).partition("\n")[0][:300])
    print(dict(total), f"violations: {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
