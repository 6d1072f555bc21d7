"""One SQL cell in flight and the way to stop it from another thread. Knows no database.

A driver's cancel that arrives between two statements is lost, so it is repeated until the cell has let go of its
connection; once it has, no cancel can hit whoever uses that connection next.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tailrace_kernel.sql.failures import SqlInterrupted

logger = logging.getLogger(__name__)

REPEAT = 0.05  # seconds between two cancels of a statement that has not ended


class Running:
    """Made by the caller of `Connections.run`, used once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._let_go = threading.Event()
        self._interrupt: Callable[[], None] | None = None

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Stop the cell as soon as its driver allows; never waits, and holds for a cell that has not begun."""
        if self._cancelled.is_set():
            return
        self._cancelled.set()
        if self._interrupt is not None:
            threading.Thread(target=self._chase, name="sql-cancel", daemon=True).start()

    def check(self) -> None:
        """Raise SqlInterrupted once cancelled."""
        if self._cancelled.is_set():
            raise SqlInterrupted

    @contextmanager
    def holding(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """While inside, `cancel` calls `interrupt` (from its own thread, again and again)."""
        self._interrupt = interrupt
        try:
            self.check()  # after the line above: whoever cancels now sees the interrupt
            yield
        finally:
            self._let_go.set()
            with self._lock:
                self._interrupt = None

    def _chase(self) -> None:
        while not self._let_go.is_set():
            with self._lock:
                interrupt = self._interrupt
                if interrupt is not None:
                    try:
                        interrupt()
                    except Exception:  # a connection that breaks while it is cancelled has stopped too
                        logger.debug("the driver refused a cancel", exc_info=True)
            self._let_go.wait(REPEAT)
