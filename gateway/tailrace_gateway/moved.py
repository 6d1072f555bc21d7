"""A notebook file that was moved takes its journal along: undo, answers and outputs stay with it.

Knows the folders of the state directory, each with the path of its notebook file; must not know what a journal holds.
"""

import logging
import os
from contextlib import suppress
from pathlib import Path

from tailrace_gateway.disk import replace_file
from tailrace_gateway.journal import Recovered, open_journal
from tailrace_gateway.records import Saved
from tailrace_protocol.errors import TailraceError

log = logging.getLogger(__name__)

PLACE = "path"  # the file that names the notebook file
MAX_FOLDERS = 10_000  # looked at for one notebook
MAX_PATH = 4_096  # bytes


def remember_place(folder: Path, path: Path) -> None:
    """Note whose journal this folder holds. Raises OSError."""
    if _place(folder) != path:
        replace_file(folder / PLACE, os.fsencode(path))


def adopt(folder: Path, path: Path, file_hash: str) -> bool:
    """Give the notebook at `path` the folder of one whose file is gone and was last saved with these bytes.

    Blocking. `folder` must not exist: a notebook that has a journal keeps it. A copy of a file that is still there, and
    a file that was edited after it was moved, begin anew.
    """
    if folder.exists() or not folder.parent.exists():
        return False
    with os.scandir(folder.parent) as entries:
        others = [Path(entry.path) for entry, _ in zip(entries, range(MAX_FOLDERS), strict=False)]
    for other in others:
        place = _place(other)
        if place is not None and place.suffix == path.suffix and not place.exists() and _take(other, folder, file_hash):
            log.info("%s was %s: its history came along", path.name, place.name)
            return True
    return False


def _take(other: Path, folder: Path, file_hash: str) -> bool:
    try:
        journal, recovered = open_journal(other)
    except TailraceError:  # another gateway has it open
        return False
    try:
        if _saved_hash(recovered) != file_hash:
            return False
        other.rename(folder)
        return True
    except OSError as error:
        log.warning("the history of %s cannot be moved: %s", other.name, error.strerror)
        return False
    finally:
        journal.release()


def _saved_hash(recovered: Recovered) -> str | None:
    saved = recovered.image.saved if recovered.image is not None else None
    saved = next((entry for entry in reversed(recovered.records) if isinstance(entry, Saved)), saved)
    return saved.file_hash if saved is not None else None


def _place(folder: Path) -> Path | None:
    with suppress(OSError), (folder / PLACE).open("rb") as file:
        return Path(os.fsdecode(file.read(MAX_PATH)))
    return None
