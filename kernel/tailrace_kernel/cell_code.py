"""Compiling a cell: its statements, and its last expression apart so that its value can be displayed."""

import ast
import io
import tokenize

from tailrace_kernel.facts import CellCode

_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE; inspect is slow to import


def compile_cell(tree: ast.Module, code: str, transformed: str, filename: str) -> CellCode:
    """`code` is the cell as the user wrote it. Raises SyntaxError for what only the compiler sees."""
    statements = list(tree.body)
    last = statements[-1] if statements else None
    shown = isinstance(last, ast.Expr) and not ends_with_semicolon(code)
    body_code = last_code = None
    if shown and isinstance(last, ast.Expr):
        statements.pop()
        last_code = compile(ast.Expression(last.value), filename, "eval", flags=_FLAGS, dont_inherit=True)
    if statements:
        module = ast.Module(statements, tree.type_ignores)
        body_code = compile(module, filename, "exec", flags=_FLAGS, dont_inherit=True)
    asynchronous = any(part.co_flags & _CO_COROUTINE for part in (body_code, last_code) if part is not None)
    return CellCode(body_code, last_code, asynchronous, transformed)


def ends_with_semicolon(code: str) -> bool:
    """Whether the last token of the cell is `;`: then its last value is not shown."""
    if ";" not in code:
        return False
    last_line = code.rstrip()
    if last_line.endswith(";") and "#" not in last_line.rsplit("\n", 1)[-1]:
        return True
    found = False
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER, tokenize.DEDENT)
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type not in skipped:
                found = token.string == ";"
    except (tokenize.TokenError, SyntaxError):
        return False
    return found
