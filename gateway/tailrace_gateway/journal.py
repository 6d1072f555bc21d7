"""The journal of one notebook: records made durable before anybody is told of them.

Knows segments, frames and syncs; must not know what a record means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tailrace_gateway.records import Image, Record, Saved


class RecordLog(Protocol):
    """The port. `append` may be called concurrently; records become durable in the order of the calls."""

    async def append(self, record: Record | Saved) -> None:
        """Returns when the record is durable. Raises TailraceError read_only or disk_full; then every later
        append fails too, until `renew` succeeds."""

    async def renew(self, image: Image) -> None:
        """Start a new segment from this image: compaction, and the way back after a failed sync."""

    def wants_renewal(self) -> bool:
        """The segment has grown enough to be worth compacting."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal held when it was opened: null image = a new journal. `records` follow the image, in order."""

    image: Image | None
    records: Sequence[Record | Saved]


class FileJournal:
    """One directory per notebook, one writer: `open` raises TailraceError already_open for a second one."""

    @classmethod
    def open(cls, directory: Path) -> tuple["FileJournal", Recovered]:
        """Blocking: read what is there, cut a torn tail, and be ready to append."""
        raise NotImplementedError
