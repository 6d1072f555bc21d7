"""The one place where events change the state of a notebook; the page folds the same events the same way.

Source of the rules: SPEC.md B0, "Fold rules". Golden logs in protocol/golden hold both folds to them.
"""

from msgspec.structs import asdict, replace

from tailrace_gateway.state import NotebookState
from tailrace_protocol.events import (
    CellCreated,
    CellDeleted,
    CellErrored,
    CellMoved,
    CellOmitted,
    CellOutput,
    CellOutputsCleared,
    CellOutputUpdated,
    CellStatus,
    CellStdout,
    CellUpdated,
    CommandExecuted,
    CommandRedo,
    CommandUndo,
    DbConnectionUpdated,
    Event,
    GraphReplaced,
    InputAnswered,
    InputRequested,
    KernelStatus,
    NodeDeleted,
    NodeLinked,
    NodeUnlinked,
    NotebookUpdated,
    ProjectLoaded,
    ProjectSaved,
    PropertyChanged,
    PropertyDeleted,
    ReadOnly,
    RunFinished,
    RunProgress,
    RunStarted,
    SessionConnected,
    SessionDisconnected,
    SessionMoved,
)
from tailrace_protocol.objects import Connection, Edge, Input, Kernel, Run

TERMINAL = frozenset({"success", "error", "interrupted"})
NO_KERNEL = frozenset({"dead", "starting", "restarting"})
RUNS_KEPT = 1_000  # run ids whose order is remembered


def fold(state: NotebookState, event: Event) -> None:
    """Change `state` by one event. An event about a cell that is not there changes nothing."""
    match event:
        case CellStdout() | CellOutput() | CellOmitted() | CellOutputUpdated() | CellOutputsCleared() | CellErrored():
            _fold_output(state, event)
        case CellStatus():
            _fold_status(state, event)
        case CellCreated():
            state.place(event.cell, min(event.index, len(state.order)))
        case CellUpdated():
            _fold_update(state, event)
        case CellDeleted():
            if event.cell_id in state.cells:
                state.drop(event.cell_id)
                _settle_input(state, event.cell_id)
        case CellMoved():
            if event.cell_id in state.cells:
                state.move(event.cell_id, event.index)
        case NodeLinked() | NodeUnlinked() | NodeDeleted() | PropertyChanged() | PropertyDeleted() | GraphReplaced():
            _fold_graph(state, event)
        case RunStarted() | RunProgress() | RunFinished():
            _fold_run(state, event)
        case _:
            _fold_notebook(state, event)


def _fold_output(
    state: NotebookState,
    event: CellStdout | CellOutput | CellOmitted | CellOutputUpdated | CellOutputsCleared | CellErrored,
) -> None:
    if event.cell_id not in state.cells and not isinstance(event, CellOutputUpdated):
        return
    match event:
        case CellStdout():
            state.outputs.write(event.cell_id, event.stream, event.data)
        case CellOutput():
            state.outputs.append(event.cell_id, event.output)
        case CellOmitted():
            state.outputs.omit(event.cell_id, event.bytes)
        case CellOutputUpdated():
            state.outputs.update(event.display_id, event.output)
        case CellOutputsCleared():
            state.outputs.clear(event.cell_id, wait=event.wait)
        case CellErrored():
            state.outputs.fail(event.cell_id, event.error)


def _fold_status(state: NotebookState, event: CellStatus) -> None:
    cell = state.cells.get(event.cell_id)
    if cell is None:
        return
    number = _run_number(state, event.run_id)
    if event.status in {"queued", "running"} and 0 < number < state.terminal_runs.get(cell.id, 0):
        return  # a late word from a run that is over for this cell
    if event.status in TERMINAL:
        state.outputs.finish(cell.id)
        _settle_input(state, cell.id)
        if number:
            state.terminal_runs[cell.id] = number
    state.cells[cell.id] = replace(
        cell,
        status=event.status,
        reason=event.reason,
        seconds=cell.seconds if event.seconds is None else event.seconds,
        execution_count=cell.execution_count if event.execution_count is None else event.execution_count,
    )


def _settle_input(state: NotebookState, cell_id: str) -> None:
    """This cell waits for nothing any more."""
    if state.input is not None and state.input.cell_id == cell_id:
        state.input = None


