"""Statements along every path of a block: which names are bound on all of them, and what is read before that.

An abstract run of the code: branches are walked one after the other and joined, loops twice (what the first round
binds, the second may see). Dead code is walked too, but nothing it binds counts as bound.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from tailrace_kernel import ipython_magics
from tailrace_kernel.facts import OWN_MARK, CallEffects, Diagnostic, Effect
from tailrace_kernel.ipython_syntax import to_python
from tailrace_kernel.python_expressions import Expressions, root_name
from tailrace_kernel.python_names import Attempt, ClassState, Names, called, class_value
from tailrace_kernel.python_parameters import (
    FunctionNode,
    default_values,
    gathering_places,
    has_parts,
    is_container,
    is_number,
    places,
    shared_attributes,
    type_parameters,
)
from tailrace_kernel.python_patterns import is_irrefutable, match_pattern
from tailrace_kernel.python_scopes import (
    Scope,
    ScopeKind,
    annotations,
    block_bindings,
    defaults,
    parameter_names,
)
from tailrace_kernel.python_state import State, join
from tailrace_kernel.python_values import UNKNOWN, Value, either

MAX_MAGIC_DEPTH = 5  # a cell magic's body may hold a cell magic
MAX_FINALS = 4  # `finally` inside `finally`: each is walked for success and for failure, deeper ones for both at once
MAX_MORE_ROUNDS = 3  # through a loop's body; one less in each loop inside
LAZY_ANNOTATIONS = sys.version_info >= (3, 14)


@dataclass(slots=True)
class Loop:
    breaks: list[State] = field(default_factory=list)
    continues: list[State] = field(default_factory=list)


class Statements:
    def __init__(self, names: Names, *, lazy_annotations: bool = LAZY_ANNOTATIONS, magic_depth: int = 0) -> None:
        self.names = names
        self.lazy_annotations = lazy_annotations
        self.magic_depth = magic_depth
        self.expressions = Expressions(names, self._body_effects, self._run_magic)
        self.loops: list[Loop] = []
        self.open_finals = 0
        self.function: FunctionNode | None = None  # whose body this is
        self._handlers: dict[type[ast.AST], Callable[..., None]] = {
            ast.Expr: self._expression,
            ast.Assign: self._assign,
            ast.AugAssign: self._augmented,
            ast.AnnAssign: self._annotated,
            ast.Delete: self._delete,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: self._while,
            ast.If: self._if,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Try: self._try,
            ast.Match: self._match,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.ClassDef: self._class,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Return: self._leave,
            ast.Raise: self._leave,
            ast.Break: self._break,
            ast.Continue: self._continue,
            ast.Assert: self._assert,
        }
        if hasattr(ast, "TryStar"):
            self._handlers[ast.TryStar] = self._try
        if hasattr(ast, "TypeAlias"):
            self._handlers[ast.TypeAlias] = self._type_alias

    @property
    def state(self) -> State:
        return self.names.state

    @state.setter
    def state(self, state: State) -> None:
        self.names.state = state

    def run(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            handler = self._handlers.get(type(statement))
            if handler is not None:
                handler(statement)

    # Simple statements

    def _expression(self, node: ast.Expr) -> None:
        self.expressions.use(node.value)

    def _assign(self, node: ast.Assign) -> None:
        first = node.targets[0]
        if isinstance(first, ast.Tuple | ast.List) and self._assign_each(node.targets, node.value):
            return
        value = self.expressions.value(node.value)
        for target in node.targets:
            self.expressions.assign(target, value, node.value)

    def _assign_each(self, targets: Sequence[ast.expr], source: ast.expr) -> bool:
        """`a, b = f, g`: each target gets its own value. False if it is no such assignment."""
        if not isinstance(source, ast.Tuple | ast.List):
            return False
        lists = [target.elts for target in targets if isinstance(target, ast.Tuple | ast.List)]
        plain = len(lists) == len(targets) and all(len(elements) == len(source.elts) for elements in lists)
        if not plain or any(isinstance(e, ast.Starred) for elements in [*lists, source.elts] for e in elements):
            return False
        values = [self.expressions.value(element) for element in source.elts]
        for elements in lists:
            for target, value, element in zip(elements, values, source.elts, strict=True):
                self.expressions.assign(target, value, element)
        return True

    def _augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Name):
            before = self.names.load(target.id)
            self.names.use(before)
            added = self.expressions.use(node.value)
            inner = any("@" in key and not key.endswith(OWN_MARK) for key in before.same)  # of a parameter
            if inner and isinstance(node.value, ast.Constant) and self._counts(target.id, node, node.value):
                before = Value(frozenset(n for n in before.same if "@" not in n), before.parts, None, before.carries)
            self.names.change(before, target.id)
            self.names.bind(target.id, either((before, added.inside())))
            return
        if isinstance(target, ast.Subscript):
            self.expressions.use(target.slice)
        holder = self.expressions.use(target.value)
        self.expressions.use(node.value)
        self.expressions.change(target.value, holder.element())

    def _counts(self, name: str, node: ast.AugAssign, added: ast.Constant) -> bool:
        """Whether a parameter to which a constant is added is a number or a text, and no array."""
        if isinstance(added.value, str | bytes) or self.function is None:
            return True
        if is_number(name, self.function):
            return True
        return isinstance(node.op, ast.Add | ast.Sub) and not has_parts(name, self.function)

    def _annotated(self, node: ast.AnnAssign) -> None:
        """CPython assigns first and then evaluates the annotation, in modules and class bodies only."""
        if node.value is not None:
            self.expressions.assign(node.target, self.expressions.value(node.value), node.value)
        elif isinstance(node.target, ast.Attribute | ast.Subscript):
            self.expressions.use(node.target.value)
        in_body = self.names.is_function and self.names.scope.kind is not ScopeKind.CLASS
        if not self.lazy_annotations and not in_body:
            self.expressions.value(node.annotation)

    def _delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self._delete_target(target)

    def _delete_target(self, target: ast.expr) -> None:
        match target:
            case ast.Name(id=name):
                self.names.delete(name)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for inner in targets:
                    self._delete_target(inner)
            case ast.Attribute() | ast.Subscript():
                self.expressions.store_target(target)
            case _:
                self.expressions.use(target)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.names.bind(alias.asname or alias.name.split(".")[0], by_import=True)

    def _import_from(self, node: ast.ImportFrom) -> None:
        if node.module == "__future__" and any(alias.name == "annotations" for alias in node.names):
            self.lazy_annotations = True
        for alias in node.names:
            if alias.name == "*":
                self._star_import(node)
            else:
                self.names.bind(alias.asname or alias.name, by_import=True)

    def _star_import(self, node: ast.ImportFrom) -> None:
        self.names.record.star = True
        module = "." * node.level + (node.module or "")
        message = f"names that `from {module} import *` brings are not tracked: import them by name"
        self.names.record.diagnostics.append(Diagnostic("star_import", message, node.lineno, node.col_offset))

    def _assert(self, node: ast.Assert) -> None:
        self.expressions.use(node.test)
        if node.msg is not None:
            before = self.state.copy()
            self.expressions.use(node.msg)
            self.state = before
        if _truth(node.test) is False:
            self.state.live = False

    def _type_alias(self, node: ast.stmt) -> None:
        """`type X[T] = …` (3.12): the value is evaluated when somebody asks for it."""
        target, value = getattr(node, "name"), getattr(node, "value")  # noqa: B009  absent from 3.11's types
        lazy = ast.Lambda(ast.arguments([], [], None, [], [], None, []), value)
        effects = self._body_effects(lazy, [*type_parameters(node)])
        self.names.define(effects)
        self.names.bind(target.id, Value(calls=effects))

    # Leaving a path

    def _leave(self, node: ast.Return | ast.Raise) -> None:
        if isinstance(node, ast.Return):
            given = None if node.value is None else self.expressions.use(node.value).calls
            self.names.record.makes_remembering |= given is not None and given.remembers
        else:
            self.expressions.use_all(part for part in (node.exc, node.cause) if part is not None)
        self.state.live = False

    def _break(self, node: ast.Break) -> None:
        if self.loops:
            self.loops[-1].breaks.append(self.state.copy())
        self.state.live = False

    def _continue(self, node: ast.Continue) -> None:
        if self.loops:
            self.loops[-1].continues.append(self.state.copy())
        self.state.live = False

    # Branches

    def _branch(self, entry: State, body: Iterable[ast.stmt], *, live: bool = True) -> State:
        """The state behind `body` when it starts from `entry`."""
        self.state = entry.copy()
        self.state.live = self.state.live and live
        self.run(body)
        return self.state

    def _if(self, node: ast.If) -> None:
        """A loop down the `elif`s: their tree is as deep as there are of them."""
        ends: list[State] = []
        current: ast.If = node
        while True:
            self.expressions.use(current.test)
            truth = _truth(current.test)
            entry = self.state
            ends.append(self._branch(entry, current.body, live=truth is not False))
            self.state = entry.copy()
            self.state.live = self.state.live and truth is not True
            if len(current.orelse) == 1 and isinstance(current.orelse[0], ast.If):
                current = current.orelse[0]
                continue
            self.run(current.orelse)
            ends.append(self.state)
            break
        self.state = join(ends)

    def _while(self, node: ast.While) -> None:
        truth = _truth(node.test)
        entry = self.state.copy()
        loop, back = self._rounds(entry, node.body, lambda: self.expressions.use(node.test))
        self.state = join([entry, back])
        self.expressions.use(node.test)
        self.state.live = self.state.live and truth is not True
        self.run(node.orelse)
        self.state = join([self.state, *loop.breaks])

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        element = self.expressions.use(node.iter).element()
        entry = self.state.copy()
        loop, back = self._rounds(entry, node.body, lambda: self.expressions.assign(node.target, element))
        self.state = join([entry, back])
        self.run(node.orelse)
        self.state = join([self.state, *loop.breaks])

    def _rounds(self, entry: State, body: Sequence[ast.stmt], head: Callable[[], object]) -> tuple[Loop, State]:
        """Walk a loop's body until a further round would meet nothing new; in nested loops a few rounds must do."""
        loop, back = self._round(entry, body, head)
        for _ in range(MAX_MORE_ROUNDS - len(self.loops)):
            if back.values == entry.values and entry.bound <= back.bound:
                break
            entry = join([entry, back])
            again, back = self._round(entry, body, head)
            loop.breaks += again.breaks
        return loop, back

    def _round(self, entry: State, body: Sequence[ast.stmt], head: Callable[[], object]) -> tuple[Loop, State]:
        loop = Loop()
        self.state = entry.copy()
        head()
        self.loops.append(loop)
        self.run(body)
        self.loops.pop()
        return loop, join([self.state, *loop.continues])

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        entry, attempt = self.state.copy(), Attempt()
        self.names.attempts.append(attempt)
        for item in node.items:
            value = self.expressions.use(item.context_expr)
            if any(self.names.hand(value, method, 0, value) for method in ("__enter__", "__exit__")):
                self.expressions.change(item.context_expr, value)
            if item.optional_vars is not None:
                self.expressions.assign(item.optional_vars, value)
        self.run(node.body)
        self.names.attempts.pop()
        if any(_swallows(item.context_expr) for item in node.items):
            self.state = join([self.state, self.names.attempt_state(entry, attempt)])

    def _try(self, node: ast.Try) -> None:
        entry, whole, attempt = self.state.copy(), Attempt(), Attempt()
        depth = len(self.loops)
        leaving = [len(loop.breaks) + len(loop.continues) for loop in self.loops]
        self.names.attempts += [whole, attempt]
        self.run(node.body)
        self.names.attempts.pop()
        failed = self.names.attempt_state(entry, attempt)
        self.run(node.orelse)
        ends = [self.state]
        for handler in node.handlers:
            ends.append(self._handler(failed, handler))
        self.names.attempts.pop()
        normal = join(ends)
        if node.finalbody:
            normal = self._finally(node, normal, self.names.attempt_state(entry, whole), leaving[:depth])
        self.state = normal

    def _handler(self, failed: State, handler: ast.ExceptHandler) -> State:
        """The name of the exception is unbound again at the end (language reference, "The try statement")."""
        self.state = failed.copy()
        if handler.type is not None:
            self.expressions.use(handler.type)
        if handler.name is not None:
            self.names.bind(handler.name)
        self.run(handler.body)
        if handler.name is not None:
            self.names.leave_handler(handler.name)
        return self.state

    def _finally(self, node: ast.Try, normal: State, failed: State, leaving: list[int]) -> State:
        final = Attempt()
        self.names.attempts.append(final)
        self.open_finals += 1
        if self.open_finals > MAX_FINALS:
            end = self._branch(join([normal, failed]), node.finalbody)
        else:
            self._branch(failed, node.finalbody)
            end = self._branch(normal, node.finalbody)
        self.open_finals -= 1
        self.names.attempts.pop()
        for loop, count in zip(self.loops, leaving, strict=True):
            for state in (loop.breaks + loop.continues)[count:]:
                state.bound -= final.unbound
        return end

    def _match(self, node: ast.Match) -> None:
        subject = self.expressions.use(node.subject)
        ends: list[State] = []
        for case in node.cases:
            before = self.state.copy()
            match_pattern(case.pattern, subject, self.names, self.expressions)
            if case.guard is not None:
                self.expressions.use(case.guard)
            matched = self.state.copy()
            ends.append(self._branch(matched, case.body))
            self.state = join([before, matched])
            if case.guard is None and is_irrefutable(case.pattern):
                self.state.live = False
        self.state = join([*ends, self.state])

    # Definitions

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = [self.expressions.use(decorator) for decorator in node.decorator_list]
        self.expressions.use_all(defaults(node.args))
        parameters = type_parameters(node)
        scope = self._enter_type_scope(parameters)
        for annotation in annotations(node) if not self.lazy_annotations else ():
            self.expressions.value(annotation)
        effects = self._body_effects(node)
        if decorators:
            self.names.give([Value(calls=effects)])
        self.names.scope = scope
        self.names.define(effects)
        self.names.bind(node.name, Value(calls=effects, carries=called(decorators)))
        self.names.note_function(node.name)

    def _class(self, node: ast.ClassDef) -> None:
        names = self.names
        decorators = [self.expressions.use(decorator) for decorator in node.decorator_list]
        outer = self._enter_type_scope(type_parameters(node))
        bases = either([self.expressions.value(base) for base in node.bases])  # a subclass calls nothing yet
        self.expressions.use_all(keyword.value for keyword in node.keywords)
        names.made.append([])
        names.scope = names.scope.child(ScopeKind.CLASS, block_bindings(node.body), node.name)
        loops, self.loops = self.loops, []
        around, names.owner = names.owner, ClassState(node.name, shared_attributes(node))
        self.run(node.body)
        self.loops, names.owner = loops, around
        names.scope = outer
        methods = frozenset(n.name for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
        value = class_value(names.made.pop(), methods, bases, decorators)
        if value.calls is not None:
            names.define(value.calls)
        names.bind(node.name, value)
        names.note_function(node.name)

    def _enter_type_scope(self, parameters: list[str]) -> Scope:
        """`def f[T](…)` (3.12): annotations, bases and body see `T`. Gives the scope to go back to."""
        outer = self.names.scope
        if parameters:
            self.names.scope = outer.child(ScopeKind.FUNCTION, block_bindings([], parameters))
        return outer

    def _body_effects(self, node: FunctionNode, extra: Sequence[str] = ()) -> CallEffects:
        """What happens when the function is called."""
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        parameters = [*parameter_names(node.args), *extra]
        scope = self.names.scope.child(ScopeKind.FUNCTION, block_bindings(body, parameters))
        inner = Names(scope, State(values=self._closure()), is_function=True)
        if self.names.scope.kind is ScopeKind.CLASS and not isinstance(node, ast.Lambda):
            inner.method = node.name
            if self.names.owner is not None:
                on_class = any(root_name(d) == "classmethod" for d in node.decorator_list)
                inner.owner = replace(self.names.owner, on_class=on_class)
        inner.parameters = places(node, scope, method=bool(inner.method))
        inner.state.values |= {key: Value(frozenset((key,))) for key in inner.parameters}
        given, called_by_default = default_values(node), set[str]()
        for name, default in given.items():
            key = scope.variable(name).key
            does = self._default(default)
            inner.state.values[key] = Value(frozenset((key,)), calls=does.calls, carries=does.carries)
            called_by_default |= {carry.name for carry in does.carries}
        gathering = gathering_places(node, scope, inner.parameters)
        inner.parameters |= gathering
        inner.state.values |= {key: Value(parts=frozenset((key,))) for key in gathering}
        walk = Statements(inner, lazy_annotations=self.lazy_annotations, magic_depth=self.magic_depth)
        walk.function = node
        if isinstance(node, ast.Lambda):
            walk.expressions.use(node.body)
        else:
            walk.run(node.body)
        record, outer = inner.record, self.names.record
        outer.opaque |= record.opaque
        outer.effects |= record.effects
        outer.diagnostics += record.diagnostics
        record.reads |= {p.callee for p in record.passes if p.callee in called_by_default}
        remembers = record.remembers or bool(scope.bindings.nonlocal_) or any(map(scope.encloses, record.changes))
        kept = (scope.variable(name).key for name, default in given.items() if is_container(default))
        effects = inner.effects()
        return replace(effects, remembers=True) if remembers or any(k in record.changes for k in kept) else effects

    def _default(self, node: ast.expr) -> Value:
        """A function that is the default of a parameter: what calling it does."""
        match node:
            case ast.Name(id=name):
                return self.names.load(name).callable_part()
            case ast.Lambda():
                return Value(calls=self._body_effects(node))
            case _:
                return UNKNOWN

    def _closure(self) -> dict[str, Value]:
        """Values of enclosing functions' variables; globals are met when the function is called."""
        return {key: value for key, value in self.state.values.items() if "@" in key}

    # IPython

    def _run_magic(self, call: ipython_magics.MagicCall) -> None:
        facts = ipython_magics.magic_facts(call)
        record = self.names.record
        record.opaque |= facts.opaque
        if facts.runs_shell:
            record.effects.add(Effect.SHELL)
        for source in facts.expressions:
            self.expressions.use(ast.parse(f"({source})", mode="eval").body)
        if facts.python is not None:
            self._run_source(facts.python, inside=facts.inside)
        for name in facts.binds:
            self.names.bind(name)

    def _run_source(self, source: str, *, inside: bool) -> None:
        """Python in the text of a magic; `inside` a function of its own, or as part of the cell."""
        try:
            tree = ast.parse(to_python(source))
        except (SyntaxError, ValueError):
            self.names.record.opaque = True
            return
        if self.magic_depth >= MAX_MAGIC_DEPTH:
            self.names.record.opaque = True
            return
        self.magic_depth += 1
        if inside:
            function = ast.Lambda(ast.arguments([], [], None, [], [], None, []), ast.Constant(None))
            wrapper = ast.FunctionDef("_", function.args, tree.body, [], None, None)
            self.names.use(Value(calls=self._body_effects(wrapper)))
        else:
            self.run(tree.body)
        self.magic_depth -= 1


def _truth(test: ast.expr) -> bool | None:
    """What a constant condition is; None if it is none."""
    return bool(test.value) if isinstance(test, ast.Constant) else None


def _swallows(context: ast.expr) -> bool:
    """Context managers after which the code goes on although their body failed half-way."""
    callee = context.func if isinstance(context, ast.Call) else context
    name = callee.attr if isinstance(callee, ast.Attribute) else root_name(callee) or ""
    return any(word in name.lower() for word in ("suppress", "raises", "ignore", "capture", "swallow"))
