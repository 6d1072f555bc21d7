"""A TCP proxy that cuts its connections at bytes drawn by chance. Knows nothing of what the bytes mean."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 4096  # bytes read at once
REACH = {"up": 4_000, "down": 24_000}  # bytes of a direction within which a connection is cut


@dataclass
class CuttingProxy:
    """Cuts `left` connections, each after so many bytes in one direction; those after them stay whole."""

    to: int  # port
    chance: random.Random
    left: int
    cuts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REACH, 0))
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it is cut or one end closes it."""
        cut = self.chance.choice([*REACH]) if self.left else ""
        budget = self.chance.randrange(REACH[cut]) if cut else 0
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.to)
        ways = {"up": (reader, up_writer), "down": (up_reader, writer)}
        pumps = [asyncio.create_task(pump(*ends, budget if way == cut else None)) for way, ends in ways.items()]
        done, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, up_writer):
            end.transport.abort()
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if cut and any(task.result() for task in done):
            self.left -= 1
            self.cuts[cut] += 1


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: int | None) -> bool:
    """Hand bytes on until one end closes; true when it was the budget that ended."""
    with suppress(ConnectionError):
        while budget is None or budget > 0:
            raw = await reader.read(CHUNK if budget is None else min(CHUNK, budget))
            if not raw:
                return False
            writer.write(raw)
            await writer.drain()
            budget = None if budget is None else budget - len(raw)
        return True
    return False


@asynccontextmanager
async def cutting(to: int, chance: random.Random, cuts: int) -> AsyncIterator[CuttingProxy]:
    proxy = CuttingProxy(to, chance, cuts)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy
