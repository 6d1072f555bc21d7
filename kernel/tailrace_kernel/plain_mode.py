"""Plain Jupyter mode: cells of a frontend that knows nothing of us run reactively, in its own words.

Knows Jupyter's execute_request and the conductor; must not know sockets. A request with `metadata.cellId` registers
that cell and runs it with its readers. It joins the pending set when it *arrives*, not when its turn in the queue
comes: so "Run All" is one cascade in which each cell runs once, and a cell that reads a name written below it waits
for that writer. Outputs of a cell always go under the cell's own last request, so an unmodified JupyterLab shows
them in place. A reply is that of the cell that was run; the error of a reader aborts no queue.

A frontend sends "Run All" as requests some milliseconds apart. So readers that nobody asked for wait until no request
has arrived for SETTLE; else the first request would run them all, and their own requests once more.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tailrace_kernel.catalogue import Catalogue
from tailrace_kernel.conductor import Conductor
from tailrace_kernel.outbox import Outbox
from tailrace_kernel.runner import Failure
from tailrace_kernel.runs import Run
from tailrace_kernel.stimuli import CellRegistered, CellRemoved
from tailrace_protocol.kernel_messages import RegisterCellRequest

Mode = Literal["on", "off", "lazy"]
SETTLE = 0.03  # seconds
MAX_CELL_ID = 512  # characters; VS Code sends the address of the cell's document
NAMED = 5  # cells named in one line
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One execute_request that waits for its turn, and the run it started when it arrived."""

    cell_id: str
    request: Message
    run: Run


