"""Notebook files as commands read them: cells in document order, or one sentence about why not."""

from pathlib import Path

from tailrace_cli.refusal import RefusedError
from tailrace_gateway.notebook_file import NotebookFile
from tailrace_gateway.percent import read_percent
from tailrace_gateway.records import StoredCell
from tailrace_protocol.errors import TailraceError

SUFFIXES = (".py", ".ipynb")


def read_cells(path: Path) -> tuple[StoredCell, ...]:
    """Reads and changes nothing. Raises RefusedError."""
    if path.is_dir():
        raise RefusedError(f"{path} is a folder: name one of its notebooks.")
    if not path.exists():
        raise RefusedError(f"There is no file {path}.")
    if path.suffix not in SUFFIXES:
        raise RefusedError(f"{path} is no notebook: give a .py file with `# %%` markers, or an .ipynb file.")
    try:
        return NotebookFile(path).read().cells
    except TailraceError as error:
        raise RefusedError(error.message) from None


def first_lines(path: Path) -> dict[str, int]:
    """Cell → the line of the file, from 1, on which its code begins; empty for `.ipynb`, whose lines say nothing."""
    if path.suffix != ".py":
        return {}
    text = read_percent(path.read_text(encoding="utf-8-sig").replace("\r\n", "\n"))
    found, start = {}, len(text.header) + 1
    for chunk in text.chunks:
        found[chunk.cell.id] = start + chunk.marked
        start += len(chunk.lines)
    return found


def title(cell: StoredCell) -> str:
    """How a person finds the cell again: its name or id, and its first line of code."""
    lines = (line.strip() for line in cell.code.splitlines())
    first = next((line for line in lines if line and not line.startswith(("#", "--", "%%"))), "")
    shown = first if len(first) <= 50 else first[:49] + "…"
    return f"{cell.name or cell.id} ({shown})" if shown else cell.name or cell.id
