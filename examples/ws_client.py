"""A program on the gateway: `TAILRACE_TOKEN=… python ws_client.py http://127.0.0.1:PORT [NOTEBOOK_ID]` (SPEC.md, B)."""

import asyncio
import itertools
import os
import sys

import aiohttp

URL = sys.argv[1].rstrip("/")
HEADERS = {"Authorization": f"token {os.environ['TAILRACE_TOKEN']}"}
IDS = map(str, itertools.count())


async def main() -> None:
    async with aiohttp.ClientSession(headers=HEADERS, timeout=aiohttp.ClientTimeout(60)) as session:
        listing = await (await session.get(f"{URL}/api/v1/notebooks")).json()
        print("notebooks:", *(f"{each['id']} {each['path']}" for each in listing), sep="\n  ")
        notebook = sys.argv[2] if sys.argv[2:] else listing[0]["id"]
        async with session.ws_connect(f"{URL}/api/v1/ws/notebook/{notebook}", protocols=["tailrace.v1.json"]) as socket:

            async def ask(kind: str, until: str = "ack", **fields: object) -> dict:
                """Send one frame, print what comes, return its ack or the event that ends it."""
                await socket.send_json({"type": kind, "id": (asked := next(IDS)), **fields})
                while True:
                    frame = await socket.receive_json(timeout=60)
                    print({name: frame[name] for name in frame if name in ("type", "cellId", "status", "data", "code")})
                    mine = asked in (frame.get("id"), frame.get("cause", {}).get("id"))
                    if mine and frame["type"] in (until, "error", "command:failed"):
                        return frame if frame["type"] == until else sys.exit(frame["message"])

            await ask("attach", client="ws_client")
            cell = (await ask("create_cell", cellType="python"))["result"]["cellId"]
            await ask("cell_update", cellId=cell, code="print('six times seven is', 6 * 7)")
            await ask("run_cell", cellId=cell, until="run_finished")
            await ask("delete_cell", cellId=cell, until="command:executed")


asyncio.run(main())
