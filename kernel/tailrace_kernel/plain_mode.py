"""Plain Jupyter mode: cells of a frontend that knows nothing of us run reactively, in its own words.

Knows Jupyter's execute_request and the conductor; must not know sockets. A request with `metadata.cellId` registers
that cell and runs it with its readers. A reader's outputs go under that cell's *own* last execute_request, so an
unmodified JupyterLab shows them in place. The reply is that of the cell that was run; an error of a reader does not
abort the queue.
"""

import secrets
from typing import Any, Literal

from tailrace_kernel.catalogue import Catalogue
from tailrace_kernel.conductor import Conductor, Run
from tailrace_kernel.outbox import Outbox
from tailrace_kernel.runner import Failure
from tailrace_kernel.stimuli import CellRemoved
from tailrace_protocol.kernel_messages import RegisterCellRequest

Mode = Literal["on", "off", "lazy"]
MAX_CELL_ID = 512  # characters; VS Code sends the address of the cell's document
Message = dict[str, Any]


class PlainMode:
    """Used on the main thread only."""

    def __init__(self, conductor: Conductor, catalogue: Catalogue, outbox: Outbox) -> None:
        self.mode: Mode = "on"
        self._conductor = conductor
        self._catalogue = catalogue
        self._outbox = outbox
        self._requests: dict[str, Message] = {}  # cell → its last execute_request
        self._counts: dict[str, int] = {}  # cell → the number in its prompt

    def takes(self, cell_id: str | None, code: str) -> bool:
        """Whether a request runs reactively; empty cells and our own magic do not."""
        if self.mode == "off" or not isinstance(cell_id, str) or not 1 <= len(cell_id) <= MAX_CELL_ID:
            return False
        return bool(code.strip()) and not code.lstrip().startswith("%tailrace")

    async def execute(self, cell_id: str, code: str, request: Message, count: int, *, stdin: bool) -> Failure | None:
        """Run the cell and what follows from it; its failure, if it failed. `count` is the number of its prompt."""
        self._requests[cell_id] = request
        self._counts[cell_id] = count
        await self._remove(request)
        self._register(cell_id, code)
        run = self._run(cell_id)
        run.counts = {**self._counts}
        run.stdin = frozenset({cell_id}) if stdin else frozenset()
        self._conductor.submit(run, (cell_id,), "single" if self.mode == "lazy" else "reactive")
        await self._conductor.drive()
        failure = run.failures.get(cell_id)
        if failure is None and cell_id not in run.executed:
            return self._not_run(cell_id, run)
        return failure

    def _run(self, trigger: str) -> Run:
        """Our own messages never have a stock request as parent: stock clients would take them for its outputs."""
        run_id = secrets.token_hex(8)
        header = {"run_id": run_id}
        request = self._requests.get(trigger, {"header": {}})

        def claim(cell_id: str) -> Message | None:
            own = self._requests.get(cell_id)
            if own is not None and cell_id != trigger:
                self._outbox.standard("clear_output", {"wait": False}, own["header"], soon=False)
            return own

        return Run(run_id, header, request, lambda run: None, claim=claim)

    async def _remove(self, request: Message) -> None:
        """JupyterLab names the cells that were deleted since the last run."""
        deleted = request["metadata"].get("deletedCells")
        for cell_id in deleted if isinstance(deleted, list) else ():
            if cell_id not in self._catalogue.entries:
                continue
            run = self._run(cell_id)
            self._requests.pop(cell_id, None)
            self._conductor.change(CellRemoved(cell_id=cell_id, run_id=run.run_id), run.header, run)
            self._catalogue.forget(cell_id)
        await self._conductor.drive()

    def _register(self, cell_id: str, code: str) -> None:
        known = self._catalogue.entries.get(cell_id)
        if known is not None and known.request.code == code:
            return
        entry = self._catalogue.analyse(RegisterCellRequest(cell_id=cell_id, code=code))
        self._conductor.change(self._catalogue.stimulus(entry), {})
        self._catalogue.keep(entry)

    def _not_run(self, cell_id: str, run: Run) -> Failure | None:
        """A cell in a cycle or behind a failed writer was not run: its request must say so."""
        view = self._conductor.view(cell_id)
        if view.status == "success":
            return None
        messages = [diagnostic.message for diagnostic in view.diagnostics]
        reason = run.skipped.get(cell_id) or view.reason
        if reason is not None and reason.message:
            messages.append(reason.message)
        text = " ".join(messages) or f"The cell was not run; its status is {view.status}."
        ename = "UpstreamError" if view.status == "error" else "NotRun"
        failure = Failure(ename, text, [f"{ename}: {text}"])
        if view.status != "error":  # an UpstreamError has been published already
            content = {"ename": ename, "evalue": text, "traceback": failure.traceback}
            self._outbox.standard("error", content, run.message_for(cell_id)["header"])
        return failure
