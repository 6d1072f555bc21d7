"""Texts of random cells: small programs about a few numbers, lists, functions and, if asked for, frames."""

import random
from collections.abc import Callable

from tests.kernel.plain_script import script

NUMBERS, LISTS, FUNCTIONS = ("n", "m", "k"), ("u", "v", "w"), ("f", "g", "h")
OPENING = (
    "n = {d}",
    "m = {d}",
    "k = {d}",
    "u = [{d}]",
    "v = [{d}, {d}]",
    "w = []",
    "def f(): return n",
    "def g(): return len(u)",
    "h = lambda: 2",
    "import math as lib",
    "i = 0",
    "box = {{'in': [{d}]}}",
    "pair = [[{d}], [{d}]]",
    "class Thing:\n    size = 1\n    def grow(self): return n + self.size",
    "t = Thing()",
    "s = iter([1, 2, 3])",
)
VALUES = (
    "{a} = {d}",
    "{a} = {b} + {d}",
    "{a} = {a} * 2 % 11",
    "{a} += {d}",
    "{a} = len({x}) + {b}",
    "{a} = sum({x}) % 5",
    "{x} = [{d}, {a}]",
    "{x} = [q + 1 for q in {y}]",
    "{x} = {x} + [{a}]",
    "{x} = sorted({y})",
    "{x} = {y} = [{d}]",
    "print({a})",
    "print({x}, len({y}))",
    "print(box)",
)
SHARED = (
    "{x} = {y}",
    "{x}, {y} = {y}, {x}",
    "box['in'] = {x}",
    "{x} = box['in']",
    "box = {{'in': {x}}}",
    "s = iter({x})",
    "t.size = {x}",
    "{x} = t.size if isinstance(t.size, list) else [{d}]",
    "pair = [{x}, {y}]",
    "pair[0].append({d})",
)
CHANGES = (
    "{x}.append({d})",
    "{x}.append({a})",
    "{x} += [{d}]",
    "{x}[:1] = [{a}]",
    "{x}.sort()",
    "{x}.clear()",
    "{x}.insert(0, {d}); {a} = {x}[0]",
    "box['in'].append({d})",
    "box['k'] = {a}",
    "{a} = next(s, {d})",
    "t.size = {a}",
    "Thing.size = {d}",
    "for e in {x}[:2]: {y}.append(e)",
    "if {a} > 1: {x}.append({d})",
    "while len({x}) < 2: {x}.append({a})",
    "{a} = {x}.pop() if {x} else {d}",
    "for e in {x}:\n    {y}.append(e)\n    if len({y}) > 4: break",
)
CODE = (
    "def {f}(): return {a} + {d}",
    "def {f}(): return {g}() if {a} > 50 else {b}",
    "def {f}():\n    {x}.append({a})\n    return len({x})",
    "def {f}():\n    global {a}\n    {a} += 1\n    return {a}",
    "def {f}():\n    def inner(): return {a}\n    return inner",
    "{f} = lambda: {a} - 1",
    "{g} = {f}",
    "{a} = {f}() if not callable({f}()) else {d}",
    "{f}()",
    "class Thing:\n    size = {a}\n    def grow(self): return {b}",
    "t = Thing()",
    "{a} = t.grow() if isinstance(t.size, int) else {d}",
)
PATHS = (
    "if {a} > {d}: {b} = {d}",
    "if {a} % 2: {x} = [{d}]",
    "for i in range({a} % 3): pass",
    "for i in {x}: {a} = i",
    "i = {d}",
    "{a} = i if isinstance(i, int) else 0",
    "try:\n    {a}\nexcept NameError:\n    {a} = {d}",
    "del {a}",
    "{a} = {d}\ndel {a}",
    "del {x}",
    "{x} = [{d}]\ndel {x}",
    "{a} = {d}\nif {b} > 7: raise ValueError('too much')",
    "import json as lib",
    "{a} = len(lib.__name__)",
)
FRAMES = (
    "df = pd.DataFrame({{'p': [1, 2, {d}]}})",
    "df['c'] = df['p'] * {d}",
    "df = df[df['p'] > 0]",
    "col = df['p']",
    "df2 = df",
    "df2['z'] = {d}",
    "df.loc[0, 'p'] = {d}",
    "print(df.shape, list(df.columns))",
    "arr = np.arange({d} + 2)",
    "arr[0] = {d}",
    "arr += 1",
    "arr2 = arr",
    "part = arr[:2].copy()",
    "print(int(arr.sum()))",
    "df.insert(0, 'q', {d}, allow_duplicates=True)",
    "total = int(df['p'].sum())",
)
FRAMES_OPENING = (
    "import pandas as pd",
    "import numpy as np",
    "df = pd.DataFrame({{'p': [{d}, 5]}})",
    "arr = np.arange(4)",
    "df2 = df.copy()",
)
CALLS = (
    "grow({x}, {d})",
    "grow(l={x}, v={a})",
    "{y} = grow({x}, {a})",
    "{y} = same({x})",
    "{y} = same({x})\n{y}.append({d})",
    "{y} = same([{x}])[0]\n{y}.append({d})",
    "box['in'] = same({x})",
    "grow(box['in'], {d})",
    "for e in ({x}, {y}): grow(e, {d})",
    "bag.put({d})",
    "bag.put({d}).put({a})",
    "bag = Bag({x})",
    "{x} = bag.of",
    "with bag: pass",
    "put = bag.put",
    "put({d})",
    "tick = counter()",
    "{a} = tick()",
    "print(tick())",
    "{a} = hoard({d})",
    "each(lambda q: {x}.append(q), {y}[:2])",
    "each({x}.append, {y}[:2])",
    "each(tick, ())",
    "it = iter(list({x}))",
    "{a} = sum(it) % 7",
    "it = (q for q in list({x}))",
    "print(list(it))",
    "def grow(l, v, by=list.append):\n    by(l, v)\n    l.insert(0, v)\n    return l",
    "def same(x): return x[:]",
)
CALLS_OPENING = (
    "def same(x): return x",
    "def grow(l, v):\n    l.append(v)\n    return l",
    "class Bag:\n    def __init__(self, of): self.of = of\n    def __enter__(self): self.of.append(0)\n"
    "    def __exit__(self, *a): pass\n    def put(self, v):\n        self.of.append(v)\n        return self",
    "bag = Bag([{d}])",
    "put = bag.put",
    "def counter():\n    c = [0]\n    def up():\n        c[0] += 1\n        return c[0]\n    return up",
    "tick = counter()",
    "def each(call, l): return [call(q) for q in l]",
    "def hoard(v, kept=[]):\n    kept.append(v)\n    return len(kept)",
    "it = iter([{d}])",
)


