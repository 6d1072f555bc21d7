"""What the end of a run means: names, generations, spent versions, sharing, and who is stale by it."""

from tailrace_kernel.agenda import Entry
from tailrace_kernel.facts import NOTHING
from tailrace_kernel.gather import Gather
from tailrace_kernel.reach import is_table
from tailrace_kernel.records import NO_VERSIONS, Record
from tailrace_kernel.state import Running, State, writers_of
from tailrace_kernel.stimuli import CellFinished, UpstreamFailed, VariablesChanged, Version
from tailrace_kernel.surveys import Survey
from tailrace_protocol.kernel_messages import KernelReason


class Endings:
    def __init__(self, state: State, gather: Gather) -> None:
        self._state = state
        self._gather = gather

    def take(self, running: Running, finished: CellFinished) -> None:
        """A cell ended by itself."""
        if running.removed:
            self._finish_removed(running)
            return
        plain = self._is_plain(running, finished)
        changed = self._take_plain(running, finished) if plain else self._take_outcome(running, finished)
        if changed or not plain:
            self._follow(running, finished, changed)

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
            and not record.missed
        )

    def _take_plain(self, running: Running, finished: CellFinished) -> list[str]:
        state, record = self._state, running.record
        record.generation += 1
        record.ran_code, record.inputs, record.late_inputs = running.code, running.inputs, running.late_inputs
        record.given = writes = running.writes
        record.unbound = NOTHING
        state.shown.after(record, writes, NOTHING)
        changed = state.freshness.replaced(record, certain=True)
        if record.fresh and record.id not in state.agenda.entries:  # as `_end` would find after asking for it all
            state.show(record, "success", running.entry.reason, running.run_id, finished.seconds)
        else:
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
        doubtful = self._renew(record, finished)
        record.outcome = finished.outcome
        record.ran_code = running.code
        record.inputs, record.late_inputs = running.inputs, running.late_inputs
        record.given = writes
        unbound = finished.unbound
        record.unbound = unbound
        passed = (n for n in unbound - finished.deleted if not state.graph.stops(record.id, n))
        record.passed = frozenset(passed) if unbound else NOTHING
        removed = self._show_names(record, writes, unbound, ok=ok)
        judged = self._spend(running, finished) if changes_objects(record, finished) else []
        judged += doubtful
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
        """Owners of a spent version of a name whose last writer may be another one since this run, and its spenders."""
        state, found = self._state, list[str]()
        for name in names:
            for writer in state.graph.writers.get(name, ()):
                if name in state.records[writer].spent:
                    found += [writer, *state.freshness.spenders(writer, name)]
        return found

    def _renew(self, record: Record, finished: CellFinished) -> list[str]:
        """Its versions are new ones; returns cells to judge anew."""
        state = self._state
        kept = {name: record.generation_of(name) for name in finished.kept} if finished.kept else {}
        record.generation += 1
        if state.forks:
            for name in record.given:
                state.forks.pop((name, record.id), None)
            for version in record.copied & state.forks.keys():
                state.forks[version].discard(record.id)
        record.kept, record.missed, record.copied = kept, frozenset(), frozenset()
        return state.freshness.renew(record) if record.spent else []

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
            code = "edited" if running.code != record.code else "inputs_changed"
            state.show(record, now, state.reason(record, now, code), running.run_id)

    def _spend(self, running: Running, finished: CellFinished) -> list[str]:
        """Versions whose object the run changed; returns cells whose freshness must be judged."""
        state, record, cell = self._state, running.record, running.record.id
        sources = running.sources
        was_direct, was_spends = record.direct, set(record.spends)
        record.latest = frozenset()
        record.kin = self._kin(running, finished.kin) if finished.kin else frozenset()
        direct = frozenset((name, sources[name]) for name in finished.touched if name in sources)
        if finished.found:
            direct |= self._overwritten(cell, finished.found)
        record.direct = direct
        record.copied = frozenset((name, sources[name]) for name in finished.copied if name in sources)
        for version in record.copied:
            state.forks.setdefault(version, set()).add(cell)
        spent = set(direct)
        # Of a table only the newest version is there: who writes it spends all others.
        writers = state.graph.writers
        spent |= {(n, w) for n in finished.touched if is_table(n) for w in writers.get(n, ()) if w != cell}
        if finished.outcome != "success" and not state.rules.failed_change_spends:
            return []
        for name, writer in finished.shared:
            owner = writer or state.shown.by.get(name)
            if owner is not None and owner != cell and owner in state.records:
                spent.add((name, owner))
        spent = {(n, w) for n, w in spent if w in state.records and state.records[w].has(n)}
        record.latest = frozenset(spent)
        learned = self._learn(running, finished) if state.rules.sharing else []
        for name, owner in spent:
            state.freshness.spend(owner, name, cell)
            state.shown.drop(name, owner)
        if not (spent or was_spends or learned or was_direct):
            return []
        return [*learned, *(w for _, w in spent | was_spends)]

    def _overwritten(self, cell: str, found: frozenset[str]) -> set[tuple[str, str]]:
        """Versions above that nobody put aside, because nobody knew that an opaque cell binds these names."""
        new = found - self._state.graph.learned.get(cell, NOTHING)
        owners = [(name, self._state.freshness.provider(cell, name)) for name in new]
        at = self._state.graph.places.at
        return {(name, owner) for name, owner in owners if owner is not None and at[owner] < at[cell]}

    def _learn(self, running: Running, finished: CellFinished) -> list[str]:
        """Names bound above that share an object the cell changed count as changed by it."""
        state, record, cell = self._state, running.record, running.record.id
        graph = state.graph
        before = graph.learned.get(cell, NOTHING)
        taken_before = graph.taken.get(cell, NO_VERSIONS)
        if not (finished.shared or before or finished.found or taken_before):
            record.learned, record.missed = NOTHING, frozenset()
            return []
        at = graph.places.at
        only = graph.only_learned.get(cell, NOTHING)
        own = graph.reach[cell].binds | (graph.changes[cell] - only) | (running.writes - only - finished.unbound)
        found: dict[str, str] = {}
        worn: dict[str, str] = {}
        missed = set()
        for name, writer in finished.shared:
            owner = writer or state.shown.by.get(name)
            if owner is None or name in own or owner not in at or (name, owner) in finished.rebound:
                continue
            if at[owner] < at[cell] and state.freshness.provider(cell, name) == owner:
                found[name] = owner
            elif at[owner] > at[cell] and (giver := self._made_from(name, owner, record)) is not None:
                found[name], worn[name] = giver, owner
            else:
                missed.add((name, owner))
        record.missed = frozenset(missed)
        names = record.learned = frozenset(found) | finished.found
        taken = frozenset(version for version in missed if at.get(version[1], -1) > at[cell])
        touched: list[str] = []
        if names != before or taken != taken_before:
            delta = graph.learn(cell, names, taken)
            state.graph_changed(delta)
            running.turned = delta.blocked | delta.unblocked
            touched = [c for c in delta.cells | running.turned if c in state.records]
            running.found_out = names != before
        for name, owner in found.items():
            state.shown.adopt(name, owner, cell)
        if found and record.unbound:
            record.unbound, record.passed = record.unbound - found.keys(), record.passed - found.keys()
        if names or before:
            self._give_back(record, before - names)
            record.given = record.given | names
            self._read_as_learned(record)
        for name, owner in worn.items():  # what it should have been given was changed below already
            if record.has(name):
                state.freshness.spend(cell, name, owner)
        return [*touched, cell] if worn else touched

    def _kin(self, running: Running, kin: frozenset[tuple[str, str]]) -> frozenset[tuple[str, Version]]:
        """The same with versions: those that the names showed before the run."""
        cell, by, provider = running.record.id, self._state.shown.by, self._state.freshness.provider
        found = set()
        for name, other in kin:
            shown = running.sources.get(other) or by.get(other)
            owner = provider(cell, other) if shown == cell else shown
            if owner is not None:
                found.add((name, (other, owner)))
        return frozenset(found)

    def _made_from(self, name: str, owner: str, record: Record) -> str | None:
        """The cell above whose version of the name `owner`, below, has changed in place into its own.

        Only where it was made of what this cell changed, before that run: an object may have been put there since.
        """
        cell, records, graph = record.id, self._state.records, self._state.graph
        at = graph.places.at
        inherited = set(record.latest)
        while at.get(owner, -1) > at[cell]:
            inherited = {version for version in inherited if (name, version) in records[owner].kin}
            sources = [w for n, w in records[owner].latest if n == name and at.get(w, at[owner]) < at[owner]]
            if not inherited or not sources or name in graph.reach[owner].rebinds:
                return None
            owner = max(sources, key=at.__getitem__)
        return owner if self._state.freshness.provider(cell, name) == owner else None

    def _give_back(self, record: Record, names: frozenset[str]) -> None:
        """It shares these names no more and left them alone: what they show is the version of the writer above."""
        state, cell = self._state, record.id
        given_back = names - state.graph.writes[cell]
        if not given_back:
            return
        record.given, record.unbound = record.given - given_back, record.unbound - given_back
        for name in given_back:
            owner = state.freshness.provider(cell, name)
            if state.shown.by.get(name) == cell and owner is not None:
                state.shown.by[name] = owner
            state.shown.unsettle((name,))

    def _read_as_learned(self, record: Record) -> None:
        """What the cell read includes the names it changes through sharing, and what their functions read."""
        state = self._state
        reads, bound = state.graph.reads[record.id], state.graph.bound[record.id]
        new = {name: writers for name, writers in bound.items() if name not in record.inputs}
        consulted = writers_of(record)
        record.inputs = {n: i for n, i in record.inputs.items() if n in reads} | state.freshness.inputs(new)
        record.late_inputs = state.freshness.inputs(state.graph.later[record.id])
        for writer in consulted - writers_of(record):
            state.then.get(writer, {}).pop(record.id, None)

    def _follow(self, running: Running, finished: CellFinished, changed: list[str]) -> None:
        """What this run made stale joins the runs it was part of."""
        state, entry = self._state, running.entry
        follow = entry.follow and not any(run.interrupted for run in entry.runs)
        recalled: set[str] = set()
        for version in finished.recalled:
            recalled |= state.forks.pop(version, set())
        if recalled:
            recalled = (recalled & state.records.keys()) - {running.record.id}
            unedited = [c for c in recalled if state.records[c].ran_code == state.records[c].code]
            for cell in recalled:
                state.records[cell].ran_code = None
            changed = changed + [c for c in state.freshness.update(recalled) if c not in changed]
            recalled = set(unedited)
        if follow:
            if recalled:
                self._gather.again(recalled, entry, KernelReason(code="made_again", from_cells=(running.record.id,)))
            if changed:
                self._gather.stale(changed, running.record.id, entry)
            if running.found_out or running.record.passed != running.passed_before:
                self._gather.readers(self._stale_readers(running.record.id), running.record.id, entry)
        if changed or running.turned:
            turned = [c for c in running.turned if c != running.record.id]
            state.refresh([*changed, *sorted(turned)], "inputs_changed", run_id=running.run_id)

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

    def fail_upstream(self, record: Record, entry: Entry, survey: Survey) -> None:
        state, cell = self._state, record.id
        state.agenda.take(cell)
        run_id = entry.runs[0].id
        name, writer = min(survey.failed)
        ends = "is in a cycle" if writer in state.graph.blocked else "failed"
        missing = f"{name.partition(':')[2]} is not there" if is_table(name) else f"name {name!r} is not defined"
        evalue = f"{missing}: cell {writer}, which writes it, {ends}"
        reason = KernelReason(
            code="upstream_failed", request=run_id, names=(name,), from_cells=(writer,), message=evalue
        )
        gone = state.shown.lost(record)
        doubtful = self._renew(record, CellFinished(cell_id=cell, outcome="error"))
        state.forget_readers(record)
        record.outcome, record.ran_code, record.held = "error", record.code, None
        record.inputs = survey.inputs
        record.late_inputs = state.freshness.inputs(state.graph.later[cell])
        record.given, record.unbound, record.passed = state.graph.writes[cell], NOTHING, NOTHING
        changed = state.freshness.replaced(record, certain=False)
        changed += [c for c in state.freshness.update(doubtful) if c not in changed]
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
