"""One open notebook: one inbox, one writer of its state, one stream, one kernel, many clients.

A command goes: step → journal → ack → events to everybody → kernel. Nothing else holds the state or changes it;
whatever finishes elsewhere (kernel, file, socket) puts its continuation into the inbox.
"""

import asyncio
import contextlib
import dataclasses
import logging
import secrets
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tailrace_gateway.blobs import Blobs
from tailrace_gateway.cell_ids import same_cells
from tailrace_gateway.clients import Client
from tailrace_gateway.comms import Comms
from tailrace_gateway.conversation import Reply
from tailrace_gateway.document import Applied, Refused, commit, step
from tailrace_gateway.durability import Durability
from tailrace_gateway.edits import plan_edits
from tailrace_gateway.effects import Effectful, Effects
from tailrace_gateway.execution import Execution
from tailrace_gateway.exporting import export
from tailrace_gateway.fold import fold
from tailrace_gateway.history import OUTSIDE
from tailrace_gateway.inbox import Inbox, Submitted, Work
from tailrace_gateway.journal import WhenWritten
from tailrace_gateway.kernel_life import KernelLife
from tailrace_gateway.kernel_port import KernelFactory
from tailrace_gateway.metrics import Metrics
from tailrace_gateway.notebook_file import ChangedOnDisk, Contents, Written
from tailrace_gateway.opening import is_saved, remember_file, remember_save, take_outside_edit
from tailrace_gateway.pending import Pending, PendingTable
from tailrace_gateway.queries import answer, ask
from tailrace_gateway.records import Answer, Saved, StoredCell
from tailrace_gateway.room import Room, refusal
from tailrace_gateway.saving import Kept, Saving
from tailrace_gateway.state import snapshot
from tailrace_gateway.stream import Stream
from tailrace_protocol.codec import ENCODERS, Encoding
from tailrace_protocol.commands import (
    AnyCommand,
    Attach,
    CellUpdate,
    Comm,
    Complete,
    Inspect,
    Ping,
    Presence,
    RenameVariable,
    RestartKernel,
    RunAll,
    RunCell,
    RunStale,
    Schema,
    StdinReply,
    Subscribe,
    TablePage,
    VariablePage,
)
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import (
    Ack,
    Cause,
    CommandExecuted,
    CommandFailed,
    DbConnectionUpdated,
    Event,
    ProjectChangedOnDisk,
    ProjectSaved,
)
from tailrace_protocol.objects import Kernel

log = logging.getLogger(__name__)

ADOPTION = 10.0  # seconds that who opens the notebook waits for a kernel that does not answer
LAST_WRITES = 3  # attempts to write the file when the notebook is closed
BUG = TailraceError(ErrorCode.INTERNAL, "The gateway has a bug: its log tells the story.")


