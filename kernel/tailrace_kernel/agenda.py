"""The one pending set, and the runs that wait for its cells. Knows no values, and of the graph only cells' ranks."""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush

from tailrace_protocol.kernel_messages import KernelReason
from tailrace_protocol.objects import RunMode

MAX_RUNS = 3  # of one cell in one cascade


class Run:
    """One request while it is under way."""

    __slots__ = ("cells", "error", "id", "interrupted", "mode", "skipped", "success", "waiting")

    def __init__(self, run_id: str, mode: RunMode, cells: tuple[str, ...]) -> None:
        self.id = run_id
        self.mode = mode
        self.cells = cells
        self.waiting: set[str] = set()
        self.success = self.error = self.skipped = 0
        self.interrupted = False


class Entry:
    """A pending cell. `must`: run it even if fresh. `root`: all its descendants belong to the run, fresh or not."""

    __slots__ = ("follow", "must", "named", "reason", "root", "runs")

    def __init__(
        self, runs: list[Run], reason: KernelReason, named: bool, must: bool, root: bool, follow: bool
    ) -> None:
        self.runs = runs
        self.reason = reason
        self.named = named  # a request says its name: it may run unasked
        self.must = must or named
        self.root = root
        self.follow = follow  # what its run makes stale is added


class Agenda:
    def __init__(self, rank: Callable[[str], int]) -> None:
        self._rank = rank
        self.entries: dict[str, Entry] = {}
        self.runs: dict[str, Run] = {}
        self.counts: dict[str, int] = {}  # runs of each cell since the pending set was last empty
        self.stuck: dict[str, KernelReason] = {}  # cells that cannot run in this cascade
        self._heap: list[tuple[int, str]] = []

    def add(self, cell: str, entry: Entry) -> None:
        self.entries[cell] = entry
        heappush(self._heap, (self._rank(cell), cell))
        for run in entry.runs:
            run.waiting.add(cell)

    def sort_anew(self) -> None:
        """After a change of the graph, also when nothing is pending: cells that ran are in the heap under old ranks."""
        self._heap = [(self._rank(cell), cell) for cell in self.entries]
        heapify(self._heap)

    def first(self) -> str | None:
        """The pending cell of the lowest rank; it stays pending."""
        heap, entries = self._heap, self.entries
        while heap:
            cell = heap[0][1]
            if cell in entries:
                return cell
            heappop(heap)
        return None

    def nearest(self, most: int) -> Iterator[str]:
        """Pending cells by rank, at most so many; the pending set must not change meanwhile."""
        heap, entries = self._heap, self.entries
        frontier = [(heap[0], 0)] if heap else []
        seen: set[str] = set()
        while frontier and len(seen) < most:
            (_, cell), at = heappop(frontier)
            for child in (2 * at + 1, 2 * at + 2):
                if child < len(heap):
                    heappush(frontier, (heap[child], child))
            if cell in entries and cell not in seen:
                seen.add(cell)
                yield cell

    def take(self, cell: str) -> Entry:
        return self.entries.pop(cell)

    def calm(self) -> None:
        """The pending set is empty: a new cascade may begin."""
        self.counts.clear()
        self.stuck.clear()
        self._heap.clear()
