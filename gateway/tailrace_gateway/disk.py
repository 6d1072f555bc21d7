"""What durable files need of a disk, in the smallest words: bytes, syncs, names. Knows no formats.

A write is durable after `sync` of its file; a new, renamed or removed name after `sync_folder`. Everything blocks.
"""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

PRIVATE = 0o600


class Disk(Protocol):
    """All methods raise OSError as the system calls of their name do."""

    def create(self, path: Path, mode: int | None = PRIVATE) -> int:
        """A new empty file to write to; its number. Raises FileExistsError. Mode null: what the user's umask says."""
        ...

    def write(self, file: int, raw: bytes) -> None:
        """All bytes, after those before."""
        ...

    def sync(self, file: int) -> None:
        """Bytes and size survive a power cut from now on. After a failure nothing of this file may be believed."""
        ...

    def close(self, file: int) -> None: ...

    def read(self, path: Path) -> bytes: ...

    def names(self, folder: Path) -> list[str]:
        """Names of the files in a folder, in no order; none when there is no such folder."""
        ...

    def rename(self, old: Path, new: Path) -> None: ...

    def remove(self, path: Path) -> None: ...

    def sync_folder(self, folder: Path) -> None:
        """Make a rename, a removal or a new file in this folder durable."""
        ...


class SystemDisk:
    def create(self, path: Path, mode: int | None = PRIVATE) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666 if mode is None else PRIVATE)
        if mode not in (None, PRIVATE):
            os.fchmod(file, mode)
        return file

    def write(self, file: int, raw: bytes) -> None:
        view = memoryview(raw)
        while view:
            view = view[os.write(file, view) :]

    def sync(self, file: int) -> None:
        os.fdatasync(file)

    def close(self, file: int) -> None:
        os.close(file)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def names(self, folder: Path) -> list[str]:
        try:
            return os.listdir(folder)
        except FileNotFoundError:
            return []

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        os.unlink(path)

    def sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


SYSTEM = SystemDisk()


def replace_file(
    path: Path,
    raw: bytes,
    *,
    mode: int | None = PRIVATE,
    allowed: Callable[[Path], bool] = lambda draft: True,
    disk: Disk = SYSTEM,
) -> bool:
    """Put these bytes in the place of a file, whole or not at all, durable when it returns.

    `allowed` is asked about the finished draft at the last moment; false: nothing was replaced.
    """
    draft = draft_of(path)
    try:
        file = disk.create(draft, mode)
        try:
            disk.write(file, raw)
            disk.sync(file)
        finally:
            disk.close(file)
        if not allowed(draft):
            disk.remove(draft)
            return False
        disk.rename(draft, path)
    except BaseException:
        with suppress(OSError):
            disk.remove(draft)
        raise
    disk.sync_folder(path.parent)
    return True


def draft_of(path: Path) -> Path:
    """A new name beside this file, hidden, for its next content."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def drafts(path: Path, disk: Disk = SYSTEM) -> list[Path]:
    """What writers of this file left beside it when they were killed."""
    start = f".{path.name}."
    found = (name for name in disk.names(path.parent) if name.startswith(start) and name.endswith(".tmp"))
    return [path.with_name(name) for name in found if len(name) == len(start) + 8 + len(".tmp")]
