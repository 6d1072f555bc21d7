"""What the kernel lets go of: values of removed names, of replaced runs, of failed cells; no output history grows.

`Kept` counts its living instances, so each test sees the moment at which the last reference has gone.
"""

from collections.abc import Iterator

import pytest

from tests.kernel.kernel_client import Peer, RunningKernel, outputs, running_kernel

KEPT = """
import weakref

class Kept:
    alive = weakref.WeakSet()

    def __init__(self):
        self.alive.add(self)
"""


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
        peer.register("kept", KEPT)
        peer.register("other", "1")
        peer.run("kept")
        yield peer
    finally:
        peer.close()


def alive(peer: Peer) -> int:
    """Living instances, garbage in cycles included: nothing is collected for the count."""
    content = {"code": "", "silent": True, "user_expressions": {"n": "len(Kept.alive)"}}
    answer = peer.ask("execute_request", content, "shell")
    return int(answer["user_expressions"]["n"]["data"]["text/plain"])


def test_names_of_a_removed_cell_are_freed(peer: Peer) -> None:
    peer.register("a", "one = Kept()\nmany = [Kept() for _ in range(9)]")
    peer.run("a")
    assert alive(peer) == 10
    peer.ask("remove_cell_request", {"cell_id": "a"})
    assert alive(peer) == 0


def test_a_new_run_frees_what_the_last_one_made(peer: Peer) -> None:
    peer.register("a", "one = Kept()")
    peer.register("b", "two = (one, Kept())")
    for _ in range(5):
        peer.run("a")
    assert alive(peer) == 2
    peer.register("a", "one = None")
    peer.register("b", "two = one")
    peer.run("a")
    assert alive(peer) == 0


def test_versions_of_two_writers_go_with_their_cells(peer: Peer) -> None:
    peer.register("a", "one = Kept()")
    peer.register("b", "one = [one, Kept()]")
    peer.run("a")
    assert alive(peer) == 2
    peer.ask("remove_cell_request", {"cell_id": "b"})
    assert alive(peer) == 1
    peer.ask("remove_cell_request", {"cell_id": "a"})
    assert alive(peer) == 0


def test_results_of_cells_are_not_kept_for_the_display_history(peer: Peer) -> None:
    peer.register("a", "Kept()")
    peer.run("a")
    assert alive(peer) == 0
    plain = peer.ask("execute_request", {"code": "Kept()"}, "shell")
    assert plain["status"] == "ok"
    assert alive(peer) == 1  # the console keeps IPython's `_` and `Out`


FAILING = "def deep():\n    local = Kept()\n    1 / 0\n{call}deep()"


@pytest.mark.parametrize("call", ["", "import asyncio\nawait asyncio.sleep(0)\n"])
def test_frames_of_a_failed_cell_go_with_the_next_run(peer: Peer, call: str) -> None:
    peer.register("a", FAILING.format(call=call))
    peer.run("a")
    assert alive(peer) == 1  # %debug may still look at it
    peer.run("other")
    assert alive(peer) == 0


def test_frames_of_a_failed_cell_go_with_a_run_that_was_asked_for_before_it_failed(peer: Peer) -> None:
    peer.register("a", "import time\ntime.sleep(0.2)\n" + FAILING.format(call=""))
    runs = [peer.send("execute_cells_request", {"cell_ids": [cell_id]}) for cell_id in ("a", "other")]
    statuses = [peer.reply(run)["content"]["executed"][0]["status"] for run in runs]
    assert statuses == ["error", "success"]
    assert alive(peer) == 0


def test_frames_of_a_failed_console_line_go_with_the_next_run(peer: Peer) -> None:
    assert peer.ask("execute_request", {"code": FAILING.format(call="")}, "shell")["status"] == "error"
    assert alive(peer) == 1
    peer.run("other")
    assert alive(peer) == 0


def test_an_interrupted_cell_keeps_nothing(peer: Peer) -> None:
    peer.register("a", "def deep():\n    local = Kept()\n    print('go', flush=True)\n    while True: pass\ndeep()")
    run = peer.send("execute_cells_request", {"cell_ids": ["a"]})
    peer.until(lambda message: message["type"] == "stream", "go")
    peer.ask("interrupt_request")
    assert peer.reply(run)["content"]["executed"][0]["status"] == "interrupted"
    peer.until_idle(run)
    traceback = "".join(outputs(peer.iopub, "a")[-1][1]["traceback"])
    assert "while" in traceback
    assert "interrupt.py" not in traceback  # the signal handler is none of the user's frames
    peer.run("other")
    assert alive(peer) == 0
