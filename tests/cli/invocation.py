"""One `tailrace` command in a process of its own, as a person starts it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


def tailrace(
    *words: str | Path,
    stdin: str = "",
    environment: dict[str, str] | None = None,
    seconds: float = 60,
    cwd: Path = ROOT,
) -> Ended:
    """Run to the end; fails the test when that takes longer than `seconds`."""
    done = subprocess.run(
        [sys.executable, "-m", "tailrace_cli", *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def refused(ended: Ended) -> str:
    """The sentence of a command that was refused: exactly one line on stderr, nothing on stdout, exit 2."""
    assert (ended.code, ended.out) == (2, ""), ended
    assert ended.err.startswith("tailrace: "), ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert "Traceback" not in ended.err
    return ended.err.removeprefix("tailrace: ").strip()
