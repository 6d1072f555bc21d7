"""Everybody who is attached to one notebook: who comes, goes and moves is told to all. Knows no commands and no kernel.

Called through the inbox of the notebook only, so an event goes to everybody who is here at its place in the stream.
"""

from collections.abc import Callable, Iterable
from typing import Any

from tailrace_gateway.clients import Client
from tailrace_gateway.metrics import Metrics
from tailrace_gateway.state import NotebookState
from tailrace_gateway.stream import Numbered, Stream
from tailrace_protocol.codec import to_builtins
from tailrace_protocol.commands import Attach
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import (
    Ack,
    Control,
    Error,
    Event,
    SessionConnected,
    SessionDisconnected,
    SessionMoved,
)
from tailrace_protocol.limits import MAX_SOCKETS
from tailrace_protocol.objects import Member


class Room:
    """One client for each socket; a person may have several."""

    def __init__(self, state: NotebookState, stream: Stream, publish: Callable[[Event], Any], metrics: Metrics) -> None:
        self._state = state
        self._stream = stream
        self._publish = publish
        self._metrics = metrics
        self._clients: list[Client] = []

    def __len__(self) -> int:
        """Sockets."""
        return len(self._clients)

    @property
    def waiting_bytes(self) -> int:
        """What waits for the client that is furthest behind."""
        return max((client.waiting_bytes for client in self._clients), default=0)

    def join(self, client: Client, command: Attach) -> bool:
        """Bring the client to this moment and announce it; false when the room is full, then it is sent away."""
        if len(self._clients) >= MAX_SOCKETS:
            client.tell(refusal(command.id, TailraceError(ErrorCode.TOO_MANY, "Too many clients of this notebook.")))
            client.close(1013, "too many clients")
            return False
        missed = self._stream.since(command.since)
        result = {
            "client": client.id,
            "role": client.role,
            "epoch": self._stream.epoch,
            "mode": "snapshot" if missed is None else "replay",
            "kernel": to_builtins(self._state.kernel),
        }
        client.tell(Ack(id=command.id, revision=self._state.revision, seq=self._stream.seq, result=result))
        client.begin(missed, self._stream.seq)
        self._clients.append(client)
        self._metrics.attached(client.id)
        self._publish(
            SessionConnected(client=client.id, name=client.name, role=client.role, clients=members(self._clients))
        )
        return True

    def leave(self, client: Client) -> None:
        """Announce that a client has gone, if it was here."""
        if client in self._clients:
            self._clients.remove(client)
            self._publish(SessionDisconnected(client=client.id, clients=members(self._clients)))

    def move(self, client: Client, cell_id: str | None) -> None:
        """Tell everybody on which cell a client is. Raises TailraceError unknown_cell."""
        if cell_id is not None and cell_id not in self._state.cells:
            raise TailraceError(ErrorCode.UNKNOWN_CELL, f"There is no cell {cell_id!r}: it may have been deleted.")
        if client in self._clients and client.cell_id != cell_id:
            client.cell_id = cell_id
            self._publish(SessionMoved(client=client.id, clients=members(self._clients)))

    def offer(self, event: Numbered) -> None:
        """Everybody gets this event next."""
        for client in self._clients:
            client.offer(event)

    def tell(self, client_id: str, frame: Control) -> None:
        """A frame for one person alone, at all their sockets."""
        for client in self._clients:
            if client.id == client_id:
                client.tell(frame)

    def close(self, code: int, reason: str) -> None:
        """Close every socket, once what waits for it is sent."""
        for client in self._clients:
            client.close(code, reason)


def members(clients: Iterable[Client]) -> tuple[Member, ...]:
    """Everybody once, however many sockets they have, each with the cell their person is on."""
    found: dict[str, Member] = {}
    for client in clients:
        known = found.get(client.id)
        cell_id = client.cell_id or (known.cell_id if known is not None else None)
        found[client.id] = Member(client=client.id, name=client.name, cell_id=cell_id)
    return tuple(found.values())


def refusal(command_id: str, error: TailraceError) -> Error:
    """The frame that answers a command with this error."""
    return Error(id=command_id, code=error.code.value, message=error.message, details=error.details, retry=error.retry)
