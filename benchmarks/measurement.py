"""How a benchmark measures and what it reports: samples taken in turns, quantiles, claims against bounds.

Knows numbers and clocks; must not know what is measured. Ratios compare medians of one run. A bound in absolute time is
meant for a quiet core and judged by the tenth percentile, because other processes can only make a sample slower.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import quantiles

SEED = 20_26  # order of the samples within a round


@dataclass(frozen=True, slots=True)
class Series:
    """Samples of one thing, in the finding's unit."""

    samples: tuple[float, ...]

    def quantile(self, percent: int) -> float:
        if len(self.samples) == 1:
            return self.samples[0]
        return quantiles(self.samples, n=100, method="inclusive")[percent - 1]

    @property
    def median(self) -> float:
        return self.quantile(50)

    @property
    def p10(self) -> float:
        return self.quantile(10)

    @property
    def p90(self) -> float:
        return self.quantile(90)

    def scaled(self, factor: float) -> "Series":
        return Series(tuple(sample * factor for sample in self.samples))


@dataclass(frozen=True, slots=True)
class Claim:
    """A promised bound and what was measured; `met` is None when its peer is missing."""

    text: str
    value: float | None
    met: bool | None


def at_most(text: str, value: float | None, bound: float) -> Claim:
    return Claim(text, value, None if value is None else value <= bound)


def at_least(text: str, value: float | None, bound: float) -> Claim:
    return Claim(text, value, None if value is None else value >= bound)


def ratio(ours: Series | None, theirs: Series | None) -> float | None:
    """Of medians; None when one of the two was not measured."""
    return None if ours is None or theirs is None else ours.median / theirs.median


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of work, measured for each of `series` (whom → samples); the first is ours."""

    promise: str
    work: str
    unit: str
    series: Mapping[str, Series]
    claims: tuple[Claim, ...] = ()
    note: str = ""

    def as_object(self) -> dict[str, object]:
        numbers = {
            whom: {"median": series.median, "p10": series.p10, "p90": series.p90, "samples": len(series.samples)}
            for whom, series in self.series.items()
        }
        claims = [asdict(claim) for claim in self.claims]
        return {
            "promise": self.promise,
            "work": self.work,
            "unit": self.unit,
            "numbers": numbers,
            "claims": claims,
            "note": self.note,
        }


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu_seconds_of(work: Callable[[], object]) -> float:
    """For pure computation: what other processes take meanwhile does not count."""
    started = time.process_time()
    work()
    return time.process_time() - started


def interleaved(
    rounds: int, works: Mapping[str, Callable[[], float]], seed: int, every: Mapping[str, int] | None = None
) -> dict[str, Series]:
    """Each work once a round, in an order of its own, so that a disturbance meets all alike.

    A work gives its own sample. Slow ones take part in every n-th round only, and the others run once before the first
    round, unmeasured.
    """
    seldom = every or {}
    order = list(works)
    shuffle = random.Random(seed).shuffle
    samples: dict[str, list[float]] = {name: [] for name in works}
    for name, work in works.items():
        if name not in seldom:
            work()
    for number in range(rounds):
        shuffle(order)
        for name in order:
            if number % seldom.get(name, 1):
                continue
            samples[name].append(works[name]())
    return {name: Series(tuple(taken)) for name, taken in samples.items()}


Part = Callable[[int], Iterator[Finding]]


def run_parts(parts: Mapping[str, Part], versions: Callable[[], Mapping[str, str | None]]) -> int:
    """The command line of a benchmark: measures its parts and prints one JSON object; progress goes to stderr."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PROMISE", help=f"some of {', '.join(parts)}")
    parser.add_argument("--seed", type=int, default=SEED)
    chosen = parser.parse_args()
    if unknown := set(chosen.parts) - parts.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    findings: list[dict[str, object]] = []
    for name in chosen.parts or parts:
        started = time.monotonic()
        findings += [finding.as_object() for finding in parts[name](chosen.seed)]
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    found = versions()
    missing = sorted(name for name, version in found.items() if version is None)
    print(json.dumps({"seed": chosen.seed, "versions": found, "missing": missing, "findings": findings}))
    return 0
