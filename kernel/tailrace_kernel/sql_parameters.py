"""Where the parameters of a SQL text are, and nothing about databases: analysis and binding read a text alike.

`:n`, `@n` and `$n` are named parameters, `?` an anonymous one, `{expr}` a Python expression; `{{` and `}}` stand for
the brace itself and `::` is a cast. Nothing inside strings, comments and quoted identifiers counts.
"""

from dataclasses import dataclass
from typing import TypeAlias

from tailrace_kernel.sql_tokens import Token, TokenKind, tokenize


@dataclass(frozen=True, slots=True)
class Text:
    """SQL as it goes to the database, doubled braces already single."""

    text: str


@dataclass(frozen=True, slots=True)
class Named:
    """`name` has no sigil; it is a Python name unless the text numbers its parameters (`$1`)."""

    name: str
    sigil: str


@dataclass(frozen=True, slots=True)
class Anonymous:
    """A bare `?`: nothing says which value it wants."""


@dataclass(frozen=True, slots=True)
class Expression:
    """`source` is a Python expression without the braces; it parses."""

    source: str


Segment: TypeAlias = Text | Named | Anonymous | Expression


def scan(sql: str, dialect: str) -> tuple[Segment, ...]:
    """Cut `sql` into segments, in order; neighbouring texts are one. `dialect` is sqlglot's word for it."""
    segments: list[Segment] = []
    pending: list[str] = []
    for token in tokenize(sql, dialect):
        parameter = _parameter(sql, token)
        if parameter is None:
            pending.append(plain_text(sql, token))
            continue
        if pending:
            segments.append(Text("".join(pending)))
            pending.clear()
        segments.append(parameter)
    if pending:
        segments.append(Text("".join(pending)))
    return tuple(segments)


def plain_text(sql: str, token: Token) -> str:
    """What the database gets for a token that is no parameter."""
    text = sql[token.start : token.end]
    return text[0] if token.kind is TokenKind.BRACE else text


def _parameter(sql: str, token: Token) -> Segment | None:
    match token.kind:
        case TokenKind.NAMED:
            return Named(sql[token.start + 1 : token.end], sql[token.start])
        case TokenKind.ANONYMOUS:
            return Anonymous()
        case TokenKind.EXPRESSION:
            return Expression(sql[token.start + 1 : token.end - 1].strip())
        case _:
            return None
