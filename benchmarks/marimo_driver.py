# mypy: disable-error-code="import-not-found,attr-defined,no-untyped-call,misc"
"""Drives marimo's graph and kernel inside one process of the peers' environment: a JSON line in, a JSON line out.

Knows marimo and nothing of ours, so that it runs where only marimo is installed. Times are taken in here, without any
transport; messages are counted and thrown away. Both are in marimo's favour.
"""

import asyncio
import gc
import json
import os
import queue
import sys
import time
from importlib.metadata import version
from typing import Any

BEGAN = time.perf_counter()

from marimo._ast.app_config import _AppConfig  # noqa: E402
from marimo._ast.compiler import compile_cell  # noqa: E402
from marimo._config.config import DEFAULT_CONFIG  # noqa: E402
from marimo._messaging.streams import ThreadSafeStderr, ThreadSafeStdout, ThreadSafeStream  # noqa: E402
from marimo._messaging.types import KernelStreams  # noqa: E402
from marimo._runtime.commands import AppMetadata, ExecuteCellCommand  # noqa: E402
from marimo._runtime.dataflow import DirectedGraph, topological_sort, transitive_closure  # noqa: E402
from marimo._runtime.kernel_lifecycle import KernelArgs, create_kernel  # noqa: E402
from marimo._session.model import SessionMode  # noqa: E402

Answer = dict[str, Any]


class Pipe:
    """Where marimo's messages go."""

    def __init__(self) -> None:
        self.messages = 0

    def send(self, data: bytes) -> None:
        self.messages += 1


class Driver:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pipe = Pipe()
        self._kernel: Any = None
        self._graph: Any = None
        self._codes: dict[str, str] = {}

    def version(self) -> Answer:
        return {"version": version("marimo"), "import": time.perf_counter() - BEGAN}

    def register(self, cells: dict[str, str]) -> Answer:
        """CPU seconds to register compiled cells in a new graph."""
        self._graph = graph = DirectedGraph()
        compiled = [(cell, compile_cell(code, cell_id=cell)) for cell, code in cells.items()]
        gc.collect()
        started = time.process_time()
        for cell, implementation in compiled:
            graph.register_cell(cell, implementation)
        return {"cpu": time.process_time() - started}

    def load(self, cells: dict[str, str]) -> Answer:
        """A kernel in edit mode with these cells, each run once."""
        stream = ThreadSafeStream(pipe=self._pipe, input_queue=queue.Queue(), redirect_console=True)
        streams = KernelStreams(
            stream=stream,
            stdout=ThreadSafeStdout(stream, forward_os_streams=False),
            stderr=ThreadSafeStderr(stream, forward_os_streams=False),
            stdin=None,
        )
        self._kernel, _ = create_kernel(
            KernelArgs(
                streams=streams,
                debugger=None,
                configs={},
                app_metadata=AppMetadata(query_params={}, cli_args={}, app_config=_AppConfig()),
                user_config=DEFAULT_CONFIG,
                mode=SessionMode.EDIT,
                control_queue=queue.Queue(),
                set_ui_element_queue=queue.Queue(),
                virtual_file_storage=None,
            )
        )
        self._codes = cells
        return self._run(list(cells))

    def run(self, cell: str) -> Answer:
        """Seconds until the cell and all that depends on it has run."""
        return self._run([cell])

    def _run(self, cells: list[str]) -> Answer:
        commands = [ExecuteCellCommand(cell_id=cell, code=self._codes[cell]) for cell in cells]
        before, started, cpu = self._pipe.messages, time.perf_counter(), time.process_time()
        self._loop.run_until_complete(self._kernel.run(commands))
        return {
            "seconds": time.perf_counter() - started,
            "cpu": time.process_time() - cpu,
            "messages": self._pipe.messages - before,
        }

    def value(self, name: str) -> Answer:
        return {"value": repr(self._kernel.globals.get(name))}

    def plan(self, cell: str) -> Answer:
        """CPU seconds to find, in order, all that a run of the cell would run, in the graph of the last `register`."""
        graph = self._graph
        started = time.process_time()
        order = topological_sort(graph, transitive_closure(graph, {cell}))
        return {"cpu": time.process_time() - started, "cells": len(order)}


def main() -> None:
    """While a cell runs `sys.stdout` is marimo's, so the answers keep the one of the start."""
    driver, answers = Driver(), sys.stdout
    for line in sys.stdin:
        asked = json.loads(line)
        answer = getattr(driver, asked.pop("do"))(**asked)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
    os._exit(0)  # marimo's console thread would keep the process
