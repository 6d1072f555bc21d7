"""A notebook and its kernel, which is not there: starts, deaths, restarts, prompts, interrupts."""

import asyncio
from pathlib import Path

from tailrace_gateway.kernel_port import Exited, InputAsked
from tests.gateway.fakes import DEAD, FakeKernel, FakeKernels, message
from tests.gateway.rim import Client, Gateway, running, story


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
