"""Notebooks as Python files with `# %%` markers (jupytext's percent format). Pure: text in, text out.

Cells that did not change keep their very characters. What the format cannot say (half-typed strings that would swallow
the next marker, odd white space) goes into the marker as `tailrace={…}`, so that reading gives back what was written.
Runs no code.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jupytext.cell_reader import DoublePercentScriptCellReader
from jupytext.cell_to_text import DoublePercentCellExporter
from jupytext.header import header_to_metadata_and_cell
from jupytext.pep8 import pep8_lines_between_cells
from msgspec.structs import replace as struct_replace
from nbformat.notebooknode import from_dict

from tailrace_gateway.cell_ids import same_cells, with_ids
from tailrace_gateway.records import StoredCell

Metadata = dict[str, Any]
EXTRA = "tailrace"  # key of our own settings in a marker
_MARKER = re.compile(r"\s*#\s*%%")
_MARKER_LINE = re.compile(r"\s*#\s*%%(%*\s|$)")  # a marker for certain; jupytext knows some more
_FORMAT = {"extension": ".py", "format_name": "percent"}


@dataclass(frozen=True, slots=True)
class Chunk:
    """One cell as it stands in the file: its lines, and what its marker said. `given`: the id there, or nothing."""

    cell: StoredCell
    given: str
    lines: tuple[str, ...]
    metadata: Metadata
    marked: bool
    raw: bool  # a jupytext raw cell: shown as markdown, written back as raw


@dataclass(frozen=True, slots=True)
class PercentText:
    """A whole file as read: what stands before the first cell, and the cells."""

    header: tuple[str, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    magics: bool = True  # magics are commented out, as plain Python needs it
    by_id: Mapping[str, Chunk] = field(default_factory=dict)
    text: str = ""

    @property
    def cells(self) -> tuple[StoredCell, ...]:
        return tuple(chunk.cell for chunk in self.chunks)


def read_percent(text: str, former: PercentText | None = None) -> PercentText:
    """Parse. Raises ValueError with a sentence for a person when the text is no percent notebook.

    Cells whose lines are those of `former` are not parsed again: most of a file is, after one edit.
    """
    lines = text.split("\n")
    start, magics = _header_of(lines)
    same = former is not None and former.magics == magics
    chunks = _chunks(lines, start, magics, _reusable(former) if former is not None and same else {})
    cells = with_ids([struct_replace(chunk.cell, id=chunk.given) for chunk in chunks])
    named = tuple(replace(chunk, cell=cell) for cell, chunk in zip(cells, chunks, strict=True))
    by_id = {chunk.cell.id: chunk for chunk in named}
    return PercentText(header=tuple(lines[:start]), chunks=named, magics=magics, by_id=by_id, text=text)


def write_percent(cells: Sequence[StoredCell], former: PercentText) -> str:
    """The text of `rewrite_percent`."""
    return rewrite_percent(cells, former).text


def rewrite_percent(cells: Sequence[StoredCell], former: PercentText) -> PercentText:
    """The file that says `cells`, with as few changes to the former text as that takes."""
    if former.chunks and same_cells(cells, former.cells):
        return former
    explicit: set[str] = set()
    for _ in range(3):
        text = _join(cells, former, explicit)
        read = read_percent(text, former)
        if same_cells(read.cells, cells):
            return read
        explicit |= {cell.id for cell, other in zip(cells, read.cells, strict=False) if cell.id != other.id}
    return read_percent(_join(cells, replace_chunks(former), {cell.id for cell in cells}))


def replace_chunks(former: PercentText) -> PercentText:
    """The same header, and no cell to reuse."""
    return PercentText(header=former.header, magics=former.magics)


def _header_of(lines: list[str]) -> tuple[int, bool]:
    """Lines of the header, and whether magics are comments. A marker is no header, whatever words it holds."""
    if _MARKER.match(lines[0]):
        return 0, True
    notebook, _, _, start = header_to_metadata_and_cell([line.rstrip("\r") for line in lines], "#", "", ".py")
    return start, _magics_of(notebook)


def _magics_of(notebook: Metadata) -> bool:
    """Are magics comments here? Raises ValueError for other formats than percent and hydrogen."""
    options = notebook.get("jupytext", {})
    name = options.get("text_representation", {}).get("format_name", "percent")
    if name not in {"percent", "hydrogen"}:
        raise ValueError(
            f"its header says that it is in jupytext's {name!r} format; convert it with `jupytext --to py:percent`"
        )
    return bool(options.get("comment_magics", name == "percent"))


def _chunks(lines: list[str], start: int, magics: bool, known: Mapping[str, Chunk]) -> list[Chunk]:
    clean = [line.rstrip("\r") for line in lines] if any("\r" in line for line in lines) else lines
    chunks = []
    while start < len(lines) and (start < len(lines) - 1 or clean[start]):
        chunk = known.get(lines[start])
        if chunk is None or not _stands_at(chunk, lines, start):
            chunk = _parse_cell(lines, clean, start, magics)
        chunks.append(chunk)
        start += len(chunk.lines)
    return chunks


def _reusable(former: PercentText) -> Mapping[str, Chunk]:
    """Cells by marker line. A code fence in markdown looks at the lines below the cell: such a cell is parsed again."""
    return {
        chunk.lines[0]: chunk
        for chunk in former.chunks
        if chunk.marked and not any("```" in line or "~~~" in line for line in chunk.lines)
    }


def _stands_at(chunk: Chunk, lines: list[str], start: int) -> bool:
    """Do just these lines stand here, and a marker or the end of the file after them?"""
    end = start + len(chunk.lines)
    return tuple(lines[start:end]) == chunk.lines and (end == len(lines) or _MARKER_LINE.match(lines[end]) is not None)


def _parse_cell(lines: list[str], clean: list[str], start: int, magics: bool) -> Chunk:
    window = 256
    while True:  # a cell is read from a window of lines: slicing the whole rest each time is quadratic
        part = clean[start : start + window]
        reader, length = _read_cell(part, magics)
        if length < len(part) or start + window >= len(lines):
            return _chunk(reader, lines[start : start + length])
        window *= 4


def _read_cell(lines: list[str], magics: bool) -> tuple[Any, int]:
    """jupytext's reader of one cell, and the lines it took; not its `read`, which validates each cell for 1 ms."""
    reader = DoublePercentScriptCellReader({**_FORMAT, "comment_magics": magics}, "python")
    reader.metadata_and_language_from_option_line(lines[0])
    reader.language = (reader.metadata or {}).pop("language", None)
    return reader, reader.find_cell_content(lines)


