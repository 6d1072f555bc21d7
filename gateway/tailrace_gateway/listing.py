"""One line of the list of notebooks: the file, and what its kernel costs. Knows processes by their number only."""

from typing import Any

import psutil

from tailrace_gateway.library import Found
from tailrace_gateway.notebook import Notebook


def listed(entry: Found, notebook: Notebook | None) -> dict[str, Any]:
    """`kernel` is null until a window opens the notebook; `memory` in bytes while a kernel's process lives."""
    kernel = notebook.kernel if notebook is not None else None
    pid = kernel.pid if kernel is not None and kernel.state != "dead" else None
    return {
        "id": entry.id,
        "name": entry.name,
        "path": entry.shown,
        "modified": entry.modified,
        "kernel": kernel.state if kernel is not None else None,
        "memory": resident(pid) if pid is not None else None,
        "clients": notebook.clients if notebook is not None else 0,
    }


def resident(pid: int) -> int | None:
    """Bytes of memory that the process holds; null when it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
