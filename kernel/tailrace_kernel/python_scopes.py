"""Which variable a name means in Python: scopes and their bindings, as CPython's symbol table decides them.

Knows syntax only, nothing about order or values. A variable is a key: `name` for a global, `name@7` for the local of
scope 7. Source: Python language reference, "Resolution of names", and CPython's `symtable.c`.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count


class ScopeKind(Enum):
    MODULE = auto()
    CLASS = auto()
    FUNCTION = auto()  # lambdas and annotation scopes too
    COMPREHENSION = auto()


@dataclass(frozen=True, slots=True)
class Bindings:
    """What one block binds itself; blocks inside it are not looked into."""

    bound: frozenset[str]
    global_: frozenset[str]
    nonlocal_: frozenset[str]


@dataclass(frozen=True, slots=True)
class Variable:
    """`fallback`: a class variable that, while it is unbound, means the global of that name."""

    key: str
    is_global: bool
    fallback: str | None = None


@dataclass(eq=False, slots=True)
class Scope:
    kind: ScopeKind
    parent: "Scope | None" = None
    bindings: Bindings = field(default_factory=lambda: Bindings(frozenset(), frozenset(), frozenset()))
    class_name: str | None = None  # of the innermost class around: its double-underscore names are mangled
    number: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def child(self, kind: ScopeKind, bindings: Bindings, class_name: str | None = None) -> "Scope":
        mangling = class_name or self.class_name
        mangled = Bindings(*(_mangle_all(names, mangling) for names in _parts(bindings))) if mangling else bindings
        return Scope(kind, self, mangled, mangling, next(self.numbers), self.numbers)

    def variable(self, name: str) -> Variable:
        """The variable that `name` means when code of this very block uses it."""
        name = mangle(name, self.class_name)
        if self.kind is ScopeKind.CLASS and name in self.bindings.bound - _declared(self.bindings):
            return Variable(f"{name}@{self.number}", False, name)
        if self.kind is ScopeKind.CLASS and name in ("__module__", "__qualname__"):
            return Variable(f"{name}@{self.number}", False)
        return self._enclosing(name, own=True)

    def _enclosing(self, name: str, *, own: bool) -> Variable:
        scope: Scope | None = self
        inside_function = False
        while scope is not None and scope.kind is not ScopeKind.MODULE:
            bindings = scope.bindings
            visible = scope.kind is not ScopeKind.CLASS
            if name in bindings.global_ and (own or visible):
                return Variable(name, True)
            if name in bindings.bound and name not in bindings.nonlocal_ and visible:
                return Variable(f"{name}@{scope.number}", False)
            if scope.kind is ScopeKind.CLASS and name == "__class__" and inside_function:
                return Variable(f"{name}@{scope.number}", False)
            inside_function |= visible
            own, scope = False, scope.parent
        return Variable(name, True)

    def encloses(self, key: str) -> bool:
        """Whether the variable belongs to a function around this one."""
        number = key.rpartition("@")[2]
        scope = self.parent
        while scope is not None:
            if scope.kind is ScopeKind.FUNCTION and str(scope.number) == number:
                return True
            scope = scope.parent
        return False

    def assignment_scope(self) -> "Scope":
        """Where `:=` binds: comprehensions hand it on to the block around them."""
        scope = self
        while scope.kind is ScopeKind.COMPREHENSION and scope.parent is not None:
            scope = scope.parent
        return scope


def mangle(name: str, class_name: str | None) -> str:
    """`__secret` inside class `C` is `_C__secret` (language reference, "Private name mangling")."""
    if class_name is None or not name.startswith("__") or name.endswith("__") or "." in name:
        return name
    stripped = class_name.lstrip("_")
    return f"_{stripped}{name}" if stripped else name


def block_bindings(nodes: Iterable[ast.AST], parameters: Iterable[str] = ()) -> Bindings:
    """What the statements or expressions `nodes` of one block bind and declare."""
    collector = _Collector()
    collector.bound.update(parameters)
    for node in nodes:
        collector.visit(node)
    return Bindings(frozenset(collector.bound), frozenset(collector.globals), frozenset(collector.nonlocals))


def target_names(targets: Iterable[ast.expr]) -> Bindings:
    """What the targets of a comprehension bind in its own block."""
    return block_bindings(targets)


def parameter_names(arguments: ast.arguments) -> list[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    extra = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return [argument.arg for argument in every + extra]


def own_expressions(node: ast.AST) -> Iterator[ast.expr]:
    """The parts of a definition that the block *around* it evaluates."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from node.decorator_list
        yield from defaults(node.args)
        yield from annotations(node)
    elif isinstance(node, ast.ClassDef):
        yield from node.decorator_list
        yield from node.bases
        yield from (keyword.value for keyword in node.keywords)
    elif isinstance(node, ast.Lambda):
        yield from defaults(node.args)


def defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]


def annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    found = [argument.annotation for argument in every if argument.annotation is not None]
    return found + ([node.returns] if node.returns is not None else [])


def _parts(bindings: Bindings) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    return bindings.bound, bindings.global_, bindings.nonlocal_


def _declared(bindings: Bindings) -> frozenset[str]:
    return bindings.global_ | bindings.nonlocal_


def _mangle_all(names: frozenset[str], class_name: str | None) -> frozenset[str]:
    return frozenset(mangle(name, class_name) for name in names)


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class _Collector:
    def __init__(self) -> None:
        self.bound: set[str] = set()
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()

    def visit(self, root: ast.AST, *, own: bool = True) -> None:
        """`own` False: inside a comprehension, whose targets are its own but whose `:=` binds here."""
        todo = [(root, own)]
        while todo:
            node, own_here = todo.pop()
            todo += [(child, inner) for child, inner in self._enter(node, own_here)]

    def _enter(self, node: ast.AST, own: bool) -> Iterator[tuple[ast.AST, bool]]:
        if isinstance(node, _COMPREHENSIONS):
            for position, generator in enumerate(node.generators):
                yield generator.iter, own if position == 0 else False
                yield from ((condition, False) for condition in generator.ifs)
            results = (node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,)
            yield from ((result, False) for result in results)
            return
        if isinstance(node, ast.NamedExpr):
            self.bound.add(node.target.id)
            yield node.value, own
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            if not isinstance(node, ast.Lambda):
                self.bound.add(node.name)
            yield from ((expression, own) for expression in own_expressions(node))
            return
        if own:
            self._statement(node)
        yield from ((child, own) for child in ast.iter_child_nodes(node))

    def _statement(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                self.bound.add(name)
            case ast.Global(names=names):
                self.globals.update(names)
            case ast.Nonlocal(names=names):
                self.nonlocals.update(names)
            case ast.Import(names=aliases):
                self.bound.update(alias.asname or alias.name.split(".")[0] for alias in aliases)
            case ast.ImportFrom(names=aliases):
                self.bound.update(alias.asname or alias.name for alias in aliases if alias.name != "*")
            case ast.ExceptHandler(name=str(name)):
                self.bound.add(name)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                self.bound.add(name)
            case _:
                pass
