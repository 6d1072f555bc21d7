"""The one ordered way out: outputs, statuses and graph events leave in the order they were put.

Knows the IOPub thread's queue and how a message is packed; must not know cells, runs or user objects. `put`,
`text` and `event` may be called from any thread and never wait for a send; packing and sending happen on the
IOPub thread. The lock is re-entrant because a finalizer that prints may run inside `text`.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import zmq
from ipykernel.iostream import IOPubThread
from jupyter_client.session import DELIM

from tailrace_kernel.session import TailraceSession, pack_content, pack_json
from tailrace_protocol.kernel_messages import CellStatusContent, Content, StatusChange, VariablesChanged

log = logging.getLogger(__name__)

LINGER = 0.02  # seconds that text and statuses may wait for company
MAX_QUEUED = 8 * 2**20  # characters and bytes; a cell that is further ahead waits
MESSAGE_SIZE = 1024  # bytes that a message takes beside its frames
WRITER_PATIENCE = 10.0  # seconds a writer waits for the queue to drain
GLANCE = 0.1  # seconds between two looks at whether a waiting writer is wanted elsewhere
OURS = b"tailrace."  # start of the topics of our own types
MAX_TEXT = 2**20  # characters of one stream message

Header = dict[str, Any]


@dataclass(slots=True)
class _Raw:
    frames: list[Any]
    options: dict[str, Any]


@dataclass(slots=True)
class _Text:
    stream: str
    parent: Header
    parts: list[str] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class _Event:
    kind: str
    content: Any
    parent: Header
    topic: bytes


@dataclass(slots=True)
class _Statuses:
    """Statuses, then what became of variables meanwhile: True for a name that was written, False for one removed."""

    parent: Header
    changes: list[StatusChange] = field(default_factory=list)
    variables: dict[str, bool] = field(default_factory=dict)


_Entry = _Raw | _Text | _Event | _Statuses


def _nothing() -> None:
    pass


class Outbox:
    """`attached` turns on our own message types; stock clients never see them before somebody asked."""

    def __init__(self, thread: IOPubThread, session: TailraceSession, base_topic: str) -> None:
        self.attached = False
        self.after = _nothing  # called as the last deed of what user code calls
        self.is_hurried: Callable[[], bool] = lambda: False  # whether a writer must not wait now
        self._thread = thread
        self._loop: asyncio.AbstractEventLoop = thread.io_loop.asyncio_loop  # type: ignore[attr-defined]
        self._session = session
        self._base_topic = base_topic
        self.is_child = False
        os.register_at_fork(after_in_child=self._note_fork)
        self._lock = threading.RLock()
        self._entries: deque[_Entry] = deque()
        self._queued = 0  # characters and bytes
        self._drained = threading.Event()
        self._wake_pending = False
        self._timer_pending = False
        self._gathering = 0  # thread that is putting several things together
        self._wanted: Callable[[], None] | None = None  # the wake it asked for meanwhile
        self._variables: dict[str, bool] = {}  # of statuses that were sent in the drain under way
        self._variables_parent: Header = {}
        self._packed_parent: tuple[Header, bytes] = ({}, b"{}")

    def put(self, frames: list[Any], *_: Any, **options: Any) -> None:
        """A message that is already packed: the signature of IOPubThread.send_multipart."""
        if not self.is_usable():
            self._thread._really_send(frames, **options)
            return
        size = MESSAGE_SIZE + sum(map(len, frames))
        with self._lock:
            self._entries.append(_Raw(frames, options))
            self._queued += size
            full = self._queued > MAX_QUEUED
        if full:
            self._wait_for_room()
        else:
            self._wake()
        self.after()

    def text(self, stream: str, parent: Header, text: str) -> None:
        """Text of stdout or stderr; joins the entry before it when stream and parent are the same."""
        with self._lock:
            last = self._entries[-1] if self._entries else None
            if type(last) is not _Text or last.stream != stream or last.parent is not parent or last.size > MAX_TEXT:
                last = _Text(stream, parent)
                self._entries.append(last)
            last.parts.append(text)
            last.size += len(text)
            self._queued += len(text)
            full = self._queued > MAX_QUEUED
        if full:
            self._wait_for_room()
        else:
            self._wake_later()
        self.after()

    def standard(self, kind: str, content: dict[str, Any], parent: Header, *, soon: bool = True) -> None:
        """A stock message whose content nobody can change any more, packed on the IOPub thread.

        `soon=False`: more follows at once, so it may wait for company.
        """
        with self._lock:
            self._entries.append(_Event(kind, content, parent, f"{self._base_topic}.{kind}".encode()))
        if soon:
            self._wake()
        else:
            self._wake_later()

    def event(self, kind: str, content: Content, parent: Header) -> None:
        """One of our own types, on a topic `tailrace.<kind>`."""
        if not self.attached:
            return
        with self._lock:
            self._entries.append(_Event(kind, content, parent, OURS + kind.encode()))
        self._wake_later()

    def gather(self, changes: Sequence[StatusChange], variables: Mapping[str, bool], parent: Header) -> None:
        """Statuses, and names that were written (True) or removed (False), leave in one message of each kind when
        something else is put behind them or LINGER has passed: a cell that says nothing costs no message of its own."""
        if not self.attached:
            return
        with self._lock:
            last = self._entries[-1] if self._entries else None
            if type(last) is not _Statuses or last.parent is not parent:
                last = _Statuses(parent)
                self._entries.append(last)
            last.changes.extend(changes)
            last.variables.update(variables)
        if not self._timer_pending:
            self._wake_later()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What this thread puts inside leaves at the end: nobody is woken before. For a few milliseconds at most."""
        self._gathering = threading.get_ident()
        try:
            yield
        finally:
            self._gathering = 0
            wanted, self._wanted = self._wanted, None
            if wanted is not None:
                wanted()

    def wake(self) -> None:
        """Have everything queued sent soon; never waits."""
        self._wake()
        self.after()

    def _wake(self) -> None:
        """One wake at a time is under way."""
        if self._wake_pending or not self._entries:
            return
        if self._gathering == threading.get_ident():
            self._wanted = self._wake
            return
        self._wake_pending = True
        self.schedule(self.drain)

    def _wake_later(self) -> None:
        if self._timer_pending or self._wake_pending:
            return
        if self._gathering == threading.get_ident():
            self._wanted = self._wanted or self._wake_later
            return
        self._timer_pending = True
        self.schedule(self._start_timer)

    def schedule(self, function: Callable[[], Any]) -> None:
        """Stands in for IOPubThread.schedule, which asks `is_alive` each time: see `interrupt`. Its loop is called
        directly, at half the cost of the socket between threads that upstream sends a message through."""
        if self.is_usable():
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                self._loop.call_soon_threadsafe(function)
                return
        function()

    def is_usable(self) -> bool:
        """Not in a forked child, whose frames go to the parent through a pipe, nor after the thread has ended."""
        return not self.is_child and (not self._thread._stopped or self._thread.thread.is_alive())

    def _note_fork(self) -> None:
        """Told, not asked for with each write: a system call takes longer than the write."""
        self.is_child = True

    def _wait_for_room(self) -> None:
        """A drain that took everything since the caller looked has no reason to come again: nobody waits for it."""
        with self._lock:
            if self._queued <= MAX_QUEUED:
                return
            self._drained.clear()
        self._wake()
        # Threads of the kernel itself never wait: they answer requests, and drain this queue.
        if getattr(threading.current_thread(), "is_pydev_daemon_thread", False):
            return
        deadline = time.monotonic() + WRITER_PATIENCE
        while not self._drained.wait(GLANCE) and not self.is_hurried():
            if time.monotonic() > deadline:
                log.warning("nobody has taken what is to be published for %.0f s", WRITER_PATIENCE)
                return

    def drain(self) -> None:
        """Pack and send everything queued; on the IOPub thread (or on any, once that thread has ended)."""
        self._wake_pending = False
        with self._lock:
            entries, self._entries = self._entries, deque()
            self._queued = 0
        self._drained.set()
        for entry in entries:
            self._send_safely(entry)
        self._tell_variables()
        if threading.current_thread() is self._thread.thread:
            self._hear_subscribers()
            if not self._timer_pending:  # what comes within LINGER from now needs no wake of its own
                self._timer_pending = True
                self._start_timer()

    def _start_timer(self) -> None:
        self._loop.call_later(LINGER, self._look)

    def _look(self) -> None:
        """The timer. It runs on while something comes, and rests when it found nothing."""
        self._timer_pending = False  # before looking: whoever still saw it pending has put its entry already
        if self._entries:
            self.drain()

    def _hear_subscribers(self) -> None:
        """A send takes the edge that tells the loop of a new subscriber: no welcome while a cell printed."""
        stream = getattr(self._thread, "_xpub_stream", None)  # a PUB socket hears of nobody
        if stream is not None and stream.socket.getsockopt(zmq.EVENTS) & zmq.POLLIN:
            stream.flush(zmq.POLLIN)

    def _send_safely(self, entry: _Entry) -> None:
        try:
            self._send(entry)
        except Exception:  # one message that cannot be packed must not take the others with it
            log.exception("a message could not be sent")

    def _send(self, entry: _Entry) -> None:
        match entry:
            case _Raw():
                self._thread._really_send(entry.frames, **entry.options)
            case _Text():
                content = {"name": entry.stream, "text": "".join(entry.parts)}
                self._really_send("stream", content, entry.parent, b"stream." + entry.stream.encode())
            case _Event():
                if self._variables and entry.topic.startswith(OURS):
                    self._tell_variables()
                self._really_send(entry.kind, entry.content, entry.parent, entry.topic)
            case _Statuses():
                self._send_gathered(entry)

    def _send_gathered(self, entry: _Statuses) -> None:
        """Statuses go before the next output; variables of one run may stay together over several outputs."""
        if self._variables and entry.parent is not self._variables_parent:
            self._tell_variables()
        if entry.changes:
            statuses = CellStatusContent(changes=tuple(entry.changes))
            self._really_send("cell_status", statuses, entry.parent, b"tailrace.cell_status")
        self._variables.update(entry.variables)
        self._variables_parent = entry.parent

    def _tell_variables(self) -> None:
        variables, self._variables = self._variables, {}
        if variables:
            written = tuple(name for name, is_there in variables.items() if is_there)
            removed = tuple(name for name, is_there in variables.items() if not is_there)
            content = VariablesChanged(written=written, removed=removed)
            self._really_send("variables_changed", content, self._variables_parent, b"tailrace.variables_changed")

    def _really_send(self, kind: str, content: Any, parent: Header, topic: bytes) -> None:
        session = self._session
        body = pack_content(content) if isinstance(content, msgspec.Struct) else pack_json(content)
        header = session.header_frame(kind)
        # The signature stays empty here: the numbering wrapper signs once, after it has put the number in.
        self._thread._really_send([topic, DELIM, b"", header, self._pack_parent(parent), b"{}", body])

    def _pack_parent(self, parent: Header) -> bytes:
        known, packed = self._packed_parent
        if known is not parent:
            packed = pack_json(parent)
            self._packed_parent = (parent, packed)
        return packed
