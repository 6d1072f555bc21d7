"""The lexical shape of SQL texts: strings, comments, names, parameters. Knows dialects' quoting, no grammar.

Every character of the text is in exactly one token, so that texts can be cut and put together again unchanged.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto


class TokenKind(Enum):
    SPACE = auto()
    COMMENT = auto()
    STRING = auto()
    QUOTED = auto()  # quoted identifier
    WORD = auto()
    NUMBER = auto()
    SYMBOL = auto()
    NAMED = auto()  # :n @n $n
    ANONYMOUS = auto()  # ?
    EXPRESSION = auto()  # {python}
    BRACE = auto()  # {{ or }}


@dataclass(frozen=True, slots=True)
class Token:
    kind: TokenKind
    start: int
    end: int


BACKSLASH_STRINGS = frozenset({"mysql", "bigquery", "snowflake", "clickhouse", "spark", "databricks", "hive", "doris"})
DOUBLE_QUOTED_STRINGS = frozenset({"mysql", "bigquery", "spark", "databricks", "hive", "doris"})
BACKTICKS = DOUBLE_QUOTED_STRINGS | {"sqlite", "clickhouse"}
BRACKET_NAMES = frozenset({"tsql", "sqlite", "fabric"})
HASH_COMMENTS = frozenset({"mysql", "bigquery", "doris"})
NESTED_COMMENTS = frozenset({"postgres", "redshift", "duckdb", "tsql", "clickhouse"})
DOLLAR_QUOTES = frozenset({"postgres", "redshift", "duckdb", "materialize", "risingwave", "snowflake"})
OWN_AT_VARIABLES = frozenset({"mysql", "doris"})  # @x is a variable of the server's session
AT_PARAMETERS = frozenset({"tsql", "fabric", "bigquery", "spanner", "sqlite"})  # where `<@x` is no operator `<@`
COLON_PATHS = frozenset({"snowflake", "databricks"})  # column:field
STRUCT_BRACES = frozenset({"duckdb", "clickhouse"})  # {'a': 1}
QUESTION_OPERATORS = frozenset({"postgres", "redshift", "materialize"})  # jsonb ? text

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[^\W\d][\w$]*")
_NAME = re.compile(r"[^\W\d]\w*|\d+")
_NUMBER = re.compile(r"\d[\w.]*(?:(?<=[eE])[+-]\d+)?|\.\d\w*")
_LINE_COMMENT = re.compile(r"--[^\n]*")
_HASH_COMMENT = re.compile(r"#[^\n]*")
_DOLLAR_TAG = re.compile(r"\$(?:[^\W\d]\w*)?\$")
_AT_OPERATORS = frozenset("~!^&|#@?")  # `!@`, `~@` …: operators of PostgreSQL; a value may stand behind `=`, `>`, `+` …
# A word before `[` or `?` is a value unless it is one of these; reserved, so they are never column names there.
_KEYWORDS = frozenset(
    "and array between by case else from having ilike in is like limit not offset on or over returning select set "  # noqa: SIM905
    "similar then to using values when where with as all any some union intersect except distinct escape end "
    "asc desc order group join left right inner outer cross window fetch for do into".split()
)


def tokenize(sql: str, dialect: str) -> tuple[Token, ...]:
    """Tokens of `sql` in order. An unclosed string or comment reaches to the end of the text."""
    return tuple(_drop_declared(sql, dialect, list(_Lexer(sql, dialect).tokens())))


class _Lexer:
    def __init__(self, sql: str, dialect: str) -> None:
        self.sql = sql
        self.dialect = dialect
        self.last: Token | None = None  # last token that is neither space nor comment
        self.brackets: list[str] = []  # "[" list, "i" subscript, "{" struct, "(" group
        self.key_due = False  # inside a struct: the next colon ends a key

    def tokens(self) -> Iterator[Token]:
        position = 0
        while position < len(self.sql):
            kind, end = self._next(position)
            token = Token(kind, position, end)
            yield token
            if kind not in (TokenKind.SPACE, TokenKind.COMMENT):
                self._enter(token)
                self.last = token
            position = end

    def _enter(self, token: Token) -> None:
        if token.kind is not TokenKind.SYMBOL:
            return
        symbol = self.sql[token.start]
        if symbol in "([{":
            subscript = symbol == "[" and self._after_value(token.start)
            self.brackets.append("i" if subscript else symbol)
            self.key_due = symbol == "{"
        elif symbol in ")]}":
            if self.brackets:
                self.brackets.pop()
            self.key_due = False
        elif symbol == "," and self.brackets and self.brackets[-1] == "{":
            self.key_due = True
        elif symbol == ":":
            self.key_due = False

    def _next(self, at: int) -> tuple[TokenKind, int]:
        sql, char = self.sql, self.sql[at]
        if space := _SPACE.match(sql, at):
            return TokenKind.SPACE, space.end()
        if (end := self._comment(at)) is not None:
            return TokenKind.COMMENT, end
        if (quoted := self._quoted(at)) is not None:
            return quoted
        if char in "{}":
            return self._brace(at)
        if char in ":@$?":
            return self._sigil(at)
        if word := _WORD.match(sql, at):
            return TokenKind.WORD, word.end()
        if number := _NUMBER.match(sql, at):
            return TokenKind.NUMBER, number.end()
        return TokenKind.SYMBOL, at + 1

    def _comment(self, at: int) -> int | None:
        sql = self.sql
        if sql.startswith("--", at) and not (self.dialect == "mysql" and sql[at + 2 : at + 3].strip()):
            return _end(_LINE_COMMENT, sql, at)
        if sql[at] == "#" and self.dialect in HASH_COMMENTS:
            return _end(_HASH_COMMENT, sql, at)
        if sql.startswith("//", at) and self.dialect == "snowflake":
            return _end(re.compile(r"//[^\n]*"), sql, at)
        if sql.startswith("/*", at):
            return _block_comment(sql, at, nested=self.dialect in NESTED_COMMENTS)
        return None

    def _quoted(self, at: int) -> tuple[TokenKind, int] | None:
        sql, char, dialect = self.sql, self.sql[at], self.dialect
        if char == "'" or (char == '"' and dialect in DOUBLE_QUOTED_STRINGS):
            if dialect in ("bigquery", "spark", "databricks") and sql.startswith(char * 3, at):
                return TokenKind.STRING, _find(sql, char * 3, at + 3)
            escapes = dialect in BACKSLASH_STRINGS or (char == "'" and self._escape_prefix(at))
            return TokenKind.STRING, _closing(sql, char, at + 1, escapes)
        if char == '"' or (char == "`" and dialect in BACKTICKS):
            return TokenKind.QUOTED, _closing(sql, char, at + 1, False)
        if char == "[" and dialect in BRACKET_NAMES:
            return TokenKind.QUOTED, _closing(sql, "]", at + 1, False)
        if char == "$" and dialect in DOLLAR_QUOTES and (tag := _DOLLAR_TAG.match(sql, at)) and not self._glued(at):
            return TokenKind.STRING, _find(sql, tag.group(), tag.end())
        return None

    def _escape_prefix(self, at: int) -> bool:
        before = self.sql[at - 1 : at]
        return before in ("e", "E") and not (at > 1 and (self.sql[at - 2].isalnum() or self.sql[at - 2] == "_"))

    def _glued(self, at: int) -> bool:
        before = self.sql[at - 1 : at]
        return bool(before) and (before.isalnum() or before == "_")

    def _brace(self, at: int) -> tuple[TokenKind, int]:
        char = self.sql[at]
        closes_struct = char == "}" and "{" in self.brackets
        if self.sql.startswith(char * 2, at) and not closes_struct and not self._struct(at):
            return TokenKind.BRACE, at + 2
        if char == "{" and (end := expression_end(self.sql, at)) is not None:
            return TokenKind.EXPRESSION, end
        return TokenKind.SYMBOL, at + 1

    def _struct(self, at: int) -> bool:
        """`{{'a': 1}: 2}` is a map whose key is a struct, not a doubled brace."""
        inner = self.sql[at + 2 : at + 3]
        return self.dialect in STRUCT_BRACES and self.sql[at] == "{" and inner in ("'", '"')

    def _sigil(self, at: int) -> tuple[TokenKind, int]:
        sql, char = self.sql, self.sql[at]
        symbol = TokenKind.SYMBOL, at + 1
        if char == "?":
            return symbol if self._question_operator(at) else (TokenKind.ANONYMOUS, at + 1)
        if char in ":@" and sql.startswith(char * 2, at):
            return TokenKind.SYMBOL, at + 2
        name = _NAME.match(sql, at + 1)
        if name is None or self._no_parameter(at, numbered=name.group()[0].isdigit()):
            return symbol
        return TokenKind.NAMED, name.end()

    def _no_parameter(self, at: int, *, numbered: bool) -> bool:
        char, before = self.sql[at], self.sql[at - 1 : at]
        if char == "$":
            return self._glued(at)
        if char == "@":
            contained = before == "<" and self.dialect not in AT_PARAMETERS
            return (
                numbered or self.dialect in OWN_AT_VARIABLES or contained or before in _AT_OPERATORS or self._glued(at)
            )
        inside = self.brackets[-1] if self.brackets else ""
        if numbered:  # :1 is a parameter of Oracle and SQLite; elsewhere a slice or a key
            return self.dialect not in ("oracle", "sqlite") or self._glued(at)
        if inside == "{" and self.key_due:
            return True
        if inside == "i":  # the colon of a slice comes first or after a value: arr[:x], arr[1:x]
            return self._after_value(at) or self._last_text() == "["
        attached = self._glued(at) or before in ('"', "'", ")", "]")
        return attached and self.dialect in (COLON_PATHS | {"duckdb"})

    def _question_operator(self, at: int) -> bool:
        if self.dialect not in QUESTION_OPERATORS:
            return False
        if self.sql[at + 1 : at + 2] in ("|", "&") or self.sql[at - 1 : at] in ("@", "?"):
            return True
        following = self.sql[at + 1 :].lstrip()
        word = _WORD.match(following)
        value = bool(word and word.group().lower() not in _KEYWORDS) or following[:1] in ("'", '"', ":", "$", "{", "(")
        return value and self._after_value(at)

    def _after_value(self, at: int) -> bool:
        """Whether the last token before `at` can end a value, so that an operator or a subscript may follow."""
        if self.last is None:
            return False
        if self.last.kind is TokenKind.WORD:
            return self._last_text().lower() not in _KEYWORDS
        return self.last.kind is not TokenKind.SYMBOL or self._last_text() in (")", "]", "}")

    def _last_text(self) -> str:
        return self.sql[self.last.start : self.last.end] if self.last else ""


def expression_end(text: str, at: int) -> int | None:
    """End of `{expression}` that starts at `at`, or None if no Python expression stands there."""
    for end in _closing_braces(text, at):
        source = text[at + 1 : end].strip()
        if source and _is_expression(source):
            return end + 1
    return None


def _is_expression(source: str) -> bool:
    try:
        compile(f"({source})", "<sql>", "eval", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


_PYTHON_PIECE = re.compile(
    r"""'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[()\[\]{};]|.""", re.DOTALL
)


