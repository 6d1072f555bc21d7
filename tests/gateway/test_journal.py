"""The journal: durable records, group commit, torn and damaged segments, one writer, failed disks."""

import asyncio
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace_gateway.document import Applied, commit, replay, step
from tailrace_gateway.frames import DIGEST, MAGIC, NO_CHAIN, decode, encode, header
from tailrace_gateway.journal import (
    RENEWAL_RECORDS,
    FileJournal,
    MemoryJournal,
    RecordLog,
    Recovered,
    open_journal,
    segments,
)
from tailrace_gateway.records import Change, Entry, Image, Record, Saved, StoredCell
from tailrace_gateway.state import from_image, image, open_state
from tailrace_gateway.state_directory import VARIABLE, notebook_directory
from tailrace_protocol.commands import CellUpdate, CreateCell, Undo
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import NotebookInfo, Settings

T = TypeVar("T")
INFO = NotebookInfo(id="n1", path="n1.py", name="n1", settings=Settings())
IMAGE = Image(revision=0, cells=(StoredCell(id="a", type="python"),), name="n1", settings=Settings())


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 20))


def record(number: int) -> Record:
    change = Change(cell_id="a", code=f"x = {number}")
    return Record(id=str(number), client="ann", command="cell_update", base=0, revision=number, operation=change)


async def filled(folder: Path, count: int) -> None:
    journal, _ = open_journal(folder)
    await journal.renew(IMAGE)
    await asyncio.gather(*(journal.append(record(number)) for number in range(count)))
    await journal.close()


def newest(folder: Path) -> Path:
    """The segment with the highest number."""
    return max(segments(folder).items())[1]


def reopened(folder: Path) -> Recovered:
    journal, recovered = open_journal(folder)
    run(journal.close())
    return recovered


def test_records_come_back_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "n1"
    assert reopened(folder) == Recovered(None, ())
    run(filled(folder, 100))
    recovered = reopened(folder)
    assert recovered.image == IMAGE
    assert list(recovered.records) == [record(number) for number in range(100)]


