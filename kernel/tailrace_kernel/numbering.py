"""The one place where an IOPub message gets its number: the wrapper around the real socket.

Knows frames, signing and the event ring; must not know who sends or why. Everything here runs on the IOPub
thread, so the order of numbers is the order on the wire and no lock is needed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from jupyter_client.session import DELIM, Session

from tailrace_kernel.event_ring import EventRing
from tailrace_kernel.frames import send_frames
from tailrace_kernel.oversize import shortened
from tailrace_protocol.limits import MAX_OUTPUT

CACHED_PARENTS = 256  # parent headers whose cell and run are remembered


class NumberedSocket:
    """Stands in for the IOPub socket: stamps `metadata.tailrace`, signs, remembers and sends."""

    def __init__(self, socket: Any, session: Session, ring: EventRing, bounded: Callable[[], bool]) -> None:
        """`bounded` tells whether outputs have a limit: stock clients alone have none."""
        self._bounded = bounded
        self._socket = socket
        self._session = session
        self._ring = ring
        self._parents: dict[bytes, tuple[str | None, str | None]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send_multipart(self, frames: Sequence[Any], *_: Any, **options: Any) -> None:
        """Frames as Session.serialize makes them, signed or not; identities stay in front."""
        parts = [part if isinstance(part, bytes) else bytes(part) for part in frames]
        at = parts.index(DELIM)
        if len(parts[at + 5]) > MAX_OUTPUT and self._bounded():
            parts[at + 5] = shortened(parts[at + 2], parts[at + 5])
        cell_id, run_id = self._of_parent(parts[at + 3])
        parts[at + 4] = _stamp(parts[at + 4], self._ring.last_seq + 1, cell_id, run_id)
        parts[at + 1] = self._session.sign(parts[at + 2 : at + 6])
        self._ring.add(tuple(parts))
        if options.get("copy", True):
            send_frames(self._socket, parts)
        else:
            self._socket.send_multipart(parts, copy=False)

    def _of_parent(self, parent: bytes) -> tuple[str | None, str | None]:
        """The cell and the run that a parent header names: extra keys, which stock clients ignore."""
        known = self._parents.get(parent)
        if known is not None:
            return known
        found: tuple[str | None, str | None] = (None, None)
        if b'"cell_id"' in parent or b'"run_id"' in parent:
            header = orjson.loads(parent)
            found = (header.get("cell_id"), header.get("run_id"))
        if len(self._parents) >= CACHED_PARENTS:
            self._parents.clear()
        self._parents[parent] = found
        return found


def _stamp(metadata: bytes, seq: int, cell_id: str | None, run_id: str | None) -> bytes:
    stamp: dict[str, Any] = {"seq": seq}
    if cell_id is not None:
        stamp["cell_id"] = cell_id
    if run_id is not None:
        stamp["run_id"] = run_id
    ours = b'{"tailrace":' + orjson.dumps(stamp)
    return ours + b"}" if metadata == b"{}" else ours + b"," + metadata.lstrip()[1:]
