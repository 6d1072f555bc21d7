"""A moved notebook file finds its history again; a copy, an edited one and a taken one begin anew."""

from pathlib import Path

from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import Frame, Gateway, running, story


async def document(gateway: Gateway, name: str) -> Frame:
    async with gateway.session.get(f"{gateway.url}/api/v1/notebooks") as response:
        found = next(row["id"] for row in await response.json() if row["path"] == name)
    async with gateway.session.get(f"{gateway.url}/api/v1/notebooks/{found}") as response:
        assert response.status == 200, await response.text()
        state = await response.json()
    return {"revision": state["revision"], **{cell["id"]: cell["code"] for cell in state["cells"]}}


async def edited(base: Path) -> Path:
    async with running(base, FakeKernels()) as gateway, gateway.client("ann") as client:
        await client.ready()
        await client.do("cell_update", cellId="a1", code="x = 6")
        await client.event("project:saved")
    return base / "notebooks" / "story.py"


@story
async def test_a_moved_file_adopts_its_history(tmp_path: Path) -> None:
    path = await edited(tmp_path)
    path.rename(path.with_name("moved.py"))
    async with running(tmp_path, FakeKernels(), name="moved.py") as gateway, gateway.client("ann") as client:
        await client.ready()
        undone = await client.do("undo", id="undo-1")
        assert undone["type"] == "command:executed", undone
        assert (await document(gateway, "moved.py"))["a1"] == "x = 5"
        path.write_text("# %%\nanother\n")
        assert (await document(gateway, "story.py"))["revision"] == 0, "what comes to the old place is new"


@story
async def test_a_file_moved_while_it_is_open_takes_its_history_along(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client("ann") as client:
        await client.ready()
        await client.do("cell_update", cellId="a1", code="x = 6")
        await client.event("project:saved")
        path = tmp_path / "notebooks" / "story.py"
        path.rename(path.with_name("moved.py"))
        there = await document(gateway, "moved.py")
        assert (there["a1"], there["revision"]) == ("x = 6", 1)
        assert not path.exists()
        assert len(gateway.notebooks.open) == 1


@story
async def test_a_copy_and_an_edited_file_begin_anew(tmp_path: Path) -> None:
    path = await edited(tmp_path)
    copy, other = path.with_name("copy.py"), path.with_name("other.py")
    copy.write_bytes(path.read_bytes())
    async with running(tmp_path, FakeKernels()) as gateway:
        assert (await document(gateway, "copy.py"))["revision"] == 0
        assert (await document(gateway, "story.py"))["revision"] == 1, "the control: the history is where it was"
    path.rename(other)
    other.write_text(other.read_text() + "\n# %%\nmore = 1\n")
    async with running(tmp_path, FakeKernels(), name="other.py") as gateway:
        assert (await document(gateway, "other.py"))["revision"] == 0
