"""IPython's extra syntax, written as the Python calls that IPython itself makes of it; knows no magic by name.

Works line by line on source text and keeps line numbers: a command that spans lines leaves empty lines behind. Source
of the rules: IPython 9, `core/inputtransformer2.py`; a test compares both on thousands of cells.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent

_STRING_START = re.compile(r"""(?i:\b[rbfut]{1,2})?('''|\"\"\"|'|")""")
_ESCAPED_OR = {quote: re.compile(rf"\\.|{re.escape(quote)}", re.DOTALL) for quote in ("'", '"', "'''", '"""')}
_PROMPT = re.compile(r"^(?:>>>|\.\.\.)(?: |$)")
_FIRST_PROMPT = re.compile(r"^>>>(?: |$)")
_IPYTHON_PROMPT = re.compile(r"^(?:(?:(?:\[nav\]|\[ins\])? )?In \[\d+\]: |\s*\.{3,}: ?)")
_ASSIGNED_COMMAND = re.compile(r"=\s*(?:%(?=[^\W\d])|!)")
_HELP = re.compile(r"(%{0,2}(?!\d)[\w*]+(?:\.(?!\d)[\w*]+|\[-?\d+\])*)(\?\??)$")
_COMMANDS = frozenset("%!?,;/")


def to_python(code: str) -> str:
    """`code` with every IPython command as a Python call; unchanged if it holds none."""
    lines = _clean(code).splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return code
    if lines[first].startswith("%%") and not re.match(r"%%\w+\?", lines[first]):
        name, _, argument = lines[first][2:].rstrip().partition(" ")
        body = "".join(lines[first + 1 :])
        body += "\n" if body and not body.endswith("\n") else ""
        return "\n" * first + f"get_ipython().run_cell_magic({name!r}, {argument!r}, {body!r})\n"
    return "".join(_commands(lines))


def _clean(code: str) -> str:
    """Without common indentation and without the prompts of a pasted session."""
    lines = code.splitlines(keepends=True)
    written = [line for line in lines if line.strip()]
    if written and written[0][0] in " \t":
        indent = re.match(r"[ \t]+", written[0])
        width = indent.end() if indent else 0
        lines = [line[width:] if line[:width].isspace() and len(line) > width else line.lstrip(" \t") for line in lines]
        lines = [line or "\n" for line in lines]
    for first, every in ((_FIRST_PROMPT, _PROMPT), (_IPYTHON_PROMPT, _IPYTHON_PROMPT)):
        shown = [line for line in lines if line.strip()]
        if shown and first.match(shown[0]):
            lines = dedent("".join(every.sub("", line, count=1) for line in lines)).splitlines(keepends=True)
    return "".join(lines)


@dataclass(slots=True)
class _Lexer:
    """Where in Python a physical line ends: inside a string, inside brackets, or at the end of a statement."""

    quote: str = ""
    depth: int = 0
    continued: bool = False

    @property
    def between_statements(self) -> bool:
        return not self.quote and self.depth == 0 and not self.continued

    def feed(self, line: str) -> int | None:
        """Take one line; gives where an assigned command (`= !ls`, `= %magic`) starts in it, if one does."""
        at, assigned = 0, False
        may_assign = self.between_statements
        self.continued = False
        while at < len(line):
            if self.quote:
                at = self._string(line, at)
                continue
            if string := _STRING_START.match(line, at):
                self.quote, at = string.group(1), string.end()
                continue
            char = line[at]
            if char == "#":
                return None
            if char == "=" and self.depth == 0 and not assigned and _is_assignment(line, at):
                assigned = True
                if may_assign and (command := _ASSIGNED_COMMAND.match(line, at)):
                    return command.end() - 1
            self.depth = max(0, self.depth + (char in "([{") - (char in ")]}"))
            at = at + 1 if not (char.isalnum() or char == "_") else _word_end(line, at)
        self.continued = not self.quote and line.endswith("\\\n")
        return None

    def _string(self, line: str, at: int) -> int:
        while found := _ESCAPED_OR[self.quote].search(line, at):
            at = found.end()
            if found.group() == self.quote:
                self.quote = ""
                return at
        if len(self.quote) == 1 and not line.endswith("\\\n"):
            self.quote = ""  # an unclosed one-line string: a syntax error that Python reports
        return len(line)


def _is_assignment(line: str, at: int) -> bool:
    return line[at + 1 : at + 2] != "=" and (at == 0 or line[at - 1] not in "=!<>:+-*/%&|^@~")


def _word_end(line: str, at: int) -> int:
    """Behind a word, but before a quote that makes its end the prefix of a string."""
    end = at
    while end < len(line) and (line[end].isalnum() or line[end] == "_"):
        end += 1
    prefixed = end < len(line) and line[end] in "'\"" and re.fullmatch(r"(?i:[rbfut]{1,2})", line[at:end])
    return at + _prefix_length(line, at) if prefixed else end


def _prefix_length(line: str, at: int) -> int:
    string = _STRING_START.match(line, at)
    return max(1, string.start() - at) if string else 1


def _commands(lines: list[str]) -> Iterator[str]:
    lexer, number = _Lexer(), 0
    while number < len(lines):
        line = lines[number]
        if lexer.between_statements and (call := _command_line(line, lines, number)):
            text, used = call
            yield text + "\n" * used
            number += used
            continue
        before = (lexer.quote, lexer.depth)
        assigned = lexer.feed(line)
        if assigned is not None:
            command, used = _continued(lines, number, assigned)
            yield line[:assigned] + _assigned_call(command) + "\n" * used
            lexer.quote, lexer.depth, lexer.continued = *before, False
            number += used
            continue
        yield line
        number += 1


def _command_line(line: str, lines: list[str], number: int) -> tuple[str, int] | None:
    """The call for the command that the statement at `number` is, and how many lines it takes."""
    content = line.strip()
    indent = line[: len(line) - len(line.lstrip())]
    if content.endswith("?") and len(content) > 1 and not content.startswith(("!", "?", "#")):
        target = _HELP.search(content)
        if target and "#" not in content and (target.start() == 0 or content[0] == "%" or " " in content):
            return indent + _help_call(target.group(1), target.group(2)), 1
    if content[:1] not in _COMMANDS or not content:
        return None
    command, used = _continued(lines, number, len(indent))
    return indent + _command_call(command), used


def _continued(lines: list[str], number: int, column: int) -> tuple[str, int]:
    """A command from `column` on, with the lines that backslashes add."""
    parts, used = [lines[number][column:]], 1
    while parts[-1].endswith("\\\n") and number + used < len(lines):
        parts.append(lines[number + used])
        used += 1
    return " ".join([part.rstrip()[:-1] for part in parts[:-1]] + [parts[-1].rstrip()]), used


def _assigned_call(command: str) -> str:
    if command.startswith("!"):
        return f"get_ipython().getoutput({command[1:]!r})"
    return _magic(command[1:])


def _magic(text: str) -> str:
    name, _, argument = text.partition(" ")
    return f"get_ipython().run_line_magic({name!r}, {argument!r})"


def _help_call(target: str, marks: str) -> str:
    if not target:
        return "get_ipython().show_usage()"
    kind = "pinfo2" if marks == "??" else "psearch" if "*" in target else "pinfo"
    return f"get_ipython().run_line_magic({kind!r}, {target!r})"


def _command_call(command: str) -> str:
    if command[:2] == "!!":
        return f"get_ipython().getoutput({command[2:]!r})"
    if command[:2] == "??":
        return _help_call(command[2:], "??")
    name, _, rest = command[1:].partition(" ")
    match command[0]:
        case "!":
            return f"get_ipython().system({command[1:]!r})"
        case "?":
            return _help_call(command[1:], "?")
        case ",":
            quoted = '", "'.join(rest.split())
            return f'{name}("{quoted}")'
        case ";":
            return f'{name}("{rest}")'
        case "/":
            return f"{name}({', '.join(rest.split())})"
        case _:
            return _magic(command[1:])
