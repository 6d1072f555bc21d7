"""From the source of a Python cell to its facts and its compiled code; knows no graph, no kernel and runs nothing."""

import ast
from collections.abc import Callable

from tailrace_kernel.cell_code import compile_cell
from tailrace_kernel.facts import Analysis, CallEffects, Carry, CellCode, Diagnostic, packed, union
from tailrace_kernel.ipython_syntax import to_python
from tailrace_kernel.python_names import BUILTINS, Names
from tailrace_kernel.python_scopes import Scope, ScopeKind
from tailrace_kernel.python_state import State
from tailrace_kernel.python_statements import Statements


def analyze(code: str, *, filename: str = "<cell>", transform: Callable[[str], str] | None = None) -> Analysis:
    """Facts of a Python cell. Never raises: what does not parse has `parses=False` and a diagnostic "syntax".

    `filename` is what tracebacks show. `transform` turns IPython syntax into Python and is called only for a cell that
    is no plain Python; a kernel passes its shell's `transform_cell`, so that the user's own transformers count.
    """
    try:
        tree, transformed = _parse(code, filename, transform or to_python)
        compiled = compile_cell(tree, code, transformed, filename)
        return _facts(tree, code, compiled)
    except SyntaxError as error:
        return Analysis(parses=False, diagnostics=(_syntax_diagnostic(error),))
    except (RecursionError, MemoryError):
        return Analysis(parses=False, diagnostics=(Diagnostic("syntax", "the code is nested too deeply", 1, 0),))
    except (ValueError, OverflowError) as error:  # null bytes, lone surrogates, integers without end
        return Analysis(parses=False, diagnostics=(Diagnostic("syntax", str(error), 1, 0),))


def _parse(code: str, filename: str, transform: Callable[[str], str]) -> tuple[ast.Module, str]:
    """The tree, and the source it was made of. A syntax error is told in the terms of the user's own text."""
    try:
        return ast.parse(code, filename), code
    except SyntaxError as error:
        transformed = transform(code)
        if transformed == code:
            raise error from None
    return ast.parse(transformed, filename), transformed


def _facts(tree: ast.Module, code: str, compiled: CellCode) -> Analysis:
    names = Names(Scope(ScopeKind.MODULE), State(), is_function=False)
    Statements(names).run(tree.body)
    record, end = names.record, names.state
    reads = set(record.reads)
    if compiled.transformed != code and "get_ipython" not in code:
        reads.discard("get_ipython")
    binds = packed({key for key in end.bound if "@" not in key})
    deletes = packed(record.deleted - binds)
    may_bind = packed(record.stored - binds - (deletes & end.gone))
    reads |= deletes - end.gone  # deleted on some path only
    writes = union(binds, may_bind, deletes, packed(record.changed - binds))
    calls, carries = _callables(end, writes)
    later = {name for effects in calls.values() for name in effects.reads} - binds - reads
    return Analysis(
        reads=packed((reads | later) - BUILTINS),
        writes=writes,
        changes=packed(record.changes),
        imports=packed((record.imported - record.assigned) & writes),
        builtin_reads=packed((reads | later) & BUILTINS),
        deferred={name: effects.reads - BUILTINS for name, effects in calls.items() if name in record.functions},
        effects=packed(record.effects),
        diagnostics=tuple(record.diagnostics),
        code=compiled,
        binds=binds,
        may_bind=may_bind,
        deletes=deletes,
        calls=calls,
        carries=carries,
        opaque=record.opaque,
        hands=packed(record.hands),
        touches=packed(record.touched & writes),
        star=record.star,
        caught=packed(record.caught & writes - binds),
        call_time=packed(later - BUILTINS),
        callbacks=packed(record.callbacks),
    )


def _callables(end: State, writes: frozenset[str]) -> tuple[dict[str, CallEffects], dict[str, tuple[Carry, ...]]]:
    values = {name: end.values[name] for name in sorted(writes) if name in end.values}
    calls = {name: value.calls for name, value in values.items() if value.calls is not None}
    carries = {
        name: tuple(sorted(value.carries, key=lambda carry: (carry.name, carry.by_call)))
        for name, value in values.items()
        if value.carries
    }
    return calls, carries


def _syntax_diagnostic(error: SyntaxError) -> Diagnostic:
    """CPython counts columns from 1 and gives 0 or None where it knows none."""
    message = error.msg or "invalid syntax"
    return Diagnostic("syntax", message, error.lineno or 1, max(0, (error.offset or 1) - 1))
