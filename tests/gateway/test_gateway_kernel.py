"""Real kernel, real sockets: what a person does with a notebook, seen by two clients."""

import asyncio
import gc
from pathlib import Path

import psutil

from tests.gateway.rim import Client, Frame, running, story


def value_of(client: Client, cell_id: str) -> str:
    """The last result that this client saw in a cell."""
    results = [frame for frame in client.frames if frame["type"] == "cell_output" and frame["cellId"] == cell_id]
    return str(results[-1]["output"]["data"]["text/plain"])


def last_status(client: Client, cell_id: str) -> Frame:
    return [frame for frame in client.frames if frame["type"] == "cell_status" and frame["cellId"] == cell_id][-1]


@story
async def test_an_edit_reaches_the_reader_at_every_client(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client("one") as one, gateway.client("two") as two:
        await one.ready()
        assert (await one.do("run_cell", cellId="a1"))["type"] == "command:executed"
        await two.event("run_finished")
        assert (value_of(one, "b1"), value_of(two, "b1")) == ("6", "6")
        await two.do("run_cell", cellId="a1", code="x = 10")
        await one.event("run_finished")
        assert (value_of(one, "b1"), value_of(two, "b1")) == ("11", "11")
        seqs = one.seqs()
        assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        assert "x = 10" in (await gateway.state())["cells"][0]["code"]


@story
async def test_a_deleted_writer_fails_its_readers(tmp_path: Path) -> None:
    notebook = '# %% id="a1"\na = 5\n\n# %% id="b1"\nb = a * 2\n\n# %% id="c1"\nc = b + 1\nc\n'
    async with running(tmp_path, notebook=notebook) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_all")
        assert value_of(client, "c1") == "11"
        await client.do("delete_cell", cellId="a1")
        state = await gateway.state()
        cells = {cell["id"]: cell for cell in state["cells"]}
        assert list(cells) == ["b1", "c1"]
        assert (cells["b1"]["error"]["ename"], cells["b1"]["status"]) == ("NameError", "error")
        assert "'a'" in cells["b1"]["error"]["evalue"]
        assert "'b'" in cells["c1"]["error"]["evalue"]
        assert cells["c1"]["status"] == "error"
        assert len(cells["c1"]["outputs"]) == 1
        order = [
            kind for kind in client.kinds() if kind in ("cell_deleted", "graph:node-unlinked", "graph:node-deleted")
        ]
        assert order == ["cell_deleted", "graph:node-unlinked", "graph:node-deleted"]


@story
async def test_a_cycle_blocks_until_it_is_taken_apart(tmp_path: Path) -> None:
    notebook = '# %% id="a1"\nx = 1\n\n# %% id="b1"\ny = x + 1\ny\n'
    async with running(tmp_path, notebook=notebook) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_all")
        await client.do("cell_update", cellId="a1", code="x = y + 1")
        assert "graph:property-changed" in client.kinds()
        cells = (await gateway.state())["cells"]
        assert [cell["status"] for cell in cells] == ["blocked", "blocked"]
        await client.do("run_cell", cellId="a1", code="x = 3")
        cells = (await gateway.state())["cells"]
        assert [cell["status"] for cell in cells] == ["success", "success"]
        assert value_of(client, "b1") == "4"


@story
async def test_a_restart_keeps_outputs_and_says_that_values_are_gone(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_all")
        before = (await gateway.state())["kernel"]["pid"]
        ended = await client.do("restart_kernel")
        assert ended["type"] == "command:executed"
        state = await gateway.state()
        assert state["kernel"]["pid"] != before
        assert [cell["status"] for cell in state["cells"]] == ["stale", "stale"]
        assert state["cells"][1]["reason"]["code"] == "kernel_restarted"
        assert state["cells"][1]["outputs"][0]["data"]["text/plain"] == "6"
        assert not psutil.pid_exists(before)
        await client.do("run_stale")
        assert [cell["status"] for cell in (await gateway.state())["cells"]] == ["success", "success"]


@story
async def test_a_killed_kernel_is_told_and_can_be_restarted(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client() as client:
        await client.ready()
        running_cell = "import time\nprint('begun', flush=True)\ntime.sleep(60)"
        await client.send("run_cell", cellId="a1", code=running_cell)
        await client.event("cell_stdout", cellId="a1")
        pid = (await gateway.state())["kernel"]["pid"]
        psutil.Process(pid).kill()
        dead = await client.event("kernel_status", state="dead")
        assert "Restart" in dead["kernelCause"]
        refused = await client.do("run_cell", cellId="b1")
        assert (refused["type"], refused["code"]) == ("error", "kernel_dead")
        cell = (await gateway.state())["cells"][0]
        assert (cell["status"], cell["stdout"]) == ("interrupted", "begun\n")
        assert (await client.do("restart_kernel"))["type"] == "command:executed"
        assert (await client.do("run_cell", cellId="a1", code="x = 5"))["type"] == "command:executed"
        assert value_of(client, "b1") == "6"


@story
async def test_a_cell_that_asks_the_kernel_to_end_is_named_without_noise(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client() as client:
        await client.ready()
        await client.send("run_cell", cellId="a1", code="exit()")
        dead = await client.event("kernel_status", state="dead")
        assert dead["kernelCause"] == (
            "The kernel ended because a cell called exit(). Restart it; nothing is re-run by itself."
        )
        await client.do("restart_kernel")
        await client.send("run_cell", cellId="a1", code="import os; os.write(2, b'last words\\n'); os._exit(7)")
        dead = await client.event("kernel_status", state="dead")
        assert dead["kernelCause"] == (
            "The kernel process ended (exit code 7). Restart it; nothing is re-run by itself. last words"
        )
        assert (await gateway.state())["cells"][0]["status"] == "interrupted"


@story
async def test_interrupt_stops_a_run(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client() as client:
        await client.ready()
        looping = "print('begun', flush=True)\nwhile True: pass"
        await client.send("run_cell", cellId="a1", code=looping)
        await client.event("cell_stdout", cellId="a1")
        ack = await client.reply(await client.send("interrupt"))
        assert ack["type"] == "ack"
        assert (await client.event("run_finished"))["status"] == "interrupted"
        assert last_status(client, "a1")["status"] == "interrupted"


@story
async def test_input_is_asked_and_the_first_answer_wins(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client() as client:
        await client.ready()
        await client.send("run_cell", cellId="a1", code="x = int(input('how many? '))")
        asked = await client.event("input_requested", cellId="a1")
        assert (asked["prompt"], asked["password"]) == ("how many? ", False)
        answer = {"cellId": "a1", "requestId": asked["requestId"], "value": "41"}
        assert (await client.reply(await client.send("stdin_reply", **answer)))["type"] == "ack"
        await client.event("run_finished", status="success")
        late = await client.reply(await client.send("stdin_reply", **answer))
        assert late["code"] == "not_waiting"
        assert value_of(client, "b1") == "42"


@story
async def test_completion_and_inspection_answer_in_the_ack(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_all")
        ack = await client.reply(await client.send("complete", cellId="b1", code="pri", cursor=3))
        assert "print" in ack["result"]["matches"]
        ack = await client.reply(await client.send("inspect", cellId="b1", code="len", cursor=3))
        assert ack["result"]["found"]


@story
async def test_a_stopped_gateway_leaves_no_child_and_shows_the_truth_when_it_is_back(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_cell", cellId="a1", code="x = 7")
        pid = (await gateway.state())["kernel"]["pid"]
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)
    async with running(tmp_path) as gateway, gateway.client() as client:
        snapshot = await client.event("snapshot")
        assert [cell["code"] for cell in snapshot["cells"]] == ["x = 7", "y = x + 1\ny"]
        assert [cell["status"] for cell in snapshot["cells"]] == ["stale", "stale"]
        assert snapshot["cells"][1]["outputs"][0]["data"]["text/plain"] == "8"
        await client.ready()


@story
async def test_kernels_can_be_kept_and_are_reachable_by_their_connection_file(tmp_path: Path) -> None:
    async with running(tmp_path, keep_kernels=True) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_all")
        pid = (await gateway.state())["kernel"]["pid"]
    gc.collect()
    process = psutil.Process(pid)
    try:
        assert process.is_running()
        found = list((tmp_path / "run").rglob("connection.json"))
        assert len(found) == 1
        assert found[0].stat().st_mode & 0o777 == 0o600
        assert found[0].parent.stat().st_mode & 0o777 == 0o700
        environment = process.environ()
        assert "TAILRACE_TOKEN" not in environment
        assert "PATH" in environment
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, 10)


@story
async def test_a_kernel_knows_no_secret_of_the_gateway(tmp_path: Path) -> None:
    code = "import os\nprint(sorted(name for name in os.environ if 'TOKEN' in name or 'LIFELINE' in name))"
    async with running(tmp_path, notebook=f'# %% id="a1"\n{code}\n') as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_all")
        assert (await gateway.state())["cells"][0]["stdout"] == "[]\n"
