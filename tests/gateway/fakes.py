"""A stand-in for the kernel process: answers at once and runs a cell by echoing its code. No process, no sockets."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from tailrace_gateway.jupyter_wire import Message
from tailrace_gateway.kernel_port import Asked, Channel, Exited, Hear, Place, Published, Told
from tailrace_gateway.library import Found
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import AttachReply

NO_GRAPH: dict[str, list[Any]] = {"added_edges": [], "removed_edges": []}
_numbers = itertools.count(1)


def message(kind: str, content: Mapping[str, Any], parent: str = "", cell_id: str | None = None) -> Message:
    """One IOPub message as the link hands it on."""
    metadata = {"tailrace": {"seq": next(_numbers), **({"cell_id": cell_id} if cell_id else {})}}
    return Message(kind, {"msg_type": kind}, {"msg_id": parent}, metadata, dict(content), (), 100)


class FakeKernel:
    """One life. `asked` lists every request; `answers` overrides replies by kind (an exception is raised)."""

    def __init__(self, hear: Hear):
        self.hear = hear
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: dict[str, Mapping[str, Any] | Exception] = {}
        self.inputs: list[tuple[str, str]] = []
        self.told: list[Told] = []
        self.codes: dict[str, str] = {}
        self.holds_runs = False  # a run starts and does not end
        self.silent: set[str] = set()  # kinds that get no reply
        self.stopped = False
        self.start_error: TailraceError | None = None

    @property
    def pid(self) -> int | None:
        return 4242

    @property
    def place(self) -> Place | None:
        return None

    async def adopt(self, place: Place, epoch: str, since: int) -> AttachReply:
        raise DEAD

    async def start(self) -> AttachReply:
        if self.start_error is not None:
            raise self.start_error
        return AttachReply(kernel_id="fake", epoch="e", last_seq=0, protocol_version=1)

    def ask(self, kind: str, content: Any, *, channel: Channel = "control", timeout: float | None = 20.0) -> Asked:
        msg_id = f"m{next(_numbers)}"
        self.asked.append((kind, content))
        reply: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        given = self.answers.get(kind)
        if kind in self.silent:
            return Asked(msg_id, reply)
        if isinstance(given, Exception):
            reply.set_exception(given)
        else:
            reply.set_result({"status": "ok", **(given if given is not None else self._answer(kind, content, msg_id))})
        self.publish(message("status", {"execution_state": "idle"}, msg_id))
        return Asked(msg_id, reply)

    def _answer(self, kind: str, content: Mapping[str, Any], msg_id: str) -> Mapping[str, Any]:
        match kind:
            case "register_cell":
                registered = self._registered(content)
                self.publish(message("cell_registered", registered, msg_id))
                return registered
            case "register_cells":
                cells = [self._registered(cell) for cell in content["cells"]]
                return {"cells": cells, "order": [cell["cell_id"] for cell in cells]}
            case "graph":
                return {"cells": {}, "edges": [], "cycles": [], "order": [], "version": 1}
            case "execute_cells":
                self._run(content, msg_id)
                return {}
            case "configure_db":
                url = {"redacted_url": "postgresql://u:***@h/d", "driver": "psycopg", "server_version": "17"}
                return {"name": content.get("name", "default"), "dialect": "postgresql", "seconds": 0.01, **url}
            case "complete":
                return {"matches": ["print"], "cursor_start": 0, "cursor_end": 2, "metadata": {}}
            case _:
                return {}

    def _registered(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        self.codes[cell["cell_id"]] = cell["code"]
        known = {"reads": [], "writes": [cell["code"][:1]], "diagnostics": [], "graph": NO_GRAPH, "stale": []}
        return {"cell_id": cell["cell_id"], "version": cell["version"], **known}

    def _run(self, content: Mapping[str, Any], parent: str) -> None:
        run_id, cells = content["run_id"], list(content.get("cell_ids") or self.codes)
        run = {"run_id": run_id, "mode": content.get("mode", "reactive"), "cells": cells, "plan": cells}
        self.publish(message("run_started", run, parent))
        for cell_id in cells:
            self.status(cell_id, "running", run_id, parent)
            if self.holds_runs:
                return
            text = f"{self.codes[cell_id]}\n"
            self.publish(message("stream", {"name": "stdout", "text": text}, parent, cell_id))
            self.status(cell_id, "success", run_id, parent)
        self.finish(run_id, len(cells), parent)

    def status(self, cell_id: str, status: str, run_id: str, parent: str = "") -> None:
        change = {"cell_id": cell_id, "status": status, "version": 1, "run_id": run_id}
        self.publish(message("cell_status", {"changes": [change]}, parent))

    def finish(self, run_id: str, done: int, parent: str = "") -> None:
        counts = {"success": done, "error": 0, "skipped": 0}
        content = {"run_id": run_id, "status": "success", "counts": counts, "seconds": 0.01}
        self.publish(message("run_finished", content, parent))

    def publish(self, *messages: Message) -> None:
        self.hear(Published(messages))

    def die(self) -> None:
        self.hear(Exited(-9, "killed"))

    def tell(self, told: Told) -> str:
        self.told.append(told)
        return f"m{next(_numbers)}"

    def answer_input(self, request_id: str, value: str) -> bool:
        self.inputs.append((request_id, value))
        return True

    async def stop(self, *, keep: bool = False) -> None:
        self.stopped = True

    def requests(self, kind: str) -> list[Mapping[str, Any]]:
        return [content for asked, content in self.asked if asked == kind]


class FakeKernels:
    """Makes the lives, and keeps them for the test to look at. `prepare` gets each one before it starts."""

    def __init__(self, prepare: Callable[[FakeKernel], None] = lambda kernel: None):
        self.lives: list[FakeKernel] = []
        self._prepare = prepare

    def __call__(self, found: Found, hear: Hear) -> FakeKernel:
        kernel = FakeKernel(hear)
        self._prepare(kernel)
        self.lives.append(kernel)
        return kernel

    @property
    def last(self) -> FakeKernel:
        return self.lives[-1]


DEAD = TailraceError(ErrorCode.KERNEL_DEAD, "The kernel did not start: no module named tailrace_kernel.")
