"""Numbers, ring, replay and hash of the event stream."""

import json
from typing import Any

import msgspec
import pytest

from tailrace_gateway.stream import HASH_EVERY, Stream
from tailrace_protocol.commands import Since
from tailrace_protocol.events import CellDeleted, CellStdout


def new_stream(**options: Any) -> Stream:
    return Stream("n1", lambda: "h" * 16, clock=lambda: 12.5, **options)


def text(data: str) -> CellStdout:
    return CellStdout(cell_id="a", data=data, stream="stdout")


def test_events_are_numbered_from_one_without_gaps() -> None:
    stream = new_stream()
    entries = [stream.publish(text(str(number))) for number in range(5)]
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    frame = json.loads(entries[0].wire("json"))
    expected = {"type": "cell_stdout", "seq": 1, "ts": 12.5, "notebookId": "n1"}
    assert frame == expected | {"cellId": "a", "data": "0", "stream": "stdout"}


def test_both_encodings_say_the_same_and_each_is_made_once() -> None:
    entry = new_stream().publish(text("é"))
    assert msgspec.msgpack.decode(entry.wire("msgpack")) == json.loads(entry.wire("json"))
    assert entry.wire("json") is entry.wire("json")
    assert entry.wire("msgpack") is entry.wire("msgpack")


def test_replay_gives_exactly_what_was_missed() -> None:
    stream = new_stream()
    for number in range(10):
        stream.publish(text(str(number)))
    missed = stream.since(Since(epoch=stream.epoch, seq=7))
    assert missed is not None
    assert [entry.seq for entry in missed] == [8, 9, 10]
    assert stream.since(Since(epoch=stream.epoch, seq=10)) == []


@pytest.mark.parametrize("seq", [11, 10**9])
def test_a_position_from_the_future_needs_a_snapshot(seq: int) -> None:
    stream = new_stream()
    for number in range(10):
        stream.publish(text(str(number)))
    assert stream.since(Since(epoch=stream.epoch, seq=seq)) is None
    assert stream.since(Since(epoch=stream.epoch, seq=10)) is not None


def test_another_epoch_or_no_position_needs_a_snapshot() -> None:
    stream = new_stream()
    stream.publish(text("x"))
    assert stream.since(Since(epoch="another", seq=0)) is None
    assert stream.since(None) is None
    assert stream.epoch != new_stream().epoch


def test_the_ring_is_bounded_by_events() -> None:
    stream = new_stream(max_events=4)
    for number in range(10):
        stream.publish(text(str(number)))
    kept = stream.since(Since(epoch=stream.epoch, seq=6))
    assert kept is not None
    assert [entry.seq for entry in kept] == [7, 8, 9, 10]
    assert stream.since(Since(epoch=stream.epoch, seq=5)) is None


def test_the_ring_is_bounded_by_bytes() -> None:
    stream = new_stream(max_bytes=10_000)
    for _ in range(20):
        stream.publish(text("x" * 3_000))
    assert stream.since(Since(epoch=stream.epoch, seq=16)) is None
    kept = stream.since(Since(epoch=stream.epoch, seq=17))
    assert kept is not None
    assert sum(entry.size for entry in kept) <= 10_000
    stream.publish(text("x" * 20_000))
    assert stream.since(Since(epoch=stream.epoch, seq=stream.seq - 1)) is None


def test_every_64th_event_carries_the_document_hash() -> None:
    stream = new_stream()
    with_hash = [
        entry.seq
        for entry in [stream.publish(CellDeleted(cell_id="a")) for _ in range(3 * HASH_EVERY)]
        if "hash" in json.loads(entry.wire("json"))
    ]
    assert with_hash == [64, 128, 192]
    asked = stream.publish(CellDeleted(cell_id="a"), with_hash=True)
    assert json.loads(asked.wire("json"))["hash"] == "h" * 16


def test_a_hash_that_is_due_waits_until_every_change_in_the_state_is_told() -> None:
    stream = new_stream()
    for _ in range(HASH_EVERY - 1):
        stream.publish(text("x"))
    entries = [stream.publish(text("x"), behind=behind) for behind in (True, True, False, False)]
    assert [entry.seq for entry in entries if "hash" in json.loads(entry.wire("json"))] == [66]
