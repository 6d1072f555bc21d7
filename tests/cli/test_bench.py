"""Benchmarks: how samples are taken and judged, and the table of `tailrace bench`. Nothing is measured here."""

import io

import pytest
from rich.console import Console

from benchmarks.measurement import Finding, Series, at_least, at_most, interleaved, ratio
from tailrace_cli.bench import BENCHMARKS, ROOT, remarks, rounded, table


def test_quantiles_and_ratios() -> None:
    ours, theirs = Series((3.0, 1.0, 2.0)), Series((10.0,))
    assert (ours.median, theirs.median, theirs.p90) == (2.0, 10.0, 10.0)
    assert ours.p10 == pytest.approx(1.2)
    assert ratio(ours, theirs) == pytest.approx(0.2)
    assert ratio(ours, None) is None


def test_a_claim_is_met_broken_or_not_measured() -> None:
    claims = [at_most("", 1.0, 1.0), at_most("", 1.1, 1.0), at_least("", 19.0, 20), at_least("", None, 20)]
    assert [claim.met for claim in claims] == [True, False, False, None]


def test_samples_are_taken_in_turns_after_one_that_does_not_count() -> None:
    taken: list[str] = []

    def work(name: str) -> float:
        taken.append(name)
        return float(len(taken))

    works = {name: lambda name=name: work(name) for name in ("a", "b", "slow")}
    series = interleaved(4, works, seed=1, every={"slow": 2})
    assert taken[:2] == ["a", "b"]
    assert {name: len(found.samples) for name, found in series.items()} == {"a": 4, "b": 4, "slow": 2}
    rounds = [{"a", "b", "slow"}, {"a", "b"}]
    assert set(taken[2:5]) == rounds[0]
    assert set(taken[5:7]) == rounds[1]


def test_the_table_says_what_was_met_and_what_is_missing() -> None:
    series = {"tailrace": Series((0.123456,)), "peer": Series((2.0,))}
    claims = (at_most("≤ 1/5 of peer", 0.0617, 0.2), at_most("≤ 0.1 ms", 0.123456, 0.1), at_most("≤ other", None, 1))
    finding = Finding("K9", "some work", "ms", series, claims, "a note").as_object()
    record = rounded({"date": "2026-01-01", "findings": [finding], "missing": ["other"], "cpus": 2, "load": 0.5})
    console = Console(width=132, record=True, file=io.StringIO())
    console.print(table("graph", record))
    text = console.export_text()
    assert all(word in text for word in ("K9", "0.123 ms", "≤ 1/5 of peer", "yes", "no", "not measured"))
    said = list(remarks(record))
    assert said[0] == "K9: a note."
    assert said[1].startswith("Not installed: other.")
    assert record["findings"][0]["numbers"]["tailrace"]["median"] == 0.1235


def test_every_benchmark_is_there() -> None:
    assert all((ROOT / "benchmarks" / f"{name}.py").is_file() for name in BENCHMARKS)
