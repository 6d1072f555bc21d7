"""The outbox alone, with a thread that takes what is put: a writer that is far ahead waits, and never for nothing."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import pytest
from ipykernel.iostream import IOPubThread
from jupyter_client.session import Session

from tailrace_kernel import outbox
from tailrace_kernel.outbox import Outbox
from tailrace_kernel.session import adopt
from tailrace_protocol.kernel_messages import RunFinishedContent, StatusChange

PUTS = 200


class Taker:
    """Stands for ipykernel's IOPub thread as the outbox sees it; sends nowhere and counts."""

    def __init__(self) -> None:
        self._events: deque[Callable[[], Any]] = deque()
        self.io_loop = self.asyncio_loop = self
        self._stopped = False
        self._wanted = threading.Semaphore(0)
        self.sent = 0
        self.kinds: list[str] = []
        self.thread = threading.Thread(target=self._take, daemon=True)
        self.thread.start()

    def call_soon_threadsafe(self, function: Callable[[], Any]) -> None:
        self._events.append(function)
        self._wanted.release()

    def call_later(self, _seconds: float, function: Callable[[], Any]) -> None:
        pass  # nothing is left to be found later

    def stop(self) -> None:
        self.call_soon_threadsafe(lambda: setattr(self, "_stopped", True))
        self.thread.join(10)

    def _take(self) -> None:
        while not self._stopped:
            self._wanted.acquire()
            self._events.popleft()()

    def _really_send(self, frames: list[bytes], **_: Any) -> None:
        self.sent += 1
        if len(frames) > 3:
            self.kinds.append(json.loads(frames[3])["msg_type"])


def test_a_writer_far_ahead_does_not_wait_for_a_drain_that_is_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "MAX_QUEUED", 0)
    monkeypatch.setattr(outbox, "WRITER_PATIENCE", 0.3)
    taker = Taker()
    box = Outbox(cast(IOPubThread, taker), adopt(Session(key=b"k")), "kernel")
    with caplog.at_level(logging.WARNING, logger="tailrace_kernel.outbox"):
        for _ in range(PUTS):
            box.put([b"frame"])
        box._wait_for_room()  # as a writer whose entry was taken between its look and its wait
    taker.stop()
    assert taker.sent == PUTS
    assert caplog.records == []


def test_a_writer_does_wait_when_nobody_takes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "MAX_QUEUED", 0)
    monkeypatch.setattr(outbox, "WRITER_PATIENCE", 0.0)
    taker = Taker()
    held = threading.Event()
    taker.call_soon_threadsafe(lambda: held.wait(10))
    box = Outbox(cast(IOPubThread, taker), adopt(Session(key=b"k")), "kernel")
    with caplog.at_level(logging.WARNING, logger="tailrace_kernel.outbox"):
        box.put([b"frame"])
    assert len(caplog.records) == 1
    hurried = threading.Event()
    box.is_hurried = lambda: hurried.set() or True  # type: ignore[func-returns-value]
    monkeypatch.setattr(outbox, "WRITER_PATIENCE", 60.0)
    box.put([b"frame"])  # returns: an interrupt waits for no room
    assert hurried.is_set()
    held.set()
    taker.stop()
    assert taker.sent == 2


def test_what_is_put_together_wakes_nobody_before_its_end() -> None:
    taker = Taker()
    box = Outbox(cast(IOPubThread, taker), adopt(Session(key=b"k")), "kernel")
    woken = 0

    def schedule(function: Callable[[], Any]) -> None:
        nonlocal woken
        woken += 1

    box.schedule = schedule  # type: ignore[method-assign]
    with box.together():
        box.standard("status", {"execution_state": "busy"}, {}, soon=False)
        box.standard("status", {"execution_state": "idle"}, {})
        elsewhere = threading.Thread(target=box.text, args=("stdout", {}, "a cell prints"))
        elsewhere.start()
        elsewhere.join(10)
        assert woken == 1  # the other thread's: it does not wait for this one
    assert woken == 2
    box.drain()
    assert taker.sent == 3
    taker.stop()


def test_a_cell_that_prints_costs_two_messages_and_variables_follow_together() -> None:
    taker = Taker()
    box = Outbox(cast(IOPubThread, taker), adopt(Session(key=b"k")), "kernel")
    box.schedule = lambda function: None  # type: ignore[method-assign]
    box.attached = True
    run: dict[str, Any] = {"msg_id": "run"}
    for number in range(3):
        box.gather([StatusChange(cell_id=f"c{number}", status="running", version=1)], {}, run)
        box.text("stdout", {"cell_id": f"c{number}"}, "word")
        box.gather([StatusChange(cell_id=f"c{number}", status="success", version=1)], {f"x{number}": True}, run)
    box.event("run_finished", RunFinishedContent(run_id="r", status="success", counts={}, seconds=0.0), run)
    box.drain()
    taker.stop()
    assert taker.kinds == ["cell_status", "stream"] * 3 + ["cell_status", "variables_changed", "run_finished"]
