"""Kernel messages → events: what each becomes, in which order, and what becomes nothing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tailrace_gateway.blobs import Blobs
from tailrace_gateway.fold import fold
from tailrace_gateway.jupyter_wire import Message
from tailrace_gateway.kernel_events import events_of, merge_streams
from tailrace_gateway.records import StoredCell
from tailrace_gateway.state import NotebookState, open_state
from tailrace_protocol.codec import to_builtins
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import type_name
from tailrace_protocol.limits import MAX_INLINE
from tailrace_protocol.objects import NotebookInfo, Settings
from tests.gateway.fakes import message


@pytest.fixture
def state() -> NotebookState:
    info = NotebookInfo(id="n", path="n.py", name="n", settings=Settings())
    return open_state(info, [StoredCell(id=cell_id, type="python", code="x") for cell_id in ("a", "b")])


def told(state: NotebookState, heard: Message) -> list[dict[str, Any]]:
    """Events of one message, each folded before the next is made, as the notebook does it."""
    events = []
    for event in events_of(heard, state, dict):
        fold(state, event)
        events.append({"type": type_name(event), **to_builtins(event)})
    return events


def kinds(state: NotebookState, heard: Message) -> list[str]:
    return [event["type"] for event in told(state, heard)]


def status(cell_id: str, name: str, **more: Any) -> Message:
    return message("cell_status", {"changes": [{"cell_id": cell_id, "status": name, "version": 1, **more}]})


def test_running_announces_that_outputs_will_be_replaced(state: NotebookState) -> None:
    events = told(state, status("a", "running", run_id="r"))
    assert [event["type"] for event in events] == ["cell_status", "cell_outputs_cleared"]
    assert events[1]["wait"] is True
    assert kinds(state, status("a", "success", run_id="r", seconds=0.5)) == ["cell_status"]


def test_a_cell_that_failed_without_running_does_not_keep_its_old_outputs(state: NotebookState) -> None:
    error = {"ename": "UpstreamError", "evalue": "name 'x' is not defined", "traceback": []}
    told(state, message("stream", {"name": "stdout", "text": "old"}, "", "a"))
    assert kinds(state, message("error", error, "", "a")) == ["cell_outputs_cleared", "cell_error"]
    assert [type(output).__name__ for output in state.cell("a").outputs] == ["ErrorOutput"]
    told(state, status("b", "running"))
    assert kinds(state, message("error", error, "", "b")) == ["cell_error"]


OUTPUTS: dict[str, tuple[Mapping[str, Any], str]] = {
    "stream": ({"name": "stderr", "text": "t"}, "cell_stdout"),
    "display_data": ({"data": {"text/plain": "1"}, "metadata": {}}, "cell_output"),
    "execute_result": ({"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 3}, "cell_output"),
    "update_display_data": ({"data": {}, "metadata": {}, "transient": {"display_id": "d"}}, "cell_output_updated"),
    "clear_output": ({"wait": True}, "cell_outputs_cleared"),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_outputs_go_to_their_cell_and_to_no_other(state: NotebookState, kind: str) -> None:
    content, expected = OUTPUTS[kind]
    events = told(state, message(kind, content, "", "a"))
    assert [(event["type"], event["cellId"]) for event in events] == [(expected, "a")]
    assert told(state, message(kind, content, "", "gone")) == []
    assert told(state, message(kind, content)) == []


def test_the_graph_is_told_edge_by_edge_and_an_old_version_not_at_all(state: NotebookState) -> None:
    def change(version: int, **parts: Any) -> Message:
        empty: dict[str, Any] = {"added_cells": [], "removed_cells": [], "added_edges": [], "removed_edges": []}
        return message("graph_changed", empty | {"cycles": [], "version": version} | parts)

    edge = {"from": "a", "to": "b", "names": ["x"]}
    added = told(state, change(2, added_cells=["a"], added_edges=[edge]))
    assert [event["type"] for event in added] == ["graph:node-created", "graph:node-linked", "graph:property-changed"]
    assert state.graph_version == 2
    assert told(state, change(2, removed_edges=[edge])) == []
    gone = told(state, change(3, removed_cells=["a"], removed_edges=[edge]))
    assert [event["type"] for event in gone][:2] == ["graph:node-unlinked", "graph:node-deleted"]
    assert state.edges == {}
    many = [{"from": "a", "to": f"c{number}", "names": ["x"]} for number in range(201)]
    assert kinds(state, change(4, added_edges=many)) == ["graph:replaced"]
    assert len(state.edges) == 201
    assert state.graph_version == 4


def test_a_message_that_is_not_ours_is_refused_and_not_folded(state: NotebookState) -> None:
    with pytest.raises(TailraceError) as refused:
        told(state, message("cell_status", {"changes": 7}))
    assert refused.value.code is ErrorCode.BAD_FIELD
    assert kinds(state, message("unheard_of", {})) == []


def test_neighbouring_text_is_one_message_and_order_is_kept() -> None:
    def text(data: str, cell_id: str = "a", name: str = "stdout") -> Message:
        return message("stream", {"name": name, "text": data}, "", cell_id)

    end = status("a", "success")
    heard = [text("1"), text("2"), text("e", name="stderr"), text("3"), end, text("4"), text("5", "b"), text("6", "b")]
    merged = [one.content.get("text") for one in merge_streams(heard)]
    assert merged == ["12", "e", "3", None, "4", "56"]
    assert list(merge_streams([])) == []


def test_a_large_value_travels_by_address(tmp_path: Path) -> None:
    blobs = Blobs("n", tmp_path)
    large = "x" * (MAX_INLINE + 1)
    kept = blobs.keep({"text/plain": "small", "text/html": large, "application/json": {"a": [large]}})
    assert kept["text/plain"] == "small"
    assert kept["text/html"]["bytes"] == len(large)
    assert kept["text/html"]["$url"].startswith("/api/v1/notebooks/n/blobs/")
    assert blobs.value(kept["text/html"]["$url"]) == large
    assert blobs.value(kept["application/json"]["$url"]) == {"a": [large]}
    path, mime = blobs.find(kept["text/html"]["$url"].rpartition("/")[2])
    assert (path.read_text(), mime) == (large, "text/html")
    with pytest.raises(TailraceError) as gone:
        blobs.find("../../etc/passwd")
    assert gone.value.code is ErrorCode.NO_SUCH_OUTPUT


def test_folding_the_events_of_a_run_gives_its_state(state: NotebookState) -> None:
    for heard in (
        status("a", "running", run_id="r"),
        message("stream", {"name": "stdout", "text": "hello"}, "", "a"),
        status("a", "success", run_id="r", seconds=0.25, execution_count=7),
    ):
        told(state, heard)
    cell = state.cell("a")
    assert (cell.status, cell.stdout, cell.seconds, cell.execution_count) == ("success", "hello", 0.25, 7)
