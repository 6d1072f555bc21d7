"""Which cells a request brings in: descendants, writers it must pull, owners of spent versions. Runs nothing."""

from collections.abc import Iterable

from tailrace_kernel.agenda import MAX_RUNS, Entry, Run
from tailrace_kernel.freshness import LET_GO
from tailrace_kernel.records import Record
from tailrace_kernel.state import State
from tailrace_kernel.stimuli import CellSkipped
from tailrace_protocol.kernel_messages import KernelReason


class Gather:
    def __init__(self, state: State) -> None:
        self._state = state
        self._grown: list[str] = []  # cells whose surroundings are still to be looked at

    def name(self, run: Run, cells: Iterable[str], *, reason: KernelReason, follow: bool) -> None:
        """The cells a request names, and all that follows from them."""
        state = self._state
        for cell in cells:
            if state.records[cell].cell_type != "markdown":
                state.agenda.counts.pop(cell, None)
                self._add(cell, [run], reason, named=True, root=follow, follow=follow)
        self._grow()

    def make_again(self, run: Run, cells: Iterable[str], reason: KernelReason) -> None:
        """Owners of spent versions."""
        for cell in cells:
            self._add(cell, [run], reason, must=True, follow=True)
        self._grow()

    def pull(self, cell: str, name: str, reader: str, entry: Entry) -> KernelReason | None:
        """Have `reader`'s writer `cell` run first; returns the reason if it may not."""
        state = self._state
        if cell in state.graph.blocked:
            return state.cycle(cell)
        record = state.records[cell]
        pending = state.agenda.entries.get(cell)
        if pending is not None:
            pending.must = pending.must or name in record.spent  # though it may be fresh when its turn comes
            return None
        if self._runs_now(cell):
            return None
        refusal = self._refusal(record)
        if refusal is not None:
            return KernelReason(code=refusal, names=(name,), from_cells=(cell,))
        if cell in state.agenda.stuck:
            return state.agenda.stuck[cell]
        if state.agenda.counts.get(cell, 0) >= MAX_RUNS and state.rules.run_cap:
            return run_cap(record)
        self._add(cell, entry.runs, self._why_pulled(record, name, reader, entry), must=True, follow=entry.follow)
        return None

    def stale(self, cells: Iterable[str], by: str, entry: Entry) -> None:
        """Cells that lost their freshness by a run of `by` join its runs, but for those behind a cell held back."""
        state = self._state
        entries, preds = state.agenda.entries, state.graph.preds
        for cell in cells:
            record = state.records[cell]
            if record.fresh or record.outcome != "success" or cell in entries:
                continue
            if record.own_stale or any(writer in entries for writer in preds[cell]):
                self._reach(cell, by, entry, root=entry.root)
        self._grow()

    def readers(self, cells: Iterable[str], by: str, entry: Entry) -> None:
        """New readers of a cell that is pending or runs as part of a request join it."""
        for cell in cells:
            self._reach(cell, by, entry, root=entry.root)
        self._grow()

    def again(self, cells: Iterable[str], entry: Entry, reason: KernelReason) -> None:
        """Cells that must run once more."""
        for cell in cells:
            if self._refusal(self._state.records[cell]) is None:
                self._add(cell, entry.runs, reason, must=True, root=entry.root, follow=entry.follow)
        self._grow()

    def grow(self, cell: str) -> None:
        """Look at the surroundings of a pending cell again: it was edited."""
        self._grown.append(cell)
        self._grow()

    def settle(self) -> None:
        self._grow()

    # One cell

    def _runs_now(self, cell: str) -> bool:
        running = self._state.running
        return running is not None and running.record.id == cell

    def _refusal(self, record: Record) -> str | None:
        """Why the cell may not run unless it is named."""
        if record.unasked is not None:
            return record.unasked
        if record.id in self._state.graph.blocked:
            return "cycle"
        if self._state.disabled and self._state.off(record.id):
            return "disabled_upstream"
        return None

    def _add(
        self,
        cell: str,
        runs: list[Run],
        reason: KernelReason,
        *,
        named: bool = False,
        must: bool = False,
        root: bool = False,
        follow: bool = False,
    ) -> None:
        state = self._state
        entry = state.agenda.entries.get(cell)
        if entry is None:
            entry = Entry(runs.copy(), reason, named, must, root, follow)
            state.agenda.add(cell, entry)
            if not self._runs_now(cell):
                state.show(state.records[cell], "queued", reason, runs[0].id)
            self._grown.append(cell)
            return
        for run in runs:
            if run not in entry.runs:
                entry.runs.append(run)
                run.waiting.add(cell)
                self._grown.append(cell)
        if (root and not entry.root) or (follow and not entry.follow):
            self._grown.append(cell)
        entry.named |= named
        entry.must |= must or named
        entry.root |= root
        entry.follow |= follow

    def _reach(self, cell: str, by: str, entry: Entry, *, root: bool) -> None:
        """A descendant; one that may not run unasked is held back and says why."""
        state = self._state
        record = state.records[cell]
        known = state.agenda.entries.get(cell)
        runs = entry.runs
        if known is not None:
            if known.root >= root and (known.runs is runs or all(run in known.runs for run in runs)):
                return
            refusal = None
        else:
            refusal = self._refusal(record)
        names = state.graph.preds[cell].get(by)
        if refusal is None:
            reason = KernelReason(code="upstream_ran", request=runs[0].id, names=names, from_cells=(by,))
            self._add(cell, runs, reason, root=root, follow=True)
        elif refusal != "cycle":
            reason = KernelReason(code=refusal, request=runs[0].id, names=names, from_cells=(by,))
            self.hold(record, reason, runs[0].id)

    def hold(self, record: Record, reason: KernelReason, run_id: str) -> None:
        """A run reached the cell but may not run it."""
        record.held = reason
        self._state.events.append(CellSkipped(record.id, run_id, reason))
        self._state.refresh((record.id,), reason.code, run_id=run_id)

    # Surroundings

    def _grow(self) -> None:
        while self._grown:
            cell = self._grown.pop()
            entry = self._state.agenda.entries.get(cell)
            if entry is None:
                continue
            if entry.follow:
                self._descend(cell, entry)
                if self._state.freshness.owed:
                    self._collect_owed(cell, entry)
            if cell not in self._state.graph.blocked:
                self._ascend(cell, entry)

    def _descend(self, cell: str, entry: Entry) -> None:
        state = self._state
        records = state.records
        for reader in tuple(state.graph.succs[cell]):
            if entry.root:
                self._reach(reader, cell, entry, root=True)
            elif records[reader].outcome == "success" and (records[reader].fresh or self._waits_only(records[reader])):
                self._reach(reader, cell, entry, root=False)
        if entry.root and state.rules.readers_then:
            for reader in tuple(state.then.get(cell, ())):
                self._reach(reader, cell, entry, root=True)

    def _waits_only(self, record: Record) -> bool:
        """Stale for no other reason than that pending cells are: a change was edited, and its version is made again."""
        if record.own_stale:
            return False
        records, entries = self._state.records, self._state.agenda.entries
        inputs = (*record.inputs.values(), *record.late_inputs.values())
        return all(records[w].fresh or w in entries for consulted in inputs for w, _ in consulted if w != record.id)

    def _ascend(self, cell: str, entry: Entry) -> None:
        """Pull what was never computed or is spent; the turn of the cell looks again."""
        state = self._state
        records = state.records
        if not state.rules.pulls:
            return
        for name, writers in state.graph.bound[cell].items():
            for writer in writers:
                record = records[writer]
                if record.outcome == "success" and name in record.given:
                    edited = record.own_stale and not state.rules.edited_not_pulled
                    if edited or (record.spent and name in record.spent):
                        self.pull(writer, name, cell, entry)
                        break
                    if name not in record.passed:
                        break
                elif record.own_stale:
                    self.pull(writer, name, cell, entry)
                    break
                else:
                    break

    def _collect_owed(self, cell: str, entry: Entry) -> None:
        """Owners of versions this cell spent and changes no more, and of those that nobody can give back."""
        state = self._state
        for owner in tuple(state.freshness.owed):
            record = state.records[owner]
            by = {c for found in record.spent.values() for c in found}
            if owner in state.agenda.entries or self._runs_now(owner) or self._refusal(record) is not None:
                continue
            if cell in by or LET_GO in by or any(c not in state.records for c in by):
                self._add(owner, entry.runs, made_again(record, entry), must=True, follow=True)

    def _why_pulled(self, record: Record, name: str, reader: str, entry: Entry) -> KernelReason:
        if name in record.spent:
            return made_again(record, entry)
        return KernelReason(code="pulled", request=entry.runs[0].id, names=(name,), from_cells=(reader,))


def made_again(record: Record, entry: Entry) -> KernelReason:
    """`made again: cell … changes df in place`."""
    names = tuple(sorted(record.spent))
    cells = tuple(sorted({by for found in record.spent.values() for by in found if by != LET_GO}))
    what = f"cell {', '.join(cells)} changes {', '.join(names)} in place" if cells else "its value was let go"
    return KernelReason(
        code="made_again",
        request=entry.runs[0].id,
        names=names,
        from_cells=cells,
        message=f"made again: {what}",
    )


def run_cap(record: Record) -> KernelReason:
    """The cell would come back for ever; the sentence says by whom."""
    names = tuple(sorted(record.spent))
    by = sorted({by for found in record.spent.values() for by in found if by != LET_GO})
    if by:
        why = f"cell {', '.join(by)} changes {', '.join(names)} in place before all who need it have run. "
        hint = "Move the change below them, or change a copy."
    else:
        why, hint = "other cells keep changing what it reads. ", "Move it below them, or write to another name."
    return KernelReason(
        code="run_cap",
        names=names or None,
        from_cells=(record.id,),
        message=f"cell {record.id} ran {MAX_RUNS} times in this cascade: {why}{hint}",
    )
