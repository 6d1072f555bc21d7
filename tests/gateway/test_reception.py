"""What is taken as the kernel says it is now, after messages of it were lost for good."""

import asyncio
from typing import Any

import pytest

from tailrace_gateway.databases import Databases
from tailrace_gateway.fold import fold
from tailrace_gateway.pending import PendingTable
from tailrace_gateway.reception import GAP, Reception
from tailrace_gateway.records import StoredCell
from tailrace_gateway.runs import Runs
from tailrace_gateway.state import open_state
from tailrace_protocol.codec import decode_content
from tailrace_protocol.events import Event, RunStarted, type_name
from tailrace_protocol.kernel_messages import GraphReply
from tailrace_protocol.objects import NotebookInfo, Settings
from tests.gateway.fakes import message

CELLS = ("done", "stopped", "now", "old")
REPLY = decode_content(
    GraphReply,
    {
        "cells": {
            cell_id: {
                "type": "python", "reads": [], "writes": [], "status": status, "version": 1, "mode": "auto",
                **({"reason": {"code": "requested", "request": run_id}} if run_id else {}),
            }
            for cell_id, status, run_id in (
                ("done", "success", None),
                ("stopped", "interrupted", None),
                ("now", "running", "new"),
                ("old", "idle", None),
            )
        },
        "edges": [], "cycles": [], "order": [*CELLS],
    },
)  # fmt: skip


@pytest.mark.parametrize("missed", [True, False])
def test_runs_statuses_and_gaps_are_caught_up_after_a_loss_and_only_then(missed: bool) -> None:
    asyncio.run(caught_up(missed))


async def caught_up(missed: bool) -> None:
    info = NotebookInfo(id="n", path="n.py", name="n", settings=Settings())
    state = open_state(info, [StoredCell(id=cell_id, type="python", code="x") for cell_id in CELLS])
    told: list[tuple[str, Any]] = []
    runs = Runs(asyncio.get_running_loop().time)

    def publish(event: Event, **_: Any) -> None:
        fold(state, event)
        told.append((type_name(event), getattr(event, "cell_id", None) or getattr(event, "run_id", None)))

    pendings = PendingTable(publish, lambda: 0, asyncio.get_running_loop().time)
    databases = Databases(state, publish, pendings)
    reception = Reception(state, publish, pendings, databases, dict, lambda _: None, runs, lambda: None)
    reception.tell(RunStarted(run_id="lost", cells=CELLS, plan=CELLS, mode="all"))
    reception.take([message("stream", {"name": "stdout", "text": "kept"}, "", cell_id) for cell_id in CELLS])
    told.clear()
    if missed:
        reception.miss()
    reception.catch_up(REPLY)
    if not missed:
        assert told == [], "the control: nothing was lost, and what is shown stays"
        assert "lost" in runs
        return
    assert told == [
        ("run_started", "new"),
        ("run_finished", "lost"),
        ("cell_outputs_cleared", "done"), ("cell_stdout", "done"), ("cell_status", "done"),
        ("cell_outputs_cleared", "stopped"), ("cell_stdout", "stopped"), ("cell_status", "stopped"),
        ("cell_outputs_cleared", "now"), ("cell_stdout", "now"), ("cell_status", "now"),
    ]  # fmt: skip
    assert [run.run_id for run in runs.active] == ["new"]
    assert {cell_id: state.cell(cell_id).stdout for cell_id in CELLS}["old"] == "kept"
    assert {cell_id: state.cells[cell_id].status for cell_id in CELLS} == {
        "done": "success", "stopped": "interrupted", "now": "running", "old": "idle"
    }  # fmt: skip
    assert [output.text for output in state.cell("now").outputs] == [GAP]  # type: ignore[union-attr]
    told.clear()
    reception.take([message("stream", {"name": "stdout", "text": "later"}, "", "now")])
    reception.catch_up(REPLY)
    assert told == [("cell_stdout", "now")], "said once: what comes from now on is whole"
