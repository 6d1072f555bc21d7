"""What the gateway is measured against when no peer does the same: bare aiohttp with the least code for the work.

`python -m benchmarks.gateway_control PORT FOLDER` serves `/edits/NAME`, which appends each frame to a file of its own,
syncs it and sends it back, and `/events/ROOM/COUNT/SECONDS/PHASE`, whose clients all get a stamped event so
often once COUNT are there.
"""

import asyncio
import math
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from aiohttp import web

EVENT = '{"type":"cell_output","seq":%d,"ts":0.0,"cellId":"a1","output":{"text/plain":"\'@%.6f@\'","pad":"%s"}}'
PAD = "." * 200  # an event of ours has about as many bytes


class Control:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rooms: dict[str, list[web.WebSocketResponse]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def edits(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = os.open(self._folder / request.match_info["name"], flags, 0o600)
        async for message in socket:
            os.write(file, message.data.encode())
            await asyncio.to_thread(os.fdatasync, file)
            await socket.send_str(message.data)
        os.close(file)
        return socket

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        room = self._rooms.setdefault(request.match_info["room"], [])
        room.append(socket)
        every = float(request.match_info["seconds"])
        if len(room) == int(request.match_info["count"]):
            self._tasks.append(asyncio.create_task(tell(room, every, float(request.match_info["phase"]))))
        async for _ in socket:
            pass
        room.remove(socket)
        return socket


async def tell(room: list[web.WebSocketResponse], every: float, phase: float) -> None:
    number, due = 0, math.ceil(time.monotonic() / every) * every + phase
    while room:
        number, due = number + 1, due + every
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        event = EVENT % (number, time.monotonic(), PAD)
        for socket in tuple(room):
            with suppress(ConnectionError):  # it has just gone
                await socket.send_str(event)


def main(port: str, folder: str) -> None:
    control, app = Control(Path(folder)), web.Application()
    app.add_routes(
        [web.get("/edits/{name}", control.edits), web.get("/events/{room}/{count}/{seconds}/{phase}", control.events)]
    )
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
