"""Script equivalence: a fresh notebook equals its cells run top to bottom as a plain script.

`TAILRACE_HISTORIES` sets how many histories are played in all, on all cores; the first seed is printed and may be
given by `TAILRACE_SEED`. Each kind of play has its floor of activity, so that a silent generator cannot pass.
"""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor

import pytest

from tests.kernel.histories import Options, play_all, players

HISTORIES = int(os.environ.get("TAILRACE_HISTORIES", "2000"))
SEED = int(os.environ.get("TAILRACE_SEED", "0"))
KINDS = {
    "plain": (0.38, Options()),
    "validated": (0.07, Options(checked=True)),
    "without copies": (0.19, Options(copies=False)),
    "budget 0": (0.19, Options(keep=0)),
    "frames": (0.07, Options(frames=True)),
    "calls": (0.1, Options(calls=True)),
}
FLOORS = {  # per history
    "law": 2.0,
    "re-runs compared": 0.1,
    "spent": 1.0,
    "shared objects": 0.1,
    "failures": 0.1,
    "deletions with readers": 0.01,
    "learned": 0.2,
    "plans kept": 1.0,
    "plans kept that make again": 0.02,
}


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with players() as pool:
        yield pool


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_notebook_equals_a_script(kind: str, pool: Executor) -> None:
    share, options = KINDS[kind]
    count = max(10, int(HISTORIES * share))
    first = SEED + 1_000_000 * list(KINDS).index(kind)
    print(f"seeds {first} to {first + count - 1}, {kind}")
    total = play_all(pool, first, count, options)
    report(kind, total)
    for what, floor in FLOORS.items():
        assert total[what] >= floor * count, f"{kind}: only {total[what]} {what} in {count} histories"
    assert total["run caps"] <= count // 100 + 1
    if options.copies and options.keep is None:
        assert total["copies"] >= count
    if options.keep is not None:
        assert total["versions let go"] >= count


def report(kind: str, total: Counter[str]) -> None:
    """Numbers for the long tier."""
    name = kind.replace(" ", "-")
    for what in ("histories", "law", "shared objects", "spent", "failures", "run caps"):
        print(f"{name} {what} = {total[what]}")
