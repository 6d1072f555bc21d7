"""SIGINT during a run: stops user code where it is, and never the loop that runs it.

Knows signals, frames and asyncio tasks; must not know cells, scheduling or messages. A KeyboardInterrupt that
leaves an asyncio task is re-raised out of the loop and the kernel hangs, so one is raised only while a guarded
function is on the stack that catches it. A suspended cell is cancelled instead. The handler takes no lock.

An exception in the middle of the output path would leave a queue that nobody drains, or a thread that Python takes
for dead (Thread.is_alive, interrupted, ends the thread it asks about). Functions of that path are *shielded*: the
exception waits until the outermost of them has done its work.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any


class Interrupts:
    """`hit` is true from the signal until whoever runs cells has taken it (sets it false) or another run begins.

    A signal that finds nothing armed only sets it: whoever arms must look at it next, or the interrupt is lost. One
    that comes at rest concerns what was asked for and has not begun: `rest` says who drops that.
    """

    def __init__(self, is_cell_file: Callable[[str], bool]) -> None:
        self.hit = False
        self.armed = False  # set by a guarded function, inside its own try
        self._is_cell_file = is_cell_file
        self._guards: set[CodeType] = set()
        self._shields: set[CodeType] = set()
        self._waiting: type[BaseException] | None = None
        self._main = threading.main_thread().ident
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._early = False  # a signal came at rest and nobody has taken it
        self._told = False  # whoever sends it has dropped what had not begun: what came since then stays

    def rest(self, loop: asyncio.AbstractEventLoop, drop: Callable[[], object]) -> None:
        """Take signals at rest too, on the main thread; `drop` is then called from the loop."""

        def settle() -> None:
            told, self._told = self._told, False
            if self._early:
                self._early = False
                if not told:
                    drop()

        def at_rest(_signum: int, _frame: FrameType | None) -> None:
            self._early = True
            loop.call_soon_threadsafe(settle)

        signal.signal(signal.SIGINT, at_rest)

    def expect(self) -> None:
        """A signal is about to be sent by the kernel itself, which has dropped what had not begun."""
        self._told = True

    def guards(self, function: Callable[..., Any]) -> None:
        """Declare a function that catches KeyboardInterrupt around everything it does while `armed`."""
        self._guards.add(function.__code__)

    def shields(self, function: Callable[..., Any]) -> None:
        """Declare a function that must not be interrupted; it calls `raise_waiting` as its last deed."""
        self._shields.add(function.__code__)

    def raise_waiting(self) -> None:
        """Raise what the handler held back, on the main thread, unless the code it was meant for has ended."""
        if self._waiting is not None and threading.get_ident() == self._main:
            waiting, self._waiting = self._waiting, None
            if self.armed:
                raise waiting

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Around a whole cascade, on the main thread, in the task that awaits the cells; elsewhere it does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        if self._task is None:  # the outermost: what an outer one has not taken yet still counts
            self.hit, self._early = self._early, False
            self._waiting = None
        self._loop = asyncio.get_running_loop()
        outer, self._task = self._task, asyncio.current_task()
        saved = signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, saved)
            self._task = outer

    def took_cancel(self) -> bool:
        """After a CancelledError: whether it was ours. The task may then go on."""
        if not self.hit or self._task is None:
            return False
        while self._task.cancelling():
            self._task.uncancel()
        return True

    def _handle(self, _signum: int, frame: FrameType | None) -> None:
        self.hit, self._told = True, False
        if not self.armed or self._loop is None:
            return
        in_cell = shielded = False
        while frame is not None:
            if frame.f_code in self._guards:
                self._raise(KeyboardInterrupt, shielded)
                return
            shielded = shielded or frame.f_code in self._shields
            in_cell = in_cell or self._is_cell_file(frame.f_code.co_filename)
            frame = frame.f_back
        self._loop.call_soon_threadsafe(self._cancel)
        if in_cell:  # a child task of the cell is in a loop of its own: it must come back to the event loop
            self._raise(asyncio.CancelledError, shielded)

    def _raise(self, kind: type[BaseException], shielded: bool) -> None:
        if not shielded:
            raise kind
        self._waiting = kind

    def _cancel(self) -> None:
        """Between two steps of the loop, so the task is suspended in user code exactly when still armed."""
        if self.armed and self._task is not None:
            self._task.cancel()
