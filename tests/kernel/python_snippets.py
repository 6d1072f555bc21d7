"""Random Python snippets about a handful of names, and a namespace that records what running one did to them."""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

OUTSIDE = ("a", "b", "c", "d")
LOCAL = ("x", "y", "z", "a", "b")


def outside_values() -> dict[str, Any]:
    """What stands above the snippet: independent lists of lists, and `flag()` that decides branches."""
    return {name: [[number], [number + 1, 7]] for number, name in enumerate((*OUTSIDE, "x", "y", "z"))}


class Snippets:
    """Grammar of snippets that mostly succeed: every value is a list of lists, or a part of one."""

    def __init__(self, rng: random.Random, *, branches: bool = True) -> None:
        self.rng = rng
        self.branches = branches
        self.functions: list[str] = []
        self.classes: list[str] = []
        self.fresh = 0

    def snippet(self) -> str:
        return "\n".join(self.block(0, self.rng.randint(2, 7))) + "\n"

    def block(self, depth: int, count: int) -> list[str]:
        return [line for _ in range(count) for line in self.statement(depth)]

    def _indented(self, depth: int, count: int = 2) -> list[str]:
        return ["    " + line for line in self.block(depth + 1, self.rng.randint(1, count))]

    def name(self) -> str:
        return self.rng.choice(OUTSIDE + LOCAL)

    def expression(self, depth: int = 0) -> str:
        rng = self.rng
        options: list[Callable[[], str]] = [self.name, self.name, self.name, lambda: "[[1], [2]]"]
        if depth < 2:
            options += [
                lambda: f"[{self.expression(depth + 1)}, {self.name()}]",
                lambda: f"{self.name()}[0]",
                lambda: f"list({self.expression(depth + 1)})",
                lambda: f"[v for v in {self.name()}]",
                lambda: f"[[v, {self.name()}] for v in {self.name()} if v is not {self.name()}]",
                lambda: f"[*{self.name()}, {self.name()}]",
                lambda: f"sorted({self.name()}, key=lambda v: len({self.name()}))",
                lambda: "{'k': " + self.name() + "}['k']",
                lambda: f"(lambda p={self.name()}: [[len(p)], [len({self.name()})]])()",
            ]
            if self.branches:
                options += [
                    lambda: f"({self.name()} if flag() else {self.name()})",
                    lambda: f"({self.name()} or {self.name()})",
                    lambda: f"(flag() and (x := {self.name()}) or {self.name()})",
                    lambda: f"[(y := v) for v in {self.name()}]",
                ]
        if self.functions:
            options.append(lambda: f"{rng.choice(self.functions)}({self.name()})[:1]")
        if self.classes:
            options.append(lambda: f"{rng.choice(self.classes)}().get()[:1]")
        return rng.choice(options)()

    def statement(self, depth: int) -> list[str]:
        rng = self.rng
        simple: list[Callable[[], list[str]]] = [
            lambda: [f"{rng.choice(LOCAL)} = {self.expression()}"],
            lambda: [f"{rng.choice(LOCAL)} = {self.expression()}"],
            lambda: [f"{rng.choice(LOCAL)}, {rng.choice(LOCAL)} = {self.expression()}, {self.expression()}"],
            lambda: [f"{self.name()}.append({rng.choice(('1', '[3]'))})"],
            lambda: [f"{self.name()}[0] = [9]"],
            lambda: [f"{self.name()}[0].append(5)"],
            lambda: [f"{rng.choice(LOCAL)} += [[4]]"],
            lambda: [f"del {rng.choice(LOCAL)}"],
            lambda: [f"del {self.name()}[0]"],
            lambda: [f"import math as {rng.choice(LOCAL)}, os.path"],
            lambda: [f"z: {self.name()} = {self.expression()}"],
            lambda: [f"assert {self.name()}"],
            lambda: [f"next(iter({self.name()})).append(6)"],
        ]
        blocks: list[Callable[[], list[str]]] = [
            lambda: self._function(depth),
            lambda: self._class(depth),
            lambda: [f"for {rng.choice(LOCAL)} in islice({self.expression()}, 5):", *self._indented(depth)],
        ]
        if not self.branches:
            return rng.choice([*simple, blocks[0], blocks[1]])()
        blocks += [
            lambda: ["if flag():", *self._indented(depth), "else:", *self._indented(depth)],
            lambda: ["if flag():", *self._indented(depth)],
            lambda: [
                f"for {rng.choice(LOCAL)} in islice({self.name()}, 5):",
                *self._indented(depth),
                "    if flag(): break",
            ],
            lambda: [
                f"for v in islice({self.name()}, 5):",
                "    if flag(): continue",
                *self._indented(depth),
                "else:",
                *self._indented(depth, 1),
            ],
            lambda: ["while True:", *self._indented(depth), "    if flag(): break", *self._indented(depth, 1)],
            lambda: self._try(depth),
            lambda: [
                "with suppress(Exception):",
                *self._indented(depth),
                "    if flag(): raise ValueError",
                *self._indented(depth, 1),
            ],
            lambda: [
                f"match {self.expression()}:",
                "    case [x, *y]:",
                *["    " + s for s in self._indented(depth, 1)],
                "    case z:",
                *["    " + s for s in self._indented(depth, 1)],
            ],
        ]
        if depth >= 2:
            return rng.choice(simple)()
        return rng.choice(simple + simple + blocks)()

    def _try(self, depth: int) -> list[str]:
        lines = ["try:", *self._indented(depth), "    if flag(): raise ValueError", *self._indented(depth, 1)]
        lines += [f"except ValueError as {self.rng.choice(('error', 'x'))}:", *self._indented(depth, 1)]
        if self.rng.random() < 0.4:
            lines += ["else:", *self._indented(depth, 1)]
        if self.rng.random() < 0.4:
            lines += ["finally:", *self._indented(depth, 1)]
        return lines

    def _function(self, depth: int) -> list[str]:
        """Bodies read, change and bind globals; they return fresh lists, so that no result shares an argument."""
        rng, name = self.rng, self._new("f")
        lines = [f"def {name}(p, q={self.name()}):"]
        if rng.random() < 0.3:
            bound = rng.choice(LOCAL)
            lines += [f"    global {bound}", f"    {bound} = [[8]]"]
        if rng.random() < 0.3:
            lines.append(f"    {rng.choice(OUTSIDE)}.append([3])")
        if rng.random() < 0.3:
            lines += ["    w = 1", "    def inner(): return [w, " + self.name() + "]", "    inner()"]
        lines.append(f"    return [[len({self.name()})], [2]]")
        self.functions.append(name)
        return lines

    def _class(self, depth: int) -> list[str]:
        rng, name = self.rng, self._new("C")
        attribute = rng.choice(LOCAL)
        lines = [f"class {name}:", f"    {attribute} = [{self.name()}]", f"    other = [{attribute}, {self.name()}]"]
        if rng.random() < 0.5:
            lines.append(f"    third = [v for v in {self.name()}]")
        lines += ["    def get(self):", f"        return [[len({self.name()})], [2]]"]
        self.classes.append(name)
        return lines

    def _new(self, letter: str) -> str:
        self.fresh += 1
        return f"{letter}{self.fresh}"


