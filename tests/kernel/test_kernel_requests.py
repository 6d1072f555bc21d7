"""Our requests against a kernel process, by a peer that knows only pyzmq and the wire."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.kernel.kernel_client import Peer, RunningKernel, outputs, running_kernel, statuses


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKernel]:
    with running_kernel(tmp_path_factory.mktemp("k")) as kernel:
        yield kernel


@pytest.fixture
def peer(kernel: RunningKernel) -> Iterator[Peer]:
    """Attached, with a document of no cells."""
    peer = Peer(kernel)
    try:
        assert peer.ask("attach_request", {"client": "test"})["status"] == "ok"
        for cell_id in peer.ask("graph_request")["cells"]:
            peer.ask("remove_cell_request", {"cell_id": cell_id, "run_dependents": False})
        yield peer
    finally:
        peer.close()


def test_a_run_reaches_the_readers_and_outputs_name_their_cells(peer: Peer) -> None:
    peer.register("a", "x = 2\nprint('a runs')")
    edge = peer.register("b", "y = x * 21\nprint('b runs')\ny")
    assert edge["graph"]["added_edges"] == [{"from": "a", "to": "b", "names": ["x"]}]
    done = peer.run("a")
    assert [(cell["cell_id"], cell["status"]) for cell in done["executed"]] == [("a", "success"), ("b", "success")]
    assert outputs(peer.last, "a") == [("stdout", "a runs\n")]
    assert outputs(peer.last, "b") == [("stdout", "b runs\n"), ("execute_result", {"text/plain": "42"})]


def test_the_order_of_a_run_on_iopub(peer: Peer) -> None:
    peer.register("a", "x = 1\nprint('a')")
    peer.register("b", "print(x)")
    peer.run("a")
    kinds = [message["type"] for message in peer.last]
    assert kinds[0] == "status"
    assert kinds[1] == "run_started"
    assert kinds[-2:] == ["run_finished", "status"]
    assert statuses(peer.last) == [
        ("a", "queued"), ("b", "queued"), ("a", "running"), ("a", "success"), ("b", "running"), ("b", "success"),
    ]  # fmt: skip
    numbers = [message["metadata"]["tailrace"]["seq"] for message in peer.iopub]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_answers_on_control_come_in_the_order_of_the_requests(peer: Peer) -> None:
    """Those of Jupyter wait for a turn of the loop, ours do not: ours must not overtake."""
    kinds = ["kernel_info_request", "graph_request", "no_such_request", "comm_info_request", "graph_request"] * 5
    sent = [peer.send(kind) for kind in kinds]
    last = peer.reply(sent[-1])
    came = [*peer.replies, last["parent_header"]["msg_id"]]
    assert came == sent


def test_an_edit_is_stale_until_run_and_then_cascades(peer: Peer) -> None:
    peer.register("a", "x = 1")
    peer.register("b", "print(x)")
    peer.run("a")
    edited = peer.register("a", "x = 5")
    assert (edited["version"], set(edited["stale"])) == (2, {"a", "b"})
    peer.run("a")
    assert outputs(peer.last, "b") == [("stdout", "5\n")]


def test_a_removed_writer_breaks_its_reader(peer: Peer) -> None:
    peer.register("a", "x = 1")
    peer.register("b", "print(x)")
    peer.run("a")
    start = len(peer.iopub)
    msg_id = peer.send("remove_cell_request", {"cell_id": "a"})
    removed = peer.reply(msg_id)["content"]
    assert (removed["removed_names"], removed["dependents"]) == (["x"], ["b"])
    peer.until_idle(msg_id)
    (kind, error) = outputs(peer.iopub[start:], "b")[-1]
    assert (kind, error["ename"]) == ("error", "NameError")
    assert statuses(peer.iopub[start:], "b")[-1] == ("b", "error")


def test_a_cycle_blocks_its_cells_and_is_lifted(peer: Peer) -> None:
    peer.register("free", "print('free')")
    peer.register("a", "x = y")
    answer = peer.register("b", "y = x")
    assert any(diagnostic["kind"] == "cycle" for diagnostic in answer["diagnostics"])
    graph = peer.ask("graph_request")
    assert graph["cycles"] == [["a", "b"]]
    assert {graph["cells"][cell]["status"] for cell in ("a", "b")} == {"blocked"}
    assert [cell["cell_id"] for cell in peer.run("free")["executed"]] == ["free"]
    peer.register("a", "x = 7")
    assert peer.ask("graph_request")["cycles"] == []
    peer.run("a")
    assert peer.ask("variables_request", {"names": ["y"]})["variables"][0]["preview"] == "7"


def test_every_kind_of_output_belongs_to_its_cell(peer: Peer) -> None:
    peer.register("out", "import sys\nprint('to stdout')\nprint('to stderr', file=sys.stderr)\n1 + 1")
    peer.register("rich", "from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))")
    peer.register("quiet", "3 + 4;")
    peer.register("bad", "def inner():\n    return 1 / 0\ninner()")
    done = peer.run(mode="all")
    assert [cell["status"] for cell in done["executed"]] == ["success", "success", "success", "error"]
    assert outputs(peer.last, "out") == [
        ("stdout", "to stdout\n"),
        ("stderr", "to stderr\n"),
        ("execute_result", {"text/plain": "2"}),
    ]
    assert outputs(peer.last, "rich")[0][1]["text/html"] == "<b>bold</b>"
    assert outputs(peer.last, "quiet") == []
    (kind, error) = outputs(peer.last, "bad")[0]
    assert (kind, error["ename"]) == ("error", "ZeroDivisionError")
    traceback = "\n".join(error["traceback"])
    assert "inner" in traceback
    assert "tailrace_kernel" not in traceback


def test_a_thread_prints_into_the_cell_that_started_it(peer: Peer) -> None:
    peer.register(
        "starter", "import threading\ngo = threading.Event()\ndef late():\n    go.wait(10)\n    print('late')"
    )
    peer.register("spawn", "worker = threading.Thread(target=late)\nworker.start()")
    peer.register("release", "go.set()\nworker.join(10)\nprint('released')")
    peer.run(mode="all")
    assert outputs(peer.last, "spawn") == [("stdout", "late\n")]
    assert outputs(peer.last, "release") == [("stdout", "released\n")]


def test_a_syntax_error_registers_with_its_line_and_fails_when_run(peer: Peer) -> None:
    peer.register("a", "x = 1\nz = 2")
    peer.register("b", "print(x)")
    answer = peer.register("a", "x = 1\nz = = 2")
    assert [(found["kind"], found["line"]) for found in answer["diagnostics"]] == [("syntax", 2)]
    assert answer["writes"] == ["x", "z"]
    peer.run("a")
    (kind, error) = outputs(peer.last, "a")[0]
    assert (kind, error["ename"]) == ("error", "SyntaxError")
    assert "line 2" in "\n".join(error["traceback"])


def test_an_exception_group_is_an_error_output(peer: Peer) -> None:
    peer.register("a", "raise ExceptionGroup('many', [ValueError('one'), KeyError('two')])")
    peer.run("a")
    (kind, error) = outputs(peer.last, "a")[0]
    assert (kind, error["ename"]) == ("error", "ExceptionGroup")
    assert "ValueError: one" in "".join(error["traceback"])


def test_top_level_await_and_magics(peer: Peer) -> None:
    peer.register("a", "import asyncio\nx = await asyncio.sleep(0.001, 'slept')")
    peer.register("b", "%time y = x.upper()\ny")
    peer.run("a")
    assert outputs(peer.last, "b")[-1] == ("execute_result", {"text/plain": "'SLEPT'"})


def test_a_figure_is_shown_in_the_cell_that_drew_it(peer: Peer) -> None:
    peer.register("imports", "import matplotlib.pyplot as plt")
    peer.register("draw", "plt.plot([1, 2, 3])\nshown = True;")
    peer.register("after", "print(shown)")
    peer.run(mode="all")
    assert [kind for kind, _ in outputs(peer.last, "draw")] == ["display_data"]
    assert "image/png" in outputs(peer.last, "draw")[0][1]
    assert outputs(peer.last, "after") == [("stdout", "True\n")]


def test_altair_gives_its_mime_type(peer: Peer) -> None:
    code = "import altair as alt\nalt.Chart(alt.Data(values=[{'x': 1}])).mark_point().encode(x='x:Q')"
    peer.register("chart", code)
    peer.run("chart")
    (_, data) = outputs(peer.last, "chart")[-1]
    assert [mime for mime in data if mime != "text/plain"] == ["application/vnd.vegalite.v6+json"]


def test_two_requests_join_one_run(peer: Peer) -> None:
    peer.register("slow", "import time\ntime.sleep(0.3)\nn = 1")
    peer.register("reader", "print('read', n)")
    first = peer.send("execute_cells_request", {"cell_ids": ["slow"], "wait": False})
    assert peer.reply(first)["content"]["executed"] == []
    second = peer.ask("execute_cells_request", {"cell_ids": ["reader"]})
    assert [cell["cell_id"] for cell in second["executed"]] == ["reader"]
    peer.until_idle(first)
    assert len(outputs(peer.iopub, "reader")) == 1


def test_requests_that_cannot_be_taken_are_answered(peer: Peer) -> None:
    for channel in ("control", "shell"):
        unknown = peer.ask("reticulate_request", {}, channel)
        assert (unknown["status"], unknown["ename"]) == ("error", "unknown_request")
        bad = peer.ask("register_cell_request", {"cell_id": "a", "code": 5}, channel)
        assert (bad["ename"], bad["details"]["field"]) == ("bad_field", "code")
        missing = peer.ask("execute_cells_request", {"cell_ids": ["nowhere"]}, channel)
        assert missing["ename"] == "unknown_cell"
    assert peer.ask("complete_request", {"code": 1}, "shell")["status"] == "error"
    assert peer.ask("execute_request", {}, "shell")["ename"] == "bad_field"
    assert peer.ask("graph_request")["status"] == "ok"


def test_shell_takes_the_same_requests(peer: Peer) -> None:
    assert peer.ask("register_cell_request", {"cell_id": "s", "code": "print('by shell')"}, "shell")["version"] == 1
    done = peer.run("s", channel="shell")
    assert [cell["status"] for cell in done["executed"]] == ["success"]
    assert outputs(peer.last, "s") == [("stdout", "by shell\n")]


def test_plan_settings_order_and_variables(peer: Peer) -> None:
    registered = peer.ask(
        "register_cells_request",
        {"cells": [{"cell_id": "b", "code": "y = x"}, {"cell_id": "a", "code": "x = [1, 2]"}]},
    )
    assert registered["order"] == ["b", "a"]
    assert peer.ask("reorder_cells_request", {"cell_ids": ["a", "b"]})["order"] == ["a", "b"]
    assert peer.ask("plan_request", {"cell_ids": ["a"]})["order"] == ["a", "b"]
    peer.run("a")
    variables = {variable["name"]: variable for variable in peer.ask("variables_request")["variables"]}
    assert (variables["x"]["cell_id"], variables["x"]["preview"], variables["x"]["shape"]) == ("a", "[1, 2]", [2])
    assert peer.ask("settings_request", {"lazy": True})["status"] == "ok"
    peer.register("a", "x = [3]")
    assert [cell["cell_id"] for cell in peer.run("a")["executed"]] == ["a"]
    assert peer.ask("graph_request")["cells"]["b"]["status"] == "stale"
    assert peer.ask("settings_request", {"lazy": False})["status"] == "ok"


def test_the_edits_of_a_renaming_fit_the_registered_versions(peer: Peer) -> None:
    peer.register("a", "größe = 1", version=7)
    peer.register("b", "'größe'; print(größe)")
    found = peer.ask("rename_variable_request", {"name": "größe", "new_name": "size"})
    assert found["cells"] == [
        {"cell_id": "a", "version": 7, "edits": [{"start": 0, "end": 5, "text": "size"}]},
        {"cell_id": "b", "version": 1, "edits": [{"start": 15, "end": 20, "text": "size"}]},
    ]
    refused = peer.ask("rename_variable_request", {"name": "größe", "new_name": "b c"})
    assert (refused["ename"], refused["details"]) == ("cannot_rename", {"cells": []})


def test_unknown_place_is_the_end_with_a_diagnostic(peer: Peer) -> None:
    peer.register("a", "1")
    answer = peer.register("b", "2", after_cell_id="nowhere")
    assert [found["kind"] for found in answer["diagnostics"]] == ["unknown_position"]
    peer.register("c", "3", after_cell_id=None)
    assert peer.ask("graph_request")["order"] == ["c", "a", "b"]


def test_a_stock_execute_beside_cells_is_an_ordinary_one(peer: Peer) -> None:
    peer.register("a", "x = 20")
    peer.run("a")
    msg_id = peer.send("execute_request", {"code": "print('x is', x)\nx + 1"}, "shell")
    answer = peer.reply(msg_id, "shell")["content"]
    peer.until_idle(msg_id)
    assert answer["status"] == "ok"
    mine = [message for message in peer.iopub if message["parent_header"].get("msg_id") == msg_id]
    kinds = [kind for kind, _ in itertools.groupby(message["type"] for message in mine)]  # a text may come in pieces
    assert kinds == ["status", "execute_input", "stream", "execute_result", "status"]


def test_listeners_of_ipython_hear_of_every_cell(peer: Peer) -> None:
    """A cell may begin to listen: then it is the first one whose end is heard; values and failures are passed on."""
    peer.register(
        "listen", "heard = []\nget_ipython().events.register('post_run_cell', heard.append)\nmute = heard.append"
    )
    peer.register("plain", "x = heard and 1")
    peer.register("shown", "x + 1")
    peer.register("broken", "x / 0")
    peer.run("listen")
    of_one = "(r.info.cell_id, r.execution_count - heard[0].execution_count, r.result, bool(r.error_in_exec))"
    peer.register("look", f"ends = [{of_one} for r in heard]")
    peer.register("quiet", "get_ipython().events.unregister('post_run_cell', mute)\nprint(ends)")
    peer.run("look", mode="single")
    peer.run("quiet", mode="single")
    heard = [("listen", 0, None, False), ("plain", 1, None, False), ("shown", 2, 2, False), ("broken", 3, None, True)]
    assert outputs(peer.last, "quiet") == [("stdout", f"{heard}\n")]


def test_help_and_unknown_magics_are_outputs_of_their_cells(peer: Peer) -> None:
    peer.register("help", "print?")
    peer.register("magic", "%nosuchmagic")
    peer.run("help")
    ((kind, data),) = outputs(peer.last, "help")
    assert kind == "display_data"
    assert "Prints the values" in data["text/plain"]
    peer.run("magic")
    ((kind, error),) = outputs(peer.last, "magic")
    assert (kind, error["ename"]) == ("error", "UsageError")


def test_a_cell_that_ends_the_kernel_says_so(tmp_path: Path) -> None:
    with running_kernel(tmp_path) as kernel:
        peer = Peer(kernel)
        try:
            peer.register("end", "exit()")
            peer.run("end")
            assert outputs(peer.last, "end") == [("stderr", "exit() was called: this kernel ends now.\n")]
            assert kernel.process.wait(10) == 0
        finally:
            peer.close()


DISPLAYS = 20_000


def test_a_client_that_reads_late_loses_none_of_many_displays(kernel: RunningKernel, peer: Peer) -> None:
    """With ZeroMQ's mark of 1,000 at both ends some 18,000 are dropped, the end of the run among them."""
    with zmq.Context() as context, context.socket(zmq.SUB) as late:
        late.linger = 0
        late.subscribe(b"")
        late.connect(kernel.address("iopub"))
        assert late.poll(10_000)  # its welcome
        code = f"for number in range({DISPLAYS}):\n    display({{'text/plain': str(number)}}, raw=True)"
        peer.register("flood", code)
        peer.run("flood")
        shown = [message for message in peer.last if message["type"] == "display_data"]
        came = ended = 0
        while not ended and late.poll(10_000):
            frames = late.recv_multipart()
            came += b'"display_data"' in frames[3]
            ended += b"run_finished" in frames[0]
    assert [int(message["content"]["data"]["text/plain"]) for message in shown] == list(range(DISPLAYS))
    assert (came, ended) == (DISPLAYS, 1)
    peer.iopub.clear()
