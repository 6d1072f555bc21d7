"""What a notebook asks of its kernel: keep it told, run, interrupt, connect, answer, query.

Knows the notebook's state and the kernel's life; must not know clients, sockets or files. Every method runs in the
notebook's inbox.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tailrace_gateway.conversation import Conversation, Failed, Post, Reply, Then
from tailrace_gateway.kernel_life import KernelLife, ignore, note
from tailrace_gateway.kernel_losses import OLDER
from tailrace_gateway.kernel_port import Channel, Told
from tailrace_gateway.pending import Pending, PendingTable
from tailrace_gateway.state import NotebookState
from tailrace_protocol.commands import RestartKernel, UpdateDbConnection
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import Cause, Event, InputAnswered
from tailrace_protocol.kernel_messages import ExecuteCellsRequest
from tailrace_protocol.objects import RunMode

IDLE_GRACE = 1.0  # seconds between a reply and the `idle` on IOPub that may come after it
QUERY_SECONDS = 10.0


@dataclass(slots=True)
class _Ahead:
    """A run that was asked for while its command was being made durable."""

    talk: Conversation
    msg_id: str
    run_id: str
    pending: Pending | None = None


class Execution:
    def __init__(
        self,
        state: NotebookState,
        publish: Callable[..., Any],
        post: Post,
        pendings: PendingTable,
        life: KernelLife,
    ):
        self._state = state
        self._publish = publish
        self._post = post
        self._pendings = pendings
        self._life = life
        self._loop = asyncio.get_running_loop()
        self._ahead: _Ahead | None = None

    def restart(self, pending: Pending, command: RestartKernel, run_id: str) -> None:
        """A new kernel with the same cells and connections; `rerun` runs all cells in it."""
        self._life.restart(pending)
        self._pendings.wait(pending, "restarted")
        if command.rerun:
            self.run(pending, (), "all", run_id)
        self._life.when_ready(lambda _: self._pendings.arrived("restarted"))

    def take(self, events: Iterable[Event], pending: Pending, *, cleared: bool = False) -> None:
        """Tell the kernel of these document events; a kernel that is not there yet gets everything at once later."""
        talk = self._life.talk
        if talk is None or self._life.phase == "dead":
            return
        for kind, content in self._life.registration.requests(tuple(events), self._state, cleared=cleared):
            self._structural(talk, pending, kind, content)

    def lift_outside_effects(self, cell_id: str, *, allowed: bool) -> None:
        """`mode: auto` was given explicitly on this cell, or another mode was."""
        (self._life.lifted.add if allowed else self._life.lifted.discard)(cell_id)

    def _structural(self, talk: Conversation, pending: Pending, kind: str, content: Any) -> None:
        """The command ends when the kernel has answered and everything it published about it has come."""

        def replied(reply: Reply) -> None:
            if kind == "register_cells":
                self._life.all_registered(reply)
                self._life.ask_graph(talk)
            self._later(partial(self._pendings.arrived, f"idle:{msg_id}"))
            self._pendings.arrived(f"reply:{msg_id}")

        msg_id = talk.ask(kind, content, replied, partial(self._pendings.fail, pending), pending=pending)
        if kind == "register_cells":
            self._life.reception.hush(msg_id)
        self._pendings.wait(pending, f"reply:{msg_id}")
        self._pendings.wait(pending, f"idle:{msg_id}")

    def run(self, pending: Pending, cell_ids: tuple[str, ...], mode: RunMode, run_id: str) -> None:
        """Run these cells, now or as soon as the kernel has started."""
        self._life.runs.note(run_id)
        self._pendings.wait(pending, f"run:{run_id}")
        self._life.when_ready(lambda talk: self._execute(talk, pending, cell_ids, mode, run_id))

    def stale_cells(self) -> tuple[tuple[str, ...], RunMode]:
        """What `run_stale` asks for: a new kernel does not know which cells had run before it."""
        cells = [self._state.cells[cell_id] for cell_id in self._state.order]
        stale = [cell for cell in cells if cell.status == "stale"]
        if not any(cell.reason is not None and cell.reason.code in OLDER for cell in stale):
            return (), "stale"
        return tuple(cell.id for cell in stale if cell.mode == "auto" and not cell.outside_effects), "reactive"

    def _execute(
        self, talk: Conversation, pending: Pending, cell_ids: tuple[str, ...], mode: RunMode, run_id: str
    ) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.talk is not talk or ahead.run_id != run_id:
            ahead = self._ask_run(talk, cell_ids, mode, run_id)
        ahead.pending = pending
        self._pendings.note_cause(ahead.msg_id, pending.cause)
        self._life.runs.ask(run_id, self._probable(cell_ids, mode))
        self._life.reception.expect_run(ahead.msg_id, run_id, self._later)

    def _ask_run(self, talk: Conversation, cell_ids: tuple[str, ...], mode: RunMode, run_id: str) -> _Ahead:
        def failed(error: TailraceError) -> None:
            if ahead.pending is not None:
                self._pendings.fail(ahead.pending, error)

        content = ExecuteCellsRequest(cell_ids=cell_ids, mode=mode, wait=False, run_id=run_id, allow_stdin=True)
        ahead = _Ahead(talk, talk.ask("execute_cells", content, ignore, failed), run_id)
        return ahead

    def ask_ahead(self, cell_ids: tuple[str, ...], mode: RunMode, run_id: str) -> None:
        """Ask a kernel that is ready for this run now; `run` goes on with it. What comes of it waits in the inbox."""
        talk = self._life.talk
        if self._life.phase == "ready" and talk is not None:
            with contextlib.suppress(TailraceError):  # `run` asks again, and its command fails
                self._ahead = self._ask_run(talk, cell_ids, mode, run_id)

    def take_back(self) -> None:
        """The command that was asked for ahead is refused: its run, which nobody asked for, is stopped."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.talk.ask("interrupt", {"run_id": ahead.run_id}, ignore, note)

    def _probable(self, cell_ids: tuple[str, ...], mode: RunMode) -> tuple[str, ...]:
        """The cells this run begins with, as far as the gateway can tell."""
        if cell_ids or mode != "all":
            return cell_ids
        cells = [self._state.cells[cell_id] for cell_id in self._state.order]
        return tuple(cell.id for cell in cells if cell.type != "markdown" and cell.mode == "auto")

    def interrupt(self, run_id: str | None) -> None:
        """Stop the run, or all. Check first with `check_interrupt`."""
        if self._life.talk is not None:
            self._life.talk.ask("interrupt", {"run_id": run_id} if run_id else {}, ignore, note)

    def check_interrupt(self, run_id: str | None) -> None:
        """Raises TailraceError unknown_run for a run that is not under way, kernel_dead without a kernel."""
        if run_id is not None and run_id not in self._life.runs:
            raise TailraceError(ErrorCode.UNKNOWN_RUN, f"Run {run_id} is not under way.")
        self._life.check_running()

    def connect(self, pending: Pending, command: UpdateDbConnection) -> None:
        """Configure a database; the outcome is a db event, and the command fails when the connection does."""
        request = self._life.databases.request(pending, command)
        self._life.when_ready(lambda talk: self._life.databases.configure(talk, request, pending))

    def answer_input(self, cell_id: str, request_id: str | None, value: str) -> None:
        """Raises TailraceError not_waiting: nobody asked, or somebody was quicker."""
        asked, talk = self._state.input, self._life.talk
        fits = asked is not None and asked.cell_id == cell_id and request_id in (None, asked.request_id)
        if asked is not None and fits and talk is not None and talk.port.answer_input(asked.request_id, value):
            self._publish(InputAnswered(cell_id=cell_id, request_id=asked.request_id))
            return
        raise TailraceError(ErrorCode.NOT_WAITING, "No cell waits for this input: it was answered already.")

    def tell(self, told: Told, cause: Cause) -> None:
        """A message that no reply answers. Raises TailraceError kernel_starting or kernel_dead."""
        self._pendings.note_cause(self._life.ready().port.tell(told), cause)

    def query(self, kind: str, content: Any, then: Then, failed: Failed, *, channel: Channel = "control") -> None:
        """A question that changes nothing. Raises TailraceError kernel_starting or kernel_dead."""
        self._life.ready().ask(kind, content, then, failed, channel=channel, timeout=QUERY_SECONDS)

    def _later(self, work: Callable[[], None]) -> None:
        self._loop.call_later(IDLE_GRACE, self._post, work)
