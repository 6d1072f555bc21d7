"""Cutting a SQL text into statements and saying what each may do, from its words alone; knows no grammar tree.

Cheap on purpose: the room that runs statements asks here and never loads a parser.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tailrace_kernel.sql_tokens import Token, TokenKind, tokenize

QUERIES = frozenset(
    "select values table from show describe desc summarize with explain pragma list pivot unpivot".split()  # noqa: SIM905
)
SETTINGS = frozenset(
    "set reset use analyze declare lock unlock listen notify unlisten discard print install load".split()  # noqa: SIM905
)
# BEGIN or COMMIT in a cell: it manages its transaction itself. Savepoints live inside ours.
OWN_TRANSACTION = frozenset({"begin", "start", "commit", "end", "abort"})
TRANSACTIONS = frozenset("begin start commit rollback savepoint release end abort".split())  # noqa: SIM905
OPAQUE = frozenset("call execute exec do prepare deallocate go if while loop return open fetch".split())  # noqa: SIM905
_WRITES_IN_CTE = frozenset({"insert", "update", "delete", "merge", "replace"})
_NO_TRANSACTION = (
    ("vacuum",),
    ("create", "database"),
    ("drop", "database"),
    ("alter", "database"),
    ("create", "tablespace"),
    ("drop", "tablespace"),
    ("alter", "system"),
    ("checkpoint",),
    ("attach",),
    ("detach",),
)


@dataclass(frozen=True, slots=True)
class Statement:
    """`text` is cut from the source as written, parameters included, without the closing semicolon."""

    text: str
    kind: str  # leading verb in lower case: "select", "insert", "create", "explain" …; "" if there is none
    is_write: bool  # changes data, structure or a file
    is_opaque: bool  # nobody can say what it reads or writes: CALL, EXECUTE, DO …
    refuses_transaction: bool  # must run outside a transaction: VACUUM, CREATE DATABASE …
    controls_transaction: bool  # BEGIN, COMMIT, ROLLBACK, SAVEPOINT …
    start_line: int  # from 1, of its first token


def in_autocommit(statements: Sequence["Statement"]) -> bool:
    """Whether a cell with these statements cannot be one transaction of ours."""
    return any(each.refuses_transaction or each.kind in OWN_TRANSACTION for each in statements)


def split(sql: str, dialect: str) -> list[Statement]:
    """Statements in order; empty ones (nothing but comments) are left out."""
    return [_statement(sql, piece, dialect) for piece in _pieces(sql, tokenize(sql, dialect), dialect)]


def _pieces(sql: str, tokens: Sequence[Token], dialect: str) -> Iterator[list[Token]]:
    """Significant tokens of one statement after the other."""
    piece: list[Token] = []
    blocks = _Blocks()
    for token in tokens:
        if token.kind in (TokenKind.SPACE, TokenKind.COMMENT):
            continue
        word = sql[token.start : token.end].lower()
        if token.kind is TokenKind.SYMBOL and word == ";" and not blocks.open:
            if piece:
                yield piece
            piece, blocks = [], _Blocks()
            continue
        if token.kind is TokenKind.WORD and dialect in ("tsql", "fabric") and word == "go" and _alone(sql, token):
            if piece:
                yield piece
            piece, blocks = [], _Blocks()
            continue
        blocks.see(word, token.kind)
        piece.append(token)
    if piece:
        yield piece


def _alone(sql: str, token: Token) -> bool:
    """T-SQL's batch separator stands on a line of its own."""
    line_start = sql.rfind("\n", 0, token.start) + 1
    line_end = sql.find("\n", token.end)
    return sql[line_start : None if line_end < 0 else line_end].strip().lower() == "go"


class _Blocks:
    """Bodies of triggers and routines hold semicolons: BEGIN … END, with CASE and loops inside."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.depth = 0
        self.before = ""

    @property
    def open(self) -> bool:
        return self.depth > 0

    def see(self, word: str, kind: TokenKind) -> None:
        if kind is not TokenKind.WORD:
            return
        routine = self.words[:1] in (["create"], ["alter"]) and bool(
            {"trigger", "procedure", "function", "proc", "event", "package"} & set(self.words)
        )
        if routine:
            if word in ("begin", "case") or (self.depth and word in ("if", "loop", "while", "repeat")):
                self.depth += self.before != "end" and not (word == "if" and self.before in ("", "exists"))
            elif word == "end" and self.depth:
                self.depth -= 1
        if len(self.words) < 12:
            self.words.append(word)
        self.before = word


def _statement(sql: str, piece: list[Token], dialect: str) -> Statement:
    words = [sql[token.start : token.end].lower() if token.kind is TokenKind.WORD else "" for token in piece]
    symbols = [sql[token.start : token.end] for token in piece]
    kind = _verb(words, symbols)
    start = piece[0].start
    return Statement(
        text=sql[start : piece[-1].end],
        kind=kind,
        is_write=_is_write(kind, words, symbols),
        is_opaque=_is_opaque(kind, words),
        refuses_transaction=_refuses_transaction(words, dialect),
        controls_transaction=kind in TRANSACTIONS,
        start_line=sql.count("\n", 0, start) + 1,
    )


def _verb(words: list[str], symbols: list[str]) -> str:
    """The verb a statement is about: that after WITH's definitions; parentheses before a query do not count."""
    first = next((word for word in words if word), "")
    if first != "with":
        return first
    depth = 0
    for word, symbol in zip(words, symbols, strict=True):
        depth += (symbol == "(") - (symbol == ")")
        if depth == 0 and word in ("select", "insert", "update", "delete", "merge", "values", "table", "from"):
            return word
    return first


def _is_write(kind: str, words: list[str], symbols: list[str]) -> bool:
    if kind == "explain":
        runs = "analyze" in words[:4] or "analyse" in words[:4]
        return runs and any(word in _WRITES_IN_CTE or word == "create" for word in words[1:])
    if kind == "pragma":
        return "=" in symbols
    if kind in ("select", "from", "values", "table"):
        return _writing_query(words, symbols)
    if kind == "copy":  # COPY table FROM writes the table, COPY … TO writes a file
        return True
    return bool(kind) and kind not in QUERIES | SETTINGS | TRANSACTIONS


def _writing_query(words: list[str], symbols: list[str]) -> bool:
    """SELECT … INTO a table, and changes hidden in a WITH."""
    depth = 0
    for position, (word, symbol) in enumerate(zip(words, symbols, strict=True)):
        depth += (symbol == "(") - (symbol == ")")
        defines = symbols[position - 1 : position] == ["("] and words[position - 2 : position - 1] in (
            ["as"],
            ["materialized"],
        )
        if (word in _WRITES_IN_CTE and defines) or (word == "into" and depth == 0):
            return True
    return False


def _is_opaque(kind: str, words: list[str]) -> bool:
    return not kind or kind in OPAQUE


def _refuses_transaction(words: list[str], dialect: str) -> bool:
    head = tuple(word for word in words[:6] if word)
    if any(head[: len(start)] == start for start in _NO_TRANSACTION):
        return True
    if head[:1] == ("pragma",):
        return dialect == "sqlite"  # journal_mode and foreign_keys are ignored or refused inside one
    return "concurrently" in head or (head[:1] == ("reindex",) and bool({"database", "system"} & set(head)))
