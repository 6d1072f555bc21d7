"""What `/metrics` counts, one line of the log per command, and that unhandled failures are seen."""

import asyncio
import logging
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tailrace_gateway.app import METRICS
from tailrace_gateway.metrics import MAX_CLIENTS, Metrics
from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import Gateway, running, story


async def numbers(gateway: Gateway) -> dict[str, float]:
    """Name and labels → value."""
    async with gateway.session.get(f"{gateway.url}/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        text = await response.text()
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    labels = ("command", "code", "client", "le")
    return {" ".join((s.name, *(s.labels[name] for name in labels if name in s.labels))): s.value for s in samples}


@story
async def test_commands_clients_and_reconnections_are_counted(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        for number in range(3):
            async with gateway.client("ann") as client:
                await client.ready() if number == 0 else await client.event("snapshot")
                await client.do("cell_update", cellId="a1", code=f"x = {number}", id=f"u{number}")
                await client.do("delete_cell", cellId="nobody", id=f"d{number}")
        async with gateway.client("bob") as client:
            await client.event("snapshot")
            found = await numbers(gateway)
    assert found["tailrace_commands_total cell_update ok"] == 3
    assert found["tailrace_commands_total delete_cell unknown_cell"] == 3
    assert found["tailrace_command_seconds_count"] == 6
    assert found["tailrace_reconnects_total ann"] == 2
    assert "tailrace_reconnects_total bob" not in found
    assert found["tailrace_open_notebooks"] == 1
    assert found["tailrace_clients"] == 1
    assert found["tailrace_events"] > 10
    assert found["tailrace_unhandled_total"] == 0


@story
async def test_the_lateness_of_the_loop_is_measured(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        async with asyncio.timeout(20):
            while (found := await numbers(gateway))["tailrace_loop_lag_seconds_count"] < 2:
                pass  # each look is a request of its own
        assert found["tailrace_loop_lag_seconds_sum"] < 5


def test_each_command_has_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    @story
    async def work() -> None:
        async with running(tmp_path, FakeKernels()) as gateway, gateway.client("ann") as client:
            await client.ready()
            await client.do("run_cell", cellId="a1", id="r1", code="secret_code = 1")
            await client.do("delete_cell", cellId="nobody", id="d1")

    with caplog.at_level(logging.INFO, logger="tailrace_gateway.metrics"):
        work()
    lines = [record.getMessage() for record in caplog.records if record.name == "tailrace_gateway.metrics"]
    (run,) = [line for line in lines if " id=r1 " in line]
    (refused,) = [line for line in lines if " id=d1 " in line]
    assert run.startswith("run_cell client=ann id=r1 cell=a1 run=")
    assert "run=-" not in run
    assert run.endswith("code=ok")
    assert refused.endswith("code=unknown_cell")
    assert not any("secret_code" in line for line in lines)


def test_failures_that_nothing_handles_are_counted(tmp_path: Path) -> None:
    @story
    async def work() -> None:
        async with running(tmp_path, FakeKernels()) as gateway:
            asyncio.get_running_loop().call_soon(lambda: 1 / 0)
            await asyncio.sleep(0)
            metrics = gateway.app[METRICS]
            assert metrics.failures == 1
            assert (await numbers(gateway))["tailrace_unhandled_total"] == 1
            metrics.failures = 0  # the control of what every other test asserts at its end

    work()


def test_many_clients_share_one_line() -> None:
    metrics = Metrics()
    for number in range(2 * MAX_CLIENTS):
        metrics.attached(f"c{number}")
        metrics.attached(f"c{number}")
    lines = [
        line for line in metrics.text(0, 0, 0).decode().splitlines() if line.startswith("tailrace_reconnects_total")
    ]
    assert len(lines) == MAX_CLIENTS + 1
    assert f'tailrace_reconnects_total{{client="other"}} {float(MAX_CLIENTS)}' in lines
