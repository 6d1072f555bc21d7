"""Golden event logs: start, events and the state they fold to. `python -m tests.gateway.golden` writes them.

The files in protocol/golden are read by the folds in Python and in TypeScript: both must come to `expect`.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tailrace_gateway.fold import fold
from tailrace_gateway.records import StoredCell
from tailrace_gateway.state import from_snapshot, new_cell, open_state, patch_of, snapshot
from tailrace_protocol import events as ev
from tailrace_protocol.objects import (
    Cell,
    CellError,
    DisplayOutput,
    Edge,
    Graph,
    Member,
    NotebookInfo,
    Reason,
    ResultOutput,
    Settings,
    StreamOutput,
    WireError,
)

FOLDER = Path(__file__).parents[2] / "protocol" / "golden"
EPOCH = "00000000000000000000000000000001"
NOTEBOOK = NotebookInfo(id="nb1", path="sales.py", name="sales", settings=Settings())
DECODER = msgspec.json.Decoder(type=ev.Snapshot)

Log = list[ev.Event]
_logs: dict[str, Callable[[], Log]] = {}


def log(make: Callable[[], Log]) -> Callable[[], Log]:
    _logs[make.__name__.replace("_", "-")] = make
    return make


def stored() -> tuple[StoredCell, ...]:
    """Two Python cells and one of SQL."""
    return (
        StoredCell(id="a1", type="python", code="x = 5"),
        StoredCell(id="b2", type="python", code="y = x + 1\nprint(y)"),
        StoredCell(id="c3", type="sql", code="-- connection: pg  result: rows\nSELECT 1"),
    )


def start() -> ev.Snapshot:
    """Nothing has been run."""
    return snapshot(open_state(NOTEBOOK, stored()), epoch=EPOCH, seq=100)


def cell(cell_id: str, code: str = "", **fields: Any) -> Cell:
    made = new_cell(StoredCell(id=cell_id, type=fields.pop("type", "python"), code=code))
    return replace(made, **fields)


def status(cell_id: str, word: Any, run: str | None = None, **fields: Any) -> ev.CellStatus:
    return ev.CellStatus(cell_id=cell_id, status=word, run_id=run, **fields)


def display(text: str, display_id: str | None = None) -> DisplayOutput:
    return DisplayOutput(index=0, data={"text/plain": text}, metadata={}, display_id=display_id)


def printed(cell_id: str, text: str, stream: Any = "stdout") -> ev.CellStdout:
    return ev.CellStdout(cell_id=cell_id, data=text, stream=stream)


def failure(name: str) -> CellError:
    return CellError(ename=name, evalue="says what", traceback=("line 1", "line 2"), line=2)


@log
def create_edit_move_delete() -> Log:
    made = cell("d4", "z = 1")
    return [
        ev.CellCreated(cell_id="d4", cell=made, index=1, after_cell_id="a1", cause=ev.Cause(client="ann", id="1")),
        ev.CellUpdated(cell_id="d4", cell=patch_of(replace(made, code="z = 2", version=2, name="zed"))),
        ev.CellMoved(cell_id="d4", index=3, after_cell_id="c3"),
        ev.CellMoved(cell_id="c3", index=0, after_cell_id=None),
        ev.CellDeleted(cell_id="b2"),
        ev.CommandExecuted(command="delete_cell", id="5", client="ann", seconds=0.01, revision=5, cell_id="b2"),
        ev.CellUpdated(cell_id="b2", cell=patch_of(made)),
        ev.CellDeleted(cell_id="nobody"),
        ev.CellMoved(cell_id="nobody", index=0, after_cell_id=None),
        ev.CellCreated(cell_id="e5", cell=cell("e5", "# é €", type="markdown"), index=99, after_cell_id="d4"),
        ev.CommandUndo(undid="5", client="ann", revision=7),
        ev.CommandRedo(undid="5", client="ann", revision=6),
    ]


@log
def edit_keeps_outputs_and_times() -> Log:
    after = patch_of(cell("a1", "x = 6", version=2, reads=("q",), writes=("x",), analysed=True, status="stale"))
    return [
        printed("a1", "out\n"),
        status("a1", "success", seconds=0.5, execution_count=3),
        ev.CellUpdated(cell_id="a1", cell=after),
        status("a1", "running"),
    ]


@log
def streams_merge_with_their_neighbour() -> Log:
    return [
        printed("a1", "one "),
        printed("a1", "two\n"),
        printed("a1", "oops\n", "stderr"),
        printed("a1", "50%\r"),
        ev.CellOutput(cell_id="a1", output=StreamOutput(index=7, stream="stdout", text="100%\n")),
        ev.CellOutput(cell_id="a1", output=display("a table")),
        printed("a1", "after\n"),
        printed("b2", "other cell\n"),
        printed("nobody", "lost\n"),
    ]


@log
def clear_at_once() -> Log:
    return [
        printed("a1", "old\n"),
        ev.CellErrored(cell_id="a1", error=failure("ValueError")),
        printed("b2", "stays\n"),
        ev.CellOutputsCleared(cell_id="a1", wait=False),
        printed("a1", "new\n"),
    ]


def _wait(*then: ev.Event) -> Log:
    return [
        printed("a1", "old\n"),
        ev.CellErrored(cell_id="a1", error=failure("ValueError")),
        status("a1", "running", "r1"),
        ev.CellOutputsCleared(cell_id="a1", wait=True),
        *then,
    ]


@log
def clear_waits_for_output() -> Log:
    return _wait(printed("a1", "new\n"), printed("a1", "more\n"))


@log
def clear_waits_for_error() -> Log:
    return _wait(ev.CellErrored(cell_id="a1", error=failure("KeyError")), status("a1", "error", "r1"))


@log
def clear_waits_for_the_end() -> Log:
    return _wait(status("a1", "success", "r1", seconds=0.25))


@log
def clear_still_waiting() -> Log:
    return _wait()


@log
def omitted_is_counted_until_outputs_are_cleared() -> Log:
    return [
        printed("a1", "kept\n"),
        ev.CellOmitted(cell_id="a1", bytes=700),
        printed("a1", "left out\n"),
        ev.CellOmitted(cell_id="a1", bytes=30),
        ev.CellErrored(cell_id="a1", error=failure("KeyboardInterrupt")),
        ev.CellOmitted(cell_id="b2", bytes=5),
        ev.CellOutputsCleared(cell_id="b2", wait=True),
        printed("b2", "new\n"),
    ]


@log
def display_is_updated_in_any_cell() -> Log:
    shown = ResultOutput(
        index=0, data={"text/html": "<b>2</b>"}, metadata={"isolated": True}, display_id="d1", execution_count=4
    )
    return [
        ev.CellOutput(cell_id="a1", output=display("other")),
        ev.CellOutput(cell_id="a1", output=display("1", "d1")),
        ev.CellOutput(cell_id="b2", output=display("1", "d1")),
        ev.CellOutput(cell_id="b2", output=display("kept", "d2")),
        ev.CellOutputUpdated(cell_id="c3", display_id="d1", output=shown),
        ev.CellOutputUpdated(cell_id="c3", display_id="unknown", output=shown),
    ]


@log
def errors() -> Log:
    upstream = CellError(ename="UpstreamError", evalue="name 'x' is not defined", traceback=())
    return [
        printed("a1", "before\n"),
        ev.CellErrored(cell_id="a1", error=failure("ZeroDivisionError")),
        status("a1", "error", "r1", seconds=0.125),
        ev.CellErrored(cell_id="b2", error=upstream),
        status("b2", "error", "r1", reason=Reason(code="upstream_failed", names=("x",), from_cells=("a1",))),
    ]


@log
def statuses_of_older_runs_are_ignored() -> Log:
    return [
        ev.RunStarted(run_id="r1", cells=("a1",), plan=("a1", "b2"), mode="reactive"),
        ev.RunStarted(run_id="r2", cells=("a1",), plan=("a1",), mode="single"),
        status("a1", "queued", "r1", reason=Reason(code="requested", request="1")),
        status("a1", "running", "r1"),
        status("a1", "success", "r2"),
        status("a1", "queued", "r1"),
        status("b2", "success", "r1"),
        status("b2", "queued", "r1"),
        status("c3", "stale", reason=Reason(code="inputs_changed", names=("x",))),
        status("nobody", "running", "r1"),
    ]


@log
def graph_links() -> Log:
    return [
        ev.NodeCreated(cell_id="a1"),
        ev.NodeLinked(from_="a1", to="b2", names=("x",)),
        ev.NodeLinked(from_="b2", to="c3", names=("y",)),
        ev.NodeLinked(from_="a1", to="c3", names=("x",), learned=True),
        ev.NodeLinked(from_="a1", to="b2", names=("w", "x")),
        ev.NodeUnlinked(from_="b2", to="c3"),
        ev.PropertyChanged(property="cycles", value=[["a1", "b2"]], previous=[]),
        ev.PropertyChanged(property="reads", cell_id="b2", value=["x"], previous=[]),
        ev.PropertyChanged(property="writes", cell_id="a1", value=["x"], previous=[]),
        ev.PropertyChanged(property="colour", cell_id="a1", value="red", previous=None),
        ev.PropertyDeleted(property="reads", cell_id="c3"),
    ]


@log
def graph_node_leaves() -> Log:
    return [
        ev.NodeLinked(from_="a1", to="b2", names=("x",)),
        ev.NodeLinked(from_="b2", to="c3", names=("y",)),
        ev.PropertyChanged(property="cycles", value=[["a1", "b2"]], previous=[]),
        ev.CellDeleted(cell_id="b2"),
        ev.NodeUnlinked(from_="a1", to="b2"),
        ev.NodeDeleted(cell_id="b2"),
        ev.PropertyDeleted(property="cycles", previous=[["a1", "b2"]]),
    ]


@log
def graph_is_replaced() -> Log:
    return [
        ev.NodeLinked(from_="a1", to="b2", names=("x",)),
        ev.GraphReplaced(
            graph=Graph(edges=(Edge(from_="b2", to="a1", names=("y",)),), cycles=(("a1", "b2"),), version=7)
        ),
        ev.NodeLinked(from_="a1", to="c3", names=("x",)),
        ev.PropertyChanged(property="version", value=8, previous=7),
    ]


@log
def run_in_progress() -> Log:
    return [
        ev.RunStarted(run_id="r1", cells=("a1",), plan=("a1", "b2"), mode="reactive", expected_seconds=1.5),
        ev.RunProgress(run_id="r1", done=1, total=2, cell_id="a1"),
        ev.RunProgress(run_id="r0", done=9, total=9, cell_id="a1"),
        ev.RunFinished(run_id="r0", status="lost", counts=ev.RunCounts(success=0, error=0, skipped=0), seconds=0.0),
    ]


@log
def run_ends() -> Log:
    counts = ev.RunCounts(success=1, error=0, skipped=0)
    return [
        ev.RunStarted(run_id="r1", cells=("a1",), plan=("a1",), mode="all"),
        ev.RunFinished(run_id="r1", status="success", counts=counts, seconds=0.5),
    ]


@log
def kernel_and_project() -> Log:
    return [
        ev.KernelStatus(state="idle", pid=41, queue=0),
        ev.KernelStatus(state="dead", kernel_cause="signal 9"),
        ev.ProjectSaved(revision=3, path="moved/sales.py", hash="0123456789abcdef"),
        ev.ProjectLoaded(path="sales.py", graph=Graph(edges=(), cycles=(), version=2)),
        ev.ProjectChangedOnDisk(conflicts=("a1",)),
        ev.NotebookUpdated(name="Sales", settings=Settings(auto_run=False, cutoff=True)),
        ev.ReadOnly(reason="Changes cannot be made durable: the disk is full. Free some space; nothing was changed."),
        ev.CommSent(comm_id="w1", phase="open", data={"v": 1}),
    ]


def _asked(cell_id: str, request_id: str) -> ev.InputRequested:
    return ev.InputRequested(cell_id=cell_id, prompt="name? ", password=False, request_id=request_id)


@log
def input_waits() -> Log:
    return [
        _asked("b2", "q1"),
        _asked("a1", "q2"),
        ev.InputAnswered(cell_id="a1", request_id="q1"),
        status("b2", "success"),
        status("a1", "queued"),
        ev.CellDeleted(cell_id="b2"),
        _asked("nobody", "q3"),
        ev.KernelStatus(state="busy", pid=41),
    ]


@log
def input_is_answered() -> Log:
    return [_asked("a1", "q1"), ev.InputAnswered(cell_id="a1", request_id="q1")]


@log
def input_ends_with_its_cell() -> Log:
    return [_asked("a1", "q1"), status("a1", "interrupted")]


@log
def input_goes_with_the_cell() -> Log:
    return [_asked("a1", "q1"), ev.CellDeleted(cell_id="a1")]


@log
def input_goes_with_the_kernel() -> Log:
    return [_asked("a1", "q1"), ev.KernelStatus(state="dead", kernel_cause="signal 9")]


@log
def announcements_leave_no_trace() -> Log:
    cause = ev.Cause(client="ann", id="c7")
    return [
        ev.CommandExecuting(command="run_cell", id="c7", client="ann", cell_id="a1", cause=cause),
        ev.CommandFailed(
            command="run_cell",
            id="c7",
            client="ann",
            cell_id="a1",
            cause=cause,
            code="kernel_dead",
            message="There is no kernel. Restart it; nothing is re-run by itself.",
        ),
        ev.ReadOnly(reason="The disk is full."),
        ev.ReadOnly(),
    ]


def _connected(**fields: Any) -> ev.DbConnectionUpdated:
    good = "postgresql://ann:***@db/shop"
    return ev.DbConnectionUpdated(
        name="default", connection_string=good, in_force=good, status="success", dialect="postgresql", seconds=0.125
    )


@log
def database_connected() -> Log:
    other = ev.DbConnectionUpdated(
        name="archive",
        connection_string="sqlite:///a.db",
        in_force="sqlite:///a.db",
        status="success",
        dialect="sqlite",
        note="a.db did not exist: it is a new, empty database.",
    )
    return [_connected(), other]


@log
def database_refused_keeps_the_former() -> Log:
    refused = ev.DbConnectionUpdated(
        name="default",
        connection_string="mysql://***@nowhere/x",
        in_force="postgresql://ann:***@db/shop",
        status="error",
        error=WireError(code="db_refused", message="Nothing answers there. Check host and port."),
    )
    return [_connected(), refused]


@log
def sessions() -> Log:
    ann, bob = Member(client="ann", name="Ann"), Member(client="bob", name="Bob", cell_id="a1")
    return [
        ev.SessionConnected(client="ann", name="Ann", role="editor", clients=(ann,)),
        ev.SessionConnected(client="bob", name="Bob", role="viewer", clients=(ann, bob)),
        ev.SessionMoved(client="ann", clients=(replace(ann, cell_id="b2"), bob)),
        ev.SessionDisconnected(client="ann", clients=(bob,)),
    ]


def published(events: Log, after: int) -> Iterator[ev.Event]:
    for number, event in enumerate(events, after + 1):
        yield replace(event, seq=number, ts=1_700_000_000.0 + number, notebook_id=NOTEBOOK.id)


def render(name: str) -> str:
    """The text of one golden file. `start` null means the first frame is a snapshot like any other's."""
    first = start()
    frames = list(published(_logs[name](), first.seq))
    state = from_snapshot(first)
    for event in frames:
        fold(state, event)
    expect = snapshot(state, epoch=EPOCH, seq=frames[-1].seq)
    whole = {"name": name, "start": first, "events": frames, "expect": expect}
    return json.dumps(msgspec.to_builtins(whole), indent=1, ensure_ascii=False) + "\n"


def names() -> list[str]:
    return sorted(_logs)


def path_of(name: str) -> Path:
    return FOLDER / f"fold-{name}.json"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for golden in names():
        path_of(golden).write_text(render(golden), encoding="utf-8")
