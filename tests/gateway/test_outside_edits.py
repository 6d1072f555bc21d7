"""Somebody else writes the file, in each way that editors do: seen in time, merged by cell, never written over."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import TWO_CELLS, Gateway, running, story

THEIRS = TWO_CELLS.replace("y = x + 1\ny", "y = x + 2\ny")
SEEN = 2.0  # seconds until an edit of the file must have been told


def in_place(path: Path, text: str) -> None:
    with path.open("r+") as file:
        file.write(text)
        file.truncate()


def by_rename(path: Path, text: str) -> None:
    draft = path.with_suffix(".swp")
    draft.write_text(text)
    draft.replace(path)


def with_backup(path: Path, text: str) -> None:
    path.rename(path.with_suffix(".bak"))
    path.write_text(text)


def same_size_same_time(path: Path, text: str) -> None:
    times = path.stat()
    path.write_text(text)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 1))


STYLES: list[Callable[[Path, str], None]] = [in_place, by_rename, with_backup, same_size_same_time]


def file_of(base: Path) -> Path:
    return base / "notebooks" / "story.py"


async def codes(gateway: Gateway) -> dict[str, str]:
    (notebook,) = gateway.notebooks.open
    await notebook.settle()
    return {cell["id"]: cell["code"] for cell in json.loads(notebook.current("json")[1])["cells"]}


@pytest.mark.parametrize("style", STYLES)
def test_each_way_of_writing_is_seen_and_merged(tmp_path: Path, style: Callable[[Path, str], None]) -> None:
    @story
    async def work() -> None:
        async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
            await client.ready()
            await client.do("cell_update", cellId="a1", code="x = 6")
            style(file_of(tmp_path), THEIRS)
            async with asyncio.timeout(SEEN):
                assert (await client.event("project:changed_on_disk"))["conflicts"] == []
            assert await codes(gateway) == {"a1": "x = 6", "b1": "y = x + 2\ny"}
            await client.event("project:saved")
            assert "x = 6" in file_of(tmp_path).read_text()
            assert "y = x + 2" in file_of(tmp_path).read_text()
            undone = await client.do("undo")
            assert undone["type"] == "command:executed", "the edit of the file is one step that anybody may take back"
            assert await codes(gateway) == {"a1": "x = 6", "b1": "y = x + 1\ny"}

    work()


@story
async def test_both_sides_of_a_conflict_are_kept_and_told(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        await client.send("cell_update", cellId="b1", code="ours")
        by_rename(file_of(tmp_path), THEIRS)  # before the file was written
        assert (await client.event("project:changed_on_disk"))["conflicts"] == ["b1"]
        assert await codes(gateway) == {"a1": "x = 5", "b1": "ours", "b1-disk": "y = x + 2\ny"}
        await client.event("project:saved")
        text = file_of(tmp_path).read_text()
        assert "ours" in text
        assert "y = x + 2" in text


@story
async def test_a_conflict_found_at_opening_is_told_to_who_comes(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client("one") as client:
        await client.ready()
        await client.do("cell_update", cellId="a1", code="x = 6")
        await client.event("project:saved")
        await client.send("cell_update", cellId="b1", code="unsaved")
        await client.event("ack")
        by_rename(file_of(tmp_path), TWO_CELLS.replace("y = x + 1\ny", "theirs"))
        disk = Disk(tmp_path)
    disk.put_back()
    async with running(tmp_path, kernels) as gateway, gateway.client("two") as client:
        assert (await client.event("project:changed_on_disk"))["conflicts"] == ["b1"]
        assert await codes(gateway) == {"a1": "x = 5", "b1": "unsaved", "b1-disk": "theirs"}
        disk = Disk(tmp_path)
        assert "unsaved" not in file_of(tmp_path).read_text()
    disk.put_back()
    async with running(tmp_path, kernels) as gateway, gateway.client("three") as client:
        await client.ready()
        assert await codes(gateway) == {"a1": "x = 5", "b1": "unsaved", "b1-disk": "theirs"}, "merged once"
        assert "project:changed_on_disk" not in client.kinds()
        await client.event("project:saved")
        assert "unsaved" in file_of(tmp_path).read_text()


class Disk:
    """What is on the disk at this moment, put back later: as if the gateway had been killed now."""

    def __init__(self, base: Path) -> None:
        self._base, self._aside = base, base.with_name(f"{base.name}-aside")
        shutil.rmtree(self._aside, ignore_errors=True)
        shutil.copytree(base, self._aside, ignore=shutil.ignore_patterns("run"))

    def put_back(self) -> None:
        for name in ("state", "notebooks"):
            shutil.rmtree(self._base / name)
            shutil.copytree(self._aside / name, self._base / name)


@story
async def test_a_file_that_is_only_touched_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        before = await gateway.state()
        os.utime(file_of(tmp_path), (1, 1))
        file_of(tmp_path).touch()
        await client.do("save")
        after = await gateway.state()
        assert after["hash"] == before["hash"]
        assert "project:changed_on_disk" not in client.kinds()
        by_rename(file_of(tmp_path), THEIRS)
        await client.event("project:changed_on_disk")  # the control


@story
async def test_an_emptied_file_that_is_filled_in_a_moment_deletes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        path = file_of(tmp_path)
        for _ in range(3):  # the pace of an editor outside, which is what is tried here
            path.write_text("")
            await asyncio.sleep(0.05)
            path.write_text(THEIRS)
            await asyncio.sleep(0.3)
        await client.event("project:changed_on_disk")
        assert "cell_deleted" not in client.kinds()
        assert await codes(gateway) == {"a1": "x = 5", "b1": "y = x + 2\ny"}


@story
async def test_a_deleted_file_is_told_and_comes_back_with_the_next_change(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        file_of(tmp_path).unlink()
        await client.event("project:changed_on_disk")
        assert len(await codes(gateway)) == 2
        assert not file_of(tmp_path).exists()
        await client.do("cell_update", cellId="a1", code="x = 8")
        await client.event("project:saved")
        assert "x = 8" in file_of(tmp_path).read_text()
        assert "y = x + 1" in file_of(tmp_path).read_text()


@story
async def test_a_broken_file_is_never_written_over(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        file_of(tmp_path).write_bytes(b"\xff\xfe not a notebook")
        assert "cannot be read" in (await client.event("read_only"))["reason"]
        assert (await client.do("cell_update", cellId="a1", code="x = 8"))["type"] == "command:executed"
        await client.do("save")
        assert file_of(tmp_path).read_bytes() == b"\xff\xfe not a notebook"
        file_of(tmp_path).write_text(THEIRS)
        await client.event("project:changed_on_disk")
        assert "reason" not in await client.event("read_only")
        assert await codes(gateway) == {"a1": "x = 8", "b1": "y = x + 2\ny"}
        await client.event("project:saved")
        assert "x = 8" in file_of(tmp_path).read_text()
