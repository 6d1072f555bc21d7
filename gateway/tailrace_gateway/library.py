"""Served paths → notebook files with stable ids. Knows the file system by name only: reads no cell, runs nothing."""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailrace_protocol.errors import ErrorCode, TailraceError

SUFFIXES = (".py", ".ipynb")
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})
MAX_DEPTH = 8  # folders below a served one
MAX_FILES = 10_000  # looked at in one listing
HEAD = 64 * 2**10  # bytes of a .py file in which its first cell marker must stand
_MARKER = re.compile(rb"^# %%", re.MULTILINE)
_NAME = re.compile(r"[^\x00-\x1f/\\]{1,200}")
EMPTY = {
    ".py": "# %%\n",
    ".ipynb": '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n',
}


@dataclass(frozen=True, slots=True)
class Found:
    """One notebook file. `shown` is its path as the list shows it, relative to what is served."""

    id: str
    path: Path
    shown: str
    modified: float  # seconds since the epoch

    @property
    def name(self) -> str:
        return self.path.stem


class Library:
    """All methods block: call them in a thread."""

    def __init__(self, paths: Sequence[Path]):
        resolved = [path.resolve() for path in paths]
        self._folders = [path for path in resolved if path.is_dir()]
        self._files = [path for path in resolved if not path.is_dir()]

    def list(self) -> list[Found]:
        """Every notebook under the served paths, by shown path."""
        found: dict[str, Found] = {}
        for path, root in self._candidates():
            if root is None or is_notebook(path):
                entry = self._describe(path, root or path.parent)
                if entry is not None:
                    found.setdefault(entry.id, entry)
        return sorted(found.values(), key=lambda entry: entry.shown)

    def find(self, notebook_id: str) -> Found:
        """Raises TailraceError unknown_notebook."""
        for path, root in self._candidates():
            if notebook_id == id_of(path):
                entry = self._describe(path, root or path.parent)
                if entry is not None and (root is None or is_notebook(path)):
                    return entry
        raise TailraceError(ErrorCode.UNKNOWN_NOTEBOOK, f"There is no notebook {notebook_id!r} under the served paths.")

    def create(self, name: str, folder: str | None = None, content: bytes | None = None) -> Found:
        """A new notebook file in the first served folder, or in `folder` below it.

        Raises TailraceError bad_field for a name or folder that leads elsewhere, conflict for a name that is taken.
        """
        path = self._place(name, folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(path, "xb") as file:
                file.write(EMPTY[path.suffix].encode() if content is None else _marked(path, content))
        except FileExistsError:
            message = f"{path.name} is there already: choose another name."
            raise TailraceError(ErrorCode.CONFLICT, message) from None
        except OSError as error:
            raise TailraceError(ErrorCode.READ_ONLY, f"{path.name} cannot be written: {error.strerror}.") from None
        entry = self._describe(path, self._folders[0])
        assert entry is not None
        return entry

    def rename(self, found: Found, name: str) -> Found:
        """The same file under another name in the same folder; the format stays.

        Raises TailraceError bad_field for a name that leads elsewhere, conflict for one that is taken, read_only.
        """
        root = next((folder for folder in self._folders if found.path.is_relative_to(folder)), None)
        if root is None:
            raise TailraceError(ErrorCode.READ_ONLY, f"{found.shown} is served by its name: serve its folder instead.")
        _check_name(name)
        path = found.path.with_name(name if name.endswith(found.path.suffix) else name + found.path.suffix)
        if path.exists():
            raise TailraceError(ErrorCode.CONFLICT, f"{path.name} is there already: choose another name.")
        try:
            found.path.rename(path)
        except OSError as error:
            raise TailraceError(ErrorCode.READ_ONLY, f"{found.shown} cannot be renamed: {error.strerror}.") from None
        entry = self._describe(path, root)
        assert entry is not None
        return entry

    def delete(self, found: Found) -> None:
        """Raises TailraceError read_only."""
        try:
            found.path.unlink(missing_ok=True)
        except OSError as error:
            raise TailraceError(ErrorCode.READ_ONLY, f"{found.shown} cannot be deleted: {error.strerror}.") from None

    def _place(self, name: str, folder: str | None) -> Path:
        if not self._folders:
            raise TailraceError(ErrorCode.READ_ONLY, "Only single files are served: serve a folder to add notebooks.")
        _check_name(name)
        root = self._folders[0]
        path = (root / (folder or "") / name).resolve()
        if path.suffix not in SUFFIXES:
            path = path.with_name(path.name + ".py")
        if not path.is_relative_to(root) or any(part.startswith(".") for part in path.relative_to(root).parts):
            raise TailraceError(ErrorCode.BAD_FIELD, "The folder must be below the served one, and not hidden.")
        return path

    def _candidates(self) -> Iterator[tuple[Path, Path | None]]:
        """Files that may be notebooks with the folder they are served from; None: served by name."""
        for path in self._files:
            yield path, None
        looked_at = 0
        for root in self._folders:
            for path in walk(root):
                looked_at += 1
                if looked_at > MAX_FILES:
                    return
                yield path, root

    def _describe(self, path: Path, root: Path) -> Found | None:
        try:
            modified = path.stat().st_mtime
        except OSError:
            return None
        return Found(id_of(path), path, str(path.relative_to(root)), modified)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise TailraceError(ErrorCode.BAD_FIELD, "A notebook's name has 1 to 200 characters and no slash.")


def walk(root: Path) -> Iterator[Path]:
    """Files with a notebook's suffix below a folder; hidden folders and links that lead out are left out."""
    for folder, names, files in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        names[:] = sorted(
            name for name in names if depth < MAX_DEPTH and name not in SKIPPED and not name.startswith(".")
        )
        for name in sorted(files):
            path = Path(folder) / name
            if name.endswith(SUFFIXES) and not name.startswith(".") and path.resolve().is_relative_to(root):
                yield path


def is_notebook(path: Path) -> bool:
    """A .py file is a notebook when it has a cell marker."""
    if path.suffix == ".ipynb":
        return True
    try:
        with open(path, "rb") as file:
            return _MARKER.search(file.read(HEAD)) is not None
    except OSError:
        return False


def _marked(path: Path, content: bytes) -> bytes:
    """A script without a marker becomes a notebook of one cell."""
    return content if path.suffix == ".ipynb" or _MARKER.search(content[:HEAD]) else b"# %%\n" + content


def id_of(path: Path) -> str:
    """The same for the same path, also after a restart: letters of the name, then a hash of the whole path."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", path.stem).strip("-")[:24]
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    return f"{stem}-{digest}" if stem else digest
