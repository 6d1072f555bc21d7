"""No command is acknowledged that is not durable, and those that wait together share a sync."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tailrace_gateway.blobs import Blobs
from tailrace_gateway.clients import Client as Member
from tailrace_gateway.journal import MemoryJournal, WhenWritten
from tailrace_gateway.notebook import Notebook
from tailrace_gateway.notebook_file import NotebookFile
from tailrace_gateway.output_store import OutputStore
from tailrace_gateway.records import Image, Record, Saved
from tailrace_gateway.saving import Kept
from tailrace_gateway.state import open_state
from tailrace_protocol.commands import Attach, CellUpdate, RunCell
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import NotebookInfo, Settings
from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import TWO_CELLS, Frame, story


class FullDisk(MemoryJournal):
    """Takes `room` records, then no more."""

    def __init__(self, room: int) -> None:
        self.room = room

    async def append(self, record: Record | Saved, written: WhenWritten | None = None) -> None:
        if self.room == 0:
            raise TailraceError(ErrorCode.DISK_FULL, "Changes cannot be made durable: the disk is full.")
        self.room -= 1

    async def renew(self, image: Image) -> None:
        if self.room == 0:
            raise TailraceError(ErrorCode.READ_ONLY, "Changes cannot be made durable: still no room.")


class CountingJournal(MemoryJournal):
    """Keeps what it got, and how many appends waited at the same time."""

    def __init__(self) -> None:
        self.records: list[Record | Saved] = []
        self.waiting = self.most = 0

    async def append(self, record: Record | Saved, written: WhenWritten | None = None) -> None:
        self.records.append(record)
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await asyncio.sleep(0)
        self.waiting -= 1


class SlowDisk(MemoryJournal):
    """What is written becomes durable when `outcome` says so, or does not."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def append(self, record: Record | Saved, written: WhenWritten | None = None) -> None:
        if written is not None:
            written()
        self.asked.set()
        await asyncio.shield(self.outcome)