@dataclass
class Ran:
    """What one run did. `read` are names that were needed while the snippet itself had not bound them."""

    read: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    bound_at_end: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)  # compiled as globals: storing the same object again does not show
    error: BaseException | None = None


class _Recorder(dict[str, Any]):
    """CPython looks names up through `__getitem__` of a subclass of dict, in modules and in functions alike."""

    def __init__(self, values: dict[str, Any], ran: Ran) -> None:
        super().__init__(values)
        self.ran = ran
        self.own: set[str] = set()
        self.outside = dict(values)  # a global store does not come through `__setitem__`: it shows by identity

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name) if name in self else None
        if name not in self.own and not name.startswith("__") and value is self.outside.get(name):
            self.ran.read.add(name)
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.own.add(name)
        self.ran.stored.add(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        if name not in self.own:
            self.ran.read.add(name)
        super().__delitem__(name)
        self.ran.deleted.add(name)
        self.own.discard(name)


def run(code: str, rng: random.Random, helpers: dict[str, Any]) -> Ran:
    """Run a snippet below `outside_values()`; `flag()` is a coin with an end, so that no loop runs for ever."""
    ran = Ran()
    outside = outside_values()
    before = deepcopy(outside)
    tosses = [0]

    def flag() -> bool:
        tosses[0] += 1
        return tosses[0] > 40 or rng.random() < 0.5

    space = _Recorder({**outside, **helpers, "flag": flag}, ran)
    globals_before = dict(space)
    try:
        exec(compile(code, "<snippet>", "exec"), space)
    except Exception as error:
        ran.error = error
    ran.bound_at_end = {name for name in space if name in space.own or space.get(name) is not globals_before.get(name)}
    ran.bound_at_end -= {"__builtins__", "__annotations__"}
    ran.stored = (ran.stored | ran.bound_at_end) - {"__builtins__", "__annotations__"}
    ran.unseen = {name for name in (*OUTSIDE, *LOCAL) if f"global {name}" in code or f"({name} := " in code}
    ran.changed = {name for name in outside if outside[name] != before[name]}
    return ran
