"""Widgets' messages: to a real kernel and back, each once, with their binary parts in both encodings."""

import base64
from pathlib import Path

import aiohttp
import msgspec

from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import Frame, running, story

ECHO = """
import comm

def opened(channel, message):
    @channel.on_msg
    def heard(message):
        print("heard", message["content"]["data"]["n"])
        parts = [bytes(part)[::-1] for part in message["buffers"]]
        channel.send({"n": message["content"]["data"]["n"] + 1}, {"version": "2"}, parts)
    channel.send({"n": 0})

comm.get_comm_manager().register_target("echo", opened)
"""
PART = bytes(range(256))


@story
async def test_a_message_with_a_binary_part_goes_to_the_kernel_and_back_to_everybody(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client("one") as one, gateway.client("two") as two:
        await one.ready()
        await one.do("run_cell", cellId="a1", code=ECHO)
        await one.send("comm", commId="w", phase="open", targetName="echo", data={})
        assert (await two.event("comm", commId="w"))["data"] == {"n": 0}
        part = base64.b64encode(PART).decode()
        asked = await one.send("comm", commId="w", phase="msg", data={"n": 6}, buffers=[part], cellId="a1")
        assert (await one.reply(asked))["type"] == "ack"
        answer = await two.event("comm", commId="w", phase="msg")
        assert (answer["data"], answer["metadata"]) == ({"n": 7}, {"version": "2"})
        assert base64.b64decode(answer["buffers"][0]) == PART[::-1]
        assert answer["cause"] == {"client": "one", "id": asked}
        printed = [frame for frame in two.frames if frame["type"] == "cell_stdout"]
        assert [(frame["cellId"], frame["data"]) for frame in printed] == [("a1", "heard 6\n")]


CONTROL = (
    ECHO
    + """
def asked(channel, message):
    @channel.on_msg
    def heard(message):
        if message["content"]["data"]["method"] == "request_states":
            open_comms = [name for name in comm.get_comm_manager().comms if name != channel.comm_id]
            channel.send({"method": "update_states", "states": dict.fromkeys(open_comms, {"value": 7})})

comm.get_comm_manager().register_target("jupyter.widget.control", asked)
"""
)


@story
async def test_a_client_that_comes_later_asks_for_the_states_of_open_comms(tmp_path: Path) -> None:
    """As a widget manager does: on the control comm, whose target widgets register in the kernel."""
    async with running(tmp_path) as gateway, gateway.client("one") as one:
        await one.ready()
        await one.do("run_cell", cellId="a1", code=CONTROL)
        await one.send("comm", commId="w", phase="open", targetName="echo", data={})
        await one.event("comm", commId="w")
        async with gateway.client("late") as late:
            await late.event("session:connected", client="late")
            await late.send("comm", commId="c", phase="open", targetName="jupyter.widget.control", data={})
            await late.send("comm", commId="c", phase="msg", data={"method": "request_states"})
            answer = await late.event("comm", commId="c", phase="msg")
            assert answer["data"] == {"method": "update_states", "states": {"w": {"value": 7}}}
            assert "w" not in [frame.get("commId") for frame in late.frames], "it was open before"


@story
async def test_binary_parts_are_bin_in_msgpack(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway, gateway.client() as client:
        await client.ready()
        await client.do("run_cell", cellId="a1", code=ECHO)
        async with gateway.socket("tailrace.v1.msgpack") as socket:
            await socket.send_bytes(msgspec.msgpack.encode({"type": "attach", "id": "a", "client": "packed"}))
            opening = {"type": "comm", "commId": "w", "phase": "open", "targetName": "echo", "data": {}}
            await socket.send_bytes(msgspec.msgpack.encode({**opening, "id": "b"}))
            message = {"type": "comm", "id": "c", "commId": "w", "phase": "msg", "data": {"n": 1}, "buffers": [PART]}
            await socket.send_bytes(msgspec.msgpack.encode(message))
            assert (await answer_in(socket))["buffers"] == [PART[::-1]]


async def answer_in(socket: aiohttp.ClientWebSocketResponse) -> Frame:
    async for message in socket:
        frame: Frame = msgspec.msgpack.decode(message.data)
        if frame["type"] == "comm" and frame["data"] == {"n": 2}:
            return frame
    raise AssertionError("the socket ended before the answer")


@story
async def test_a_message_that_is_sent_again_reaches_the_kernel_once(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway:
        message = {"commId": "w", "phase": "msg", "data": {"value": 3}}
        async with gateway.client("one") as one:
            await one.ready()
            assert (await one.reply(await one.send("comm", id="m1", **message)))["type"] == "ack"
        async with gateway.client("one") as one, gateway.client("two") as two:
            assert (await one.reply(await one.send("comm", id="m1", **message)))["type"] == "ack"
            assert len(kernels.last.told) == 1
            assert (await two.reply(await two.send("comm", id="m1", **message)))["type"] == "ack"
            assert len(kernels.last.told) == 2


@story
async def test_without_a_kernel_a_message_is_refused_and_may_be_sent_again(tmp_path: Path) -> None:
    kernels = FakeKernels()
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        kernels.last.die()
        await client.event("kernel_status", state="dead")
        message = {"commId": "w", "phase": "close", "data": {}}
        refused = await client.reply(await client.send("comm", id="m1", **message))
        assert (refused["type"], refused["code"]) == ("error", "kernel_dead")
        await client.do("restart_kernel")
        assert (await client.reply(await client.send("comm", id="m1", **message)))["type"] == "ack"
        assert [told.kind for told in kernels.last.told] == ["comm_close"]