def _chunk(reader: Any, lines: list[str]) -> Chunk:
    metadata: Metadata = dict(reader.metadata or {})
    extra = metadata.pop(EXTRA, None)
    extra = extra if isinstance(extra, dict) else {}
    code = "\n".join(reader.content).replace("\r", "\n")
    kind, language = reader.cell_type, reader.language
    if kind == "code" and language and language != "python" and isinstance(language, str):
        arguments = metadata.pop("magic_args", None)
        if language != "sql" or arguments is not None:
            first = f"%%{language} {arguments}" if arguments else f"%%{language}"
            code = f"{first}\n{code}"
    if kind == "code":
        kind = "sql" if language == "sql" or code.startswith("%%sql") else "python"
    cell_id = metadata.pop("id", "")
    cell = _stored(str(cell_id), kind, code, extra)
    unknown = {key: value for key, value in extra.items() if key not in _KNOWN}
    if unknown:
        metadata[EXTRA] = unknown
    marked = bool(reader.start_code_re.match(lines[0]) or reader.alternative_start_code_re.match(lines[0]))
    return Chunk(cell, cell.id, tuple(lines), metadata, marked, kind == "raw")


_KNOWN = frozenset({"name", "mode", "execution", "type", "code", "lines"})


def _stored(cell_id: str, kind: str, code: str, extra: Metadata) -> StoredCell:
    """The cell with our own settings; one with a value of no meaning is as if it were not there."""
    if isinstance(extra.get("code"), str) and not code.strip():
        code = extra["code"]
    lines = extra.get("lines", 0)
    if isinstance(lines, int) and 0 < lines < 1_000:
        code += "\n" * lines
    name, mode, execution = extra.get("name"), extra.get("mode"), extra.get("execution")
    wanted = extra.get("type")
    return StoredCell(
        id=cell_id,
        type=wanted if wanted in {"python", "sql", "markdown"} else "markdown" if kind == "raw" else kind,  # type: ignore[arg-type]
        code=code,
        name=name if isinstance(name, str) else None,
        mode=mode if mode in {"auto", "manual", "disabled"} else "auto",
        execution=execution if execution in {"local", "cluster"} else "local",
    )


