"""Numbers about one gateway, for `/metrics`, and one line of the log per command. Knows no documents and no sockets.

The event loop is watched as well: how late it wakes up, and what failed in it without anybody noticing.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from tailrace_protocol.commands import Command
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.events import CommandExecuted, CommandFailed

log = logging.getLogger(__name__)

LAG_EVERY = 0.5  # seconds between two measurements of the loop
MAX_CLIENTS = 256  # clients with a line of their own; the rest count as "other"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """One per gateway: several may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        given: Mapping[str, Any] = {"registry": self.registry}
        self._commands = Counter("tailrace_commands", "Commands answered", ("command", "code"), **given)
        self._seconds = Histogram("tailrace_command_seconds", "From arrival to end", buckets=SECONDS, **given)
        self._lag = Histogram("tailrace_loop_lag_seconds", "Lateness of the event loop", buckets=SECONDS, **given)
        self._failures = Counter("tailrace_unhandled", "Exceptions that nothing handled", **given)
        self._reconnects = Counter("tailrace_reconnects", "Attaches after the first", ("client",), **given)
        self._open = Gauge("tailrace_open_notebooks", "Notebooks that are open", **given)
        self._clients = Gauge("tailrace_clients", "Attached clients", **given)
        self._events = Gauge("tailrace_events", "Events published by the open notebooks", **given)
        self._seen: set[str] = set()
        self._named: set[str] = set()
        self.failures = 0

    def command(
        self,
        command: str,
        code: str,
        seconds: float,
        *,
        client: str,
        command_id: str,
        cell_id: str | None = None,
        run_id: str | None = None,
    ) -> None:
        """A command has ended: count it, and write its line. `code`: ok, or that of its error."""
        self._commands.labels(command, code).inc()
        self._seconds.observe(seconds)
        log.info(
            "%s client=%s id=%s cell=%s run=%s ms=%.1f code=%s",
            command,
            client,
            command_id,
            cell_id or "-",
            run_id or "-",
            seconds * 1_000,
            code,
        )

    def ended(self, event: CommandExecuted | CommandFailed, run_id: str | None) -> None:
        self.command(
            event.command,
            "ok" if isinstance(event, CommandExecuted) else event.code,
            event.seconds if isinstance(event, CommandExecuted) else 0.0,
            client=event.client,
            command_id=event.id,
            cell_id=event.cell_id,
            run_id=run_id,
        )

    def refused(self, command: Command, client: str, error: TailraceError) -> None:
        kind, cell_id = str(command.__struct_config__.tag), getattr(command, "cell_id", None)
        self.command(kind, error.code.value, 0.0, client=client, command_id=command.id, cell_id=cell_id)

    def attached(self, client: str) -> None:
        """A client attached to a notebook: the first time, or again."""
        if client not in self._seen:
            if len(self._seen) < 10 * MAX_CLIENTS:
                self._seen.add(client)
            return
        if len(self._named) < MAX_CLIENTS:
            self._named.add(client)
        self._reconnects.labels(client if client in self._named else "other").inc()

    def failed(self) -> None:
        """An exception that nothing handled."""
        self.failures += 1
        self._failures.inc()

    def loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The exception handler of the event loop."""
        self.failed()
        error = context.get("exception")
        log.error("unhandled in the event loop: %s", context.get("message"), exc_info=error)

    async def watch_loop(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY
            await asyncio.sleep(LAG_EVERY)
            self._lag.observe(max(0.0, loop.time() - due))

    def text(self, notebooks: int, clients: int, events: int) -> bytes:
        """The answer to GET /metrics."""
        self._open.set(notebooks)
        self._clients.set(clients)
        self._events.set(events)
        return generate_latest(self.registry)
