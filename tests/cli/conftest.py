"""A real kernel with a connection file, as `tailrace probe --existing FILE` meets one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tailrace_cli.probe_client import ConnectionFile, ProbeClient

START_SECONDS = 60.0


@pytest.fixture
def connection_file(kernel: Path) -> Path:
    """The kernel without cells."""
    with ProbeClient(ConnectionFile.read(kernel)) as client:
        for cell in client.request("graph_request", {}, timeout=START_SECONDS).content["order"]:
            client.request("remove_cell_request", {"cell_id": cell, "run_dependents": False}, timeout=START_SECONDS)
    return kernel


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One kernel for a file of tests; it has ended when they have."""
    folder = tmp_path_factory.mktemp("kernel")
    path = folder / "kernel.json"
    log = folder / "kernel.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tailrace_kernel", "-f", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        wait_for_file(path, process, log)
        with ProbeClient(ConnectionFile.read(path)) as client:
            client.ping(START_SECONDS)
        yield path
    finally:
        process.kill()
        process.wait(timeout=10)


def wait_for_file(path: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """The kernel writes its connection file whole, before it listens; a short one is still being written."""
    for _ in range(int(START_SECONDS / 0.05)):
        if path.exists() and path.read_text().rstrip().endswith("}"):
            return
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the kernel ended:\n{log.read_text()}")
    raise AssertionError(f"no connection file after {START_SECONDS} s:\n{log.read_text()}")
