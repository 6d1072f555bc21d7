"""Peers that break the wire, with and without the key: the kernel lives, does not grow, and serves the right peer."""

import contextlib
import random
import socket
from collections.abc import Iterator
from itertools import product
from typing import Any

import msgpack
import psutil
import pytest

from tests.kernel.kernel_client import DELIMITER, Peer, RunningKernel, outputs, running_kernel

MIB = 2**20
HUGE = 400 * MIB
MOST_GROWTH = 32 * MIB
CHANNELS = ("shell", "control", "stdin", "hb", "iopub")


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKernel]:
    with running_kernel(tmp_path_factory.mktemp("k")) as kernel:
        yield kernel


@pytest.fixture
def peer(kernel: RunningKernel) -> Iterator[Peer]:
    """The right peer; after each test it is served as before."""
    peer = Peer(kernel)
    try:
        assert peer.ask("attach_request", {"client": "right"})["status"] == "ok"
        yield peer
        peer.register("works", "print('served')")
        peer.run("works")
        assert outputs(peer.last, "works") == [("stdout", "served\n")]
        assert peer.ask("kernel_info_request", {}, "shell")["status"] == "ok"
    finally:
        peer.close()


def memory(kernel: RunningKernel) -> int:
    """Bytes of the process that are in memory."""
    return int(psutil.Process(kernel.process.pid).memory_info().rss)


def header(kind: Any = "graph_request", **more: Any) -> dict[str, Any]:
    return {"msg_id": "m", "msg_type": kind, "session": "s", "username": "u", "version": "5.4", **more}


def signed(peer: Peer, *parts: bytes) -> list[bytes]:
    return [DELIMITER, peer.sign(list(parts)), *parts]


def test_messages_cut_short_at_every_part(peer: Peer) -> None:
    whole = signed(peer, *map(peer.pack, (header(), {}, {}, {})))
    for channel, length in product(("control", "shell"), range(len(whole))):
        peer.send_raw(whole[:length] or [b""], channel)
        peer.send_raw([b"", *whole[1 : length + 1]], channel)
        for part in range(2, len(whole)):
            peer.send_raw([*whole[:part], whole[part][:length], *whole[part + 1 :]], channel)


ODD: list[Any] = [None, 5, "", "x" * 70_000, [], {}, True, -1.5, {"a": None}, [[]]]


def test_signed_messages_with_odd_values_anywhere(peer: Peer) -> None:
    """What the key's owner gets wrong is answered or dropped, and stops nothing."""
    for channel in ("control", "shell"):
        for name, value in product(("msg_id", "msg_type", "session", "username", "version", "date"), ODD):
            peer.send_raw(signed(peer, *map(peer.pack, ({**header(), name: value}, {}, {}, {}))), channel)
        for place, value in product(range(4), ODD):
            parts: list[Any] = [header(), {}, {}, {}]
            parts[place] = value
            peer.send_raw(signed(peer, *map(peer.pack, parts)), channel)
        assert peer.ask("graph_request", {}, channel)["status"] == "ok"


STOCK = ("execute_request", "complete_request", "inspect_request", "history_request", "is_complete_request",
         "comm_info_request", "comm_open", "comm_msg", "comm_close", "debug_request", "create_subshell_request",
         "delete_subshell_request", "list_subshell_request", "usage_request")  # fmt: skip
OURS = ("attach_request", "register_cell_request", "register_cells_request", "remove_cell_request",
        "reorder_cells_request", "execute_cells_request", "plan_request", "configure_db_request", "replay_request",
        "variables_request", "schema_request", "table_page_request", "interrupt_request")  # fmt: skip
FIELDS = ("code", "cell_id", "cell_ids", "cells", "cursor_pos", "comm_id", "target_name", "data", "mode", "name", "url",
          "index", "epoch", "since", "limit", "hist_access_type", "n", "subshell_id", "names", "sort", "path", "run_id",
          "user_expressions", "allow_stdin", "store_history", "silent", "command", "arguments", "type",
          "seq")  # fmt: skip


def test_every_request_with_odd_fields_is_answered(peer: Peer) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for kind in (*STOCK, *OURS):
        channel = "control" if kind in OURS or "subshell" in kind or "debug" in kind or "usage" in kind else "shell"
        for _ in range(6):
            content = {name: chance.choice(ODD) for name in chance.sample(FIELDS, 12)}
            content.update(user_expressions={}, silent=True) if kind == "execute_request" else None
            msg_id = peer.send(kind, content, channel)
            if kind.endswith("_request"):
                print(kind, {name: str(value)[:20] for name, value in content.items()})
                answer = peer.reply(msg_id, channel)["content"]
                assert "status" in answer or kind in ("debug_request", "usage_request")  # their replies have none


def test_deep_nesting_in_every_part_and_encoding(peer: Peer) -> None:
    depth = 200_000
    deep = {"json": b'{"a":' * depth + b"1" + b"}" * depth, "msgpack": b"\x81\xa1a" * depth + b"\x01"}
    for channel, (encoding, bomb) in product(("control", "shell"), deep.items()):
        pack = peer.pack if encoding == "json" else msgpack.packb
        for place, kind in product(range(4), ("graph_request", "execute_request", "interrupt_request", "comm_msg")):
            parts = [pack(part) for part in (header(kind, msg_id=f"{encoding}{place}"), {}, {}, {})]
            parts[place] = bomb
            peer.send_raw(signed(peer, *parts), channel)
        assert peer.ask("graph_request", {}, channel)["status"] == "ok"


