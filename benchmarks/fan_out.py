"""One notebook's events at many clients: processor time for each (G2), a thousand of them (G3), a stalled one (P10)."""

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import orjson

from benchmarks.measurement import Finding, Series, at_least, at_most, interleaved, ratio
from benchmarks.web_servers import JupyterServer, attach, control, gateway, jupyter_server, processor_seconds
from benchmarks.web_sockets import Audience, WebSocket
from tests.gateway_process import GatewayProcess

CROWD = 20  # clients of one notebook
SHOWN = 1_000  # events of one run
ROUNDS = 4
CELL = "a1"
SHOW = f"import time\nfor _ in range({SHOWN}):\n    display(f'@{{time.monotonic():.6f}}@')"
EVENTS = {"topics": ["cell"]}  # a client that is told of outputs only
MICRO, MILLI = 1e6, 1e3

ROOMS, CLIENTS = 5, 1_000  # notebooks; clients of all
EVERY = 0.1  # seconds between two events of a notebook
LONG = 8.0  # seconds of one G3 measurement
TICK = f"""import math, time
due = math.ceil(time.monotonic() / {EVERY}) * {EVERY} + PHASE
for _ in range({int(LONG / EVERY)}):
    due += {EVERY}
    time.sleep(max(0.0, due - time.monotonic()))
    display(f'@{{time.monotonic():.6f}}@')"""

SMALL = 4_096  # bytes of the receive buffer of a client that stalls
FULL = 4.0  # seconds, in which more comes than its queue holds
RATE = 250  # events of it a second
FLOOD = f"""import time
from IPython.display import clear_output
due, pad = time.monotonic(), '.' * 12_000
for number in range({int(FULL * RATE)}):
    due += {1 / RATE}
    time.sleep(max(0.0, due - time.monotonic()))
    if number % 100 == 0:
        clear_output()
    display(f'@{{time.monotonic():.6f}}@' + pad)"""


def phase(room: int) -> float:
    """Seconds by which a notebook's events are later: the rooms of both servers speak in turns."""
    return EVERY * room / ROOMS


def notebook(code: str) -> str:
    return f'# %% id="{CELL}"\n{code}\n'


def run(one: WebSocket) -> None:
    one.send(orjson.dumps({"type": "run_cell", "id": secrets.token_hex(6), "cellId": CELL}))


def ready(running: GatewayProcess, notebook_id: str) -> WebSocket:
    """The client that asks for runs; its kernel is at rest."""
    one = attach(running, notebook_id, secrets.token_hex(6))
    one.until(b'"state":"idle"')
    return one


def processor_time(seed: int) -> Iterator[Finding]:
    """One kernel shows values as fast as it can; what the server uses for it is divided by what arrived."""
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tr")))
        running = stack.enter_context(gateway(base / "ours", {"n.py": notebook(SHOW)}))
        identity = running.notebook_id(".py")
        asking = ready(running, identity)
        audience = stack.enter_context(closing(Audience(crowd(running, identity, CROWD))))

        def ours() -> float:
            run(asking)
            return each(running.pid, audience)

        works = {"tailrace": ours}
        server = stack.enter_context(jupyter_server(base / "peer", nodelay=True))
        if server is not None:
            works["jupyter_server"] = peer(server, stack)
        found = interleaved(ROUNDS, works, seed)
    yield Finding(
        "G2",
        f"processor time of the server for one event at one of {CROWD} clients",
        "us",
        {name: series.scaled(MICRO) for name, series in found.items()},
        (at_most("≤ 1/8 of jupyter_server", ratio(found["tailrace"], found.get("jupyter_server")), 1 / 8),),
        "Nagle and the limits of messages a second are off at jupyter_server, so that it delivers all",
    )


def crowd(running: GatewayProcess, notebook_id: str, clients: int) -> Sequence[WebSocket]:
    return [attach(running, notebook_id, f"c{number}", **EVENTS) for number in range(clients)]


