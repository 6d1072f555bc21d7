"""A kernel at work: answers while a cell runs, interrupts, replay, both encodings, hostile frames."""

import os
import random
import time
from collections.abc import Iterator

import msgpack
import pytest

from tailrace_protocol.joined import split
from tests.kernel.kernel_client import (
    DELIMITER,
    Encoding,
    Peer,
    RunningKernel,
    cell_of,
    outputs,
    running_kernel,
    statuses,
)


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


def start(peer: Peer, cell_id: str) -> str:
    """Run a cell without waiting; returns when it has printed `go`."""
    msg_id = peer.send("execute_cells_request", {"cell_ids": [cell_id], "wait": False})
    peer.reply(msg_id)
    peer.until(lambda message: message["type"] == "stream" and cell_of(message) == cell_id, "go")
    return msg_id


BUSY = "import time\nprint('go', flush=True)\nend = time.monotonic() + 10\nwhile time.monotonic() < end:\n    n = 1"


def test_structure_is_answered_while_a_python_loop_runs(peer: Peer) -> None:
    peer.register("busy", BUSY)
    peer.register("other", "1")
    run = start(peer, "busy")
    times = []
    for number in range(10):
        began = time.monotonic()
        peer.register("other", f"value = {number}")
        assert peer.ask("graph_request")["cells"]["busy"]["status"] == "running"
        times.append((time.monotonic() - began) / 2)
    assert sorted(times)[5] < 0.5
    assert peer.ask("plan_request", {"cell_ids": ["other"]})["order"] == ["other"]
    assert peer.ask("interrupt_request")["status"] == "ok"
    peer.until_idle(run)
    assert statuses(peer.iopub, "busy")[-1] == ("busy", "interrupted")


INTERRUPTED = {
    "loop": BUSY,
    "sleep": "import time\nprint('go', flush=True)\ntime.sleep(10)",
    "await": "import asyncio\nprint('go', flush=True)\nawait asyncio.sleep(10)",
    "await in a loop": "import asyncio\nprint('go', flush=True)\nwhile True:\n    await asyncio.sleep(0)",
    "child task": (
        "import asyncio, time\nasync def spin():\n    end = time.monotonic() + 10\n"
        "    while time.monotonic() < end:\n        n = 1\n"
        "print('go', flush=True)\nawait asyncio.gather(spin())"
    ),
}


@pytest.mark.parametrize("kind", INTERRUPTED)
def test_an_interrupt_stops_the_cell_and_its_cascade(peer: Peer, kind: str) -> None:
    peer.register("a", INTERRUPTED[kind] + "\nx = 1")
    peer.register("b", "print('never', x)")
    run = start(peer, "a")
    began = time.monotonic()
    peer.ask("interrupt_request")
    peer.until_idle(run)
    assert time.monotonic() - began < 5
    (output, error) = outputs(peer.iopub, "a")[-1]
    assert (output, error["ename"]) == ("error", "KeyboardInterrupt")
    assert statuses(peer.iopub, "a")[-1] == ("a", "interrupted")
    assert [kind for kind, _ in outputs(peer.iopub, "b")] == ["error"]  # UpstreamError: it was not run
    peer.register("after", "print('alive')")
    peer.run("after")
    assert outputs(peer.last, "after") == [("stdout", "alive\n")]


def test_an_interrupt_stops_sql(peer: Peer) -> None:
    peer.register("go", "print('go', flush=True)\nn = 1")
    peer.register("long", "SELECT count(*) AS c FROM range(200000) a, range(200000) b WHERE a.range * b.range % 7 = :n",
                  cell_type="sql", result="c")  # fmt: skip
    run = start(peer, "go")
    peer.until(lambda message: ("long", "running") in statuses([message]), "the SQL cell")
    peer.ask("interrupt_request")
    peer.until_idle(run)
    assert statuses(peer.iopub, "long")[-1] == ("long", "interrupted")
    assert outputs(peer.iopub, "long")[-1][1]["ename"] == "KeyboardInterrupt"


def test_an_interrupt_of_a_run_that_has_ended_is_ignored(peer: Peer) -> None:
    peer.register("first", "1")
    ended = peer.run("first")["run_id"]
    peer.register("second", BUSY.replace("10", "0.5") + "\nprint('through')")
    run = start(peer, "second")
    assert peer.ask("interrupt_request", {"run_id": ended})["status"] == "ok"
    peer.until_idle(run)
    assert statuses(peer.iopub, "second")[-1] == ("second", "success")


