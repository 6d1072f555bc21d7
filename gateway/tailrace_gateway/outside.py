"""The merge of a notebook with what somebody else wrote into its file: per cell, losing nothing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from tailrace_gateway.merge import merge
from tailrace_gateway.records import StoredCell

OUTSIDE = "outside"  # client of changes that somebody made in the file


@dataclass(frozen=True, slots=True)
class Merged:
    """`conflicts`: ids of cells that both sides changed; the other side's text follows in a cell of its own."""

    cells: tuple[StoredCell, ...]
    conflicts: tuple[str, ...]


def merge_outside(base: Sequence[StoredCell], ours: Sequence[StoredCell], theirs: Sequence[StoredCell]) -> Merged:
    """`base` is what both began with. Their order wins; cells that only we have stay behind their neighbour."""
    before = {cell.id: cell for cell in base}
    mine = {cell.id: cell for cell in ours}
    cells: list[StoredCell] = []
    conflicts: list[str] = []
    for cell in theirs:
        old, own = before.get(cell.id), mine.get(cell.id)
        if own is None:
            if old is None or not _same(old, cell):
                cells.append(cell)  # new there, or changed there after we deleted it
            continue
        cells.extend(_cell(old, own, cell, conflicts))
    _keep_ours(cells, before, ours, {cell.id for cell in theirs})
    return Merged(tuple(cells), tuple(conflicts))


def _cell(old: StoredCell | None, own: StoredCell, their: StoredCell, conflicts: list[str]) -> list[StoredCell]:
    if old is not None and _same(own, old):
        return [_versioned(own, their)]
    if _same(own, their) or (old is not None and _same(their, old)):
        return [own]
    code = merge(old.code, own.code, their.code) if old is not None else None
    if code is not None:
        return [_versioned(own, replace(their, code=code))]
    conflicts.append(own.id)
    return [own, replace(their, id=f"{own.id[:56]}-theirs", version=1)]


def _keep_ours(
    cells: list[StoredCell], before: dict[str, StoredCell], ours: Sequence[StoredCell], theirs: set[str]
) -> None:
    above: str | None = None
    for own in ours:
        old = before.get(own.id)
        if own.id not in theirs and (old is None or not _same(old, own)):
            at = next((index + 1 for index, cell in enumerate(cells) if cell.id == above), 0 if above is None else None)
            cells.insert(len(cells) if at is None else at, own)
        above = own.id


def _versioned(own: StoredCell, their: StoredCell) -> StoredCell:
    """Their cell, numbered on from ours."""
    return replace(their, version=own.version + (own.code != their.code))


def _same(one: StoredCell, other: StoredCell) -> bool:
    return replace(one, version=1) == replace(other, version=1)
