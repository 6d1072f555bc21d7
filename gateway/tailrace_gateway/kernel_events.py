"""A kernel's IOPub message → events of the notebook's stream. Pure; the caller publishes each event as it comes.

Generators, because a later event of one message looks at the state that the former one changed. Messages about cells
that the document does not have give nothing: they were deleted meanwhile, or belong to somebody else.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tailrace_gateway.jupyter_wire import Message
from tailrace_gateway.state import NotebookState
from tailrace_protocol.codec import decode_content
from tailrace_protocol.events import (
    CellErrored,
    CellOutput,
    CellOutputsCleared,
    CellOutputUpdated,
    CellStatus,
    CellStdout,
    CommSent,
    Event,
    GraphReplaced,
    NodeCreated,
    NodeDeleted,
    NodeLinked,
    NodeUnlinked,
    PropertyChanged,
    RunCounts,
    RunFinished,
    RunStarted,
)
from tailrace_protocol.kernel_messages import (
    CellStatusContent,
    GraphChanged,
    GraphReply,
    KernelDiagnostic,
    KernelEdge,
    KernelReason,
    RunFinishedContent,
    RunStartedContent,
    StatusChange,
)
from tailrace_protocol.objects import CellError, Diagnostic, DisplayOutput, Edge, Graph, Reason, ResultOutput, Stream

MAX_GRAPH_EVENTS = 200  # of one message; beyond that the whole graph in one event
Keep = Callable[[Mapping[str, Any]], dict[str, Any]]
"""A MIME bundle → the bundle with its large values replaced by addresses."""


def events_of(message: Message, state: NotebookState, keep: Keep) -> Iterator[Event]:
    """What this message means for the notebook. Raises TailraceError bad_field on contents that are not ours."""
    content = message.content
    match message.kind:
        case "cell_status":
            for change in decode_content(CellStatusContent, content).changes:
                yield from _status(change, state)
        case "graph_changed":
            yield from _graph(decode_content(GraphChanged, content), state)
        case "run_started":
            yield _run_started(decode_content(RunStartedContent, content))
        case "run_finished":
            yield _run_finished(decode_content(RunFinishedContent, content))
        case "comm_open" | "comm_msg" | "comm_close":
            yield _comm(message)
        case _:
            cell_id = cell_of(message)
            if cell_id in state.cells:
                if message.kind == "error" and state.cells[cell_id].status != "running":
                    yield CellOutputsCleared(cell_id=cell_id, wait=False)  # failed without running: not its old outputs
                yield from _output(message.kind, content, cell_id, keep)


def cell_of(message: Message) -> str:
    """The cell that a message belongs to; empty when to none."""
    return str(message.tailrace.get("cell_id") or message.parent.get("cell_id") or "")


def _status(change: StatusChange, state: NotebookState) -> Iterator[Event]:
    cell = state.cells.get(change.cell_id)
    if cell is None:
        return
    yield CellStatus(
        cell_id=cell.id,
        status=change.status,
        reason=reason_of(change.reason),
        seconds=change.seconds,
        version=change.version,
        run_id=change.run_id,
        execution_count=change.execution_count,
    )
    if change.status == "running":
        yield CellOutputsCleared(cell_id=cell.id, wait=True)


def _output(kind: str, content: Mapping[str, Any], cell_id: str, keep: Keep) -> Iterator[Event]:
    match kind:
        case "stream":
            stream: Stream = "stderr" if content.get("name") == "stderr" else "stdout"
            yield CellStdout(cell_id=cell_id, data=str(content.get("text", "")), stream=stream)
        case "display_data" | "execute_result":
            yield CellOutput(cell_id=cell_id, output=_bundle(kind, content, keep))
        case "update_display_data":
            output = _bundle("display_data", content, keep)
            if output.display_id is not None:
                yield CellOutputUpdated(cell_id=cell_id, display_id=output.display_id, output=output)
        case "error":
            yield CellErrored(cell_id=cell_id, error=_error(content))
        case "clear_output":
            yield CellOutputsCleared(cell_id=cell_id, wait=bool(content.get("wait")))


def _bundle(kind: str, content: Mapping[str, Any], keep: Keep) -> DisplayOutput | ResultOutput:
    transient = content.get("transient") or {}
    display_id = transient.get("display_id")
    count = content.get("execution_count")
    make = ResultOutput if kind == "execute_result" else DisplayOutput
    return make(
        index=0,
        data=keep(content.get("data") or {}),
        metadata=dict(content.get("metadata") or {}),
        display_id=display_id if isinstance(display_id, str) else None,
        execution_count=count if isinstance(count, int) else None,
    )


def _error(content: Mapping[str, Any]) -> CellError:
    line = content.get("line")
    return CellError(
        ename=str(content.get("ename", "")),
        evalue=str(content.get("evalue", "")),
        traceback=tuple(str(part) for part in content.get("traceback") or ()),
        line=line if isinstance(line, int) else None,
    )


def _graph(change: GraphChanged, state: NotebookState) -> Iterator[Event]:
    if change.version <= state.graph_version:
        return
    cycles = change.cycles != state.cycles
    parts = (change.added_cells, change.removed_cells, change.added_edges, change.removed_edges)
    if sum(map(len, parts)) > MAX_GRAPH_EVENTS:
        yield GraphReplaced(graph=_changed(change, state))
        return
    for cell_id in change.added_cells:
        yield NodeCreated(cell_id=cell_id)
    for edge in change.removed_edges:
        yield NodeUnlinked(from_=edge.from_, to=edge.to)
    for edge in change.added_edges:
        yield NodeLinked(from_=edge.from_, to=edge.to, names=edge.names, learned=edge.learned)
    for cell_id in change.removed_cells:
        yield NodeDeleted(cell_id=cell_id)
    if cycles:
        yield PropertyChanged(property="cycles", value=change.cycles, previous=state.cycles)
    yield PropertyChanged(property="version", value=change.version, previous=state.graph_version)


def _changed(change: GraphChanged, state: NotebookState) -> Graph:
    edges = {key: edge for key, edge in state.edges.items() if not {*key} & {*change.removed_cells}}
    for gone in change.removed_edges:
        edges.pop((gone.from_, gone.to), None)
    edges |= {(edge.from_, edge.to): edge_of(edge) for edge in change.added_edges}
    return Graph(edges=tuple(edges.values()), cycles=change.cycles, version=change.version)


def graph_of(reply: GraphReply) -> Graph:
    return Graph(edges=tuple(edge_of(edge) for edge in reply.edges), cycles=reply.cycles, version=reply.version)


def edge_of(edge: KernelEdge) -> Edge:
    return Edge(from_=edge.from_, to=edge.to, names=edge.names, learned=edge.learned)


def reason_of(reason: KernelReason | None) -> Reason | None:
    if reason is None:
        return None
    return Reason(
        code=reason.code,
        request=reason.request,
        names=reason.names,
        from_cells=reason.from_cells,
        message=reason.message,
    )


def diagnostics_of(diagnostics: Iterable[KernelDiagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(
        Diagnostic(
            kind=one.kind, message=one.message, line=one.line, column=one.column, cells=one.cells, names=one.names
        )
        for one in diagnostics
    )


def _run_started(run: RunStartedContent) -> RunStarted:
    return RunStarted(
        run_id=run.run_id, cells=run.cells, plan=run.plan, mode=run.mode, expected_seconds=run.expected_seconds
    )


def _run_finished(run: RunFinishedContent) -> RunFinished:
    counts = RunCounts(
        success=run.counts.get("success", 0), error=run.counts.get("error", 0), skipped=run.counts.get("skipped", 0)
    )
    return RunFinished(run_id=run.run_id, status=run.status, counts=counts, seconds=run.seconds)


def _comm(message: Message) -> CommSent:
    phase = message.kind.removeprefix("comm_")
    return CommSent(
        comm_id=str(message.content.get("comm_id", "")),
        phase="open" if phase == "open" else "close" if phase == "close" else "msg",
        data=dict(message.content.get("data") or {}),
        cell_id=cell_of(message) or None,
        target_name=message.content.get("target_name"),
        metadata={name: value for name, value in message.metadata.items() if name != "tailrace"} or None,
        buffers=message.buffers or None,
    )


def merge_streams(messages: Iterable[Message]) -> Iterator[Message]:
    """Neighbouring chunks of one stream of one cell become one message: a printing cell costs few events."""
    first: Message | None = None
    texts: list[str] = []
    for message in messages:
        if message.kind == "stream" and first is not None and _same_stream(first, message):
            texts.append(str(message.content.get("text", "")))
            continue
        if first is not None:
            yield _joined(first, texts)
            first = None
        if message.kind == "stream":
            first, texts = message, [str(message.content.get("text", ""))]
        else:
            yield message
    if first is not None:
        yield _joined(first, texts)


def _same_stream(one: Message, other: Message) -> bool:
    return cell_of(one) == cell_of(other) and one.content.get("name") == other.content.get("name")


def _joined(first: Message, texts: list[str]) -> Message:
    if len(texts) == 1:
        return first
    return Message(
        first.kind,
        first.header,
        first.parent,
        first.metadata,
        {**first.content, "text": "".join(texts)},
        (),
        sum(map(len, texts)),
    )