def test_an_interrupt_stops_a_run_that_has_not_begun(peer: Peer) -> None:
    peer.register("stock", "pass")
    stock = peer.send("execute_request", {"code": INTERRUPTED["sleep"].replace("10", "0.5")}, "shell")
    peer.until(lambda message: message["type"] == "stream", "go")
    peer.register("a", "print('never')")
    run = peer.send("execute_cells_request", {"cell_ids": ["a"], "run_id": "waits"})
    assert peer.ask("interrupt_request", {"run_id": "waits"})["status"] == "ok"
    peer.until_idle(run)
    assert peer.reply(stock, "shell")["content"]["status"] == "ok"
    assert outputs(peer.iopub, "a") == []
    assert statuses(peer.iopub, "a")[-1][1] == "interrupted"


AT_REST = """
import os, signal, time
def is_resting():
    return getattr(signal.getsignal(signal.SIGINT), "__name__", "") == "at_rest"
def at_rest(looks):
    if looks and not is_resting():  # the request that asked for this is not over
        loop.call_later(0.001, at_rest, looks - 1)
        return
    print("resting", is_resting(), flush=True)
    end = time.monotonic() + 10
    while get_ipython().kernel.conductor._next is None and time.monotonic() < end:
        pass
    os.kill(os.getpid(), signal.SIGINT)
loop = get_ipython().kernel.io_loop.asyncio_loop
loop.call_soon(at_rest, 2000)
"""


def test_a_signal_stops_a_run_that_was_accepted_and_has_not_begun(peer: Peer) -> None:
    peer.register("a", INTERRUPTED["sleep"])
    peer.reply(peer.send("execute_request", {"code": AT_REST}, "shell"), "shell")
    peer.until(lambda message: message["type"] == "stream", "the print")
    assert peer.iopub[-1]["content"]["text"] == "resting True\n"
    run = peer.send("execute_cells_request", {"cell_ids": ["a"]})
    peer.reply(run, patience=5)
    peer.until_idle(run)
    assert statuses(peer.iopub, "a")[-1] == ("a", "interrupted")
    assert outputs([message for message in peer.iopub if cell_of(message) == "a"], "a") == []
    peer.register("a", "print('alive')")
    peer.run("a")
    assert outputs(peer.last, "a") == [("stdout", "alive\n")]


@pytest.mark.parametrize("kind", ["await", "child task"])
def test_an_interrupt_of_a_stock_request(peer: Peer, kind: str) -> None:
    msg_id = peer.send("execute_request", {"code": INTERRUPTED[kind]}, "shell")
    peer.until(lambda message: message["type"] == "stream", "go")
    peer.ask("interrupt_request")
    answer = peer.reply(msg_id, "shell")["content"]
    assert (answer["status"], answer["ename"]) == ("error", "KeyboardInterrupt")
    again = peer.reply(peer.send("execute_request", {"code": "1 + 1"}, "shell"), "shell")
    assert again["content"]["status"] == "ok"


def test_missed_messages_come_again_byte_for_byte(peer: Peer, kernel: RunningKernel) -> None:
    attached = peer.ask("attach_request", {"client": "test"})
    peer.register("a", "for n in range(5):\n    print(n, flush=True)")
    peer.run("a")
    since = attached["last_seq"]
    request = {"epoch": attached["epoch"], "since": since}
    live = [message["frames"] for message in peer.iopub if message["metadata"]["tailrace"]["seq"] > since]
    assert len(live) > 8
    answer = peer.reply(peer.send("replay_request", request))
    again = split(answer["buffers"][0])
    assert answer["content"]["complete"] is True
    assert again[: len(live)] == live
    assert answer["content"]["first_seq"] == since + 1
    page = peer.reply(peer.send("replay_request", {**request, "limit": 3}))
    assert split(page["buffers"][0]) == live[:3]
    assert page["content"]["last_seq"] == since + 3
    other = peer.ask("replay_request", {"epoch": "another", "since": since})
    assert (other["status"], other["complete"]) == ("ok", False)


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_answers_come_in_the_encoding_of_the_request(kernel: RunningKernel, peer: Peer, encoding: Encoding) -> None:
    other = Peer(kernel, encoding)
    try:
        for channel in ("control", "shell"):
            reply = other.reply(other.send("kernel_info_request", {}, channel), channel)
            assert (reply["encoding"], reply["content"]["status"]) == (encoding, "ok")
            reply = other.reply(other.send("graph_request", {}, channel), channel)
            assert (reply["encoding"], reply["content"]["status"]) == (encoding, "ok")
        other.register("wire", "print('Füße', 2**70)")
        other.run("wire")
        assert outputs(other.last, "wire") == [("stdout", f"Füße {2**70}\n")]
        assert {message["encoding"] for message in other.iopub} == {"json"}
    finally:
        other.close()


def test_a_forged_copy_does_not_block_the_real_message(peer: Peer) -> None:
    """The signature is remembered when it was verified, not before; a real copy is refused."""
    header = {"msg_id": "m1", "msg_type": "graph_request", "session": "s", "username": "u", "version": "5.4"}
    parts = [peer.pack(part) for part in (header, {}, {}, {})]
    signature = peer.sign(parts)
    peer.send_raw([DELIMITER, signature, *parts[:3], peer.pack({"forged": True})])
    peer.send_raw([DELIMITER, signature, *parts])
    assert peer.reply("m1")["content"]["status"] == "ok"
    peer.send_raw([DELIMITER, signature, *parts])
    with pytest.raises(AssertionError, match="no reply"):
        peer.reply("m1", patience=0.5)


