"""Who can take back what: one undo and one redo stack per client over the one history. Pure.

Knows steps, not the document: whether a step can still be taken back is for `document` to judge.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile

from tailrace_gateway.records import Change, Insert, Operation, Record, Replace, Rewrite, Step, StoredCell

OUTSIDE = "outside"  # the client that edits made in the file count for; anybody may take them back
MAX_STEPS = 1_000  # undoable steps kept in all
MAX_BYTES = 16 * 2**20  # of their operations, in each stack; the newest step is always kept


class History:
    def __init__(self, undo: Iterable[Step] = (), redo: Iterable[Step] = ()) -> None:
        self._undo = _Stack(undo)
        self._redo = _Stack(redo)

    def last(self, client: str) -> Step | None:
        """The step that undo would take back: the last one of this client, or of an edit made in the file."""
        return self._undo.last(client, OUTSIDE)

    def last_undone(self, client: str) -> Step | None:
        """The step that redo would bring back."""
        return self._redo.last(client)

    def since(self, revision: int) -> Iterator[Step]:
        """Steps in force that came after this revision, newest first."""
        return takewhile(lambda step: step.revision > revision, reversed(self._undo.steps))

    def note(self, record: Record) -> None:
        """A record was applied: move its step between the stacks. A record without an inverse is no step."""
        if record.operation is None or record.inverse is None:
            return
        step = Step(
            id=record.id,
            client=record.client,
            revision=record.revision,
            operation=record.operation,
            inverse=record.inverse,
        )
        match record.kind:
            case "do":
                self._undo.push(step)
                self._redo.drop_all(record.client)
            case "undo":
                self._undo.drop(record.undoes)
                self._redo.push(step)
            case "redo":
                self._redo.drop(record.undoes)
                self._undo.push(step)

    def stacks(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Undo and redo steps, oldest first."""
        return tuple(self._undo.steps), tuple(self._redo.steps)


class _Stack:
    """Steps of all clients in order, bounded in number and bytes."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps: deque[Step] = deque()
        self._bytes = 0
        for step in steps:
            self.push(step)

    def push(self, step: Step) -> None:
        self.steps.append(step)
        self._bytes += _size(step)
        while len(self.steps) > MAX_STEPS or (len(self.steps) > 1 and self._bytes > MAX_BYTES):
            self._bytes -= _size(self.steps.popleft())

    def last(self, *clients: str) -> Step | None:
        return next((step for step in reversed(self.steps) if step.client in clients), None)

    def drop(self, revision: int | None) -> None:
        for index in range(len(self.steps) - 1, -1, -1):
            if self.steps[index].revision == revision:
                self._bytes -= _size(self.steps[index])
                del self.steps[index]
                return

    def drop_all(self, client: str) -> None:
        gone = [step for step in self.steps if step.client == client]
        if gone:
            self._bytes -= sum(map(_size, gone))
            self.steps = deque(step for step in self.steps if step.client != client)


def _size(step: Step) -> int:
    return _size_of(step.operation) + _size_of(step.inverse)


def _size_of(operation: Operation) -> int:
    """About the bytes it takes in the journal; only texts count."""
    match operation:
        case Change(code=str() as code) | Insert(cell=StoredCell(code=code)):
            return 100 + len(code)
        case Replace(cells=cells):
            return sum(100 + len(cell.code) for cell in cells)
        case Rewrite(changes=changes):
            return sum(map(_size_of, changes))
        case _:
            return 100
