"""The notebook's inbox with a kernel that is not there: order, idempotence, effects, files, restarts."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from tailrace_gateway.blobs import Blobs
from tailrace_gateway.clients import Client as Member
from tailrace_gateway.journal import MemoryJournal
from tailrace_gateway.kernel_port import Exited, InputAsked
from tailrace_gateway.notebook import Notebook
from tailrace_gateway.notebook_file import NotebookFile
from tailrace_gateway.output_store import OutputStore
from tailrace_gateway.records import Image, Record, Saved
from tailrace_gateway.saving import Kept
from tailrace_gateway.state import open_state
from tailrace_protocol.commands import Attach, CellUpdate
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import NotebookInfo, Settings, code_hash
from tests.gateway.fakes import DEAD, FakeKernel, FakeKernels, message
from tests.gateway.rim import TWO_CELLS, Client, Frame, Gateway, running, story

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
async def test_a_run_waits_for_the_kernel_to_start(tmp_path: Path) -> None:
    gate = asyncio.Event()

    class Slow(FakeKernels):
        def __call__(self, found: object, hear: object) -> FakeKernel:
            kernel: FakeKernel = super().__call__(found, hear)  # type: ignore[arg-type]
            start = kernel.start

            async def later() -> object:
                await gate.wait()
                return await start()

            kernel.start = later  # type: ignore[method-assign,assignment]
            return kernel

    kernels = Slow()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        ack = await client.reply(await client.send("run_cell", cellId="a1"))
        assert ack["type"] == "ack"
        question = await client.reply(await client.send("complete", cellId="a1", code="p", cursor=1))
        assert question["code"] == "kernel_starting"
        assert (await client.do("restart_kernel"))["code"] == "busy_restarting"
        gate.set()
        assert (await client.event("run_finished"))["runId"] == ack["result"]["runId"]
        assert [kind for kind, _ in kernels.last.asked] == ["register_cells", "settings", "graph", "execute_cells"]


@story
async def test_a_kernel_that_cannot_start_is_told_with_its_reason(tmp_path: Path) -> None:
    def broken(kernel: FakeKernel) -> None:
        kernel.start_error = DEAD if len(kernels.lives) == 0 else None

    kernels = FakeKernels(broken)
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        dead = await client.event("kernel_status", state="dead")
        assert "no module" in dead["kernelCause"]
        assert (await client.do("run_all"))["code"] == "kernel_dead"
        assert (await client.do("cell_update", cellId="a1", code="x = 8"))["type"] == "command:executed"
        assert (await client.do("restart_kernel"))["type"] == "command:executed"
        assert kernels.last.requests("register_cells")[0]["cells"][0]["code"] == "x = 8"


@story
async def test_a_dying_kernel_loses_its_run_and_keeps_what_it_showed(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_cell", cellId="b1")
        kernels.last.holds_runs = True
        await client.send("run_cell", id="held", cellId="a1")
        await client.event("cell_status", cellId="a1", status="running")
        kernels.last.die()
        assert (await client.event("run_finished"))["status"] == "lost"
        failed = await client.event("command:failed")
        assert (failed["id"], failed["code"]) == ("held", "kernel_dead")
        await client.event("kernel_status", state="dead")
        cells = (await gateway.state())["cells"]
        assert (cells[0]["status"], cells[1]["stdout"]) == ("interrupted", "y = x + 1\ny\n")
        await client.do("restart_kernel")
        cells = (await gateway.state())["cells"]
        assert [cell["status"] for cell in cells] == ["stale", "stale"]
        assert cells[1]["stdout"] == "y = x + 1\ny\n"


@story
async def test_a_restart_can_run_everything_again(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        ended = await client.do("restart_kernel", rerun=True)
        assert ended["type"] == "command:executed"
        assert len(kernels.lives) == 2
        assert kernels.lives[0].stopped
        assert kernels.last.requests("execute_cells")[0]["mode"] == "all"
        assert [cell["status"] for cell in (await gateway.state())["cells"]] == ["success", "success"]


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
async def test_input_goes_to_the_first_who_answers(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        kernels.last.hear(InputAsked("r1", "a1", "name? ", password=True))
        asked = await client.event("input_requested", cellId="a1")
        assert (asked["prompt"], asked["password"]) == ("name? ", True)
        wrong = await client.reply(await client.send("stdin_reply", cellId="b1", value="v"))
        assert wrong["code"] == "not_waiting"
        right = {"cellId": "a1", "requestId": asked["requestId"], "value": "v"}
        assert (await client.reply(await client.send("stdin_reply", **right)))["type"] == "ack"
        assert (await client.reply(await client.send("stdin_reply", **right)))["code"] == "not_waiting"
        assert kernels.last.inputs == [("r1", "v")]


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
async def test_two_clients_see_the_same_events_in_the_same_order(tmp_path: Path) -> None:
    async with (
        running(tmp_path, FakeKernels()) as gateway,
        gateway.client("one") as one,
        gateway.client("two") as two,
    ):
        await one.ready()
        for number in range(20):
            await one.send("cell_update", cellId="a1", code=f"x = {number}")
            await two.send("create_cell", cellType="python", code=f"z{number} = 1")
        await one.do("save", id="last")
        await two.do("save", id="last")
        await two.event("command:executed", id="last", client="two")
        await one.event("command:executed", id="last", client="two")
        start = max(one.seqs()[0], two.seqs()[0])

        def numbered(client: Client) -> list[Frame]:
            return [frame for frame in client.frames if frame.get("seq", 0) >= start and "ts" in frame]

        both = min(len(numbered(one)), len(numbered(two)))
        assert both > 80
        assert numbered(one)[:both] == numbered(two)[:both]
        state = await gateway.state()
        assert len(state["cells"]) == 22


@story
async def test_rooms_are_isolated(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        (tmp_path / "notebooks" / "zebra.py").write_text('# %% id="q1"\nq = 1\n')
        async with gateway.session.get(f"{gateway.url}/api/v1/notebooks") as response:
            rows = await response.json()
        assert [row["path"] for row in rows] == ["story.py", "zebra.py"]
        url = f"{gateway.url}/api/v1/ws/notebook/{rows[1]['id']}"
        async with gateway.client() as client, gateway.session.ws_connect(url) as socket:
            other = Client(socket, "other")
            await other.send("attach")
            await other.ready()
            await client.ready()
            await client.do("run_all")
            await other.do("run_all")
            assert {frame["notebookId"] for frame in other.frames if "notebookId" in frame} == {rows[1]["id"]}
            assert {frame["notebookId"] for frame in client.frames if "notebookId" in frame} == {rows[0]["id"]}


@story
async def test_who_comes_and_goes_is_announced(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client("one", name="Ada") as one:
        await one.ready()
        async with gateway.client("two", name="Lin") as two:
            came = await one.event("session:connected", client="two")
            assert came["clients"] == [{"client": "one", "name": "Ada"}, {"client": "two", "name": "Lin"}]
            assert (await two.reply(await two.send("presence", cellId="nobody")))["code"] == "unknown_cell"
            await two.send("presence", cellId="a1")
            moved = await one.event("session:moved", client="two")
            assert moved["clients"][1] == {"client": "two", "name": "Lin", "cellId": "a1"}
            await two.reply(await two.send("presence", cellId="a1"))  # the same again is told to nobody
            await two.send("presence", cellId=None)
            moved = await one.event("session:moved", client="two")
            assert moved["clients"][1] == {"client": "two", "name": "Lin"}
        gone = await one.event("session:disconnected", client="two")
        assert gone["clients"] == [{"client": "one", "name": "Ada"}]


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
        async with gateway.session.post(f"{base}/import?name=bad.ipynb", data=b"{") as response:
            assert response.status == 422
        for name, status in (("fresh", 201), ("fresh", 409), ("../out", 400), ("", 400), (".hidden", 400)):
            async with gateway.session.post(base, json={"name": name}) as response:
                assert response.status == status, name
        async with gateway.session.delete(f"{base}/{copy}") as response:
            assert response.status == 204
        async with gateway.session.get(base) as response:
            assert [row["path"] for row in await response.json()] == ["fresh.py", "story.py", "words.py"]


class FullDisk(MemoryJournal):
    """Takes `room` records, then no more."""

    def __init__(self, room: int) -> None:
        self.room = room

    async def append(self, record: Record | Saved) -> None:
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

    async def append(self, record: Record | Saved) -> None:
        self.records.append(record)
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await asyncio.sleep(0)
        self.waiting -= 1


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


@story
async def test_a_prompt_is_still_there_after_a_reload_until_it_is_answered(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        assert "input" not in await gateway.state()
        kernels.last.hear(InputAsked("r1", "a1", "name? ", password=True))
        await client.event("input_requested", cellId="a1")
        async with gateway.client("late") as late:
            loaded = await late.event("snapshot")
            assert loaded["input"] == {"cellId": "a1", "prompt": "name? ", "password": True, "requestId": "r1"}
            await late.send("stdin_reply", cellId="a1", requestId="r1", value="v")
            await client.event("input_answered", cellId="a1", requestId="r1")
        assert kernels.last.inputs == [("r1", "v")]
        assert "input" not in await gateway.state()
        kernels.last.hear(InputAsked("r2", "a1", "again? ", password=False))
        await client.event("input_requested", requestId="r2")
        assert (await gateway.state())["input"]["requestId"] == "r2"
        kernels.last.die()
        await client.event("kernel_status", state="dead")
        assert "input" not in await gateway.state()


async def asked_of(gateway: Gateway, client: Client, command_id: str) -> str:
    """The run of this command, once the kernel has been asked for it."""
    run_id = str((await client.reply(command_id))["result"]["runId"])
    await (await gateway.notebooks.get(await gateway.notebook_id())).settle()
    return run_id


@story
async def test_a_cell_whose_start_was_lost_with_the_kernel_is_interrupted(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        kernels.last.silent.add("execute_cells")
        await asked_of(gateway, client, await client.send("run_cell", cellId="a1"))
        kernels.last.die()
        await client.event("kernel_status", state="dead")
        cells = (await gateway.state())["cells"]
        assert [cell["status"] for cell in cells] == ["interrupted", "idle"]
        assert cells[0]["reason"]["message"] == "The kernel ended while the cell ran."


@story
async def test_of_a_plan_the_first_cell_that_has_not_ended_is_interrupted(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        kernels.last.silent.add("execute_cells")
        run_id = await asked_of(gateway, client, await client.send("run_all"))
        plan = {"run_id": run_id, "mode": "all", "cells": ["a1", "b1"], "plan": ["a1", "b1"]}
        kernels.last.publish(message("run_started", plan))
        kernels.last.status("b1", "queued", run_id)
        kernels.last.status("a1", "success", run_id)
        kernels.last.die()
        await client.event("kernel_status", state="dead")
        assert [cell["status"] for cell in (await gateway.state())["cells"]] == ["success", "interrupted"]


@story
async def test_a_run_that_a_restart_cuts_off_was_interrupted_by_somebody(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        kernels.last.holds_runs = True
        await client.send("run_cell", id="held", cellId="a1")
        await client.event("cell_status", cellId="a1", status="running")
        await client.send("restart_kernel", id="restart")
        failed = await client.event("command:failed")
        assert (failed["id"], failed["code"]) == ("held", "interrupted")
        await client.event("command:executed", id="restart")


@story
async def test_a_cell_that_ended_the_kernel_is_said_to_have_asked_for_it(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_cell", cellId="b1", code="exit()")
        kernels.last.hear(Exited(0, ""))
        dead = await client.event("kernel_status", state="dead")
        assert dead["kernelCause"].startswith("The kernel ended because a cell called exit().")
        await client.do("restart_kernel")
        kernels.last.hear(Exited(0, ""))  # nothing ran in this one: somebody else shut it down
        dead = await client.event("kernel_status", state="dead")
        assert "exit()" not in dead["kernelCause"]


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
