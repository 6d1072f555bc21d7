"""Cells of an unmodified frontend: stock messages only, each output under its own cell's request."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.kernel_client import Message, Peer, RunningKernel, running_kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKernel]:
    with running_kernel(tmp_path_factory.mktemp("k")) as kernel:
        yield kernel


class Notebook:
    """A frontend that sends what JupyterLab sends; nobody has attached to the kernel."""

    def __init__(self, peer: Peer, prefix: str) -> None:
        self.peer = peer
        self.prefix = prefix
        self.requests: dict[str, str] = {}  # msg_id → cell

    def send(self, cell: str, code: str, deleted: tuple[str, ...] = (), **content: Any) -> str:
        metadata = {"cellId": self.prefix + cell, "deletedCells": [self.prefix + each for each in deleted]}
        content = {"code": code, "allow_stdin": False, "stop_on_error": True, **content}
        msg_id = self.peer.send("execute_request", content, "shell", metadata)
        self.requests[msg_id] = cell
        return msg_id

    def run(self, cell: str, code: str, deleted: tuple[str, ...] = (), **content: Any) -> dict[str, Any]:
        msg_id = self.send(cell, code, deleted, **content)
        reply: dict[str, Any] = self.peer.reply(msg_id, "shell")["content"]
        self.peer.until_idle(msg_id)
        return reply

    def take(self) -> list[tuple[str, str, Any]]:
        """(cell, type, text) of everything since the last call, by the request it is shown under."""
        messages, self.peer.iopub = self.peer.iopub, []
        shown: list[tuple[str, str, Any]] = []
        for message in messages:
            if message["type"] in {"status", "iopub_welcome"}:
                continue
            cell, text = self.requests.get(message["parent_header"].get("msg_id", ""), "?"), _text(message)
            if message["type"] == "stream" and shown and shown[-1][:2] == (cell, "stream"):
                text = shown.pop()[2] + text  # where a text is cut is a matter of time
            shown.append((cell, message["type"], text))
        return shown


def _text(message: Message) -> Any:
    content = message["content"]
    match message["type"]:
        case "stream":
            return content["text"]
        case "error":
            return content["ename"]
        case "execute_result":
            return content["data"]["text/plain"]
        case "execute_input":
            return content["execution_count"]
    return content


@pytest.fixture
def notebook(kernel: RunningKernel, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    peer = Peer(kernel)
    try:
        for cell_id in peer.ask("graph_request")["cells"]:
            peer.ask("remove_cell_request", {"cell_id": cell_id, "run_dependents": False})
        peer.iopub.clear()
        yield Notebook(peer, f"{request.node.name}-")
    finally:
        peer.close()


def test_a_reader_is_shown_under_its_own_request(notebook: Notebook) -> None:
    assert notebook.run("a", "x = 1")["execution_count"] == 1
    assert notebook.run("b", "print(x)\nx + 1")["execution_count"] == 2
    assert notebook.take() == [
        ("a", "execute_input", 1),
        ("b", "execute_input", 2),
        ("b", "stream", "1\n"),
        ("b", "execute_result", "2"),
    ]
    reply = notebook.run("a", "x = 5")
    assert (reply["status"], reply["execution_count"]) == ("ok", 3)
    assert notebook.take() == [
        ("a", "execute_input", 3),
        ("b", "clear_output", {"wait": False}),
        ("b", "stream", "5\n"),
        ("b", "execute_result", "6"),
    ]


def test_a_stock_frontend_gets_the_usual_bundle_of_a_frame(notebook: Notebook) -> None:
    notebook.run("a", "import pandas as pd\npd.DataFrame({'n': [1]})")
    shown = [each["content"]["data"] for each in notebook.peer.iopub if each["type"] == "execute_result"]
    assert [sorted(data) for data in shown] == [["text/html", "text/plain"]]


def test_a_stock_frontend_gets_an_altair_chart_that_a_file_may_hold(notebook: Notebook) -> None:
    code = "import altair as alt\nalt.Chart(alt.Data(values=[{'x': 1}])).mark_point().encode(x='x:Q')"
    notebook.run("a", code)
    (data,) = [each["content"]["data"] for each in notebook.peer.iopub if each["type"] == "execute_result"]
    assert "text/html" in data
    assert all(isinstance(value, str) or mime.endswith("+json") for mime, value in data.items())


def test_output_widgets_are_left_to_a_stock_frontend(notebook: Notebook) -> None:
    notebook.run("a", "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    print('inside')")
    texts = [each["content"]["text"] for each in notebook.peer.iopub if each["type"] == "stream"]
    assert texts == ["inside\n"]


def test_run_all_runs_each_cell_once(notebook: Notebook) -> None:
    cells = [("c0", "x0 = 0\nprint('c0')")]
    cells += [(f"c{n}", f"x{n} = x{n - 1} + 1\nprint('c{n}')") for n in range(1, 12)]
    for _ in range(2):
        sent = [notebook.send(cell, code) for cell, code in cells]
        for msg_id in sent:
            assert notebook.peer.reply(msg_id, "shell")["content"]["status"] == "ok"
        notebook.peer.until_idle(sent[-1])
        shown = [(cell, text) for cell, kind, text in notebook.take() if kind == "stream"]
        assert shown == [(cell, f"{cell}\n") for cell, _ in cells]


def test_an_error_aborts_those_behind_it(notebook: Notebook) -> None:
    sent = [notebook.send("a", "import time\ntime.sleep(0.2)\n1 / 0"), notebook.send("b", "print('behind')")]
    replies = [notebook.peer.reply(msg_id, "shell")["content"] for msg_id in sent]
    notebook.peer.until_idle(sent[-1])
    assert [reply["status"] for reply in replies] == ["error", "aborted"]
    assert [each for each in notebook.take() if each[0] == "b"] == []
    assert notebook.run("b", "print('again')")["status"] == "ok"


def test_an_error_of_a_reader_is_its_own(notebook: Notebook) -> None:
    notebook.run("a", "x = 1")
    notebook.run("b", "1 / x")
    notebook.take()
    assert notebook.run("a", "x = 0")["status"] == "ok"
    assert ("b", "error", "ZeroDivisionError") in notebook.take()
    assert notebook.run("a", "x = 2")["status"] == "ok"
    assert ("b", "execute_result", "0.5") in notebook.take()


def test_deleted_cells_take_their_names_along(notebook: Notebook) -> None:
    notebook.run("a", "gone = 1")
    notebook.run("b", "print(gone)")
    notebook.take()
    assert notebook.run("c", "print('c')", deleted=("a",))["status"] == "ok"
    assert ("b", "error", "NameError") in notebook.take()


def test_a_cycle_is_told_in_the_cell(notebook: Notebook) -> None:
    notebook.run("first", "q = 1")
    notebook.run("second", "p = q")
    reply = notebook.run("first", "q = p")
    assert (reply["status"], reply["ename"]) == ("error", "NotRun")
    assert ("first", "error", "NotRun") in notebook.take()


def test_input_is_asked_of_the_cell_that_was_run_only(notebook: Notebook) -> None:
    notebook.run("a", "trigger = 1")
    notebook.run("b", "trigger\ninput('name? ')")
    kinds = [(cell, kind, text) for cell, kind, text in notebook.take() if kind == "error"]
    assert kinds == [("b", "error", "StdinNotImplementedError")]


def test_user_expressions_and_history(notebook: Notebook) -> None:
    reply = notebook.run("a", "value = 6 * 7", user_expressions={"v": "value"})
    assert reply["user_expressions"]["v"]["data"]["text/plain"] == "42"
    history = notebook.peer.ask(
        "history_request", {"hist_access_type": "tail", "n": 1, "output": False, "raw": True}, "shell"
    )
    assert history["history"][-1][2] == "value = 6 * 7"


def test_the_magic_switches_and_explains(notebook: Notebook) -> None:
    notebook.run("a", "w = 1")
    notebook.run("b", "print(w)")
    notebook.take()
    notebook.run("m", "%tailrace lazy")
    notebook.run("a", "w = 2")
    assert not [each for each in notebook.take() if each[0] == "b"]
    notebook.run("m", "%tailrace graph")
    shown = "".join(text for _, kind, text in notebook.take() if kind == "stream")
    assert f"{notebook.prefix}a -> {notebook.prefix}b  w" in shown
    notebook.run("m", f"%tailrace why {notebook.prefix}b")
    assert "stale" in "".join(text for _, kind, text in notebook.take() if kind == "stream")
    notebook.run("m", "%tailrace off")
    assert notebook.run("b", "print(w)")["status"] == "ok"
    notebook.run("m", "%tailrace on")
    notebook.take()
    notebook.run("a", "w = 3")
    assert ("b", "stream", "3\n") in notebook.take()


def test_a_reader_without_a_place_in_the_frontend_is_named_in_the_cell_that_was_run(notebook: Notebook) -> None:
    notebook.peer.register("elsewhere", "seen = far")
    notebook.run("a", "far = 1")
    told = [text for cell, kind, text in notebook.take() if (cell, kind) == ("a", "stream")]
    assert told == ["tailrace: also ran elsewhere, which this frontend has not run itself\n"]
    notebook.run("b", "near = 1")
    assert not [each for each in notebook.take() if each[1] == "stream"]


@pytest.mark.parametrize("code", ["%nosuchmagic", "%%nosuchmagic\nx", "%tailrace nonsense"])
def test_a_magic_that_cannot_be_called_is_an_error_of_its_cell(notebook: Notebook, code: str) -> None:
    reply = notebook.run("a", code)
    assert (reply["status"], reply["ename"]) == ("error", "UsageError")
    assert [(cell, text) for cell, kind, text in notebook.take() if kind == "error"] == [("a", "UsageError")]


def test_help_is_in_the_reply_of_a_cell_that_was_run(notebook: Notebook) -> None:
    (page,) = notebook.run("a", "print?")["payload"]
    assert "Prints the values" in page["data"]["text/plain"]


def test_changes_that_nobody_can_follow_are_warned_of_when_asked(notebook: Notebook) -> None:
    notebook.run(
        "a",
        "class Count:\n    n = 0\n    @property\n    def up(self):\n        self.n += 1\n        return self.n",
    )
    notebook.run("b", "count = Count(); items = [1]")
    notebook.run("m", "%tailrace mutations")
    notebook.take()
    notebook.run("c", "print(count.up)")
    notebook.run("d", "items.append(2)")
    warned = "".join(text for cell, kind, text in notebook.take() if (cell, kind) == ("c", "stream"))
    assert f"Cell {notebook.prefix}c changed count, which cell {notebook.prefix}b made" in warned
    notebook.run("d", "print(len(items), count.n)")
    assert not [text for _, kind, text in notebook.take() if kind == "stream" and "changed" in text]
    notebook.run("m", "%tailrace mutations off")
    notebook.take()
    notebook.run("c", "print(count.up)")
    assert ("c", "stream", "2\n") in notebook.take()
