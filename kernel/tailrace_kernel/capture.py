"""stdout and stderr of user code: each piece of text goes to the outbox under the cell that printed it.

Knows ipykernel's streams and threads; must not know what a cell is beyond the parent header that names it. The
application makes the streams before the kernel, so the kernel changes their class (`adopt`).
"""

import sys
import threading
from typing import Any

from ipykernel.iostream import OutStream

from tailrace_kernel.outbox import Outbox
from tailrace_kernel.output_widget import OutputCapture


class CellStream(OutStream):
    """Never waits for a flush: order is kept by the outbox, not by waiting."""

    outbox: Outbox
    widgets: OutputCapture

    def write(self, string: str) -> int:
        if self.echo is not None or self.pub_thread is None or not self.outbox.is_usable():
            return super().write(string) or 0
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")  # pragma: no cover
        if string and not (self.widgets.active and self.widgets.text(self.name, self.parent_header, string)):
            self.outbox.text(self.name, self.parent_header, string)
        return len(string)

    def flush(self) -> None:
        if self.echo is not None or self.pub_thread is None or self.outbox.is_child:
            super().flush()
        elif self.outbox.is_usable():
            if self.widgets.active:
                self.widgets.flush(self.parent_header)
            self.outbox.wake()


def adopt(stream: Any, outbox: Outbox, widgets: OutputCapture) -> None:
    """Turn one of the application's streams into ours; its descriptor watcher and echo stay as they are."""
    if type(stream) is OutStream:
        stream.__class__ = CellStream
        assert isinstance(stream, CellStream)
        stream.outbox = outbox
        stream.widgets = widgets


def inherit_parents(shell: Any) -> None:
    """From now on a thread prints and displays under the cell that started it, not under the one running."""
    start, bootstrap = threading.Thread.start, threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def start_with_parent(thread: threading.Thread) -> None:
        parent = shell.parent_header
        if parent and isinstance(sys.stdout, CellStream):
            thread.__dict__["tailrace_parent"] = parent
        start(thread)

    def bootstrap_with_parent(thread: threading.Thread) -> None:
        parent = thread.__dict__.pop("tailrace_parent", None)
        if parent is not None:
            shell.set_thread_parent(parent)
        bootstrap(thread)

    threading.Thread.start = start_with_parent  # type: ignore[method-assign, assignment]
    threading.Thread._bootstrap_inner = bootstrap_with_parent  # type: ignore[attr-defined]
