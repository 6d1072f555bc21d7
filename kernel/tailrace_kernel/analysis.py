"""From the source of a Python cell to its facts and its compiled code; knows no graph, no kernel and runs nothing."""

from collections.abc import Callable

from tailrace_kernel.facts import Analysis


def analyze(code: str, *, filename: str = "<cell>", transform: Callable[[str], str] | None = None) -> Analysis:
    """Facts of a Python cell. Never raises: what does not parse has `parses=False` and a diagnostic "syntax".

    `filename` is what tracebacks show. `transform` turns IPython syntax into Python and is called only for a cell that
    is no plain Python; a kernel passes its shell's `transform_cell`, so that the user's own transformers count.
    """
    raise NotImplementedError