def test_the_folder_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "n1"
    run(filled(folder, 1))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == ["journal-00000001.log", "lock"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_state_directory_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert notebook_directory("n1") == tmp_path / "notebooks" / "n1"
    monkeypatch.delenv(VARIABLE)
    assert "tailrace" in str(notebook_directory("n1"))


class CountingJournal(FileJournal):
    """Counts how often it goes to the disk."""

    writes = 0

    async def _write(self, records: Any, written: Any) -> None:
        self.writes += 1
        await super()._write(records, written)


def test_appends_that_wait_share_a_sync(tmp_path: Path) -> None:
    async def work() -> int:
        journal = CountingJournal(tmp_path, -1)
        await journal.renew(IMAGE)
        await asyncio.gather(*(journal.append(record(number)) for number in range(500)))
        await journal.close()
        return journal.writes

    assert 1 <= run(work()) <= 5
    assert len(reopened(tmp_path).records) == 500


def test_an_acknowledged_record_is_on_disk_before_append_returns(tmp_path: Path) -> None:
    async def work() -> None:
        journal, _ = open_journal(tmp_path)
        await journal.renew(IMAGE)
        for number in range(5):
            await journal.append(record(number))
            assert len(decode(newest(tmp_path).read_bytes()).entries) == number + 2
        await journal.close()

    run(work())


def test_a_segment_of_an_earlier_life_is_not_continued(tmp_path: Path) -> None:
    run(filled(tmp_path, 3))
    segment = newest(tmp_path)
    torn = segment.read_bytes()[:-5]
    segment.write_bytes(torn)

    async def work() -> None:
        journal, recovered = open_journal(tmp_path)
        assert [entry.revision for entry in recovered.records] == [0, 1]
        with pytest.raises(TailraceError):
            await journal.append(record(6))
        assert segment.read_bytes() == torn
        await journal.renew(IMAGE)
        await journal.append(record(7))
        await journal.close()

    run(work())
    assert newest(tmp_path) != segment
    assert [entry.revision for entry in reopened(tmp_path).records] == [7]


def test_an_unfinished_segment_gives_way_to_the_one_before(tmp_path: Path) -> None:
    run(filled(tmp_path, 3))
    whole = newest(tmp_path).read_bytes()
    (tmp_path / "journal-00000002.log").write_bytes(whole[:60])
    assert len(reopened(tmp_path).records) == 3
    (tmp_path / "journal-00000003.log").write_bytes(header(3, bytes(DIGEST), NO_CHAIN)[0] + whole[51:])
    assert len(reopened(tmp_path).records) == 3, "frames of one segment are not believed in another"
    (tmp_path / "journal-00000004.log").write_bytes(whole)
    assert len(reopened(tmp_path).records) == 3, "the control: the same bytes are believed where they fit"

    async def renewed() -> None:
        journal, _ = open_journal(tmp_path)
        await journal.renew(IMAGE)
        await journal.close()

    run(renewed())
    assert [path.name for path in segments(tmp_path).values()] == ["journal-00000005.log"]


ENTRIES: list[Entry] = [IMAGE, *(record(number) for number in range(6)), Saved(revision=6, file_hash="ff")]
HEADER, START = header(1, bytes(DIGEST), NO_CHAIN)
SEGMENT = HEADER + encode(ENTRIES, START)[0]


def test_a_cut_anywhere_leaves_a_prefix() -> None:
    lengths = set()
    for cut in range(len(SEGMENT)):
        read = decode(SEGMENT[:cut])
        assert list(read.entries) == ENTRIES[: len(read.entries)]
        assert read.length <= cut
        lengths.add(len(read.entries))
    assert lengths == set(range(len(ENTRIES)))
    assert list(decode(SEGMENT).entries) == ENTRIES


def test_a_flipped_bit_anywhere_is_never_believed() -> None:
    for position in range(len(SEGMENT)):
        for bit in (0, 3, 7):
            damaged = bytearray(SEGMENT)
            damaged[position] ^= 1 << bit
            read = decode(bytes(damaged))
            assert list(read.entries) == ENTRIES[: len(read.entries)]
            assert len(read.entries) < len(ENTRIES)


@given(st.permutations(range(4)))
@settings(max_examples=30, deadline=None)
def test_frames_out_of_their_place_are_not_believed(order: list[int]) -> None:
    frames, chain = [], START
    for entry in ENTRIES[:4]:
        raw, chain = encode([entry], chain)
        frames.append(raw)
    read = decode(HEADER + b"".join(frames[place] for place in order))
    right = next((place for place in range(4) if order[place] != place), 4)
    assert len(read.entries) == right


def test_rubbish_is_a_new_journal_and_is_set_aside(tmp_path: Path) -> None:
    for number, rubbish in enumerate([b"something else", MAGIC + b"\xff" * 100], 1):
        path = tmp_path / f"journal-{number:08}.log"
        path.write_bytes(rubbish)
        assert reopened(tmp_path) == Recovered(None, ())
        assert path.with_name(path.name + ".damaged").read_bytes() == rubbish
    run(filled(tmp_path, 1))
    assert len(reopened(tmp_path).records) == 1


def test_two_gateways_cannot_have_one_notebook(tmp_path: Path) -> None:
    journal, _ = open_journal(tmp_path)
    with pytest.raises(TailraceError) as refused:
        open_journal(tmp_path)
    assert refused.value.code == ErrorCode.ALREADY_OPEN
    run(journal.close())
    again, _ = open_journal(tmp_path)
    run(again.close())


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """A disk that is full: the system refuses to let any file of ours grow beyond this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_ends_acknowledgement_until_renewal(tmp_path: Path) -> None:
    async def work() -> None:
        journal, _ = open_journal(tmp_path)
        await journal.renew(IMAGE)
        await journal.append(record(0))
        with file_size_limit(newest(tmp_path).stat().st_size + 20):
            outcomes = await asyncio.gather(*(journal.append(record(n)) for n in (1, 2)), return_exceptions=True)
            codes = [outcome.code for outcome in outcomes if isinstance(outcome, TailraceError)]
            assert codes == [ErrorCode.DISK_FULL, ErrorCode.DISK_FULL]
        with pytest.raises(TailraceError):  # there is room again, but that segment is not trusted any more
            await journal.append(record(3))
        assert journal.wants_renewal()
        await journal.renew(IMAGE)
        await journal.append(record(4))
        assert not journal.wants_renewal()
        await journal.close()

    run(work())
    assert [entry.revision for entry in reopened(tmp_path).records] == [4]


def test_a_failed_renewal_keeps_the_old_segment(tmp_path: Path) -> None:
    async def work() -> None:
        journal, _ = open_journal(tmp_path)
        await journal.renew(IMAGE)
        await journal.append(record(0))
        with file_size_limit(10), pytest.raises(TailraceError) as refused:
            await journal.renew(IMAGE)
        assert refused.value.code == ErrorCode.DISK_FULL
        await journal.append(record(1))
        await journal.close()

    run(work())
    assert [entry.revision for entry in reopened(tmp_path).records] == [0, 1]


def test_a_closed_file_is_read_only(tmp_path: Path) -> None:
    async def work() -> ErrorCode:
        journal, _ = open_journal(tmp_path)
        with pytest.raises(TailraceError) as refused:
            await journal.append(record(0))
        await journal.close()
        return refused.value.code

    assert run(work()) == ErrorCode.READ_ONLY


def test_renewal_compacts(tmp_path: Path) -> None:
    async def work() -> int:
        journal, _ = open_journal(tmp_path)
        await journal.renew(IMAGE)
        await asyncio.gather(*(journal.append(record(n)) for n in range(RENEWAL_RECORDS + 1)))
        assert journal.wants_renewal()
        before = newest(tmp_path).stat().st_size
        await journal.renew(IMAGE)
        await journal.close()
        return before

    before = run(work())
    assert newest(tmp_path).stat().st_size < before / 100
    assert reopened(tmp_path) == Recovered(IMAGE, [])


def test_a_document_comes_back_with_undo_and_answers(tmp_path: Path) -> None:
    state = open_state(INFO, [StoredCell(id="a", type="python", code="x = 1")])
    log: list[RecordLog] = [MemoryJournal()]

    async def write() -> None:
        journal, _ = open_journal(tmp_path)
        log.append(journal)
        for one in log:
            await one.renew(image(state))
        commands: list[CellUpdate | CreateCell | Undo] = [
            CellUpdate(id="1", cell_id="a", code="x = 2"),
            CreateCell(id="2", cell_type="sql", code="SELECT 1"),
            Undo(id="3"),
            CellUpdate(id="4", cell_id="a", code="x = 4"),
        ]
        for command in commands:
            outcome = step(state, command, "ann")
            assert isinstance(outcome, Applied)
            commit(state, outcome)
            for one in log:
                await one.append(outcome.record)
        for one in log:
            assert not one.wants_renewal()
            await one.close()

    run(write())
    recovered = reopened(tmp_path)
    assert recovered.image is not None
    back = from_image(recovered.image, INFO)
    for entry in recovered.records:
        assert isinstance(entry, Record)
        replay(back, entry)
    assert image(back) == image(state)
    undo = step(back, Undo(id="5"), "ann")
    assert isinstance(undo, Applied)
    commit(back, undo)
    assert back.cells["a"].code == "x = 2"
    answer = back.answers.get("ann", "2")
    assert answer is not None
    assert answer.result is not None
    assert answer.result["index"] == 1


ENDLESS = """
import asyncio, os, sys
from pathlib import Path
from tailrace_gateway.journal import open_journal
from tests.gateway.test_journal import IMAGE, record

async def endless():
    journal, _ = open_journal(Path(sys.argv[1]))
    await journal.renew(IMAGE)
    for number in range(10**6):
        await journal.append(record(number))
        os.write(1, number.to_bytes(4, "big"))

asyncio.run(endless())
"""


def test_killed_while_writing_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, tmp_path], stdout=subprocess.PIPE, env=environment, cwd=root
    ) as child:
        assert child.stdout is not None
        first = child.stdout.read(4 * 50)
        child.kill()
        rest = child.stdout.read()
    acknowledged = len(first + rest) // 4
    assert acknowledged >= 50
    revisions = [entry.revision for entry in reopened(tmp_path).records]
    assert revisions == list(range(len(revisions)))
    assert len(revisions) >= acknowledged
