"""Keeps live secrets and control characters out of every log line. Knows values, not parameter names."""

import logging
import re
from collections.abc import Callable, Iterable

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a line end inside a message could forge a line of the log
_MIN_SECRET = 6  # characters; a shorter "secret" would blank ordinary words


class RedactingFilter(logging.Filter):
    """Replaces each live secret by `***`, in message, arguments and traceback."""

    def __init__(self, secrets: Callable[[], Iterable[str]]):
        super().__init__()
        self._secrets = secrets

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self.clean(record.getMessage())
        record.args = None
        if record.exc_info and record.exc_info[0] is not None:
            lines = logging.Formatter().formatException(record.exc_info).split("\n")
            record.exc_text = "\n".join(self.clean(line) for line in lines)
            record.exc_info = None
        return True

    def clean(self, text: str) -> str:
        for secret in self._secrets():
            if len(secret) >= _MIN_SECRET:
                text = text.replace(secret, "***")
        return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def install(secrets: Callable[[], Iterable[str]]) -> Callable[[], None]:
    """Filter every handler of the root logger; returns how to undo it."""
    redacting = RedactingFilter(secrets)
    handlers = [*logging.getLogger().handlers]
    if logging.lastResort is not None:
        handlers.append(logging.lastResort)
    for handler in handlers:
        handler.addFilter(redacting)

    def uninstall() -> None:
        for handler in handlers:
            handler.removeFilter(redacting)

    return uninstall
