"""Expressions, in the order in which Python evaluates them: what each reads and changes, and what its value may be."""

import ast
from collections.abc import Callable, Iterable
from dataclasses import replace

from tailrace_kernel import in_place
from tailrace_kernel.facts import MAX_PLACES, CallEffects, Hand, Place
from tailrace_kernel.ipython_magics import MagicCall, magic_call
from tailrace_kernel.python_names import BUILTINS, ClassState, Names, called
from tailrace_kernel.python_scopes import ScopeKind, block_bindings, defaults, target_names
from tailrace_kernel.python_state import join
from tailrace_kernel.python_values import NO_CARRIES, UNKNOWN, Value, either, merge_calls

MAX_CALLBACKS = 4  # functions among the arguments of one call that are followed
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class Expressions:
    """`function_effects` analyses a body that runs when called; `run_magic` does what an IPython call does."""

    def __init__(
        self,
        names: Names,
        function_effects: Callable[[ast.Lambda], CallEffects],
        run_magic: Callable[[MagicCall], None],
    ) -> None:
        self.names = names
        self.function_effects = function_effects
        self.run_magic = run_magic
        self._handlers: dict[type[ast.AST], Callable[..., Value]] = {
            ast.Name: self._name,
            ast.Constant: lambda node: UNKNOWN,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.Call: self._call,
            ast.Tuple: self._display,
            ast.List: self._display,
            ast.Set: self._display,
            ast.Dict: self._dict,
            ast.Starred: self._starred,
            ast.IfExp: self._if_expression,
            ast.BoolOp: self._bool_operation,
            ast.BinOp: self._binary_operation,
            ast.Compare: self._compare,
            ast.NamedExpr: self._named,
            ast.Lambda: self._lambda,
            ast.Await: self._await,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._comprehension,
        }

    def value(self, node: ast.expr) -> Value:
        """Evaluate; the caller stores the value or calls `use`."""
        return self._handlers.get(type(node), self._other)(node)

    def use(self, node: ast.expr) -> Value:
        value = self.value(node)
        if value.calls is not None and not isinstance(node, ast.Attribute):
            self.names.use(value)
        return value

    def use_all(self, nodes: Iterable[ast.expr]) -> None:
        for node in nodes:
            self.use(node)

    def change(self, node: ast.expr, value: Value) -> None:
        """The object that `node` evaluated to is changed in place."""
        self.names.change(value, root_name(node))
        if self.names.owner is not None and self._in_class(node, self.names.owner):
            self.names.change_class()

    def _in_class(self, node: ast.expr, owner: ClassState) -> bool:
        """Whether `node` is reached through the method's class: `type(self)`, `self.shared[0]`, `cls`."""
        own = self.names.own_object().same
        while not isinstance(node, ast.Name):
            match node:
                case ast.Attribute(value=ast.Name(id=name), attr=attribute) if self._is(name, own):
                    return owner.on_class or attribute == "__class__" or attribute in owner.shared
                case ast.Call(func=ast.Name(id="type"), args=[ast.Name(id=name)]):
                    return self._is(name, own)
                case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                    node = inner
                case _:
                    return False
        return owner.on_class and self._is(node.id, own)

    def _is(self, name: str, keys: frozenset[str]) -> bool:
        return self.names.scope.variable(name).key in keys

    def store_target(self, node: ast.Attribute | ast.Subscript, stored: Value = UNKNOWN) -> None:
        """`node = …`, or `del node`: the object that holds it changes."""
        holder = self.use(node.value)
        if isinstance(node, ast.Subscript):
            self.use(node.slice)
        self.change(node.value, holder)
        self.names.enrich(root_name(node), stored)

    def _other(self, node: ast.AST) -> Value:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.use(child)
            elif not isinstance(child, ast.expr_context | ast.operator | ast.unaryop | ast.cmpop):
                self._other(child)
        return UNKNOWN

    def _name(self, node: ast.Name) -> Value:
        return self.names.load(node.id)

    def _attribute(self, node: ast.Attribute) -> Value:
        """`add = x.append`: calling it will change `x`; `up = k.up` does what that method of a notebook class does."""
        value = self.use(node.value)
        if node.attr not in in_place.METHODS:
            bound = self.names.bound_method(
                value, node.attr, part=isinstance(node.value, ast.Attribute | ast.Subscript)
            )
            return value if bound is None else replace(value, calls=merge_calls((value.calls, bound)))
        outside = frozenset(name for name in value.same if "@" not in name)
        if isinstance(node.value, ast.Name) and self.names.scope.variable(node.value.id).is_global:
            outside |= {node.value.id}
        if not outside:
            return value
        changing = CallEffects(changes=outside, remembers=True)
        return Value(value.same, value.parts, merge_calls((value.calls, changing)), value.carries)

    def _subscript(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        self.use(node.slice)
        return value.element()

    def _display(self, node: ast.Tuple | ast.List | ast.Set) -> Value:
        return either([self.value(element).inside() for element in node.elts])

    def _starred(self, node: ast.Starred) -> Value:
        return self.value(node.value).element()

    def _dict(self, node: ast.Dict) -> Value:
        values: list[Value] = []
        for key, item in zip(node.keys, node.values, strict=True):
            if key is not None:
                self.use(key)
            value = self.value(item)
            values.append((value.element() if key is None else value).inside())
        return either(values)

    def _if_expression(self, node: ast.IfExp) -> Value:
        self.use(node.test)
        if not _may_bind(node):
            return either((self.value(node.body), self.value(node.orelse)))
        entry = self.names.state.copy()
        first = self.value(node.body)
        after, self.names.state = self.names.state, entry
        second = self.value(node.orelse)
        self.names.state = join((after, self.names.state))
        return either((first, second))

    def _maybe(self, nodes: Iterable[ast.expr], evaluate: Callable[[ast.expr], Value]) -> list[Value]:
        """Parts that run only if those before them allow it."""
        values = []
        for node in nodes:
            before = self.names.state.copy() if _may_bind(node) else None
            values.append(evaluate(node))
            if before is not None:
                self.names.state = join((before, self.names.state))
        return values

    def _bool_operation(self, node: ast.BoolOp) -> Value:
        first, *others = node.values
        return either([self.value(first), *self._maybe(others, self.value)])

    def _compare(self, node: ast.Compare) -> Value:
        self.use(node.left)
        first, *others = node.comparators
        self.use(first)
        self._maybe(others, self.use)
        return UNKNOWN

    def _binary_operation(self, node: ast.BinOp) -> Value:
        """A loop down the left side: a sum of a thousand terms is a tree a thousand deep."""
        rights: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp):
            rights.append(left.right)
            left = left.left
        values = [self.use(left), *map(self.use, reversed(rights))]
        return either([value.element().inside() for value in values]) if _holds_elements(node) else UNKNOWN

    def _named(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.names.bind(node.target.id, value, scope=self.names.scope.assignment_scope())
        return value

    def _await(self, node: ast.Await) -> Value:
        return self.value(node.value)

    def _lambda(self, node: ast.Lambda) -> Value:
        self.use_all(defaults(node.args))
        effects = self.function_effects(node)
        self.names.define(effects)
        return Value(calls=effects)

    def _comprehension(self, node: Comprehension) -> Value:
        names = self.names
        outer, before = names.scope, names.state.copy() if _may_bind(node) else None
        source = self.use(node.generators[0].iter)
        targets = target_names([generator.target for generator in node.generators])
        names.scope = outer.child(ScopeKind.COMPREHENSION, targets)
        for position, generator in enumerate(node.generators):
            value = source if position == 0 else self.use(generator.iter)
            self.assign(generator.target, value.element())
            self.use_all(generator.ifs)
        if isinstance(node, ast.DictComp):
            self.use(node.key)
            result = self.value(node.value)
        else:
            result = self.value(node.elt)
        names.scope = outer
        if before is not None:
            names.state = join((before, names.state))
        return result.inside()

    def assign(self, target: ast.expr, value: Value, source: ast.expr | None = None) -> None:
        """Bind `target`; `source` is the expression that gave `value`, if there is one."""
        match target:
            case ast.Name(id=name):
                self.names.bind(name, value)
                if isinstance(source, ast.Lambda):
                    self.names.note_function(name)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for inner in targets:
                    element = value.element()
                    self.assign(inner, element.inside() if isinstance(inner, ast.Starred) else element)
            case ast.Starred(value=inner):
                self.assign(inner, value)
            case ast.Attribute() | ast.Subscript():
                self.store_target(target, value)
            case _:
                self.use(target)

    def _call(self, node: ast.Call) -> Value:
        magic = magic_call(node)
        if magic is not None:
            self.run_magic(magic)
            return UNKNOWN
        function = node.func
        receiver = self.use(function.value) if isinstance(function, ast.Attribute) else None
        callee = self.use(function) if receiver is None else receiver
        arguments = [self.use(argument) for argument in node.args]
        keywords = {keyword.arg: self.use(keyword.value) for keyword in node.keywords}
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        self._changes(node, name, receiver, arguments)
        self._hand_over(node, callee, receiver, arguments, keywords)
        self._opacity(node)
        return self._result(node, name, callee, arguments, list(keywords.values()))

    def _changes(self, node: ast.Call, name: str, receiver: Value | None, arguments: list[Value]) -> None:
        function = node.func
        if isinstance(function, ast.Attribute) and receiver is not None:
            unbound = isinstance(function.value, ast.Name) and self._is_builtin(function.value.id)
            draws = name in in_place.DRAWING_METHODS and (root_name(function) or "").startswith(in_place.AXES)
            if (name in in_place.METHODS or draws) and not unbound:
                self.change(function.value, receiver)
                self.names.enrich(root_name(function.value), either(arguments))
            for keyword in node.keywords:
                constant = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                if keyword.arg == "inplace" and not constant:
                    self.change(function.value, receiver)
            if unbound and name in in_place.METHODS and node.args:
                self.change(node.args[0], arguments[0])
        for argument, value in zip(node.args, arguments, strict=True):
            if isinstance(argument, ast.Attribute) and argument.attr in in_place.METHODS:  # `map(x.append, more)`
                self.change(argument.value, value)
        for keyword in node.keywords:
            if keyword.arg not in in_place.WRITTEN_KEYWORDS or isinstance(keyword.value, ast.Constant):
                continue
            if in_place.WRITTEN_KEYWORDS[keyword.arg] in (None, name):
                self.change(keyword.value, self.value(keyword.value))
        positions = in_place.FUNCTIONS.get(name, ())
        if _of_arrays(function):
            positions = in_place.ARRAY_FUNCTIONS.get(name, positions)
            uncopied = any(
                k.arg == "copy" and isinstance(k.value, ast.Constant) and not k.value.value for k in node.keywords
            )
            positions = (0,) if uncopied and name == "nan_to_num" else positions
        if name in in_place.SAVING and node.args and getattr(node.args[0], "id", "") in in_place.OPEN_FILES:
            positions = (0,)
        for position in positions:
            if position < len(node.args) and not isinstance(node.args[position], ast.Starred):
                self.change(node.args[position], arguments[position])

    def _hand_over(
        self,
        node: ast.Call,
        callee: Value,
        receiver: Value | None,
        arguments: list[Value],
        keywords: dict[str | None, Value],
    ) -> None:
        """A function or method may change what it is given: those of notebooks are known, or will be to the graph."""
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        given: list[tuple[Place, ast.expr, Value]] = []
        if isinstance(node.func, ast.Attribute) and receiver is not None:
            given.append((0, node.func.value, receiver))
        for place, (argument, value) in enumerate(zip(node.args, arguments, strict=True), 1):
            if isinstance(argument, ast.Starred):
                given += [(at, argument, value) for at in range(place, MAX_PLACES)]
                break
            given.append((place, argument, value))
        given += [(k.arg, k.value, keywords[k.arg]) for k in node.keywords if k.arg is not None]
        given += [("**", k.value, keywords[None].element()) for k in node.keywords if k.arg is None]
        part = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Attribute | ast.Subscript)
        for where, expression, value in given:
            display = isinstance(expression, ast.List | ast.Tuple | ast.Set | ast.Dict)
            reached = value.element() if display else value
            if reached.same and self.names.hand(callee, method, where, reached, part=part):
                self.change(expression, reached)
        self._call_back(node, method, given)

    def _call_back(self, node: ast.Call, method: str, given: list[tuple[Place, ast.expr, Value]]) -> None:
        """Functions among the arguments are given the other arguments, or what those hold."""
        functions = [(e, v) for place, e, v in given if place != 0 and isinstance(e, ast.Name | ast.Lambda)]
        self.names.give([value for _, value in functions])
        if isinstance(node.func, ast.Name) and (node.func.id == "partial" or self._calls_nothing(node.func.id)):
            return
        on_receiver = method in in_place.APPLYING_METHODS and not any(k.arg == "axis" for k in node.keywords)
        for function, does in functions[:MAX_CALLBACKS]:
            for place, expression, value in given:
                reached = value.element()
                if expression is function or not reached.same or (place == 0 and not on_receiver):
                    continue
                for at in (1, 2):
                    if self.names.hand(does, "", at, reached):
                        self.change(expression, reached)

    def _calls_nothing(self, name: str) -> bool:
        return self._is_builtin(name) and name not in in_place.CALLING_FUNCTIONS

    def _partial(self, node: ast.Call, arguments: list[Value]) -> CallEffects | None:
        """What calling `partial(f, x)` does to `x`."""
        first = node.args[0] if node.args else None
        if not isinstance(first, ast.Name) or not self.names.scope.variable(first.id).is_global:
            return None
        places = enumerate(arguments[1:], 1)
        hands = {Hand(first.id, "", at, name) for at, value in places for name in value.same if "@" not in name}
        return CallEffects(reads=frozenset((first.id,)), hands=frozenset(hands)) if hands else None

    def _is_builtin(self, name: str) -> bool:
        return (name in BUILTINS or name in in_place.CONTAINER_TYPES) and name not in self.names.state.bound

    def _opacity(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Name) or node.func.id in self.names.state.bound:
            return
        name = node.func.id
        at_top = not self.names.is_function and not node.args and not node.keywords
        if name in in_place.OPAQUE_FUNCTIONS or (at_top and name in in_place.OPAQUE_AT_TOP):
            self.names.record.opaque = self.names.record.opaque or self.names.scope.variable(name).is_global

    def _result(self, node: ast.Call, name: str, callee: Value, arguments: list[Value], keywords: list[Value]) -> Value:
        method = isinstance(node.func, ast.Attribute)
        if name == "super" and not method:
            return self.names.own_object()
        shared = _shared(node, name, callee, arguments)
        given = [*arguments, *keywords]
        builtin = not method and self._is_builtin(name)
        makes = callee.calls is not None and callee.calls.makes_callables
        calls: list[CallEffects | None] = [callee.calls.of_result()] if callee.calls is not None and makes else []
        if name == "partial":
            calls.append(self._partial(node, arguments))
        carries = NO_CARRIES if builtin else called([callee, *given])
        if name in in_place.WRAPPERS or makes:
            calls += [value.calls for value in given]
            carries |= NO_CARRIES.union(*(value.carries for value in given))
        if not calls and not carries and shared is UNKNOWN:
            return UNKNOWN
        parts = [Value(calls=effects, carries=NO_CARRIES) for effects in calls]
        holding = Value(shared.same, shared.parts) if shared is not UNKNOWN else UNKNOWN
        return either([holding, *parts, Value(carries=carries) if carries else UNKNOWN])


