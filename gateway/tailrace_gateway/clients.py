"""One attached client: a byte-bounded queue and the one task that writes to its socket. Knows no documents.

The pump and the notebook never wait for a socket: they `offer` and go on. A client that does not keep up loses its
queue, is told `resync` and gets a snapshot once it reads again; one that takes nothing for STALL seconds is cut.
"""

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tailrace_gateway.stream import Numbered
from tailrace_protocol.codec import ENCODERS, Encoding
from tailrace_protocol.events import Control, Position, Resync

log = logging.getLogger(__name__)

QUEUE_BYTES = 8 * 2**20  # waiting for one client
STALL = 10.0  # seconds in which a client takes nothing
POSITION = 1.0  # seconds between two `position` frames
BATCH_BYTES = 256 * 2**10  # joined into one frame for a client that takes arrays
BATCH_FRAMES = 1_000
TOO_SLOW = 1013  # close code


class Transport(Protocol):
    """The socket of one client."""

    async def send(self, frame: bytes) -> None:
        """Returns when the socket took the frame; waits while it is full. Raises ConnectionError when it is gone."""
        ...

    async def close(self, code: int, reason: str) -> None: ...


Current = Callable[[Encoding], tuple[int, bytes]]
"""Seq and encoded snapshot of this moment."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One frame of the queue. `seq` 0: a reply or control frame, which a resync does not drop."""

    seq: int
    frame: bytes


class Client:
    """`offer` and `tell` are called by the notebook only; `write` is the body of the writer task."""

    def __init__(
        self,
        client_id: str,
        transport: Transport,
        encoding: Encoding,
        snapshot: Current,
        *,
        name: str,
        role: str,
        stall: float = STALL,
    ):
        self.id = client_id
        self.name = name
        self.role = role
        self.cell_id: str | None = None  # the cell its person is on
        self.batch = False
        self.topics: frozenset[str] | None = None
        self.unacked = 0
        self._transport = transport
        self._encoding: Encoding = encoding
        self._snapshot = snapshot
        self._stall = stall
        self._queue: deque[Waiting] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._lagging = False  # events are dropped until the snapshot
        self._seen = 0  # seq the stream has reached for this client
        self._told = 0  # seq this client knows it has
        self._closing: tuple[int, str] | None = None
        self._sending = 0.0  # since when the socket has not taken a frame, on the loop's clock; 0: it has taken all
        self._stalled = False
        self._timer: asyncio.TimerHandle

    @property
    def is_closed(self) -> bool:
        return self._closing is not None

    @property
    def waiting_bytes(self) -> int:
        """What waits for this client."""
        return self._bytes

    def tell(self, frame: Control) -> None:
        """A frame for this client alone: reply, error, pong."""
        self._put(Waiting(0, ENCODERS[self._encoding](frame)))

    def begin(self, replay: Sequence[Numbered] | None, seq: int) -> None:
        """Bring the client to `seq`: by these events, or by a snapshot. Live events follow."""
        self._told = seq
        if replay is None:
            self._seen, frame = self._snapshot(self._encoding)
            self._put(Waiting(0, frame))
            return
        self._told = seq - len(replay)
        for event in replay:
            self.offer(event)
        self._seen = seq

    def offer(self, event: Numbered) -> None:
        """Queue one event, if this client wants it and keeps up."""
        self._seen = event.seq
        if self._lagging or self.is_closed:
            return
        if self.topics is not None and event.topic not in self.topics:
            self._wake.set()
            return
        frame = event.wire(self._encoding)
        if self._bytes + len(frame) > QUEUE_BYTES:
            self._lag()
        else:
            self._put(Waiting(event.seq, frame))

    def resync(self) -> None:
        """Drop what waits and send a snapshot."""
        self._lag()

    def _lag(self) -> None:
        self._lagging = True
        self._queue = deque(waiting for waiting in self._queue if waiting.seq == 0)
        self._bytes = sum(len(waiting.frame) for waiting in self._queue)
        self._wake.set()

    def _put(self, waiting: Waiting) -> None:
        self._queue.append(waiting)
        self._bytes += len(waiting.frame)
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Send what waits, then close the socket."""
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()

    async def write(self) -> None:
        """Write until the socket is gone or `close` was called."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._timer = loop.call_later(self._stall, self._watch, loop, task)
        try:
            await self._write()
            code, reason = self._closing or (1000, "")
        except asyncio.CancelledError:
            if not self._stalled:
                raise
            task.uncancel()
            code, reason = TOO_SLOW, "too slow: reconnect"
            log.info("client %s took nothing for %s s and is cut", self.id, self._stall)
        except ConnectionError:
            code, reason = 1000, ""
        finally:
            self._timer.cancel()
        self._closing = (code, reason)
        self._queue.clear()
        self._bytes = 0
        await self._transport.close(code, reason)

    def _watch(self, loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
        """One timer for each client, not for each frame: that would take longer than sending it."""
        now = loop.time()
        since = self._sending or now
        if now - since < self._stall:
            self._timer = loop.call_at(since + self._stall, self._watch, loop, task)
        else:
            self._stalled = True
            task.cancel()

    async def _write(self) -> None:
        while True:
            while self._queue:
                await self._send(self._take())
            if self._lagging:
                await self._send_snapshot()
            elif self._closing is not None:
                return
            elif self._told < self._seen:
                await self._send_position()
            else:
                self._wake.clear()
                await self._wake.wait()

    def _take(self) -> bytes:
        """The next frame; for a client that takes arrays, what waits up to BATCH_BYTES."""
        first = self._queue.popleft()
        self._bytes -= len(first.frame)
        self._told = max(self._told, first.seq)
        if not self.batch or not first.seq or not self._queue or not self._queue[0].seq:
            return first.frame
        frames, size = [first.frame], len(first.frame)
        while self._queue and self._queue[0].seq and size < BATCH_BYTES and len(frames) < BATCH_FRAMES:
            waiting = self._queue.popleft()
            self._bytes -= len(waiting.frame)
            self._told = max(self._told, waiting.seq)
            frames.append(waiting.frame)
            size += len(waiting.frame)
        return join(frames, self._encoding)

    async def _send_snapshot(self) -> None:
        self._seen, frame = self._snapshot(self._encoding)
        self._told = self._seen
        self._lagging = False
        await self._send(ENCODERS[self._encoding](Resync(reason="slow")))
        await self._send(frame)

    async def _send_position(self) -> None:
        """Only filtered events are ahead: wait a moment for more, then say how far the stream is."""
        self._wake.clear()
        try:
            async with asyncio.timeout(POSITION):
                while not self._queue and self._closing is None and not self._lagging:
                    await self._wake.wait()
                    self._wake.clear()
        except TimeoutError:
            self._told = self._seen
            await self._send(ENCODERS[self._encoding](Position(seq=self._seen)))

    async def _send(self, frame: bytes) -> None:
        self._sending = asyncio.get_running_loop().time()
        await self._transport.send(frame)
        self._sending = 0.0


def join(frames: Sequence[bytes], encoding: Encoding) -> bytes:
    """Encoded frames → one encoded array of them, without decoding any."""
    if encoding == "json":
        return b"[" + b",".join(frames) + b"]"
    return struct.pack(">BI", 0xDD, len(frames)) + b"".join(frames)