def peer(server: JupyterServer, stack: ExitStack) -> object:
    sockets = [server.connect() for _ in range(CROWD)]
    audience = stack.enter_context(closing(Audience(sockets)))

    def work() -> float:
        server.execute(sockets[0], SHOW)
        return each(server.process.pid, audience)

    return work


def each(pid: int, audience: Audience) -> float:
    before = processor_seconds(pid)
    audience.delays.clear()
    audience.listen(SHOWN * CROWD)
    return (processor_seconds(pid) - before) / (SHOWN * CROWD)


def thousand(_seed: int) -> Iterator[Finding]:
    count, events = CLIENTS // ROOMS, int(LONG / EVERY)
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tr")))
        files = {f"n{room}.py": notebook(TICK.replace("PHASE", str(phase(room)))) for room in range(ROOMS)}
        running = stack.enter_context(gateway(base / "ours", files))
        identities = [running.notebook_id(name) for name in files]
        asking = [ready(running, identity) for identity in identities]
        sockets = [one for identity in identities for one in crowd(running, identity, count)]
        with closing(Audience(sockets)) as audience:
            for one in asking:
                run(one)
            audience.listen(events * CLIENTS, LONG * 2)
        port = stack.enter_context(control(base / "bare"))
        paths = [f"/events/{room}/{count}/{EVERY}/{phase(room)}" for room in range(ROOMS) for _ in range(count)]
        with closing(Audience([WebSocket(port, path) for path in paths])) as bare:
            bare.listen(events * CLIENTS, LONG * 2)
    mine, theirs = (Series(tuple(one.delays)).scaled(MILLI) for one in (audience, bare))
    yield Finding(
        "G3",
        f"{CLIENTS:,} clients of {ROOMS} notebooks, {1 / EVERY:.0f} events a second each: from display to socket",
        "ms",
        {"tailrace": mine, "bare aiohttp": theirs},
        (
            at_least("all delivered", len(mine.samples) / (events * CLIENTS), 1.0),
            at_most("p99 ≤ 2x bare aiohttp", mine.quantile(99) / theirs.quantile(99), 2.0),
        ),
        f"99th percentiles: {mine.quantile(99):.1f} ms, bare {theirs.quantile(99):.1f} ms, whose events begin in it",
    )


def stalled(_seed: int) -> Iterator[Finding]:
    """The same flood without and with a client that reads nothing, in turns."""
    found: dict[str, list[float]] = {"tailrace, nobody stalls": [], "tailrace, one stalls": []}
    worst: dict[str, list[float]] = {name: [] for name in found}
    with tempfile.TemporaryDirectory(prefix="tr") as base, ExitStack() as stack:
        running = stack.enter_context(gateway(Path(base) / "ours", {"n.py": notebook(FLOOD)}))
        identity = running.notebook_id(".py")
        ready(running, identity).close()
        audience = stack.enter_context(closing(Audience(crowd(running, identity, CROWD))))
        for number in range(2 * ROUNDS):
            name = list(found)[number % 2]
            one = attach(running, identity, f"s{number}", receive_bytes=SMALL) if number % 2 else None
            audience.delays.clear()
            run(audience.sockets[0])
            audience.listen(int(FULL * RATE) * CROWD)
            found[name] += audience.delays
            worst[name].append(Series(tuple(audience.delays)).quantile(99) * MILLI)
            if one is not None:
                one.close()
    series = {name: Series(tuple(delays)).scaled(MILLI) for name, delays in found.items()}
    without, with_one = (Series(tuple(each)).median for each in worst.values())
    yield Finding(
        "P10",
        f"from display to the sockets of {CROWD} clients, {RATE} events of 12 kB a second",
        "ms",
        series,
        (at_most("p99 beside a stalled client ≤ 1.5x without", with_one / without, 1.5),),
        f"99th percentiles, medians of {ROUNDS} turns: {without:.1f} ms without, {with_one:.1f} ms with one",
    )
