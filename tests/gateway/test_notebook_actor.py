"""The notebook's inbox with a kernel that is not there: order, idempotence, refusals, secrets."""

import json
from pathlib import Path

from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import code_hash
from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import Client, running, story

SECRET = "hunter2-very-secret"
URL = f"postgresql://user:{SECRET}@db.example/shop"


def of_command(client: Client, command_id: str) -> list[str]:
    """Types of the frames that answer or were caused by this command, in order."""
    return [
        frame["type"]
        for frame in client.frames
        if frame.get("id") == command_id or frame.get("cause", {}).get("id") == command_id
    ]


def files_with(folder: Path, text: str) -> list[str]:
    """Names of the files below this folder that hold the text."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if text.encode() in path.read_bytes()]


@story
async def test_the_frames_of_one_command_come_in_the_promised_order(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_cell", cellId="a1", code="x = 6", id="run")
        assert of_command(client, "run") == [
            "ack",
            "command:executing",
            "cell_updated",
            "cell_updated",
            "run_started",
            "cell_status",
            "cell_outputs_cleared",
            "cell_status",
            "run_finished",
            "command:executed",
        ]
        ack = next(frame for frame in client.frames if frame.get("id") == "run")
        saved = next(frame for frame in client.frames if frame["type"] == "cell_updated" and "cause" in frame)
        assert ack["seq"] == saved["seq"]
        assert ack["result"]["runId"]
        assert (saved["cell"]["code"], saved["cell"]["version"], saved["cell"]["analysed"]) == ("x = 6", 2, False)


@story
async def test_create_and_delete_answer_with_ids_and_tell_the_kernel(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        ack = await client.reply(await client.send("create_cell", cellType="sql", afterCellId="a1", code="select 1"))
        cell_id = ack["result"]["cellId"]
        assert ack["result"]["index"] == 1
        await client.event("command:executed")
        registered = kernels.last.requests("register_cell")[-1]
        assert (registered["cell_id"], registered["after_cell_id"], registered["cell_type"]) == (cell_id, "a1", "sql")
        await client.do("move_cell", cellId=cell_id, afterCellId=None)
        assert [*kernels.last.requests("reorder_cells")[-1]["cell_ids"]] == [cell_id, "a1", "b1"]
        await client.do("delete_cell", cellId=cell_id)
        assert kernels.last.requests("remove_cell")[-1]["cell_id"] == cell_id
        assert [cell["id"] for cell in (await gateway.state())["cells"]] == ["a1", "b1"]
        registrations = len(kernels.last.requests("register_cell"))
        await client.do("set_cell", cellId="a1", name="start")
        assert len(kernels.last.requests("register_cell")) == registrations  # a name is nothing to the kernel


@story
async def test_deleting_the_only_cell_clears_it_and_its_names(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels, notebook='# %% id="a1"\nx = 5\n') as gateway, gateway.client() as client:
        await client.ready()
        ack = await client.reply(await client.send("delete_cell", cellId="a1"))
        assert ack["result"]["cleared"] is True
        await client.event("command:executed")
        kinds = [kind for kind, _ in kernels.last.asked]
        assert kinds[-2:] == ["remove_cell", "register_cell"]
        assert [cell["code"] for cell in (await gateway.state())["cells"]] == [""]


@story
async def test_a_frame_sent_twice_is_applied_once_and_answered_the_same(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        first = await client.reply(await client.send("create_cell", id="same", cellType="python", code="z = 1"))
        again = await client.reply(await client.send("create_cell", id="same", cellType="python", code="z = 1"))
        assert again == first
        run = await client.reply(await client.send("run_cell", id="run", cellId="a1"))
        await client.event("run_finished")
        assert await client.reply(await client.send("run_cell", id="run", cellId="a1")) == run
        assert len(kernels.last.requests("execute_cells")) == 1
        assert len((await gateway.state())["cells"]) == 3
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        after = await client.reply(await client.send("create_cell", id="same", cellType="python", code="z = 1"))
        assert after["result"] == first["result"]
        lost = await client.reply(await client.send("run_cell", id="run", cellId="a1"))
        assert lost["result"] == {"runId": run["result"]["runId"], "state": "lost"}
        assert kernels.last.requests("execute_cells") == []
        assert len((await gateway.state())["cells"]) == 3
        other = await client.reply(await client.send("create_cell", id="new", cellType="python"))
        assert other["result"]["cellId"] != first["result"]["cellId"]


@story
async def test_stale_code_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        refused = await client.do("run_cell", cellId="a1", codeHash=code_hash("x = 4"))
        assert refused["code"] == "stale_code"
        assert refused["details"] == {"version": 1, "codeHash": code_hash("x = 5")}
        assert kernels.last.requests("execute_cells") == []
        assert (await client.do("run_cell", cellId="a1", codeHash=code_hash("x = 5")))["type"] == "command:executed"


@story
async def test_no_secret_of_a_connection_is_ever_shown(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        ended = await client.do("update_db_connection", connectionString=URL)
        assert ended["type"] == "command:executed"
        assert kernels.last.requests("configure_db")[0]["url"] == URL  # the control: the kernel does get it
        good = next(frame for frame in client.frames if frame["type"] == "db_connection_updated")
        assert (good["status"], good["inForce"]) == ("success", "postgresql://u:***@h/d")
        kernels.last.answers["configure_db"] = TailraceError(
            ErrorCode.DB_AUTH, f"could not connect to {URL}: password {SECRET} is wrong"
        )
        failed = await client.do("update_db_connection", connectionString=URL)
        assert (failed["type"], failed["code"]) == ("command:failed", "db_auth")
        bad = [frame for frame in client.frames if frame["type"] == "db_connection_updated"][-1]
        assert (bad["status"], bad["connectionString"]) == ("error", "postgresql://user:***@db.example/shop")
        assert bad["inForce"] == "postgresql://u:***@h/d"
        del kernels.last.answers["configure_db"]
        await client.do("restart_kernel")
        assert kernels.last.requests("configure_db")[0]["url"] == URL
        assert SECRET not in json.dumps(client.frames)
        assert SECRET not in json.dumps(await gateway.state())
    assert files_with(tmp_path, SECRET) == []
    assert files_with(tmp_path, "update_db_connection") != []  # the control: the journal was looked into


@story
async def test_messages_about_cells_that_are_gone_change_nothing(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        kernels.last.holds_runs = True
        await client.send("run_cell", cellId="a1")
        await client.event("cell_status", status="running")
        await client.reply(await client.send("delete_cell", cellId="a1"))
        kernels.last.status("a1", "success", "r")
        kernels.last.status("b1", "success", "r")
        await client.event("cell_status", cellId="b1", status="success")
        assert client.frames[-1]["cellId"] == "b1"
        assert [cell["id"] for cell in (await gateway.state())["cells"]] == ["b1"]
