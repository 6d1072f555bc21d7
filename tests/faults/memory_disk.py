"""A disk in memory that remembers every operation, and every state that a power cut could leave of it.

The rules are those of POSIX, at their worst. Bytes are durable after a sync of their file; until then each 512-byte
sector of a write may be there or not, in any order, and the file may be longer than what is in it. Names are durable
after a sync of their folder; until then each creation, rename and removal may have happened or not, by itself.
"""

import errno
import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTOR = 512  # bytes that are written whole or not at all
EXHAUSTIVE = 64  # states of one crash point that are all built; of more, as many are drawn by chance

Files = dict[Path, bytes]


@dataclass(frozen=True)
class Write:
    inode: int
    offset: int
    raw: bytes


@dataclass(frozen=True)
class Sync:
    inode: int


@dataclass(frozen=True)
class Link:
    """A name appears: a new file, or with `former` the target of a rename."""

    path: Path
    inode: int
    former: Path | None = None


@dataclass(frozen=True)
class Unlink:
    path: Path


@dataclass(frozen=True)
class SyncFolder:
    folder: Path


@dataclass(frozen=True)
class Note:
    """Not an operation: what somebody was told at this moment."""

    word: object


Operation = Write | Sync | Link | Unlink | SyncFolder | Note


@dataclass
class MemoryDisk:
    """The Disk port. `log` holds what was asked for; `failing` sync calls raise EIO and save nothing."""

    log: list[Operation] = field(default_factory=list)
    failing: int = 0
    full: bool = False

    def __post_init__(self) -> None:
        self._inodes = itertools.count(1)
        self._names: dict[Path, int] = {}
        self._bytes: dict[int, bytearray] = {}
        self.lost: set[int] = set()  # inodes whose sync failed: later syncs report success and save nothing of before

    def create(self, path: Path, mode: int | None = 0o600) -> int:
        if path in self._names:
            raise FileExistsError(errno.EEXIST, "it is there already")
        inode = next(self._inodes)
        self._names[path] = inode
        self._bytes[inode] = bytearray()
        self.log.append(Link(path, inode))
        return inode

    def write(self, file: int, raw: bytes) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "no space left on the disk")
        self.log.append(Write(file, len(self._bytes[file]), raw))
        self._bytes[file] += raw

    def sync(self, file: int) -> None:
        if self.failing:
            self.failing -= 1
            self.lost.add(file)
            raise OSError(errno.EIO, "the disk does not answer")
        if file not in self.lost:
            self.log.append(Sync(file))

    def close(self, file: int) -> None:
        pass

    def read(self, path: Path) -> bytes:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "there is no such file")
        return bytes(self._bytes[self._names[path]])

    def names(self, folder: Path) -> list[str]:
        return [path.name for path in self._names if path.parent == folder]

    def rename(self, old: Path, new: Path) -> None:
        inode = self._names.pop(old)
        self._names[new] = inode
        self.log.append(Link(new, inode, old))

    def remove(self, path: Path) -> None:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "there is no such file")
        del self._names[path]
        self.log.append(Unlink(path))

    def sync_folder(self, folder: Path) -> None:
        self.log.append(SyncFolder(folder))

    def note(self, word: object) -> None:
        self.log.append(Note(word))


class AfterCrash(MemoryDisk):
    """The disk as it is found after the cut."""

    def __init__(self, files: Mapping[Path, bytes]) -> None:
        super().__init__()
        for path, raw in files.items():
            inode = next(self._inodes)
            self._names[path] = inode
            self._bytes[inode] = bytearray(raw)


def crashes(log: list[Operation], chance: random.Random) -> Iterator[tuple[list[object], Files]]:
    """For every moment of the log: what had been told by then, and each state a power cut could leave."""
    for moment in range(len(log) + 1):
        told = [entry.word for entry in log[:moment] if isinstance(entry, Note)]
        for files in states(log[:moment], chance):
            yield told, files


