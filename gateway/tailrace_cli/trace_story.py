"""What a trace tells: the notebook at its start, what each client sent, and what it then heard. Pure.

Knows frames; must not know sockets. Two tellings are compared cell by cell: what differs from run to run by itself
(numbers, times, run ids, the cut of printed text into pieces) is left out.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailrace_cli.refusal import RefusedError
from tailrace_gateway.history import OUTSIDE
from tailrace_gateway.records import StoredCell
from tailrace_gateway.trace import MASK

Frame = Mapping[str, Any]
ENDS = frozenset({"ack", "error", "command:executed", "command:failed"})
COMPARED = ("cell_", "command:", "graph:", "run_", "db_")
VARYING = frozenset(
    {
        "seq",
        "ts",
        "notebookId",
        "hash",
        "seconds",
        "expectedSeconds",
        "revision",
        "executionCount",
        "request",
        "runId",
        "version",
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """One frame of one client, sent when these answers (client, type, id) have come."""

    client: str
    frame: Frame
    after: frozenset[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Story:
    """`skipped`: frames that cannot be sent again, for a secret in them is masked or they could not be read."""

    cells: tuple[StoredCell, ...]
    steps: tuple[Step, ...]
    last: frozenset[tuple[str, str, str]]
    heard: Mapping[str, tuple[Frame, ...]]
    skipped: int


def read_story(path: Path) -> Story:
    """Raises RefusedError for a file that is no trace, or one that begins in the middle."""
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        snapshot = next((line for line in lines if line["type"] == "snapshot"), None)
    except (OSError, ValueError, KeyError, TypeError):
        raise RefusedError(f"{path} is not a trace: `tailrace serve --trace FILE` writes one.") from None
    if snapshot is None:
        raise RefusedError(f"{path} holds no snapshot: begin the trace before the first client comes.")
    steps: list[Step] = []
    heard: dict[str, list[Frame]] = defaultdict(list)
    came: set[tuple[str, str, str]] = set()
    sent: set[tuple[str, str]] = set()
    skipped = 0
    for line in lines:
        if line["notebook"] != snapshot["notebook"]:
            continue
        frame = line.get("frame") or {}
        if line["direction"] == "out":
            heard[line["client"]].append(frame)
            if line["type"] in ENDS and (_author(line), line["id"]) in sent:
                came.add((line["client"], line["type"], line["id"]))
        elif not frame or (MASK in frame.values() and line["type"] != "attach"):
            skipped += 1
        else:
            steps.append(Step(line["client"], frame, frozenset(came)))
            sent.add((line["client"], line["id"]))
    cells = tuple(stored(cell) for cell in snapshot["frame"]["cells"])
    told = {name: tuple(frame for frame in frames if _happens(frame, sent)) for name, frames in heard.items()}
    return Story(cells, tuple(steps), frozenset(came), told, skipped)


def _author(line: Frame) -> str:
    """Who sent the command that this frame answers."""
    cause = line.get("cause")
    return str(cause["client"] if cause else line["client"])


def _happens(frame: Frame, sent: set[tuple[str, str]]) -> bool:
    """Will this be heard again? Not what comes of a frame that is not sent again."""
    cause = frame.get("cause")
    return cause is None or cause["client"] == OUTSIDE or (cause["client"], cause["id"]) in sent


def stored(cell: Frame) -> StoredCell:
    return StoredCell(
        id=cell["id"],
        type=cell["type"],
        code=cell["code"],
        name=cell.get("name"),
        mode=cell["mode"],
        execution=cell["execution"],
    )


def differences(one: Iterable[Frame], two: Iterable[Frame], names: Mapping[str, str]) -> list[str]:
    """What the second telling says otherwise; `names` are cell ids of the first → those of the second."""
    first, second = _told(one, names), _told(two, {})
    found = []
    for key in sorted(first.keys() | second.keys()):
        pairs = zip([*first.get(key, []), None], [*second.get(key, []), None], strict=False)
        different = next((pair for pair in pairs if pair[0] != pair[1]), None)
        if different is not None:
            found.append(f"{key}: recorded {_short(different[0])}, now {_short(different[1])}")
    return found


def _told(frames: Iterable[Frame], names: Mapping[str, str]) -> dict[str, list[Frame]]:
    """What was said about each cell, and about each thing that is no cell, in order."""
    told: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        kind = str(frame.get("type"))
        if not kind.startswith(COMPARED) or kind == "run_progress" or frame.get("seq") is None:
            continue
        plain = _plain(frame, names)
        key = f"cell {plain['cellId']}" if "cellId" in plain and kind.startswith("cell_") else kind
        last = told[key][-1] if told[key] else None
        if kind == "cell_stdout" and last and last["type"] == kind and last["stream"] == plain["stream"]:
            told[key][-1] = {**last, "data": last["data"] + plain["data"]}
        else:
            told[key].append(plain)
    return told


def _plain(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each, names) for name, each in value.items() if name not in VARYING}
    if isinstance(value, list):
        return [_plain(each, names) for each in value]
    return names.get(value, value) if isinstance(value, str) else value


def _short(frame: Frame | None) -> str:
    return "nothing more" if frame is None else json.dumps(frame, ensure_ascii=False)[:300]
