"""The journal of one notebook: records made durable before anybody is told of them.

Knows segments, locks and syncs; must not know what a record means. A sync that failed is final for its segment: the
system may have dropped the bytes and report success next time.
"""

import asyncio
import errno
import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tailrace_gateway.frames import MAGIC, decode, encode, start_of_chain
from tailrace_gateway.notebook_file import sync_folder
from tailrace_gateway.records import Image, Record, Saved
from tailrace_gateway.state_directory import private_folder
from tailrace_protocol.errors import ErrorCode, TailraceError

RENEWAL_BYTES = 8 * 2**20  # of records in one segment
RENEWAL_RECORDS = 5_000


class RecordLog(Protocol):
    """The port. `append` may be called concurrently; records become durable in the order of the calls."""

    async def append(self, record: Record | Saved) -> None:
        """Returns when the record is durable. Raises TailraceError read_only or disk_full; then every later
        append fails too, until `renew` succeeds."""

    async def renew(self, image: Image) -> None:
        """Start a new segment from this image, which holds all that was appended: compaction, and the way back after
        a failed sync. Raises TailraceError read_only or disk_full; the old segment then stays."""

    def wants_renewal(self) -> bool:
        """The segment has grown enough, or has failed: call `renew` when it suits."""

    async def close(self) -> None:
        """Write what is waiting and let go of the files."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a journal held when it was opened. Null image: a new journal; call `renew` before the first append.

    `records` follow the image, in the order in which they were appended.
    """

    image: Image | None
    records: Sequence[Record | Saved]


class MemoryJournal:
    """Keeps nothing: for a run that ends with its process."""

    async def append(self, record: Record | Saved) -> None:
        pass

    async def renew(self, image: Image) -> None:
        pass

    def wants_renewal(self) -> bool:
        return False

    async def close(self) -> None:
        pass


class FileJournal:
    """One segment file in one private folder, one writer. Made by `open_journal`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder = folder
        self._lock = lock
        self._file: int | None = None
        self._chain = start_of_chain()
        self._bytes = self._records = 0
        self._failure: TailraceError | None = None
        self._waiting: list[tuple[Record | Saved, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def segment(self) -> Path:
        return self._folder / "journal.log"

    async def append(self, record: Record | Saved) -> None:
        """See RecordLog. Everything that waits while one sync runs shares the next one."""
        if self._failure is not None:
            raise self._failure
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((record, durable))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await durable

    async def renew(self, image: Image) -> None:
        """See RecordLog. Waits for the appends before it."""
        await self._quiet()
        try:
            file, chain = await asyncio.to_thread(self._new_segment, image)
        except OSError as error:
            raise _refusal(error) from error
        self._close_file()
        self._file, self._chain, self._failure = file, chain, None
        self._bytes = self._records = 0

    def wants_renewal(self) -> bool:
        return self._failure is not None or self._bytes > RENEWAL_BYTES or self._records > RENEWAL_RECORDS

    async def close(self) -> None:
        await self._quiet()
        self._close_file()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def recover(self) -> Recovered:
        """Blocking: read the segment, and cut a torn tail so that appends continue the whole part."""
        try:
            file = os.open(self.segment, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return Recovered(None, ())
        with os.fdopen(os.dup(file), "rb") as reader:
            raw = reader.read()
        whole = decode(raw)
        if not whole.entries or not isinstance(whole.entries[0], Image):
            os.close(file)
            return Recovered(None, ())
        if whole.length < len(raw):
            os.ftruncate(file, whole.length)
            os.fsync(file)
        os.lseek(file, whole.length, os.SEEK_SET)
        self._file, self._chain = file, whole.chain
        records = [entry for entry in whole.entries[1:] if not isinstance(entry, Image)]
        self._bytes, self._records = whole.length, len(records)
        return Recovered(whole.entries[0], records)

    async def _quiet(self) -> None:
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])

    async def _write_waiting(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                if self._failure is None:
                    await self._write([record for record, _ in batch])
            except OSError as error:
                self._failure = _refusal(error)
            for _, durable in batch:
                if durable.done():
                    continue  # whoever waited has gone
                if self._failure is None:
                    durable.set_result(None)
                else:
                    durable.set_exception(self._failure)

    async def _write(self, records: Sequence[Record | Saved]) -> None:
        if self._file is None:
            raise OSError(errno.EBADF, "the journal has no segment yet")
        raw, chain = encode(records, self._chain)
        await asyncio.to_thread(_append, self._file, raw)
        self._chain = chain
        self._bytes += len(raw)
        self._records += len(records)

    def _new_segment(self, image: Image) -> tuple[int, int]:
        """A whole segment beside the old one, then in its place. Returns its descriptor and last checksum."""
        raw, chain = encode([image], start_of_chain())
        temp = self._folder / "journal.new"
        file = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(file, MAGIC + raw)
            os.fsync(file)
            os.replace(temp, self.segment)
            sync_folder(self._folder)
        except BaseException:
            os.close(file)
            raise
        return file, chain

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


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


def _append(file: int, raw: bytes) -> None:
    _write_all(file, raw)
    os.fdatasync(file)


def _write_all(file: int, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[os.write(file, view) :]


def _refusal(error: OSError) -> TailraceError:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    reason = "the disk is full. Free some space" if full else f"{error.strerror}. Check the state directory"
    code = ErrorCode.DISK_FULL if full else ErrorCode.READ_ONLY
    return TailraceError(code, f"Changes cannot be made durable: {reason}; nothing was changed.")