def _shared(node: ast.Call, name: str, callee: Value, arguments: list[Value]) -> Value:
    """Which objects a call's result is or holds, as far as the tables know."""
    method = isinstance(node.func, ast.Attribute)
    if name in in_place.VIEW_FUNCTIONS and _of_arrays(node.func):
        return arguments[0] if arguments else UNKNOWN
    if method and name in in_place.VIEW_METHODS:
        return callee
    if method and name in in_place.PICKING_METHODS:
        return callee.element()
    if method and name in in_place.HOLDING_METHODS and not arguments:
        return callee.inside()
    if name in in_place.PICKING_FUNCTIONS:
        return either([value.element() for value in arguments])
    if name in in_place.HOLDING_FUNCTIONS:
        return either([value.element().inside() for value in arguments])
    return UNKNOWN


def root_name(node: ast.expr) -> str | None:
    """The name from which `x[0].a.get(k)` is reached."""
    while True:
        match node:
            case ast.Name(id=name):
                return name
            case ast.Attribute(value=inner) | ast.Subscript(value=inner) | ast.Starred(value=inner):
                node = inner
            case ast.Call(func=ast.Attribute(value=inner)):
                node = inner
            case _:
                return None


def _of_arrays(function: ast.expr) -> bool:
    """`np.put`, not a method of an object."""
    return isinstance(function, ast.Attribute) and root_name(function) in in_place.ARRAY_MODULES


def _holds_elements(node: ast.BinOp) -> bool:
    """`a + [b]`, `a | {}`: a new container of what both hold."""
    displays = (ast.List, ast.Dict, ast.Set, ast.Tuple, ast.ListComp, ast.DictComp)
    return isinstance(node.op, ast.Add | ast.BitOr) and any(isinstance(n, displays) for n in (node.left, node.right))


def _may_bind(node: ast.expr) -> bool:
    """Whether evaluating `node` may bind something; blocks inside it aside."""
    return bool(block_bindings([node]).bound)
