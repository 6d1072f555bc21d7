"""Durable edits without sockets, beside a bare loop that appends the same bytes and syncs them.

Promise G4 (a): the actor of one notebook and its journal take at least 20,000 edits a second from 64 writers, and the
99th percentile of an answer stays below 10 ms and three times that of the disk's own fdatasync.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measurement import Finding, Series, at_least, at_most
from tailrace_gateway.blobs import Blobs
from tailrace_gateway.clients import Client
from tailrace_gateway.journal import open_journal
from tailrace_gateway.notebook import Notebook
from tailrace_gateway.notebook_file import NotebookFile
from tailrace_gateway.opening import open_notebook
from tailrace_gateway.output_store import OutputStore
from tailrace_gateway.saving import Kept
from tailrace_gateway.state import image
from tailrace_protocol.commands import CellUpdate
from tailrace_protocol.objects import NotebookInfo, Settings
from tests.gateway.fakes import FakeKernels

WRITERS = 64
EDITS = 100  # of each writer in one round
ROUNDS = 5
SYNCS = 200  # of the disk alone
RECORD = 300  # bytes, about what an edit takes in the journal
MILLI = 1e3


@dataclass
class Answers:
    """A transport that only notes when a writer got its ack. Events are for everybody: the first bytes tell an ack."""

    got: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, frame: bytes) -> None:
        if frame.startswith(b'{"type":"ack"'):
            self.got.set()

    async def close(self, code: int, reason: str) -> None:
        pass


async def edits(folder: Path) -> list[tuple[float, float, list[float]]]:
    """Of each round: edits per second, edits per second of processor time, and the seconds of each answer."""
    path = folder / "n.py"
    path.write_text("".join(f'# %% id="c{number}"\nx{number} = 0\n\n' for number in range(WRITERS)))
    file = NotebookFile(path)
    contents = file.read()
    journal, recovered = open_journal(folder / "state")
    info = NotebookInfo(id="n", path="n.py", name="n", settings=Settings())
    state = open_notebook(info, contents, file.file_hash or "", recovered, {}).state
    await journal.renew(image(state))
    kernels = FakeKernels()
    kept = Kept(state, journal, file, OutputStore(folder / "state"))
    notebook = Notebook(kept, lambda hear: kernels(None, hear), Blobs("n", folder / "blobs"))  # type: ignore[arg-type]
    found = []
    for number in range(ROUNDS):
        began, used = time.perf_counter(), time.process_time()
        waits = await asyncio.gather(*(write(notebook, writer, number) for writer in range(WRITERS)))
        took, used = time.perf_counter() - began, time.process_time() - used
        found.append((WRITERS * EDITS / took, WRITERS * EDITS / used, [wait for some in waits for wait in some]))
    await notebook.close(1000, "")
    return found


async def write(notebook: Notebook, writer: int, number: int) -> list[float]:
    """One edit after another, each sent when the one before was acknowledged."""
    answers = Answers()
    client = Client(f"w{writer}", answers, "json", notebook.current, name="", role="editor")
    writing = asyncio.create_task(client.write())
    waits = []
    for edit in range(EDITS):
        answers.got.clear()
        began = time.perf_counter()
        code = f"x{writer} = {number * EDITS + edit}"
        notebook.submit(client, CellUpdate(id=f"{number}-{edit}", cell_id=f"c{writer}", code=code))
        await answers.got.wait()
        waits.append(time.perf_counter() - began)
    client.close(1000, "")
    await writing
    return waits


def syncs(folder: Path) -> list[float]:
    """Seconds of an append and its fdatasync, nothing else."""
    descriptor = os.open(folder / "bare.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    taken = []
    for _ in range(SYNCS):
        began = time.perf_counter()
        os.write(descriptor, bytes(RECORD))
        os.fdatasync(descriptor)
        taken.append(time.perf_counter() - began)
    os.close(descriptor)
    return taken


def durable_edits(seed: int) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        folder = Path(name)
        before = syncs(folder)
        rounds = asyncio.run(edits(folder))
        bare = Series(tuple(before + syncs(folder)))
    rate = Series(tuple(each for each, _, _ in rounds))
    work = Series(tuple(each for _, each, _ in rounds))
    waits = Series(tuple(wait for _, _, some in rounds for wait in some)).scaled(MILLI)
    alone = Series(tuple(1 / each for each in bare.samples))
    limit = 10 + 3 * bare.quantile(99) * MILLI
    yield Finding(
        "G4",
        f"durable edits of {WRITERS} writers, one notebook, no sockets",
        "edits/s",
        {
            "tailrace": rate,
            "per second of processor": work,
            "one sync each": alone,
        },
        (at_least("20,000 edits/s", rate.median, 20_000),),
    )
    yield Finding(
        "G4",
        "from edit to ack",
        "ms",
        {"tailrace": waits, "fdatasync": bare.scaled(MILLI)},
        (at_most(f"p99 <= 10 ms + 3 fdatasync p99 = {limit:.1f} ms", waits.quantile(99), limit),),
    )
