"""What a notebook user knows of IPython, in cells that a cascade runs: completion, comms, display ids, the debugger."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.kernel_client import Peer, RunningKernel, cell_of, outputs, running_kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKernel]:
    with running_kernel(tmp_path_factory.mktemp("k")) as kernel:
        yield kernel


@pytest.fixture
def peer(kernel: RunningKernel) -> Iterator[Peer]:
    peer = Peer(kernel)
    try:
        assert peer.ask("attach_request", {"client": "test"})["status"] == "ok"
        for cell_id in peer.ask("graph_request")["cells"]:
            peer.ask("remove_cell_request", {"cell_id": cell_id, "run_dependents": False})
        yield peer
    finally:
        peer.close()


def test_completion_and_inspection_know_what_a_cascade_made(peer: Peer) -> None:
    peer.register("a", "start = 1")
    peer.register("b", "class Tower:\n    'How high it is.'\n    storeys = start\ntower = Tower()")
    peer.run("a")
    matches = peer.ask("complete_request", {"code": "tower.sto", "cursor_pos": 9}, "shell")["matches"]
    assert any(match.endswith("storeys") for match in matches)
    shown = peer.ask("inspect_request", {"code": "Tower", "cursor_pos": 5, "detail_level": 0}, "shell")
    assert shown["found"]
    assert "How high it is." in shown["data"]["text/plain"]


def test_a_display_is_updated_by_another_cell(peer: Peer) -> None:
    peer.register("a", "from IPython.display import display, update_display\nstart = 1")
    peer.register("b", "handle = display(start, display_id='shown')")
    peer.register("c", "update_display(start + 1, display_id='shown')\nhandle")
    peer.run("a")
    found = [each for each in peer.last if each["type"] in ("display_data", "update_display_data")]
    assert [(each["type"], cell_of(each)) for each in found] == [("display_data", "b"), ("update_display_data", "c")]
    assert {each["content"]["transient"]["display_id"] for each in found} == {"shown"}


COMM = """
from comm import create_comm
heard = []
link = create_comm(target_name='t', data={'start': start})
link.on_msg(lambda message: (heard.append(message['content']['data']), print('heard', heard[-1]['n'])))
"""


def test_widgets_speak_from_a_cascaded_cell_and_are_answered(peer: Peer) -> None:
    peer.register("a", "start = 1")
    peer.register("b", COMM)
    peer.run("a")
    (opened,) = [each for each in peer.last if each["type"] == "comm_open"]
    assert (cell_of(opened), opened["content"]["data"]) == ("b", {"start": 1})
    comm_id = opened["content"]["comm_id"]
    peer.send("comm_msg", {"comm_id": comm_id, "data": {"n": 42}}, "shell")
    peer.until(lambda message: message["type"] == "stream" and "42" in message["content"]["text"], "the answer")


WIDGET = """
from ipywidgets import IntSlider
slider = IntSlider(value=start, max=100)
slider.observe(lambda change: print('moved to', change['new']), 'value')
slider
"""
VIEW = "application/vnd.jupyter.widget-view+json"


def test_a_real_slider_of_a_cascaded_cell_is_moved_read_and_closed(peer: Peer) -> None:
    """What JupyterLab's widget manager says and hears (jupyter-widgets protocol 2)."""
    peer.register("a", "start = 7")
    peer.register("b", WIDGET)
    peer.register("c", "half = slider.value / 2")
    peer.run("a")
    shown = next(data for kind, data in outputs(peer.last, "b") if kind == "execute_result")
    opened = {each["content"]["comm_id"]: each for each in peer.last if each["type"] == "comm_open"}
    model = shown[VIEW]["model_id"]
    state = opened[model]["content"]["data"]["state"]
    assert (state["_model_name"], state["value"], cell_of(opened[model])) == ("IntSliderModel", 7, "b")
    assert opened[model]["metadata"]["version"].startswith("2.")
    peer.send("comm_msg", {"comm_id": model, "data": {"method": "update", "state": {"value": 42}}}, "shell")
    heard = peer.until(lambda each: each["type"] == "stream" and "moved" in each["content"]["text"], "the move")
    assert heard["content"]["text"] == "moved to 42\n"
    assert peer.ask("comm_info_request", {}, "shell")["comms"].keys() >= opened.keys()
    peer.run("c", mode="single")
    (half,) = peer.ask("variables_request", {"names": ["half"]})["variables"]
    assert half["preview"] == "21.0"
    peer.register("d", "slider.close()")
    peer.run("d")
    closed = [each["content"]["comm_id"] for each in peer.last if each["type"] == "comm_close"]
    assert closed == [model]


def test_input_is_refused_in_a_cascaded_cell_with_a_reason(peer: Peer) -> None:
    peer.register("a", "start = 1")
    peer.register("b", "input(str(start))")
    peer.run("a")
    ((kind, error),) = outputs(peer.last, "b")
    assert (kind, error["ename"]) == ("error", "StdinNotImplementedError")


def debug(peer: Peer, command: str, **arguments: Any) -> Any:
    content = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
    reply = peer.ask("debug_request", content)
    assert reply["success"], reply
    return reply.get("body")


def test_the_debugger_stops_at_a_breakpoint_of_a_cascaded_cell(peer: Peer) -> None:
    code = "def deep(n):\n    twice = n * 2\n    return twice\nresult = deep(start)\nprint('through', result)"
    debug(peer, "initialize", clientID="test", adapterID="", pathFormat="path", linesStartAt1=True)
    debug(peer, "attach")
    try:
        path = debug(peer, "dumpCell", code=code)["sourcePath"]
        placed = debug(peer, "setBreakpoints", source={"path": path}, breakpoints=[{"line": 3}], sourceModified=False)
        assert placed["breakpoints"][0]["verified"]
        debug(peer, "configurationDone")
        peer.register("a", "start = 21")
        peer.register("b", code)
        run = peer.send("execute_cells_request", {"cell_ids": ["a"]})
        stopped = peer.until(
            lambda message: message["type"] == "debug_event" and message["content"]["event"] == "stopped", "the stop"
        )
        thread = stopped["content"]["body"]["threadId"]
        frame = debug(peer, "stackTrace", threadId=thread)["stackFrames"][0]
        assert (frame["name"], frame["line"]) == ("deep", 3)
        debug(peer, "continue", threadId=thread)
        assert peer.reply(run)["content"]["status"] == "ok"
        peer.until_idle(run)
        assert ("stdout", "through 42\n") in outputs(peer.iopub, "b")
    finally:
        debug(peer, "disconnect", restart=False, terminateDebuggee=False)
