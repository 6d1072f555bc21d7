"""What a person sees of a run: each cell's output as it comes, and a bar that says how far it is.

Knows rich and the terminal; gets messages and the record, decides nothing.
"""

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from tailrace_cli.probe_client import Message
from tailrace_cli.run_record import RunRecord

MARKS = {"success": ("✓", "green"), "error": ("✗", "red"), "interrupted": ("■", "yellow"), "blocked": ("✗", "red")}


class RunView:
    """Use it in a `with`. `quiet` leaves stdout alone (`--json`). The bar is on stderr unless both are one terminal."""

    def __init__(self, record: RunRecord, titles: Mapping[str, str], *, quiet: bool) -> None:
        self._record = record
        self._titles = titles
        shared = sys.stdout.isatty() and sys.stderr.isatty()
        self._out = Console(quiet=quiet, soft_wrap=True, highlight=False)
        self._bar_console = self._out if shared and not quiet else Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._bar_console,
            transient=self._bar_console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=len(record.code_cells()))
        self._inside_line = False
        self._under: str | None = None  # the cell whose heading was printed last
        self._last: dict[str, str] = {}  # each cell: `running`, or the end that was told last

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, message: Message) -> None:
        """Print what this message brought; the record has taken it already."""
        if message.type == "cell_status":
            self._statuses(message.content["changes"])
        elif message.cell_id is not None and (text := text_of(message)):
            self._heading(message.cell_id)
            self._out.print(Text.from_ansi(text) if "\x1b" in text else Text(text), end="")
            self._inside_line = not text.endswith("\n")
        self._bar.update(self._task, completed=self._record.done())

    def _statuses(self, changes: list[dict[str, Any]]) -> None:
        for change in changes:
            cell_id, status = change["cell_id"], change["status"]
            if status == "running":
                self._bar.update(self._task, description=self._titles.get(cell_id, cell_id))
            elif status in MARKS and self._last.get(cell_id) != status:
                self._ended(cell_id, status, change.get("seconds"))
            if status in MARKS or status == "running":
                self._last[cell_id] = status

    def _ended(self, cell_id: str, status: str, seconds: float | None) -> None:
        mark, colour = MARKS[status]
        took = "" if seconds is None else f"  {seconds:.2f} s"
        shown = status == "success" or self._under == cell_id  # its error stands right above
        why = "" if shown else f"  {self._record.why(cell_id)}"
        self._end_line()
        self._out.print(Text(f"{mark} {self._titles.get(cell_id, cell_id)}{took}{why}", style=colour))
        self._under = None

    def _heading(self, cell_id: str) -> None:
        if self._under != cell_id:
            self._end_line()
            self._out.print(Text(f"── {self._titles.get(cell_id, cell_id)}", style="dim"))
            self._under = cell_id

    def _end_line(self) -> None:
        if self._inside_line:
            self._out.print()
            self._inside_line = False


def overwritten(text: str) -> str:
    """What a terminal shows of lines that begin anew with a carriage return: of each the last writing."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def text_of(message: Message) -> str:
    """An output message as text that ends with a line end, or nothing when there is nothing to read."""
    content = message.content
    match message.type:
        case "stream":
            return overwritten(str(content.get("text", "")))
        case "execute_result" | "display_data":
            data = content.get("data") or {}
            if any(mime.startswith("application/vnd.vegalite") for mime in data):
                return "[Vega-Lite chart]\n"  # its plain text is about notebook frontends
            text = str(data.get("text/plain") or "") or ", ".join(data)
            return f"{text}\n" if text else ""
        case "error":
            lines = content.get("traceback") or [f"{content.get('ename')}: {content.get('evalue')}"]
            return "\n".join(lines).rstrip("\n") + "\n"
        case _:
            return ""
