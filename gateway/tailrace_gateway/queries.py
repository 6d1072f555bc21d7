"""Questions of a client that change nothing: completion, inspection, pages of values. Knows both wires' shapes."""

import asyncio
from collections.abc import Callable
from typing import Any

from tailrace_gateway.conversation import Post, Reply, fields
from tailrace_gateway.execution import Execution
from tailrace_gateway.state import NotebookState
from tailrace_protocol.commands import Complete, Inspect, RenameVariable, Schema, TablePage, VariablePage
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import RenameVariableRequest, SchemaRequest, TablePageRequest, VariablesRequest

ANSWER_SECONDS = 10.0

Answered = Callable[[dict[str, Any]], None]
Failed = Callable[[TailraceError], None]


def ask(
    execution: Execution,
    state: NotebookState,
    command: Complete | Inspect | VariablePage | TablePage | Schema | RenameVariable,
    answered: Answered,
    failed: Failed,
) -> None:
    """The result goes into the ack. Raises TailraceError unknown_cell, kernel_starting or kernel_dead."""
    if not isinstance(command, VariablePage | Schema | RenameVariable) and command.cell_id not in state.cells:
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
            wanted = VariablesRequest(names=None if command.name is None else (command.name,))
            execution.query("variables", wanted, lambda reply: answered(_variables(reply, command)), failed)
        case TablePage():
            page = TablePageRequest(
                cell_id=command.cell_id,
                output=command.output_index,
                offset=command.offset,
                limit=command.limit,
                sort=command.sort,
                filter=command.filter,
                token=command.token,
            )
            execution.query("table_page", page, lambda reply: answered(fields(reply)), failed)
        case Schema():
            node = SchemaRequest(connection=command.connection, path=command.path, refresh=command.refresh)
            execution.query("schema", node, lambda reply: answered(fields(reply)), failed)
        case RenameVariable():
            names = RenameVariableRequest(name=command.name, new_name=command.new_name)
            execution.query("rename_variable", names, lambda reply: answered(fields(reply)), failed)


async def answer(execution: Execution, post: Post, kind: str, content: Any) -> Reply:
    """What the kernel says, `buffers` included. Raises its TailraceError, kernel_starting, kernel_dead,
    kernel_unresponsive."""
    answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def give(reply: Reply) -> None:
        if not answered.done():
            answered.set_result(reply)

    def fail(error: TailraceError) -> None:
        if not answered.done():
            answered.set_exception(error)

    def put() -> None:
        try:
            execution.query(kind, content, give, fail)
        except TailraceError as error:
            fail(error)

    post(put)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answered
    except TimeoutError:  # a kernel that was restarted meanwhile answers nothing
        message = "The kernel ended before it answered: ask again."
        raise TailraceError(ErrorCode.KERNEL_UNRESPONSIVE, message) from None


def _variables(reply: Reply, command: VariablePage) -> dict[str, Any]:
    variables = reply.get("variables", [])
    return {"variables": variables[command.offset : command.offset + command.limit], "total": len(variables)}


def _completion(reply: Reply) -> dict[str, Any]:
    return {
        "matches": reply.get("matches", []),
        "start": reply.get("cursor_start", 0),
        "end": reply.get("cursor_end", 0),
        "metadata": reply.get("metadata", {}),
    }


def _inspection(reply: Reply) -> dict[str, Any]:
    return {"found": bool(reply.get("found")), "data": reply.get("data", {}), "metadata": reply.get("metadata", {})}
