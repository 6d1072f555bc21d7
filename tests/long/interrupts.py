"""Interrupts at random moments: `python -m tests.long.interrupts`. One is enough for each run, and none hangs.

One kernel after the other takes some hundred signals, by request and by SIGINT, in loops, sleeps, awaits, child tasks
and SQL; after each the next run must work. `INTERRUPTS` sets how many (500).
"""

import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.kernel.kernel_client import Peer, RunningKernel, outputs, running_kernel

COUNT = int(os.environ.get("INTERRUPTS", "500"))
EACH_KERNEL = 125
LONGEST_DELAY = 0.12  # seconds between the first sign of the run and the interrupt
PROMISE = 1.0  # seconds until a run has ended
PATIENCE = 10.0  # seconds until it must have; nothing below ends by itself before, but for ENDING
ENDING = ("quick", "stock quick", "cascade")
PYTHON = {
    "loop": "while True:\n    n = 1",
    "sleep": "import time\ntime.sleep(60)",
    "await": "import asyncio\nawait asyncio.sleep(60)",
    "await in a loop": "import asyncio\nwhile True:\n    await asyncio.sleep(0)",
    "child tasks": "import asyncio\nasync def spin():\n    while True:\n        await asyncio.sleep(0)\n"
    "await asyncio.gather(spin(), spin(), asyncio.sleep(60))",
    "child in a loop": "import asyncio\nasync def spin():\n    while True:\n        n = 1\n"
    "await asyncio.gather(spin())",
    "prints": "while True:\n    print('x')",
    "displays": "from IPython.display import display\nwhile True:\n    display(1)",
    "exceptions": "while True:\n    try:\n        raise ValueError\n    except ValueError:\n        pass",
    "imports": "import sys, importlib\nwhile True:\n    sys.modules.pop('colorsys', None)\n    import colorsys",
    "finally": "import time\nwhile True:\n    try:\n        time.sleep(0.01)\n    finally:\n        n = 1",
    "quick": "pass",
}
SQL = "SELECT count(*) FROM range(200000) a, range(200000) b WHERE a.range * b.range % 7 = 3"


def play(peer: Peer, kernel: RunningKernel, chance: random.Random, number: int) -> tuple[str, bool, float]:
    """Kind, whether the run was stopped, and seconds from the interrupt to the reply."""
    kind = chance.choice([*PYTHON, "SQL", "stock", "cascade"])
    until = chance.random() * LONGEST_DELAY
    if kind == "SQL":
        peer.register("a", SQL, cell_type="sql", result="start")
    elif kind != "stock":
        peer.register("a", f"{PYTHON.get(kind, 'start = 0')}\nstart = {number}")
    if kind == "stock":
        stock = chance.choice(list(PYTHON))
        kind = f"stock {stock}"
        run, channel = peer.send("execute_request", {"code": PYTHON[stock]}, "shell"), "shell"
    else:
        run, channel = peer.send("execute_cells_request", {"cell_ids": ["a"]}), "control"
    # A signal that comes before the kernel has read the request is rightly lost.
    peer.until(lambda message: message["parent_header"].get("msg_id") == run, "the first sign")
    time.sleep(until)
    began = time.monotonic()
    if chance.random() < 0.5:
        os.kill(kernel.process.pid, signal.SIGINT)
    else:
        peer.send("interrupt_request")
    try:
        answer = peer.reply(run, channel, PATIENCE)["content"]
    except AssertionError:
        raise AssertionError(f"{kind}: no reply within {PATIENCE} s of the interrupt") from None
    seconds = time.monotonic() - began
    peer.until_idle(run)
    peer.iopub.clear()
    if channel == "shell":
        return kind, answer["status"] == "error", seconds
    interrupted = {cell["status"] for cell in answer["executed"]} | {
        cell["reason"]["code"] for cell in answer["skipped"]
    }
    return kind, "interrupted" in interrupted, seconds


def main() -> int:
    seed = int(os.environ.get("TAILRACE_SEED", str(random.randrange(2**32))))
    print("seed", seed, flush=True)
    chance = random.Random(seed)
    waited: list[float] = []
    stopped = ended = sent = late = 0
    kinds: set[str] = set()
    while sent < COUNT:
        with tempfile.TemporaryDirectory(prefix="t") as folder, running_kernel(Path(folder)) as kernel:
            peer = Peer(kernel)
            peer.ask("attach_request", {"client": "interrupts"})
            for number in range(40):  # a cascade behind the cell: it must end with it
                peer.register(f"r{number}", f"v{number} = " + (f"v{number - 1}" if number else "start"))
            for number in range(min(EACH_KERNEL, COUNT - sent)):
                kind, was_stopped, seconds = play(peer, kernel, chance, number)
                kinds.add(kind)
                stopped += was_stopped
                ended += not was_stopped and kind in ENDING
                if seconds > PROMISE:
                    late += 1
                    print(f"late: {kind} after {seconds:.2f} s", flush=True)
                waited.append(seconds)
                sent += 1
                peer.register("alive", f"print({number})")
                peer.run("alive")
                assert outputs(peer.last, "alive") == [("stdout", f"{number}\n")], kind
            peer.close()
    waited.sort()
    print(f"interrupts = {sent}")
    print(f"stopped = {stopped}")
    print(f"ended by themselves = {ended}")
    print(f"later than a second = {late}")
    print(f"median seconds to the reply = {waited[len(waited) // 2]:.4f}")
    print(f"p95 seconds to the reply = {waited[len(waited) * 95 // 100]:.4f}")
    print(f"longest seconds to the reply = {waited[-1]:.4f}")
    return int(stopped + ended < sent or stopped < sent * 0.6 or len(kinds) < len(PYTHON))


if __name__ == "__main__":
    sys.exit(main())
