"""What the list of notebooks can do to one: rename it, stop its kernel, tell what it costs."""

import os
from pathlib import Path
from typing import Any

from tailrace_gateway.listing import resident
from tailrace_protocol.limits import MAX_INLINE
from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import Gateway, running, story


async def post(gateway: Gateway, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    async with gateway.session.post(f"{gateway.url}/api/v1/notebooks{path}", json=body) as response:
        return response.status, await response.json() if response.status != 204 else {}


async def listing(gateway: Gateway) -> list[dict[str, Any]]:
    async with gateway.session.get(f"{gateway.url}/api/v1/notebooks") as response:
        rows: list[dict[str, Any]] = await response.json()
        return rows


@story
async def test_a_rename_keeps_content_and_history_and_waits_for_windows_to_close(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        old = await gateway.notebook_id()
        async with gateway.client() as client:
            await client.ready()
            await client.do("cell_update", cellId="a1", code="x = 6")
            status, refused = await post(gateway, f"/{old}/rename", {"name": "new"})
            assert (status, refused["code"]) == (409, "conflict")
        await gateway.notebooks.open[0].settle()
        for wrong, expected in (("../out", 400), ("", 400), (".hidden", 400), ("story", 409), (7, 400)):
            status, _ = await post(gateway, f"/{old}/rename", {"name": wrong})
            assert status == expected, wrong
        status, renamed = await post(gateway, f"/{old}/rename", {"name": "new"})
        assert (status, renamed["path"]) == (200, "new.py")
        assert [row["path"] for row in await listing(gateway)] == ["new.py"]
        assert "x = 6" in (tmp_path / "notebooks" / "new.py").read_text()
        async with gateway.client() as client:
            await client.ready()
            await client.send("undo", id="back")
            undone = await client.until(lambda frame: frame.get("cause", {}).get("id") == "back" and "cell" in frame)
            assert undone["cell"]["code"] == "x = 5"
            assert (await gateway.state())["notebook"]["name"] == "new"


@story
async def test_a_stopped_kernel_is_told_where_windows_are_open_and_can_be_started_again(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway:
        one = await gateway.notebook_id()
        async with gateway.client() as client:
            await client.ready()
            [row] = await listing(gateway)
            assert (row["kernel"], row["clients"]) == ("idle", 1)
            assert await post(gateway, f"/{one}/kernel/stop", {}) == (204, {})
            await client.event("kernel_status", state="dead")
            assert (await client.do("run_cell", cellId="a1"))["code"] == "kernel_dead"
            await client.do("restart_kernel")
            await client.do("run_cell", cellId="a1")
            assert len(kernels.lives) == 2
            assert [kernel.stopped for kernel in kernels.lives] == [True, False]
        await gateway.notebooks.open[0].settle()
        assert await post(gateway, f"/{one}/kernel/stop", {}) == (204, {})
        [row] = await listing(gateway)
        assert (row["kernel"], row["memory"], row["clients"]) == (None, None, 0)
        assert kernels.last.stopped
        async with gateway.client() as client:
            await client.ready()  # opened again, it has a kernel again
        assert (await post(gateway, "/nobody/kernel/stop", {}))[0] == 404


@story
async def test_a_notebook_that_was_only_read_has_no_kernel_to_tell_of(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway:
        await gateway.state()
        assert len(gateway.notebooks.open) == 1
        [row] = await listing(gateway)
        assert row["kernel"] is None
        assert kernels.lives == []


def test_memory_is_that_of_the_process(tmp_path: Path) -> None:
    own = resident(os.getpid())
    assert own is not None
    assert 10 * 2**20 < own < 2**34
    assert resident(2**22 + 1) is None


@story
async def test_a_deleted_notebook_takes_its_large_values_along(tmp_path: Path) -> None:
    """The next notebook of that path has the same id."""
    async with running(tmp_path, FakeKernels()) as gateway:
        one = await gateway.notebook_id()
        async with gateway.client() as client:
            await client.ready()
        blobs = gateway.notebooks.blobs(one)
        assert blobs is not None
        address = blobs.keep({"text/plain": "x" * MAX_INLINE * 2})["text/plain"]["$url"]
        async with gateway.session.get(f"{gateway.url}{address}") as response:
            assert response.status == 200  # the control
        async with gateway.session.delete(f"{gateway.url}/api/v1/notebooks/{one}") as response:
            assert response.status == 204
        (tmp_path / "notebooks" / "story.py").write_text("# %%\nnew = 1\n")
        assert await gateway.notebook_id() == one
        async with gateway.client() as client:
            await client.ready()
        async with gateway.session.get(f"{gateway.url}{address}") as response:
            assert response.status == 404