def _closing_braces(text: str, at: int) -> Iterator[int]:
    """The brace that closes the one at `at`, Python strings and brackets respected; at most one."""
    depth = 0
    for piece in _PYTHON_PIECE.finditer(text, at):
        match piece.group():
            case "{" | "(" | "[":
                depth += 1
            case "}" | ")" | "]":
                depth -= 1
                if depth == 0:
                    if piece.group() == "}":
                        yield piece.start()
                    return
            case ";" if depth <= 1:
                return


def _drop_declared(sql: str, dialect: str, tokens: list[Token]) -> Iterator[Token]:
    """T-SQL: a variable that the text declares itself is none of the notebook's parameters."""
    declared: set[str] = set()
    if dialect in ("tsql", "fabric"):
        text_of: Callable[[Token], str] = lambda token: sql[token.start : token.end]  # noqa: E731
        seen = [token for token in tokens if token.kind not in (TokenKind.SPACE, TokenKind.COMMENT)]
        declaring = False
        for before, token in zip([None, *seen], seen, strict=False):
            word = text_of(token).lower()
            if word == "declare":
                declaring = True
            elif word == ";" or (token.kind is TokenKind.WORD and word in ("select", "set", "insert", "exec")):
                declaring = False
            starts = before is not None and text_of(before).lower() in ("declare", ",")
            if declaring and starts and token.kind is TokenKind.NAMED:
                declared.add(word)
    for token in tokens:
        mine = token.kind is TokenKind.NAMED and sql[token.start : token.end].lower() in declared
        yield Token(TokenKind.WORD, token.start, token.end) if mine else token


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _find(text: str, closing: str, at: int) -> int:
    found = text.find(closing, at)
    return len(text) if found < 0 else found + len(closing)


def _closing(text: str, quote: str, at: int, escapes: bool) -> int:
    while at < len(text):
        if escapes and text[at] == "\\":
            at += 2
        elif text[at] == quote:
            if not text.startswith(quote, at + 1):
                return at + 1
            at += 2
        else:
            at += 1
    return len(text)


def _block_comment(text: str, at: int, *, nested: bool) -> int:
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, at):
        depth = depth + 1 if mark.group() == "/*" and (nested or depth == 0) else depth - (mark.group() == "*/")
        if depth == 0:
            return mark.end()
    return len(text)
