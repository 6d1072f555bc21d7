"""K1, K4, K5, K6 and K7: the kernel beside ipykernel, marimo's kernel and bare control loops, in one run.

Ours and ipykernel are spoken to over ZeroMQ by the same raw client. marimo's kernel is called inside its own process,
which spares it every transport.
"""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psutil
import zmq

from benchmarks import controls
from benchmarks.kernel_process import IPYKERNEL, PATIENCE, TAILRACE, KernelProcess
from benchmarks.measurement import Finding, Series, at_least, at_most, interleaved, ratio, run_parts, seconds_of
from benchmarks.notebooks import PRINT, ROOT, SHAPES, Cells, chain
from benchmarks.peers import ROOT as REPOSITORY
from benchmarks.peers import Marimo, marimo, our_versions, version_of

CELLS, MARIMO_CELLS = 1_000, 400  # fewer cost marimo less per cell
TRIPS = 10  # execute_requests in one sample
LINES, STOCK_LINES = 20_000, 4_000  # flushed prints in one sample; both are given per second
BUSY = 1.5  # seconds that a cell holds the main thread
INTERVAL, STOCK_INTERVAL = 0.0005, 0.005  # seconds: sys.setswitchinterval of our kernel, and Python's default
LOOP = """
import time
def rounds_per_second(seconds):
    end, began, rounds = time.perf_counter() + seconds, time.thread_time(), 0
    while time.perf_counter() < end:
        rounds += 1
    return rounds / (time.thread_time() - began)
"""
MILLI = 1e3
Works = dict[str, Callable[[], float]]


