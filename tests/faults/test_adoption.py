"""SIGKILL of a real gateway while its kernel works: the next gateway goes on with it, or nothing of it is left.

Cells wait at named pipes, so what is published while no gateway runs is known exactly.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tailrace_protocol.limits import RING_EVENTS
from tests.gateway.rim import Client, Frame, attached, cell_of, story
from tests.gateway_process import GatewayProcess, running_gateway

LINES = 300
LEFT_SECONDS = 5.0  # promise P8
NOTEBOOK = """\
# %% id="keep"
__import__("builtins").kept = 41

# %% id="work"
__import__("builtins").runs = getattr(__import__("builtins"), "runs", 0) + 1
print("before")
open("go").read()
for number in range({lines}):
    print(number, flush=True)
open("done", "w").close()
open("go-on").read()
print("after")

# %% id="look"
print(getattr(__import__("builtins"), "kept", "gone"), getattr(__import__("builtins"), "runs", 0))
"""


class Pipes:
    """Where a cell and the test wait for each other."""

    def __init__(self, folder: Path):
        self._folder = folder
        for name in ("go", "done", "go-on"):
            os.mkfifo(folder / name)

    async def open(self, name: str) -> None:
        """Returns once the cell has come to this pipe as well."""
        mode = os.O_RDONLY if name == "done" else os.O_WRONLY
        os.close(await asyncio.to_thread(os.open, self._folder / name, mode))


@pytest.fixture
def gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[GatewayProcess]:
    monkeypatch.setenv("TAILRACE_GRACE_SECONDS", str(getattr(request, "param", 60)))
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "work.py").write_text(NOTEBOOK.format(lines=LINES))
    with running_gateway(folder, tmp_path / "gateway.log") as gateway:
        yield gateway


async def kernel_of(client: Client) -> psutil.Process:
    """The kernel's process, once it is ready."""
    snapshot = await client.event("snapshot")
    kernel = snapshot["kernel"]
    while kernel["state"] not in ("idle", "busy"):
        kernel = await client.event("kernel_status")
    return psutil.Process(kernel["pid"])


def kill(gateway: GatewayProcess) -> None:
    assert gateway.stop(signal.SIGKILL) == -signal.SIGKILL


async def looked(client: Client) -> str:
    """What the cell `look` finds in the kernel."""
    assert (await client.do("run_cell", cellId="look"))["type"] == "command:executed"
    return "".join(f["data"] for f in client.frames if f["type"] == "cell_stdout" and f["cellId"] == "look")


async def work_until_killed(gateway: GatewayProcess) -> tuple[psutil.Process, Frame]:
    """The kernel, which waits before its first line, and the answer to `the-run`."""
    async with attached(gateway, "work.py", "person") as client:
        kernel = await kernel_of(client)
        await client.do("run_cell", cellId="keep")
        await client.send("run_cell", id="the-run", cellId="work")
        answer = await client.reply("the-run")
        await client.event("cell_stdout", cellId="work", data="before\n")
        await asyncio.to_thread(kill, gateway)
    return kernel, answer


def test_the_next_gateway_goes_on_with_the_kernel_and_nothing_it_said_is_missing(gateway: GatewayProcess) -> None:
    @story
    async def tell() -> None:
        pipes = Pipes(gateway.folder)
        kernel, answer = await work_until_killed(gateway)
        await pipes.open("go")
        await pipes.open("done")
        await asyncio.to_thread(gateway.start)
        async with attached(gateway, "work.py", "person") as client:
            assert await kernel_of(client) == kernel, "another kernel"
            snapshot = next(frame for frame in client.frames if frame["type"] == "snapshot")
            work = next(cell for cell in snapshot["cells"] if cell["id"] == "work")
            missed = "".join(f"{number}\n" for number in range(LINES))
            assert work["stdout"] == f"before\n{missed}"
            assert (work["status"], snapshot["run"]["runId"]) == ("running", answer["result"]["runId"])
            await client.send("run_cell", id="the-run", cellId="work")  # sent again by who does not know its fate
            assert (await client.reply("the-run"))["result"] == answer["result"]
            await pipes.open("go-on")
            await client.event("command:executed", id="the-run")
            assert cell_of(gateway, "work.py", "work")["stdout"] == f"before\n{missed}after\n"
            assert cell_of(gateway, "work.py", "work")["status"] == "success"
            assert await looked(client) == "41 1\n"
            assert client.seqs() == list(range(snapshot["seq"] + 1, snapshot["seq"] + 1 + len(client.seqs())))

    tell()


@pytest.mark.parametrize("gateway", [0.1], indirect=True)
def test_a_kernel_that_nobody_adopts_ends_with_what_it_started(gateway: GatewayProcess) -> None:
    """The control of the test above as well: without its kernel a value is gone and the run is said to be lost."""

    @story
    async def tell() -> None:
        Pipes(gateway.folder)
        kernel, answer = await work_until_killed(gateway)
        await asyncio.to_thread(kernel.wait, LEFT_SECONDS)
        await asyncio.to_thread(gateway.start)
        async with attached(gateway, "work.py", "person") as client:
            assert await kernel_of(client) != kernel
            await client.send("run_cell", id="the-run", cellId="work")
            assert (await client.reply("the-run"))["result"] == {**answer["result"], "state": "lost"}
            assert await looked(client) == "gone 0\n"

    tell()


