"""One client's queue: order, bounds, resync, position, and what happens to one that does not read."""

import asyncio
import json
from typing import Any

import msgspec

from tailrace_gateway.clients import QUEUE_BYTES, TOO_SLOW, Client, join
from tailrace_gateway.stream import Numbered, Stream
from tailrace_protocol.codec import Encoding
from tailrace_protocol.events import Ack, CellStdout, Pong, RunProgress
from tests.gateway.rim import story


class Pipe:
    """A transport that takes frames while `open_` is set, and keeps them."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.open_ = asyncio.Event()
        self.open_.set()
        self.waiting = asyncio.Event()
        self.gone = False
        self._arrived = asyncio.Condition()

    async def send(self, frame: bytes) -> None:
        if self.gone:
            raise ConnectionResetError("gone")
        self.waiting.set()
        await self.open_.wait()
        async with self._arrived:
            self.frames.append(frame)
            self._arrived.notify_all()

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    async def until(self, count: int) -> list[dict[str, Any]]:
        """Decoded frames, as soon as there are `count`."""
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: len(self.frames) >= count)
        return [json.loads(frame) for frame in self.frames]


class Room:
    """A stream with clients, as the notebook runs them."""

    def __init__(self) -> None:
        self.stream = Stream("n", lambda: "h")
        self.clients: list[Client] = []
        self.writers: list[asyncio.Task[None]] = []

    def snapshot(self, encoding: Encoding) -> tuple[int, bytes]:
        return self.stream.seq, json.dumps({"type": "snapshot", "seq": self.stream.seq}).encode()

    def join(self, pipe: Pipe, **options: Any) -> Client:
        client = Client("c", pipe, "json", self.snapshot, name="", role="editor", stall=options.get("stall", 10.0))
        client.batch = options.get("batch", False)
        topics = options.get("topics")
        client.topics = frozenset(topics) if topics is not None else None
        client.begin([], self.stream.seq)
        self.clients.append(client)
        self.writers.append(asyncio.create_task(client.write()))
        return client

    def say(self, data: str) -> Numbered:
        return self._offer(CellStdout(cell_id="a", data=data, stream="stdout"))

    def progress(self) -> Numbered:
        return self._offer(RunProgress(run_id="r", done=1, total=2, cell_id="a"))

    def _offer(self, event: CellStdout | RunProgress) -> Numbered:
        numbered = self.stream.publish(event)
        for client in self.clients:
            client.offer(numbered)
        return numbered

    async def close(self) -> None:
        for client in self.clients:
            client.close(1000, "")
        await asyncio.gather(*self.writers)


@story
async def test_frames_arrive_in_order_and_replies_keep_their_place() -> None:
    room, pipe = Room(), Pipe()
    client = room.join(pipe)
    room.say("one")
    client.tell(Ack(id="q", revision=1, seq=1))
    room.say("two")
    frames = await pipe.until(3)
    assert [(frame["type"], frame.get("seq")) for frame in frames] == [
        ("cell_stdout", 1),
        ("ack", 1),
        ("cell_stdout", 2),
    ]
    await room.close()
    assert pipe.closed == (1000, "")


@story
async def test_a_stalled_client_gets_a_snapshot_instead_of_a_backlog() -> None:
    room, slow, quick = Room(), Pipe(), Pipe()
    client = room.join(slow)
    room.join(quick)
    slow.open_.clear()
    room.say("first")
    await slow.waiting.wait()
    chunk = "x" * 2**20
    for _ in range(2 * QUEUE_BYTES // len(chunk)):
        last = room.say(chunk)
        await quick.until(last.seq)
    client.tell(Pong(id="p", server_time=0.0))
    slow.open_.set()
    frames = await slow.until(4)
    assert [frame["type"] for frame in frames] == ["cell_stdout", "pong", "resync", "snapshot"]
    assert frames[-1]["seq"] == room.stream.seq
    room.say("after")
    assert (await slow.until(5))[-1]["seq"] == room.stream.seq
    assert [json.loads(frame)["seq"] for frame in quick.frames] == list(range(1, last.seq + 2))
    await room.close()


@story
async def test_the_queue_of_a_client_never_exceeds_its_bytes() -> None:
    room, pipe = Room(), Pipe()
    client = room.join(pipe)
    pipe.open_.clear()
    room.say("first")
    await pipe.waiting.wait()
    highest = 0
    for _ in range(50):
        room.say("x" * 2**19)
        highest = max(highest, client.waiting_bytes)
    assert 2**20 < highest <= QUEUE_BYTES
    pipe.open_.set()
    await room.close()


@story
async def test_a_client_that_takes_nothing_is_cut() -> None:
    room, pipe = Room(), Pipe()
    room.join(pipe, stall=0.05)
    pipe.open_.clear()
    room.say("never taken")
    await asyncio.wait_for(room.writers[0], 5)
    assert pipe.closed is not None
    assert pipe.closed[0] == TOO_SLOW


@story
async def test_a_socket_that_is_gone_ends_its_writer_only() -> None:
    room, gone, alive = Room(), Pipe(), Pipe()
    room.join(gone)
    room.join(alive)
    gone.gone = True
    room.say("one")
    await asyncio.wait_for(room.writers[0], 5)
    room.say("two")
    assert [frame["seq"] for frame in await alive.until(2)] == [1, 2]
    await room.close()


@story
async def test_filtered_topics_are_left_out_and_the_position_is_told() -> None:
    room, pipe = Room(), Pipe()
    room.join(pipe, topics=["run"])
    room.progress()
    for _ in range(5):
        room.say("not wanted")
    frames = await pipe.until(2)
    assert [(frame["type"], frame["seq"]) for frame in frames] == [("run_progress", 1), ("position", 6)]
    room.progress()
    assert [(frame["type"], frame["seq"]) for frame in (await pipe.until(3))[2:]] == [("run_progress", 7)]
    await room.close()


@story
async def test_a_client_that_takes_arrays_gets_what_waits_in_one_frame() -> None:
    room, pipe = Room(), Pipe()
    client = room.join(pipe, batch=True)
    pipe.open_.clear()
    room.say("0")
    await pipe.waiting.wait()
    for number in range(1, 6):
        room.say(str(number))
    client.tell(Ack(id="q", revision=1, seq=1))
    room.say("6")
    pipe.open_.set()
    frames = await pipe.until(4)
    assert [[event["data"] for event in frame] if isinstance(frame, list) else frame["type"] for frame in frames] == [
        "cell_stdout",
        ["1", "2", "3", "4", "5"],
        "ack",
        "cell_stdout",
    ]
    await room.close()


def test_joined_frames_are_an_array_in_both_encodings() -> None:
    values = [{"a": 1}, {"b": [2]}]
    assert json.loads(join([json.dumps(value).encode() for value in values], "json")) == values
    assert msgspec.msgpack.decode(join([msgspec.msgpack.encode(value) for value in values], "msgpack")) == values
