"""A kernel whose parent is gone waits for a client, then ends."""

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tailrace_kernel.lifeline import Lifeline, from_environment
from tests.kernel.kernel_client import Peer, RunningKernel


def test_the_end_of_the_pipe_ends_the_kernel_after_the_grace_period() -> None:
    reading, writing = os.pipe()
    ended = threading.Event()
    environment = {"TAILRACE_LIFELINE_FD": str(reading), "TAILRACE_GRACE_SECONDS": "0.05", "OTHER": "x"}
    lifeline = from_environment(environment, ended.set)
    assert lifeline is not None
    assert environment == {"OTHER": "x"}
    assert not ended.wait(0.2)
    os.close(writing)
    assert ended.wait(10)


def test_a_client_adopts_the_kernel_with_a_lifeline_of_its_own(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    ended = threading.Event()
    lifeline = Lifeline(3.0, ended.set)
    lifeline.watch(reading)
    path = str(tmp_path / "line")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        os.close(writing)
        lifeline.adopt(path)
        connection, _ = listening.accept()
        assert not ended.wait(4)
        connection.close()
        assert ended.wait(10)


def test_a_kernel_lives_on_without_a_client_that_wants_it_to_and_not_without_the_next(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    ended = threading.Event()
    lifeline = Lifeline(0.05, ended.set)
    lifeline.watch(reading)
    for outlive in (True, False):
        path = str(tmp_path / f"line-{outlive}")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen()
            lifeline.adopt(path, outlive=outlive)
            if outlive:
                os.close(writing)
        assert ended.wait(0.5 if outlive else 10) is not outlive


def test_a_lifeline_that_does_not_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"."):
        Lifeline(1, lambda: None).adopt(str(tmp_path / "nobody"))


def test_without_the_variable_there_is_none() -> None:
    assert from_environment({}, lambda: None) is None


@pytest.mark.parametrize("adopted", [False, True])
def test_the_last_word_of_a_parent_that_is_gone_adopts_nothing(tmp_path: Path, adopted: bool) -> None:
    """A kernel whose parent ended while it started may still read its attach. The control: a client that lives."""
    reading, writing = os.pipe()
    os.close(writing)
    path = str(tmp_path / "line")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        environment = {"TAILRACE_LIFELINE_FD": str(reading), "TAILRACE_GRACE_SECONDS": "4"}
        kernel = RunningKernel(tmp_path, environment, pass_fds=(reading,))
        os.close(reading)
        peer = Peer(kernel)
        try:
            attach = {"client": "gateway", **({"lifeline": path} if adopted else {})}
            assert peer.ask("attach_request", attach)["status"] == "ok"
            if adopted:
                with pytest.raises(subprocess.TimeoutExpired):
                    kernel.process.wait(6)
            else:
                assert kernel.process.wait(30) == 0
        finally:
            peer.close()
            kernel.end()
