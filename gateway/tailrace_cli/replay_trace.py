"""`tailrace replay-trace`: do again what the clients of a trace did, with a fresh gateway, and compare what they hear.

Knows sockets and a folder that is thrown away; what a trace tells is `trace_story`. The code of the notebook is run.
"""

import argparse
import asyncio
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

from tailrace_cli.refusal import RefusedError
from tailrace_cli.trace_story import ENDS, Frame, Step, Story, differences, read_story
from tailrace_gateway.app import create_app
from tailrace_gateway.config import LOOPBACK, Config
from tailrace_gateway.notebook_file import NotebookFile
from tailrace_gateway.server import listen
from tailrace_protocol.limits import MAX_FRAME

SECONDS = 60.0  # for the whole story


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("trace", type=Path, metavar="FILE", help="what `tailrace serve --trace FILE` wrote")
    parser.add_argument("--seconds", type=float, default=SECONDS, help=f"time for the whole story (default: {SECONDS})")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    story = read_story(chosen.trace)
    try:
        outcome = asyncio.run(asyncio.wait_for(replay(story), chosen.seconds))
    except TimeoutError:
        raise RefusedError(
            f"The story did not end within {chosen.seconds} s: an answer of the trace never came."
        ) from None
    found = [line for lines in outcome.values() for line in lines]
    if chosen.json:
        print(json.dumps({"sent": len(story.steps), "skipped": story.skipped, "differences": outcome}, indent=1))
    else:
        for client, lines in outcome.items():
            for line in lines:
                print(f"{client}: {line}")
        print(f"{len(story.steps)} frames sent, {story.skipped} skipped, {len(found)} differences")
    return 1 if found else 0


@dataclass
class Actor:
    """One client of the story; `names`: cell ids of the trace → ids here, which grow with what is created."""

    socket: ClientWebSocketResponse
    names: dict[str, str]
    frames: list[Frame] = field(default_factory=list)
    ended: set[tuple[str, str]] = field(default_factory=set)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async for message in self.socket:
            if message.type is not WSMsgType.TEXT:
                break
            got = message.json()
            for frame in got if isinstance(got, list) else [got]:
                self.frames.append(frame)
                if frame["type"] in ENDS and frame.get("id"):
                    self.ended.add((frame["type"], frame["id"]))
            self.came.set()

    async def until(self, kind: str, command_id: str) -> None:
        while (kind, command_id) not in self.ended:
            self.came.clear()
            await self.came.wait()

    def answer(self, command_id: str) -> Frame:
        return next(frame for frame in self.frames if frame["type"] == "ack" and frame["id"] == command_id)


async def replay(story: Story) -> Mapping[str, list[str]]:
    """What differs, by client."""
    with tempfile.TemporaryDirectory(prefix="tailrace-replay-") as folder:
        async with fresh_gateway(Path(folder), story) as (session, url):
            names: dict[str, str] = {}
            actors: dict[str, Actor] = {}
            async with asyncio.TaskGroup() as group:
                listening = []
                for step in story.steps:
                    await _wait(actors, step.after)
                    _learn(story, actors, names, step.after)
                    if step.client not in actors:
                        socket = await session.ws_connect(url, protocols=("tailrace.v1.json",), max_msg_size=0)
                        actors[step.client] = Actor(socket, names)
                        listening.append(group.create_task(actors[step.client].listen()))
                    await actors[step.client].socket.send_json(_frame(step, names))
                await _wait(actors, story.last)
                _learn(story, actors, names, story.last)
                for task, actor in zip(listening, actors.values(), strict=True):
                    await actor.socket.close()
                    task.cancel()
    return {name: differences(story.heard.get(name, ()), actor.frames, names) for name, actor in actors.items()}


async def _wait(actors: Mapping[str, Actor], answers: frozenset[tuple[str, str, str]]) -> None:
    for client, kind, command_id in sorted(answers):
        await actors[client].until(kind, command_id)


def _learn(
    story: Story, actors: Mapping[str, Actor], names: dict[str, str], answers: frozenset[tuple[str, str, str]]
) -> None:
    """Cells created here have ids of their own."""
    for client, kind, command_id in answers:
        if kind != "ack":
            continue
        recorded = next(each for each in story.heard[client] if each["type"] == kind and each["id"] == command_id)
        old = (recorded.get("result") or {}).get("cellId")
        if old is not None:
            names[old] = actors[client].answer(command_id)["result"]["cellId"]


def _frame(step: Step, names: Mapping[str, str]) -> dict[str, Any]:
    if step.frame["type"] == "attach":
        return {"type": "attach", "id": step.frame["id"], "client": step.client, "batch": False}
    return {name: names.get(value, value) if isinstance(value, str) else value for name, value in step.frame.items()}


@asynccontextmanager
async def fresh_gateway(folder: Path, story: Story) -> AsyncIterator[tuple[ClientSession, str]]:
    """A gateway that serves the notebook as it was at the start of the trace, and the URL of its socket."""
    served = folder / "served"
    served.mkdir()
    NotebookFile(served / "story.py").write(story.cells)
    listening = listen(LOOPBACK, 0)
    port = int(listening.getsockname()[1])
    token = secrets.token_urlsafe(24)
    config = Config(
        paths=(served / "story.py",),
        port=port,
        token=token,
        state_dir=folder / "state",
        runtime_dir=folder / "run",
    )
    runner = web.AppRunner(create_app(config), access_log=None, shutdown_timeout=5.0, max_line_size=8_190)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    headers = {"Authorization": f"token {token}"}
    try:
        async with ClientSession(headers=headers, read_bufsize=MAX_FRAME) as session:
            async with session.get(f"http://{LOOPBACK}:{port}/api/v1/notebooks") as response:
                notebook = (await response.json())[0]["id"]
            yield session, f"http://{LOOPBACK}:{port}/api/v1/ws/notebook/{notebook}"
    finally:
        await runner.cleanup()
