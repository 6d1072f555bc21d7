"""The pure core of a notebook: a command becomes events and a record, or a typed refusal.

`step` only looks; `commit` makes it so. The caller may step and commit a batch, await the journal for all of it, then
acknowledge and publish in the same order. Must not know sockets, files, threads or the clock.
"""

from dataclasses import dataclass
from typing import Any

from tailrace_gateway.records import Record, StoredCell
from tailrace_gateway.state import NotebookState
from tailrace_protocol.commands import DocumentCommand, KernelCommand
from tailrace_protocol.errors import ErrorCode
from tailrace_protocol.events import CellUpdated, Conflict, Event
from tailrace_protocol.objects import Diagnostic


@dataclass(frozen=True, slots=True)
class Lost:
    """Text of `client` was overwritten by a later writer: `frame` goes to that client only."""

    client: str
    frame: Conflict


@dataclass(frozen=True, slots=True)
class Applied:
    """`events` have neither seq nor ts yet; `result` is that of the ack; `record` goes to the journal."""

    events: tuple[Event, ...]
    result: dict[str, Any] | None
    record: Record
    lost: Lost | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing changed. `code`, `message`, `details` are those of the `error` frame."""

    code: ErrorCode
    message: str
    details: dict[str, Any] | None = None


def step(
    state: NotebookState, command: DocumentCommand | KernelCommand, client: str, *, run_id: str | None = None
) -> Applied | Refused:
    """What this command of this client would do. Changes nothing; pass the result to `commit`.

    `run_id` is the id that the caller gives to the run of a run command: it becomes `result.runId`.
    Commands of the kernel give a record without operation, except `run_cell` with `code`, which saves it.
    """
    raise NotImplementedError


def replace_cells(state: NotebookState, cells: tuple[StoredCell, ...], client: str, command_id: str) -> Applied:
    """Import, or the merge of an outside edit: the document becomes `cells`, as one undoable step."""
    raise NotImplementedError


def commit(state: NotebookState, applied: Applied) -> None:
    """Make an outcome of `step` part of the state: fold its events, note history, answer and revision."""
    raise NotImplementedError


def replay(state: NotebookState, record: Record) -> None:
    """Apply a record of the journal again: same document, history and answers as when it was made."""
    raise NotImplementedError


def analysed(
    state: NotebookState,
    cell_id: str,
    version: int,
    *,
    reads: tuple[str, ...],
    writes: tuple[str, ...],
    diagnostics: tuple[Diagnostic, ...] = (),
    outside_effects: tuple[str, ...] | None = None,
) -> CellUpdated | None:
    """The event that the kernel has analysed this version; null when the cell is gone or has a newer version."""
    raise NotImplementedError
