"""A trace of a real gateway is told again by a fresh one; a changed word in it is found; it holds no secret."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

from tailrace_cli.main import main
from tests.gateway_process import GatewayProcess, running_gateway

PASSWORD = "hunter2-very-secret"
NOTEBOOK = '# %% id="a1"\nx = 5\n\n# %% id="b1"\nprint("sum", x + 1)\nx * 2\n'


async def until(socket: ClientWebSocketResponse, kind: str, command_id: str) -> None:
    async with asyncio.timeout(30):
        async for message in socket:
            frame = message.json()
            if frame["type"] == kind and frame.get("id") == command_id:
                return
    raise AssertionError(f"no {kind} of {command_id}")


async def tell(gateway: GatewayProcess) -> None:
    """What a person does: run, edit, add a cell, run it, ask for what is not there."""
    url = f"{gateway.url}/api/v1/ws/notebook/{gateway.notebook_id('story.py')}"
    commands: list[dict[str, Any]] = [
        {"type": "run_all", "id": "all"},
        {"type": "run_cell", "id": "edit", "cellId": "a1", "code": "x = 7"},
        {
            "type": "update_db_connection",
            "id": "db",
            "connectionString": f"sqlite:///{PASSWORD}.db?password={PASSWORD}",
        },
        {"type": "create_cell", "id": "new", "cellType": "python", "code": "print('last', x)"},
        {"type": "run_stale", "id": "stale"},
    ]
    headers = {"Authorization": f"token {gateway.token}"}
    async with (
        ClientSession(headers=headers) as session,
        session.ws_connect(url, protocols=("tailrace.v1.json",)) as socket,
    ):
        await socket.send_json({"type": "attach", "id": "a", "client": "ann", "key": PASSWORD})
        for command in commands:
            await socket.send_json(command)
            ends = "command:failed" if command["id"] == "db" else "command:executed"
            await until(socket, "ack" if command["id"] == "db" else ends, command["id"])
        await socket.send_json({"type": "delete_cell", "id": "gone", "cellId": "nobody"})
        await until(socket, "error", "gone")
        await socket.send_str("no json")
        await socket.send_json({"type": "save", "id": "save"})
        await until(socket, "command:executed", "save")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("traced")
    (base / "served").mkdir()
    (base / "served" / "story.py").write_text(NOTEBOOK)
    path = base / "frames.jsonl"
    with running_gateway(base / "served", base / "gateway.log", "--trace", str(path)) as gateway:
        asyncio.run(tell(gateway))
    return path


def test_a_trace_holds_every_frame_and_no_secret(trace: Path) -> None:
    text = trace.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert PASSWORD not in text
    assert trace.stat().st_mode & 0o077 == 0
    assert [line["id"] for line in lines if line["direction"] == "in" and line["type"]] == [
        "a", "all", "edit", "db", "new", "stale", "gone", "save"
    ]  # fmt: skip
    seqs = [line["seq"] for line in lines if line["direction"] == "out" and line["frame"].get("ts") is not None]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert all(line["us"] >= 0 and line["bytes"] >= 0 for line in lines)
    assert any(line["cause"] == {"client": "ann", "id": "edit"} for line in lines)
    sent = [line["frame"].get("connectionString") for line in lines if line["direction"] == "in" and line["id"] == "db"]
    assert sent == ["***"], "the control: the frame with the secret is there, masked"


def test_a_trace_told_again_comes_to_the_same(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay-trace", str(trace), "--json", "--seconds", "30"]) == 0, capsys.readouterr().out
    outcome = json.loads(capsys.readouterr().out)
    assert outcome == {"sent": 7, "skipped": 2, "differences": {"ann": []}}


def test_what_differs_is_found(trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = tmp_path / "changed.jsonl"
    text = trace.read_text()
    assert "sum 8" in text
    changed.write_text(text.replace("sum 8", "sum 9"))
    assert main(["replay-trace", str(changed), "--seconds", "30"]) == 1
    shown = capsys.readouterr().out
    assert "cell b1" in shown
    assert "1 differences" in shown


def test_what_is_no_trace_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "other.txt"
    path.write_text("words\n")
    assert main(["replay-trace", str(path)]) == 2
    assert "is not a trace" in capsys.readouterr().err
