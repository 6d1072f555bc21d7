"""A gateway in the test's own event loop behind a real socket, and a small client of it."""

import asyncio
import functools
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec

import aiohttp
from aiohttp import web

from tailrace_gateway.app import DOOR, METRICS, NOTEBOOKS, create_app
from tailrace_gateway.config import Config
from tailrace_gateway.notebooks import Kernels, Notebooks
from tailrace_gateway.server import listen
from tests.gateway_process import GatewayProcess

TOKEN = "a-program-token-for-tests"
SECONDS = 40.0  # for a whole story
WAIT = 15.0  # for one event
TWO_CELLS = '# %% id="a1"\nx = 5\n\n# %% id="b1"\ny = x + 1\ny\n'

Frame = dict[str, Any]
P = ParamSpec("P")


def story(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test in a loop of its own, with a deadline."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def whole() -> None:
            async with asyncio.timeout(SECONDS):
                await test(*args, **kwargs)

        asyncio.run(whole())

    return run


@dataclass
class Gateway:
    """`session` sends the program token; `bare` sends nothing of itself."""

    app: web.Application
    port: int
    session: aiohttp.ClientSession
    bare: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def notebooks(self) -> Notebooks:
        return self.app[NOTEBOOKS]

    def code(self) -> str:
        return self.app[DOOR].credentials.new_code()

    async def notebook_id(self) -> str:
        async with self.session.get(f"{self.url}/api/v1/notebooks") as response:
            return str((await response.json())[0]["id"])

    async def state(self) -> Frame:
        notebook_id = await self.notebook_id()
        async with self.session.get(f"{self.url}/api/v1/notebooks/{notebook_id}") as response:
            assert response.status == 200, await response.text()
            state: Frame = await response.json()
            return state

    @asynccontextmanager
    async def socket(self, protocol: str = "tailrace.v1.json") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        notebook_id = await self.notebook_id()
        url = f"{self.url}/api/v1/ws/notebook/{notebook_id}"
        async with self.session.ws_connect(url, protocols=(protocol,), max_msg_size=0) as socket:
            yield socket

    @asynccontextmanager
    async def client(self, client_id: str = "c1", **attach: Any) -> AsyncIterator["Client"]:
        async with self.socket() as socket:
            client = Client(socket, client_id)
            await client.send("attach", client=client_id, **attach)
            yield client


class Client:
    """Keeps every frame it got, in order."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, name: str):
        self.socket = socket
        self.name = name
        self.frames: list[Frame] = []
        self._ids = itertools.count(1)
        self._read = 0

    async def send(self, kind: str, *, id: str | None = None, **fields: Any) -> str:  # noqa: A002  the wire's word
        command_id = id or f"{self.name}-{next(self._ids)}"
        await self.socket.send_str(json.dumps({"type": kind, "id": command_id, **fields}))
        return command_id

    async def until(self, wanted: Callable[[Frame], bool]) -> Frame:
        """The next frame that is wanted, looking on from the last one found."""
        try:
            return await asyncio.wait_for(self._look(wanted), WAIT)
        except TimeoutError:
            recent = "\n".join(json.dumps(frame)[:300] for frame in self.frames[-12:])
            raise AssertionError(f"not seen in {WAIT} s; the last frames were\n{recent}") from None

    async def _look(self, wanted: Callable[[Frame], bool]) -> Frame:
        while True:
            while self._read < len(self.frames):
                frame = self.frames[self._read]
                self._read += 1
                if wanted(frame):
                    return frame
            message = await self.socket.receive()
            assert message.type is aiohttp.WSMsgType.TEXT, f"{message} after {self.kinds()[-5:]}"
            got = json.loads(message.data)
            self.frames += got if isinstance(got, list) else [got]

    async def event(self, kind: str, **fields: Any) -> Frame:
        return await self.until(
            lambda frame: frame["type"] == kind and all(frame.get(name) == value for name, value in fields.items())
        )

    async def reply(self, command_id: str) -> Frame:
        return await self.until(lambda frame: frame["type"] in ("ack", "error") and frame["id"] == command_id)

    async def do(self, kind: str, **fields: Any) -> Frame:
        """Send a command and wait for its end: `command:executed` or `command:failed`, or its error reply."""
        command_id = await self.send(kind, **fields)
        ends = ("command:executed", "command:failed", "error")
        return await self.until(lambda frame: frame["type"] in ends and frame.get("id") == command_id)

    async def ready(self) -> None:
        await self.event("kernel_status", state="idle")

    def kinds(self) -> list[str]:
        return [frame["type"] for frame in self.frames]

    def seqs(self) -> list[int]:
        unnumbered = ("ack", "snapshot", "position")
        return [frame["seq"] for frame in self.frames if "seq" in frame and frame["type"] not in unnumbered]


@asynccontextmanager
async def running(
    base: Path,
    kernels: Kernels | None = None,
    notebook: str = TWO_CELLS,
    name: str = "story.py",
    keep_kernels: bool = False,
) -> AsyncIterator[Gateway]:
    """A gateway that serves one notebook; a second one on the same `base` finds what the first one left."""
    folder = base / "notebooks"
    folder.mkdir(exist_ok=True)
    if not (folder / name).exists():
        (folder / name).write_text(notebook)
    listening = listen("127.0.0.1", 0)
    config = Config(
        paths=(folder,),
        port=listening.getsockname()[1],
        token=TOKEN,
        keep_kernels=keep_kernels,
        state_dir=base / "state",
        runtime_dir=base / "run",
    )
    app = create_app(config, kernels=kernels)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    authorized = {"Authorization": f"token {TOKEN}"}
    async with aiohttp.ClientSession(headers=authorized) as session, aiohttp.ClientSession() as bare:
        try:
            yield Gateway(app, config.port, session, bare)
        finally:
            await runner.cleanup()
        assert app[METRICS].failures == 0, "something failed that nothing handled: the log tells the story"


@asynccontextmanager
async def attached(gateway: GatewayProcess, file: str, person: str) -> AsyncIterator[Client]:
    """A person at a gateway of its own process; the same person at the next one gives new ids to new commands."""
    headers = {"Authorization": f"token {gateway.token}"}
    url = f"{gateway.url}/api/v1/ws/notebook/{gateway.notebook_id(file)}"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(url, protocols=["tailrace.v1.json"], max_msg_size=0) as socket,
    ):
        client = Client(socket, f"{person}-at-{gateway.pid}")
        await client.send("attach", client=person)
        yield client


def cell_of(gateway: GatewayProcess, file: str, cell_id: str) -> Frame:
    """A cell as a page that is loaded now would see it."""
    state = gateway.get(f"/api/v1/notebooks/{gateway.notebook_id(file)}")
    assert isinstance(state, dict)
    return next(cell for cell in state["cells"] if cell["id"] == cell_id)


def output_texts(cell: Frame) -> Sequence[str]:
    """Plain texts of a cell's outputs."""
    return [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell["outputs"]]
