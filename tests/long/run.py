"""The long tier: `python -m tests.long.run [SUITE…]` runs each suite by itself and records what it found.

A suite is one command that ends within ten minutes and prints its numbers as lines `NAME = NUMBER`; date, commit,
seconds, outcome and numbers go into RESULTS.json, which is committed.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("RESULTS.json")
LIMIT = 600  # seconds a suite may take
NUMBER = re.compile(r"^(?P<name>[a-z][a-z0-9 _-]*) = (?P<value>-?\d+(?:\.\d+)?)$", re.MULTILINE)


@dataclass(frozen=True)
class Suite:
    about: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def pytest(*arguments: str) -> tuple[str, ...]:
    return ("-m", "pytest", "-q", "-s", "--timeout", str(LIMIT), *arguments)


SUITES: dict[str, Suite] = {
    "law": Suite(
        "20,000 random histories against script equivalence",
        pytest("tests/kernel/test_law.py"),
        {"TAILRACE_HISTORIES": "20000"},
    ),
    "convergence": Suite(
        "10,000 mixed commands from five clients that come and go leave all, and the page's fold, with one document",
        pytest("tests/gateway/test_convergence.py"),
        {"TAILRACE_COMMANDS": "10000", "TAILRACE_CLIENTS": "5", "TAILRACE_PAGE_FOLD": "yes"},
    ),
    "kills": Suite(
        "250 kills of the gateway under four writers: nothing acknowledged is lost, nothing is there twice",
        pytest("tests/faults/test_kill.py"),
        {"TAILRACE_KILLS": "250"},
    ),
    "more-kills": Suite(
        "250 more, of another seed: a kill and its new start take 1.5 s, too long for 500 in ten minutes",
        pytest("tests/faults/test_kill.py"),
        {"TAILRACE_KILLS": "250"},
    ),
    "crash-states": Suite(
        "every state that a power cut could leave of 1,000 streams of commands",
        pytest("tests/faults/test_crash_states.py"),
        {"TAILRACE_STREAMS": "1000"},
    ),
    "cuts": Suite(
        "600 connections cut at any byte: nothing missed, nothing twice, no command lost",
        pytest("tests/faults/test_cuts.py"),
        {"TAILRACE_CUTS": "600"},
    ),
    "runaway": Suite(
        "an endless print, a repr of 1 GB, 10^6 displays: the gateway's memory stays within its bounds",
        pytest("tests/faults/test_runaway.py"),
        {"TAILRACE_RUNAWAY": "1"},
    ),
    "interrupts": Suite(
        "500 interrupts at random moments: every run ends and the next one works", ("-m", "tests.long.interrupts")
    ),
    "jupyterlab": Suite(
        "plain mode in a real JupyterLab and Notebook 7: change, Run All, delete", ("-m", "tests.long.jupyterlab")
    ),
    "ipykernel": Suite("ipykernel's own tests on our kernel", ("-m", "tests.long.peers_suites", "ipykernel")),
    "nbclient": Suite("nbclient's own tests on our kernel", ("-m", "tests.long.peers_suites", "nbclient")),
    "clients": Suite("papermill, nbconvert, nbclient, jupyter console", ("-m", "tests.long.peers_clients")),
    "duckdb": Suite("the SQL tests on DuckDB 1.5 and later 1.x", pytest("tests/long/duckdb_majors.py")),
}


def run(name: str, suite: Suite) -> dict[str, object]:
    started = monotonic()
    process = subprocess.Popen(
        [sys.executable, *suite.arguments],
        cwd=ROOT,
        env={**os.environ, **suite.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=LIMIT)
        passed = process.returncode == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the suite and its workers
        output, _ = process.communicate()
        passed = False
    if not passed:
        sys.stdout.write(output)
    seconds = round(monotonic() - started, 1)
    sys.stdout.write(f"{name}: {'passed' if passed else 'FAILED'} in {seconds} s\n")
    return {
        "about": suite.about,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "passed": passed,
        "seconds": seconds,
        "numbers": {match["name"]: float(match["value"]) for match in NUMBER.finditer(output)},
    }


def commit() -> str:
    """The commit that was tested, with `+` when the tree held changes beside it."""
    head = git("rev-parse", "--short", "HEAD").strip()
    return head + ("+" if git("status", "--porcelain", "--untracked-files=no").strip() else "")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in SUITES]:
        sys.stderr.write(f"No such suite: {', '.join(unknown)}. There are: {', '.join(SUITES)}.\n")
        return 2
    results: dict[str, dict[str, object]] = {}
    for name in names or list(SUITES):
        result = run(name, SUITES[name])
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}  # another run may have written meanwhile
        results[name] = result
        RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n")
    return 0 if all(results[name]["passed"] for name in names or SUITES) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
