"""Requests to one life of a kernel, with every outcome delivered through the notebook's inbox. Knows no documents."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from tailrace_gateway.kernel_port import Channel, KernelPort
from tailrace_gateway.pending import Pending, PendingTable
from tailrace_protocol.codec import to_builtins
from tailrace_protocol.errors import TailraceError

Post = Callable[[Callable[[], Awaitable[None] | None]], None]
"""Put work into the notebook's inbox."""
Reply = Mapping[str, Any]
Then = Callable[[Reply], None]
Failed = Callable[[TailraceError], None]


class Conversation:
    """`ask` sends at once and in order; `then` or `failed` runs in the inbox later, unless this life has ended."""

    def __init__(self, port: KernelPort, post: Post, pendings: PendingTable):
        self.port = port
        self._post = post
        self._pendings = pendings
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = False

    def ask(
        self,
        kind: str,
        content: Any,
        then: Then,
        failed: Failed,
        *,
        pending: Pending | None = None,
        channel: Channel = "control",
        timeout: float | None = 20.0,
    ) -> str:
        """Returns the msg_id, the parent of all that the request causes. `timeout` in seconds."""
        asked = self.port.ask(kind, to_builtins(content), channel=channel, timeout=timeout)
        if pending is not None:
            self._pendings.note_cause(asked.msg_id, pending.cause)
        self.spawn(self._hand_over(asked.reply, then, failed))
        return asked.msg_id

    async def _hand_over(self, reply: Awaitable[Reply], then: Then, failed: Failed) -> None:
        try:
            content = await reply
        except TailraceError as error:
            self._post(partial(self._deliver, partial(failed, error)))
        else:
            self._post(partial(self._deliver, partial(then, content)))

    def _deliver(self, work: Callable[[], None]) -> None:
        if not self._ended:
            work()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def end(self) -> None:
        """What is still to come is not delivered."""
        self._ended = True
        for task in self._tasks:
            task.cancel()


def fields(reply: Reply) -> dict[str, Any]:
    """The content of a reply without its envelope."""
    return {name: value for name, value in reply.items() if name not in ("status", "buffers")}