def _join(cells: Sequence[StoredCell], former: PercentText, explicit: set[str]) -> str:
    """All cells as text. Ids in `explicit` are written even where the former text had none."""
    places = {chunk.cell.id: place for place, chunk in enumerate(former.chunks)}
    last = len(former.chunks) - 1
    parts: list[list[str]] = []  # from the end
    below: int | None = None  # former place of the cell below; -1 stands for a new one
    for index in range(len(cells) - 1, -1, -1):
        cell = cells[index]
        chunk = former.by_id.get(cell.id)
        place = places.get(cell.id, -1)
        usable = chunk is not None and (chunk.marked or index == 0) and cell.id not in explicit
        following = parts[-1] if parts else []
        neighbours = chunk is not None and (place == last if below is None else place + 1 == below)
        if chunk is not None and usable and same_cells([cell], [chunk.cell]):
            part = list(chunk.lines)
            blank = 0 if neighbours else _blank_lines(part, following)
        else:
            part = _render(cell, chunk, former.magics)
            blank = _trailing(chunk.lines) if chunk is not None and neighbours else 1
            blank = blank if blank in {0, 1, 2} and part[-1].strip() else _blank_lines(part, following)
        if not neighbours and below is None:
            part, blank = _stripped(part), 1
        parts.append(part + [""] * blank)
        below = place
    return "\n".join([*former.header, *(line for part in reversed(parts) for line in part)])


def _blank_lines(part: list[str], following: list[str]) -> int:
    """How many blank lines go between this cell and the next: as many as PEP 8 wants, unless some are there."""
    if not following:
        return 1
    return 0 if not part[-1].strip("\r") else max(1, pep8_lines_between_cells(part, following, ".py"))


def _trailing(lines: Sequence[str]) -> int:
    return len(lines) - len(_stripped(lines))


def _stripped(lines: Sequence[str]) -> list[str]:
    kept = list(lines)
    while kept and not kept[-1].strip("\r"):
        kept.pop()
    return kept


# What may follow a cell at worst: a marker, and lines that would close a code fence left open in markdown.
_NEXT = ("# %%", "0", "# " + "`" * 100, "# " + "~" * 100)


def _render(cell: StoredCell, chunk: Chunk | None, magics: bool) -> list[str]:
    """Lines of one cell with its marker, such that reading them gives the cell back."""
    body = cell.code.rstrip("\n")
    ends = len(cell.code) - len(body)
    for code, extra in ((body, {"lines": ends} if ends else {}), ("", {"code": cell.code})):
        lines = _export(cell, code, extra, chunk, magics)
        reader, length = _read_cell([*lines, "", *_NEXT], magics)
        if length == len(lines) + 1:
            back = _chunk(reader, lines).cell
            if same_cells([struct_replace(back, id=cell.id)], [cell]):
                return lines
    return lines


def _export(cell: StoredCell, code: str, extra: Metadata, chunk: Chunk | None, magics: bool) -> list[str]:
    metadata: Metadata = {}
    source = code
    if cell.type == "sql":
        metadata["language"] = "sql"
        first, _, rest = code.partition("\n")
        if first == "%%sql" or first.startswith("%%sql "):
            metadata["magic_args"] = first[6:]
            source = rest
    metadata["id"] = cell.id
    if chunk is not None:
        metadata |= {key: value for key, value in chunk.metadata.items() if key != EXTRA}
    ours = dict(chunk.metadata.get(EXTRA, {})) if chunk is not None else {}
    ours |= {"name": cell.name} if cell.name else {}
    ours |= {"mode": cell.mode} if cell.mode != "auto" else {}
    ours |= {"execution": cell.execution} if cell.execution != "local" else {}
    ours |= {"type": "python"} if cell.type == "python" and cell.code.startswith("%%sql") else {}
    if ours | extra:
        metadata[EXTRA] = ours | extra
    raw = chunk is not None and chunk.raw and cell.type == "markdown"
    kind = "raw" if raw else "markdown" if cell.type == "markdown" else "code"
    node = from_dict({"cell_type": kind, "source": source, "metadata": metadata})  # type: ignore[no-untyped-call]
    exporter = DoublePercentCellExporter(node, "python", {**_FORMAT, "comment_magics": magics})
    return [line for text in exporter.cell_to_text() for line in text.split("\n")]
