"""`tailrace run`: a notebook from top to bottom in a kernel of its own, without a browser.

Exit 0 when every cell has its value, 1 when one failed (it is named), 2 when the run could not begin.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Literal

from tailrace_cli import parameters
from tailrace_cli.headless_kernel import HeadlessKernel, KernelEndedError
from tailrace_cli.probe_client import Message
from tailrace_cli.refusal import RefusedError
from tailrace_cli.run_record import FINAL, RunRecord
from tailrace_cli.run_view import RunView
from tailrace_cli.source import read_cells, title
from tailrace_gateway.ipynb import IpynbText, write_ipynb
from tailrace_gateway.records import StoredCell
from tailrace_protocol.codec import to_builtins

REGISTER_SECONDS = 60.0
STOP_SECONDS = 5.0  # an interrupted run has so long to end by itself


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "notebook", type=Path, metavar="NOTEBOOK", help="a .py file with `# %%%%` markers, or an .ipynb"
    )
    parser.add_argument("-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE", help="set a name")
    parser.add_argument("-o", dest="output", type=Path, metavar="OUT.ipynb", help="write cells and outputs there")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the outputs")
    parser.add_argument("--timeout", type=_seconds, metavar="S", help="stop the run after so many seconds")
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    cells = parameters.with_parameters(read_cells(chosen.notebook), parameters.parse(chosen.parameters))
    _check_output(chosen.output)
    record = RunRecord(cells)
    titles = {cell.id: title(cell) for cell in cells}
    started = time.monotonic()
    with RunView(record, titles, quiet=chosen.json) as view, HeadlessKernel(chosen.notebook.resolve().parent) as kernel:
        stopped = Run(kernel, record, view).until(chosen.timeout)
    if chosen.output is not None:
        _write(chosen.output, record)
    if chosen.json:
        print(json.dumps(as_object(chosen.notebook, record, time.monotonic() - started), ensure_ascii=False))
    return _verdict(record, titles, stopped)


def as_object(notebook: Path, record: RunRecord, seconds: float) -> dict[str, Any]:
    """What `--json` prints: cells in document order, outputs as on the gateway's wire."""
    cells = []
    for cell in record.code_cells():
        change = record.statuses.get(cell.id)
        shown: dict[str, Any] = {"id": cell.id, "type": cell.type, "status": record.status(cell.id)}
        shown["seconds"] = change.seconds if change else None
        shown["outputs"] = [to_builtins(output) for output in record.outputs(cell.id)]
        if cell.id in record.errors:
            shown["error"] = to_builtins(record.errors[cell.id])
        cells.append(shown)
    status = "error" if record.failed() else "success"
    return {"notebook": str(notebook), "status": status, "seconds": round(seconds, 3), "cells": cells}


class Run:
    """All cells of the record, once, in a kernel that has not seen them."""

    def __init__(self, kernel: HeadlessKernel, record: RunRecord, view: RunView) -> None:
        self._kernel = kernel
        self._record = record
        self._view = view
        self._asked = ""
        self._replied = False
        self._idle = False

    def until(self, timeout: float | None) -> str:
        """Run to the end, or stop after `timeout` seconds or at Ctrl-C. Returns why it ended early, else nothing."""
        client = self._kernel.client
        cells = [_registration(cell) for cell in self._record.cells]
        _check(client.request("register_cells_request", {"cells": cells}, timeout=REGISTER_SECONDS))
        self._asked = client.send("execute_cells_request", {"mode": "all"})
        deadline, early = (time.monotonic() + timeout if timeout else None), ""
        while True:
            match self._follow(deadline):
                case "ended":
                    return early
                case "late":
                    if early:
                        return early  # it did not stop when it was told to; its kernel goes with us
                    early = f"stopped after {timeout:g} s"
                case "interrupted":
                    early = "interrupted"
                case KernelEndedError() as death:
                    return str(death)
            client.send("interrupt_request", {})
            deadline = time.monotonic() + STOP_SECONDS

    def _follow(self, deadline: float | None) -> Literal["ended", "late", "interrupted"] | KernelEndedError:
        try:
            for received in self._kernel.receive():
                if received is not None:
                    self._take(*received)
                if self._replied and self._idle:
                    return "ended"
                if deadline is not None and time.monotonic() > deadline:
                    return "late"
        except KeyboardInterrupt:
            return "interrupted"
        except KernelEndedError as death:
            return death
        raise AssertionError("the kernel's messages have no end")

    def _take(self, source: str, message: Message) -> None:
        if source == "control":
            if message.parent == self._asked:
                _check(message)
                self._replied = True
            return
        self._record.take(message)
        self._view.show(message)
        if message.parent == self._asked and message.content.get("execution_state") == "idle":
            self._idle = True


def _registration(cell: StoredCell) -> dict[str, Any]:
    fields = {"cell_id": cell.id, "cell_type": cell.type, "code": cell.code}
    return fields | {"mode": cell.mode, "execution": cell.execution}


def _check(reply: Message) -> None:
    """Raises RefusedError when the kernel refused."""
    if reply.content.get("status") != "ok":
        raise RefusedError(f"The kernel refused to run the notebook: {reply.content.get('evalue')}")


def _verdict(record: RunRecord, titles: dict[str, str], early: str) -> int:
    """Say on stderr which cells have no value, and give the exit code."""
    failed = record.failed()
    if early:
        print(f"tailrace: The run was not finished: {early.rstrip('.')}.{_where(record, titles)}", file=sys.stderr)
    causes = [cell for cell in failed if cell.id in record.causes()]
    for cell in causes:
        how = "was interrupted before it ended" if record.interrupted(cell.id) else f"failed: {record.why(cell.id)}"
        print(f"tailrace: Cell {titles[cell.id]} {how}", file=sys.stderr)
    if more := len(failed) - len(causes):
        print(f"tailrace: {more} {'other cells have' if more > 1 else 'other cell has'} no value.", file=sys.stderr)
    return int(bool(failed or early))


def _where(record: RunRecord, titles: dict[str, str]) -> str:
    """The cell that was running; a kernel that died at once has not told which, so all that had not ended."""
    if running := record.running():
        return f" Running was: {', '.join(titles.get(cell, cell) for cell in running)}."
    open_ones = [titles[cell.id] for cell in record.code_cells() if record.status(cell.id) not in FINAL]
    rest = f" and {len(open_ones) - 3} more" if len(open_ones) > 3 else ""
    return f" Not ended were: {', '.join(open_ones[:3])}{rest}." if open_ones else ""


def _write(output: Path, record: RunRecord) -> None:
    """Raises RefusedError when the file cannot be written."""
    outputs = {cell.id: record.outputs(cell.id) for cell in record.cells}
    try:
        output.write_text(write_ipynb(record.cells, IpynbText(), outputs=outputs), encoding="utf-8")
    except OSError as error:
        raise RefusedError(f"The run is done, but {output} cannot be written: {error.strerror}.") from None


def _check_output(output: Path | None) -> None:
    """Raises RefusedError before anything ran, not after."""
    if output is None:
        return
    if output.suffix != ".ipynb":
        raise RefusedError(f"-o writes a Jupyter notebook: name a file that ends with .ipynb, not {output}.")
    if not output.resolve().parent.is_dir():
        raise RefusedError(f"There is no folder {output.parent} to write {output.name} into.")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds
