"""A power cut at any moment: whatever the disk keeps, every acknowledged command is there and the file is whole.

The storage of a notebook runs on a disk in memory; each state a cut could leave is opened again. Seeded defects, each
of which must turn the same check red, show that it can fail. The seed is printed; TAILRACE_STREAMS makes it longer.
"""

import asyncio
import hashlib
import os
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec
import pytest

from tailrace_gateway.disk import Disk, replace_file
from tailrace_gateway.document import Applied, commit, step
from tailrace_gateway.frames import DIGEST, NO_CHAIN, Readable, header
from tailrace_gateway.journal import FileJournal, Segment, WhenWritten
from tailrace_gateway.notebook_file import Contents
from tailrace_gateway.opening import open_notebook, remember_save
from tailrace_gateway.percent import PercentText, read_percent, rewrite_percent
from tailrace_gateway.records import Entry, Image, Record, Saved
from tailrace_gateway.state import NotebookState, from_image, image
from tailrace_protocol.commands import CellUpdate, CreateCell, DeleteCell, DocumentCommand, MoveCell, Undo
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.objects import NotebookInfo, Settings
from tests.faults.memory_disk import AfterCrash, Files, Link, MemoryDisk, Sync, SyncFolder, Write, crashes

STREAMS = int(os.environ.get("TAILRACE_STREAMS", "20"))
SEED = int(os.environ.get("TAILRACE_SEED", "0")) or secrets.randbelow(2**32)
COMMANDS = 14  # of one stream
FOLDER = Path("/state/notebooks/n1")
FILE = Path("/home/n1.py")
INFO = NotebookInfo(id="n1", path="n1.py", name="n1", settings=Settings())
START = '# %% id="a"\nx = 1\n\n# %% id="b"\ny = x + 1\n'


class BrokenPromiseError(AssertionError):
    """A state after a cut in which something acknowledged is missing, or something is there that never was."""


class Storage:
    """One life of a gateway's storage: document, journal and file on a disk, driven as the notebook drives them."""

    def __init__(self, disk: MemoryDisk, journal: type[FileJournal] = FileJournal) -> None:
        self.disk = disk
        self.journal = journal(FOLDER, -1, disk)
        self.text = disk.read(FILE).decode()
        contents = Contents(read(self.text).cells, {}, Settings())
        self.state = open_notebook(INFO, contents, digest(self.text.encode()), self.journal.recover(), {}).state
        self.written = {self.text.encode()}
        self.documents = {(self.state.revision, shape(self.state))}  # those that may be found
        self.acknowledged = self.refused = 0

    async def begin(self) -> None:
        await self.journal.renew(image(self.state))

    async def do(self, command: DocumentCommand, client: str) -> None:
        outcome = step(self.state, command, client)
        if not isinstance(outcome, Applied):
            return
        would_be = from_image(image(self.state), INFO)
        commit(would_be, outcome)
        self.documents.add((would_be.revision, shape(would_be)))
        try:
            await self.journal.append(outcome.record)
        except TailraceError:  # it may be found after a cut, but nobody was told so
            self.refused += 1
            return
        commit(self.state, outcome)
        self.acknowledged += 1
        self.disk.note(self.state.revision)

    async def save(self) -> None:
        text = rewrite_percent(self.state.stored(), read(self.text)).text
        raw = text.encode()
        self.written.add(raw)
        with suppress(OSError, TailraceError):
            self.replace(raw)
            self.text = text
            await self.journal.append(remember_save(self.state, digest(raw)))

    def replace(self, raw: bytes) -> None:
        replace_file(FILE, raw, disk=self.disk)


@lru_cache(maxsize=256)
def read(text: str) -> PercentText:
    return read_percent(text)


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def shape(state: NotebookState) -> tuple[tuple[str, str], ...]:
    return tuple((cell.id, cell.code) for cell in state.stored())


def command(chance: random.Random, storage: Storage, number: int) -> DocumentCommand:
    some = chance.choice(storage.state.order)
    name = f"{number}"
    code = f"v{number} = {chance.randrange(10**6)}\n" * chance.choice([1, 1, 3, 90])
    commands: list[DocumentCommand] = [
        CellUpdate(id=name, cell_id=some, code=code),
        CellUpdate(id=name, cell_id=some, code=code),
        CreateCell(id=name, cell_type="python", code=code),
        MoveCell(id=name, cell_id=some, after_cell_id=None),
        DeleteCell(id=name, cell_id=some),
        Undo(id=name),
    ]
    return chance.choice(commands)


async def play(storage: Storage, chance: random.Random) -> None:
    """Random commands, with saves, compactions and failing syncs between them."""
    await storage.begin()
    for number in range(COMMANDS):
        match chance.randrange(12):
            case 0:
                with suppress(TailraceError):
                    await storage.begin()
            case 1 | 2 | 3 if not storage.journal.wants_renewal():
                await storage.save()
            case 4:
                storage.disk.failing = 1
        await storage.do(command(chance, storage, number), chance.choice(["ann", "bob"]))
        if storage.journal.wants_renewal():
            with suppress(TailraceError):
                await storage.begin()


def check(storage: Storage, told: Sequence[object], files: Files) -> None:
    """Open what the cut left. Raises BrokenPromiseError."""
    if files[FILE] not in storage.written:
        raise BrokenPromiseError(f"the file holds no revision: {files[FILE][:80]!r}")
    after = Storage(AfterCrash(files), type(storage.journal)).state
    last = max((word for word in told if isinstance(word, int)), default=0)
    if after.revision < last:
        raise BrokenPromiseError(f"revision {last} was acknowledged; {after.revision} is there")
    if (after.revision, shape(after)) not in storage.documents:
        raise BrokenPromiseError(f"revision {after.revision} is not what it was")


def prove(storage: Storage, chance: random.Random) -> int:
    """Play a stream, then check every state of every moment; how many there were."""
    asyncio.run(asyncio.wait_for(play(storage, chance), 60))
    checked = 0
    for told, files in crashes(storage.disk.log, chance):
        check(storage, told, {FILE: START.encode(), **files})
        checked += 1
    return checked


def new_disk(kind: type[MemoryDisk] = MemoryDisk) -> MemoryDisk:
    disk = kind()
    disk.write(disk.create(FILE), START.encode())
    disk.log.clear()  # it has been there, durable, for long
    return disk


async def go_on_after_a_failed_compaction(storage: Storage) -> None:
    """The segment that could not be begun holds an older document, under a higher number."""
    await storage.begin()
    await storage.do(CellUpdate(id="1", cell_id="a", code="x = 2"), "ann")
    storage.disk.failing = 1
    with pytest.raises(TailraceError):
        await storage.begin()
    await storage.do(CellUpdate(id="2", cell_id="a", code="x = 3"), "ann")


def test_a_segment_that_was_not_begun_does_not_come_back() -> None:
    storage, chance = Storage(new_disk()), random.Random(1)
    asyncio.run(asyncio.wait_for(go_on_after_a_failed_compaction(storage), 60))
    found = [(told, files) for told, files in crashes(storage.disk.log, chance)]
    for told, files in found:
        check(storage, told, {FILE: START.encode(), **files})
    assert storage.acknowledged == 2
    assert len(found) > 20


def test_every_state_after_a_power_cut_holds_what_was_acknowledged() -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    states = acknowledged = refused = 0
    for _ in range(STREAMS):
        storage = Storage(new_disk())
        states += prove(storage, chance)
        acknowledged += storage.acknowledged
        refused += storage.refused
    print(f"streams = {STREAMS}\nstates = {states}\nacknowledged = {acknowledged}\nrefused = {refused}")
    assert states > 200 * STREAMS
    assert acknowledged > 7 * STREAMS
    assert refused > 0, "the control: syncs have failed"


# Seeded defects: each is what the product would be with one line wrong.


class NoSync(MemoryDisk):
    def sync(self, file: int) -> None:
        pass


class NoFolderSync(MemoryDisk):
    def sync_folder(self, folder: Path) -> None:
        pass


class AcknowledgesEarly(FileJournal):
    """Before the sync, not after."""

    def __init__(self, folder: Path, lock: int, disk: Disk) -> None:
        super().__init__(folder, lock, disk)
        self._under_way: set[asyncio.Task[None]] = set()

    async def append(self, record: Record | Saved, written: WhenWritten | None = None) -> None:
        self._under_way.add(asyncio.create_task(super().append(record, written)))


