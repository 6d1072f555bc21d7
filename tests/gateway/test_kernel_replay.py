"""What was missed and what comes now, joined: each message once, in order, wherever the two overlap."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace_gateway.jupyter_wire import Message, Session
from tailrace_gateway.kernel_link import KernelLink
from tailrace_gateway.kernel_port import Asked, Heard, Missed, Published
from tailrace_gateway.kernel_replay import Replay, seq_of
from tailrace_protocol.joined import join

Frames = list[bytes]


class Publisher:
    """A kernel's ring, and a subscriber that hears from `heard_from` on what is published between two pages."""

    def __init__(self, gone: int, before: int, between: list[int], page: int, heard_from: int):
        self.wire = Session(b"key")
        self.last, self.gone, self.page = before, gone, page
        self.between = between
        self.heard_from = heard_from
        self.replay = Replay(self.hear)
        self.heard: list[Heard] = []

    def hear(self, heard: Heard) -> None:
        self.heard.append(heard)

    def unpack(self, frames: Frames) -> Message:
        return self.wire.unpack(frames)

    def frames(self, seq: int) -> Frames:
        _, frames = self.wire.pack("stream", {"text": str(seq)}, {"tailrace": {"seq": seq}})
        return [b"topic", *frames]

    def publish(self, count: int) -> None:
        for _ in range(count):
            self.last += 1
            if self.last >= self.heard_from:
                self.replay.deliver(Published((self.unpack(self.frames(self.last)),)))

    def ask(self, kind: str, content: Mapping[str, Any], channel: str, timeout: float) -> Asked:
        async def reply() -> Mapping[str, Any]:
            first = max(content["since"], self.gone) + 1
            last = min(first + self.page - 1, self.last)
            answer = {"first_seq": first, "last_seq": last, "complete": content["since"] >= self.gone}
            buffer = join(self.frames(seq) for seq in range(first, last + 1))
            self.publish(self.between.pop() if self.between else 0)
            return {**answer, "buffers": (buffer,)}

        return Asked("m", reply())

    def seqs(self) -> list[int]:
        return [seq_of(message) for heard in self.heard if isinstance(heard, Published) for message in heard.messages]


@given(
    before=st.integers(0, 12),
    since=st.integers(0, 12),
    gone=st.integers(0, 12),
    page=st.integers(1, 5),
    between=st.lists(st.integers(0, 4), max_size=6),
    early=st.integers(0, 6),
)
@settings(deadline=None)
def test_every_message_comes_once_and_in_order(
    before: int, since: int, gone: int, page: int, between: list[int], early: int
) -> None:
    """The subscription is in force before the first page is asked for, and may have heard what the pages have too."""
    since, gone = min(since, before), min(gone, before)
    publisher = Publisher(gone, before - min(early, before), between, page, before - min(early, before) + 1)
    publisher.replay.hold()
    publisher.publish(min(early, before))
    asyncio.run(publisher.replay.run(cast(KernelLink, publisher), "epoch", since))
    publisher.publish(3)
    assert publisher.seqs() == list(range(max(since, gone) + 1, publisher.last + 1))
    assert (Missed() in publisher.heard) == (since < gone)
    if since < gone:
        assert publisher.heard[0] == Missed()
