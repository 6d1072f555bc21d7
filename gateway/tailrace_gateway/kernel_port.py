"""What a notebook asks of its kernel, and what it hears from it. Knows neither processes nor sockets.

One port is one life of one kernel: a restart makes a new port. Everything that is heard arrives in order through the
`Hear` function given when the port is made, on the event loop.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from tailrace_gateway.jupyter_wire import Message
from tailrace_protocol.kernel_messages import AttachReply

Channel = Literal["control", "shell"]


class Place(msgspec.Struct, frozen=True):
    """Where a kernel is found again: its private directory, its process, and by which name it knows its client."""

    directory: str
    pid: int
    identity: str


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Published:
    """A batch of IOPub messages, in order. `taken` is to be called when they are dealt with: then more are read."""

    messages: tuple[Message, ...]
    taken: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True)
class InputAsked:
    """A cell waits for a line from a person."""

    request_id: str
    cell_id: str
    prompt: str
    password: bool


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone. `tail` holds the last lines it printed outside any cell."""

    code: int | None
    tail: str


@dataclass(frozen=True, slots=True)
class Silent:
    """The process lives and answers nothing."""


@dataclass(frozen=True, slots=True)
class Answering:
    """It answers again."""


@dataclass(frozen=True, slots=True)
class Missed:
    """The kernel published more while nobody listened than it keeps: what follows does not join what came before."""


Heard = Published | InputAsked | Exited | Silent | Answering | Missed
Hear = Callable[[Heard], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way: `msg_id` is the parent of all that it causes; the reply's content comes later.

    Awaiting `reply` raises TailraceError: the kernel's own code, kernel_unresponsive after the timeout, kernel_dead.
    """

    msg_id: str
    reply: Awaitable[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Told:
    """A message on shell that no reply answers; what it causes belongs to the cell `cell_id`."""

    kind: str
    content: Mapping[str, Any]
    metadata: Mapping[str, Any]
    buffers: tuple[bytes, ...] = ()
    cell_id: str | None = None


class KernelPort(Protocol):
    @property
    def pid(self) -> int | None: ...

    @property
    def place(self) -> Place | None:
        """Null for a kernel that cannot be adopted."""
        ...

    async def start(self) -> AttachReply:
        """Start the process, connect, attach. Raises TailraceError kernel_dead with what it printed."""
        ...

    async def adopt(self, place: Place, epoch: str, since: int) -> AttachReply:
        """Connect to a kernel that runs, in place of `start`. What it published after `since` is heard first, then
        what it publishes now, each once. Raises TailraceError kernel_dead, kernel_unresponsive.
        """
        ...

    def ask(self, kind: str, content: Any, *, channel: Channel = "control", timeout: float | None = 20.0) -> Asked:
        """Send `<kind>_request`; `timeout` in seconds, None waits for as long as the kernel lives."""
        ...

    def tell(self, told: Told) -> str:
        """Send a message that no reply answers; returns its msg_id, the parent of all that it causes."""
        ...

    def answer_input(self, request_id: str, value: str) -> bool:
        """Give a waiting cell its line; False when nobody waits for it any more."""
        ...

    async def stop(self, *, keep: bool = False) -> None:
        """End the process and what it started (`keep`: let it live), close the sockets. Nothing is heard after."""
        ...


KernelFactory = Callable[[Hear], KernelPort]
