"""Our requests against a kernel process, by a peer that knows only pyzmq and the wire."""

from collections.abc import Iterator

import pytest

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
