"""SIGKILL of a real gateway under four writers: nothing acknowledged is lost or there twice, the file is whole.

The oracle is what the writers sent and were told; the file is read by jupytext. The seed is printed; TAILRACE_KILLS
makes it longer.
"""

import asyncio
import os
import random
import re
import secrets
import signal
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import pytest
from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, ClientWebSocketResponse, WSMsgType

from tailrace_protocol.limits import IDEMPOTENT_IDS
from tests.gateway_process import GatewayProcess, running_gateway

KILLS = int(os.environ.get("TAILRACE_KILLS", "10"))
SEED = int(os.environ.get("TAILRACE_SEED", "0")) or secrets.randbelow(2**32)
WRITERS = 4
ACKS = 200  # between two kills, at least
IN_FLIGHT = 4  # commands a writer sends before it waits for answers
SECONDS = 60.0  # for one round
START = "".join(f'# %% id="w{number}"\nw{number} = 0\n\n' for number in range(WRITERS))

Frame = dict[str, Any]


@dataclass
class Writer:
    """Counts up in a cell of its own, and now and then makes a cell that it deletes later."""

    name: str
    answered: dict[str, Frame] = field(default_factory=dict)  # id → its ack
    open: dict[str, Frame] = field(default_factory=dict)  # id → frame without an answer, in the order of sending
    number: int = 0
    said: int = 0  # highest number that was acknowledged
    made: dict[str, str] = field(default_factory=dict)  # mark in the code → cell id, acknowledged and not deleted
    deleting: set[str] = field(default_factory=set)  # marks whose deletion was sent
    marks: int = 0

    def next(self, chance: random.Random) -> Frame:
        self.number += 1
        command_id = f"{self.name}-{self.number}"
        kept = [mark for mark in self.made if mark not in self.deleting]
        if self.number % 12 == 0 and len(kept) < 4:
            self.marks += 1
            code = f"mark = '{self.name}x{self.marks}x'"
            return {"type": "create_cell", "id": command_id, "cellType": "python", "code": code, "index": 0}
        if self.number % 12 == 6 and kept:
            mark = chance.choice(kept)
            self.deleting.add(mark)
            return {"type": "delete_cell", "id": command_id, "cellId": self.made[mark]}
        return {
            "type": "cell_update",
            "id": command_id,
            "cellId": self.name,
            "code": f"{self.name} = {self.number}\n" + "# padding\n" * chance.choice([0, 0, 50]),
        }

    def hear(self, frame: Frame) -> None:
        assert frame["type"] == "ack", frame
        sent = self.open.pop(frame["id"])
        self.answered[frame["id"]] = frame
        match sent["type"]:
            case "cell_update":
                self.said = max(self.said, int(frame["id"].rsplit("-", 1)[1]))
            case "create_cell":
                self.made[mark_of(sent["code"])] = frame["result"]["cellId"]
            case "delete_cell":
                mark = next(mark for mark, cell_id in self.made.items() if cell_id == sent["cellId"])
                del self.made[mark]
                self.deleting.discard(mark)


def mark_of(code: str) -> str:
    found = re.search(r"'(\w+)'", code)
    assert found is not None
    return found[1]


