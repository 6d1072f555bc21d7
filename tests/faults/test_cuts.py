"""A connection cut at any byte: whoever comes back misses no event, gets none twice, and loses no command.

The oracle is a second client that is never cut: both must have heard the same. The seed is printed.
"""

import json
import os
import random
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import msgspec
import pytest

from tailrace_protocol.codec import Encoding
from tests.faults.cutting_proxy import CuttingProxy, cutting
from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import Client, Frame, running, story

CUTS = int(os.environ.get("TAILRACE_CUTS", "40"))
SEED = int(os.environ.get("TAILRACE_SEED", "0")) or secrets.randbelow(2**32)
IN_FLIGHT = 4  # commands the client sends before it waits for answers
UNNUMBERED = {"ack", "snapshot", "position"}  # frames that tell a position and are no events


@dataclass
class Resuming:
    """A client that comes back with the position it has, and sends again what was not answered."""

    chance: random.Random
    encoding: Encoding
    epoch: str | None = None
    seq: int = 0
    first: int = 0  # position of the snapshot it began with
    events: list[Frame] = field(default_factory=list)
    open: dict[str, Frame] = field(default_factory=dict)
    sent: int = 0
    sent_again: int = 0
    replayed: int = 0
    mode: str = ""

    def hear(self, frame: Frame) -> None:
        match frame:
            case {"type": "ack", "id": "attach", "result": result}:
                self.mode = result["mode"]
                assert self.epoch is None or self.mode == "replay", "what was missed is in the ring"
                self.replayed += frame["seq"] - self.seq if self.mode == "replay" else 0
            case {"type": "ack", "id": command_id}:
                del self.open[command_id]
            case {"type": "snapshot", "epoch": epoch, "seq": seq}:
                assert self.epoch is None, "one snapshot, at the beginning"
                self.epoch, self.seq, self.first = epoch, seq, seq
            case {"seq": seq}:
                assert seq == self.seq + 1, f"after {self.seq} came {seq}"
                self.seq = seq
                self.events.append(frame)
            case _:
                raise AssertionError(frame)

    async def send(self, socket: aiohttp.ClientWebSocketResponse, frame: Frame) -> None:
        if self.encoding == "json":
            await socket.send_str(json.dumps(frame))
        else:
            await socket.send_bytes(msgspec.msgpack.encode(frame))

    async def connect(self, session: aiohttp.ClientSession, url: str, proxy: CuttingProxy, other: Client) -> bool:
        """One connection; true when it was not cut and everything has been answered and heard."""
        with suppress(aiohttp.ClientConnectionError, ConnectionError, EOFError):
            async with session.ws_connect(url, protocols=(f"tailrace.v1.{self.encoding}",), max_msg_size=0) as socket:
                since = {} if self.epoch is None else {"since": {"epoch": self.epoch, "seq": self.seq}}
                await self.send(socket, {"type": "attach", "id": "attach", "client": "cut", **since})
                for frame in [*self.open.values()]:
                    self.sent_again += 1
                    await self.send(socket, frame)
                while self.open or proxy.left:
                    while proxy.left and len(self.open) < IN_FLIGHT:
                        await self.send(socket, self.next())
                    self.hear(await next_frame(socket))
                last = await other.do("cell_update", cellId="b1", code="y = 0")
                while self.seq < last["seq"]:
                    self.hear(await next_frame(socket))
                return True
        return False

    def next(self) -> Frame:
        self.sent += 1
        code = f"x = {self.sent}\n" + "# padding\n" * self.chance.choice([0, 0, 40])
        frame = {"type": "cell_update", "id": f"cut-{self.sent}", "cellId": "a1", "code": code}
        self.open[frame["id"]] = frame
        return frame


async def next_frame(socket: aiohttp.ClientWebSocketResponse) -> Frame:
    message = await socket.receive()
    if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
        raise EOFError(f"the socket ended: {message}")
    packed = message.type is aiohttp.WSMsgType.BINARY
    frame: Frame = msgspec.msgpack.decode(message.data) if packed else json.loads(message.data)
    return frame


def applied(frames: list[Frame]) -> list[str]:
    """Ids of the commands of the client that is cut, as often as they were carried out."""
    return [frame["id"] for frame in frames if frame["type"] == "command:executing" and frame["client"] == "cut"]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@story
async def test_a_connection_cut_at_any_byte_misses_nothing_and_gets_nothing_twice(
    tmp_path: Path, encoding: Encoding
) -> None:
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    async with (
        running(tmp_path, FakeKernels()) as gateway,
        gateway.client("whole") as whole,
        cutting(gateway.port, chance, CUTS) as proxy,
    ):
        await whole.ready()
        gateway.session.headers["Host"] = f"127.0.0.1:{gateway.port}"  # the door takes no other
        url = f"http://127.0.0.1:{proxy.port}/api/v1/ws/notebook/{await gateway.notebook_id()}"
        client = Resuming(chance, encoding)
        for number in range(10 * CUTS):
            if await client.connect(gateway.session, url, proxy, whole):
                break
            await whole.do("cell_update", cellId="b1", code=f"y = {number}")  # the client is not there to hear it
        assert sum(proxy.cuts.values()) == CUTS
        heard = [frame for frame in whole.frames if "seq" in frame and frame["type"] not in UNNUMBERED]
        assert client.events == [frame for frame in heard if client.first < frame["seq"] <= client.seq]
        assert applied(heard) == [f"cut-{number}" for number in range(1, client.sent + 1)], "each once, in order"
        cell = next(cell for cell in (await gateway.state())["cells"] if cell["id"] == "a1")
        assert cell["version"] == 1 + client.sent
        assert cell["code"].startswith(f"x = {client.sent}\n")
    print(f"{encoding} cuts = {CUTS}\nsent = {client.sent}\nagain = {client.sent_again}\nreplayed = {client.replayed}")
    assert min(proxy.cuts.values()) > CUTS / 8, "the controls: cut both ways, with events missed and answers lost"
    assert client.replayed > CUTS
    assert client.sent_again > 0
