"""Notebooks as Markdown: text cells as they are, code in fences, outputs in fences of their own. Pure; runs no code.

Reading takes fenced blocks marked `python`, `py` or `sql` as cells, leaves out those marked `output`, and keeps every
other fence as text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from tailrace_gateway.percent import PercentText, write_percent
from tailrace_gateway.records import StoredCell
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import CellType, DisplayOutput, ErrorOutput, Output, ResultOutput, StreamOutput

LANGUAGES: Mapping[str, CellType] = {"python": "python", "py": "python", "python3": "python", "sql": "sql"}
OUTPUT = "output"  # the mark of a fence that holds what a cell printed
_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*\{?[ \t]*([\w-]*)[^`]*$")
_TICKS = re.compile(r"`{3,}")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def write_markdown(cells: Sequence[StoredCell], outputs: Mapping[str, tuple[Output, ...]]) -> str:
    """The whole notebook; pictures are named by their types."""
    return "\n\n".join(part for cell in cells for part in _parts(cell, outputs.get(cell.id, ()))) + "\n"


def _parts(cell: StoredCell, outputs: Sequence[Output]) -> Iterator[str]:
    if cell.type == "markdown":
        yield cell.code
        return
    yield _fenced(cell.type, cell.code)
    text = "".join(plain(output) for output in outputs).rstrip("\n")
    if text:
        yield _fenced(OUTPUT, text)


def plain(output: Output) -> str:
    """What an output says in plain text, without colours."""
    match output:
        case StreamOutput(text=text):
            return _ESCAPES.sub("", text)
        case DisplayOutput(data=data) | ResultOutput(data=data):
            words = data.get("text/plain")
            return f"{_ESCAPES.sub('', words)}\n" if isinstance(words, str) else f"[{', '.join(data)}]\n"
        case ErrorOutput(ename=ename, evalue=evalue):
            return f"{ename}: {evalue}\n"


def _fenced(mark: str, text: str) -> str:
    """With one backtick more than the text has in a row."""
    ticks = "`" * max([3, *(len(found) + 1 for found in _TICKS.findall(text))])
    return f"{ticks}{mark}\n{text}\n{ticks}"


def read_markdown(text: str) -> tuple[StoredCell, ...]:
    """The cells, without ids."""
    cells: list[StoredCell] = []
    words: list[str] = []
    lines = text.replace("\r\n", "\n").split("\n")

    def close_text() -> None:
        body = "\n".join(words).strip("\n")
        if body.strip():
            cells.append(StoredCell(id="", type="markdown", code=body))
        words.clear()

    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            words.append(lines[at])
            at += 1
            continue
        end = _end_of(lines, at, fence[1])
        if fence[2] in LANGUAGES:
            close_text()
            cells.append(StoredCell(id="", type=LANGUAGES[fence[2]], code="\n".join(lines[at + 1 : end])))
        elif fence[2] != OUTPUT:
            words += lines[at : end + 1]
        at = end + 1
    close_text()
    return tuple(cells)


def _end_of(lines: Sequence[str], start: int, opening: str) -> int:
    """The line that closes the fence; the end of the text closes one that nothing else does."""
    for at in range(start + 1, len(lines)):
        line = lines[at].rstrip()
        if len(line) >= len(opening) and line == opening[0] * len(line):
            return at
    return len(lines)


def percent_of(content: bytes) -> bytes:
    """A Markdown file as a .py notebook. Raises TailraceError unreadable_notebook."""
    try:
        cells = read_markdown(content.decode())
    except UnicodeDecodeError:
        raise TailraceError(ErrorCode.UNREADABLE_NOTEBOOK, "The file is no UTF-8 text.") from None
    named = [StoredCell(id=f"m{number}", type=cell.type, code=cell.code) for number, cell in enumerate(cells, 1)]
    return write_percent(named or [StoredCell(id="m1", type="python")], PercentText()).encode()
