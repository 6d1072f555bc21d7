"""One cell after the other: whose turn it is, what it gets, and what its end means for the others."""

from tailrace_kernel.agenda import MAX_RUNS, Entry, Run
from tailrace_kernel.endings import Endings
from tailrace_kernel.facts import NOTHING
from tailrace_kernel.foresight import foresee
from tailrace_kernel.gather import Gather, run_cap
from tailrace_kernel.reach import is_table
from tailrace_kernel.records import Record
from tailrace_kernel.state import Running, State
from tailrace_kernel.stimuli import (
    STAY,
    Bind,
    CellFinished,
    CellSkipped,
    Execute,
    RunFinished,
)
from tailrace_kernel.surveys import Survey, Surveys
from tailrace_protocol.kernel_messages import KernelReason

FRESH = KernelReason(code="fresh", message="its inputs did not change")


class Turns:
    def __init__(self, state: State, gather: Gather) -> None:
        self._state = state
        self._gather = gather
        self._surveys = Surveys(state, gather)
        self._endings = Endings(state, gather)

    def proceed(self) -> None:
        """Start the next cell; when none is left, let the namespace come to rest."""
        state, agenda = self._state, self._state.agenda
        while state.running is None:
            cell = agenda.first()
            if cell is None:
                break
            self._turn(cell, agenda.entries[cell])
        for run in agenda.runs.values():
            if not run.waiting:
                self._close_runs()
                break
        if state.running is None:
            agenda.calm()
            if state.excess:
                self._let_go()
            directions = state.shown.settle()
            if directions is not STAY:
                state.effects.append(Bind(directions))

    def _let_go(self) -> None:
        """Keep the budget, with nothing pending: what is cheapest to make again, for its size, goes first."""
        state, records = self._state, self._state.records
        held = [
            (records[cell].seconds or 0.0, -size, name, cell)
            for (name, cell), size in state.held
            if size and cell in records and records[cell].unasked is None and state.shown.may_go(name, cell)
        ]
        owners = []
        for _, size, name, cell in sorted(held, key=lambda h: (h[0] / -h[1], h[2], h[3])):
            if state.excess <= 0:
                break
            state.excess += size
            state.let_go(name, cell)
            owners.append(cell)
        state.excess, state.held = 0, ()
        state.refresh(state.freshness.update(owners), "inputs_changed")

    def _turn(self, cell: str, entry: Entry) -> None:
        state = self._state
        agenda, record = state.agenda, state.records[cell]
        if (
            record.unasked is not None
            or state.disabled
            or cell in state.graph.blocked
            or agenda.counts.get(cell, 0) >= MAX_RUNS
        ):
            refusal = self._refusal(cell, entry, record)
            if refusal is not None:
                self.leave(cell, refusal)
                return
        if not entry.must and record.fresh and record.outcome == "success" and state.rules.skip_fresh:
            self.leave(cell, FRESH)
            return
        survey = self._surveys.survey(cell, entry)
        if survey.pulled:
            return
        if survey.refused is not None:
            agenda.stuck[cell] = survey.refused
            self.leave(cell, survey.refused)
        elif survey.failed:
            self._endings.fail_upstream(record, entry, survey)
        else:
            self._execute(record, entry, survey)

    def _refusal(self, cell: str, entry: Entry, record: Record) -> KernelReason | None:
        state = self._state
        if cell in state.graph.blocked:
            return state.cycle(cell)
        if state.disabled and state.off(cell):
            return KernelReason(code="disabled" if record.mode == "disabled" else "disabled_upstream")
        if record.unasked is not None and not entry.named:
            return KernelReason(code=record.unasked, request=entry.runs[0].id)
        if state.agenda.counts.get(cell, 0) >= MAX_RUNS and state.rules.run_cap:
            return run_cap(record)
        return None

    def leave(self, cell: str, reason: KernelReason) -> None:
        """The cell leaves the pending set without a run and shows what it was."""
        state = self._state
        entry = state.agenda.take(cell)
        record = state.records[cell]
        if reason is not FRESH:
            record.held = reason
        for run in entry.runs:
            run.waiting.discard(cell)
            run.skipped += 1
            state.events.append(CellSkipped(cell, run.id, reason))
        status = state.status(record)
        if status != "running":  # it was asked for again while it runs
            state.show(record, status, reason, entry.runs[0].id)

    def _execute(self, record: Record, entry: Entry, survey: Survey) -> None:
        state, cell = self._state, record.id
        graph = state.graph
        later = graph.later[cell]
        late = state.freshness.inputs(later) if later else {}
        running = Running(record, entry, survey.inputs, late, state.edits)
        state.running = running
        agenda = state.agenda
        agenda.take(cell)
        if not state.rules.coalescing and len(entry.runs) > 1:
            rest, entry.runs = entry.runs[1:], entry.runs[:1]
            agenda.add(cell, Entry(rest, entry.reason, entry.named, True, False, False))
        agenda.counts[cell] = agenda.counts.get(cell, 0) + 1
        record.held = None
        if state.then:
            state.forget_readers(record)
        running.writes = writes = graph.writes[cell]
        keeps = writes if state.cutoff else graph.reach[cell].imports
        if keeps:
            imports = graph.reach[cell].imports
            shown = state.shown
            keeps = frozenset(
                n
                for n in keeps
                if record.has(n) and (shown.by.get(n) == cell or (n in imports and shown.keeps(n, cell)))
            )
        directions = state.shown.before(record, survey.gets)
        changes = graph.changes[cell]
        if changes:
            changes = frozenset(n for n in changes - graph.only_learned.get(cell, NOTHING) if not is_table(n))
            gets = survey.gets
            running.sources = {name: writer for name in changes if (writer := gets.get(name)) is not None}
        state.show(record, "running", entry.reason, running.run_id)
        state.effects.append(
            Execute(
                cell,
                running.run_id,
                record.version,
                record.analysis,
                record.payload,
                writes,
                graph.reads[cell],
                changes,
                directions,
                graph.touches.get(cell, NOTHING),
                keeps,
                running.sources,
                state.cutoff,
                record.analysis.opaque or record.analysis.star,
                record.analysis.caught - graph.reads[cell] if record.analysis.caught else NOTHING,
                foresee(state, record) if state.early else (),
            )
        )

    def finish(self, finished: CellFinished) -> None:
        state = self._state
        running = state.running
        assert running is not None
        state.running = None
        record, entry = running.record, running.entry
        record.seconds = finished.seconds
        if finished.execution_count is not None:
            record.execution_count = finished.execution_count
        state.excess, state.held = finished.excess, finished.held
        self._endings.take(running, finished)
        again = state.agenda.entries.get(record.id)
        for run in entry.runs:
            if again is None or run not in again.runs:
                run.waiting.discard(record.id)
            if finished.outcome == "success":
                run.success += 1
            else:
                run.error += 1
            if finished.outcome == "interrupted":
                run.interrupted = True
            if run.interrupted:
                self.stop(run)

    def stop(self, run: Run) -> None:
        """Interrupted: descendants of what failed fail, the rest goes back to what it was."""
        state = self._state
        entries = state.agenda.entries
        for cell in sorted(run.waiting & entries.keys(), key=state.graph.rank):
            entry = entries.get(cell)
            if entry is None:
                continue
            if len(entry.runs) > 1:
                entry.runs.remove(run)
                run.waiting.discard(cell)
                run.skipped += 1
                continue
            failed = self._surveys.failed_inputs(cell)
            if failed.failed and cell not in state.graph.blocked:
                entry.follow = False
                self._endings.fail_upstream(state.records[cell], entry, failed)
            else:
                self.leave(cell, KernelReason(code="interrupted", request=run.id))

    def _close_runs(self) -> None:
        state = self._state
        for run in list(state.agenda.runs.values()):
            if run.waiting:
                continue
            del state.agenda.runs[run.id]
            status = "interrupted" if run.interrupted else "error" if run.error else "success"
            state.events.append(
                RunFinished(run_id=run.id, status=status, success=run.success, error=run.error, skipped=run.skipped)  # type: ignore[arg-type]
            )
