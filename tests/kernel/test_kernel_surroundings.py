"""The kernel in odd company: files beside the notebook that are called like modules, and text no UTF-8 can hold."""

from collections.abc import Iterator

import pytest

from tests.kernel.kernel_client import Peer, RunningKernel, outputs

SHADOWS = ("queue", "random", "selectors", "kernel", "protocol")


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("k")
    for name in SHADOWS:
        (folder / f"{name}.py").write_text("mine = True\n")
    kernel = RunningKernel(folder, cwd=folder)
    peer = Peer(kernel)
    try:
        assert peer.ask("attach_request", {"client": "test"})["status"] == "ok"
        yield peer
    finally:
        peer.close()
        kernel.end()


def test_a_file_called_like_a_module_stops_nothing_and_is_found_by_the_notebook(peer: Peer) -> None:
    peer.register("a", "import kernel, protocol\nprint(kernel.mine, protocol.mine)")
    peer.run("a")
    assert outputs(peer.last, "a") == [("stdout", "True True\n")]


def test_a_lone_surrogate_is_escaped_and_the_run_ends(peer: Peer) -> None:
    peer.register("s", "print('\\ud800')\nprint('after')\n'\\udfff'")
    reply = peer.run("s")
    assert [(cell["cell_id"], cell["status"]) for cell in reply["executed"]] == [("s", "success")]
    assert outputs(peer.last, "s")[0] == ("stdout", "\\ud800\nafter\n")
