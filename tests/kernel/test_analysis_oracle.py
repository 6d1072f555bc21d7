"""Analysis against CPython itself: thousands of random snippets, run in a recording namespace or put to symtable."""

import builtins
import random
import symtable
from contextlib import suppress
from itertools import islice

import pytest

from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import Analysis
from tests.kernel.python_snippets import Ran, Snippets, run

HELPERS = {"suppress": suppress, "islice": islice}
KNOWN = frozenset(dir(builtins)) | {"flag", "suppress", "islice"}


def _violations(facts: Analysis, ran: Ran) -> list[str]:
    found = []
    needed = facts.immediate_reads | facts.builtin_reads | KNOWN
    if extra := ran.read - needed:
        found.append(f"read but not in reads: {sorted(extra)}")
    written = facts.writes
    if extra := ran.stored - written:
        found.append(f"stored but not in writes: {sorted(extra)}")
    if extra := ran.changed - facts.changes:
        found.append(f"changed but not in changes: {sorted(extra)}")
    if ran.error is None and (missing := facts.binds - ran.bound_at_end - ran.unseen):
        found.append(f"in binds but not bound: {sorted(missing)}")
    if extra := ran.deleted - facts.deletes - facts.binds - facts.may_bind:
        found.append(f"deleted but not in deletes: {sorted(extra)}")
    return found


@pytest.mark.parametrize("seed", range(4))
def test_what_a_run_does_was_foreseen(seed: int) -> None:
    succeeded = changed = partial = 0
    for number in range(500):
        rng = random.Random(f"{seed}-{number}")
        code = Snippets(rng).snippet()
        facts = analyze(code)
        assert facts.parses, code
        for _ in range(2):
            ran = run(code, rng, HELPERS)
            assert not _violations(facts, ran), f"seed {seed}-{number}: {_violations(facts, ran)}\n{code}\n{facts}"
            succeeded += ran.error is None
            changed += bool(ran.changed)
            partial += bool(facts.may_bind)
    print(
        f"seed {seed}: {succeeded} runs succeeded, {changed} changed something, {partial} had names bound on some path"
    )
    assert succeeded > 150
    assert changed > 250
    assert partial > 250


@pytest.mark.parametrize("seed", range(2))
def test_without_branches_nothing_else_is_foreseen(seed: int) -> None:
    exact = 0
    for number in range(1000):
        rng = random.Random(f"straight-{seed}-{number}")
        code = Snippets(rng, branches=False).snippet()
        facts, ran = analyze(code), run(code, rng, HELPERS)
        assert not _violations(facts, ran), f"seed {seed}-{number}: {_violations(facts, ran)}\n{code}\n{facts}"
        if ran.error is not None:
            continue
        exact += 1
        assert facts.binds - ran.unseen == ran.bound_at_end - ran.unseen, f"{code}\n{facts}\n{ran}"
        # Bodies of lambdas and comprehensions need not run; CPython reads globals of a class body past the recorder.
        unneeded = facts.immediate_reads - ran.read - KNOWN
        if not any(word in code for word in ("lambda", " for ", "global", "class ")):
            assert not unneeded, f"{sorted(unneeded)}\n{code}"
    print(f"seed {seed}: {exact} exact")
    assert exact > 100


@pytest.mark.parametrize("seed", range(2))
def test_scopes_are_those_of_symtable(seed: int) -> None:
    compared = 0
    for number in range(500):
        rng = random.Random(f"symtable-{seed}-{number}")
        code = Snippets(rng).snippet()
        facts = analyze(code)
        table = symtable.symtable(code, "<snippet>", "exec")
        bound = _bound(table)
        called = frozenset().union(*(effects.may_bind for effects in facts.calls.values()))
        assert bound <= facts.binds | facts.may_bind | facts.deletes, f"{code}\n{facts}"
        assert facts.binds | facts.may_bind <= bound | called, f"{code}\n{facts}"
        for child in table.get_children():
            name = child.get_name()
            if name in facts.deferred and child.get_type() == "function" and code.count(f"def {name}(") == 1:
                compared += 1
                assert facts.calls[name].reads == _global_reads(child), f"{name}\n{code}\n{facts}"
    assert compared > 50


def _global_reads(table: symtable.SymbolTable) -> set[str]:
    """Names a function and those inside it read as globals, those it binds itself before aside."""
    names = {s.get_name() for s in table.get_symbols() if s.is_global() and s.is_referenced() and not s.is_assigned()}
    for child in table.get_children():
        names |= _global_reads(child) - _stored_globals(table)
    return names


def _bound(table: symtable.SymbolTable) -> set[str]:
    """Names that a module binds; `:=` in a comprehension counts for the comprehension's table."""
    names = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    for child in table.get_children():
        if child.get_name() in ("listcomp", "setcomp", "dictcomp", "genexpr"):
            names |= {s.get_name() for s in child.get_symbols() if s.is_assigned() and s.is_global()}
    return names


def _stored_globals(table: symtable.SymbolTable) -> set[str]:
    return {s.get_name() for s in table.get_symbols() if s.is_declared_global() and s.is_assigned()}


def test_the_oracle_sees_a_wrong_analysis() -> None:
    code = "x = a\nx.append(1)\nprint(b)\n"
    ran = run(code, random.Random(1), HELPERS)
    assert not _violations(analyze(code), ran)
    assert len(_violations(Analysis(), ran)) == 3
