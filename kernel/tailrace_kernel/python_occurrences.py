"""Where a Python cell names one of its global variables: places in the text, by the scopes of the language.

Knows syntax and scopes; nothing of other cells. Strings, comments, attributes, keyword arguments and locals of the same
name are no places. Offsets are code points of the cell's own text, also where IPython's syntax was translated.
"""

import ast
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tailrace_kernel.ipython_magics import interpolation_spans, magic_call, magic_facts
from tailrace_kernel.ipython_syntax import to_python
from tailrace_kernel.python_parameters import type_parameters
from tailrace_kernel.python_scopes import (
    Scope,
    ScopeKind,
    block_bindings,
    own_expressions,
    parameter_names,
    target_names,
)

_GAP = r"(?:\s|\\\n)+"


@dataclass(frozen=True, slots=True)
class Place:
    """`form` is what is written there: "{}" for the name itself, " as {}" behind an import that binds its own name."""

    start: int
    end: int
    form: str = "{}"


class UnplacedError(Exception):
    """The name is used in this line (from 1), but its place in the text cannot be told."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why


class CapturedError(Exception):
    """In this line (from 1) the new name is that of a local variable."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def python_places(
    code: str, name: str, new: str, transform: Callable[[str], str] = to_python, *, inside: bool = False
) -> list[Place]:
    """Places of the global variable `name`, in order. Raises UnplacedError, CapturedError and SyntaxError.

    `inside`: the text runs in a function of its own, as that of `%timeit` does.
    """
    try:
        tree, text = ast.parse(code), code
    except SyntaxError:
        text = transform(code)
        tree = ast.parse(text)
    walk = _Walk(code, text, name, new)
    scope = Scope(ScopeKind.MODULE)
    walk.visit_all(tree.body, scope.child(ScopeKind.FUNCTION, block_bindings(tree.body)) if inside else scope)
    return sorted(walk.places, key=lambda place: place.start)


