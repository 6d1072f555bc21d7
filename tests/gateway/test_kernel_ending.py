"""The words for a kernel's end: what it said last without its greeting, and who asked for it."""

import pytest

from tailrace_gateway.kernel_ending import LAST_LINES, ending, last_words

GREETING = """NOTE: When using the `ipython kernel` entry point, Ctrl-C will not work.

To exit, you will have to explicitly quit this process, by either sending
"quit" from a client, or using Ctrl-\\ in UNIX-like environments.

To read more about this, see https://github.com/ipython/ipython/issues/2049


To connect another client to this kernel, use:
    --existing /run/user/1000/tailrace/k1/connection.json
"""
FAULT = 'Fatal Python error: Segmentation fault\n\nThread 0x1:\n  File "<stdin>", line 1'


def test_the_greeting_is_not_what_a_kernel_died_of() -> None:
    assert last_words(GREETING) == ""
    assert last_words(GREETING + FAULT + "\n") == FAULT
    assert last_words(FAULT) == FAULT
    many = "\n".join(f"line {number}" for number in range(100))
    assert last_words(GREETING + many).splitlines()[0] == f"line {100 - LAST_LINES}"


@pytest.mark.parametrize(
    ("code", "source", "words"),
    [
        (0, "x = 1\nexit()", "because a cell called exit()"),
        (0, "quit ()", "because a cell called quit()"),
        (0, "import os; os._exit(0)", "because a cell called _exit()"),
        (0, "on_exit()", "(exit code 0)"),
        (0, "", "(exit code 0)"),
        (-9, "exit()", "(exit code -9)"),
    ],
)
def test_only_a_clean_end_can_have_been_asked_for(code: int, source: str, words: str) -> None:
    assert words in ending(code, ["y = 2", source])
