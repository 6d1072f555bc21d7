"""The database connections of one notebook: configured in the kernel, remembered with their secrets in memory only.

A failed change leaves the former connection in force. No event, error or log line holds a secret of a URL.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from tailrace_gateway.connection_url import redacted, scrubbed
from tailrace_gateway.conversation import Conversation, Reply, fields
from tailrace_gateway.pending import Pending, PendingTable
from tailrace_gateway.state import NotebookState
from tailrace_protocol.codec import decode_content
from tailrace_protocol.commands import UpdateDbConnection
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import DbConnectionUpdated, Event
from tailrace_protocol.kernel_messages import ConfigureDbReply, ConfigureDbRequest, DbConfigured
from tailrace_protocol.objects import Connection, WireError

CONNECT_SECONDS = 8.0  # so that a wrong address is told within ten
ANSWER_SECONDS = 7.0  # beyond the connect timeout, for a kernel that is slow to answer


class Databases:
    def __init__(self, state: NotebookState, publish: Callable[[Event], Any], pendings: PendingTable):
        self._state = state
        self._publish = publish
        self._pendings = pendings
        self._in_force: dict[str, ConfigureDbRequest] = {}

    def request(self, pending: Pending, command: UpdateDbConnection) -> ConfigureDbRequest:
        """What this command asks of the kernel; the command does not end before its outcome."""
        self._pendings.wait(pending, _token(pending))
        return ConfigureDbRequest(
            url=command.connection_string,
            name=command.name,
            read_only=command.read_only,
            connect_timeout=CONNECT_SECONDS,
        )

    def configure(self, talk: Conversation, request: ConfigureDbRequest, pending: Pending | None = None) -> None:
        """The outcome is one db event; a command whose connection failed fails."""
        talk.ask(
            "configure_db",
            request,
            partial(self._connected, request, pending),
            partial(self._refused, request, pending),
            pending=pending,
            timeout=request.connect_timeout + ANSWER_SECONDS,
        )

    def configure_again(self, talk: Conversation) -> None:
        """A new kernel gets every connection that was in force, but those whose secrets went with a former gateway."""
        for request in self._in_force.values():
            self.configure(talk, request)
        for connection in [*self._state.db.values()]:
            if connection.name not in self._in_force and connection.status == "success":
                self._ask_again(connection)

    def _ask_again(self, connection: Connection) -> None:
        message = "The gateway was started anew and kept no password: connect again."
        self._publish(
            DbConnectionUpdated(
                name=connection.name,
                connection_string=connection.connection_string,
                status="error",
                in_force=connection.connection_string,
                error=WireError(code=ErrorCode.DB_NEEDS_CREDENTIALS.value, message=message),
            )
        )

    def _connected(self, request: ConfigureDbRequest, pending: Pending | None, content: Reply) -> None:
        reply = decode_content(ConfigureDbReply, fields(content))
        self._in_force[request.name] = request
        shown = scrubbed(reply.redacted_url, request.url)
        self._tell(
            DbConnectionUpdated(
                name=request.name,
                connection_string=shown,
                status="success",
                in_force=shown,
                dialect=reply.dialect,
                seconds=reply.seconds,
                note=reply.note,
            ),
            pending,
        )
        if pending is not None:
            self._pendings.arrived(_token(pending))

    def _refused(self, request: ConfigureDbRequest, pending: Pending | None, error: TailraceError) -> None:
        safe = TailraceError(error.code, scrubbed(error.message, request.url))
        self._tell(
            DbConnectionUpdated(
                name=request.name,
                connection_string=redacted(request.url),
                status="error",
                in_force=self._shown(request.name),
                error=WireError(code=safe.code.value, message=safe.message),
            ),
            pending,
        )
        if pending is not None:
            self._pendings.fail(pending, safe)

    def heard(self, content: DbConfigured) -> None:
        """Another client of the kernel changed a connection."""
        error = content.error
        failed = content.status == "error"
        self._publish(
            DbConnectionUpdated(
                name=content.name,
                connection_string=content.redacted_url,
                status=content.status,
                in_force=self._shown(content.name) if failed else content.redacted_url,
                error=WireError(code=error.get("code", "internal"), message=error.get("message", ""))
                if error
                else None,
                dialect=content.dialect,
                note=content.note,
            )
        )

    def _tell(self, event: DbConnectionUpdated, pending: Pending | None) -> None:
        self._publish(_caused(event, pending))

    def _shown(self, name: str) -> str:
        former = self._state.db.get(name)
        return former.connection_string if former is not None else redacted(None)


def _token(pending: Pending) -> str:
    return f"db:{pending.cause.client}:{pending.cause.id}"


def _caused(event: DbConnectionUpdated, pending: Pending | None) -> Event:
    return replace(event, cause=pending.cause) if pending is not None else event
