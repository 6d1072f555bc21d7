"""Words for the end of a kernel process: why it went, and what it said last. Pure; knows no processes."""

import re
from collections.abc import Iterable

LAST_LINES = 20
BANNER_END = "    --existing "  # the last line of what ipykernel greets a terminal with
EXIT = re.compile(r"\b(_exit|exit|quit)\s*\(")


def ending(code: int | None, sources: Iterable[str]) -> str:
    """One sentence. `sources`: what ran when it ended, or just before; exit code 0 alone may be anybody's shutdown."""
    if code == 0:
        called = next((found[1] for source in sources if (found := EXIT.search(source))), None)
        if called is not None:
            return f"The kernel ended because a cell called {called}()."
    return f"The kernel process ended (exit code {code})."


def last_words(printed: str) -> str:
    """What a process printed outside any cell, without its greeting: the last lines, empty when there are none."""
    lines = printed.splitlines()
    greeted = next((at for at, line in enumerate(lines) if line.startswith(BANNER_END)), -1)
    return "\n".join(lines[greeted + 1 :][-LAST_LINES:]).strip()