class Bench:
    """Processes of one part; they end with it."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tailrace-")))
        self._count = 0

    def directory(self) -> Path:
        self._count += 1
        return self._directory / str(self._count)

    def kernel(self, module: str) -> KernelProcess:
        """Started and listened to."""
        kernel = self.stack.enter_context(KernelProcess(module, self.directory()))
        kernel.listen()
        return kernel

    def notebook(self, cells: Cells) -> KernelProcess:
        """Ours, with these cells registered and run once."""
        kernel = self.kernel(TAILRACE)
        kernel.ask("attach_request", {"client": "bench"})
        registered = [{"cell_id": cell, "code": code} for cell, code in cells.items()]
        kernel.ask("register_cells_request", {"cells": registered})
        cascade(kernel, len(cells), mode="all")
        return kernel


# K1


def cascade(kernel: KernelProcess, size: int, mode: str = "reactive") -> float:
    """Seconds from the request to the last status of the last cell."""
    last, ended = 0.0, 0

    def take(frames: Sequence[bytes]) -> None:
        nonlocal last, ended
        if b'"cell_status"' in frames[1]:
            last = time.perf_counter()
            ended += sum(change["status"] == "success" for change in orjson.loads(frames[4])["changes"])

    started = time.perf_counter()
    msg_id = kernel.send("execute_cells_request", {"cell_ids": [ROOT], "mode": mode}, "control")
    kernel.published(msg_id, take)
    reply = kernel.reply(msg_id, "control")
    assert ended == size == len(reply["executed"]), f"{ended} cells of {size} ended"
    return last - started


def cascades(seed: int) -> Iterator[Finding]:
    for shape, tail in (("chain", ""), ("fan-out", ""), ("chain", PRINT)):
        cells = SHAPES[shape](CELLS, tail)
        with ExitStack() as stack:
            bench = Bench(stack)
            stock = bench.kernel(IPYKERNEL)
            stock.execute(controls.CASCADE)
            stock.execute(f"sources = {list(cells.values())!r}")
            works: Works = {"tailrace": partial(per_cell, bench.notebook(cells))}
            works["ipykernel"] = partial(trips, stock, list(cells.values()))
            if not tail:
                works["control"] = partial(control, stock, dressed=True)
                works["bare exec"] = partial(control, stock, dressed=False)
            if (theirs := marimo(stack)) is not None:
                theirs.ask("load", cells=SHAPES[shape](MARIMO_CELLS, tail))
                works["marimo"] = partial(marimo_cascade, theirs)
            series = interleaved(5, works, seed, every={"marimo": 4})
        series = {whom: taken.scaled(MILLI) for whom, taken in series.items()}
        claims = [
            at_most(f"≤ {0.15 if tail else 0.03} ms on a quiet core", series["tailrace"].p10, 0.15 if tail else 0.03)
        ]
        if not tail:
            claims += [
                at_most("≤ 1/50 of marimo's kernel", ratio(series["tailrace"], series.get("marimo")), 1 / 50),
                at_most("≤ 1/100 of ipykernel's round trips", ratio(series["tailrace"], series["ipykernel"]), 1 / 100),
                at_most("≤ 4x of the control loop", ratio(series["tailrace"], series["control"]), 4),
            ]
        kind = "cells that print" if tail else "silent cells"
        note = f"each sample after one that is not counted; marimo with {MARIMO_CELLS} cells, which favours it"
        yield Finding("K1", f"cascade over a {shape} of {CELLS:,} {kind}, per cell", "ms", series, tuple(claims), note)


def per_cell(kernel: KernelProcess) -> float:
    """Each process has been asleep while others were measured, so the second cascade counts."""
    return second(lambda: cascade(kernel, CELLS)) / CELLS


def trips(kernel: KernelProcess, sources: Sequence[str]) -> float:
    """Seconds for one of the cells, run by an execute_request of its own."""
    return second(lambda: seconds_of(lambda: [kernel.execute(source) for source in sources[:TRIPS]])) / TRIPS


def marimo_cascade(theirs: Marimo) -> float:
    return theirs.seconds("run", cell=ROOT) / MARIMO_CELLS


def control(kernel: KernelProcess, dressed: bool) -> float:
    return second(lambda: float(kernel.value(f"cascade(sources, {dressed})")))


def second(work: Callable[[], float]) -> float:
    work()
    return work()


# K4


def busy(seed: int) -> Iterator[Finding]:
    gaps = random.Random(seed)
    waits: dict[str, list[float]] = {}
    speeds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        bench = Bench(stack)
        cells = chain(50) | {"loop": f"{LOOP}\nspeed = rounds_per_second({BUSY})"}
        ours, stock = bench.notebook(cells), bench.kernel(IPYKERNEL)
        stock.execute(LOOP)
        for _ in range(4):
            for kind in ("graph_request", "register_cell_request"):
                waits.setdefault(kind, []).extend(while_busy(ours, kind, gaps))
                speeds.setdefault("tailrace", []).append(float(ours.value("speed")))
            for interval in (INTERVAL, STOCK_INTERVAL):
                name = f"echo thread, {interval * MILLI:g} ms"
                taken, speed = echoed(bench.directory(), interval, gaps)
                waits.setdefault(name, []).extend(taken)
                speeds.setdefault(name, []).append(speed)
            waits.setdefault("ipykernel", []).append(stock_wait(stock))
    series = {whom: Series(tuple(taken)).scaled(MILLI) for whom, taken in waits.items()}
    echo_name = f"echo thread, {INTERVAL * MILLI:g} ms"
    slow_name = f"echo thread, {STOCK_INTERVAL * MILLI:g} ms"
    speed = Series(tuple(speeds[echo_name])).median / Series(tuple(speeds[slow_name])).median
    for kind in ("graph_request", "register_cell_request"):
        yield Finding(
            "K4",
            f"{kind} while a cell is in a Python loop",
            "ms",
            {"tailrace": series[kind], **{whom: taken for whom, taken in series.items() if "request" not in whom}},
            (
                at_most("median ≤ 7 ms", series[kind].median, 7),
                at_most("p90 ≤ 20 ms", series[kind].p90, 20),
                at_most("≤ 1.5x of an echo thread", ratio(series[kind], series[echo_name]), 1.5),
            ),
            f"at this switch interval the loop runs at {speed:.2f} of its speed at {STOCK_INTERVAL * MILLI:g} ms; "
            f"ipykernel answers when the cell of {BUSY} s is over",
        )


def while_busy(kernel: KernelProcess, kind: str, gaps: random.Random) -> list[float]:
    """Seconds for each request sent while a cell of ours holds the main thread."""
    run = kernel.send("execute_cells_request", {"cell_ids": ["loop"], "mode": "single"}, "control")
    contents: list[Any] = [{}]
    if kind == "register_cell_request":
        contents = [{"cell_id": "c49", "code": f"x49 = x48 + {number}"} for number in (1, 2)]
    taken: list[float] = []
    began = time.monotonic()
    while time.monotonic() - began < BUSY - 0.3:
        time.sleep(gaps.uniform(0.005, 0.02))
        taken.append(seconds_of(partial(kernel.ask, kind, contents[len(taken) % len(contents)])))
    kernel.published(run)
    return taken[1:]  # the first may have come before the cell began


def echoed(directory: Path, interval: float, gaps: random.Random) -> tuple[list[float], float]:
    """Seconds for each echo of a message with as many frames as a reply has; and the loop's speed meanwhile."""
    directory.mkdir()
    address = f"ipc://{directory}/echo"
    command = [sys.executable, "-m", "benchmarks.controls", address, str(BUSY), str(interval)]
    frames = [b"x" * size for size in (9, 64, 200, 300, 2, 2_000)]
    with (
        zmq.Context() as context,
        context.socket(zmq.DEALER) as socket,
        subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process,
    ):
        socket.linger, socket.reconnect_ivl = 0, 2
        socket.connect(address)
        taken = []
        echo(socket, frames)
        began = time.monotonic()
        while time.monotonic() - began < BUSY - 0.3:
            time.sleep(gaps.uniform(0.005, 0.02))
            taken.append(seconds_of(lambda: echo(socket, frames)))
        speed = float(process.communicate(timeout=PATIENCE)[0])
    return taken, speed


def echo(socket: zmq.Socket[bytes], frames: list[bytes]) -> None:
    socket.send_multipart(frames)
    if not socket.poll(PATIENCE * 1000):
        raise TimeoutError("no echo")
    socket.recv_multipart()


