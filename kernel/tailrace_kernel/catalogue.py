"""The cells as they were registered: source, analysis and what the runner needs to run them.

Knows analysis and compilation; must not know sockets, the graph or values. Analysing happens outside the lock of
the machine, one registration at a time: the compiler's flags and the user's transformers are shared.
"""

import linecache
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from ipykernel.compiler import get_file_name
from IPython.core.displayhook import DisplayHook
from msgspec.structs import replace as replace_request

from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import Analysis, CellCode
from tailrace_kernel.renaming import Renaming, Source, rename
from tailrace_kernel.sql_cell import DEFAULT_DIALECTS, EMBEDDED, SqlCell, analyze_sql_cell, is_sql_cell
from tailrace_kernel.stimuli import CellRegistered
from tailrace_protocol.kernel_messages import RegisterCellRequest

KEPT_SOURCES = 20_000  # file names whose lines tracebacks can still show


@dataclass(frozen=True, slots=True)
class PythonCell:
    """`code` is None when the source does not parse; running it then shows the syntax error."""

    source: str
    filename: str
    code: CellCode | None
    silent: bool  # ends with `;`


@dataclass(frozen=True, slots=True)
class Entry:
    request: RegisterCellRequest
    analysis: Analysis
    payload: PythonCell | SqlCell | None  # None for markdown


class Catalogue:
    """`transform` turns IPython syntax into Python."""

    def __init__(self, transform: Callable[[str], str]) -> None:
        self.entries: dict[str, Entry] = {}
        self.dialects: Mapping[str, str] = DEFAULT_DIALECTS  # connection → sqlglot dialect
        self.embedded: Collection[str] = EMBEDDED
        self._transform = transform
        self._compiling = threading.Lock()
        self._filenames: dict[str, int] = {}  # → how many entries of `_recent` name it
        self._recent: deque[str] = deque()

    def analyse(self, request: RegisterCellRequest) -> Entry:
        """What the cell would be; keeps the last good analysis of a cell that does not parse now."""
        with self._compiling:
            match request.cell_type:
                case "markdown":
                    return Entry(request, Analysis(), None)
                case "sql":
                    return self._sql(request)
                case "python":
                    return self._sql(request) if is_sql_cell(request.code) else self._python(request)

    def keep(self, entry: Entry) -> None:
        self.entries[entry.request.cell_id] = entry

    def forget(self, cell_id: str) -> None:
        self.entries.pop(cell_id, None)

    def is_cell_file(self, filename: str) -> bool:
        return filename in self._filenames

    def renaming(self, order: Iterable[str], name: str, new: str) -> Renaming:
        """The edits that give a variable another name in every cell. Raises RenameRefusedError. Registers nothing."""
        with self._compiling:
            sources = [self._source(entry, entry.request.code) for entry in map(self.entries.get, order) if entry]
            return rename(sources, name, new, self._analysed_as, self._transform)

    def _source(self, entry: Entry, code: str) -> Source:
        sql = entry.payload if isinstance(entry.payload, SqlCell) else None
        return Source(entry.request.cell_id, code, entry.analysis, sql)

    def _analysed_as(self, source: Source, code: str) -> Source:
        entry = self.entries[source.cell_id]
        if source.sql is not None:
            return self._source(self._sql(replace_request(entry.request, code=code)), code)
        return Source(source.cell_id, code, analyze(code, transform=self._transform))

    def stimulus(self, entry: Entry) -> CellRegistered:
        request = entry.request
        return CellRegistered(
            cell_id=request.cell_id,
            code=request.code,
            analysis=entry.analysis,
            cell_type=request.cell_type,
            mode=request.mode,
            version=request.version,
            after_cell_id=request.after_cell_id,
            index=request.index,
            allow_outside_effects=request.allow_outside_effects,
            payload=entry.payload,
        )

    def _python(self, request: RegisterCellRequest) -> Entry:
        filename = get_file_name(request.code)
        analysis = analyze(request.code, filename=filename, transform=self._transform)
        code = analysis.code
        self._remember(filename, code.transformed if code else request.code)
        known = self.entries.get(request.cell_id)
        if not analysis.parses and known is not None:
            analysis = replace(known.analysis, diagnostics=analysis.diagnostics, code=None, parses=False)
        silent = code is not None and code.last is not None and ends_silently(code.transformed)
        return Entry(request, analysis, PythonCell(request.code, filename, code, silent))

    def _sql(self, request: RegisterCellRequest) -> Entry:
        cell = analyze_sql_cell(request.code, request.connection, request.result, self.dialects, self.embedded)
        return Entry(request, cell.analysis, cell)

    def _remember(self, filename: str, source: str) -> None:
        """Give tracebacks and the debugger the lines of a cell; the oldest edits are forgotten."""
        lines = [line + "\n" for line in source.splitlines()]
        linecache.cache[filename] = (len(source), None, lines, filename)
        self._filenames[filename] = self._filenames.get(filename, 0) + 1
        self._recent.append(filename)
        if len(self._recent) > KEPT_SOURCES:
            oldest = self._recent.popleft()
            self._filenames[oldest] -= 1
            if not self._filenames[oldest]:
                del self._filenames[oldest]
                linecache.cache.pop(oldest, None)


def ends_silently(source: str) -> bool:
    """Whether the last expression's value is not shown: the source ends with `;` (comments may follow)."""
    return ";" in source and bool(DisplayHook.semicolon_at_end_of_expression(source))