class Notebook:
    """The actor. Public methods may be called from anywhere on the event loop."""

    def __init__(self, kept: Kept, kernels: KernelFactory, blobs: Blobs, metrics: Metrics | None = None):
        self._state = kept.state
        self._blobs = blobs
        self._metrics = metrics or Metrics()
        self._inbox = Inbox(self._take, self._take_edits, self._metrics, kept.state.info.id)
        self._stream = Stream(kept.state.info.id, kept.state.hash)
        self._untold = 0  # document events that are committed but not published yet
        self._room = Room(self._state, self._stream, self._publish, self._metrics)
        self._encoded: dict[Encoding, tuple[int, bytes]] = {}
        self._durability = Durability(self._state, kept.journal, self._publish, self.post)
        self._pendings = PendingTable(self._publish, lambda: self._state.revision, asyncio.get_running_loop().time)
        self._life = KernelLife(
            self._state,
            self._publish,
            self.post,
            kernels,
            self._pendings,
            blobs.keep,
            self._outputs_settled,
            self._remember_kernel,
        )
        self._execution = Execution(self._state, self._publish, self.post, self._pendings, self._life)
        self._comms = Comms(self._execution)
        self._saving = Saving(
            kept,
            blobs.value,
            self._life.kept,
            self.post,
            self._was_saved,
            self._changed_outside,
            self._not_saved,
        )
        self._effects = Effects(self._execution, self._life, self._saving, self._pendings)
        self._conflicts = kept.conflicts
        if not is_saved(self._state):
            self._saving.touch()
        if kept.kernel is not None:
            self._life.adopt(kept.kernel)

    @property
    def id(self) -> str:
        return self._state.info.id

    @property
    def clients(self) -> int:
        return len(self._room)

    @property
    def waiting_bytes(self) -> int:
        """What waits for the client that is furthest behind."""
        return self._room.waiting_bytes

    @property
    def seq(self) -> int:
        return self._stream.seq

    def current(self, encoding: Encoding) -> tuple[int, bytes]:
        """Seq and encoded snapshot of this moment; encoded once for any number of readers."""
        cached = self._encoded.get(encoding)
        if cached is None or cached[0] != self._stream.seq:
            frame = snapshot(self._state, epoch=self._stream.epoch, seq=self._stream.seq)
            cached = self._encoded[encoding] = (self._stream.seq, ENCODERS[encoding](frame))
        return cached

    @property
    def name(self) -> str:
        return self._state.info.name

    @property
    def path(self) -> Path:
        """The notebook file."""
        return self._saving.path

    @property
    def saved_hash(self) -> str | None:
        """SHA-256 of the file as it was last read or written."""
        return self._state.saved.file_hash if self._state.saved is not None else None

    @property
    def kernel(self) -> Kernel | None:
        """None while nobody has asked for one: the notebook was only read, for an export say."""
        return self._state.kernel if self._life.phase != "none" else None

    async def adopted(self) -> None:
        """Returns once it is decided whether a former gateway's kernel can be gone on with, after ADOPTION at most."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._life.decided.wait(), ADOPTION)

    async def stop_kernel(self) -> None:
        """End the kernel; the notebook stays open and can start another. Raises TailraceError busy_restarting."""
        await self._inbox.done(lambda: self._life.end("The kernel was stopped from the list of notebooks."))

    async def export(self, kind: str) -> tuple[bytes, str]:
        """Bytes and content type of the notebook of this moment. Raises TailraceError not_supported."""
        state = self._state
        outputs = {cell_id: state.outputs.outputs(cell_id) for cell_id in state.order}
        stored, settings = state.stored(), state.info.settings
        return await asyncio.to_thread(export, kind, self.name, stored, outputs, settings, self._blobs.value)

    async def question(self, kind: str, content: Any) -> Reply:
        """The kernel's answer to a question that changes nothing; see `queries.answer`."""
        return await answer(self._execution, self.post, kind, content)

    # Inbox

    def post(self, work: Work) -> None:
        self._inbox.put(work)

    async def settle(self) -> None:
        """Returns when everything that is in the inbox now has been done."""
        await self._inbox.settle()

    async def close(self, code: int, reason: str, *, keep_kernel: bool = False, write: bool = True) -> None:
        """Write what is unwritten (`write`), end the kernel, close every socket with this code."""
        await self.settle()
        await self._life.stop(keep=keep_kernel)
        for _ in range(LAST_WRITES if write else 0):  # one more when somebody else wrote the file just now
            await self._saving.write()
            await self.settle()
            if not self._saving.is_due:
                break
        if write:
            await self._saving.remember_now()
        await self._saving.close()
        self._room.close(code, reason)
        await self._inbox.close()
        await self._durability.close()

    def _publish(self, event: Event, *, with_hash: bool = False, folded: bool = False) -> None:
        """Everybody gets this event next. Document events are folded by `commit` already."""
        if not folded:
            fold(self._state, event)
        if isinstance(event, DbConnectionUpdated):
            self._saving.remember()
        numbered = self._stream.publish(event, with_hash=with_hash, behind=self._untold > 0)
        if isinstance(event, CommandExecuted | CommandFailed):
            known = self._state.answers.get(event.client, event.id)
            self._metrics.ended(event, (known.result or {}).get("runId") if known is not None else None)
        self._room.offer(numbered)

    # Clients

    def attach(self, client: Client, command: Attach) -> None:
        self.post(lambda: self._attach(client, command))

    def leave(self, client: Client) -> None:
        self.post(lambda: self._room.leave(client))

    def submit(self, client: Client, command: AnyCommand) -> None:
        self._inbox.put(Submitted(client, command))

    def _attach(self, client: Client, command: Attach) -> None:
        if not self._room.join(client, command):
            return
        if self._conflicts:  # found when the notebook was opened, before there was anybody to tell
            self._publish(ProjectChangedOnDisk(conflicts=self._conflicts))
            self._conflicts = ()
        self._life.start()

    # Commands

    async def _take(self, submitted: Submitted) -> None:
        client, command = submitted.client, submitted.command
        try:
            match command:
                case Comm():
                    self._comms.send(client.id, command)
                    self._ack(client, command.id)
                case Attach() | Ping():  # answered where the socket is
                    raise TailraceError(ErrorCode.NOT_SUPPORTED, "This frame has no place here.")
                case Subscribe():
                    client.topics = frozenset(command.topics)
                    self._ack(client, command.id)
                case Presence():
                    self._room.move(client, command.cell_id)
                    self._ack(client, command.id)
                case StdinReply():
                    self._execution.answer_input(command.cell_id, command.request_id, command.value)
                    self._ack(client, command.id)
                case Complete() | Inspect() | VariablePage() | TablePage() | Schema() | RenameVariable():
                    self._query(client, command)
                case _:
                    await self._apply(client, command)
        except TailraceError as error:
            self._refuse_command(client, command, error)
        except Exception:
            self._metrics.failed()
            log.exception("command %s of client %s failed", type(command).__name__, client.id)
            self._refuse(client, command.id, BUG)

    def _query(
        self, client: Client, command: Complete | Inspect | VariablePage | TablePage | Schema | RenameVariable
    ) -> None:
        ask(
            self._execution,
            self._state,
            command,
            lambda result: self._ack(client, command.id, result),
            lambda error: self._refuse(client, command.id, error),
        )

    async def _apply(self, client: Client, command: Effectful) -> None:
        known = self._state.answers.get(client.id, command.id)
        if known is not None:
            self._answer_again(client, known)
            return
        self._effects.check(command)
        runs = isinstance(command, RunCell | RunAll | RunStale | RestartKernel)
        run_id = secrets.token_hex(8) if runs else None
        outcome = step(self._state, command, client.id, run_id=run_id)
        if isinstance(outcome, Refused):
            raise TailraceError(outcome.code, outcome.message, details=outcome.details)
        ahead = None if outcome.events else self._effects.ahead(command, run_id or "")
        try:
            applied = await self._make_durable(outcome, ahead)
        except TailraceError:
            self._execution.take_back()
            raise
        self._perform(command, applied, self._announce(client, command, applied), run_id or "")

    def _announce(self, client: Client, command: Effectful, applied: Applied) -> Pending:
        """Ack, `command:executing`, document events."""
        self._ack(client, command.id, applied.result, applied.record.seq)
        cause = Cause(client=client.id, id=command.id)
        pending = self._pendings.begin(applied.record.command, cause, getattr(command, "cell_id", None))
        self._tell(applied)
        return pending

    def _perform(self, command: Effectful, applied: Applied, pending: Pending, run_id: str) -> None:
        """What the kernel is to do about it."""
        try:
            self._effects.perform(command, applied, pending, run_id)
        except TailraceError as error:
            self._pendings.fail(pending, error)
        except Exception:
            self._metrics.failed()
            log.exception("effects of %s failed", applied.record.command)
            self._pendings.fail(pending, BUG)
        self._pendings.seal(pending)

    async def _take_edits(self, submitted: list[Submitted]) -> None:
        """Edits of different cells: planned on the same state, made durable together, then told one after another.

        None can change what another comes to, so only their revisions and the positions of their events are chained.
        """
        try:
            await self._durability.ready()
        except TailraceError as error:
            for one in submitted:
                self._refuse_command(one.client, one.command, error)
            return
        outcomes = plan_edits(self._state, self._stream.seq, submitted)
        durable, failure = await self._durability.append_all(
            [outcome.record for outcome in outcomes if isinstance(outcome, Applied)]
        )
        effects: list[tuple[CellUpdate, Applied, Pending]] = []
        for one, outcome in zip(submitted, outcomes, strict=True):
            assert isinstance(one.command, CellUpdate)
            match outcome:
                case Answer():
                    self._answer_again(one.client, outcome)
                case Refused(code=code, message=message, details=details):
                    self._refuse_command(one.client, one.command, TailraceError(code, message, details=details))
                case Applied() if durable:
                    durable -= 1
                    self._commit(outcome)
                    effects.append((one.command, outcome, self._announce(one.client, one.command, outcome)))
                case Applied():
                    self._refuse_command(one.client, one.command, failure or BUG)
        for command, applied, pending in effects:
            self._perform(command, applied, pending, "")
        if failure is not None:
            self._durability.failed(failure)

    async def _make_durable(self, outcome: Applied, written: WhenWritten | None = None) -> Applied:
        """The ack names the last document event, which follows `command:executing`. Raises read_only, disk_full."""
        await self._durability.ready()
        seq = self._stream.seq + (1 + len(outcome.events) if outcome.events else 0)
        applied = dataclasses.replace(outcome, record=replace(outcome.record, seq=seq))
        await self._durability.append(applied.record, written)
        self._commit(applied)
        return applied

    def _commit(self, applied: Applied) -> None:
        commit(self._state, applied)
        self._untold = len(applied.events)

    def _tell(self, applied: Applied) -> None:
        for event in applied.events:
            self._untold -= 1
            self._publish(event, folded=True)
        if applied.lost is not None:
            self._room.tell(applied.lost.client, applied.lost.frame)
        if applied.record.revision != applied.record.base:
            self._saving.touch()

    # Answers

    def _ack(
        self, client: Client, command_id: str, result: dict[str, Any] | None = None, seq: int | None = None
    ) -> None:
        client.unacked -= 1
        position = self._stream.seq if seq is None else seq
        client.tell(Ack(id=command_id, revision=self._state.revision, seq=position, result=result))

    def _refuse(self, client: Client, command_id: str, error: TailraceError) -> None:
        client.unacked -= 1
        client.tell(refusal(command_id, error))

    def _refuse_command(self, client: Client, command: AnyCommand, error: TailraceError) -> None:
        self._refuse(client, command.id, error)
        self._metrics.refused(command, client.id, error)

    def _answer_again(self, client: Client, known: Answer) -> None:
        """The same answer; a run that did not survive its kernel or gateway is not started again, and said lost."""
        client.unacked -= 1
        result = known.result
        run_id = result.get("runId") if result else None
        if run_id is not None and not self._life.runs.is_known(run_id):
            result = {**(result or {}), "state": "lost"}
        client.tell(Ack(id=known.id, revision=known.revision, seq=known.seq, result=result))

    # File

    def _remember_kernel(self) -> None:
        self._saving.remember()

    def _outputs_settled(self) -> None:
        self._saving.touch_outputs()

    async def _was_saved(self, revision: int, cells: tuple[StoredCell, ...], written: Written) -> None:
        self._pendings.arrived("saved")
        self._durability.trouble("file", None)
        if Saved(revision=revision, file_hash=written.file_hash) == self._state.saved:
            return
        saved = remember_save(self._state, written.file_hash, revision=revision, cells=cells)
        try:
            await self._durability.append(saved)
        except TailraceError:
            return  # everybody has been told; the next segment begins with it
        current = revision == self._state.revision
        self._publish(ProjectSaved(revision=revision, path=self._state.info.path), with_hash=current)
        await self._durability.compact()

    def _not_saved(self, error: TailraceError) -> None:
        self._durability.trouble("file", error.message)
        self._pendings.arrived("saved")

    async def _changed_outside(self, changed: ChangedOnDisk) -> None:
        """Somebody else wrote the file: take it in as one step that can be undone, and say so."""
        if changed.contents is not None:
            await self._take_outside(changed.contents, changed.file_hash or "")
        elif changed.file_hash is not None:
            name = self._state.info.path
            self._not_saved(
                TailraceError(
                    ErrorCode.UNREADABLE_NOTEBOOK,
                    f"{name} was changed elsewhere and cannot be read as a notebook. Repair or delete it; until then "
                    "it is not written over, and your changes are kept in the journal.",
                )
            )
            return
        here = same_cells(self._state.stored(), self._saving.base)
        await self._saving.accept(changed)
        self._durability.trouble("file", None)
        if changed.contents is None:
            self._publish(ProjectChangedOnDisk(conflicts=()))
        if changed.contents is not None or not here:
            self._saving.touch()  # a deleted file comes back only when it lacks something

    async def _take_outside(self, contents: Contents, file_hash: str) -> None:
        command_id = secrets.token_hex(8)
        outcome, conflicts = take_outside_edit(self._state, self._saving.base, contents, command_id)
        if outcome is not None:
            applied = await self._make_durable(outcome)
            pending = self._pendings.begin("import", Cause(client=OUTSIDE, id=command_id))
            self._tell(applied)
            self._execution.take(applied.events, pending)
            self._pendings.seal(pending)
        await self._durability.append(remember_file(self._state, file_hash, contents.cells))
        self._publish(ProjectChangedOnDisk(conflicts=conflicts))
