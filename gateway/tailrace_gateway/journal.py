"""The journal of one notebook: records made durable before anybody is told of them.

Knows segments, locks and syncs; must not know what a record means. A sync that failed is final for its segment: the
system may have dropped the bytes and report success next time.
"""

import asyncio
import errno
import fcntl
import logging
import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tailrace_gateway.disk import SYSTEM, Disk
from tailrace_gateway.frames import DIGEST, NO_CHAIN, Readable, decode, encode, header
from tailrace_gateway.records import Entry, Image, Record, Saved
from tailrace_gateway.state_directory import private_folder
from tailrace_protocol.errors import ErrorCode, TailraceError

log = logging.getLogger(__name__)

RENEWAL_BYTES = 8 * 2**20  # of records in one segment
RENEWAL_RECORDS = 5_000
DAMAGED = ".damaged"  # suffix of segments set aside because nothing of them can be read

WhenWritten = Callable[[], None]
"""Called on the event loop once a record is the system's: it survives the gateway's death, and not yet a power cut."""
_SEGMENT = re.compile(r"journal-(\d{8})\.log")


class RecordLog(Protocol):
    """The port. `append` may be called concurrently; records become durable in the order of the calls."""

    async def append(self, record: Record | Saved, written: WhenWritten | None = None) -> None:
        """Returns when the record is durable; `written` is called before that.

        Raises TailraceError read_only or disk_full; then every later append fails too, until `renew` succeeds.
        """

    async def renew(self, image: Image) -> None:
        """Start a new segment from this image, which holds all that was appended: compaction, and the way back after
        a failed sync. Raises TailraceError read_only or disk_full; the old segment then stays."""

    def wants_renewal(self) -> bool:
        """The segment has grown enough, or has failed: call `renew` when it suits."""

    async def close(self) -> None:
        """Write what is waiting and let go of the files."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal held when it was opened; call `renew` before the first append. Null image: a new journal.

    `records` follow the image, in the order in which they were appended.
    """

    image: Image | None
    records: Sequence[Record | Saved]


class MemoryJournal:
    """Keeps nothing: for a run that ends with its process."""

    async def append(self, record: Record | Saved, written: WhenWritten | None = None) -> None:
        if written is not None:
            written()

    async def renew(self, image: Image) -> None:
        pass

    def wants_renewal(self) -> bool:
        return False

    async def close(self) -> None:
        pass


@dataclass(slots=True)
class Segment:
    """The file that is written to. Only whoever made it appends: nothing continues a segment of an earlier life."""

    path: Path
    file: int
    chain: bytes
    size: int  # bytes
    records: int = 0


