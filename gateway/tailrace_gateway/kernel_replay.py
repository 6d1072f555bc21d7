"""What a kernel published while nobody listened, joined with what it publishes now. Knows numbers, no sockets.

Between `hold` and the last page live messages wait; then they follow those that the pages did not have. Source:
SPEC.md A, replay_request: numbers are consecutive over all messages of one life of a kernel.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from tailrace_gateway.jupyter_wire import Message
from tailrace_gateway.kernel_link import KernelLink
from tailrace_gateway.kernel_port import Hear, Heard, Missed, Published
from tailrace_protocol.joined import split

PAGE_SECONDS = 20.0  # for one page
PAGE = 1_000  # messages; the kernel ends a page at 1 MiB


class Replay:
    """Stands between a link and who hears it. Everything is passed on at once except while a replay is under way."""

    def __init__(self, hear: Hear):
        self._hear = hear
        self._held: list[Message] | None = None

    def deliver(self, heard: Heard) -> None:
        if self._held is not None and isinstance(heard, Published):
            self._held += heard.messages
            heard.taken()
        else:
            self._hear(heard)

    def hold(self) -> None:
        """From now on live messages wait: call this before the subscription is in force."""
        self._held = []

    async def run(self, link: KernelLink, epoch: str, since: int) -> None:
        """Pass on all that came after `since`, then what was held. The subscription must be in force by now.

        Raises TailraceError kernel_dead, kernel_unresponsive.
        """
        assert self._held is not None
        while True:
            asked = link.ask("replay", {"epoch": epoch, "since": since, "limit": PAGE}, "control", PAGE_SECONDS)
            reply = await asked.reply
            if not reply["complete"]:
                self._hear(Missed())
            messages = _messages(link, reply)
            since = int(reply["last_seq"])
            if messages:
                self._hear(Published(messages))
            first = next((seq for seq in map(seq_of, self._held) if seq), None)
            if reply["last_seq"] < reply["first_seq"] or (first is not None and first <= since + 1):
                break
        held, self._held = self._held, None
        if rest := tuple(message for message in held if seq_of(message) > since):
            self._hear(Published(rest))


def _messages(link: KernelLink, reply: Mapping[str, Any]) -> tuple[Message, ...]:
    frames = (found for buffer in reply.get("buffers", ()) for found in split(buffer))
    return tuple(message for each in frames if (message := link.unpack(each)))


def seq_of(message: Message) -> int:
    """Its number in this life of the kernel; 0 for the few that have none."""
    seq = message.tailrace.get("seq")
    return seq if isinstance(seq, int) else 0


def last_seq(messages: Iterable[Message]) -> int:
    return max(map(seq_of, messages), default=0)
