"""Others' own test suites with our kernel standing in for `python3`: `python -m tests.long.peers_suites SUITE`.

The tests come from the source distributions of the package index and run in the peers' environment. A suite is not
edited; tests that assert what we do otherwise on purpose are left out by name, with the reason beside them.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.long.peers_environment import PYTHON, environment, install

LIMIT = 540  # seconds
COUNT = re.compile(r"(\d+) (passed|failed|skipped|error|errors)\b")
TOOLS = ("pytest", "pytest-timeout", "pytest-asyncio", "pytest-cov", "flaky", "psutil", "matplotlib", "testpath",
         "xmltodict", "ipywidgets", "nbconvert", "nbformat")  # fmt: skip


@dataclass(frozen=True)
class PeerSuite:
    package: str  # as it is installed in the peers' environment: its tests are of the same version
    files: tuple[str, ...]
    least: int  # tests that must have passed
    left_out: dict[str, str] = field(default_factory=dict)  # test → why


SUITES = {
    "ipykernel": PeerSuite(
        "ipykernel",
        (
            "message_spec",
            "kernel",
            "async",
            "comm",
            "subshells",
            "subshell_wedge",
            "debugger",
            "curve",
            "heartbeat",
            "parentpoller",
        ),
        least=90,
        left_out={
            "test_print_to_correct_cell_from_thread[thread-local]": "a thread prints under the cell that started it",
            "test_print_to_correct_cell_from_thread[none]": "a thread prints under the cell that started it",
        },
    ),
    "nbclient": PeerSuite("nbclient", ("client", "cli"), least=115),
}


def fetch(package: str, folder: Path) -> Path:
    """The unpacked source distribution of the installed version."""
    ask = f"from importlib import metadata; print(metadata.version({package!r}))"
    asked = subprocess.run([PYTHON, "-c", ask], check=True, capture_output=True, text=True, timeout=60)
    version = asked.stdout.strip()
    command = [PYTHON, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", package]
    subprocess.run([*command, f"{package}=={version}", "--dest", str(folder)], check=True, timeout=200)
    (archive,) = folder.glob(f"{package}-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    return folder / f"{package}-{version}"


def main(name: str) -> int:
    suite = SUITES[name]
    install(suite.package, *TOOLS)
    with tempfile.TemporaryDirectory(prefix="t") as private:
        source = fetch(suite.package, Path(private))
        (source / "own.ini").write_text("[pytest]\nasyncio_mode = auto\n")
        left_out = [f"--deselect=tests/test_kernel.py::{test}" for test in suite.left_out]
        command = [PYTHON, "-m", "pytest", "-q", "-c", "own.ini", "--timeout", "120", *left_out]
        done = subprocess.run(
            [*command, *(f"tests/test_{file}.py" for file in suite.files)],
            cwd=source,
            env=environment(Path(private), ("tailrace", "python3")),
            timeout=LIMIT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    # Loops that the tests left open complain behind pytest's last line.
    summary = next((line for line in reversed(done.stdout.splitlines()) if COUNT.search(line)), "")
    counts = {word: int(number) for number, word in COUNT.findall(summary)}
    for word, number in counts.items():
        print(f"{name} {word} = {number}")
    print(f"{name} left out = {len(suite.left_out)}")
    if done.returncode:
        print(done.stdout[-8000:])
    return int(done.returncode != 0 or counts.get("passed", 0) < suite.least)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