class Wire:
    """A transport that keeps decoded frames."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.arrived = asyncio.Condition()

    async def send(self, frame: bytes) -> None:
        async with self.arrived:
            self.frames.append(json.loads(frame))
            self.arrived.notify_all()

    async def close(self, code: int, reason: str) -> None:
        pass

    async def until(self, wanted: Callable[[Frame], bool]) -> Frame:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: any(map(wanted, self.frames)))
        return next(frame for frame in self.frames if wanted(frame))


@story
async def test_nothing_is_acknowledged_that_is_not_durable(tmp_path: Path) -> None:
    path = tmp_path / "n.py"
    path.write_text(TWO_CELLS)
    file = NotebookFile(path)
    state = open_state(NotebookInfo(id="n", path="n.py", name="n", settings=Settings()), file.read().cells)
    kernels, journal = FakeKernels(), FullDisk(1)
    kept = Kept(state=state, journal=journal, file=file, store=OutputStore(tmp_path / "store"))
    notebook = Notebook(kept, lambda hear: kernels(None, hear), Blobs("n", tmp_path / "blobs"))  # type: ignore[arg-type]
    wire = Wire()
    member = Member("c", wire, "json", notebook.current, name="", role="editor")
    writer = asyncio.create_task(member.write())
    notebook.attach(member, Attach(id="0"))
    for number in (1, 2, 3):
        notebook.submit(member, CellUpdate(id=f"q{number}", cell_id="a1", code=f"x = {number}"))
    assert (await wire.until(lambda frame: frame.get("id") == "q1"))["type"] == "ack"
    assert (await wire.until(lambda frame: frame.get("id") == "q2"))["code"] == "disk_full"
    assert (await wire.until(lambda frame: frame.get("id") == "q3"))["code"] == "read_only"
    journal.room = 5
    notebook.submit(member, CellUpdate(id="q4", cell_id="b1", code="y = 4"))
    assert (await wire.until(lambda frame: frame.get("id") == "q4"))["type"] == "ack"
    told = [frame.get("reason") is not None for frame in wire.frames if frame["type"] == "read_only"]
    assert told == [True, False], "told once, and once that it is over"
    ack = next(frame for frame in wire.frames if frame.get("id") == "q4")
    assert ack["seq"] == next(f for f in wire.frames if f.get("cause", {}).get("id") == "q4" and "cell" in f)["seq"]
    journal.room = 0
    notebook.submit(member, CellUpdate(id="q5", cell_id="b1", code="y = 5"))
    assert (await wire.until(lambda frame: frame.get("id") == "q5"))["code"] == "disk_full"
    assert json.loads(notebook.current("json")[1])["readOnly"]
    journal.room = 5  # nobody sends anything: the notebook finds out by itself
    await wire.until(lambda frame: frame["type"] == "read_only" and "reason" not in frame and frame["seq"] > ack["seq"])
    assert "readOnly" not in json.loads(notebook.current("json")[1])
    assert state.cells["a1"].code == "x = 1"
    await notebook.close(1012, "")
    await writer


@story
async def test_edits_of_different_cells_that_wait_together_share_a_sync(tmp_path: Path) -> None:
    path = tmp_path / "n.py"
    path.write_text("".join(f'# %% id="c{number}"\n{number}\n\n' for number in range(20)))
    file, journal, kernels = NotebookFile(path), CountingJournal(), FakeKernels()
    state = open_state(NotebookInfo(id="n", path="n.py", name="n", settings=Settings()), file.read().cells)
    kept = Kept(state=state, journal=journal, file=file, store=OutputStore(tmp_path / "store"))
    notebook = Notebook(kept, lambda hear: kernels(None, hear), Blobs("n", tmp_path / "blobs"))  # type: ignore[arg-type]
    wire = Wire()
    member = Member("c", wire, "json", notebook.current, name="", role="editor")
    writer = asyncio.create_task(member.write())
    notebook.attach(member, Attach(id="0"))
    await wire.until(lambda frame: frame["type"] == "kernel_status" and frame["state"] == "idle")
    for number in [*range(20), 3]:  # the last one is of a cell that is edited already
        notebook.submit(member, CellUpdate(id=f"q{number}", cell_id=f"c{number}", code="new"))
    notebook.submit(member, CellUpdate(id="none", cell_id="nobody", code="x"))
    assert (await wire.until(lambda frame: frame.get("id") == "none"))["code"] == "unknown_cell"
    assert journal.most == 20
    records = [record for record in journal.records if isinstance(record, Record)]
    assert [(record.base, record.revision) for record in records] == [(n, n + 1) for n in range(20)]
    acks = [frame for frame in wire.frames if frame["type"] == "ack" and frame["id"] != "0"]
    assert [ack["id"] for ack in acks] == [*(f"q{number}" for number in range(20)), "q3"]
    assert acks[-1]["revision"] == 4, "the same id once more: the same answer"
    for ack in acks[:20]:
        told = [f for f in wire.frames if f.get("cause", {}).get("id") == ack["id"] and f["type"] == "cell_updated"]
        assert told[0]["seq"] == ack["seq"]
        assert wire.frames.index(ack) < wire.frames.index(told[0])
    assert [cell.code for cell in state.stored()] == ["new"] * 20
    await notebook.close(1012, "")
    await writer


@pytest.mark.parametrize("refused", [None, TailraceError(ErrorCode.DISK_FULL, "No room.")])
def test_a_run_begins_while_its_command_becomes_durable_and_nobody_is_told_before(
    tmp_path: Path, refused: TailraceError | None
) -> None:
    @story
    async def whole() -> None:
        path = tmp_path / "n.py"
        path.write_text(TWO_CELLS)
        file, journal, kernels = NotebookFile(path), SlowDisk(), FakeKernels()
        state = open_state(NotebookInfo(id="n", path="n.py", name="n", settings=Settings()), file.read().cells)
        kept = Kept(state=state, journal=journal, file=file, store=OutputStore(tmp_path / "store"))
        notebook = Notebook(kept, lambda hear: kernels(None, hear), Blobs("n", tmp_path / "blobs"))  # type: ignore[arg-type]
        wire = Wire()
        member = Member("c", wire, "json", notebook.current, name="", role="editor")
        writer = asyncio.create_task(member.write())
        notebook.attach(member, Attach(id="0"))
        await wire.until(lambda frame: frame["type"] == "kernel_status" and frame["state"] == "idle")
        journal.asked.clear()
        notebook.submit(member, RunCell(id="run", cell_id="a1", code="x = 6"))
        await journal.asked.wait()
        assert kernels.last.requests("execute_cells") == [], "the control: an edit is durable before the kernel has it"
        journal.outcome.set_result(None)
        await wire.until(lambda frame: frame["type"] == "command:executed" and frame["id"] == "run")
        assert kernels.last.codes["a1"] == "x = 6"

        journal.asked.clear()
        journal.outcome = asyncio.get_running_loop().create_future()
        seq = notebook.seq
        notebook.submit(member, RunCell(id="again", cell_id="a1"))
        await journal.asked.wait()
        run_id = kernels.last.requests("execute_cells")[-1]["run_id"]
        assert len(kernels.last.requests("execute_cells")) == 2
        assert notebook.seq == seq, "nothing is told before it is durable"
        if refused is None:
            journal.outcome.set_result(None)
            await wire.until(lambda frame: frame["type"] == "command:executed" and frame["id"] == "again")
            ack = next(frame for frame in wire.frames if frame["type"] == "ack" and frame["id"] == "again")
            assert ack["result"]["runId"] == run_id
            caused = [f["type"] for f in wire.frames if f.get("cause", {}).get("id") == "again"]
            assert caused[:2] == ["command:executing", "run_started"]
            assert len(kernels.last.requests("execute_cells")) == 2
            assert kernels.last.requests("interrupt") == []
        else:
            journal.outcome.set_exception(refused)
            answer = await wire.until(lambda frame: frame.get("id") == "again")
            assert (answer["type"], answer["code"]) == ("error", "disk_full")
            assert kernels.last.requests("interrupt") == [{"run_id": run_id}]
        journal.outcome = asyncio.get_running_loop().create_future()
        journal.outcome.set_result(None)
        await notebook.close(1012, "")
        await writer

    whole()
