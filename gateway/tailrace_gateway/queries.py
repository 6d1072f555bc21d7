"""Questions of a client that change nothing: completion, inspection, pages of values. Knows both wires' shapes."""

from collections.abc import Callable
from typing import Any

from tailrace_gateway.conversation import Reply, fields
from tailrace_gateway.execution import Execution
from tailrace_gateway.state import NotebookState
from tailrace_protocol.commands import Complete, Inspect, Schema, TablePage, VariablePage
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import SchemaRequest, TablePageRequest, VariablesRequest

Answered = Callable[[dict[str, Any]], None]
Failed = Callable[[TailraceError], None]


def ask(
    execution: Execution,
    state: NotebookState,
    command: Complete | Inspect | VariablePage | TablePage | Schema,
    answered: Answered,
    failed: Failed,
) -> None:
    """The result goes into the ack. Raises TailraceError unknown_cell, kernel_starting or kernel_dead."""
    if not isinstance(command, VariablePage | Schema) and command.cell_id not in state.cells:
        message = f"There is no cell {command.cell_id!r}: it may have been deleted."
        raise TailraceError(ErrorCode.UNKNOWN_CELL, message)
    match command:
        case Complete():
            content = {"code": command.code, "cursor_pos": command.cursor}
            execution.query("complete", content, lambda reply: answered(_completion(reply)), failed, channel="shell")
        case Inspect():
            content = {"code": command.code, "cursor_pos": command.cursor, "detail_level": 0}
            execution.query("inspect", content, lambda reply: answered(_inspection(reply)), failed, channel="shell")
        case VariablePage():
            names = VariablesRequest(names=(command.name,))
            execution.query("variables", names, lambda reply: answered(fields(reply)), failed)
        case TablePage():
            page = TablePageRequest(
                cell_id=command.cell_id,
                output=command.output_index,
                offset=command.offset,
                limit=command.limit,
                sort=command.sort,
                filter=command.filter,
            )
            execution.query("table_page", page, lambda reply: answered(fields(reply)), failed)
        case Schema():
            node = SchemaRequest(connection=command.connection, path=command.path, refresh=command.refresh)
            execution.query("schema", node, lambda reply: answered(fields(reply)), failed)


def _completion(reply: Reply) -> dict[str, Any]:
    return {
        "matches": reply.get("matches", []),
        "start": reply.get("cursor_start", 0),
        "end": reply.get("cursor_end", 0),
        "metadata": reply.get("metadata", {}),
    }


def _inspection(reply: Reply) -> dict[str, Any]:
    return {"found": bool(reply.get("found")), "data": reply.get("data", {}), "metadata": reply.get("metadata", {})}
