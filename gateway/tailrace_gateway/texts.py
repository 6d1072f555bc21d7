"""Recent texts of each cell, by version and author: the bases of three-way merges. Pure and bounded."""

from collections import deque
from dataclasses import dataclass

KEPT = 32  # versions of one cell
KEPT_CHARACTERS = 2**18  # in the kept versions of one cell; the newest is always kept


@dataclass(frozen=True, slots=True)
class Text:
    version: int
    code: str
    author: str


class Texts:
    def __init__(self) -> None:
        self._cells: dict[str, deque[Text]] = {}
        self._sizes: dict[str, int] = {}  # characters kept of each cell

    def note(self, cell_id: str, version: int, code: str, author: str) -> None:
        kept = self._cells.setdefault(cell_id, deque())
        kept.append(Text(version, code, author))
        size = self._sizes.get(cell_id, 0) + len(code)
        while len(kept) > KEPT or (len(kept) > 1 and size > KEPT_CHARACTERS):
            size -= len(kept.popleft().code)
        self._sizes[cell_id] = size

    def get(self, cell_id: str, version: int) -> Text | None:
        return next((text for text in self._cells.get(cell_id, ()) if text.version == version), None)

    def author_since(self, cell_id: str, version: int, reader: str) -> str | None:
        """The last one but `reader` who wrote a text newer than this version; null when there is none."""
        newer = (text.author for text in reversed(self._cells.get(cell_id, ())) if text.version > version)
        return next((author for author in newer if author not in ("", reader)), None)

    def forget(self, cell_id: str) -> None:
        self._cells.pop(cell_id, None)
        self._sizes.pop(cell_id, None)
