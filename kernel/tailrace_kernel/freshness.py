"""Whether a cell's last run still stands: derived from code, inputs and spent versions, never set by hand.

Touches only cells it is told of and those whose answer follows from theirs. Knows no pending set and no statuses.
"""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from tailrace_kernel.graph import Graph
from tailrace_kernel.reach import is_table
from tailrace_kernel.records import Inputs, Record
from tailrace_kernel.rules import Rules

LET_GO = ""  # in place of a spender: the version was dropped to keep the budget


class Freshness:
    def __init__(self, graph: Graph, records: dict[str, Record], rules: Rules) -> None:
        self._graph = graph
        self._records = records
        self._rules = rules
        self.owed: dict[str, None] = {}  # cells with a spent version that nobody changes any more, or that is needed

    # Chains

    def chain(self, name: str, writers: Iterable[str]) -> tuple[tuple[tuple[str, int], ...], str | None]:
        """The writers consulted, with their generations, and the one whose version counts."""
        consulted = []
        for writer in writers:
            record = self._records[writer]
            consulted.append((writer, record.generation_of(name)))
            if name not in record.passed:
                return tuple(consulted), writer
        return tuple(consulted), None

    def provider(self, cell: str, name: str) -> str | None:
        return self.chain(name, self._graph.bound[cell].get(name) or self._graph.candidates(cell, name))[1]

    def inputs(self, bound: dict[str, tuple[str, ...]]) -> Inputs:
        records = self._records
        found: Inputs = {}
        for name, writers in bound.items():
            record = records[writers[0]]
            if name in record.passed:
                found[name] = self.chain(name, writers)[0]
            else:
                found[name] = ((writers[0], record.generation_of(name)),)
        return found

    # Staleness

    def stands(self, cell: str) -> bool:
        """Whether code and inputs equal those of the last run."""
        record = self._records[cell]
        if record.ran_code is None or record.code != record.ran_code:
            return False
        graph = self._graph
        if self.inputs(graph.bound[cell]) != record.inputs or (record.missed and self._shares_more(record)):
            return False
        later = graph.later[cell]
        return (self.inputs(later) if later else {}) == record.late_inputs

    def _shares_more(self, record: Record) -> bool:
        """Whether a name is bound above now that the run would have found to share what it changed."""
        at = self._graph.places.at
        here = at[record.id]
        return any(
            at[owner] < here and self.provider(record.id, name) == owner
            for name, owner in record.missed & record.spends
        )

    def update(self, cells: Iterable[str]) -> list[str]:
        """Judge these cells anew, and whoever follows; returns those whose answer changed, in rank order."""
        graph, records = self._graph, self._records
        heap = []
        for cell in cells:
            record = records.get(cell)
            if record is not None:
                self._judge(record)
                heap.append((graph.rank(cell), cell))
        return self._spread(heap)

    def replaced(self, record: Record, *, certain: bool) -> list[str]:
        """After a run: judge the cell and its readers; returns others whose answer changed, in rank order.

        `certain`: nothing but this run happened since it began, so its inputs are those it was given.
        """
        graph, records, cell = self._graph, self._records, record.id
        if certain:
            record.own_stale = False
        else:
            self._judge(record)
        heap: list[tuple[int, str]] = []
        changed: list[str] = []
        fresh = not record.own_stale and cell not in graph.blocked and self._writers_fresh(record)
        turned = fresh != record.fresh
        record.fresh = fresh
        for reader in graph.succs[cell]:
            follower = records[reader]
            if follower.own_stale:
                continue
            if record.kept or not self._consulted(follower, cell):
                self._judge(follower)
                if follower.fresh == follower.own_stale or turned:
                    heap.append((graph.rank(reader), reader))
            else:
                follower.own_stale = True
                if follower.fresh:
                    follower.fresh = False
                    changed.append(reader)
                    heap += [(graph.rank(r), r) for r in graph.succs[reader] if records[r].fresh]
        if heap:
            changed += [c for c in self._spread(heap) if c != cell]
        if len(changed) > 1:
            changed.sort(key=graph.rank)
        return changed

    def _consulted(self, reader: Record, cell: str) -> bool:
        """Whether the reader's last run took a name from this cell first, so that a new generation makes it stale."""
        for name in self._graph.preds[reader.id][cell]:
            consulted = reader.inputs.get(name)
            if consulted is not None and consulted[0][0] == cell:
                return True
        return False

    def _judge(self, record: Record) -> None:
        cell = record.id
        owes = bool(record.spent) and self._rules.spent and self._rules.made_again_at_rest and self._owes(record)
        if owes:
            self.owed[cell] = None
        elif self.owed:
            self.owed.pop(cell, None)
        record.own_stale = owes or not self.stands(cell)

    def _spread(self, heap: list[tuple[int, str]]) -> list[str]:
        graph, records = self._graph, self._records
        if len(heap) > 1:
            heapify(heap)
        changed: list[str] = []
        while heap:
            cell = heappop(heap)[1]
            record = records[cell]
            fresh = not record.own_stale and cell not in graph.blocked and self._writers_fresh(record)
            if fresh != record.fresh:
                record.fresh = fresh
                changed.append(cell)
                for reader in graph.succs[cell]:
                    if records[reader].fresh != fresh:
                        heappush(heap, (graph.rank(reader), reader))
        return changed

    def _writers_fresh(self, record: Record) -> bool:
        records = self._records
        cell = record.id
        for consulted in record.inputs.values():
            for writer, _ in consulted:
                if writer != cell and not records[writer].fresh:
                    return False
        if record.late_inputs:
            for consulted in record.late_inputs.values():
                for writer, _ in consulted:
                    if writer != cell and not records[writer].fresh:
                        return False
        return True

    # Spent versions

    def spenders(self, writer: str, name: str) -> list[str]:
        """Cells that are there still."""
        return [by for by in self._records[writer].spent.get(name, ()) if by in self._records]

    def spend(self, writer: str, name: str, by: str) -> None:
        if not self._rules.spent:
            return
        record = self._records[writer]
        record.spent.setdefault(name, set()).add(by)
        if by != LET_GO:
            self._records[by].spends |= {(name, writer)}

    def renew(self, record: Record) -> list[str]:
        """The cell gives new versions, or is gone: its old ones are spent no more. Returns cells to judge anew."""
        doubtful = []
        for name in record.spent:
            for by in self.spenders(record.id, name):
                self._records[by].spends -= {(name, record.id)}
                if self._records[by].missed:
                    doubtful.append(by)
        record.spent.clear()
        self.owed.pop(record.id, None)
        return doubtful

    def changes_still(self, cell: str, version: tuple[str, str]) -> bool:
        """Whether the cell's last run changed this version, and what it changed is what it would change again."""
        record = self._records.get(cell)
        if record is None or version not in record.latest:
            return False
        changes = self._graph.changes[cell]
        return all(name in changes and self.provider(cell, name) == writer for name, writer in record.direct)

    def _owes(self, record: Record) -> bool:
        at = self._graph.places.at
        here = at[record.id]
        for name, spenders in record.spent.items():
            table = is_table(name)
            if not table and any(by != LET_GO and not self.changes_still(by, (name, record.id)) for by in spenders):
                return True
            here_at_rest = self.chain(name, self._graph.last(name))[1] == record.id
            if here_at_rest and (table or any(by not in at or at[by] > here for by in spenders)):
                return True
        return False
