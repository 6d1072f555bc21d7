"""The notebook file follows the document, takes in what others wrote, and can be copied, imported and deleted."""

import json
from pathlib import Path

from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import TWO_CELLS, Frame, running, story


@story
async def test_the_file_follows_within_a_moment_and_is_not_touched_before(tmp_path: Path) -> None:
    path = tmp_path / "notebooks" / "story.py"
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_all")
        assert path.read_text() == TWO_CELLS
        await client.do("cell_update", cellId="a1", code="x = 77")
        saved = await client.event("project:saved")
        assert saved["revision"] == 1
        assert saved["hash"] == (await gateway.state())["hash"]
        assert path.read_text() == TWO_CELLS.replace("x = 5", "x = 77")


@story
async def test_what_is_acknowledged_survives_a_gateway_that_never_saved(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("cell_update", cellId="a1", code="x = 123")
    (tmp_path / "notebooks" / "story.py").write_text(TWO_CELLS)
    async with running(tmp_path, FakeKernels()) as gateway:
        first = (await gateway.state())["cells"][0]["code"]
        assert first == "x = 5"  # the file was put back on purpose, and says so by its hash


@story
async def test_an_edit_made_elsewhere_is_taken_in_and_announced(tmp_path: Path) -> None:
    path = tmp_path / "notebooks" / "story.py"
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        path.write_text(TWO_CELLS.replace("x = 5", "x = 55"))
        told = await client.event("project:changed_on_disk")
        assert told["conflicts"] == []
        assert [cell["code"] for cell in (await gateway.state())["cells"]] == ["x = 55", "y = x + 1\ny"]
        assert kernels.last.codes["a1"] == "x = 55"
        await client.do("cell_update", cellId="b1", code="y = x + 2\ny")
        await client.event("project:saved", revision=2)
        assert path.read_text() == TWO_CELLS.replace("x = 5", "x = 55").replace("x + 1", "x + 2")


@story
async def test_outputs_that_came_with_the_file_are_of_no_run_here(tmp_path: Path) -> None:
    shown = {"output_type": "stream", "name": "stdout", "text": "hello\n"}
    code: Frame = {"cell_type": "code", "metadata": {}, "execution_count": None}
    cells = [
        {**code, "id": "a1", "source": "print('hello')", "outputs": [shown]},
        {**code, "id": "b1", "source": "y = 1", "outputs": []},
    ]
    notebook = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    kernels = FakeKernels()
    async with (
        running(tmp_path, kernels, notebook=notebook, name="lab.ipynb") as gateway,
        gateway.client() as client,
    ):
        await client.ready()
        first, second = (await gateway.state())["cells"]
        assert (first["status"], first["stdout"], second["status"]) == ("stale", "hello\n", "idle")
        assert first["reason"]["code"] == "not_run_here"
        await client.do("run_stale")
        assert kernels.last.requests("execute_cells")[0]["cell_ids"] == ("a1",)
        await client.do("restart_kernel")  # the control: now it did run, and is of an older kernel
        assert (await gateway.state())["cells"][0]["reason"]["code"] == "kernel_restarted"


@story
async def test_export_import_create_and_delete(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        base = f"{gateway.url}/api/v1/notebooks"
        one = f"{base}/{await gateway.notebook_id()}"
        async with gateway.session.get(f"{one}/export?format=ipynb") as response:
            exported = await response.read()
            assert [cell["id"] for cell in json.loads(exported)["cells"]] == ["a1", "b1"]
        async with gateway.session.get(f"{one}/export?format=py") as response:
            assert "x = 5" in await response.text()
        for kind, words in (("md", "```python\nx = 5\n```"), ("html", "<pre>x = 5</pre>")):
            async with gateway.session.get(f"{one}/export?format={kind}") as response:
                assert words in await response.text()
                assert response.headers["Content-Disposition"].startswith("attachment")
        async with gateway.session.get(f"{one}/export?format=docx") as response:
            assert (response.status, (await response.json())["code"]) == (501, "not_supported")
        async with gateway.session.post(f"{base}/import?name=copy.ipynb", data=exported) as response:
            assert response.status == 201
            copy = (await response.json())["id"]
        async with gateway.session.get(f"{base}/{copy}") as response:
            assert [cell["code"] for cell in (await response.json())["cells"]] == ["x = 5", "y = x + 1\ny"]
        async with gateway.session.post(
            f"{base}/import?name=words.md", data=b"Hi\n\n```sql\nSELECT 1\n```"
        ) as response:
            assert (response.status, (await response.json())["path"]) == (201, "words.py")
        async with gateway.session.post(f"{base}/import?name=script.py", data=b"x = 1\nprint(x)\n") as response:
            script = (await response.json())["id"]
        async with gateway.session.get(f"{base}/{script}") as response:
            assert [cell["code"] for cell in (await response.json())["cells"]] == ["x = 1\nprint(x)"]
        async with gateway.session.post(f"{base}/import?name=words.txt", data=b"x") as response:
            assert "words.txt is no notebook" in (await response.json())["message"]
        async with gateway.session.post(f"{base}/import?name=bad.ipynb", data=b"{") as response:
            assert response.status == 422
        for name, status in (("fresh", 201), ("fresh", 409), ("../out", 400), ("", 400), (".hidden", 400)):
            async with gateway.session.post(base, json={"name": name}) as response:
                assert response.status == status, name
        async with gateway.session.delete(f"{base}/{copy}") as response:
            assert response.status == 204
        async with gateway.session.get(base) as response:
            assert [row["path"] for row in await response.json()] == ["fresh.py", "script.py", "story.py", "words.py"]
