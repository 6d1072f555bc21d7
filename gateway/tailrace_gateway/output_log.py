"""The outputs of the cells of one notebook, beside the document: merged, cleared and capped as they arrive. Pure.

Rules: SPEC.md B0, "Fold rules". An output that does not fit under a cap is left out whole and its size counted, and so
is everything after it until the cell's outputs are cleared; errors are always kept.
"""

from typing import Any, assert_never

import msgspec

from tailrace_protocol.objects import (
    Cell,
    CellError,
    DisplayOutput,
    ErrorOutput,
    Output,
    ResultOutput,
    Stream,
    StreamOutput,
)

MAX_CELL_OUTPUT = 8 * 2**20  # bytes of one cell, as `size_of` counts them
MAX_NOTEBOOK_OUTPUT = 64 * 2**20  # bytes of all cells
EACH = 512  # bytes that an output takes beside its own, so that many small ones are bounded as well
PIECES = 1_000  # chunks of a stream that are kept apart until they are joined


class _CellLog:
    """Outputs of one cell. The text of the stream at the end grows in `tail`, joined when somebody looks."""

    __slots__ = ("bytes", "clearing", "error", "omitted", "outputs", "stream", "tail")

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.stream: Stream | None = None  # of the output that `tail` belongs to, the last one
        self.tail: list[str] = []
        self.bytes = 0
        self.omitted = 0
        self.error: CellError | None = None
        self.clearing = False

    def settle(self) -> None:
        if len(self.tail) > 1:
            text = "".join(self.tail)
            self.outputs[-1] = msgspec.structs.replace(self.outputs[-1], text=text)
            self.tail = [text]

    def push(self, output: Output) -> None:
        self.settle()
        self.outputs.append(msgspec.structs.replace(output, index=len(self.outputs)))
        if isinstance(output, StreamOutput):
            self.stream, self.tail = output.stream, [output.text]
        else:
            self.stream, self.tail = None, []


