"""The live table of `tailrace probe watch --table`: one row a cell, folded from IOPub messages.

Knows what the messages mean for a row; must not know sockets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tailrace_cli.probe_client import Message

COLOURS = {"success": "green", "error": "red", "running": "cyan", "queued": "cyan", "stale": "yellow"}


@dataclass(frozen=True, slots=True)
class Row:
    status: str = "idle"
    seconds: float | None = None
    last: str = ""  # last line of output
    reason: str = ""


Rows = dict[str, Row]


def rows_of(graph: Mapping[str, Any]) -> Rows:
    """The rows that a `graph_reply` gives, in document order."""
    return {cell: Row(status=graph["cells"][cell]["status"]) for cell in graph["order"]}


def fold(rows: Rows, message: Message) -> Rows:
    """The rows after one IOPub message; messages that say nothing about a cell change nothing."""
    match message.type:
        case "cell_status":
            for change in message.content["changes"]:
                before = rows.get(change["cell_id"], Row())
                reason = (change.get("reason") or {}).get("code", "")
                row = replace(before, status=change["status"], seconds=change.get("seconds"), reason=reason)
                rows = {**rows, change["cell_id"]: row}
            return rows
        case "cell_registered":
            return {**rows, message.content["cell_id"]: rows.get(message.content["cell_id"], Row())}
        case "cell_removed":
            return {cell: row for cell, row in rows.items() if cell != message.content["cell_id"]}
        case _:
            line = last_line(message)
            if line and message.cell_id in rows:
                return {**rows, message.cell_id: replace(rows[message.cell_id], last=line)}
            return rows


def last_line(message: Message) -> str:
    """The last line of text in an output message, else nothing."""
    content = message.content
    match message.type:
        case "stream":
            text = content.get("text", "")
        case "execute_result" | "display_data":
            text = str(content.get("data", {}).get("text/plain", ""))
        case "error":
            text = f"{content.get('ename')}: {content.get('evalue')}"
        case _:
            return ""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def table(rows: Rows) -> Table:
    shown = Table("cell", "status", "why", "seconds", "last output")
    for cell, row in rows.items():
        seconds = "" if row.seconds is None else f"{row.seconds:.3f}"
        status = Text(row.status, style=COLOURS.get(row.status, ""))
        shown.add_row(Text(cell), status, Text(row.reason), seconds, Text(row.last[:200]))
    return shown


def follow(graph: Mapping[str, Any], messages: Iterable[Message]) -> None:
    """Show the table and keep it up to date until the messages end."""
    rows = rows_of(graph)
    with Live(table(rows), console=Console(), refresh_per_second=8) as live:
        for message in messages:
            rows = fold(rows, message)
            live.update(table(rows))
