"""Durable edits over WebSocket, a client on each of 64 notebooks (G4 b), beside bare aiohttp that syncs each frame."""

import json
import secrets
import selectors
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import orjson

from benchmarks.measurement import Finding, at_least, interleaved, ratio
from benchmarks.web_servers import PLAIN, control, free_port, serving
from benchmarks.web_sockets import WebSocket

NOTEBOOKS = 64
EDITS = 20  # of each client in one round
ROUNDS = 5


def rate(sockets: Sequence[WebSocket], frame: Callable[[int], bytes], answer: bytes) -> float:
    """Edits per second: each client sends its next one when the one before was answered."""
    selector, left = selectors.DefaultSelector(), dict.fromkeys(sockets, EDITS)
    began = time.perf_counter()
    for number, one in enumerate(sockets):
        selector.register(one.socket, selectors.EVENT_READ, (number, one))
        one.send(frame(number))
    while left:
        for key, _ in selector.select():
            number, one = key.data
            one.read()
            if one.got.find(answer) < 0:
                continue
            one.got.clear()
            left[one] -= 1
            if left[one]:
                one.send(frame(number))
            else:
                del left[one]
                selector.unregister(one.socket)
    selector.close()
    return len(sockets) * EDITS / (time.perf_counter() - began)


def edit(number: int) -> bytes:
    code = f"x{number} = '{secrets.token_hex(8)}'"
    return orjson.dumps({"type": "cell_update", "id": secrets.token_hex(8), "cellId": "a1", "code": code})


def edits_over_sockets(seed: int) -> Iterator[Finding]:
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-")))
        (base / "served").mkdir()
        for number in range(NOTEBOOKS):
            (base / "served" / f"n{number}.py").write_text('# %% id="a1"\nx = 0\n')
        port, token = free_port(), secrets.token_hex(16)
        command = [sys.executable, "-m", "benchmarks.gateway_without_kernels", str(port), str(base), token]
        stack.enter_context(serving(command, f"http://127.0.0.1:{port}/"))
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/notebooks", headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(request) as response:
            identities = [row["id"] for row in json.load(response)]
        ours = []
        for identity in identities:
            one = WebSocket(port, f"/api/v1/ws/notebook/{identity}", token=token, protocol=PLAIN)
            one.send(orjson.dumps({"type": "attach", "id": "attach", "client": identity, "topics": ["project"]}))
            one.until(b'"type":"ack"')
            ours.append(one)
        bare = stack.enter_context(control(base / "bare"))
        theirs = [WebSocket(bare, f"/edits/{number}") for number in range(NOTEBOOKS)]
        works = {
            "tailrace": lambda: rate(ours, edit, b'"type":"ack"'),
            "bare aiohttp, echo and fdatasync": lambda: rate(theirs, edit, b'"cell_update"'),
        }
        found = interleaved(ROUNDS, works, seed)
        for one in (*ours, *theirs):
            one.close()
    yield Finding(
        "G4",
        f"durable edits of {NOTEBOOKS} clients over WebSocket, each on its own notebook",
        "edits/s",
        found,
        (at_least("≥ 0.5x bare aiohttp", ratio(found["tailrace"], found["bare aiohttp, echo and fdatasync"]), 0.5),),
        "kernels that answer at once stand for 64 real ones",
    )
