"""A cell that says too much: the gateway's memory stays within bounds, and what is left out is counted and shown.

Peak memory is the system's own count for the gateway's process (VmHWM), so nothing falls between two looks.
TAILRACE_RUNAWAY scales everything; at 1 there are 10^6 displays, a repr of 1 GB and 500 MB of lines.
"""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson
import pytest

from tests.gateway.rim import attached, cell_of
from tests.gateway_process import GatewayProcess, running_gateway

SCALE = float(os.environ.get("TAILRACE_RUNAWAY", "0.04"))
SECONDS = 60 + 400 * SCALE
CLIENTS = 3
MIB = 2**20
CAP = 8 * MIB  # of the outputs of one cell
BOUND = 64 * MIB + 8 * MIB * CLIENTS
LINE = "a line of a cell that does not end, and says so again and again"
PRINTED = int(500_000_000 * SCALE)  # bytes
SHOWN = int(1_000_000_000 * SCALE)
DISPLAYS = int(1_000_000 * SCALE)
CELLS = {
    "print": f"while True:\n    print({LINE!r})",
    "repr": f"'x' * {SHOWN}",
    "displays": f"for number in range({DISPLAYS}):\n    display(number)",
}


def memory(pid: int, name: str) -> int:
    """Bytes: VmRSS now, VmHWM at most since `forget_peak`."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "loud.py").write_text("".join(f'# %% id="{name}"\n{code}\n\n' for name, code in CELLS.items()))
    with running_gateway(folder, tmp_path / "gateway.log") as gateway:
        yield gateway


@dataclass
class Reader:
    """Takes what comes, as a page does, and keeps only how much it was; interrupts the cell that says too much."""

    socket: aiohttp.ClientWebSocketResponse
    cell_id: str
    said: int = 0  # bytes of text, with those that the gateway left out
    asked: bool = False

    async def run(self) -> None:
        """Until the run of the cell has ended."""
        await self.socket.send_json({"type": "run_cell", "id": "run", "cellId": self.cell_id})
        async for message in self.socket:
            frame = orjson.loads(message.data)
            match frame["type"]:
                case "cell_stdout":
                    self.said += len(frame["data"])
                case "cell_omitted":
                    self.said += frame["bytes"]
                case "snapshot":
                    cell = next(cell for cell in frame["cells"] if cell["id"] == self.cell_id)
                    self.said = len(cell["stdout"]) + cell.get("omittedBytes", 0)
                case "run_finished":
                    return
            if self.said > PRINTED and not self.asked:
                self.asked = True
                await self.socket.send_json({"type": "interrupt", "id": "enough"})
        raise AssertionError(f"the socket ended: {self.socket.close_code}")


async def listen(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in socket:
        assert message.type is aiohttp.WSMsgType.TEXT


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("cell_id", CELLS)
def test_a_runaway_cell_stays_within_its_bounds(gateway: GatewayProcess, cell_id: str) -> None:
    async def tell() -> tuple[int, int]:
        async with (
            asyncio.timeout(SECONDS),
            attached(gateway, "loud.py", "reader") as reader,
            attached(gateway, "loud.py", "listener") as listener,
            attached(gateway, "loud.py", "stalled") as stalled,
        ):
            await reader.ready()
            await stalled.event("snapshot")
            listening = asyncio.create_task(listen(listener.socket))
            forget_peak(gateway.pid)
            before = memory(gateway.pid, "VmRSS")
            await Reader(reader.socket, cell_id).run()
            peak = memory(gateway.pid, "VmHWM")
            listening.cancel()
            return before, peak

    before, peak = asyncio.run(tell())
    cell = cell_of(gateway, "loud.py", cell_id)
    print(
        f"{cell_id} mib = {(peak - before) / MIB:.1f}\n{cell_id} omitted mib = {cell.get('omittedBytes', 0) / MIB:.1f}"
    )
    assert peak - before < BOUND
    if cell_id == "repr":
        assert f"[{SHOWN:,}"[:-3] in json.dumps(cell["outputs"]), "its size is said in its place"
    else:
        assert cell["omittedBytes"] > 0
    assert len(json.dumps(cell)) < 3 * CAP
