"""What one run has shown so far: statuses, outputs and errors by cell, folded from IOPub messages. Pure."""

from collections.abc import Sequence
from typing import Any

from tailrace_cli.probe_client import Message
from tailrace_gateway.output_log import OutputLog
from tailrace_gateway.records import StoredCell
from tailrace_protocol.codec import decode_content
from tailrace_protocol.kernel_messages import CellStatusContent, RunFinishedContent, StatusChange
from tailrace_protocol.objects import CellError, DisplayOutput, Output, ResultOutput, Stream

FINAL = frozenset({"success", "error", "interrupted", "blocked", "disabled", "stale"})


class RunRecord:
    """`cells` is the document; markdown is kept for order and never runs."""

    def __init__(self, cells: Sequence[StoredCell]) -> None:
        self.cells = tuple(cells)
        self.statuses: dict[str, StatusChange] = {}
        self.errors: dict[str, CellError] = {}
        self.finished: RunFinishedContent | None = None
        self._log = OutputLog()

    def take(self, message: Message) -> None:
        match message.type:
            case "cell_status":
                for change in decode_content(CellStatusContent, message.content).changes:
                    self.statuses[change.cell_id] = change
            case "run_finished":
                self.finished = decode_content(RunFinishedContent, message.content)
            case _ if message.cell_id is not None:
                self._output(message.cell_id, message.type, message.content)

    def outputs(self, cell_id: str) -> tuple[Output, ...]:
        return self._log.outputs(cell_id)

    def status(self, cell_id: str) -> str:
        change = self.statuses.get(cell_id)
        return change.status if change else "idle"

    def running(self) -> list[str]:
        return [cell for cell, change in self.statuses.items() if change.status == "running"]

    def done(self) -> int:
        """How many cells have their last status."""
        return sum(change.status in FINAL for change in self.statuses.values())

    def code_cells(self) -> list[StoredCell]:
        return [cell for cell in self.cells if cell.type != "markdown"]

    def failed(self) -> list[StoredCell]:
        """Cells that were to run and have no value: disabled ones, and those that wait for them, are not meant to."""
        return [cell for cell in self.code_cells() if not self._as_meant(cell.id)]

    def causes(self) -> set[str]:
        """Cells that failed by themselves, not because a cell above did."""
        upstream = {"upstream_failed", "removed_upstream"}
        return {
            cell
            for cell, change in self.statuses.items()
            if change.status in {"error", "blocked", "interrupted"}
            and not (change.reason is not None and change.reason.code in upstream)
        }

    def interrupted(self, cell_id: str) -> bool:
        change = self.statuses.get(cell_id)
        return change is not None and change.status == "interrupted"

    def why(self, cell_id: str) -> str:
        """Why a cell has no value, in a few words."""
        if error := self.errors.get(cell_id):
            return f"{error.ename}: {error.evalue}"
        change = self.statuses.get(cell_id)
        if change is None:
            return "it was not run"
        reason = change.reason
        return f"{change.status}: {reason.message or reason.code}" if reason else str(change.status)

    def _as_meant(self, cell_id: str) -> bool:
        change = self.statuses.get(cell_id)
        if change is None:
            return False
        off = change.reason is not None and change.reason.code in {"disabled_upstream", "manual"}
        return change.status in {"success", "disabled"} or (change.status == "stale" and off)

    def _output(self, cell_id: str, kind: str, content: dict[str, Any]) -> None:
        match kind:
            case "stream":
                stream: Stream = "stderr" if content.get("name") == "stderr" else "stdout"
                self._log.write(cell_id, stream, str(content.get("text", "")))
            case "display_data" | "execute_result":
                self._log.append(cell_id, _bundle(kind, content))
            case "update_display_data":
                output = _bundle(kind, content)
                if output.display_id is not None:
                    self._log.update(output.display_id, output)
            case "clear_output":
                self._log.clear(cell_id, wait=bool(content.get("wait")))
            case "error":
                traceback = tuple(str(line) for line in content.get("traceback") or ())
                error = CellError(ename=str(content["ename"]), evalue=str(content["evalue"]), traceback=traceback)
                self.errors[cell_id] = error
                self._log.fail(cell_id, error)


def _bundle(kind: str, content: dict[str, Any]) -> DisplayOutput | ResultOutput:
    make = ResultOutput if kind == "execute_result" else DisplayOutput
    return make(
        index=0,  # the log numbers outputs
        data=content.get("data") or {},
        metadata=content.get("metadata") or {},
        display_id=(content.get("transient") or {}).get("display_id"),
        execution_count=content.get("execution_count"),
    )
