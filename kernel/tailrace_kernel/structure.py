"""Edits: cells come, change, move and go. An edit runs nothing; a removal re-runs the readers that had run."""

from collections.abc import Iterable

from msgspec import UNSET

from tailrace_kernel.agenda import Run
from tailrace_kernel.facts import NOTHING, Analysis
from tailrace_kernel.gather import Gather
from tailrace_kernel.graph import Delta
from tailrace_kernel.reach import Reach, reach
from tailrace_kernel.records import Record
from tailrace_kernel.state import State, reads_from
from tailrace_kernel.stimuli import CellDropped, CellRegistered, CellRemoved, RunStarted
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import KernelReason


def unknown_cell(cell_id: str) -> TailraceError:
    return TailraceError(ErrorCode.UNKNOWN_CELL, f"There is no cell {cell_id!r}: register it first.")


class Structure:
    def __init__(self, state: State, gather: Gather) -> None:
        self._state = state
        self._gather = gather

    def register(self, stimulus: CellRegistered) -> None:
        state, cell = self._state, stimulus.cell_id
        new = cell not in state.records
        facts = self._take(stimulus)
        index = self._index(stimulus)
        if new:
            at = len(state.graph.places) if index is None else index
            delta = state.graph.insert(cell, facts, at)
        else:
            delta = state.graph.put(
                [(cell, facts, self._learned(cell))], None if index is None else self._moved(cell, index)
            )
        self._settle(delta, "edited", about=cell, added=(cell,) if new else ())

    def register_all(self, stimuli: tuple[CellRegistered, ...]) -> None:
        state = self._state
        added = tuple(s.cell_id for s in stimuli if s.cell_id not in state.records)
        facts = [(s.cell_id, self._take(s), self._learned(s.cell_id)) for s in stimuli]
        delta = state.graph.put(facts, self._order([s.cell_id for s in stimuli]))
        self._settle(delta, "edited", added=added)

    def reorder(self, cell_ids: tuple[str, ...]) -> None:
        for cell in cell_ids:
            if cell not in self._state.records:
                raise unknown_cell(cell)
        self._settle(self._state.graph.reorder(self._order(cell_ids)), "moved")

    def remove(self, stimulus: CellRemoved) -> None:
        state, cell = self._state, stimulus.cell_id
        record = state.records.get(cell)
        if record is None:
            raise unknown_cell(cell)
        readers = self._readers_that_ran(cell)
        owed, spends = set(state.freshness.owed), record.spends
        related = [w for _, w in spends] + [by for n in record.spent for by in state.freshness.spenders(cell, n)]
        gone = self._forget(record)
        delta = state.graph.remove(cell)
        state.graph_changed(delta, removed=(cell,))
        changed = state.judge(delta, [c for c in related if c in state.records] + readers)
        rebound = {name: by for name in gone if (by := state.shown.at_rest(name)) is not None}
        state.events.append(
            CellDropped(cell, tuple(sorted(gone.difference(rebound))), dict(sorted(rebound.items())), tuple(readers))
        )
        self._refresh(changed, delta, "inputs_changed", None)
        if stimulus.run_dependents and state.rules.deletion_runs and not state.lazy:
            changed_by_it = {writer for _, writer in spends}
            owners = [w for w in state.freshness.owed if w not in owed or w in changed_by_it]
            self._run_dependents(stimulus, readers, owners)

    # Registration

    def _take(self, stimulus: CellRegistered) -> Reach:
        """Put the stimulus into the cell's record; returns the facts the graph works with."""
        state, cell = self._state, stimulus.cell_id
        record = state.records.get(cell)
        if record is None:
            record = state.records[cell] = Record(cell)
        if stimulus.version is not None:
            record.version = stimulus.version
        elif record.version == 0 or stimulus.code != record.code:
            record.version += 1
        if stimulus.code != record.code:
            record.held = None
            if not state.rules.undo:
                record.ran_code = None
        state.disabled += (stimulus.mode == "disabled") - (record.mode == "disabled")
        record.code, record.analysis, record.payload = stimulus.code, stimulus.analysis, stimulus.payload
        record.cell_type, record.mode = stimulus.cell_type, stimulus.mode
        (state.early.discard if stimulus.analysis.early is None else state.early.add)(cell)
        record.unasked = unasked(stimulus) if state.rules.unasked else None
        if stimulus.cell_type == "markdown":
            return reach(Analysis())
        known = state.graph.reach.get(cell)
        if known is not None and not stimulus.analysis.parses:
            return known
        return reach(stimulus.analysis, call_time=state.rules.call_time)

    def _learned(self, cell: str) -> frozenset[str]:
        """What the last run found out holds for the code that ran."""
        record = self._state.records[cell]
        return record.learned if record.code == record.ran_code else NOTHING

    def _index(self, stimulus: CellRegistered) -> int | None:
        """Where the stimulus wants the cell, counted without the cell itself; None to leave it."""
        places = self._state.graph.places
        known = stimulus.cell_id in places.at
        size = len(places) - known
        if stimulus.after_cell_id is not UNSET:
            after = stimulus.after_cell_id
            if after is None:
                return 0
            if after not in places.at or after == stimulus.cell_id:
                return None if after == stimulus.cell_id else size
            index = places.index(after) + 1
            return index - (known and places.at[stimulus.cell_id] < places.at[after])
        return None if stimulus.index is None else min(stimulus.index, size)

    def _moved(self, cell: str, index: int) -> list[str]:
        order = [c for c in self._state.graph.places if c != cell]
        order.insert(index, cell)
        return order

    def _order(self, cell_ids: Iterable[str]) -> list[str]:
        """These cells, then the others in the order they have."""
        first = dict.fromkeys(cell_ids)
        return [*first, *(cell for cell in self._state.graph.places if cell not in first)]

    # Consequences

    def _settle(self, delta: Delta, code: str, *, about: str | None = None, added: tuple[str, ...] = ()) -> None:
        state = self._state
        state.graph_changed(delta, added)
        changed = state.judge(delta, () if about is None else (about,))
        self._refresh(changed, delta, code, about)
        if about is not None:
            self._refresh_one(state.records[about], code)
        if state.agenda.runs:
            self._extend(delta)

    def _refresh(self, changed: list[str], delta: Delta, code: str, about: str | None) -> None:
        state = self._state
        cells = dict.fromkeys([*changed, *sorted(delta.blocked), *sorted(delta.unblocked)])
        if code == "moved":
            for cell in changed:
                state.refresh((cell,), code, about=cell)
        state.refresh(cells, code, about=about)

    def _refresh_one(self, record: Record, code: str) -> None:
        """Mode and outcome show at once, even where freshness did not change."""
        self._state.refresh((record.id,), code, about=record.id)

    def _extend(self, delta: Delta) -> None:
        """An edit during a run may bring new readers of what is pending or runs."""
        state = self._state
        running, entries = state.running, state.agenda.entries
        for cell in sorted(delta.cells & state.records.keys(), key=state.graph.rank):
            if cell in entries:
                self._gather.grow(cell)
            for writer in state.graph.preds[cell]:
                entry = entries.get(writer)
                if entry is None and running is not None and running.record.id == writer:
                    entry = running.entry
                if entry is not None and entry.root and entry.follow and not state.records[cell].fresh:
                    self._gather.readers((cell,), writer, entry)

    # Removal

    def _readers_that_ran(self, cell: str) -> list[str]:
        """Cells whose last run consulted this one; where it never ran itself, removing it is an edit undone."""
        state = self._state
        readers = {**state.graph.succs[cell], **state.then.get(cell, {})}
        ran = [r for r in readers if r != cell and reads_from(state.records[r], cell)]
        return sorted(ran, key=state.graph.places.at.__getitem__)

    def _forget(self, record: Record) -> set[str]:
        """Everything about the cell but its edges; returns the names that had a value of it."""
        state, cell = self._state, record.id
        state.disabled -= record.mode == "disabled"
        state.early.discard(cell)
        gone = {name for name in record.given if record.has(name)}
        state.shown.lost(record)
        state.freshness.renew(record)
        state.forget_readers(record)
        state.then.pop(cell, None)
        for readers in state.then.values():
            readers.pop(cell, None)
        for version in [v for v in state.forks if v[1] == cell]:
            del state.forks[version]
        for copiers in state.forks.values():
            copiers.discard(cell)
        del state.records[cell]
        entry = state.agenda.entries.pop(cell, None)
        for run in entry.runs if entry else ():
            run.waiting.discard(cell)
            run.skipped += 1
        if state.running is not None and state.running.record is record:
            state.running.removed = True
        return gone

    def _run_dependents(self, stimulus: CellRemoved, readers: list[str], owners: list[str]) -> None:
        """Direct readers that had run, and owners of versions that are needed now and spent: those are made again."""
        state = self._state
        asked = [r for r in readers if state.records[r].unasked is None and not state.off(r)]
        asked = [c for c in asked if c not in state.graph.blocked]
        again = [w for w in owners if state.records[w].unasked is None and not state.off(w) and w not in asked]
        again = [c for c in again if c not in state.graph.blocked]
        if not asked and not again:
            return
        run_id = stimulus.run_id or f"removed-{stimulus.cell_id}-{state.graph_version}"
        why = KernelReason(code="removed_upstream", request=run_id, from_cells=(stimulus.cell_id,))
        start(state, self._gather, Run(run_id, "reactive", tuple(asked + again)), why, tuple(again))


def start(state: State, gather: Gather, run: Run, reason: KernelReason, again: tuple[str, ...] = ()) -> None:
    """Let a run's cells join the pending set and announce it; of `again` only descendants that were fresh follow."""
    here = len(state.events)
    state.agenda.runs[run.id] = run
    named = tuple(cell for cell in run.cells if cell not in again) if again else run.cells
    gather.name(run, named, reason=reason, follow=run.mode != "single" and not state.lazy)
    if again:
        gather.make_again(run, again, reason)
    plan = tuple(state.graph.ranked(run.waiting))
    known = [state.records[cell].seconds for cell in plan]
    expected = sum(s for s in known if s is not None) if plan and None not in known else None
    state.events.insert(
        here,
        RunStarted(run_id=run.id, mode=run.mode, cells=run.cells, plan=plan, reason=reason, expected_seconds=expected),
    )


def unasked(stimulus: CellRegistered) -> str | None:
    """Why this cell may run only when it is named."""
    if stimulus.mode == "manual":
        return "manual"
    if stimulus.analysis.effects and not stimulus.allow_outside_effects:
        return "outside_effect"
    return None
