"""Everything the machine keeps up to date step by step, computed anew from scratch and compared. For tests."""

from tailrace_kernel.facts import NOTHING
from tailrace_kernel.graph import Graph
from tailrace_kernel.records import NO_VERSIONS
from tailrace_kernel.state import State


def validate(state: State, *, graph: bool) -> None:
    if graph:
        same_graph(state.graph)
    same_freshness(state)
    same_pending(state)


def same_graph(graph: Graph) -> None:
    """A graph built at once from the same facts is equal."""
    other = Graph(graph.rules)
    order = list(graph.places)
    other.put([(cell, graph.reach[cell], NOTHING) for cell in order])
    for cell in graph.learned.keys() | graph.taken.keys():
        other.learn(cell, graph.learned.get(cell, NOTHING), graph.taken.get(cell, NO_VERSIONS))
    for what in ("reads", "writes", "changes", "writers", "bound", "later", "preds", "cycles", "blocked"):
        mine, fresh = getattr(graph, what), getattr(other, what)
        assert mine == fresh, f"{what}: {differ(mine, fresh)}"
    assert {c: set(r) for c, r in graph.succs.items()} == {c: set(r) for c, r in other.succs.items()}
    assert sorted(order, key=graph.rank) == sorted(order, key=other.rank), "rank"


def differ(mine: object, fresh: object) -> object:
    if isinstance(mine, dict) and isinstance(fresh, dict):
        return {k: (mine.get(k), fresh.get(k)) for k in mine.keys() | fresh.keys() if mine.get(k) != fresh.get(k)}
    return mine, fresh


def same_freshness(state: State) -> None:
    known: dict[str, bool] = {}
    for cell in sorted(state.records, key=state.graph.rank):
        record = state.records[cell]
        stands = state.freshness.stands(cell)
        owed = cell in state.freshness.owed
        assert record.own_stale == (owed or not stands), f"{cell}: own_stale {record.own_stale}, stands {stands}"
        writers = {w for c in (*record.inputs.values(), *record.late_inputs.values()) for w, _ in c if w != cell}
        fresh = stands and not owed and cell not in state.graph.blocked and all(known.get(w, False) for w in writers)
        known[cell] = fresh
        assert record.fresh == fresh, f"{cell}: fresh {record.fresh}, computed {fresh}"
        assert record.status == state.status(record), f"{cell}: shows {record.status}, is {state.status(record)}"
        for name, spenders in record.spent.items():
            assert record.has(name), f"{cell}: {name} is spent but there is none"
            for by in spenders:
                assert by not in state.records or (name, cell) in state.records[by].spends, f"{by} spent {name}"


def same_pending(state: State) -> None:
    for run in state.agenda.runs.values():
        for cell in run.waiting:
            entry = state.agenda.entries.get(cell)
            now = state.running is not None and state.running.record.id == cell
            assert now or (entry is not None and run in entry.runs), f"run {run.id} waits for {cell} in vain"
    assert state.running is not None or not state.agenda.entries, "cells are pending and none runs"
