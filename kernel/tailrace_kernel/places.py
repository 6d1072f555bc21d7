"""Document order of the cells, as numbers with gaps: inserting or moving a cell renumbers nobody else.

Knows positions only, not what cells do.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

GAP = 1 << 20  # between neighbours after numbering anew


class Places:
    """`at[cell]` grows along the document; only its order means something."""

    def __init__(self) -> None:
        self.at: dict[str, int] = {}
        self._cells: list[str] = []
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def index(self, cell: str) -> int:
        return bisect_left(self._numbers, self.at[cell])

    def between(self, low: int, high: int) -> list[str]:
        """The cells with low ≤ number ≤ high, in order."""
        return self._cells[bisect_left(self._numbers, low) : bisect_left(self._numbers, high + 1)]

    def insert(self, index: int, cell: str) -> None:
        """Put a new cell in front of the one at `index`; beyond the end means the end."""
        index = min(index, len(self._cells))
        low = self._numbers[index - 1] if index else 0
        high = self._numbers[index] if index < len(self._numbers) else low + 2 * GAP
        self._cells.insert(index, cell)
        if high - low > 1:
            self._numbers.insert(index, (low + high) // 2)
            self.at[cell] = self._numbers[index]
        else:
            self._number_anew()

    def remove(self, cell: str) -> None:
        index = self.index(cell)
        del self._cells[index], self._numbers[index], self.at[cell]

    def moved(self, order: Sequence[str]) -> list[str]:
        """Which cells must be taken out and put back to reach `order` (a permutation of all cells)."""
        now = self._cells
        first, last = 0, len(now)
        while first < last and now[first] == order[first]:
            first += 1
        while last > first and now[last - 1] == order[last - 1]:
            last -= 1
        old, new = now[first:last], order[first:last]
        if old[1:] == list(new[:-1]):
            return old[:1]
        if old[:-1] == list(new[1:]):
            return old[-1:]
        return old

    def _number_anew(self) -> None:
        self._numbers = [GAP * (k + 1) for k in range(len(self._cells))]
        self.at = dict(zip(self._cells, self._numbers, strict=True))
