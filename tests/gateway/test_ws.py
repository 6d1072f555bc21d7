"""The socket: first frame, close codes, both encodings, and a typed answer to everything malformed."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from tailrace_gateway.app import DOOR
from tailrace_gateway.credentials import Identity
from tailrace_gateway.ws import ENDS, WATCHING, Connection, new_socket
from tailrace_protocol.commands import COMMANDS
from tailrace_protocol.limits import MAX_CODE, MAX_FRAME, MAX_UNACKED
from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import WAIT, Client, Gateway, running, story


def nested(levels: int) -> str:
    return '{"type": "ping", "id": "x", "deep": ' + "[" * levels + "]" * levels + "}"


MALFORMED: dict[str, tuple[str | bytes, str]] = {
    "not JSON": ("{", "bad_frame"),
    "empty": ("", "bad_frame"),
    "a list": ("[]", "bad_frame"),
    "a number": ("7", "bad_frame"),
    "null": ("null", "bad_frame"),
    "binary on a JSON socket": (b"\x81\xa1a\x01", "bad_frame"),
    "a lone surrogate": ('{"type": "ping", "id": "\\ud800"}', "bad_frame"),
    "nested too deep": (nested(100), "bad_frame"),
    "no type": ('{"id": "x"}', "unknown_type"),
    "unknown type": ('{"type": "explode", "id": "x"}', "unknown_type"),
    "type of the wrong kind": ('{"type": 7, "id": "x"}', "unknown_type"),
    "no id": ('{"type": "run_all"}', "bad_field"),
    "id of the wrong kind": ('{"type": "run_all", "id": 7}', "bad_field"),
    "id too long": (json.dumps({"type": "run_all", "id": "x" * 65}), "bad_field"),
    "missing field": ('{"type": "delete_cell", "id": "x"}', "bad_field"),
    "wrong cell type": ('{"type": "create_cell", "id": "x", "cellType": "cobol"}', "bad_field"),
    "negative index": ('{"type": "create_cell", "id": "x", "cellType": "python", "index": -1}', "bad_field"),
    "unknown cell": ('{"type": "delete_cell", "id": "x", "cellId": "nobody"}', "unknown_cell"),
    "code too large": (
        json.dumps({"type": "cell_update", "id": "x", "cellId": "a1", "code": "#" * (MAX_CODE + 1)}),
        "too_large",
    ),
    "second attach": ('{"type": "attach", "id": "x"}', "already_attached"),
    "nothing to undo": ('{"type": "undo", "id": "x"}', "nothing_to_undo"),
    "nobody asked for input": ('{"type": "stdin_reply", "id": "x", "cellId": "a1", "value": "v"}', "not_waiting"),
    "unknown run": ('{"type": "interrupt", "id": "x", "runId": "nobody"}', "unknown_run"),
}


@story
async def test_every_malformed_frame_is_answered_and_the_socket_stays(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        await client.ready()
        before = (await gateway.state())["hash"]
        for name, (frame, code) in MALFORMED.items():
            if isinstance(frame, bytes):
                await client.socket.send_bytes(frame)
            else:
                await client.socket.send_str(frame)
            error = await client.until(lambda frame: frame["type"] in ("error", "ack", "pong"))
            assert (error["type"], error["code"]) == ("error", code), name
            assert error["message"].endswith((".", "?")), name
            assert await ping(client), name
        assert (await gateway.state())["hash"] == before


async def ping(client: Client) -> bool:
    command_id = await client.send("ping")
    return bool((await client.event("pong", id=command_id))["serverTime"])


@story
async def test_a_bad_field_is_named(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client() as client:
        error = await client.reply(await client.send("create_cell", cellType="cobol"))
        assert error["details"]["field"] == "cellType"
        created = await client.reply(await client.send("create_cell", cellType="sql"))
        assert created["type"] == "ack"


async def close_code(gateway: Gateway, *frames: str | bytes, path: str | None = None) -> int | None:
    """Send these frames on a new socket and return how it was closed."""
    url = path or f"/api/v1/ws/notebook/{await gateway.notebook_id()}"
    async with gateway.session.ws_connect(f"{gateway.url}{url}") as socket:
        with contextlib.suppress(ConnectionError):
            for frame in frames:
                await (socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_str(frame))
        async for _ in socket:
            pass
        return socket.close_code


@story
async def test_close_codes(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        assert await close_code(gateway, '{"type": "run_all", "id": "x"}') == 4400
        assert await close_code(gateway, "nonsense") == 4400
        assert await close_code(gateway, path="/api/v1/ws/notebook/absent") == 4404
        assert await close_code(gateway, b"\0" * (MAX_FRAME + 1)) in (1009, 1006)  # 1006: cut before the frame was sent
        assert await close_code(gateway, b"\0" * 2**20) == 4400


@story
async def test_a_person_needs_the_page_key_on_the_first_frame(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        origin = {"Origin": gateway.url}
        async with gateway.bare.post(
            f"{gateway.url}/api/v1/login", json={"code": gateway.code()}, headers=origin
        ) as response:
            key = (await response.json())["key"]
            cookie = response.headers["Set-Cookie"].partition(";")[0]
        url = f"{gateway.url}/api/v1/ws/notebook/{await gateway.notebook_id()}"
        headers = {**origin, "Cookie": cookie}
        for wrong in ({}, {"key": "wrong"}):
            async with gateway.bare.ws_connect(url, headers=headers) as socket:
                await socket.send_json({"type": "attach", "id": "x", **wrong})
                error = await socket.receive_json()
                assert error["code"] == "not_logged_in"
                await socket.receive()
                assert socket.close_code == 4401
        async with gateway.bare.ws_connect(url, headers=headers) as socket:
            await socket.send_json({"type": "attach", "id": "x", "key": key})
            assert (await socket.receive_json())["type"] == "ack"
            log_out = {**headers, "X-Tailrace-Key": key}
            async with gateway.bare.post(f"{gateway.url}/api/v1/logout", headers=log_out) as response:
                assert response.status == 204
            async for _ in socket:
                pass
            assert socket.close_code == 4401


@story
async def test_a_stopping_gateway_asks_for_a_reconnection(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        socket = await gateway.session.ws_connect(f"{gateway.url}/api/v1/ws/notebook/{await gateway.notebook_id()}")
        client = Client(socket, "c")
        await client.send("attach")
        await client.ready()

        async def read_on() -> int | None:
            async for _ in socket:
                pass
            return socket.close_code

        closed = asyncio.create_task(read_on())
    assert await closed == 1012


PROGRAM = Identity(None)


@asynccontextmanager
async def short_tempered(gateway: Gateway, silence: float, who: Identity = PROGRAM) -> AsyncIterator[str]:
    """Address of a server for the same notebook that pings after so many seconds of silence."""
    notebook = await gateway.notebooks.get(await gateway.notebook_id())

    async def serve(request: web.Request) -> web.WebSocketResponse:
        socket = new_socket()
        await socket.prepare(request)
        credentials = gateway.app[DOOR].credentials
        await Connection(socket, notebook, who, credentials, silence=silence).serve()
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


CHANGING: dict[str, dict[str, Any]] = {
    "create_cell": {"cellType": "python"},
    "cell_update": {"cellId": "a1", "code": "x = 9"},
    "update_cells": {"cells": [{"cellId": "a1", "code": "x = 8"}]},
    "delete_cell": {"cellId": "b1"},
    "move_cell": {"cellId": "a1", "afterCellId": None},
    "set_cell": {"cellId": "a1", "mode": "manual"},
    "set_notebook": {"lazy": True},
    "run_cell": {"cellId": "a1"},
    "run_all": {},
    "run_stale": {},
    "interrupt": {},
    "restart_kernel": {},
    "update_db_connection": {"connectionString": None},
    "undo": {},
    "redo": {},
    "stdin_reply": {"cellId": "a1", "value": "line"},
    "comm": {"commId": "w", "phase": "msg", "data": {}},
    "save": {},
}


@story
async def test_a_viewer_watches_and_changes_nothing(tmp_path: Path) -> None:
    """Every command that could change or run something is refused; the control: an editor's is not."""
    assert CHANGING.keys() == COMMANDS.keys() - {"attach", "ping"} - {
        struct.__struct_config__.tag for struct in WATCHING
    }
    kernels = FakeKernels()
    codes: dict[str, set[str]] = {}
    async with running(tmp_path, kernels) as gateway:
        for role in ("viewer", "editor"):
            who = Identity(None, role)
            async with short_tempered(gateway, 20.0, who) as url, gateway.bare.ws_connect(url) as socket:
                client = Client(socket, role)
                await client.send("attach", client=role)
                await client.event("session:connected", client=role)
                replies = [await client.reply(await client.send(kind, **CHANGING[kind])) for kind in CHANGING]
                codes[role] = {reply.get("code", "") for reply in replies}
                watched = await client.reply(await client.send("subscribe", topics=["cell"]))
                assert watched["type"] == "ack"
            if role == "viewer":
                assert (await gateway.state())["revision"] == 0
                assert not kernels.last.requests("execute_cells")
        assert (await gateway.state())["revision"] > 3
    assert codes["viewer"] == {"forbidden"}
    assert "forbidden" not in codes["editor"]


