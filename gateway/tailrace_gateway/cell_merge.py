"""Three-way merge of notebooks: what was edited here and what was edited in the file, cell by cell. Pure.

A cell that only one side touched takes that side. Edits of both sides to one text are merged when they do not overlap;
else both texts stay, the one of the file in a disabled cell below ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import count

from msgspec.structs import replace

from tailrace_gateway.cell_ids import same_cells
from tailrace_gateway.merge import merge
from tailrace_gateway.records import CHANGE_FIELDS, StoredCell

Cells = Sequence[StoredCell]


@dataclass(frozen=True, slots=True)
class Merged:
    """`conflicts`: ids of cells that both sides changed in the same place."""

    cells: tuple[StoredCell, ...]
    conflicts: tuple[str, ...]


def merge_cells(base: Cells, ours: Cells, theirs: Cells) -> Merged:
    """`base` is what both sides started from. Versions are those of ours."""
    theirs = recognised(base, theirs)
    before, mine, other = ({cell.id: cell for cell in cells} for cells in (base, ours, theirs))
    order = _order([cell.id for cell in base], [cell.id for cell in ours], [cell.id for cell in theirs])
    cells: list[StoredCell] = []
    conflicts: list[str] = []
    taken = set(order)
    for cell_id in order:
        kept = _cell(before.get(cell_id), mine.get(cell_id), other.get(cell_id))
        if len(kept) > 1:
            conflicts.append(cell_id)
            kept[1] = replace(kept[1], id=_free(kept[1].id, taken))
        cells += kept
    return Merged(tuple(cells), tuple(conflicts))


def recognised(base: Cells, theirs: Cells) -> Cells:
    """Their cells under the ids they had: a cell without an id in the file gets another one when it is edited.

    A cell that vanished and one that appeared in the same gap between known cells, of one type, are the same.
    """
    known = {cell.id for cell in theirs}
    fresh = {cell.id for cell in theirs} - {cell.id for cell in base}
    if not fresh:
        return theirs
    names: dict[str, str] = {}
    matcher = SequenceMatcher(None, [cell.id for cell in base], [cell.id for cell in theirs], autojunk=False)
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if kind != "replace":
            continue
        gone = [cell for cell in base[i1:i2] if cell.id not in known]
        for cell in theirs[j1:j2]:
            match = next((old for old in gone if old.type == cell.type), None)
            if cell.id in fresh and match is not None:
                names[cell.id] = match.id
                gone.remove(match)
    return [replace(cell, id=names.get(cell.id, cell.id)) for cell in theirs]


def _cell(base: StoredCell | None, ours: StoredCell | None, theirs: StoredCell | None) -> list[StoredCell]:
    """The merged cell; none when it was deleted; two when both sides cannot be one."""
    match base, ours, theirs:
        case _, None, None:
            return []
        case None, StoredCell(), None:
            return [ours]
        case None, None, StoredCell():
            return [theirs]
        case StoredCell(), StoredCell(), None:
            return [] if same_cells([base], [ours]) else [ours]  # what was edited outlives a deletion
        case StoredCell(), None, StoredCell():
            return [] if same_cells([base], [theirs]) else [theirs]
        case _, StoredCell(), StoredCell():
            return _both(base or theirs, ours, theirs)
    raise AssertionError("every case is above")


def _free(cell_id: str, taken: set[str]) -> str:
    """This id, or with a number behind it one that no cell has; taken from now on."""
    names = (cell_id if number == 1 else f"{cell_id}-{number}" for number in count(1))
    free = next(name for name in names if name not in taken)
    taken.add(free)
    return free


def _both(base: StoredCell, ours: StoredCell, theirs: StoredCell) -> list[StoredCell]:
    fields = {
        name: getattr(ours if getattr(ours, name) != getattr(base, name) else theirs, name)
        for name in CHANGE_FIELDS
        if name != "code"
    }
    code = merge(base.code, ours.code, theirs.code)
    if code is not None:
        return [replace(ours, code=code, **fields)]
    copy = replace(theirs, id=f"{ours.id[:52]}-disk", mode="disabled", name="from the file", version=1)
    return [replace(ours, **fields), copy]


def _order(base: list[str], ours: list[str], theirs: list[str]) -> list[str]:
    """Our order, with their new cells where they put them; their order when only they moved cells."""
    common = set(base) & set(ours) & set(theirs)
    moved_here = [i for i in ours if i in common] != [i for i in base if i in common]
    lead, guest = (ours, theirs) if moved_here else (theirs, ours)
    order = list(lead)
    present = set(lead)
    for index, cell_id in enumerate(guest):
        if cell_id in present:
            continue
        above = next((one for one in reversed(guest[:index]) if one in present), None)
        order.insert(order.index(above) + 1 if above is not None else 0, cell_id)
        present.add(cell_id)
    return order