@dataclass
class Story:
    """All rounds: the same writers meet a gateway that dies and comes back."""

    gateway: GatewayProcess
    notebook: str
    chance: random.Random
    writers: list[Writer]
    acks: int = 0  # of this round
    kills_in_flight: int = 0
    sent_again: int = 0
    total: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def socket(self, session: ClientSession, writer: Writer) -> Any:
        url = f"{self.gateway.url}/api/v1/ws/notebook/{self.notebook}"
        async with session.ws_connect(url, protocols=["tailrace.v1.json"], max_msg_size=0) as socket:
            attach = {"type": "attach", "id": "attach", "client": writer.name, "topics": ["run"]}
            await socket.send_json(attach)
            while True:
                frame = await next_frame(socket)
                if frame["type"] == "ack":
                    break
            yield socket

    async def again(self, session: ClientSession, writer: Writer) -> None:
        """Send what had no answer once more, and some that had one: the same answers, and nothing happens twice."""
        async with self.socket(session, writer) as socket:
            for command_id in self.remembered(writer):
                await socket.send_json(
                    {"type": "cell_update", "id": command_id, "cellId": writer.name, "code": "again"}
                )
                answer = await self.reply(socket, command_id)
                assert answer["type"] == "ack", answer
                for name in ("revision", "seq", "result"):
                    assert answer.get(name) == writer.answered[command_id].get(name), (answer, command_id)
            for command_id, frame in [*writer.open.items()]:
                await socket.send_json(frame)
                writer.hear(await self.reply(socket, command_id))
                self.sent_again += 1

    def remembered(self, writer: Writer) -> list[str]:
        """Some commands whose answers are promised still, the oldest of them first.

        Each command is one revision; those that had no answer may have been applied since.
        """
        newest = max(ack["revision"] for writer in self.writers for ack in writer.answered.values())
        forgotten = newest - IDEMPOTENT_IDS + WRITERS * IN_FLIGHT
        known = [command_id for command_id, ack in writer.answered.items() if ack["revision"] > forgotten]
        writer.answered = {command_id: writer.answered[command_id] for command_id in known}
        return known[:1] + self.chance.sample(known, min(2, len(known)))

    async def reply(self, socket: ClientWebSocketResponse, command_id: str) -> Frame:
        while True:
            frame = await next_frame(socket)
            if frame.get("id") == command_id and frame["type"] in {"ack", "error"}:
                return frame

    async def write(self, session: ClientSession, writer: Writer) -> None:
        """Until the gateway is gone."""
        with suppress(ClientConnectionError, ConnectionError, EOFError):
            async with self.socket(session, writer) as socket:
                while True:
                    while len(writer.open) < IN_FLIGHT:
                        frame = writer.next(self.chance)
                        writer.open[frame["id"]] = frame
                        await socket.send_json(frame)
                    frame = await next_frame(socket)
                    if frame["type"] in {"ack", "error"}:
                        writer.hear(frame)
                        self.acks += 1
                        if self.acks >= ACKS:
                            self.enough.set()

    async def round(self) -> None:
        """Write, kill, look at the file, come back, check what is there."""
        self.acks = 0
        self.enough.clear()
        headers = {"Authorization": f"token {self.gateway.token}"}
        async with ClientSession(headers=headers, timeout=ClientTimeout(total=None, connect=10)) as session:
            writing = [asyncio.create_task(self.write(session, writer)) for writer in self.writers]
            await self.enough.wait()
            await asyncio.sleep(self.chance.random() * 0.4)  # the instant of the kill is what is drawn here
            code = await asyncio.to_thread(self.gateway.stop, signal.SIGKILL)
            assert code == -signal.SIGKILL
            await asyncio.gather(*writing)
        self.total += self.acks
        self.kills_in_flight += any(writer.open for writer in self.writers)
        self.check_file()
        await asyncio.to_thread(self.gateway.start)
        async with ClientSession(headers=headers, timeout=ClientTimeout(total=None, connect=10)) as session:
            self.check(await self.document(session))
            await asyncio.gather(*(self.again(session, writer) for writer in self.writers))
            self.check(await self.document(session))

    async def document(self, session: ClientSession) -> list[Frame]:
        async with session.get(f"{self.gateway.url}/api/v1/notebooks/{self.notebook}") as response:
            assert response.status == 200, await response.text()
            cells: list[Frame] = (await response.json())["cells"]
            return cells

    def check_file(self) -> None:
        text = (self.gateway.folder / "shared.py").read_text()
        read = jupytext.reads(text, fmt="py:percent")
        compile(text, "shared.py", "exec")
        assert len(read.cells) >= WRITERS

    def check(self, cells: list[Frame]) -> None:
        codes = {cell["id"]: cell["code"] for cell in cells}
        assert len(codes) == len(cells)
        marks = [mark_of(code) for code in codes.values() if code.startswith("mark")]
        assert len(set(marks)) == len(marks), f"made twice: {marks}"
        for writer in self.writers:
            number = int(codes[writer.name].split("\n")[0].split(" = ")[1])
            assert writer.said <= number <= writer.number, f"{writer.name}: {writer.said} was acknowledged"
            for mark, cell_id in writer.made.items():
                there = codes.get(cell_id, "") == f"mark = '{mark}'"
                assert there or mark in writer.deleting, f"{mark} was acknowledged"
            unsaid = {mark_of(frame["code"]) for frame in writer.open.values() if frame["type"] == "create_cell"}
            mine = {mark for mark in marks if mark.startswith(f"{writer.name}x")}
            assert mine <= writer.made.keys() | unsaid, f"deleted cells are back: {mine}"


async def next_frame(socket: ClientWebSocketResponse) -> Frame:
    message = await socket.receive()
    if message.type is not WSMsgType.TEXT:
        raise EOFError(f"the socket ended: {message}")
    frame: Frame = message.json()
    return frame


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayProcess]:
    monkeypatch.setenv("TAILRACE_GRACE_SECONDS", "0.2")  # for kernels whose gateway was killed
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "shared.py").write_text(START)
    with running_gateway(folder, tmp_path / "gateway.log") as gateway:
        yield gateway


def test_nothing_acknowledged_is_lost_when_the_gateway_is_killed(gateway: GatewayProcess) -> None:
    print(f"seed {SEED}")

    async def tell() -> Story:
        writers = [Writer(f"w{number}") for number in range(WRITERS)]
        story = Story(gateway, gateway.notebook_id("shared.py"), random.Random(SEED), writers)
        for _ in range(KILLS):
            async with asyncio.timeout(SECONDS):
                await story.round()
        return story

    story = asyncio.run(tell())
    print(f"kills = {KILLS}\nacknowledged = {story.total}\nkills with commands in flight = {story.kills_in_flight}")
    print(f"sent again = {story.sent_again}")
    assert story.total >= ACKS * KILLS
    assert story.kills_in_flight >= 0.6 * KILLS
    assert story.sent_again > 0
    leftovers = [path.name for path in gateway.folder.iterdir() if path.name != "shared.py"]
    assert leftovers == []