def _run_number(state: NotebookState, run_id: str | None) -> int:
    """Position of a run in order of first appearance, from 1; 0 for none."""
    if run_id is None:
        return 0
    number = state.runs.get(run_id)
    if number is None:
        state.run_count += 1
        number = state.runs[run_id] = state.run_count
        if len(state.runs) > RUNS_KEPT:
            del state.runs[next(iter(state.runs))]
    return number


def _fold_update(state: NotebookState, event: CellUpdated) -> None:
    cell = state.cells.get(event.cell_id)
    if cell is not None:
        state.put(replace(cell, **asdict(event.cell)))


def _fold_graph(
    state: NotebookState,
    event: NodeLinked | NodeUnlinked | NodeDeleted | PropertyChanged | PropertyDeleted | GraphReplaced,
) -> None:
    match event:
        case NodeLinked():
            edge = Edge(from_=event.from_, to=event.to, names=event.names, learned=event.learned)
            state.edges[event.from_, event.to] = edge
        case NodeUnlinked():
            state.edges.pop((event.from_, event.to), None)
        case NodeDeleted():
            state.edges = {key: edge for key, edge in state.edges.items() if event.cell_id not in key}
        case GraphReplaced():
            state.set_graph(event.graph)
        case PropertyChanged() | PropertyDeleted():
            value = event.value if isinstance(event, PropertyChanged) else ()
            _set_property(state, event.property, event.cell_id, value)


def _set_property(state: NotebookState, name: str, cell_id: str | None, value: object) -> None:
    match name, value:
        case "cycles", list() | tuple():
            state.cycles = tuple(tuple(cycle) for cycle in value)
        case "version", int():
            state.graph_version = value
        case "reads" | "writes", list() | tuple():
            if cell_id is not None and (cell := state.cells.get(cell_id)):
                state.cells[cell_id] = replace(cell, **{name: tuple(value)})
        case _:
            pass  # a property of a later version: kept by those who know it


def _fold_run(state: NotebookState, event: RunStarted | RunProgress | RunFinished) -> None:
    match event:
        case RunStarted():
            _run_number(state, event.run_id)
            state.run = Run(run_id=event.run_id, plan=event.plan, done=0, mode=event.mode)
        case RunProgress():
            if state.run is not None and state.run.run_id == event.run_id:
                state.run = replace(state.run, done=event.done)
        case RunFinished():
            if state.run is not None and state.run.run_id == event.run_id:
                state.run = None


def _fold_notebook(state: NotebookState, event: Event) -> None:
    match event:
        case CommandExecuted() | CommandUndo() | CommandRedo():
            state.revision = max(state.revision, event.revision)
        case SessionConnected() | SessionDisconnected() | SessionMoved():
            state.clients = event.clients
        case KernelStatus():
            state.kernel = Kernel(state=event.state, pid=event.pid, queue=event.queue, cause=event.kernel_cause)
            if event.state in NO_KERNEL:
                state.input = None
        case InputRequested():
            _fold_input(state, event)
        case InputAnswered():
            if state.input is not None and state.input.request_id == event.request_id:
                state.input = None
        case DbConnectionUpdated():
            _fold_connection(state, event)
        case NotebookUpdated():
            state.info = replace(state.info, name=event.name, settings=event.settings)
        case ProjectLoaded():
            state.info = replace(state.info, path=event.path)
            state.set_graph(event.graph)
        case ProjectSaved():
            state.info = replace(state.info, path=event.path)
        case ReadOnly():
            state.read_only = event.reason
        case _:
            pass  # announcements: command:executing, comm, … leave no trace in the state


def _fold_input(state: NotebookState, event: InputRequested) -> None:
    if event.cell_id in state.cells:
        state.input = Input(
            cell_id=event.cell_id, prompt=event.prompt, password=event.password, request_id=event.request_id
        )


def _fold_connection(state: NotebookState, event: DbConnectionUpdated) -> None:
    """After a failed change the former connection is still in force, and so is its dialect."""
    former = state.db.get(event.name)
    kept = former.dialect if former is not None and event.status == "error" else None
    state.db[event.name] = Connection(
        name=event.name,
        status=event.status,
        connection_string=event.in_force,
        dialect=kept if event.status == "error" else event.dialect,
        error=event.error,
        seconds=event.seconds,
        note=event.note,
    )
