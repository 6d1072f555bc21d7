"""Which pending queries may begin beside the cell that runs now. Pure: knows the graph and the pending set only.

The order of the notebook stays what it is: a query that began early still has its turn, and shows its answer there.
"""

from tailrace_kernel.agenda import Entry
from tailrace_kernel.facts import Early
from tailrace_kernel.records import Record
from tailrace_kernel.state import State
from tailrace_kernel.stimuli import EarlyQuery

LOOK = 32  # pending cells looked at
MOST = 4  # queries named at once


def foresee(state: State, current: Record) -> tuple[EarlyQuery, ...]:
    """Those behind `current` that nothing in front of them feeds, up to the first SQL cell that does more than ask."""
    agenda, records = state.agenda, state.records
    if state.early.isdisjoint(agenda.entries) or _does_more(current):
        return ()
    found: list[EarlyQuery] = []
    python = current.analysis.early is None  # stands in front
    for cell in agenda.nearest(LOOK):
        record = records[cell]
        if _does_more(record):
            break
        early = record.analysis.early
        python |= early is None
        if early is None or (python and early is not Early.BESIDE_PYTHON):
            continue
        if _will_run(state, record, agenda.entries[cell]) and _is_fed(state, cell, current):
            found.append(EarlyQuery(cell, record.payload))
    return tuple(found[:MOST])


def _does_more(record: Record) -> bool:
    return record.cell_type == "sql" and record.analysis.early is None


def _will_run(state: State, record: Record, entry: Entry) -> bool:
    if record.unasked is not None and not entry.named:
        return False
    if record.id in state.graph.blocked or (state.disabled and state.off(record.id)):
        return False
    return entry.must or not record.fresh


def _is_fed(state: State, cell: str, current: Record) -> bool:
    """Whether everything it reads is there already."""
    entries, records = state.agenda.entries, state.records
    return all(
        writer not in entries and writer != current.id and records[writer].outcome == "success"
        for writer in state.graph.preds[cell]
    )
