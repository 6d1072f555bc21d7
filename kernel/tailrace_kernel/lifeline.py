"""How a kernel outlives the process that started it, and ends itself when nobody comes back.

Environment: `TAILRACE_LIFELINE_FD` is the number of an inherited descriptor, the read end of a pipe whose write
end the parent keeps open. When the pipe reaches its end (the parent is gone) a grace period starts:
`TAILRACE_GRACE_SECONDS`, default 60. A client that adopts the kernel within it gives it the next lifeline with
`attach_request.lifeline`, the path of a Unix socket it listens on: the kernel connects, and the end of that connection
starts the next grace period, unless `attach_request.outlive` said that the kernel is to live on. If nobody adopts it,
the kernel ends its children and itself. An `attach_request` without a lifeline adopts nothing: it may be the last word
of the very parent that is gone, read when the kernel had started.
With a lifeline the stock parent poller (JPY_PARENT_PID, which ends a kernel one second after its parent) is off.

Knows descriptors and a clock; must not know sockets or cells.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, MutableMapping

FD = "TAILRACE_LIFELINE_FD"
GRACE = "TAILRACE_GRACE_SECONDS"
DEFAULT_GRACE = 60.0  # seconds
CONNECT_TIMEOUT = 1.0  # seconds


class Lifeline:
    """Watches descriptors in daemon threads; `end` is called there, once, when a grace period passes."""

    def __init__(self, grace: float, end: Callable[[], None]) -> None:
        self._grace = grace
        self._end = end
        self._adopted = threading.Event()
        self._lines = 0  # watched and not yet ended
        self._outlives = False  # the last client that adopted the kernel wants it to live on
        self._lock = threading.Lock()

    def watch(self, fd: int) -> None:
        with self._lock:
            self._lines += 1
        threading.Thread(target=self._watch, args=(fd,), name="Lifeline", daemon=True).start()

    def adopt(self, path: str, *, outlive: bool = False) -> None:
        """A client attached that listens on this socket; its end ends nothing if the kernel is to `outlive` it.

        Raises OSError when nobody answers there.
        """
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(CONNECT_TIMEOUT)
            line.connect(path)
            line.settimeout(None)
            self._outlives = outlive
            self.watch(line.detach())
        self._adopted.set()

    def _watch(self, fd: int) -> None:
        # A connection that is reset has ended too.
        with contextlib.suppress(OSError), os.fdopen(fd, "rb", buffering=0) as line:
            while line.read(4096):
                pass
        with self._lock:
            self._lines -= 1
            # A client adopted the kernel before the end of its former line was noticed, or wants it to live on.
            if self._lines or self._outlives:
                return
            self._adopted.clear()
        if not self._adopted.wait(self._grace):
            self._end()


def from_environment(environment: MutableMapping[str, str], end: Callable[[], None]) -> Lifeline | None:
    """The lifeline that the parent asked for; its variables are removed, so that user code does not inherit them."""
    fd, grace = environment.pop(FD, ""), environment.pop(GRACE, "")
    if not fd.isdigit():
        return None
    os.set_inheritable(int(fd), False)
    lifeline = Lifeline(float(grace) if grace else DEFAULT_GRACE, end)
    lifeline.watch(int(fd))
    return lifeline
