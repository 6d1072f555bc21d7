"""A client that reads nothing: bounded, cut, and nobody else notices.

Real sockets; the stalled one takes a few kilobytes, so that the gateway feels it soon. What it costs the others in time
is a ratio in benchmarks/gateway.py.
"""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import aiohttp

from tailrace_gateway.clients import QUEUE_BYTES, STALL, TOO_SLOW
from tests.gateway.fakes import FakeKernels, message
from tests.gateway.rim import TOKEN, Client, Gateway, running, story

READERS = 3
CHUNK = 64 * 2**10  # bytes of one event
EVENTS = 400  # three times what may wait for one client
RECEIVE = 16 * 2**10  # bytes that the stalled client's system takes for it
ON_THE_WAY = 8 * 2**20  # bytes that systems may hold between two sockets of this machine


def small_socket(info: Any) -> socket.socket:
    made = socket.socket(info[0], info[1], info[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE)
    return made


async def say(gateway: Gateway, kernels: FakeKernels, waiting: list[int]) -> None:
    """Text of a cell, as much of it at once as the readers keep up with; notes what waits for the slowest client."""
    notebook = gateway.notebooks.open[0]
    for number in range(EVENTS):
        if number % 100 == 0:  # else what the cell shows reaches its limit, and the rest is only counted
            kernels.last.publish(message("clear_output", {"wait": False}, "", "a1"))
        content = {"name": "stderr" if number % 2 else "stdout", "text": f"{number} ".ljust(CHUNK, ".")}
        kernels.last.publish(message("stream", content, "", "a1"))
        await notebook.settle()
        waiting.append(notebook.waiting_bytes)
        await asyncio.sleep(0)


async def follow(client: Client) -> list[int]:
    """Numbers of the events of the cell, up to the last one."""
    seen: list[int] = []
    while not seen or seen[-1] < EVENTS - 1:
        frame = await client.event("cell_stdout", cellId="a1")
        seen.append(int(frame["data"].split(" ", 1)[0]))
    return seen


@story
async def test_a_client_that_reads_nothing_is_bounded_and_cut_and_delays_nobody(tmp_path: Path) -> None:
    kernels = FakeKernels()
    headers = {"Authorization": f"token {TOKEN}"}
    async with (
        running(tmp_path, kernels) as gateway,
        gateway.client("r0") as one,
        gateway.client("r1") as two,
        gateway.client("r2") as three,
        aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(socket_factory=small_socket)) as session,
    ):
        readers = [one, two, three]
        await one.ready()
        url = f"{gateway.url}/api/v1/ws/notebook/{await gateway.notebook_id()}"
        stalled = await session.ws_connect(url, protocols=["tailrace.v1.json"], max_msg_size=0)
        await stalled.send_json({"type": "attach", "id": "0", "client": "stalled"})
        await one.event("session:connected", client="stalled")
        waiting: list[int] = []
        told, *seen = await asyncio.gather(say(gateway, kernels, waiting), *map(follow, readers))
        assert told is None
        assert seen == [list(range(EVENTS))] * READERS
        for reader in readers:
            seqs = reader.seqs()
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        assert QUEUE_BYTES / 2 < max(waiting) <= QUEUE_BYTES, "the control: something did wait"

        began = asyncio.get_running_loop().time()
        for reader in readers:
            await reader.event("session:disconnected", client="stalled")
        assert asyncio.get_running_loop().time() - began < STALL + 2.0
        got, taken = 0, 0
        async for frame in stalled:  # it reads again: what was on the way, then why it is over
            got, taken = got + 1, taken + len(frame.data)
            assert json.loads(frame.data)["type"] != "resync"
        assert stalled.close_code == TOO_SLOW
        assert 0 < got < EVENTS
        assert taken < ON_THE_WAY
