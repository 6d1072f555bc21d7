"""Commands whose kernel part is under way: what each still waits for, and which command caused a kernel's message.

Knows tokens and the clock it is given; must not know sockets. A command ends once: executed or failed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tailrace_protocol.errors import TailraceError
from tailrace_protocol.events import Cause, CommandExecuted, CommandExecuting, CommandFailed, Event

log = logging.getLogger(__name__)

CAUSES = 4_096  # requests whose command is remembered for messages that still come


@dataclass(slots=True, eq=False)
class Pending:
    """One command between `command:executing` and its end. `tokens`: what it waits for."""

    cause: Cause
    command: str
    cell_id: str | None
    began: float
    tokens: set[str] = field(default_factory=set)
    sealed: bool = False
    ended: bool = False


class PendingTable:
    """All commands of one notebook that have not ended. `now` is monotonic, in seconds."""

    def __init__(self, publish: Callable[[Event], Any], revision: Callable[[], int], now: Callable[[], float]):
        self._publish = publish
        self._revision = revision
        self._now = now
        self._open: dict[int, Pending] = {}
        self._by_token: dict[str, list[Pending]] = {}
        self._causes: dict[str, Cause] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, command: str, cause: Cause, cell_id: str | None = None) -> Pending:
        """Announce the command; `seal` it when all that it waits for is known."""
        pending = Pending(cause, command, cell_id, self._now())
        self._open[id(pending)] = pending
        self._publish(CommandExecuting(command=command, id=cause.id, client=cause.client, cell_id=cell_id, cause=cause))
        return pending

    def wait(self, pending: Pending, token: str) -> None:
        """The command does not end before `arrived(token)`."""
        pending.tokens.add(token)
        self._by_token.setdefault(token, []).append(pending)

    def arrived(self, token: str) -> None:
        for pending in self._by_token.pop(token, ()):
            pending.tokens.discard(token)
            self._end_if_done(pending)

    def seal(self, pending: Pending) -> None:
        pending.sealed = True
        self._end_if_done(pending)

    def fail(self, pending: Pending, error: TailraceError) -> None:
        """The kernel part failed: everybody is told, once."""
        if pending.ended:
            return
        self._forget(pending)
        self._publish(
            CommandFailed(
                command=pending.command,
                id=pending.cause.id,
                client=pending.cause.client,
                code=error.code.value,
                message=error.message,
                cell_id=pending.cell_id,
                cause=pending.cause,
            )
        )

    def fail_all(self, error: TailraceError, *, but: Pending | None = None) -> None:
        for pending in [*self._open.values()]:
            if pending is not but:
                self.fail(pending, error)

    def _end_if_done(self, pending: Pending) -> None:
        if pending.tokens or not pending.sealed or pending.ended:
            return
        self._forget(pending)
        self._publish(
            CommandExecuted(
                command=pending.command,
                id=pending.cause.id,
                client=pending.cause.client,
                seconds=round(self._now() - pending.began, 6),
                revision=self._revision(),
                cell_id=pending.cell_id,
                cause=pending.cause,
            )
        )

    def _forget(self, pending: Pending) -> None:
        pending.ended = True
        self._open.pop(id(pending), None)
        for token in pending.tokens:
            waiting = self._by_token.get(token, [])
            if pending in waiting:
                waiting.remove(pending)
            if not waiting:
                self._by_token.pop(token, None)

    def note_cause(self, msg_id: str, cause: Cause) -> None:
        """Messages whose parent is this request were caused by this command."""
        self._causes[msg_id] = cause
        if len(self._causes) > CAUSES:
            del self._causes[next(iter(self._causes))]

    def cause_of(self, msg_id: str) -> Cause | None:
        return self._causes.get(msg_id)