def test_a_document_that_changed_meanwhile_is_told_to_the_kernel_and_runs_nothing(gateway: GatewayProcess) -> None:
    file = gateway.folder / "work.py"
    file.write_text(
        '# %% id="keep"\nx = 41\n\n# %% id="gone"\ny = x + 1\n\n# %% id="look"\nprint(x)\n\n# %% id="old"\n1\n'
    )

    @story
    async def tell() -> None:
        async with attached(gateway, "work.py", "person") as client:
            kernel = await kernel_of(client)
            await client.do("run_all")
            await asyncio.to_thread(kill, gateway)
        edited = file.read_text().replace("print(x)", "print(x + 1)").replace('# %% id="gone"\ny = x + 1\n\n', "")
        file.write_text(edited + '\n# %% id="new"\nprint(x * 2, "y" in globals())\n')
        await asyncio.to_thread(gateway.start)
        async with attached(gateway, "work.py", "person") as client:
            assert await kernel_of(client) == kernel
            statuses = {cell: cell_of(gateway, "work.py", cell)["status"] for cell in ("keep", "look", "old", "new")}
            assert statuses == {"keep": "success", "look": "stale", "old": "success", "new": "idle"}
            assert cell_of(gateway, "work.py", "look")["stdout"] == "41\n"
            assert "run_started" not in client.kinds()
            await client.do("run_cell", cellId="new")
            assert cell_of(gateway, "work.py", "new")["stdout"] == "82 False\n"
            await client.do("run_cell", cellId="look")
            assert cell_of(gateway, "work.py", "look")["stdout"] == "42\n"

    tell()


def test_two_gateways_are_killed_and_a_cell_waits_for_a_line_all_the_while(gateway: GatewayProcess) -> None:
    (gateway.folder / "work.py").write_text('# %% id="work"\nfirst = input("one? ")\nprint(first + input("two? "))\n')

    @story
    async def tell() -> None:
        async with attached(gateway, "work.py", "person") as client:
            kernel = await kernel_of(client)
            await client.send("run_cell", id="the-run", cellId="work")
            await client.event("input_requested", prompt="one? ")
            await asyncio.to_thread(kill, gateway)
        for _ in range(2):
            await asyncio.to_thread(gateway.start)
            async with attached(gateway, "work.py", "person") as client:
                assert await kernel_of(client) == kernel
                asked = next(frame for frame in client.frames if frame["type"] == "snapshot")["input"]
                assert (asked["prompt"], asked["password"]) == ("one? ", False)
                await asyncio.to_thread(kill, gateway)
        await asyncio.to_thread(gateway.start)
        async with attached(gateway, "work.py", "person") as client:
            assert await kernel_of(client) == kernel
            asked = next(frame for frame in client.frames if frame["type"] == "snapshot")["input"]
            await client.send("stdin_reply", cellId="work", requestId=asked["requestId"], value="a")
            asked = await client.event("input_requested", prompt="two? ")
            await client.send("stdin_reply", cellId="work", requestId=asked["requestId"], value="b")
            await client.event("command:executed", id="the-run")
            assert cell_of(gateway, "work.py", "work")["stdout"] == "ab\n"

    tell()


def test_what_the_kernel_could_not_keep_is_said_to_be_missing(gateway: GatewayProcess) -> None:
    """More messages than its ring holds while no gateway runs; what comes after them is whole again."""
    many = RING_EVENTS + 2_000
    (gateway.folder / "work.py").write_text(
        NOTEBOOK.format(lines=LINES)
        .replace(f"range({LINES})", f"range({many})")
        .replace("print(number,", "display(number); 0 and print(")
    )

    @story
    async def tell() -> None:
        pipes = Pipes(gateway.folder)
        kernel, _ = await work_until_killed(gateway)
        await pipes.open("go")
        await pipes.open("done")
        await asyncio.to_thread(gateway.start)
        async with attached(gateway, "work.py", "person") as client:
            assert await kernel_of(client) == kernel
            first, *rest = cell_of(gateway, "work.py", "work")["outputs"]
            assert (first["stream"], "missing" in first["text"]) == ("stderr", True)
            shown = [int(output["data"]["text/plain"]) for output in rest]
            assert shown == list(range(shown[0], many))
            await pipes.open("go-on")
            await client.event("command:executed", id="the-run")
            assert cell_of(gateway, "work.py", "work")["status"] == "success"
            assert await looked(client) == "41 1\n"

    tell()


SPAWN = """\
# %% id="work"
import subprocess
for own in (False, True):
    child = subprocess.Popen(["sleep", "600"], start_new_session=own)
    print(child.pid, flush=True)
"""


@pytest.mark.parametrize("gateway", [0.5], indirect=True)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_that_cells_started_is_left(gateway: GatewayProcess, how: signal.Signals) -> None:
    """Five seconds after the grace period of a kernel whose gateway was killed, or after a clean stop."""
    (gateway.folder / "work.py").write_text(SPAWN)

    @story
    async def tell() -> None:
        async with attached(gateway, "work.py", "person") as client:
            kernel = await kernel_of(client)
            await client.do("run_cell", cellId="work")
            pids = [int(line) for line in cell_of(gateway, "work.py", "work")["stdout"].split()]
            processes = [kernel, *map(psutil.Process, pids)]
            assert len(processes) == 3
            assert all(process.is_running() for process in processes)
            await asyncio.to_thread(gateway.stop, how)
        _, left = await asyncio.to_thread(psutil.wait_procs, processes, 0.5 + LEFT_SECONDS)
        assert [process for process in left if process.status() != psutil.STATUS_ZOMBIE] == []

    tell()
