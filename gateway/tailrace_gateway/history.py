"""Who can take back what: one undo and one redo stack per client over the one history. Pure.

Knows steps, not the document: whether a step can still be taken back is for `document` to judge.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile

from tailrace_gateway.records import Record, Step

MAX_STEPS = 1_000  # undoable steps kept in all


class History:
    def __init__(self, undo: Iterable[Step] = (), redo: Iterable[Step] = ()) -> None:
        self._undo = deque(undo, maxlen=MAX_STEPS)
        self._redo = deque(redo, maxlen=MAX_STEPS)

    def last(self, client: str) -> Step | None:
        """The step that undo would take back."""
        return _last(self._undo, client)

    def last_undone(self, client: str) -> Step | None:
        """The step that redo would bring back."""
        return _last(self._redo, client)

    def since(self, revision: int) -> Iterator[Step]:
        """Steps in force that came after this revision, newest first."""
        return takewhile(lambda step: step.revision > revision, reversed(self._undo))

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
                self._undo.append(step)
                kept = [other for other in self._redo if other.client != record.client]
                if len(kept) != len(self._redo):
                    self._redo = deque(kept, maxlen=MAX_STEPS)
            case "undo":
                _drop(self._undo, record.undoes)
                self._redo.append(step)
            case "redo":
                _drop(self._redo, record.undoes)
                self._undo.append(step)

    def stacks(self) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """Undo and redo steps, oldest first."""
        return tuple(self._undo), tuple(self._redo)


def _last(stack: deque[Step], client: str) -> Step | None:
    return next((step for step in reversed(stack) if step.client == client), None)


def _drop(stack: deque[Step], revision: int | None) -> None:
    for index in range(len(stack) - 1, -1, -1):
        if stack[index].revision == revision:
            del stack[index]
            return