class BelievesAnything(FileJournal):
    """Reads frames by their lengths, without their digests."""

    def _read(self, path: Path) -> Readable | None:
        raw, entries, position = self._disk.read(path), [], START_OF_FRAMES
        while position + 20 <= len(raw):
            length = int.from_bytes(raw[position : position + 4], "big")
            payload = raw[position + 20 : position + 20 + length]
            try:
                entries.append(ENTRY.decode(payload))
            except msgspec.MsgspecError:
                break
            position += 20 + length
        return Readable(tuple(entries), position, NO_CHAIN) if entries and isinstance(entries[0], Image) else None


class SyncsAgain(FileJournal):
    """Asks the same file once more after a sync failed, and believes what it says then."""

    def _append(self, file: int, raw: bytes, written: WhenWritten) -> None:
        self._disk.write(file, raw)
        written()
        with suppress(OSError):
            self._disk.sync(file)
            return
        self._disk.sync(file)


class RemovesFirst(FileJournal):
    """The old segment goes before the new one is durable."""

    def _new_segment(self, image: Image) -> Segment:
        self._remove_others(FOLDER)
        return super()._new_segment(image)


class SavesInPlace(Storage):
    def replace(self, raw: bytes) -> None:
        self.disk.remove(FILE)
        file = self.disk.create(FILE)
        self.disk.write(file, raw)
        self.disk.sync(file)
        self.disk.sync_folder(FILE.parent)


class SaysSavedFirst(Storage):
    """The entry about the file goes before the file."""

    async def save(self) -> None:
        text = rewrite_percent(self.state.stored(), read(self.text)).text
        self.written.add(text.encode())
        with suppress(OSError, TailraceError):
            await self.journal.append(remember_save(self.state, digest(text.encode())))
            self.replace(text.encode())
            self.text = text


START_OF_FRAMES = len(header(1, bytes(DIGEST), NO_CHAIN)[0])
ENTRY: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(type=Entry)
DEFECTS: dict[str, Callable[[], Storage]] = {
    "no sync": lambda: Storage(new_disk(NoSync)),
    "no sync of the folder": lambda: Storage(new_disk(NoFolderSync)),
    "acknowledged before the sync": lambda: Storage(new_disk(), AcknowledgesEarly),
    "no checksum": lambda: Storage(new_disk(), BelievesAnything),
    "synced again after a failure": lambda: Storage(new_disk(), SyncsAgain),
    "old segment removed first": lambda: Storage(new_disk(), RemovesFirst),
    "file written in place": lambda: SavesInPlace(new_disk()),
    "entry before the file": lambda: SaysSavedFirst(new_disk()),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_a_seeded_defect_turns_the_check_red(name: str) -> None:
    chance = random.Random(1)
    for _ in range(40):
        try:
            prove(DEFECTS[name](), chance)
        except BrokenPromiseError as found:
            print(f"{name}: {found}")
            return
    pytest.fail(f"nobody noticed: {name}")


def test_a_failed_sync_is_final_for_its_segment() -> None:
    async def work() -> list[object]:
        storage = Storage(new_disk())
        await storage.begin()
        await storage.do(CellUpdate(id="1", cell_id="a", code="one"), "ann")
        storage.disk.failing = 1
        await storage.do(CellUpdate(id="2", cell_id="a", code="two"), "ann")
        before = list(storage.disk.log)
        await storage.do(CellUpdate(id="3", cell_id="a", code="three"), "ann")
        assert storage.disk.log == before, "nothing is written after a sync that failed"
        assert (storage.acknowledged, storage.refused) == (1, 2)
        storage.disk.full = True
        with pytest.raises(TailraceError):
            await storage.begin()
        storage.disk.full = False
        await storage.begin()
        await storage.do(CellUpdate(id="4", cell_id="a", code="four"), "ann")
        failed = storage.disk.lost
        assert len(failed) == 1
        for entry in storage.disk.log[len(before) :]:
            assert not (isinstance(entry, Write | Sync) and entry.inode in failed)
        return [cell.code for cell in storage.state.stored()]

    assert asyncio.run(work())[0] == "four"


def test_a_new_segment_and_its_name_are_durable_before_anything_is_appended() -> None:
    storage = Storage(new_disk())
    asyncio.run(storage.begin())
    kinds = [type(entry) for entry in storage.disk.log]
    assert kinds == [Link, Write, Sync, SyncFolder]
