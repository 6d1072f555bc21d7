"""The last messages the kernel published, numbered and bounded, for clients that were away.

Knows byte frames and sequence numbers; must not know sockets, sessions or what a message says.
"""

from collections import deque
from dataclasses import dataclass

from tailrace_protocol.limits import RING_BYTES, RING_EVENTS

MAX_PAGE = 2**20  # bytes of one page; a single larger message still goes out whole
Frames = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Missed:
    """Messages `first_seq … last_seq`; an empty page has `last_seq == first_seq - 1`."""

    first_seq: int
    last_seq: int
    complete: bool
    messages: tuple[Frames, ...]


class EventRing:
    """One writer (the IOPub thread), any reader: appends and copies of a deque are atomic, so there is no lock."""

    def __init__(self, epoch: str, max_events: int = RING_EVENTS, max_bytes: int = RING_BYTES) -> None:
        self.epoch = epoch
        self.last_seq = 0
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._messages: deque[tuple[int, int, Frames]] = deque()

    def add(self, frames: Frames) -> None:
        """Keep the message that `last_seq + 1` was given to; the oldest ones go when a bound is passed."""
        self.last_seq += 1
        size = sum(map(len, frames))
        self._messages.append((self.last_seq, size, frames))
        self._bytes += size
        while len(self._messages) > self._max_events or (self._bytes > self._max_bytes and len(self._messages) > 1):
            self._bytes -= self._messages.popleft()[1]

    def since(self, epoch: str, since: int, limit: int) -> Missed:
        """One page of what came after `since`; `complete` is false when any of it is gone or the epoch is another."""
        held = self._messages.copy()
        first_held = held[0][0] if held else self.last_seq + 1
        last_held = held[-1][0] if held else first_held - 1
        known = epoch == self.epoch and since <= last_held
        start = max(since + 1, first_held) if known else first_held
        page: list[Frames] = []
        room = MAX_PAGE
        for index in range(start - first_held, min(len(held), start - first_held + limit)):
            _, size, frames = held[index]
            if page and size > room:
                break
            page.append(frames)
            room -= size
        complete = known and since + 1 >= first_held
        return Missed(start, start + len(page) - 1, complete, tuple(page))
