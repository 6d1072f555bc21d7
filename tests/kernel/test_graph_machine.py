"""Edits of all kinds against a model that knows no index: at each step every edge is found anew by the definitions.

The model is slow and plain on purpose: it looks at all cells for each name, and networkx finds its cycles. It shares
with the graph nothing but what analysis says of one cell.
"""

import builtins
from collections import Counter
from typing import ClassVar

import networkx
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tailrace_kernel.facts import Analysis
from tests.kernel.dataflow import Notebook, analyze

NAMES = ("a", "b", "c")
# x and y are names, y may be x. Nothing here shares an object with another name, and no function is called.
TEXTS = (
    "x = [1]",
    "x = list(y)",
    "x = list(y) + list(x)",
    "x.append(1)",
    "x += y",
    "x[0] = len(y)",
    "if y: x = [2]",
    "for x in y: pass",
    "del x",
    "if y: del x",
    "import os as x",
    "import os as x",
    "len(x), len(y)",
    "sum = [1]",
    "x = list(sum)",
)
FAILING = ("x = [1]\nraise ValueError", "x = list(y)\n1 / 0", "x.append(1)\nmissing_function()")


def a_text(texts: tuple[str, ...]) -> st.SearchStrategy[str]:
    def fill(text: str, x: str, y: str) -> str:
        return text.translate({ord("x"): x, ord("y"): y}) if "missing" not in text else text.replace("x.", f"{x}.")

    return st.builds(fill, st.sampled_from(texts), st.sampled_from(NAMES), st.sampled_from(NAMES))


class Model:
    """DESIGN.md §3, "Binding" and "Edges", by exhaustion."""

    def __init__(self, cells: dict[str, Analysis]) -> None:
        self.cells = cells
        self.order = list(cells)
        self.exempt: set[tuple[str, str]] = set()  # (cell, name): a change of what was imported
        before = None
        while before != self.exempt:
            before = set(self.exempt)
            self.exempt = {
                (cell, name) for cell in cells for name in cells[cell].changes if self._of_import(cell, name)
            }
        self.edges = {
            (writer, cell, name)
            for cell in cells
            for name in self.reads(cell)
            for writer in self.bound(cell, name)
            if writer != cell
        }

    def reads(self, cell: str) -> frozenset[str]:
        facts = self.cells[cell]
        return facts.reads | facts.builtin_reads | facts.changes

    def writes(self, cell: str) -> set[str]:
        facts = self.cells[cell]
        rebinds = facts.binds | facts.may_bind | facts.deletes
        return {n for n in facts.writes | facts.changes if n in rebinds or (cell, n) not in self.exempt}

    def bound(self, cell: str, name: str) -> list[str]:
        """The writers that may have given the name, nearest first."""
        place = self.order.index(cell)
        found = []
        for other in reversed(self.order[:place]):
            if name in self.writes(other):
                found.append(other)
                facts = self.cells[other]
                if name in facts.binds | facts.deletes | self.reads(other):
                    return found
        if found:
            return found
        if name in dir(builtins) or name in self.writes(cell):
            return []
        return [other for other in self.order[place + 1 :] if name in self.writes(other)][:1]

    def first(self) -> set[tuple[str, str]]:
        """Which cell comes before which: by edges, and readers of a version before the cell that changes it."""
        first = {(writer, cell) for writer, cell, _ in self.edges}
        for changer in self.order:
            for name in self.cells[changer].changes - {n for c, n in self.exempt if c == changer}:
                for writer in self.bound(changer, name):
                    first |= {
                        (reader, changer)
                        for reader in self.order
                        if reader != changer
                        and (writer, reader, name) in self.edges
                        and (name not in self.cells[reader].changes or (reader, name) in self.exempt)
                    }
        return first

    def _of_import(self, cell: str, name: str) -> bool:
        nearest = self.bound(cell, name)
        return bool(nearest) and name in self.cells[nearest[0]].imports


