"""The private directory of a kernel: how it is made, whose it is, whether its kernel lives. Knows no sockets."""

import contextlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from tailrace_gateway.config import SOCKET_PATH_LIMIT
from tailrace_gateway.kernel_port import Place
from tailrace_protocol.errors import ErrorCode, TailraceError

OWNER = "owner.json"  # beside the connection file


def is_at(place: Place) -> bool:
    """Whether the kernel of this place is alive."""
    return is_kernel(place.pid, Path(place.directory))


def is_kernel(pid: int, directory: Path) -> bool:
    """Whether this process is alive and the kernel of this directory."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(directory / "connection.json") in process.cmdline()
    except psutil.Error:
        return False


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a kernel's directory is: written beside its connection file, so that a later gateway finds it."""

    notebook_id: str
    pid: int


def write_owner(directory: Path, owner: Owner) -> None:
    (directory / OWNER).write_text(json.dumps([owner.notebook_id, owner.pid]))


def living_kernels(base: Path) -> list[str]:
    """Ids of the notebooks whose kernels run; what kernels that have ended left is removed. Blocks."""
    found = []
    for record in base.glob(f"k*/{OWNER}"):
        with contextlib.suppress(OSError, ValueError, TypeError):  # half-written, or not ours
            notebook_id, pid = json.loads(record.read_text())
            if is_kernel(int(pid), record.parent):
                found.append(str(notebook_id))
            else:
                shutil.rmtree(record.parent, ignore_errors=True)
    return found


def private_directory(base: Path) -> Path:
    """A new directory that only its owner can enter, short enough for socket paths. Raises TailraceError internal."""
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = base.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        message = f"The runtime directory {base} must belong to you alone: chmod 700 it, or set XDG_RUNTIME_DIR."
        raise TailraceError(ErrorCode.INTERNAL, message)
    made = Path(tempfile.mkdtemp(prefix="k", dir=base))  # 0700
    if len(os.fsencode(made)) + len("/s-5") > SOCKET_PATH_LIMIT:
        made.rmdir()
        message = f"The runtime directory {base} has too long a name for sockets: set XDG_RUNTIME_DIR to a short one."
        raise TailraceError(ErrorCode.INTERNAL, message)
    return made
