"""What a cell would get if it ran now: the version of each name, or why there is none. Pulls what must run first."""

from tailrace_kernel.agenda import Entry
from tailrace_kernel.facts import NOTHING
from tailrace_kernel.gather import Gather
from tailrace_kernel.records import Inputs, Record
from tailrace_kernel.state import State
from tailrace_protocol.kernel_messages import KernelReason


class Survey:
    """What a cell would get now. `failed`: a name it cannot get; `refused`: why it must wait; `pulled`: look later."""

    __slots__ = ("failed", "gets", "inputs", "pulled", "refused")

    def __init__(self) -> None:
        self.inputs: Inputs = {}
        self.gets: dict[str, str | None] = {}
        self.failed: list[tuple[str, str]] = []
        self.refused: KernelReason | None = None
        self.pulled = False


class Surveys:
    def __init__(self, state: State, gather: Gather) -> None:
        self._state = state
        self._gather = gather

    def survey(self, cell: str, entry: Entry) -> Survey:
        state = self._state
        records, survey = state.records, Survey()
        possible = state.graph.possible.get(cell, NOTHING)
        for name, writers in state.graph.bound[cell].items():
            writer = writers[0]
            record = records[writer]
            refused = survey.refused
            if record.outcome == "success" and name in record.given and not record.spent and not record.unbound:
                survey.gets[name] = writer
                survey.inputs[name] = ((writer, record.kept.get(name, record.generation)),)
            else:
                self._survey_name(cell, entry, name, writers, survey)
                if name in possible:  # nobody knows that the cell needs it
                    survey.failed, survey.refused = [f for f in survey.failed if f[0] != name], refused
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
            elif (record.own_stale or not state.rules.failed_not_pulled) and writer not in state.graph.blocked:
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
        if not self._state.rules.pulls:
            return
        if writer.id in self._state.agenda.stuck:
            survey.refused = self._state.agenda.stuck[writer.id]
            return
        refused = self._gather.pull(writer.id, name, cell, entry)
        if refused is None:
            self._gather.settle()
            survey.pulled = True
        else:
            survey.refused = refused

    def failed_inputs(self, cell: str) -> Survey:
        state, survey = self._state, Survey()
        survey.inputs = state.freshness.inputs(state.graph.bound[cell])
        for name, consulted in survey.inputs.items():
            if name in state.graph.possible.get(cell, NOTHING):
                continue
            record = state.records[consulted[-1][0]]
            if record.outcome in {"error", "interrupted"} and not record.own_stale:
                survey.failed.append((name, record.id))
        return survey
