"""What may be shown of a database URL. Pure; knows where secrets hide in one, connects to nothing."""

import re
from urllib.parse import unquote

HIDDEN = "***"
EMBEDDED = "duckdb://"  # what is in force when nothing else was configured
_REFERENCE = re.compile(r"^(env|keyring):[A-Za-z0-9_./@-]+$")
_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)$", re.DOTALL)
_SECRET_PARAMETER = re.compile(
    r"(?P<name>[^&?=;]*(?:pass|pwd|secret|token|key|credential)[^&?=;]*)=(?P<value>[^&;]*)", re.IGNORECASE
)


def redacted(url: str | None) -> str:
    """The URL without password and secret parameters; a reference as it is; anything else is hidden whole."""
    if url is None:
        return EMBEDDED
    if _REFERENCE.match(url):
        return url
    match = _URL.match(url)
    if match is None:
        return HIDDEN
    account, at, place = match["rest"].rpartition("@")
    user, colon, _password = account.partition(":")
    shown = f"{user}{colon and ':' + HIDDEN}{at}"
    place = _SECRET_PARAMETER.sub(lambda found: f"{found['name']}={HIDDEN}", place)
    return f"{match['scheme']}://{shown}{place}"


def secrets_in(url: str | None) -> tuple[str, ...]:
    """Every text of this URL that must never be seen, longest first."""
    if url is None or _REFERENCE.match(url):
        return ()
    match = _URL.match(url)
    if match is None:
        return (url,)
    account, _, place = match["rest"].rpartition("@")
    found = [account.partition(":")[2], *(part["value"] for part in _SECRET_PARAMETER.finditer(place))]
    texts = {text for secret in found if secret for text in (secret, unquote(secret))}
    return tuple(sorted(texts, key=len, reverse=True))


def scrubbed(text: str, url: str | None) -> str:
    """A driver's message without the secrets of the URL: drivers like to echo it."""
    if url is not None and not _REFERENCE.match(url):
        text = text.replace(url, redacted(url))
    for secret in secrets_in(url):
        text = text.replace(secret, HIDDEN)
    return text
