"""The notebook file on disk: read, and replaced whole or not at all.

Knows bytes, temp files and renames; `percent` and `ipynb` know the two formats. Reading runs no code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailrace_gateway.records import StoredCell
from tailrace_protocol.objects import Output, Settings


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says: cells in order; outputs by cell id (`.ipynb` only); settings, defaults where it has none."""

    cells: tuple[StoredCell, ...]
    outputs: Mapping[str, tuple[Output, ...]]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Written:
    """`file_hash` is the SHA-256 of the bytes on disk; `changed` is false when they were these already."""

    file_hash: str
    changed: bool


@dataclass(frozen=True, slots=True)
class ChangedOnDisk:
    """The file is not the one last read or written: nothing was written. `contents` null: deleted or unreadable."""

    contents: Contents | None
    file_hash: str | None


class NotebookFile:
    """One `.py` (percent) or `.ipynb` file. All methods block: call them in a thread."""

    path: Path
    keeps_outputs: bool
    file_hash: str

    def read(self) -> Contents:
        """Raises TailraceError unreadable_notebook, not_found or too_large."""
        raise NotImplementedError

    def write(
        self,
        cells: Sequence[StoredCell],
        *,
        outputs: Mapping[str, tuple[Output, ...]] | None = None,
        settings: Settings | None = None,
    ) -> Written | ChangedOnDisk:
        """Replace the file. Raises TailraceError read_only or disk_full; the old file is then still whole."""
        raise NotImplementedError

    def poll(self) -> ChangedOnDisk | None:
        """Has somebody else written the file since? Looks at the bytes only when size, time or inode changed."""
        raise NotImplementedError
