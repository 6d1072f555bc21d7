"""What calls of IPython's magics and of the shell do to names, as far as it can be known without running them.

Knows the stock magics by name and the calls that IPython's syntax stands for; runs none.
"""

import ast
import re
import shlex
from dataclasses import dataclass
from itertools import pairwise

from tailrace_kernel.sql_tokens import expression_end

_SHELL_LINE = frozenset(
    "sx system pip conda mamba micromamba uv cp mv rm mkdir rmdir ls ll lf lk ldir lx cat less more man".split()  # noqa: SIM905
)
_SHELL_CELL = frozenset("bash sh script system sx ruby perl pypy python python2 python3 cmd ! !!".split())  # noqa: SIM905
_OPAQUE_LINE = frozenset(
    "run load loadpy load_file reset reset_selective xdel store pylab macro rerun edit recall sc paste cpaste".split()  # noqa: SIM905
)
# Cell magics whose text is no Python and touches no name.
_DISPLAY_CELL = frozenset("html HTML javascript js latex markdown svg SVG writefile file mermaid".split())  # noqa: SIM905
# Magics whose text is Python → options that take a value. In functions of their own: nothing is bound.
_PYTHON_IN_PLACE = {"time": "", "prun": "DlsT", "capture": "", "debug": "b", "lprun": "fmDTsru", "mprun": "fT"}
_PYTHON_INSIDE = {"timeit": "nrp", "memit": "rtic"}
_HELP = frozenset({"pinfo", "pinfo2", "pdef", "pdoc", "psource", "pfile"})
_DOLLAR = re.compile(r"\$\$|\$([^\W\d]\w*)")


@dataclass(frozen=True, slots=True)
class MagicCall:
    """`name` is "!" for the shell; `body` is None for a line magic."""

    name: str
    line: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class MagicFacts:
    """`expressions` are evaluated first, then `python` runs (in a block of its own if `inside`), then `binds`."""

    runs_shell: bool = False
    opaque: bool = False
    expressions: tuple[str, ...] = ()
    python: str | None = None
    inside: bool = False
    binds: tuple[str, ...] = ()


def magic_call(node: ast.Call) -> MagicCall | None:
    """The magic that `get_ipython().run_line_magic('time', 'f()')` and its like stand for."""
    match node.func:
        case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython"), args=[], keywords=[]), attr=method):
            arguments = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        case _:
            return None
    texts = [argument for argument in arguments if isinstance(argument, str)]
    if len(texts) != len(node.args) or node.keywords:
        return None
    match method, texts:
        case "run_line_magic", [name, line]:
            return MagicCall(name, line)
        case "run_cell_magic", [name, line, body]:
            return MagicCall(name, line, body)
        case "system" | "getoutput", [command]:
            return MagicCall("!", command)
        case "show_usage", []:
            return MagicCall("quickref", "")
        case _:
            return None


def magic_facts(call: MagicCall) -> MagicFacts:
    if call.body is None:
        return _line_facts(call.name, call.line)
    return _cell_facts(call.name, call.line, call.body)


def _line_facts(name: str, line: str) -> MagicFacts:
    if name == "!" or name in _SHELL_LINE:
        return MagicFacts(runs_shell=True, expressions=interpolated(line))
    if name in _PYTHON_IN_PLACE and name != "capture":
        return MagicFacts(python=_without_options(line, _PYTHON_IN_PLACE[name]))
    if name in _PYTHON_INSIDE:
        return MagicFacts(python=_without_options(line, _PYTHON_INSIDE[name]), inside=True)
    if name in _HELP:
        root = re.match(r"[^\W\d]\w*", line)
        return MagicFacts(expressions=(root.group(),) if root else ())
    return MagicFacts(opaque=name in _OPAQUE_LINE, expressions=interpolated(line))


def _cell_facts(name: str, line: str, body: str) -> MagicFacts:
    if name == "capture":
        words = [word for word in line.split() if not word.startswith("-")]
        return MagicFacts(python=body, binds=tuple(word for word in words[:1] if word.isidentifier()))
    if name in _PYTHON_IN_PLACE:
        return MagicFacts(python=body)
    if name in _PYTHON_INSIDE:
        return MagicFacts(python=_without_options(line, _PYTHON_INSIDE[name]) + "\n" + body, inside=True)
    if name in _SHELL_CELL:
        return MagicFacts(runs_shell=True, opaque=True, expressions=interpolated(line), binds=_script_outputs(line))
    return MagicFacts(opaque=name not in _DISPLAY_CELL, expressions=interpolated(line))


def _script_outputs(line: str) -> tuple[str, ...]:
    """Names given by `--out`, `--err` and `--proc` of a script magic."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    named = [word.split("=", 1)[1] for word in words if word.startswith(("--out=", "--err=", "--proc="))]
    following = [word for option, word in pairwise(words) if option in ("--out", "--err", "--proc")]
    return tuple(name for name in named + following if name.isidentifier())


def _without_options(line: str, with_value: str) -> str:
    rest = line.lstrip()
    while option := re.match(r"-(-?[A-Za-z][\w-]*)\s*", rest):
        rest = rest[option.end() :]
        letters = option.group(1)
        if letters[-1] in with_value and not letters.startswith("-") and len(letters) == 1:
            rest = re.sub(r"^\S+\s*", "", rest, count=1)
    return rest


def interpolated(text: str) -> tuple[str, ...]:
    """Python expressions that IPython puts into a command: `{expression}` and `$name`."""
    return tuple(text[start:end].strip() for start, end in interpolation_spans(text))


def interpolation_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Where those expressions start and end, without braces and dollar."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(text):
        if text.startswith("{{", at):
            at += 2
        elif text[at] == "{" and (end := expression_end(text, at)) is not None:
            found.append((at + 1, end - 1))
            at = end
        elif dollar := _DOLLAR.match(text, at):
            found += [dollar.span(1)] if dollar.group(1) else []
            at = dollar.end()
        else:
            at += 1
    return tuple(found)