def stock_wait(kernel: KernelProcess) -> float:
    """Seconds for a question to ipykernel while a cell holds its main thread."""
    run = kernel.send("execute_request", {"code": f"rounds_per_second({BUSY})", "silent": True})
    time.sleep(0.1)
    seconds = seconds_of(lambda: kernel.ask("kernel_info_request", channel="shell"))
    kernel.published(run)
    return seconds


# K5


def prints(seed: int) -> Iterator[Finding]:
    with ExitStack() as stack:
        bench = Bench(stack)
        works: Works = {
            "tailrace": partial(lines_per_second, bench.kernel(TAILRACE), LINES),
            "ipykernel": partial(lines_per_second, bench.kernel(IPYKERNEL), STOCK_LINES),
        }
        series = interleaved(4, works, seed)
    claim = at_least("≥ 20x ipykernel", ratio(series["tailrace"], series["ipykernel"]), 20)
    note = f"{LINES:,} lines in one cell of ours, {STOCK_LINES:,} in one of ipykernel's"
    yield Finding("K5", "flushed prints, kernel to client", "lines/s", series, (claim,), note)


def lines_per_second(kernel: KernelProcess, lines: int) -> float:
    """Lines that came between the request and `idle`; ipykernel's socket drops some when the client is slow."""
    came = 0

    def take(frames: Sequence[bytes]) -> None:
        nonlocal came
        if b'"stream"' in frames[1]:
            came += orjson.loads(frames[4])["text"].count("\n")

    code = f"for number in range({lines}):\n    print('line', number, flush=True)"
    started = time.perf_counter()
    msg_id = kernel.send("execute_request", {"code": code, "silent": False, "store_history": False})
    kernel.published(msg_id, take)
    seconds = time.perf_counter() - started
    kernel.reply(msg_id)
    assert came == lines or kernel.module == IPYKERNEL, f"{came} lines of {lines} came"
    return came / seconds


# K6


def starts(seed: int) -> Iterator[Finding]:
    memory: dict[str, list[float]] = {}
    with ExitStack() as stack:
        bench = Bench(stack)

        def first_result(module: str) -> float:
            started = time.perf_counter()
            with KernelProcess(module, bench.directory()) as kernel:
                kernel.ask("execute_request", {"code": "1 + 1", "silent": False}, "shell")
                seconds = time.perf_counter() - started
                rss = psutil.Process(kernel.process.pid).memory_info().rss / 2**20
            memory.setdefault(NAMES[module], []).append(rss)
            return seconds

        def first_of_marimo() -> float:
            started = time.perf_counter()
            with ExitStack() as process:
                theirs = marimo(process)
                assert theirs is not None
                theirs.ask("load", cells={"a": "1 + 1"})
                seconds = time.perf_counter() - started
                memory.setdefault("marimo", []).append(psutil.Process(theirs.pid).memory_info().rss / 2**20)
            return seconds

        works: Works = {NAMES[module]: partial(first_result, module) for module in NAMES}
        if version_of("marimo") is not None:
            works["marimo"] = first_of_marimo
        series = interleaved(6, works, seed)
    claim = at_most("≤ 1.15x ipykernel", ratio(series["tailrace"], series["ipykernel"]), 1.15)
    yield Finding("K6", "from the start of the process to the first result", "s", series, (claim,))
    held = {whom: Series(tuple(taken)) for whom, taken in memory.items()}
    more = held["tailrace"].median - held["ipykernel"].median
    yield Finding("K6", "resident memory after the first result", "MiB", held, (at_most("≤ 15 MiB more", more, 15),))


NAMES = {TAILRACE: "tailrace", IPYKERNEL: "ipykernel"}


# K7


def round_trips(seed: int) -> Iterator[Finding]:
    with ExitStack() as stack:
        bench = Bench(stack)
        kernels = {name: bench.kernel(module) for module, name in NAMES.items()}
        works: Works = {}
        for name, kernel in kernels.items():
            works[name] = partial(trip, kernel, history=False)
            works[f"{name}, history"] = partial(trip, kernel, history=True)
        series = {whom: taken.scaled(MILLI) for whom, taken in interleaved(150, works, seed).items()}
    for suffix, bound in (("", 0.6), (", history", 0.75)):
        pair = {name: series[name + suffix] for name in kernels}
        claim = at_most(f"≤ {bound}x ipykernel", ratio(pair["tailrace"], pair["ipykernel"]), bound)
        yield Finding("K7", f"execute_request of `x = 1`{suffix and ', history on'}", "ms", pair, (claim,))


def trip(kernel: KernelProcess, history: bool) -> float:
    return seconds_of(lambda: kernel.execute("x = 1", history))


def versions() -> dict[str, str | None]:
    ours = our_versions("tailrace", "ipykernel", "ipython", "jupyter_client", "pyzmq")
    return {**ours, "marimo": version_of("marimo")}


if __name__ == "__main__":
    parts = {"K1": cascades, "K4": busy, "K5": prints, "K6": starts, "K7": round_trips}
    sys.exit(run_parts(parts, versions))
