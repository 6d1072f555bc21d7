"""What a later gateway must know of the kernel of one notebook to go on with it, and when that must be written again.

The kernel keeps what it published last; a new image is due before it could forget what came since the last one. Knows
numbers and sizes, no files and no sockets.
"""

from collections.abc import Callable, Iterable

from tailrace_gateway.jupyter_wire import Message
from tailrace_gateway.kept_session import KeptKernel
from tailrace_gateway.kernel_port import Place
from tailrace_gateway.kernel_replay import last_seq
from tailrace_gateway.runs import Runs
from tailrace_gateway.state import NotebookState
from tailrace_protocol.limits import RING_BYTES, RING_EVENTS

DUE_EVENTS = RING_EVENTS // 4  # messages since the last image; the rest of the ring is for the time without a gateway
DUE_BYTES = RING_BYTES // 4


class KernelMemory:
    """`due` is called when an image should be written soon. Images are taken between two batches of messages."""

    def __init__(self, state: NotebookState, runs: Runs, lifted: set[str], due: Callable[[], None]):
        self._state = state
        self._runs = runs
        self._lifted = lifted
        self._due = due
        self._place: Place | None = None
        self._epoch = ""
        self._seq = 0
        self._written = 0  # seq of the last image
        self._bytes = 0  # heard since then

    def begin(self, place: Place | None, epoch: str, seq: int = 0) -> None:
        """A kernel is there, and its messages up to `seq` are part of the state."""
        self._place, self._epoch, self._seq = place, epoch, seq
        self._due()

    def go_on(self, epoch: str) -> None:
        """The kernel of `begin` is met, in this life of it."""
        self._epoch = epoch
        self._due()

    def forget(self) -> None:
        """There is no kernel that could be adopted."""
        if self._place is not None:
            self._place = None
            self._due()

    def heard(self, messages: Iterable[Message]) -> None:
        """These are part of the state now."""
        self._seq = max(self._seq, last_seq(messages))
        self._bytes += sum(message.size for message in messages)
        if self._place is not None and (self._seq - self._written > DUE_EVENTS or self._bytes > DUE_BYTES):
            self._written, self._bytes = self._seq, 0
            self._due()

    def image(self) -> KeptKernel | None:
        if self._place is None:
            return None
        self._written, self._bytes = self._seq, 0
        return KeptKernel(
            place=self._place,
            epoch=self._epoch,
            seq=self._seq,
            runs=self._runs.under_way(),
            known=self._runs.known,
            lifted=tuple(sorted(self._lifted)),
        )
