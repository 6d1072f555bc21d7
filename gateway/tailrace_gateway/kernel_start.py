"""Bringing one kernel up, a new one or one that runs already. Knows ports and what to say when it fails."""

import asyncio
import logging
from collections.abc import Iterable

from tailrace_gateway.answers import Answers
from tailrace_gateway.kept_session import KeptKernel
from tailrace_gateway.kernel_port import KernelPort
from tailrace_gateway.pending import PendingTable
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import Cause, RunStarted
from tailrace_protocol.kernel_messages import AttachReply

log = logging.getLogger(__name__)

COMMANDS = {"all": "run_all", "stale": "run_stale"}  # mode of a run → what asked for it; else run_cell


async def bring_up(port: KernelPort, old: KernelPort | None, kept: KeptKernel | None, notebook: str) -> AttachReply:
    """Stop the old kernel, then start a new one, or adopt the one that is kept.

    Raises TailraceError; then nothing of it is left.
    """
    try:
        if old is not None:
            await old.stop()
        if kept is not None:
            reply = await port.adopt(kept.place, kept.epoch, kept.seq)
        else:
            reply = await port.start()
    except TailraceError:
        raise
    except OSError as error:
        await port.stop()
        raise TailraceError(ErrorCode.KERNEL_DEAD, f"The kernel cannot be started: {error.strerror}.") from None
    except asyncio.CancelledError:
        await port.stop()
        if old is not None:
            await old.stop()
        raise
    except Exception:
        log.exception("the kernel of %s cannot be started", notebook)
        await port.stop()
        message = "The kernel cannot be started: the gateway's log tells why."
        raise TailraceError(ErrorCode.KERNEL_DEAD, message) from None
    log.info("kernel %s of %s answers", reply.kernel_id, notebook)
    return reply


def go_on(runs: Iterable[RunStarted], answers: Answers, pendings: PendingTable) -> None:
    """The commands that asked for these runs are under way again: they end when their runs do."""
    asked = {(answer.result or {}).get("runId"): answer for answer in answers}
    for run in runs:
        answer = asked.get(run.run_id)
        if answer is None:
            continue
        command = COMMANDS.get(run.mode, "run_cell")
        cell_id = run.cells[0] if command == "run_cell" and len(run.cells) == 1 else None
        pending = pendings.begin(command, Cause(client=answer.client, id=answer.id), cell_id)
        pendings.wait(pending, f"run:{run.run_id}")
        pendings.seal(pending)
