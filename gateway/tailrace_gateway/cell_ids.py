"""Ids of cells whose file gives them none: derived from the cell, the same at every reading. Pure."""

import hashlib
import re
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from tailrace_gateway.records import StoredCell

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def with_ids(cells: Sequence[StoredCell]) -> tuple[StoredCell, ...]:
    """The cells, each with an id of its own: unusable and repeated ids count as missing."""
    taken: set[str] = set()
    kept = []
    for cell in cells:
        usable = _ID.fullmatch(cell.id) is not None and cell.id not in taken
        kept.append(usable)
        if usable:
            taken.add(cell.id)
    ordinals: dict[tuple[str, str], int] = {}  # of equal cells, so that many of them take linear time
    return tuple(
        cell if ok else replace(cell, id=_derive(cell, taken, ordinals)) for cell, ok in zip(cells, kept, strict=True)
    )


def _derive(cell: StoredCell, taken: set[str], ordinals: dict[tuple[str, str], int]) -> str:
    """An id made of type, code and how many equal cells stand above."""
    key = (cell.type, cell.code)
    while True:
        ordinal = ordinals[key] = ordinals.get(key, -1) + 1
        cell_id = hashlib.sha256(f"{cell.type}\0{ordinal}\0{cell.code}".encode()).hexdigest()[:8]
        if cell_id not in taken:
            taken.add(cell_id)
            return cell_id


def same_cells(one: Iterable[StoredCell], two: Iterable[StoredCell]) -> bool:
    """Equal but for the versions, which no file holds."""
    return [replace(cell, version=0) for cell in one] == [replace(cell, version=0) for cell in two]
