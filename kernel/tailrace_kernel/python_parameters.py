"""Parameters of functions: by which places of a call each of them is given. Knows syntax only."""

import ast

from tailrace_kernel.facts import MAX_PLACES, Place
from tailrace_kernel.in_place import CONTAINER_TYPES
from tailrace_kernel.python_expressions import root_name
from tailrace_kernel.python_scopes import Scope

_CONTAINERS = CONTAINER_TYPES | {"list", "dict", "set", "bytearray", "collections"}
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def places(node: FunctionNode, scope: Scope, *, method: bool) -> dict[str, tuple[Place, ...]]:
    """The parameters' variables, and where their callers give them."""
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    first = 0 if method and not any(root_name(d) == "staticmethod" for d in decorators) else 1
    arguments = node.args
    places: dict[str, tuple[Place, ...]] = {
        scope.variable(a.arg).key: (place, a.arg)
        for place, a in enumerate([*arguments.posonlyargs, *arguments.args], first)
    }
    return places | {scope.variable(a.arg).key: (a.arg,) for a in arguments.kwonlyargs}


def gathering_places(
    node: FunctionNode, scope: Scope, known: dict[str, tuple[Place, ...]]
) -> dict[str, tuple[Place, ...]]:
    """`*args` and `**kwargs`: a fresh tuple and dict of what callers give."""
    taken = [place for places in known.values() for place in places if isinstance(place, int)]
    found: dict[str, tuple[Place, ...]] = {}
    if node.args.vararg is not None:
        found[scope.variable(node.args.vararg.arg).key] = tuple(range(max(taken, default=0) + 1, MAX_PLACES))
    if node.args.kwarg is not None:
        found[scope.variable(node.args.kwarg.arg).key] = ("**",)
    return found


def type_parameters(node: ast.AST) -> list[str]:
    return [parameter.name for parameter in getattr(node, "type_params", [])]


def default_values(function: FunctionNode) -> dict[str, ast.expr]:
    """Names of parameters with their defaults."""
    every = [*function.args.posonlyargs, *function.args.args]
    given = dict(zip([a.arg for a in reversed(every)], reversed(function.args.defaults), strict=False))
    keywords = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return given | {a.arg: default for a, default in keywords if default is not None}


def is_number(name: str, function: FunctionNode) -> bool:
    """Whether the parameter is used as numbers are: annotated, with such a default, compared in a test, a count."""
    every = [*function.args.posonlyargs, *function.args.args]
    given = default_values(function)
    if isinstance(given.get(name), ast.Constant) and getattr(given[name], "value", None) is not None:
        return True
    if any(a.arg == name and _number_type(a.annotation) for a in [*every, *function.args.kwonlyargs]):
        return True
    return any(_name_in(name, part) for node in ast.walk(function) for part in _number_uses(node))


def has_parts(name: str, function: FunctionNode) -> bool:
    """Whether an attribute, an element or the length of the parameter is asked for."""
    for node in ast.walk(function):
        match node:
            case (
                ast.Attribute(value=value)
                | ast.Subscript(value=value)
                | ast.Call(func=ast.Name(id="len"), args=[value])
            ):
                if _name_in(name, value):
                    return True
            case _:
                pass
    return False


def shared_attributes(node: ast.ClassDef) -> frozenset[str]:
    """Containers bound in the class body that no method replaces on its instance: all instances change the same."""
    found: set[str] = set()
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_container(value):
                found.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if is_container(value):
                found.add(name)
            case _:
                pass
    if found:
        stores = (n for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store))
        found -= {store.attr for store in stores if isinstance(store.value, ast.Name)}
    return frozenset(found)


def is_container(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return root_name(value.func) in _CONTAINERS
    return isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _number_type(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id in ("int", "float", "complex", "str")


def _number_uses(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test):
            return [e for c in ast.walk(test) if isinstance(c, ast.Compare) for e in [c.left, *c.comparators]]
        case ast.Call(func=ast.Name(id="range"), args=args):
            return args
        case ast.Subscript(slice=index):
            return [index]
        case _:
            return []


def _name_in(name: str, node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == name