class OutputLog:
    def __init__(self, cell_limit: int = MAX_CELL_OUTPUT, notebook_limit: int = MAX_NOTEBOOK_OUTPUT) -> None:
        self._cell_limit = cell_limit
        self._notebook_limit = notebook_limit
        self._cells: dict[str, _CellLog] = {}
        self._displays: dict[str, set[str]] = {}  # display id → cells that show it
        self._bytes = 0

    def fill(self, cell: Cell) -> Cell:
        """The cell with its outputs; those that a pending clear will empty are left out."""
        log = self._cells.get(cell.id)
        if log is None or log.clearing:
            return cell
        log.settle()
        stdout = "".join(
            output.text for output in log.outputs if isinstance(output, StreamOutput) and output.stream == "stdout"
        )
        return msgspec.structs.replace(
            cell, outputs=tuple(log.outputs), stdout=stdout, error=log.error, omitted_bytes=log.omitted or None
        )

    def outputs(self, cell_id: str) -> tuple[Output, ...]:
        log = self._cells.get(cell_id)
        if log is None or log.clearing:
            return ()
        log.settle()
        return tuple(log.outputs)

    def load(self, cell: Cell) -> None:
        """Take over the outputs of a cell that enters the document."""
        self.forget(cell.id)
        if not (cell.outputs or cell.error or cell.omitted_bytes):
            return
        log = self._open(cell.id)
        for output in cell.outputs:
            self._add(cell.id, log, output)
        log.error = cell.error
        log.omitted = cell.omitted_bytes or 0

    def write(self, cell_id: str, stream: Stream, text: str) -> None:
        """Append to a stream; neighbouring chunks of one stream are one output."""
        log = self._cells.get(cell_id)
        if log is None or log.clearing:
            log = self._open(cell_id)
        size = len(text) if text.isascii() else len(text.encode())
        if not self._fits(log, size if log.stream == stream else size + EACH):
            log.omitted += size
        elif log.stream == stream:
            log.tail.append(text)
            if len(log.tail) > PIECES:
                log.settle()
            log.bytes += size
            self._bytes += size
        else:
            self._add(cell_id, log, StreamOutput(index=0, stream=stream, text=text))

    def append(self, cell_id: str, output: Output) -> None:
        if isinstance(output, StreamOutput):
            self.write(cell_id, output.stream, output.text)
            return
        log = self._open(cell_id)
        size = size_of(output)
        if self._fits(log, size + EACH) or isinstance(output, ErrorOutput):
            self._add(cell_id, log, output)
        else:
            log.omitted += size

    def omit(self, cell_id: str, size: int) -> None:
        """So many bytes of a cell that is full were left out."""
        self._open(cell_id).omitted += size

    def is_full(self, cell_id: str) -> bool:
        """Whether everything but errors is left out until the cell's outputs are cleared."""
        log = self._cells.get(cell_id)
        return log is not None and not log.clearing and log.omitted > 0

    def fail(self, cell_id: str, error: CellError) -> None:
        """Append an error and make it the cell's."""
        output = ErrorOutput(
            index=0, ename=error.ename, evalue=error.evalue, traceback=error.traceback, line=error.line
        )
        self.append(cell_id, output)
        self._cells[cell_id].error = error

    def update(self, display_id: str, output: Output) -> None:
        """Replace every output with this display id, in any cell, where the new one fits."""
        size = size_of(output)
        for cell_id in self._displays.get(display_id, ()):
            log = self._cells[cell_id]
            if log.clearing:
                continue
            for index, old in enumerate(log.outputs):
                if not isinstance(old, DisplayOutput | ResultOutput) or old.display_id != display_id:
                    continue
                growth = size - size_of(old)
                if growth > 0 and not self._has_room(log, growth):
                    log.omitted += size
                    continue
                log.outputs[index] = msgspec.structs.replace(output, index=index)
                log.bytes += growth
                self._bytes += growth

    def clear(self, cell_id: str, *, wait: bool) -> None:
        """Empty the outputs now, or (`wait`) at the next output, error or terminal status."""
        log = self._cells.get(cell_id)
        if log is None:
            return
        if not wait:
            self.forget(cell_id)
        elif not log.clearing:
            log.clearing = True
            self._bytes -= log.bytes

    def finish(self, cell_id: str) -> None:
        """A terminal status: what waits to be cleared is cleared."""
        log = self._cells.get(cell_id)
        if log is not None and log.clearing:
            self.forget(cell_id)

    def forget(self, cell_id: str) -> None:
        log = self._cells.pop(cell_id, None)
        if log is None:
            return
        if not log.clearing:
            self._bytes -= log.bytes
        for output in log.outputs:
            if isinstance(output, DisplayOutput | ResultOutput) and output.display_id is not None:
                self._hide(output.display_id, cell_id)

    def _open(self, cell_id: str) -> _CellLog:
        """The log of a cell about to show something: a waiting clear happens now."""
        self.finish(cell_id)
        return self._cells.setdefault(cell_id, _CellLog())

    def _add(self, cell_id: str, log: _CellLog, output: Output) -> None:
        size = size_of(output) + EACH
        log.push(output)
        log.bytes += size
        self._bytes += size
        if isinstance(output, DisplayOutput | ResultOutput) and output.display_id is not None:
            self._displays.setdefault(output.display_id, set()).add(cell_id)

    def _hide(self, display_id: str, cell_id: str) -> None:
        cells = self._displays.get(display_id)
        if cells is not None:
            cells.discard(cell_id)
            if not cells:
                del self._displays[display_id]

    def _fits(self, log: _CellLog, size: int) -> bool:
        return not log.omitted and self._has_room(log, size)

    def _has_room(self, log: _CellLog, size: int) -> bool:
        return log.bytes + size <= self._cell_limit and self._bytes + size <= self._notebook_limit


def size_of(output: Output) -> int:
    """Bytes an output counts for beside EACH: UTF-8 of every string, 8 for any other leaf. The page counts alike."""
    match output:
        case StreamOutput():
            return len(output.text.encode())
        case ErrorOutput():
            return _size([output.ename, output.evalue, *output.traceback])
        case DisplayOutput() | ResultOutput():
            return _size([output.data, output.metadata])
        case _:
            assert_never(output)


def _size(value: Any) -> int:
    total = 0
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            total += len(item) if item.isascii() else len(item.encode())
        elif isinstance(item, dict):
            todo.extend(item)
            todo.extend(item.values())
        elif isinstance(item, list | tuple):
            todo.extend(item)
        else:
            total += 8
    return total
