"""The test session as a whole: room budgets are printed at its end, and no process it started may be left.

Every child inherits a marker in its environment, so a kernel that detached itself is found as well.
"""

import os
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from tests.postgres import Postgres

MARKER = "TAILRACE_TEST_SESSION"
ROOT = Path(__file__).parent
BUDGET = {  # minutes on 2 cores: with two workers, half of what the room's tests took
    "pure": 2.0,
    "kernel": 2.0,
    "gateway": 2.0,
    "page": 2.5,
    "SQL": 1.0,
    "conformance": 1.0,
    "faults": 1.5,
    "command line": 1.0,
}
KERNEL_PROCESS_TESTS = ("test_kernel_", "test_runner", "test_lifeline")

_seconds: dict[str, float] = defaultdict(float)


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    match parts[0]:
        case "kernel" if parts[-1].startswith("test_sql_"):
            return "SQL"
        case "kernel" if parts[-1].startswith(KERNEL_PROCESS_TESTS):
            return "kernel"
        case "kernel" | "protocol":
            return "pure"
        case "web":
            return "page"
        case "cli" | "examples":
            return "command line"
        case "conformance" | "faults":
            return parts[0]
        case _:
            return "gateway"


@pytest.hookimpl
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's room comes last, however the rooms were named: its driver keeps an event loop running."""
    items.sort(key=lambda item: room_of(item.path) == "page")


@pytest.hookimpl
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[room_of(ROOT.parent / report.nodeid.split("::")[0])] += report.duration


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    workers = config.getoption("numprocesses", None) or 1
    terminalreporter.section("room budgets")
    for room, budget in BUDGET.items():
        used = _seconds[room] / 60 / workers
        over = "  over budget" if used > budget else ""
        terminalreporter.write_line(f"{room:12} {used:5.2f} of {budget:.1f} min{over}")


PYTHONS_OWN = "multiprocessing.resource_tracker"  # ends with the process that made the first pool


def left_over(marker: str) -> list[str]:
    """Processes that carry the marker and are not this one, as `pid command line`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARKER) == marker:
                command = " ".join(process.cmdline())
                if PYTHONS_OWN not in command:
                    found.append(f"{process.pid} {command[:200]}")
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Set up first, so it is torn down last. The control: a child that is alive is seen."""
    marker = secrets.token_hex(8)
    os.environ[MARKER] = marker
    with psutil.Popen(["sleep", "60"]) as control:
        assert any(line.startswith(f"{control.pid} ") for line in left_over(marker))
        control.kill()
    yield
    deadline = time.monotonic() + 15
    while (found := left_over(marker)) and time.monotonic() < deadline:
        psutil.wait_procs([psutil.Process(int(line.split()[0])) for line in found], timeout=1)
    assert not found, "processes left by the test session:\n" + "\n".join(found)


@pytest.fixture(scope="session", autouse=True)
def own_directories(tmp_path_factory: pytest.TempPathFactory, no_process_left: None) -> None:
    """State and runtime directories of the session: nothing is read from or left in the user's own."""
    base = tmp_path_factory.mktemp("tailrace")
    os.environ["TAILRACE_STATE_DIR"] = str(base / "state")
    os.environ["TAILRACE_RUNTIME_DIR"] = str(base / "run")
    os.environ["IPYTHONDIR"] = str(base / "ipython")
    os.environ["JUPYTER_CONFIG_DIR"] = str(base / "jupyter")


@pytest.fixture(scope="session")
def postgres(no_process_left: None) -> Iterator["Postgres"]:
    """A real PostgreSQL, started for the first test that asks."""
    from tests.postgres import postgres_server

    with postgres_server() as server:
        yield server
