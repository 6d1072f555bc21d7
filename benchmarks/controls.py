"""What a kernel is measured against when no peer does the same: the least code that could do the work.

`CASCADE` runs inside an unmodified ipykernel. `python -m benchmarks.controls ADDRESS SECONDS INTERVAL` is a process
whose main thread is in a Python loop while another thread echoes messages; it prints the loop's rounds per CPU second.
"""

import sys
import threading
import time

import zmq

CASCADE = '''
import time
from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult

def cascade(sources, dressed):
    """Seconds for a cell; `dressed` with what IPython and its frontends need around each."""
    shell, names, parent = get_ipython(), {}, get_ipython().kernel.get_parent()
    codes = [compile(source, "cell", "exec") for source in sources]
    trigger = shell.events.trigger
    started = time.perf_counter()
    if dressed:
        for number, code in enumerate(codes):
            shell.set_parent({**parent, "header": {**parent["header"], "cell_id": number}})
            info = ExecutionInfo("", False, False, True, number)
            trigger("pre_execute")
            trigger("pre_run_cell", info)
            exec(code, names)
            trigger("post_execute")
            trigger("post_run_cell", ExecutionResult(info))
    else:
        for code in codes:
            exec(code, names)
    seconds = time.perf_counter() - started
    shell.set_parent(parent)
    return seconds / len(codes)
'''


def rounds_per_second(seconds: float) -> float:
    """A Python loop on this thread; rounds per second of its CPU time."""
    end, began, rounds = time.perf_counter() + seconds, time.thread_time(), 0
    while time.perf_counter() < end:
        rounds += 1
    return rounds / (time.thread_time() - began)


def echo(address: str) -> None:
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
    socket.bind(address)
    while True:
        socket.send_multipart(socket.recv_multipart())


def main(address: str, seconds: str, interval: str) -> None:
    sys.setswitchinterval(float(interval))
    threading.Thread(target=echo, args=(address,), daemon=True).start()
    print(rounds_per_second(float(seconds)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
