"""From a run that is asked for to its output in a client's socket (G1), beside raw ZeroMQ and jupyter_server."""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import orjson

from benchmarks.kernel_process import TAILRACE, KernelProcess
from benchmarks.measurement import Finding, Series, at_most, interleaved, ratio
from benchmarks.web_servers import JupyterServer, attach, gateway, jupyter_server
from benchmarks.web_sockets import WebSocket
from tests.gateway_process import GatewayProcess

ROUNDS = 300  # of each work
SELDOM = 3  # a peer takes part in every third round: it takes 50 ms as shipped
WARM = 40  # round trips of a peer before the first sample: a new connection's ACKs are not delayed yet
CROWD = 20  # clients of one notebook
CELL = "a1"
CODE = "7"
NOTEBOOK = f'# %% id="{CELL}"\n{CODE}\n'
MILLI = 1e3


class Ours:
    """One notebook with its kernel at rest, and the sockets of its clients."""

    def __init__(self, running: GatewayProcess, clients: int) -> None:
        notebook_id = running.notebook_id(".py")
        self.sockets = [attach(running, notebook_id, f"c{number}") for number in range(clients)]
        self.sockets[0].until(b'"state":"idle"')
        self.run()

    def run(self) -> tuple[float, float]:
        """Seconds until the first client, which asked, has the output, and until all have it."""
        first, command_id = self.sockets[0], secrets.token_hex(6)
        began = time.perf_counter()
        first.send(orjson.dumps({"type": "run_cell", "id": command_id, "cellId": CELL}))
        first.until(b'"type":"cell_output"')
        alone = time.perf_counter() - began
        for one in self.sockets[1:]:
            one.until(b'"type":"cell_output"')
        everybody = time.perf_counter() - began
        for one in self.sockets:
            one.until(b'"type":"command:executed"')
        return alone, everybody


def raw(kernel: KernelProcess) -> Callable[[], float]:
    """The same kernel, cell and request without a gateway: seconds until the output is on IOPub."""
    kernel.listen()
    kernel.ask("attach_request", {"client": "bench", "batch": True})
    kernel.ask("register_cell_request", {"cell_id": CELL, "cell_type": "python", "code": CODE})

    def run() -> float:
        began, came = time.perf_counter(), 0.0

        def take(frames: object) -> None:
            nonlocal came
            assert isinstance(frames, list)
            if not came and b'"execute_result"' in frames[1]:
                came = time.perf_counter()

        content = {"cell_ids": [CELL], "mode": "reactive", "wait": False, "run_id": secrets.token_hex(8)}
        msg_id = kernel.send("execute_cells_request", content, "control")
        kernel.published(msg_id, take)
        kernel.reply(msg_id, "control")
        return came - began

    return run


def peer(running: JupyterServer, one: WebSocket) -> Callable[[], float]:
    def run() -> float:
        began = time.perf_counter()
        running.execute(one, CODE)
        one.until(b'"execute_result"')
        came = time.perf_counter() - began
        one.until(b'"idle"')
        return came

    for _ in range(WARM):
        run()
    return run


def round_trips(seed: int) -> Iterator[Finding]:
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tr")))
        ours = Ours(stack.enter_context(gateway(base / "one", {"n.py": NOTEBOOK})), 1)
        kernel = stack.enter_context(KernelProcess(TAILRACE, base / "raw"))
        works = {"tailrace": lambda: ours.run()[0], "raw ZeroMQ": raw(kernel)}
        every = {}
        for name, nodelay in (("jupyter_server", False), ("jupyter_server, Nagle off", True)):
            running = stack.enter_context(jupyter_server(base / f"peer{nodelay}", nodelay=nodelay))
            if running is not None:
                works[name] = peer(running, running.connect())
                every[name] = SELDOM
        found = {name: series.scaled(MILLI) for name, series in interleaved(ROUNDS, works, seed, every).items()}
    mine = found["tailrace"]
    yield Finding(
        "G1",
        "from run_cell to its output in the client's socket",
        "ms",
        found,
        (
            at_most("≤ 1.5x raw ZeroMQ", ratio(mine, found["raw ZeroMQ"]), 1.5),
            at_most("≤ 1/2 of jupyter_server, Nagle off", ratio(mine, found.get("jupyter_server, Nagle off")), 1 / 2),
            at_most("≤ 1/5 of jupyter_server as shipped", ratio(mine, found.get("jupyter_server")), 1 / 5),
        ),
        "raw ZeroMQ is our kernel asked for the same run; jupyter_server has ipykernel",
    )
    yield crowd()


def crowd() -> Finding:
    with tempfile.TemporaryDirectory(prefix="tr") as name, gateway(Path(name) / "all", {"n.py": NOTEBOOK}) as running:
        ours = Ours(running, CROWD)
        waits = Series(tuple(ours.run()[1] for _ in range(ROUNDS))).scaled(MILLI)
    return Finding(
        "G1",
        f"the same, until all of {CROWD} clients have it",
        "ms",
        {"tailrace": waits},
        (at_most("p99 ≤ 100 ms", waits.quantile(99), 100),),
    )
