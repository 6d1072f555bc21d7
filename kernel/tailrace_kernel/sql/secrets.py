"""Secrets in connection strings: finding them, hiding them, taking them out of other people's text. Pure.

Works on any string, also one that no URL parser accepts: what is typed wrong must not leak because it is wrong.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
_SCHEME = re.compile(r"\s*([A-Za-z][\w+.-]*)://")
_SECRET_KEY = re.compile(r"pass|pwd|token|secret|key|private|credential|auth", re.IGNORECASE)
_KEYWORD = re.compile(r"(?i)\b(\w*(?:pass|pwd|token|secret|key)\w*\s*=\s*)('[^']*'|\"[^\"]*\"|[^\s;&]+)")
_HOST = re.compile(r"(?:[^:@]*|\[[^\]]*\])(?::\d*)?")
_SHORT = 3  # characters: a shorter secret is replaced where it stands as a word only


@dataclass(frozen=True, slots=True)
class Parts:
    """A URL cut by position: `scheme://user:password@tail?query`; `password` and `query` as typed."""

    scheme: str
    user: str | None
    password: str | None
    tail: str  # host, port and path
    query: str


def cut(url: str) -> Parts | None:
    """The parts of `url` as RFC 3986 cuts it, None if it has no scheme; but an unescaped `@` belongs to the password,
    and so does what stands before one when there would be no host otherwise."""
    match = _SCHEME.match(url)
    if match is None:
        return None
    rest = url[match.end() :]
    if rest.startswith("/"):  # a file: no user-info
        return _parts(match[1], rest, -1)
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    at = authority.rfind("@")
    if not _HOST.fullmatch(authority[at + 1 :]):
        at = rest.rfind("@")  # the password holds a / ? or #
    return _parts(match[1], rest, at)


def _cut_wide(url: str) -> Parts | None:
    """The parts if everything before the last `@` were the password: for hiding, where too much does no harm."""
    match = _SCHEME.match(url)
    if match is None:
        return None
    rest = url[match.end() :]
    user = rest.partition(":")[0]
    at = rest.rfind("@")
    if rest.startswith("/") or at < len(user) or re.search(r"[/?#]", user):
        return cut(url)
    return _parts(match[1], rest, at)


def _parts(scheme: str, rest: str, at: int) -> Parts:
    tail, _, query = rest[at + 1 :].partition("?")
    if at < 0:
        return Parts(scheme, None, None, tail, query)
    user, colon, password = rest[:at].partition(":")
    return Parts(scheme, user, password if colon else None, tail, query)


def redact(url: str) -> str:
    """`url` as it may be shown and stored: the password and every secret of the query are `***`."""
    parts = _cut_wide(url)
    if parts is None:
        return _KEYWORD.sub(rf"\1{HIDDEN}", url) if "=" in url else (url if "@" not in url else HIDDEN)
    user_info = ""
    if parts.user is not None:
        user_info = parts.user + (f":{HIDDEN}" if parts.password is not None else "") + "@"
    query = "&".join(_redact_field(each) for each in parts.query.split("&")) if parts.query else ""
    return f"{parts.scheme}://{user_info}{parts.tail}" + (f"?{query}" if query else "")


def escaped(url: str) -> str:
    """`url` with its password percent-encoded where the user forgot to, so that every parser cuts it like `cut`."""
    parts = cut(url)
    if parts is None or parts.password is None or parts.user is None:
        return url.strip()
    password = quote(unquote(parts.password), safe="")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.user}:{password}@{parts.tail}{query}"


def is_redacted(url: str) -> bool:
    """Whether the secret of `url` was replaced by us, so that it cannot be used."""
    parts = cut(url)
    return parts is not None and (parts.password == HIDDEN or f"={HIDDEN}" in parts.query)


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secret strings of one connection, in every spelling that may come back in a driver's text."""

    spellings: tuple[str, ...] = field(default=(), repr=False)

    @staticmethod
    def of(url: str) -> "Secrets":
        cuts = [parts for parts in (cut(url), _cut_wide(url)) if parts is not None]
        found = [value for parts in cuts for value in (parts.password, *_query_secrets(parts.query)) if value]
        if not cuts:
            found = [value.strip("'\"") for _, value in _KEYWORD.findall(url)]
        spellings: set[str] = set()
        for value in found:
            plain = unquote(value)
            spellings |= {value, plain, quote(plain, safe=""), quote_plus(plain)}
            # A parser that cuts elsewhere shows a piece: the tail after an unescaped @, the head before a / or ?.
            spellings |= {piece for piece in re.split(r"[@/?#:]", plain) if len(piece) >= _SHORT}
        return Secrets(tuple(sorted(spellings - {"", HIDDEN}, key=len, reverse=True)))

    def scrub(self, text: str) -> str:
        """`text` without any of the secrets, longest first."""
        for secret in self.spellings:
            if len(secret) >= _SHORT:
                text = text.replace(secret, HIDDEN)
            else:
                text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
        return text


def _redact_field(field_text: str) -> str:
    key, equals, _ = field_text.partition("=")
    return f"{key}={HIDDEN}" if equals and _SECRET_KEY.search(key) else field_text


def _query_secrets(query: str) -> list[str]:
    pairs = [each.partition("=") for each in query.split("&")]
    return [value for key, _, value in pairs if value and _SECRET_KEY.search(key)]