def test_garbage_is_survived(peer: Peer, kernel: RunningKernel) -> None:
    for channel in ("control", "shell"):
        peer.send_raw([b"garbage"], channel)
        peer.send_raw([DELIMITER], channel)
        peer.send_raw([DELIMITER, b"", b"{", b"{", b"{", b"{"], channel)
        deep = b"[" * 100_000
        peer.send_raw([DELIMITER, peer.sign([deep] * 4), *[deep] * 4], channel)
        text = [msgpack.packb("text")] * 4
        peer.send_raw([DELIMITER, peer.sign(text), *text], channel)
        peer.send("graph_request", {}, channel, key="wrong")
        assert peer.ask("graph_request", {}, channel)["status"] == "ok"
    assert kernel.process.poll() is None


def test_stock_clients_never_see_our_types_before_somebody_attached(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_kernel(tmp_path_factory.mktemp("k")) as kernel:
        peer = Peer(kernel)
        try:
            peer.register("a", "print('hello')")
            peer.run("a")
            before = {message["type"] for message in peer.iopub}
            assert before <= {"iopub_welcome", "status", "stream"}
            peer.ask("attach_request", {"client": "test"})
            peer.run("a")
            assert {"cell_status", "run_started", "run_finished"} <= {message["type"] for message in peer.iopub}
            topics = {message["topic"] for message in peer.iopub if message["type"] == "cell_status"}
            assert topics == {b"tailrace.cell_status"}
        finally:
            peer.close()


def test_the_kernel_ends_itself_when_nobody_comes_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    reading, writing = os.pipe()
    directory = tmp_path_factory.mktemp("k")
    environment = {"TAILRACE_LIFELINE_FD": str(reading), "TAILRACE_GRACE_SECONDS": "0.2", "JPY_PARENT_PID": "1"}
    kernel = RunningKernel(directory, environment, pass_fds=(reading,))
    try:
        peer = Peer(kernel)
        try:
            peer.register("a", "import subprocess\nchild = subprocess.Popen(['sleep', '60'])")
            assert peer.run("a")["executed"][0]["status"] == "success"
        finally:
            peer.close()
        assert kernel.process.poll() is None
        os.close(writing)
        assert kernel.process.wait(10) == 0
    finally:
        os.close(reading)
        kernel.end()


EARLY = """
import os, signal
def early():
    get_ipython().events.unregister("pre_execute", early)
    os.kill(os.getpid(), signal.SIGINT)
get_ipython().events.register("pre_execute", early)
"""


@pytest.mark.parametrize("kind", ["loop", "await"])
def test_an_interrupt_between_the_choice_of_a_cell_and_its_first_line_stops_it(peer: Peer, kind: str) -> None:
    peer.register("hook", EARLY)
    peer.register("a", INTERRUPTED[kind])
    peer.run("hook")
    answer = peer.run("a")
    assert [(cell["cell_id"], cell["status"]) for cell in answer["executed"]] == [("a", "interrupted")]
    assert [output for output, _ in outputs(peer.last, "a")] == ["error"]
    peer.ask("remove_cell_request", {"cell_id": "hook"})


AT_RANDOM = {
    **INTERRUPTED,
    "prints": "for n in range(10**7):\n    print(n)",
    "exceptions": "while True:\n    try:\n        raise ValueError\n    except ValueError:\n        pass",
    "quick": "pass",
}


def test_interrupts_at_random_moments_leave_a_kernel_that_works(peer: Peer) -> None:
    """Stopped or run through, always answered, and every frame on the wire whole (the peer checks signatures)."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for number in range(40):
        peer.register(f"r{number}", f"v{number} = " + (f"v{number - 1} + 1" if number else "start"))
    stopped = 0
    for number in range(40):
        kind = chance.choice(list(AT_RANDOM))
        peer.register("a", f"{AT_RANDOM[kind]}\nstart = {number}")
        run = peer.send("execute_cells_request", {"cell_ids": ["a"]})
        delay = time.monotonic() + chance.random() * 0.03
        while time.monotonic() < delay:
            peer.ask("graph_request")
        peer.send("interrupt_request")
        answer = peer.reply(run, patience=9)["content"]
        peer.until_idle(run)
        stopped += any(cell["status"] == "interrupted" for cell in answer["executed"])
        peer.iopub.clear()
    assert stopped >= 20
    peer.register("a", "start = 1\nprint('alive')")
    peer.run("a")
    assert outputs(peer.last, "a") == [("stdout", "alive\n")]