class _Walk:
    """`code` is the cell as written, `text` what the tree was made of: the same lines, some of them translated."""

    def __init__(self, code: str, text: str, name: str, new: str) -> None:
        self.code, self.name, self.new = code, name, new
        self.translated = text != code
        self.written = code.split("\n")
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.written:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.places: set[Place] = set()
        self.handlers: dict[type[ast.AST], Callable[..., None]] = {
            ast.Name: self._name,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.Lambda: self._lambda,
            ast.ClassDef: self._class,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.NamedExpr: self._named,
            ast.Call: self._call,
            ast.Import: self._import,
            ast.ImportFrom: self._import,
            ast.Global: self._declaration,
            ast.ExceptHandler: self._handler,
            ast.MatchAs: self._pattern,
            ast.MatchStar: self._pattern,
            ast.MatchMapping: self._pattern,
        }
        if hasattr(ast, "TypeAlias"):
            self.handlers[ast.TypeAlias] = self._type_alias

    def visit(self, node: ast.AST, scope: Scope) -> None:
        handler = self.handlers.get(type(node))
        if handler is not None:
            handler(node, scope)
        else:
            self.visit_all(ast.iter_child_nodes(node), scope)

    def visit_all(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        for node in nodes:
            self.visit(node, scope)

    # What is a place.

    def _means(self, name: str, scope: Scope, line: int) -> bool:
        """Whether the name is the variable looked for. Raises CapturedError if the new one would not be."""
        variable = scope.variable(name)
        if not variable.is_global or variable.key != self.name:
            return False
        after = scope.variable(self.new)
        if not after.is_global or after.key != self.new:
            raise CapturedError(line)
        return True

    def _offset(self, line: int, column: int) -> int | None:
        """`line` from 1, `column` in bytes of the translated text; None inside a translated line."""
        if line > len(self.written):
            return None
        text, written = self.lines[line - 1], self.written[line - 1]
        at = len(text.encode()[:column].decode(errors="replace"))
        if written.endswith(text):  # the same, or less what it was indented by
            return self.starts[line - 1] + at + len(written) - len(text)
        indent = max(0, len(written) - len(written.lstrip()) - len(text) + len(text.lstrip()))
        before = text[: at + len(self.name)]  # a command may follow: `x = !ls`
        return self.starts[line - 1] + indent + at if written[indent:].startswith(before) else None

    def _add(self, start: int | None, line: int, form: str = "{}") -> None:
        end = None if start is None else start + len(self.name)
        if start is None or unicodedata.normalize("NFKC", self.code[start:end]) != self.name:
            raise UnplacedError(line, "in a place that cannot be told")
        self.places.add(Place(start, start + len(self.name), form))

    def _name(self, node: ast.Name, scope: Scope) -> None:
        if self._means(node.id, scope, node.lineno):
            self._add(self._offset(node.lineno, node.col_offset), node.lineno)

    def _search(self, node: ast.AST, pattern: str, start: int | None = None) -> None:
        """The place where the pattern's group is, from the start of the node or from an offset."""
        line: int = node.lineno  # type: ignore[attr-defined]
        begin = self._offset(line, node.col_offset) if start is None else start  # type: ignore[attr-defined]
        found = None if begin is None else re.compile(pattern).search(self.code, begin)
        self._add(found.start(1) if found else None, line)

    def _end(self, node: ast.AST) -> int | None:
        return self._offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    # Blocks.

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> None:
        if self._means(node.name, scope, node.lineno):
            self._search(node, rf"\bdef{_GAP}({re.escape(self.name)})\b")
        self.visit_all(node.decorator_list, scope)
        around = self._type_scope(node, scope)
        self.visit_all((part for part in own_expressions(node) if part not in node.decorator_list), around)
        self.visit_all(
            node.body, around.child(ScopeKind.FUNCTION, block_bindings(node.body, parameter_names(node.args)))
        )

    def _lambda(self, node: ast.Lambda, scope: Scope) -> None:
        self.visit_all(own_expressions(node), scope)
        self.visit(node.body, scope.child(ScopeKind.FUNCTION, block_bindings([node.body], parameter_names(node.args))))

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        if self._means(node.name, scope, node.lineno):
            self._search(node, rf"\bclass{_GAP}({re.escape(self.name)})\b")
        self.visit_all(node.decorator_list, scope)
        around = self._type_scope(node, scope)
        self.visit_all((part for part in own_expressions(node) if part not in node.decorator_list), around)
        self.visit_all(node.body, around.child(ScopeKind.CLASS, block_bindings(node.body), node.name))

    def _type_alias(self, node: ast.AST, scope: Scope) -> None:
        self.visit(node.name, scope)  # type: ignore[attr-defined]
        self.visit(node.value, self._type_scope(node, scope))  # type: ignore[attr-defined]

    def _type_scope(self, node: ast.AST, scope: Scope) -> Scope:
        """Type parameters are in a block of their own around the definition (PEP 695)."""
        names = type_parameters(node)
        if not names:
            return scope
        inner = scope.child(ScopeKind.FUNCTION, block_bindings([], names))
        for parameter in node.type_params:  # type: ignore[attr-defined]
            self.visit_all(ast.iter_child_nodes(parameter), inner)
        return inner

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp, scope: Scope) -> None:
        first = node.generators[0].iter
        self.visit(first, scope)
        inner = scope.child(ScopeKind.COMPREHENSION, target_names(generator.target for generator in node.generators))
        for generator in node.generators:
            parts = [generator.target, *([] if generator.iter is first else [generator.iter]), *generator.ifs]
            self.visit_all(parts, inner)
        self.visit_all((node.key, node.value) if isinstance(node, ast.DictComp) else (node.elt,), inner)

    def _named(self, node: ast.NamedExpr, scope: Scope) -> None:
        self._name(node.target, scope.assignment_scope())
        self.visit(node.value, scope)

    # Names that the tree keeps without their places.

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            own = alias.name.split(".")[0] if isinstance(node, ast.Import) else alias.name
            if not self._means(alias.asname or own, scope, alias.lineno):
                continue
            end = self._end(alias)
            if alias.asname is not None:
                self._add(None if end is None else end - len(self.name), alias.lineno)
            elif end is None or "." in alias.name:
                raise UnplacedError(alias.lineno, f"bound by `import {alias.name}`: write `import … as` there first")
            else:
                self.places.add(Place(end, end, " as {}"))

    def _declaration(self, node: ast.Global, scope: Scope) -> None:
        if self.name in node.names and self._means(self.name, scope, node.lineno):
            self._search(node, rf"\b({re.escape(self.name)})\b")

    def _handler(self, node: ast.ExceptHandler, scope: Scope) -> None:
        if node.name is not None and node.type is not None and self._means(node.name, scope, node.lineno):
            self._search(node, rf"\bas{_GAP}({re.escape(self.name)})\b", self._end(node.type))
        self.visit_all(ast.iter_child_nodes(node), scope)

    def _pattern(self, node: ast.MatchAs | ast.MatchStar | ast.MatchMapping, scope: Scope) -> None:
        name = node.rest if isinstance(node, ast.MatchMapping) else node.name
        if name is not None and self._means(name, scope, node.lineno):
            if isinstance(node, ast.MatchMapping):
                last = node.patterns[-1] if node.patterns else None
                self._search(node, rf"\*\*\s*({re.escape(self.name)})\b", self._end(last) if last else None)
            else:
                end = self._end(node)
                self._add(None if end is None else end - len(self.name), node.lineno)
        self.visit_all(ast.iter_child_nodes(node), scope)

    # IPython's syntax.

    def _call(self, node: ast.Call, scope: Scope) -> None:
        call = magic_call(node) if self.translated else None
        if call is None:
            self.visit_all(ast.iter_child_nodes(node), scope)
            return
        facts = magic_facts(call)
        start = self.starts[node.lineno - 1]
        end = len(self.code) if call.body is not None else self._line_end(node.lineno)
        if facts.python is not None:
            source = facts.python.rstrip("\n")
            at = self.code.find(source, start)
            if at < 0:
                raise UnplacedError(node.lineno, "in a command whose text cannot be followed")
            self._part(source, at, facts.inside)
        elif facts.expressions:
            spans = interpolation_spans(self.code[start:end])
            for first, last in spans:
                self._part(self.code[start + first : start + last], start + first, False)
            if not spans:  # help: `name?`, `%pinfo name`
                self._word(start, end, node.lineno, facts.expressions)
        if self.name in facts.binds:
            self._word(start, self._line_end(node.lineno), node.lineno, facts.binds)

    def _part(self, source: str, at: int, inside: bool) -> None:
        """Python inside a command."""
        lead = len(source) - len(source.lstrip())
        for place in python_places(source[lead:], self.name, self.new, inside=inside):
            self.places.add(Place(place.start + at + lead, place.end + at + lead, place.form))

    def _word(self, start: int, end: int, line: int, names: tuple[str, ...]) -> None:
        if self.name in names:
            found = re.compile(rf"\b{re.escape(self.name)}\b").search(self.code, start, end)
            self._add(found.start() if found else None, line)

    def _line_end(self, line: int) -> int:
        """The end of a command, with the lines that backslashes add."""
        while line < len(self.written) and self.written[line - 1].endswith("\\"):
            line += 1
        return self.starts[line - 1] + len(self.written[line - 1])
