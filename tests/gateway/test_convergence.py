"""Rapid mixed commands from several clients leave every client with the same document, gapless and in one order.

The clients come and go: each drops its connection now and then and goes on from the position it has, with the commands
that had no answer sent again. They fold the events by a rule of their own: nothing of the gateway's fold is trusted; in
the long tier the page's fold (TypeScript) gets the same events and has to come to the gateway's own snapshot. The seed
is printed.
"""

import asyncio
import json
import os
import random
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, WSMsgType

from tailrace_protocol.objects import document_hash
from tests.gateway_process import GatewayProcess, running_gateway

COMMANDS = int(os.environ.get("TAILRACE_COMMANDS", "200"))
CLIENTS = int(os.environ.get("TAILRACE_CLIENTS", "2"))
SEED = int(os.environ.get("TAILRACE_SEED", "0")) or secrets.randbelow(2**32)
IN_FLIGHT = 20  # commands a client sends before it waits for answers
LEAVES = 40  # commands after which a client drops its connection, at most
PAGE = os.environ.get("TAILRACE_PAGE_FOLD") == "yes"  # give the page's fold the same events
ROOT = Path(__file__).parents[2]


@dataclass
class FoldedCell:
    id: str
    type: Any
    code: str
    name: str | None
    mode: Any
    execution: Any
    connection: str | None