class PlainMode:
    """`next_count` gives the number of the next prompt and stores the code in the history."""

    def __init__(
        self,
        conductor: Conductor,
        catalogue: Catalogue,
        outbox: Outbox,
        next_count: Callable[[Message], int],
        forget: Callable[[str], None],
    ) -> None:
        self.mode: Mode = "on"
        self._conductor = conductor
        self._catalogue = catalogue
        self._outbox = outbox
        self._next_count = next_count
        self._forget = forget
        self._last_arrival = 0.0  # monotonic seconds
        self._arrived: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None  # while somebody waits for it
        self._asked: dict[str, Asked] = {}  # msg_id → a request that has arrived and was not answered
        self._requests: dict[str, Message] = {}  # cell → its last request
        self._counts: dict[str, int] = {}  # msg_id of a cell's last request → the number in its prompt

    def takes(self, message: Message) -> bool:
        """Whether a request runs reactively; silent ones, empty cells and our own magic do not."""
        cell_id, code = message["metadata"].get("cellId"), message["content"].get("code")
        if self.mode == "off" or not isinstance(cell_id, str) or not 1 <= len(cell_id) <= MAX_CELL_ID:
            return False
        if message["header"].get("subshell_id") is not None or message["content"].get("silent"):
            return False
        return isinstance(code, str) and bool(code.strip()) and not code.lstrip().startswith("%tailrace")

    def arrive(self, message: Message) -> Asked:
        """Register the cell and enqueue its run; on whatever thread the request arrives."""
        cell_id, code = message["metadata"]["cellId"], message["content"]["code"]
        self._remove(message["metadata"].get("deletedCells"))
        former = self._requests.get(cell_id)
        if former is not None:
            self._counts.pop(former["header"]["msg_id"], None)
        self._requests[cell_id] = message
        run = self._run(message)
        if message["content"].get("allow_stdin"):
            run.stdin = frozenset({cell_id})
        mode = "single" if self.mode == "lazy" else "reactive"
        self._conductor.submit(run, (cell_id,), mode, self._registered(cell_id, code))
        asked = self._asked[message["header"]["msg_id"]] = Asked(cell_id, message, run)  # from here on it is waited for
        self._last_arrival = time.monotonic()
        if (waiting := self._arrived) is not None:
            waiting[0].call_soon_threadsafe(waiting[1].set)
        return asked

    def _registered(self, cell_id: str, code: str) -> CellRegistered | None:
        known = self._catalogue.entries.get(cell_id)
        if known is not None and known.request.code == code:
            return None
        entry = self._catalogue.analyse(RegisterCellRequest(cell_id=cell_id, code=code))
        self._catalogue.keep(entry)
        return self._catalogue.stimulus(entry)

    async def _settle(self, run: Run) -> None:
        """Until another request waits for its cell to run, or none has arrived for SETTLE."""
        self._arrived = (asyncio.get_running_loop(), asyncio.Event())
        try:
            while not self._is_more_asked() and (left := self._last_arrival + SETTLE - time.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived[1].wait(), left)
        finally:
            self._arrived = None

    def _is_more_asked(self) -> bool:
        """Whether a request has arrived whose cell has not begun."""
        return any(msg_id not in self._counts for msg_id in list(self._asked))

    async def execute(self, message: Message) -> tuple[Failure | None, int]:
        """Its turn has come: see its run to the end; the cell's failure, if it failed, and its prompt number."""
        asked = self._asked.get(message["header"]["msg_id"])
        if asked is None or self._was_dropped(asked):
            asked = self.arrive(message)
        await self._conductor.drive(until=asked.run)
        self._asked.pop(message["header"]["msg_id"], None)
        self._tell_of_others(asked)
        failure = asked.run.failures.get(asked.cell_id)
        if failure is None and asked.cell_id not in asked.run.executed:
            failure = self._not_run(asked)
        return failure, self._counts.get(message["header"]["msg_id"]) or self._show_input(message)

    def _tell_of_others(self, asked: Asked) -> None:
        """Cells of another client have no place in this frontend: what they showed is under the cell that was run."""
        others = [cell_id for cell_id in asked.run.executed if cell_id not in self._requests]
        if others:
            named = ", ".join(others[:NAMED]) + (f" and {len(others) - NAMED} more" if len(others) > NAMED else "")
            text = f"tailrace: also ran {named}, which this frontend has not run itself\n"
            self._outbox.standard("stream", {"name": "stderr", "text": text}, asked.request["header"])

    def abort(self, message: Message) -> None:
        """The request is answered `aborted`: what has not run of it will not."""
        asked = self._asked.pop(message["header"]["msg_id"], None)
        if asked is not None:
            self._conductor.interrupt(asked.run.run_id)

    def _was_dropped(self, asked: Asked) -> bool:
        """By an interrupt that was meant for the cell before it."""
        run = asked.run
        return run.ended and asked.cell_id not in run.executed and asked.cell_id not in run.skipped

    def _run(self, message: Message) -> Run:
        """Our own messages never have a stock request as parent: stock clients would take them for its outputs."""
        run_id = secrets.token_hex(8)
        return Run(
            run_id, {"run_id": run_id}, message, lambda run: None, claim=self._claim, settle=self._settle, has_turn=True
        )

    def _claim(self, cell_id: str) -> Message | None:
        """A cell begins: its input is shown if nobody has seen it, else what it showed before is cleared."""
        own = self._requests.get(cell_id)
        if own is None:
            return None
        count = self._counts.get(own["header"]["msg_id"])
        if count is None:
            count = self._show_input(own)
        else:
            self._outbox.standard("clear_output", {"wait": False}, own["header"], soon=False)
        return {**own, "execution_count": count}

    def _show_input(self, message: Message) -> int:
        count = self._counts[message["header"]["msg_id"]] = self._next_count(message)
        content = {"code": message["content"]["code"], "execution_count": count}
        self._outbox.standard("execute_input", content, message["header"], soon=False)
        return count

    def _remove(self, deleted: object) -> None:
        """JupyterLab names the cells that were deleted since its last run."""
        for cell_id in deleted if isinstance(deleted, list) else ():
            if cell_id not in self._catalogue.entries:
                continue
            self._forget(cell_id)
            run = self._run(self._requests.pop(cell_id, {"header": {}}))
            self._conductor.change(CellRemoved(cell_id=cell_id, run_id=run.run_id), run.header, run)
            self._catalogue.forget(cell_id)

    def _not_run(self, asked: Asked) -> Failure | None:
        """A cell in a cycle or behind a failed writer was not run: its request must say so."""
        view = self._conductor.view(asked.cell_id)
        if view.status == "success":
            return None
        reason = asked.run.skipped.get(asked.cell_id) or view.reason
        messages = [diagnostic.message for diagnostic in view.diagnostics]
        if reason is not None and reason.message:
            messages.append(reason.message)
        text = " ".join(messages) or f"The cell was not run; its status is {view.status}."
        ename = "UpstreamError" if view.status == "error" else "NotRun"
        failure = Failure(ename, text, [f"{ename}: {text}"])
        if view.status != "error":  # an UpstreamError has been published already
            content = {"ename": ename, "evalue": text, "traceback": failure.traceback}
            self._outbox.standard("error", content, asked.run.message_for(asked.cell_id)["header"])
        return failure
