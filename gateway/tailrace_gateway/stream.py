"""The numbered events of one notebook: epoch, gapless sequence, a bounded ring to replay from. Knows no clients.

Each event is encoded once, as JSON, and once more as msgpack if somebody asks for it.
"""

import secrets
import time
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from tailrace_protocol.codec import Encoding, encode_json, encode_msgpack
from tailrace_protocol.commands import Since
from tailrace_protocol.events import Event, topic_of
from tailrace_protocol.limits import RING_BYTES, RING_EVENTS

HASH_EVERY = 64  # events


class Numbered:
    """One published event. `wire` is shared by all clients of an encoding."""

    __slots__ = ("_json", "_msgpack", "seq", "topic")

    def __init__(self, seq: int, topic: str, json: bytes):
        self.seq = seq
        self.topic = topic
        self._json = json
        self._msgpack: bytes | None = None

    @property
    def size(self) -> int:
        return len(self._json)

    def wire(self, encoding: Encoding) -> bytes:
        if encoding == "json":
            return self._json
        if self._msgpack is None:
            event = msgspec.json.decode(self._json)
            if self.topic == "comm" and "buffers" in event:
                event["buffers"] = [b64decode(buffer) for buffer in event["buffers"]]
            self._msgpack = encode_msgpack(event)
        return self._msgpack


class Stream:
    """Numbers events in the order of `publish`. `document_hash` is asked once per 64 events, and when told so."""

    def __init__(
        self,
        notebook_id: str,
        document_hash: Callable[[], str],
        *,
        clock: Callable[[], float] = time.time,
        max_events: int = RING_EVENTS,
        max_bytes: int = RING_BYTES,
    ):
        self.epoch = secrets.token_hex(16)
        self.seq = 0
        self._notebook_id = notebook_id
        self._hash = document_hash
        self._hash_due = False
        self._clock = clock
        self._ring: deque[Numbered] = deque()
        self._bytes = 0
        self._max_events = max_events
        self._max_bytes = max_bytes

    def publish(self, event: Event, *, with_hash: bool = False, behind: bool = False) -> Numbered:
        """Give the event its number. Fold it into the state first: the hash is that of the state after it.

        `behind`: the state holds changes already that later events will tell; a hash that is due waits for the last.
        """
        self.seq += 1
        self._hash_due |= with_hash or self.seq % HASH_EVERY == 0
        hashed = self._hash_due and not behind
        self._hash_due &= behind
        numbered = msgspec.structs.replace(
            event,
            seq=self.seq,
            ts=self._clock(),
            notebook_id=self._notebook_id,
            hash=self._hash() if hashed else None,
        )
        entry = Numbered(self.seq, topic_of(event), encode_json(numbered))
        self._ring.append(entry)
        self._bytes += entry.size
        while len(self._ring) > self._max_events or (self._bytes > self._max_bytes and self._ring):
            self._bytes -= self._ring.popleft().size
        return entry

    def since(self, position: Since | None) -> Sequence[Numbered] | None:
        """The events after `position`, or None when only a snapshot can help."""
        if position is None or position.epoch != self.epoch or position.seq > self.seq:
            return None
        missed = self.seq - position.seq
        if missed > len(self._ring):
            return None
        return [self._ring[index] for index in range(len(self._ring) - missed, len(self._ring))]