@dataclass
class Client:
    """One attached socket that folds what it hears; `refused` counts typed errors by code."""

    name: str
    cells: list[FoldedCell] = field(default_factory=list)
    seq: int = 0
    compared: int = 0
    sent: int = 0
    epoch: str = ""
    open: dict[str, dict[str, Any]] = field(default_factory=dict)  # sent and not answered, in order
    attached: int = 0
    replays: int = 0
    start: dict[str, Any] | None = None  # the first snapshot
    events: list[dict[str, Any]] = field(default_factory=list)  # since then
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    last: dict[str, Any] = field(default_factory=dict)  # the notebook when everybody was done

    def hear(self, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "ack" and frame["id"].startswith("attach-"):
            self.replays += frame["result"]["mode"] == "replay"
            self.epoch = frame["result"]["epoch"]
        elif kind == "snapshot":
            assert self.start is None, "what was missed is replayed"
            self.start = frame
            self.cells = [folded(cell["id"], cell) for cell in frame["cells"]]
            self.seq = frame["seq"]
        elif kind in {"ack", "error"}:
            assert frame["id"] not in self.answered, f"answered twice: {frame}"
            self.answered[frame["id"]] = frame
            del self.open[frame["id"]]
            if kind == "error":
                self.refused[frame["code"]] = self.refused.get(frame["code"], 0) + 1
        elif "seq" in frame:
            assert frame["seq"] == self.seq + 1, f"gap: {self.seq} → {frame['seq']}"
            self.seq = frame["seq"]
            self.events.append(frame)
            self._fold(kind, frame)
            if "hash" in frame:
                self.compared += 1
                assert frame["hash"] == document_hash(self.cells), f"not the document at {kind} {self.seq}"
        self.changed.set()

    def _fold(self, kind: str, frame: dict[str, Any]) -> None:
        place = {cell.id: number for number, cell in enumerate(self.cells)}
        match kind:
            case "cell_created":
                self.cells.insert(frame["index"], folded(frame["cellId"], frame["cell"]))
            case "cell_updated":
                self.cells[place[frame["cellId"]]] = folded(frame["cellId"], frame["cell"])
            case "cell_deleted":
                del self.cells[place[frame["cellId"]]]
            case "cell_moved":
                self.cells.insert(frame["index"], self.cells.pop(place[frame["cellId"]]))

    def attach(self) -> dict[str, Any]:
        self.attached += 1
        since = {"since": {"epoch": self.epoch, "seq": self.seq}} if self.start is not None else {}
        return {"type": "attach", "id": f"attach-{self.attached}", "client": self.name, **since}

    async def until_answered(self, most: int) -> None:
        async with asyncio.timeout(60):
            while len(self.open) > most:
                self.changed.clear()
                await self.changed.wait()

    async def until(self, seq: int) -> None:
        async with asyncio.timeout(60):
            while self.seq < seq:
                self.changed.clear()
                await self.changed.wait()


def folded(cell_id: str, cell: dict[str, Any]) -> FoldedCell:
    return FoldedCell(
        cell_id, cell["type"], cell["code"], cell.get("name"), cell["mode"], cell["execution"], cell.get("connection")
    )


def next_command(chance: random.Random, client: Client) -> dict[str, Any]:
    """Mostly sensible, sometimes about a cell that is gone by now or never was."""
    known = [cell.id for cell in client.cells] + ["no-such-cell"]
    some, other = chance.choice(known), chance.choice([*known, None])
    return chance.choice(
        [
            {"type": "create_cell", "cellType": "python", "afterCellId": other, "code": f"v{chance.randrange(99)} = 1"},
            {"type": "create_cell", "cellType": "markdown", "index": chance.randrange(9), "code": "words"},
            {"type": "cell_update", "cellId": some, "code": f"v{chance.randrange(9)} = v{chance.randrange(9)} + 1"},
            {"type": "cell_update", "cellId": some, "code": f"print({chance.randrange(99)})"},
            {"type": "delete_cell", "cellId": some},
            {"type": "move_cell", "cellId": some, "afterCellId": other},
        ]
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "shared.py").write_text("# %%\nx = 1\n\n# %%\ny = x + 1\n")
    with running_gateway(folder, tmp_path_factory.mktemp("log") / "gateway.log") as gateway:
        yield gateway


async def play(gateway: GatewayProcess) -> tuple[list[Client], dict[str, Any]]:
    chance = random.Random(SEED)
    notebook = gateway.notebook_id("shared.py")
    clients = [Client(f"client-{number}") for number in range(CLIENTS)]
    headers = {"Authorization": f"token {gateway.token}"}
    everybody = asyncio.Barrier(CLIENTS)
    async with ClientSession(headers=headers, timeout=ClientTimeout(total=None, connect=10)) as session:
        url = f"{gateway.url}/api/v1/ws/notebook/{notebook}"

        async def talk(client: Client) -> None:
            """Connect again and again until everything is said; the last connection stays to the end."""
            while client.sent < COMMANDS // CLIENTS:
                await connect(client, min(client.sent + chance.randint(1, LEAVES), COMMANDS // CLIENTS))

        async def connect(client: Client, until: int) -> None:
            async with session.ws_connect(url, protocols=["tailrace.v1.json"], max_msg_size=0) as socket:

                async def listen() -> None:
                    async for message in socket:
                        assert message.type is WSMsgType.TEXT
                        client.hear(message.json())

                async with asyncio.TaskGroup() as group:
                    listener = group.create_task(listen())
                    await socket.send_json(client.attach())
                    for frame in [*client.open.values()]:
                        await socket.send_json(frame)
                    while client.sent < until:
                        await client.until_answered(IN_FLIGHT)
                        frame = {"id": f"c{client.sent}", **next_command(chance, client)}
                        client.sent += 1
                        client.open[frame["id"]] = frame
                        await socket.send_json(frame)
                    if client.sent == COMMANDS // CLIENTS:
                        await client.until_answered(0)
                        await everybody.wait()
                        async with session.get(f"{gateway.url}/api/v1/notebooks/{notebook}") as response:
                            client.last = await response.json()
                        await client.until(client.last["seq"])
                    listener.cancel()

        async with asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(talk(client))
        async with session.get(f"{gateway.url}/api/v1/notebooks/{notebook}") as response:
            return clients, await response.json()


def as_log(client: Client) -> dict[str, Any]:
    """What this client heard and what that must come to, in the form of the golden logs."""
    events = [event for event in client.events if event["seq"] <= client.last["seq"]]
    return {"name": client.name, "start": client.start, "events": events, "expect": client.last}


def test_all_clients_end_with_the_same_document(gateway: GatewayProcess, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    with asyncio.Runner() as runner:
        clients, state = runner.run(play(gateway))
    assert all(client.compared > 0 for client in clients)
    hashes = {document_hash(client.cells) for client in clients}
    assert hashes == {state["hash"]}
    answers = [frame["type"] for client in clients for frame in client.answered.values()]
    refused = sum(client.refused.get("unknown_cell", 0) for client in clients)
    replays = sum(client.replays for client in clients)
    print(f"commands = {len(answers)}\nrefused = {refused}\ncells = {len(state['cells'])}\nreconnected = {replays}")
    assert len(answers) == COMMANDS // CLIENTS * CLIENTS
    assert answers.count("ack") > COMMANDS // 3
    assert refused > 0, "the control: a command about a missing cell is refused by its code"
    assert replays >= CLIENTS
    if PAGE:
        for client in clients:
            (tmp_path / f"fold-{client.name}.json").write_text(json.dumps(as_log(client)))
        command = [sys.executable, "gateway/web/hatch_build.py", "test"]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "TAILRACE_LOGS": str(tmp_path)}, check=True)
