"""What cells show that stays in the kernel: the rows of DataFrames, and the state of Output widgets."""

import importlib.metadata
from collections.abc import Iterator
from typing import Any

import pytest

from tailrace_protocol.objects import TABLE_MIME
from tests.kernel.kernel_client import Peer, outputs, running_kernel


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with running_kernel(tmp_path_factory.mktemp("k")) as kernel:
        peer = Peer(kernel)
        try:
            assert peer.ask("attach_request", {"client": "test"})["status"] == "ok"
            yield peer
        finally:
            peer.close()


def test_a_frame_that_is_shown_can_be_paged_until_the_cell_runs_again(peer: Peer) -> None:
    peer.register("sales", "import pandas as pd\nsales = pd.DataFrame({'n': range(300), 't': 'x'})\nsales")
    peer.run("sales")
    kind, data = outputs(peer.last, "sales")[0]
    assert kind == "execute_result"
    assert "<table" in data["text/html"]
    reference = data[TABLE_MIME]
    assert (reference["rows"], reference["columns"]) == (300, 2)
    asked = {"cell_id": "sales", "token": reference["token"], "limit": 2}
    page = peer.ask("table_page_request", {**asked, "sort": [{"column": "n", "descending": True}]})
    assert (page["rows"], page["total"]) == ([[299, "x"], [298, "x"]], 300)
    assert [column["type"] for column in page["columns"]] == ["int64", "str"]
    part = peer.reply(peer.send("export_table_request", {"cell_id": "sales", "token": reference["token"]}))
    assert part["buffers"][0].startswith(b'"n","t"\n0,"x"\n')
    peer.register("change", "sales.loc[0, 'n'] = -1")
    peer.run("change")
    assert peer.ask("table_page_request", asked)["rows"][0] == [0, "x"]
    peer.run("sales")
    assert peer.ask("table_page_request", asked)["ename"] == "no_such_output"
    again = outputs(peer.last, "sales")[0][1][TABLE_MIME]["token"]
    peer.ask("remove_cell_request", {"cell_id": "sales"})
    assert peer.ask("table_page_request", {**asked, "token": again})["ename"] == "no_such_output"


def widget_states(peer: Peer, start: int) -> list[Any]:
    """States of `outputs` that a widget told since then, in order."""
    data = [each["content"]["data"] for each in peer.iopub[start:] if each["type"] == "comm_msg"]
    return [each["state"]["outputs"] for each in data if "outputs" in each.get("state", {})]


def test_what_happens_under_an_output_widget_is_its_state(peer: Peer) -> None:
    peer.register(
        "out", "import sys\nfrom IPython.display import clear_output\nimport ipywidgets\nout = ipywidgets.Output()"
    )
    peer.run("out")
    peer.register(
        "use",
        "with out:\n    print('one')\n    print('two')\n    print('bad', file=sys.stderr)\n    display(7)\n    1 / 0\n"
        "print('after')",
    )
    start = len(peer.iopub)
    peer.run("use")
    assert outputs(peer.last, "use") == [("stdout", "after\n")]
    shown = widget_states(peer, start)[-1]
    assert [(one["output_type"], one.get("name"), one.get("text")) for one in shown] == [
        ("stream", "stdout", "one\ntwo\n"),
        ("stream", "stderr", "bad\n"),
        ("display_data", None, None),
        ("error", None, None),
    ]
    assert shown[2]["data"] == {"text/plain": "7"}
    assert shown[3]["ename"] == "ZeroDivisionError"
    peer.register("clear", "with out:\n    clear_output(wait=True)\n    print('anew')\nprint(len(out.outputs))")
    start = len(peer.iopub)
    peer.run("clear")
    assert outputs(peer.last, "clear") == [("stdout", "1\n")]
    assert [one["text"] for one in widget_states(peer, start)[-1]] == ["anew\n"]


def test_an_output_widget_keeps_a_bounded_text(peer: Peer) -> None:
    peer.register(
        "flood",
        "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    for _ in range(3000):\n        print('x' * 999)",
    )
    peer.register("size", "print(sum(len(one['text']) for one in out.outputs))")
    peer.run("flood")
    assert outputs(peer.last, "size") == [("stdout", f"{2**20}\n")]


def test_a_package_gives_its_javascript_without_being_imported(peer: Peer) -> None:
    answer = peer.reply(peer.send("library_file_request", {"name": "plotly"}))
    assert answer["content"]["status"] == "ok"
    assert answer["content"]["version"] == importlib.metadata.version("plotly")
    assert b"plotly.js v" in answer["buffers"][0][:200]
    peer.register("not-imported", "import sys\nprint('plotly' in sys.modules)")
    peer.run("not-imported")
    assert outputs(peer.last, "not-imported") == [("stdout", "False\n")]
    assert peer.ask("library_file_request", {"name": "os"})["ename"] == "bad_field"


def test_libraries_see_a_notebook(peer: Peer) -> None:
    peer.register(
        "rich",
        "from rich.console import Console\nfrom plotly import io\nprint(Console().is_jupyter, io.renderers.default)",
    )
    peer.run("rich")
    assert outputs(peer.last, "rich") == [("stdout", "True plotly_mimetype\n")]