class FileJournal:
    """Segments in one private folder, one writer. Made by `open_journal`."""

    def __init__(self, folder: Path, lock: int, disk: Disk = SYSTEM) -> None:
        self._folder = folder
        self._lock = lock
        self._disk = disk
        self._segment: Segment | None = None
        self._number = 0
        self._chain = NO_CHAIN
        self._failure: TailraceError | None = None
        self._waiting: list[tuple[Record | Saved, asyncio.Future[None], WhenWritten | None]] = []
        self._writer: asyncio.Task[None] | None = None

    async def append(self, record: Record | Saved, written: WhenWritten | None = None) -> None:
        """See RecordLog. Everything that waits while one sync runs shares the next one."""
        if self._failure is not None:
            raise self._failure
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, durable, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await durable

    async def renew(self, image: Image) -> None:
        """See RecordLog. Waits for the appends before it."""
        await self._quiet()
        try:
            segment = await asyncio.to_thread(self._new_segment, image)
        except OSError as error:
            raise _refusal(error) from error
        self._close_segment()
        self._segment, self._chain, self._failure = segment, segment.chain, None
        await asyncio.to_thread(self._remove_others, segment.path)

    def wants_renewal(self) -> bool:
        segment = self._segment
        grown = segment is not None and (segment.size > RENEWAL_BYTES or segment.records > RENEWAL_RECORDS)
        return self._failure is not None or grown

    async def close(self) -> None:
        """See RecordLog."""
        await self._quiet()
        self._close_segment()
        self.release()

    def release(self) -> None:
        """Let go of the lock, of a journal that was only read."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def recover(self) -> Recovered:
        """Blocking: read the newest segment that was begun whole. Changes no segment: the next `renew` replaces all.

        Segments of which nothing can be read are set aside, not removed, when there is no other.
        """
        found = segments(self._folder, self._disk)
        self._number = max(found, default=0)
        for number in sorted(found, reverse=True):
            whole = self._read(found[number])
            if whole is not None:
                records = [entry for entry in whole.entries[1:] if not isinstance(entry, Image)]
                image = whole.entries[0]
                assert isinstance(image, Image)
                self._chain = whole.chain
                return Recovered(image, records)
        for path in found.values():
            log.warning("nothing of %s can be read: it is kept as %s%s", path.name, path.name, DAMAGED)
            self._disk.rename(path, path.with_name(path.name + DAMAGED))
        return Recovered(None, ())

    def _read(self, path: Path) -> Readable | None:
        """What a segment holds; null when it was never begun whole, so nothing in it was acknowledged."""
        raw = self._disk.read(path)
        whole = decode(raw)
        if not whole.entries or not isinstance(whole.entries[0], Image):
            return None
        if whole.length < len(raw):
            log.info("%s ends with %d bytes that were not finished", path.name, len(raw) - whole.length)
        return whole

    async def _quiet(self) -> None:
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                if self._failure is None:
                    await self._write(
                        [record for record, _, _ in batch], [written for _, _, written in batch if written is not None]
                    )
            except OSError as error:
                self._failure = _refusal(error)
            for _, durable, _ in batch:
                if durable.done():
                    continue  # whoever waited has gone
                if self._failure is None:
                    durable.set_result(None)
                else:
                    durable.set_exception(self._failure)

    async def _write(self, records: Sequence[Entry], written: Sequence[WhenWritten]) -> None:
        segment = self._segment
        if segment is None:
            raise OSError(errno.EBADF, "the journal has no segment yet")
        raw, chain = encode(records, segment.chain)
        loop = asyncio.get_running_loop()

        def tell() -> None:
            for told in written:
                loop.call_soon_threadsafe(told)

        await asyncio.to_thread(self._append, segment.file, raw, tell)
        segment.chain = self._chain = chain
        segment.size += len(raw)
        segment.records += len(records)

    def _append(self, file: int, raw: bytes, written: WhenWritten) -> None:
        self._disk.write(file, raw)
        written()
        self._disk.sync(file)

    def _new_segment(self, image: Image) -> Segment:
        """A whole segment beside the old one: bytes, then name made durable, before anything is appended to it."""
        self._number += 1
        path = self._folder / f"journal-{self._number:08}.log"
        first, chain = header(self._number, secrets.token_bytes(DIGEST), self._chain)
        frames, chain = encode([image], chain)
        file = self._disk.create(path)
        try:
            self._disk.write(file, first + frames)
            self._disk.sync(file)
            self._disk.sync_folder(self._folder)
            if self._failure is not None and decode(self._disk.read(path)).chain != chain:
                raise OSError(errno.EIO, "the disk gives back other bytes than were written")
        except BaseException:
            self._disk.close(file)
            self._take_back(path)
            raise
        return Segment(path, file, chain, len(first) + len(frames))

    def _take_back(self, path: Path) -> None:
        """A segment that was not begun must be gone for good before the one below its number goes on.

        After a power cut it could be back, whole, and would win over what was acknowledged after it. So when its
        removal cannot be made durable, nothing more is appended: the way on is a segment with a higher number.
        """
        try:
            self._disk.remove(path)
            self._disk.sync_folder(self._folder)
        except OSError as error:
            self._failure = _refusal(error)

    def _remove_others(self, kept: Path) -> None:
        """What the new segment holds already. A file that stays does no harm: the highest number wins."""
        for path in segments(self._folder, self._disk).values():
            if path != kept:
                with suppress(OSError):
                    self._disk.remove(path)

    def _close_segment(self) -> None:
        if self._segment is not None:
            self._disk.close(self._segment.file)
            self._segment = None


def segments(folder: Path, disk: Disk = SYSTEM) -> dict[int, Path]:
    """The segments of a journal by number."""
    found = ((name, _SEGMENT.fullmatch(name)) for name in disk.names(folder))
    return {int(match[1]): folder / name for name, match in found if match is not None}


def open_journal(folder: Path) -> tuple[FileJournal, Recovered]:
    """Blocking. Raises TailraceError already_open when another gateway has this notebook, read_only or disk_full."""
    try:
        private_folder(folder)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _refusal(error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        message = "Another gateway has this notebook open. Use that one, or stop it first."
        raise TailraceError(ErrorCode.ALREADY_OPEN, message) from None
    journal = FileJournal(folder, lock)
    try:
        return journal, journal.recover()
    except OSError as error:
        os.close(lock)
        raise _refusal(error) from error


def _refusal(error: OSError) -> TailraceError:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    reason = "the disk is full. Free some space" if full else f"{error.strerror}. Check the state directory"
    code = ErrorCode.DISK_FULL if full else ErrorCode.READ_ONLY
    return TailraceError(code, f"Changes cannot be made durable: {reason}; nothing was changed.")
