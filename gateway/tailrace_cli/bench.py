"""`tailrace bench`: runs the benchmarks of this repository, prints what was promised and measured, and records it.

Knows processes, the shape of their findings and the table; must not know what is measured. A benchmark is a module of
`benchmarks/` that prints one JSON object: findings, versions, missing peers.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tailrace_cli.refusal import RefusedError

ROOT = Path(__file__).parents[2]
BENCHMARKS = {
    "graph": "edits, re-runs and plans in growing notebooks (K2, K3)",
    "kernel": "cascades, answers while busy, prints, start and round trips (K1, K4, K5, K6, K7)",
    "gateway": "round trips, fan-out, durable edits, a stalled client (G1, G2, G3, G4, P10)",
    "page": "the page in Chromium: first editor, keys, floods, cascades (W1)",
    "sql": "SQL cells on DuckDB and PostgreSQL beside their bare drivers (S1)",
}
WIDTH = 132  # characters; a narrower terminal would break every cell of the table
LIMIT = 900  # seconds one benchmark may take
Record = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    notes = "; ".join(f"{name}: {about}" for name, about in BENCHMARKS.items())
    parser.add_argument("name", nargs="?", choices=BENCHMARKS, metavar="NAME", help=f"only this one. {notes}")
    parser.add_argument("promises", nargs="*", metavar="PROMISE", help="only these of it, and nothing is recorded")
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    """A target that was missed is a result, not a failure: the exit code stays 0."""
    results = ROOT / "benchmarks" / "results.json"
    if not results.parent.is_dir():
        raise RefusedError(
            "The benchmarks are not part of an installed Tailrace: run this in a clone of its repository."
        )
    recorded: Record = json.loads(results.read_text()) if results.exists() else {}
    for name in [chosen.name] if chosen.name else BENCHMARKS:
        record = measure(name, chosen.promises)
        console = Console()
        console.width = max(console.width, WIDTH)
        console.print(table(name, record))
        for line in remarks(record):
            print(line)
        if not chosen.promises:
            recorded[name] = record
            results.write_text(json.dumps(recorded, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return 0


def measure(name: str, promises: list[str]) -> Record:
    """What a benchmark found, with the circumstances. Its progress goes to our stderr."""
    load = os.getloadavg()[0]
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", *promises],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            timeout=LIMIT,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise RefusedError(f"Benchmark {name} did not end within {LIMIT} s; a busy machine makes it slow.") from None
    except subprocess.CalledProcessError as failed:
        raise RefusedError(f"Benchmark {name} ended with exit code {failed.returncode}; the reason is above.") from None
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "cpus": os.cpu_count(),
        "load": round(load, 1),
        "python": platform.python_version(),
        **rounded(json.loads(done.stdout)),
    }


def rounded(value: Any) -> Any:
    """Numbers with four digits: more would be noise."""
    match value:
        case float():
            return float(f"{value:.4g}")
        case dict():
            return {key: rounded(inner) for key, inner in value.items()}
        case list():
            return [rounded(inner) for inner in value]
        case _:
            return value


def commit() -> str:
    """The commit that was measured, with `+` when the tree held changes beside it."""
    head = git("rev-parse", "--short", "HEAD").strip()
    return head + ("+" if git("status", "--porcelain", "--untracked-files=no").strip() else "")


def git(*words: str) -> str:
    program = shutil.which("git")
    if program is None:
        return ""
    return subprocess.run([program, *words], cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True).stdout


def table(name: str, record: Record) -> Table:
    shown = Table("promise", "work", "measured (median)", "target", "value", "met", title=f"{name}, {record['date']}")
    for finding in record["findings"]:
        head = (finding["promise"], finding["work"], measured(finding))
        claims = finding["claims"] or [{"text": "", "value": None, "met": None}]
        for number, claim in enumerate(claims):
            value = "" if claim["value"] is None else f"{claim['value']:.3g}"
            shown.add_row(*(head if number == 0 else ("", "", "")), claim["text"], value, verdict(claim["met"]))
        shown.add_section()
    return shown


def measured(finding: Mapping[str, Any]) -> str:
    numbers = finding["numbers"].items()
    return "\n".join(f"{whom} {series['median']:,.3g} {finding['unit']}" for whom, series in numbers)


def verdict(met: bool | None) -> Text:
    match met:
        case True:
            return Text("yes", style="green")
        case False:
            return Text("no", style="red")
        case None:
            return Text("not measured", style="yellow")


def remarks(record: Record) -> Iterator[str]:
    for finding in record["findings"]:
        if finding["note"]:
            yield f"{finding['promise']}: {finding['note']}."
    if record["missing"]:
        yield f"Not installed: {', '.join(record['missing'])}. `make peers` puts them into an environment of their own."
    yield f"{record['cpus']} CPUs, load {record['load']} at the start; absolute targets are judged by 10th percentiles."