def states(log: list[Operation], chance: random.Random) -> Iterator[Files]:
    """The states that a power cut after these operations could leave, each once."""
    kept, pending = _names(log)
    inodes = {entry.inode for entry in log if isinstance(entry, Link)}
    variants = {inode: _contents(log, inode) for inode in sorted(inodes)}
    axes: list[Sequence[Any]] = [*[(False, True)] * len(pending), *variants.values()]
    whole = 1
    for axis in axes:
        whole *= len(axis)
    picks: Iterator[tuple[Any, ...]] = itertools.product(*axes) if whole <= EXHAUSTIVE else (
        tuple(chance.choice(axis) for axis in axes) for _ in range(EXHAUSTIVE)
    )  # fmt: skip
    seen: set[tuple[tuple[Path, bytes], ...]] = set()
    for pick in picks:
        happened = [entry for entry, yes in zip(pending, pick, strict=False) if yes]
        contents = dict(zip(variants, pick[len(pending) :], strict=True))
        files = {path: contents[inode] for path, inode in _named(kept, happened).items()}
        key = tuple(sorted(files.items()))
        if key not in seen:
            seen.add(key)
            yield files


def _names(log: list[Operation]) -> tuple[dict[Path, int], list[Link | Unlink]]:
    """Names that are durable, and the changes of names that may or may not have reached the disk."""
    kept: dict[Path, int] = {}
    pending: list[Link | Unlink] = []
    for entry in log:
        match entry:
            case Link() | Unlink():
                pending.append(entry)
            case SyncFolder(folder=folder):
                kept = _named(kept, [change for change in pending if change.path.parent == folder])
                pending = [change for change in pending if change.path.parent != folder]
    return kept, pending


def _named(names: Mapping[Path, int], changes: list[Link | Unlink]) -> dict[Path, int]:
    after = dict(names)
    for change in changes:
        if isinstance(change, Unlink):
            after.pop(change.path, None)
            continue
        if change.former is not None:
            after.pop(change.former, None)
        after[change.path] = change.inode
    return after


def _contents(log: list[Operation], inode: int) -> list[bytes]:
    """What this file may hold: what was synced, and of each sector written since either the new or the old bytes."""
    synced = bytearray()
    since: list[Write] = []
    for entry in log:
        if isinstance(entry, Write) and entry.inode == inode:
            since.append(entry)
        elif isinstance(entry, Sync) and entry.inode == inode:
            for write in since:
                _put(synced, write.offset, write.raw)
            since = []
    found: dict[bytes, None] = {bytes(synced): None}
    sectors = [sector for write in since for sector in _sectors(write)]
    for subset in _subsets(len(sectors)):
        content = bytearray(synced)
        for number in subset:
            _put(content, *sectors[number])
        found[bytes(content)] = None
    if sectors:
        longer = bytearray(synced)
        last = sectors[-1]
        longer.extend(bytes(last[0] + len(last[1]) - len(longer)))  # the size was written, the bytes were not
        found[bytes(longer)] = None
    return list(found)


def _sectors(write: Write) -> Iterator[tuple[int, bytes]]:
    """Pieces of a write, cut where the sectors of the disk begin."""
    position = write.offset
    end = write.offset + len(write.raw)
    while position < end:
        stop = min(end, (position // SECTOR + 1) * SECTOR)
        yield position, write.raw[position - write.offset : stop - write.offset]
        position = stop


def _subsets(count: int) -> Iterator[list[int]]:
    """All subsets of a few; of many the prefixes, all but one, and one alone."""
    everything = list(range(count))
    if count <= 4:
        for size in range(count + 1):
            yield from map(list, itertools.combinations(everything, size))
        return
    for number in everything:
        yield everything[: number + 1]
        yield [number]
        yield everything[:number] + everything[number + 1 :]


def _put(content: bytearray, offset: int, raw: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(raw)] = raw
