"""The index from names to writers and readers: tables of small notebooks, and edits against a graph built at once."""

import random

import pytest

from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import Analysis
from tailrace_kernel.graph import Graph
from tailrace_kernel.places import GAP, Places
from tailrace_kernel.reach import reach
from tailrace_kernel.validate import same_graph
from tests.kernel.dataflow import facts
from tests.kernel.random_texts import Texts

NOTHING: frozenset[str] = frozenset()


def graph(*cells: str | Analysis) -> Graph:
    """Cells a, b, c …"""
    built = Graph()
    analyses = [analyze(cell) if isinstance(cell, str) else cell for cell in cells]
    built.put([(chr(97 + i), reach(analysis), NOTHING) for i, analysis in enumerate(analyses)])
    return built


def edges(built: Graph) -> set[str]:
    return {f"{e.from_}→{e.to} {','.join(e.names)}" for e in built.edges()}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("x = 1", "y = x"), {"a→b x"}),
        (("x = 1", "x = 2", "y = x"), {"b→c x"}),
        (("y = x", "x = 1"), {"b→a x"}),
        (("x = 1", "y = x", "x = 2"), {"a→b x"}),
        (("x = 1", "x = x + 1", "y = x"), {"a→b x", "b→c x"}),
        (("df = {}", "df['c'] = 1", "z = df"), {"a→b df", "b→c df"}),
        (("x = x + 1", "x = 1"), set()),
        (("n = sum([])", "sum = 1"), set()),
        (("i = 1", "for i in []: pass", "x = i"), {"a→c i", "b→c i"}),
        (("for i in []: pass", "for i in []: pass"), set()),
        (("import os", "os.environ['A'] = '1'", "x = os"), {"a→b os", "a→c os"}),
        (("def f(): return n", "n = 1", "y = f()"), {"a→c f", "b→c n"}),
        (("n = 1", "def f(): return n", "n = 2", "y = f()"), {"a→b n", "b→d f", "c→d n"}),
        (("def f(): return g()", "def g(): return f()"), {"a→b f"}),
        (("def f():\n  global n\n  n = 1", "f()", "y = n"), {"a→b f", "b→c n"}),
        (("class K:\n  def m(self): return n", "n = 1", "o = K()", "y = o.m()"), {"a→c K", "b→c n", "b→d n", "c→d o"}),
    ],
)
def test_edges(cells: tuple[str, ...], expected: set[str]) -> None:
    assert edges(graph(*cells)) == expected


def test_tables_bind_like_names_and_come_after_their_creator() -> None:
    create, insert, select = facts(binds="db:t"), facts(reads="db:t", changes="db:t"), facts(reads="db:t")
    assert edges(graph(create, insert, select)) == {"a→b db:t", "b→c db:t"}
    above = graph(select, insert, create)
    assert edges(above) == {"c→a db:t", "c→b db:t"}
    assert above.cycles == ()


def test_a_cycle_is_found_and_goes_with_its_cause() -> None:
    built = graph("x = y", "y = z", "z = x", "w = x")
    assert built.cycles == (("a", "b", "c"),)
    assert built.blocked == {"a", "b", "c"}
    delta = built.put([("c", reach(analyze("z = 1")), NOTHING)])
    assert not built.blocked
    assert delta.unblocked == {"a", "b", "c"}
    assert sorted(built.places, key=built.rank) == ["c", "b", "a", "d"]


def test_readers_of_a_version_come_before_its_change() -> None:
    built = graph("n = len(x) + v", "x = []", "x.append(1)", "v = 1")
    assert sorted(built.places, key=built.rank) == ["b", "d", "a", "c"]


def test_an_edit_touches_only_cells_that_share_a_name() -> None:
    built = Graph()
    for index in range(200):
        text = f"x{index} = x{index - 1}" if index else "x0 = 1"
        built.insert(f"c{index}", reach(analyze(text)), index)
    delta = built.put([("c100", reach(analyze("x100 = x99 + y")), NOTHING)])
    assert delta.cells == {"c100", "c101"}


def test_edits_equal_a_graph_built_at_once() -> None:
    cycles = removals = 0
    for seed in range(40):
        rnd = random.Random(seed)
        texts = Texts(random.Random(seed))
        built = Graph()
        for step in range(30):
            order = list(built.places)
            kind = rnd.choice(["insert", "edit", "edit", "move", "remove"])
            cell = rnd.choice(order) if order else ""
            facts_ = reach(analyze(texts.text()))
            if kind == "insert" or len(order) < 4:
                built.insert(f"c{step}", facts_, rnd.randint(0, len(order)))
            elif kind == "edit":
                built.put([(cell, facts_, NOTHING)])
            elif kind == "move":
                order.remove(cell)
                order.insert(rnd.randint(0, len(order)), cell)
                built.reorder(order)
            else:
                removals += bool(built.succs[cell])
                built.remove(cell)
            same_graph(built)
            cycles += bool(built.cycles)
    assert cycles > 50
    assert removals > 20


def test_places_find_room_between_neighbours_for_ever() -> None:
    places = Places()
    for index in range(200):
        places.insert(min(index, 1), f"c{index}")
    assert list(places)[:2] == ["c0", "c199"]
    assert sorted(places, key=places.at.__getitem__) == list(places)
    assert places.at["c1"] - places.at["c0"] < GAP * 200


@pytest.mark.parametrize(
    ("new", "moved"),
    [("abcd", ""), ("bcda", "a"), ("dabc", "d"), ("acbd", "b"), ("dcba", "abcd")],
)
def test_a_move_takes_out_as_few_cells_as_it_can(new: str, moved: str) -> None:
    places = Places()
    for index, cell in enumerate("abcd"):
        places.insert(index, cell)
    assert places.moved(new) == list(moved)