def test_thousands_of_bad_messages_leave_no_growth(peer: Peer, kernel: RunningKernel) -> None:
    def flood(count: int) -> None:
        for number in range(count):
            channel = ("control", "shell")[number % 2]
            peer.send("graph_request", {"n": number, "text": "x" * 2000}, channel, key="wrong")
            peer.send_raw([b"%d" % number, b"y" * 2000], channel)
            peer.send_raw(whole, channel)  # the same one again and again
            if number % 200 == 0:
                peer.ask("graph_request", {}, channel)
        for channel in ("control", "shell"):
            assert peer.ask("graph_request", {}, channel)["status"] == "ok"

    whole = signed(peer, *map(peer.pack, (header(msg_id="again"), {}, {}, {})))
    flood(400)
    before = memory(kernel)
    flood(3000)
    assert memory(kernel) - before < MOST_GROWTH


@pytest.mark.parametrize("channel", ["control", "shell"])
def test_a_replayed_message_is_dealt_with_once(peer: Peer, channel: str) -> None:
    """Whoever records a run on its way must not be able to run it again."""
    peer.register("once", "import sys\nsys.runs = runs = getattr(sys, 'runs', 0) + 1")
    cells = {"cell_ids": ["once"], "mode": "single", "run_id": f"replayed-{channel}"}
    plain = {"code": "plain_runs = globals().get('plain_runs', 0) + 1", "store_history": False}
    kind, content = ("execute_cells_request", cells) if channel == "control" else ("execute_request", plain)
    recorded = signed(peer, *map(peer.pack, (header(kind, msg_id=f"recorded-{channel}"), {}, {}, content)))
    peer.send_raw(recorded, channel)
    peer.reply(f"recorded-{channel}", channel)
    peer.send_raw(recorded, channel)
    peer.send_raw(recorded, channel)
    peer.register("after", "pass")
    peer.run("after", channel=channel)  # whatever came before is over
    name = "runs" if channel == "control" else "plain_runs"
    (found,) = peer.ask("variables_request", {"names": [name]})["variables"]
    assert found["preview"] == "1"


def zmtp(kernel: RunningKernel, channel: str) -> socket.socket:
    """A connection past ZeroMQ's greeting (ZMTP 3.0, NULL), where any frame can be written by hand."""
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(20)
    line.connect(kernel.address(channel).removeprefix("ipc://"))
    line.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    received = b""
    while len(received) < 64:
        received += line.recv(64 - len(received))
    kind = b"SUB" if channel == "iopub" else b"DEALER"
    ready = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind
    line.sendall(bytes((4, len(ready))) + ready)
    return line


def written(line: socket.socket, size: int) -> int:
    """Bytes of one frame of `size` that the other side has taken before it closed the connection."""
    taken, chunk = 0, bytes(MIB)
    with contextlib.suppress(ConnectionError):
        line.sendall(b"\x02" + size.to_bytes(8, "big"))
        while taken < size:
            line.sendall(chunk)
            taken += len(chunk)
    return taken


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_huge_frame_ends_its_own_connection_only(peer: Peer, kernel: RunningKernel, channel: str) -> None:
    before = memory(kernel)
    with zmtp(kernel, channel) as line:
        assert written(line, 2 * MIB) == 2 * MIB  # the control: what is large but allowed is taken
    with zmtp(kernel, channel) as line:
        assert written(line, HUGE) < HUGE / 8
    assert memory(kernel) - before < MOST_GROWTH


def test_endless_identities_and_parts(peer: Peer, kernel: RunningKernel) -> None:
    before = memory(kernel)
    for channel in ("control", "shell"):
        peer.send_raw([b"identity"] * 5000 + [DELIMITER], channel)
        peer.send_raw([DELIMITER, peer.sign([b"{}"] * 4), *[b"{}"] * 4, *[b"buffer"] * 5000], channel)
        assert peer.ask("graph_request", {}, channel)["status"] == "ok"
    assert memory(kernel) - before < MOST_GROWTH


def test_garbage_on_stdin_is_no_answer(peer: Peer, kernel: RunningKernel) -> None:
    with zmtp(kernel, "stdin") as line:
        line.sendall(b"\x00\x07garbage")
        msg_id = peer.send("execute_request", {"code": "1 + 1", "allow_stdin": True}, "shell")
        assert peer.reply(msg_id, "shell")["content"]["status"] == "ok"


def test_clients_that_come_and_go_while_a_cell_prints(peer: Peer, kernel: RunningKernel) -> None:
    peer.register("talk", "while True: print('word', flush=True)")
    run = peer.send("execute_cells_request", {"cell_ids": ["talk"]})
    peer.until(lambda message: message["type"] == "stream", "the first word")
    for _ in range(60):
        Peer(kernel).close()
    peer.ask("interrupt_request")
    assert peer.reply(run)["content"]["executed"][0]["status"] == "interrupted"
    assert kernel.process.poll() is None