class Edits(RuleBasedStateMachine):
    counts: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.notebook = Notebook()
        self.made = 0

    @property
    def cells(self) -> list[str]:
        return list(self.notebook.scheduler.order())

    def some_cell(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.cells))

    @rule(text=a_text(TEXTS))
    def add(self, text: str) -> None:
        self.made += 1
        self.notebook.put(f"c{self.made}", text)

    @rule(text=a_text(TEXTS), data=st.data())
    def add_between(self, text: str, data: st.DataObject) -> None:
        self.add(text)
        self.move(data)

    @precondition(lambda self: self.cells)
    @rule(text=a_text(TEXTS), data=st.data())
    def edit(self, text: str, data: st.DataObject) -> None:
        self.notebook.put(self.some_cell(data), text)

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        cell = self.some_cell(data)
        order = [other for other in self.cells if other != cell]
        order.insert(data.draw(st.integers(0, len(order))), cell)
        self.notebook.order(*order)

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        cell = self.some_cell(data)
        self.counts["removals with readers"] += any(edge.from_ == cell for edge in self.notebook.scheduler.edges())
        self.notebook.remove(cell)

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def run(self, data: st.DataObject) -> None:
        self.notebook.run(self.some_cell(data))

    @precondition(lambda self: self.cells)
    @rule(text=a_text(FAILING), data=st.data())
    def fail(self, text: str, data: st.DataObject) -> None:
        cell = self.some_cell(data)
        self.notebook.put(cell, text)
        self.notebook.run(cell)
        self.counts["failures"] += self.notebook.status(cell) == "error"

    def failed(self, cell: str) -> bool:
        """With the code that it has now, or because of a cell above."""
        record = self.notebook.scheduler.state.records[cell]
        return record.status == "error" and record.ran_code == record.code

    @invariant()
    def the_graph_is_that_of_the_model(self) -> None:
        graph = self.notebook.scheduler.state.graph
        assert not graph.learned  # nothing here shares objects
        model = Model({cell: analyze(self.notebook.code[cell]) for cell in self.cells})
        assert {(e.from_, e.to, name) for e in graph.edges() for name in e.names} == model.edges
        first = model.first()
        components = networkx.strongly_connected_components(networkx.DiGraph(first))
        cycles = {frozenset(cells) for cells in components if len(cells) > 1}
        assert {frozenset(cycle) for cycle in graph.cycles} == cycles
        blocked = frozenset[str]().union(*cycles)
        assert graph.blocked == blocked
        ranks = {cell: place for place, cell in enumerate(graph.ranked(self.cells))}
        assert all(ranks[one] < ranks[then] for one, then in first if not {one, then} & blocked)
        self.counts["cycles"] += bool(blocked)
        self.counts["changes of imports"] += bool(model.exempt)
        self.counts["several writers"] += any(
            sum(name in model.writes(cell) for cell in self.cells) > 1 for name in NAMES
        )

    @invariant()
    def nobody_is_fresh_behind_a_failure(self) -> None:
        statuses = self.notebook.statuses()
        for edge in self.notebook.scheduler.edges():
            if statuses[edge.from_] == "error":
                facts = analyze(self.notebook.code[edge.from_])
                certain = set(edge.names) & facts.binds
                assert not (certain and statuses[edge.to] == "success"), f"{edge.to} is done, {edge.from_} failed"

    @invariant()
    def what_a_failed_cell_would_have_bound_is_gone(self) -> None:
        """At rest a name is that of its last writer, and nobody falls back to a writer above."""
        writers = self.notebook.scheduler.state.graph.writers
        for name in NAMES:
            last = writers.get(name, [None])[-1]
            if last is not None and self.failed(last) and name in analyze(self.notebook.code[last]).binds:
                assert name not in self.notebook.user, f"{name} is there although {last} failed"


def test_every_edit_leaves_the_graph_that_the_definitions_give() -> None:
    Edits.counts.clear()
    phases = (Phase.explicit, Phase.generate)  # making a failure small would take longer than all the rest
    limits = settings(max_examples=120, stateful_step_count=30, deadline=None, derandomize=True, phases=phases)
    run_state_machine_as_test(Edits, settings=limits)
    print(dict(Edits.counts))
    floors = {
        "cycles": 100,
        "changes of imports": 50,
        "several writers": 500,
        "removals with readers": 30,
        "failures": 50,
    }
    assert {what for what, floor in floors.items() if Edits.counts[what] < floor} == set()
