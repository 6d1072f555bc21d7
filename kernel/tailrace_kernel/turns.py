"""One cell after the other: whose turn it is, what it gets, and what its end means for the others."""

from tailrace_kernel.agenda import MAX_RUNS, Entry, Run
from tailrace_kernel.facts import NOTHING
from tailrace_kernel.gather import Gather, run_cap
from tailrace_kernel.reach import is_table
from tailrace_kernel.records import Inputs, Record
from tailrace_kernel.state import Running, State
from tailrace_kernel.stimuli import (
    STAY,
    Bind,
    CellFinished,
    CellSkipped,
    Execute,
    RunFinished,
    UpstreamFailed,
    VariablesChanged,
)
from tailrace_protocol.kernel_messages import KernelReason

FRESH = KernelReason(code="fresh", message="its inputs did not change")


class Survey:
    """What a cell would get now. `failed`: a name it cannot get; `refused`: why it must wait; `pulled`: look later."""

    __slots__ = ("failed", "gets", "inputs", "pulled", "refused")

    def __init__(self) -> None:
        self.inputs: Inputs = {}
        self.gets: dict[str, str | None] = {}
        self.failed: list[tuple[str, str]] = []
        self.refused: KernelReason | None = None
        self.pulled = False


class Turns:
    def __init__(self, state: State, gather: Gather) -> None:
        self._state = state
        self._gather = gather

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

    # A turn

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
        if not entry.must and record.fresh and record.outcome == "success":
            self.leave(cell, FRESH)
            return
        survey = self._survey(cell, entry)
        if survey.pulled:
            return
        if survey.refused is not None:
            agenda.stuck[cell] = survey.refused
            self.leave(cell, survey.refused)
        elif survey.failed:
            self._fail_upstream(record, entry, survey)
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
        if state.agenda.counts.get(cell, 0) >= MAX_RUNS:
            return run_cap(cell)
        return None

    def _survey(self, cell: str, entry: Entry) -> Survey:
        state = self._state
        records, survey = state.records, Survey()
        for name, writers in state.graph.bound[cell].items():
            writer = writers[0]
            record = records[writer]
            if record.outcome == "success" and name in record.given and not record.spent and not record.unbound:
                survey.gets[name] = writer
                survey.inputs[name] = ((writer, record.kept.get(name, record.generation)),)
            else:
                self._survey_name(cell, entry, name, writers, survey)
        later = state.graph.later[cell]
        if later:
            self._survey_later(later, survey)
        return survey

    def _survey_name(self, cell: str, entry: Entry, name: str, writers: tuple[str, ...], survey: Survey) -> None:
        """Look behind writers that pass; the version of the first other one counts, if there is one."""
        state = self._state
        consulted: tuple[tuple[str, int], ...] = ()
        gets = None
        for writer in writers:
            record = state.records[writer]
            consulted += ((writer, record.generation_of(name)),)
            if record.outcome == "success" and name in record.given:
                if record.spent and name in record.spent:
                    self._need(cell, entry, name, record, survey)
                elif name in record.passed:
                    continue
                if name not in record.unbound:
                    gets = writer
            elif record.own_stale and writer not in state.graph.blocked:
                self._need(cell, entry, name, record, survey)
            else:
                survey.failed.append((name, writer))
            break
        survey.inputs[name] = consulted
        survey.gets[name] = gets

    def _survey_later(self, later: dict[str, tuple[str, ...]], survey: Survey) -> None:
        """What function bodies read is not pulled; but a cell above that failed to give it fails them too."""
        for name, writers in later.items():
            for writer in writers:
                record = self._state.records[writer]
                if record.outcome in {"error", "interrupted"} and not record.own_stale:
                    survey.failed.append((name, writer))
                if name not in record.passed:
                    break

    def _need(self, cell: str, entry: Entry, name: str, writer: Record, survey: Survey) -> None:
        if writer.id in self._state.agenda.stuck:
            survey.refused = self._state.agenda.stuck[writer.id]
            return
        refused = self._gather.pull(writer.id, name, cell, entry)
        if refused is None:
            self._gather.settle()
            survey.pulled = True
        else:
            survey.refused = refused

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
        state.show(record, state.status(record), reason, entry.runs[0].id)

    # Run it

    def _execute(self, record: Record, entry: Entry, survey: Survey) -> None:
        state, cell = self._state, record.id
        graph = state.graph
        later = graph.later[cell]
        late = state.freshness.inputs(later) if later else {}
        running = Running(record, entry, survey.inputs, late, state.edits)
        state.running = running
        agenda = state.agenda
        agenda.take(cell)
        agenda.counts[cell] = agenda.counts.get(cell, 0) + 1
        record.held = None
        state.forget_readers(record)
        running.writes = writes = graph.writes[cell]
        directions = state.shown.before(record, survey.gets)
        changes = graph.changes[cell]
        if changes:
            changes = frozenset(n for n in changes - graph.learned.get(cell, NOTHING) if not is_table(n))
            gets = survey.gets
            running.sources = {name: writer for name in changes if (writer := gets.get(name)) is not None}
        keeps = writes if state.cutoff else graph.reach[cell].imports
        if keeps:
            keeps = frozenset(n for n in keeps if record.has(n) and state.shown.by.get(n) == cell)
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
                keeps,
                running.sources,
                state.cutoff,
                record.analysis.opaque,
            )
        )

    # Its end

    def finish(self, finished: CellFinished) -> None:
        state = self._state
        running = state.running
        assert running is not None
        state.running = None
        record, entry = running.record, running.entry
        record.seconds = finished.seconds
        state.excess, state.held = finished.excess, finished.held
        if running.removed:
            self._finish_removed(running)
        else:
            plain = self._is_plain(running, finished)
            changed = self._take_plain(running, finished) if plain else self._take_outcome(running, finished)
            if changed or not plain:
                self._follow(running, finished, changed)
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

    def _is_plain(self, running: Running, finished: CellFinished) -> bool:
        """A success that binds what it may bind, changes no object, and met no edit: the usual case, made cheap."""
        record, state = running.record, self._state
        return (
            finished.outcome == "success"
            and running.had_run
            and running.edits == state.edits
            and not (finished.unbound or finished.kept or finished.touched or finished.copied or finished.shared)
            and not (finished.recalled or finished.found or state.forks)
            and not (record.kept or record.spent or record.passed or record.direct or record.spends or record.learned)
        )

    def _take_plain(self, running: Running, finished: CellFinished) -> list[str]:
        state, record = self._state, running.record
        record.generation += 1
        record.ran_code, record.inputs, record.late_inputs = running.code, running.inputs, running.late_inputs
        record.given = writes = running.writes
        record.unbound = NOTHING
        state.shown.after(record, writes, NOTHING)
        changed = state.freshness.replaced(record, certain=True)
        self._end(record, running, finished)
        if writes:
            state.events.append(VariablesChanged(tuple(writes)))
        return changed

    def _take_outcome(self, running: Running, finished: CellFinished) -> list[str]:
        """Record what the run gave; returns the cells whose freshness changed."""
        state, record = self._state, running.record
        writes = running.writes
        if finished.found:
            writes = writes | finished.found
        ok = finished.outcome == "success"
        self._renew(record, finished)
        record.outcome = finished.outcome
        record.ran_code = running.code
        record.inputs, record.late_inputs = running.inputs, running.late_inputs
        record.given = writes
        unbound = finished.unbound
        record.unbound = unbound
        record.passed = frozenset(n for n in unbound if not state.graph.stops(record.id, n)) if unbound else NOTHING
        removed = self._show_names(record, writes, unbound, ok=ok)
        judged = self._spend(running, finished) if changes_objects(record, finished) else []
        if record.passed != running.passed_before or not running.had_run:
            judged += self._owners_behind(writes)
        certain = running.edits == state.edits and not judged
        changed = state.freshness.replaced(record, certain=certain)
        if judged:
            changed += [c for c in state.freshness.update(judged) if c != record.id and c not in changed]
        self._end(record, running, finished)
        if writes:
            written = tuple(writes - unbound if unbound else writes) if ok else ()
            state.events.append(VariablesChanged(written, tuple(removed)))
        return changed

    def _owners_behind(self, names: frozenset[str]) -> list[str]:
        """Cells with a spent version of a name whose last writer may be another one since this run."""
        records, writers = self._state.records, self._state.graph.writers
        return [w for name in names for w in writers.get(name, ()) if name in records[w].spent]

    def _renew(self, record: Record, finished: CellFinished) -> None:
        state = self._state
        kept = {name: record.generation_of(name) for name in finished.kept} if finished.kept else {}
        record.generation += 1
        record.kept = kept
        if record.spent:
            state.freshness.renew(record)
        if state.forks:
            for name in record.given:
                state.forks.pop((name, record.id), None)

    def _show_names(
        self, record: Record, writes: frozenset[str], unbound: frozenset[str], *, ok: bool
    ) -> frozenset[str]:
        shown = self._state.shown
        if ok:
            shown.after(record, writes, unbound)
            return unbound
        for name in writes:
            shown.by.pop(name, None)
        shown.unsettle(writes)
        return writes

    def _end(self, record: Record, running: Running, finished: CellFinished) -> None:
        """Show the outcome of the run; an edit made meanwhile makes a success stale at once."""
        state = self._state
        status = finished.outcome
        state.show(record, status, running.entry.reason, running.run_id, finished.seconds)
        if record.id in state.agenda.entries:
            state.show(record, "queued", state.agenda.entries[record.id].reason, running.run_id)
            return
        now = state.status(record)
        if now != status:
            state.show(record, now, state.reason(record, now, "edited"), running.run_id)

    def _spend(self, running: Running, finished: CellFinished) -> list[str]:
        """Versions whose object the run changed; returns cells whose freshness must be judged."""
        state, record, cell = self._state, running.record, running.record.id
        sources = running.sources
        was_direct, was_spends = record.direct, set(record.spends)
        direct = frozenset((name, sources[name]) for name in finished.touched if name in sources)
        record.direct = direct
        for name in finished.copied:
            if name in sources:
                state.forks.setdefault((name, sources[name]), set()).add(cell)
        spent = set(direct)
        for name, writer in finished.shared:
            owner = writer or state.shown.by.get(name)
            if owner is not None and owner != cell and owner in state.records:
                spent.add((name, owner))
        spent = {(n, w) for n, w in spent if w in state.records and state.records[w].has(n)}
        learned = self._learn(running, finished) if state.rules.sharing else []
        for name, owner in spent:
            state.freshness.spend(owner, name, cell)
            state.shown.drop(name, owner)
        if not (spent or was_spends or learned or was_direct):
            return []
        return [*learned, *(w for _, w in spent | was_spends)]

    def _learn(self, running: Running, finished: CellFinished) -> list[str]:
        """Names bound above that share an object the cell changed count as changed by it."""
        state, record, cell = self._state, running.record, running.record.id
        graph = state.graph
        before = graph.learned.get(cell, NOTHING)
        if not (finished.shared or before or finished.found):
            record.learned = NOTHING
            return []
        at = graph.places.at
        own = graph.reach[cell].binds | (graph.changes[cell] - before)
        found: dict[str, str] = {}
        for name, writer in finished.shared:
            owner = writer or state.shown.by.get(name)
            if owner is None or name in own or owner not in at or at[owner] >= at[cell]:
                continue
            if state.freshness.provider(cell, name) == owner:
                found[name] = owner
        names = record.learned = frozenset(found) | finished.found
        touched: list[str] = []
        if names != before:
            delta = graph.learn(cell, names)
            state.graph_changed(delta)
            touched = [c for c in delta.cells if c in state.records]
            running.found_out = True
        for name, owner in found.items():
            state.shown.adopt(name, owner, cell)
        if names or before:
            record.given = record.given | names
            self._read_as_learned(record)
        return touched

    def _read_as_learned(self, record: Record) -> None:
        """What the cell read includes the names it changes through sharing, and what their functions read."""
        state = self._state
        reads, bound = state.graph.reads[record.id], state.graph.bound[record.id]
        new = {name: writers for name, writers in bound.items() if name not in record.inputs}
        record.inputs = {n: i for n, i in record.inputs.items() if n in reads} | state.freshness.inputs(new)
        record.late_inputs = state.freshness.inputs(state.graph.later[record.id])

    def _follow(self, running: Running, finished: CellFinished, changed: list[str]) -> None:
        """What this run made stale joins the runs it was part of."""
        state, entry = self._state, running.entry
        follow = entry.follow and not any(run.interrupted for run in entry.runs)
        recalled: set[str] = set()
        for version in finished.recalled:
            recalled |= state.forks.pop(version, set())
        if recalled:
            recalled = (recalled & state.records.keys()) - {running.record.id}
            for cell in recalled:
                state.records[cell].ran_code = None
            changed = changed + [c for c in state.freshness.update(recalled) if c not in changed]
        if follow:
            if recalled:
                self._gather.again(recalled, entry, KernelReason(code="made_again", from_cells=(running.record.id,)))
            if changed:
                self._gather.stale(changed, running.record.id, entry)
            if running.found_out or running.record.passed != running.passed_before:
                self._gather.readers(self._stale_readers(running.record.id), running.record.id, entry)
        if changed:
            state.refresh(changed, "inputs_changed", run_id=running.run_id)

    def _stale_readers(self, cell: str) -> list[str]:
        """Readers below that the run gave something else than the request could foresee."""
        state = self._state
        at = state.graph.places.at
        return [r for r in state.graph.succs[cell] if not state.records[r].fresh and at[r] > at[cell]]

    def _finish_removed(self, running: Running) -> None:
        """The cell was removed while it ran: what it wrote goes with it."""
        shown, cell = self._state.shown, running.record.id
        for name in running.writes:
            shown.by[name] = cell
        shown.unsettle(running.writes)

    def _fail_upstream(self, record: Record, entry: Entry, survey: Survey) -> None:
        state, cell = self._state, record.id
        state.agenda.take(cell)
        run_id = entry.runs[0].id
        name, writer = min(survey.failed)
        ends = "is in a cycle" if writer in state.graph.blocked else "failed"
        evalue = f"name {name!r} is not defined: cell {writer}, which writes it, {ends}"
        reason = KernelReason(
            code="upstream_failed", request=run_id, names=(name,), from_cells=(writer,), message=evalue
        )
        gone = state.shown.lost(record)
        self._renew(record, CellFinished(cell_id=cell, outcome="error"))
        state.forget_readers(record)
        record.outcome, record.ran_code, record.held = "error", record.code, None
        record.inputs = survey.inputs
        record.late_inputs = state.freshness.inputs(state.graph.later[cell])
        record.given, record.unbound, record.passed = state.graph.writes[cell], NOTHING, NOTHING
        changed = state.freshness.replaced(record, certain=False)
        state.events.append(UpstreamFailed(cell, run_id, evalue, (name,), (writer,)))
        state.show(record, "error", reason, run_id)
        if gone:
            state.events.append(VariablesChanged((), tuple(sorted(gone))))
        for run in entry.runs:
            run.waiting.discard(cell)
            run.error += 1
        if changed:
            if entry.follow:
                self._gather.stale(changed, cell, entry)
            state.refresh(changed, "inputs_changed", run_id=run_id)

    # Runs

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
            failed = self._failed_inputs(cell)
            if failed.failed:
                entry.follow = False
                self._fail_upstream(state.records[cell], entry, failed)
            else:
                self.leave(cell, KernelReason(code="interrupted", request=run.id))

    def _failed_inputs(self, cell: str) -> Survey:
        state, survey = self._state, Survey()
        survey.inputs = state.freshness.inputs(state.graph.bound[cell])
        for name, consulted in survey.inputs.items():
            record = state.records[consulted[-1][0]]
            if record.outcome in {"error", "interrupted"} and not record.own_stale:
                survey.failed.append((name, record.id))
        return survey

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


def changes_objects(record: Record, finished: CellFinished) -> bool:
    """Whether this run or the one before had to do with objects that others hold."""
    return bool(
        finished.touched
        or finished.copied
        or finished.shared
        or finished.found
        or record.direct
        or record.spends
        or record.learned
    )
