"""Folding: the golden logs, snapshots in the middle of a stream, and the caps of the outputs."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace_gateway.fold import fold
from tailrace_gateway.output_log import EACH, MAX_CELL_OUTPUT, OutputLog, size_of
from tailrace_gateway.records import StoredCell
from tailrace_gateway.state import NotebookState, from_snapshot, open_state, snapshot
from tailrace_protocol import events as ev
from tailrace_protocol.objects import Cell, CellError, DisplayOutput, NotebookInfo, Settings, StreamOutput
from tests.gateway import golden

EVENT: dict[str, type[ev.Event]] = {ev.type_name(struct): struct for struct in ev.EVENTS}
INFO = NotebookInfo(id="n1", path="n1.py", name="n1", settings=Settings())


def event_of(frame: dict[str, Any]) -> ev.Event:
    return msgspec.convert(frame, EVENT[frame["type"]])


@pytest.mark.parametrize("name", golden.names())
def test_golden_log_is_current_and_folds_to_its_end(name: str) -> None:
    text = golden.path_of(name).read_text(encoding="utf-8")
    assert text == golden.render(name), "run python -m tests.gateway.golden and look at the difference"
    log = json.loads(text)
    state = from_snapshot(msgspec.convert(log["start"], ev.Snapshot))
    assert log["events"]
    for frame in log["events"]:
        fold(state, event_of(frame))
    end = snapshot(state, epoch=log["expect"]["epoch"], seq=log["expect"]["seq"])
    assert json.loads(msgspec.json.encode(end)) == log["expect"]


def test_golden_logs_cover_every_type_of_event() -> None:
    seen = {frame["type"] for name in golden.names() for frame in json.loads(golden.render(name))["events"]}
    assert set(EVENT) - seen == set()
    assert len(list(golden.FOLDER.glob("fold-*.json"))) == len(golden.names())


def test_what_the_logs_expect_by_hand() -> None:
    """An oracle that is no fold: a few ends spelled out."""

    def end(name: str) -> dict[str, Any]:
        expect = json.loads(golden.path_of(name).read_text(encoding="utf-8"))["expect"]
        assert isinstance(expect, dict)
        return expect

    assert [cell["id"] for cell in end("create-edit-move-delete")["cells"]] == ["c3", "a1", "d4", "e5"]
    assert end("create-edit-move-delete")["revision"] == 7
    merged = end("streams-merge-with-their-neighbour")["cells"][0]
    texts = [(o.get("stream"), o.get("text")) for o in merged["outputs"]]
    assert texts == [
        ("stdout", "one two\n"),
        ("stderr", "oops\n"),
        ("stdout", "50%\r100%\n"),
        (None, None),
        ("stdout", "after\n"),
    ]
    assert merged["stdout"] == "one two\n50%\r100%\nafter\n"
    assert [output["index"] for output in merged["outputs"]] == [0, 1, 2, 3, 4]
    for name, stdout in [("clear-waits-for-output", "new\nmore\n"), ("clear-waits-for-the-end", "")]:
        first = end(name)["cells"][0]
        assert (first["stdout"], "error" in first) == (stdout, False)
    assert end("clear-waits-for-error")["cells"][0]["error"]["ename"] == "KeyError"
    updated = end("display-is-updated-in-any-cell")["cells"]
    assert [output["data"] for output in updated[0]["outputs"]] == [{"text/plain": "other"}, {"text/html": "<b>2</b>"}]
    assert updated[1]["outputs"][0]["index"] == 0
    asked = {"cellId": "a1", "prompt": "name? ", "password": False, "requestId": "q2"}
    assert end("input-waits")["input"] == asked
    for name in ("is-answered", "ends-with-its-cell", "goes-with-the-cell", "goes-with-the-kernel"):
        assert "input" not in end(f"input-{name}")
    ignored = end("statuses-of-older-runs-are-ignored")["cells"]
    assert [cell["status"] for cell in ignored] == ["success", "queued", "stale"]
    assert [(edge["from"], edge["to"], edge["names"]) for edge in end("graph-links")["graph"]["edges"]] == [
        ("a1", "b2", ["w", "x"]),
        ("a1", "c3", ["x"]),
    ]
    assert end("graph-node-leaves")["graph"]["edges"] == []
    assert end("graph-is-replaced")["graph"]["version"] == 8
    assert end("run-in-progress")["run"]["done"] == 1
    assert "run" not in end("run-ends")
    assert end("database-refused-keeps-the-former")["db"][0]["dialect"] == "postgresql"
    assert [member["client"] for member in end("sessions")["clients"]] == ["bob"]


def two_cells() -> NotebookState:
    return open_state(INFO, [StoredCell(id="a", type="python"), StoredCell(id="b", type="python")])


TEXTS = st.text("x\n", min_size=1, max_size=5)
IDS = st.sampled_from(["a", "b"])
OUTPUT_EVENTS = st.one_of(
    st.builds(ev.CellStdout, cell_id=IDS, data=TEXTS, stream=st.sampled_from(["stdout", "stderr"])),
    st.builds(ev.CellOmitted, cell_id=IDS, bytes=st.integers(1, 10)),
    st.builds(ev.CellOutputsCleared, cell_id=IDS, wait=st.booleans()),
    st.builds(
        ev.CellErrored, cell_id=IDS, error=st.builds(CellError, ename=TEXTS, evalue=TEXTS, traceback=st.just(("t",)))
    ),
    st.builds(ev.CellStatus, cell_id=IDS, status=st.sampled_from(["queued", "running", "success", "error"])),
    st.builds(
        lambda cell_id, text, display_id: ev.CellOutput(cell_id=cell_id, output=golden.display(text, display_id)),
        IDS,
        TEXTS,
        st.sampled_from([None, "d"]),
    ),
    st.builds(
        lambda cell_id, text: ev.CellOutputUpdated(cell_id=cell_id, display_id="d", output=golden.display(text, "d")),
        IDS,
        TEXTS,
    ),
)


@given(st.lists(OUTPUT_EVENTS, max_size=30), st.integers(0, 30))
@settings(max_examples=200, deadline=None)
def test_a_snapshot_in_the_middle_changes_nothing(events: list[ev.Event], cut: int) -> None:
    """Who attaches in the middle, even between a waiting clear and its output, ends with the same state."""
    state, late = two_cells(), two_cells()
    for number, event in enumerate(events):
        if number == cut:
            frame = msgspec.json.encode(snapshot(state, epoch="e", seq=number))
            late = from_snapshot(msgspec.json.decode(frame, type=ev.Snapshot))
        fold(state, event)
        if number >= cut:
            fold(late, event)
    if cut < len(events):
        assert snapshot(late, epoch="e", seq=0) == snapshot(state, epoch="e", seq=0)
    for cell_id in ("a", "b"):
        outputs = state.cell(cell_id).outputs
        kinds = [output.stream if isinstance(output, StreamOutput) else None for output in outputs]
        assert all(one is None or one != two for one, two in pairwise(kinds))
        assert [output.index for output in outputs] == list(range(len(outputs)))


def filled(outputs: OutputLog, cell_id: str = "a") -> Cell:
    return outputs.fill(two_cells().cells[cell_id])


def test_a_runaway_print_is_cut_and_counted() -> None:
    outputs = OutputLog()
    line = "€" * 1023 + "\n"
    size = len(line.encode())
    count = 2 * MAX_CELL_OUTPUT // size
    for _ in range(count):
        outputs.write("a", "stdout", line)
    outputs.fail("a", CellError(ename="KeyboardInterrupt", evalue="", traceback=()))
    cell = filled(outputs)
    kept = len(cell.stdout.encode())
    assert MAX_CELL_OUTPUT - size - EACH < kept <= MAX_CELL_OUTPUT
    assert cell.omitted_bytes == count * size - kept
    assert cell.error is not None
    outputs.clear("a", wait=False)
    outputs.write("a", "stdout", "again")
    assert (filled(outputs).stdout, filled(outputs).omitted_bytes) == ("again", None)


def test_many_small_outputs_are_cut_as_well() -> None:
    outputs = OutputLog()
    for _ in range(100_000):
        outputs.append("a", DisplayOutput(index=0, data={"text/plain": "1"}, metadata={}))
    kept = len(filled(outputs).outputs)
    assert kept == MAX_CELL_OUTPUT // (EACH + len("text/plain") + 1)
    assert filled(outputs).omitted_bytes == (100_000 - kept) * (len("text/plain") + 1)


def test_all_cells_share_the_cap_of_the_notebook() -> None:
    outputs = OutputLog(cell_limit=100 + EACH, notebook_limit=150 + EACH)
    outputs.write("a", "stdout", "x" * 100)
    outputs.write("b", "stdout", "y" * 60)
    assert (filled(outputs, "b").stdout, filled(outputs, "b").omitted_bytes) == ("", 60)
    outputs.clear("b", wait=False)
    outputs.clear("a", wait=True)  # what waits to be cleared does not count
    outputs.write("b", "stdout", "y" * 60)
    assert filled(outputs, "b").stdout == "y" * 60
    outputs.forget("a")
    outputs.append("a", DisplayOutput(index=0, data={"text/plain": "z" * 200}, metadata={}))
    assert filled(outputs).omitted_bytes == 200 + len("text/plain")


def test_a_growing_display_stays_under_the_cap() -> None:
    outputs = OutputLog(cell_limit=100 + EACH, notebook_limit=100 + EACH)
    outputs.append("a", golden.display("x", "d"))
    outputs.update("d", golden.display("y" * 50, "d"))
    outputs.update("d", golden.display("z" * 500, "d"))
    (shown,) = filled(outputs).outputs
    assert isinstance(shown, DisplayOutput)
    assert shown.data == {"text/plain": "y" * 50}
    assert size_of(shown) == 60


def test_twenty_thousand_lines_are_one_output() -> None:
    state = two_cells()
    for number in range(20_000):
        fold(state, ev.CellStdout(cell_id="a", data=f"{number}\n", stream="stdout"))
    (output,) = state.cell("a").outputs
    assert isinstance(output, StreamOutput)
    assert output.text.count("\n") == 20_000
