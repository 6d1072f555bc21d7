"""What is kept of a notebook beside its journal: outputs its file has no place for, and where its kernel is.

Pure records. With the kernel goes what came since the last time: a gateway that was killed loses nothing of a kernel
that lives, for the next one reads these and asks the kernel for all that came after `KeptKernel.seq`.
"""

import msgspec

from tailrace_gateway.kernel_port import Place
from tailrace_gateway.runs import KeptRun
from tailrace_protocol.objects import Cell, CellError, Connection, Output, Reason, Status


class KeptOutputs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a cell showed. `code_hash` says of which code: outputs of other code are still shown, as stale."""

    code_hash: str
    outputs: tuple[Output, ...]
    status: Status
    reason: Reason | None = None
    error: CellError | None = None
    seconds: float | None = None
    execution_count: int | None = None
    omitted_bytes: int | None = None


class KeptKernel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A kernel that may outlive its gateway. The outputs kept beside it are those after its message `seq`."""

    place: Place
    epoch: str
    seq: int
    runs: tuple[KeptRun, ...] = ()  # under way
    known: tuple[str, ...] = ()  # runs that it was asked for
    lifted: tuple[str, ...] = ()  # cells whose outside effects a person allowed


class KeptSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`outputs` by cell id; `connections` as they were shown: redacted."""

    outputs: dict[str, KeptOutputs] = {}
    connections: tuple[Connection, ...] = ()
    kernel: KeptKernel | None = None


def kept_of(cell: Cell, code_hash: str) -> KeptOutputs | None:
    """What to keep of a cell; null when it shows nothing and never ran."""
    if not cell.outputs and cell.error is None and cell.status == "idle":
        return None
    return KeptOutputs(
        code_hash=code_hash,
        outputs=cell.outputs,
        status=cell.status,
        reason=cell.reason,
        error=cell.error,
        seconds=cell.seconds,
        execution_count=cell.execution_count,
        omitted_bytes=cell.omitted_bytes,
    )