@story
async def test_who_only_listens_stays_while_he_answers_pings(tmp_path: Path) -> None:
    async with (
        running(tmp_path, FakeKernels()) as gateway,
        short_tempered(gateway, 0.5) as url,
        gateway.bare.ws_connect(url, autoping=False) as socket,
    ):
        await socket.send_str('{"type": "attach", "id": "x"}')
        pings = 0
        while (message := await socket.receive(timeout=WAIT)).type not in ENDS:
            if message.type is not WSMsgType.PING:
                continue
            pings += 1
            if pings <= 2:  # then he is gone
                await socket.pong(message.data)
        assert (pings, socket.close_code) == (3, 4408)


@story
async def test_a_ping_of_the_client_is_answered_before_and_after_attach(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        url = f"{gateway.url}/api/v1/ws/notebook/{await gateway.notebook_id()}"
        async with gateway.session.ws_connect(url, autoping=False) as socket:
            await socket.ping(b"before")
            assert (await socket.receive(timeout=WAIT)).data == b"before"
            await socket.send_str('{"type": "attach", "id": "x"}')
            assert json.loads((await socket.receive(timeout=WAIT)).data)["type"] == "ack"
            await socket.ping(b"after")
            while (message := await socket.receive(timeout=WAIT)).type is not WSMsgType.PONG:
                assert message.type is WSMsgType.TEXT
            assert message.data == b"after"


@pytest.mark.parametrize("protocol", ["tailrace.v1.json", "tailrace.v1.msgpack"])
def test_both_subprotocols_carry_a_command(tmp_path: Path, protocol: str) -> None:
    @story
    async def tell() -> None:
        async with running(tmp_path, FakeKernels()) as gateway, gateway.socket(protocol) as socket:
            binary = protocol.endswith("msgpack")

            async def send(frame: dict[str, Any]) -> None:
                if binary:
                    await socket.send_bytes(msgspec.msgpack.encode(frame))
                else:
                    await socket.send_str(json.dumps(frame))

            async def until(kind: str) -> dict[str, Any]:
                while True:
                    message = await socket.receive(timeout=10)
                    assert message.type is (WSMsgType.BINARY if binary else WSMsgType.TEXT)
                    decode = msgspec.msgpack.decode if binary else msgspec.json.decode
                    frame: dict[str, Any] = decode(message.data)
                    if frame["type"] == kind:
                        return frame

            assert socket.protocol == protocol
            await send({"type": "attach", "id": "1"})
            assert (await until("snapshot"))["cells"][0]["code"] == "x = 5"
            await send({"type": "run_cell", "id": "2", "cellId": "a1"})
            assert (await until("cell_stdout"))["data"] == "x = 5\n"

    tell()


@story
async def test_a_socket_without_a_subprotocol_speaks_json(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        url = f"{gateway.url}/api/v1/ws/notebook/{await gateway.notebook_id()}"
        async with gateway.session.ws_connect(url) as socket:
            await socket.send_str('{"type": "attach", "id": "1"}')
            assert (await socket.receive_json())["type"] == "ack"
            assert socket.protocol is None


@story
async def test_too_many_unanswered_frames_are_refused(tmp_path: Path) -> None:
    kernels = FakeKernels(lambda kernel: kernel.silent.add("complete"))
    async with running(tmp_path, kernels) as gateway, gateway.client() as client:
        await client.ready()
        for _ in range(MAX_UNACKED):
            await client.send("complete", cellId="a1", code="x", cursor=0)
        assert await ping(client)
        refused = await client.reply(await client.send("complete", cellId="a1", code="x", cursor=0))
        assert refused["code"] == "too_many"


@story
async def test_a_reconnecting_client_gets_exactly_what_it_missed(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway, gateway.client("stays") as stays:
        async with gateway.client("leaves") as leaves:
            ack = await leaves.event("ack")
            await stays.ready()
            await stays.do("set_notebook", lazy=False)
            await leaves.event("command:executed")
        held = leaves.seqs()[-1]
        await stays.do("run_all")
        since = {"epoch": ack["result"]["epoch"], "seq": held}
        async with gateway.client("leaves", since=since) as back:
            ack = await back.event("ack")
            assert ack["result"]["mode"] == "replay"
            await back.event("session:connected", client="leaves")
            assert "snapshot" not in back.kinds()
            assert back.seqs() == list(range(held + 1, held + 1 + len(back.seqs())))
            assert "cell_stdout" in back.kinds()
        async with gateway.client("leaves", since={"epoch": "another", "seq": held}) as back:
            assert (await back.event("ack"))["result"]["mode"] == "snapshot"
            snapshot = await back.event("snapshot")
            assert snapshot["seq"] == back.frames[0]["seq"]
            assert snapshot["cells"][0]["stdout"] == "x = 5\n"
        async with gateway.client("leaves", since={"epoch": since["epoch"], "seq": 10**6}) as back:
            assert (await back.event("ack"))["result"]["mode"] == "snapshot"


@story
async def test_topics_filter_what_a_client_gets(tmp_path: Path) -> None:
    async with (
        running(tmp_path, FakeKernels()) as gateway,
        gateway.client("all") as everything,
        gateway.client("some", topics=["run"]) as some,
    ):
        await everything.ready()
        await everything.do("run_all")
        await some.event("run_finished")
        position = await some.event("position")
        assert position["seq"] >= some.seqs()[-1]
        assert {kind for kind in some.kinds() if kind not in ("ack", "snapshot", "position")} == {
            "run_started",
            "run_finished",
        }
        await some.reply(await some.send("subscribe", topics=["command"]))
        await everything.do("run_all")
        await some.event("command:executed")


@story
async def test_compression_is_off_and_the_upgrade_is_plain(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        url = f"{gateway.url}/api/v1/ws/notebook/{await gateway.notebook_id()}"
        async with gateway.session.ws_connect(url, compress=15) as socket:
            assert isinstance(socket, aiohttp.ClientWebSocketResponse)
            assert socket.compress == 0
