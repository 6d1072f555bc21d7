"""A notebook whose SQL cells run on real databases, driven as the kernel drives it."""

from typing import Any

from tailrace_kernel.queries import maker_of
from tailrace_kernel.sql import Connections
from tailrace_kernel.sql_cell import SqlCell, analyze_sql_cell
from tailrace_kernel.stimuli import Execute, Outcome
from tailrace_protocol.errors import TailraceError
from tests.kernel.dataflow import Notebook


class SqlNotebook(Notebook):
    """Cells put by `sql` run on `connections`, the others as Python."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self.connections = connections
        self.queries: dict[str, SqlCell] = {}

    def sql(self, cell: str, code: str, *, anywhere: bool = False, **more: Any) -> SqlCell:
        """`anywhere`: the cell may run by itself although it writes outside."""
        parsed = analyze_sql_cell(code, dialects=self.connections.dialects(), embedded=self.connections.embedded())
        self.queries[cell] = parsed
        self.put(cell, code, parsed.analysis, cell_type="sql", allow_outside_effects=anywhere, **more)
        return parsed

    def remove(self, cell: str, **more: Any) -> list[str]:
        self.connections.forget(cell)
        return super().remove(cell, **more)

    def _execute(self, execute: Execute) -> Outcome:
        query = self.queries.get(execute.cell_id)
        if query is None:
            return super()._execute(execute)
        self.runs.append(execute.cell_id)
        maker = maker_of(execute.cell_id, query, self.scheduler.order)
        if maker is None:
            self.connections.forget(execute.cell_id)
        try:
            result = self.connections.run(
                query.statement,
                query.connection,
                parameters=lambda source: eval(source, self.user),
                frames={name: self.user[name] for name in query.mentioned if name in self.user},
                result=query.result,
                maker=maker,
            )
        except TailraceError as error:
            self.error[execute.cell_id] = error.message
            return "error"
        if result.name is not None:
            self.user[result.name] = result.frame
        return "success"