class Texts:
    """Draws from the given generator, which its owner may draw from as well."""

    def __init__(self, generator: random.Random, *, frames: bool = False, calls: bool = False) -> None:
        self.random = generator
        self.frames = frames
        self.calls = calls

    def line(self) -> str:
        rnd = self.random
        sets = [VALUES, SHARED, CHANGES, CHANGES, CODE, PATHS]
        if self.frames:
            sets = [VALUES, CHANGES, FRAMES, FRAMES, FRAMES]
        if self.calls:
            sets = [VALUES, SHARED, CHANGES, CALLS, CALLS, CALLS]
        f, g = rnd.sample(FUNCTIONS, 2)
        names = {"a": rnd.choice(NUMBERS), "b": rnd.choice(NUMBERS), "x": rnd.choice(LISTS), "y": rnd.choice(LISTS)}
        return rnd.choice(rnd.choice(sets)).format(**names, f=f, g=g, d=rnd.randint(0, 4))

    def text(self) -> str:
        return "\n".join(self.line() for _ in range(self.random.choice((1, 1, 1, 2, 2, 3))))

    def first_cells(self) -> list[str]:
        rnd = self.random
        opening = OPENING + (FRAMES_OPENING if self.frames else ()) + (CALLS_OPENING if self.calls else ())
        lines = [line.format(d=rnd.randint(0, 4)) for line in opening]
        cells: list[str] = []
        while lines:
            count = rnd.choice((1, 2, 3, 5))
            cells.append("\n".join(lines[:count]))
            lines = lines[count:]
        for _ in range(rnd.randint(3, 8)):
            cells.append(self.good(lambda text: [*cells, text]))
        return cells

    def good(self, cells_with: Callable[[str], list[str]]) -> str:
        """Mostly a text with which the whole notebook runs as a script."""
        for _ in range(8 if self.random.random() < 0.92 else 1):
            text = self.text()
            if script(cells_with(text)) is not None:
                break
        return text
