"""What is heard of one kernel → events of the notebook, with the command that caused them. Knows no sockets."""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from msgspec.structs import replace

from tailrace_gateway.databases import Databases
from tailrace_gateway.document import analysed
from tailrace_gateway.jupyter_wire import Message
from tailrace_gateway.kernel_events import Keep, diagnostics_of, events_of, merge_streams, reason_of
from tailrace_gateway.output_log import size_of
from tailrace_gateway.pending import PendingTable
from tailrace_gateway.runs import Runs
from tailrace_gateway.state import NotebookState, bytes_of
from tailrace_protocol.codec import decode_content
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.events import (
    Cause,
    CellErrored,
    CellOmitted,
    CellOutput,
    CellOutputsCleared,
    CellStatus,
    CellStdout,
    Event,
    RunFinished,
    RunStarted,
)
from tailrace_protocol.kernel_messages import DbConfigured, GraphReply, RegisterCellReply
from tailrace_protocol.limits import RING_BYTES, RING_EVENTS
from tailrace_protocol.objects import KernelState

log = logging.getLogger(__name__)

Later = Callable[[Callable[[], None]], None]
GAP = (
    "[Output is missing here: no gateway was there to take it, and the kernel keeps only the last "
    f"{RING_EVENTS:,} messages or {RING_BYTES // 2**20} MiB.]\n"
)
IGNORED = frozenset({"execute_input", "iopub_welcome", "variables_changed", "cell_removed", "shutdown_reply"})


class Reception:
    """Takes IOPub messages of the current life in order. `show` tells busy and idle."""

    def __init__(
        self,
        state: NotebookState,
        publish: Callable[[Event], Any],
        pendings: PendingTable,
        databases: Databases,
        keep: Keep,
        show: Callable[[KernelState], None],
        runs: Runs,
        settled: Callable[[], None],
    ):
        self._state = state
        self._publish = publish
        self._pendings = pendings
        self._databases = databases
        self._keep = keep
        self._show = show
        self._runs = runs
        self._settled = settled
        self._quiet: str | None = None
        self._expected: dict[str, tuple[str, Later]] = {}  # request -> its run
        self._foreign: set[str] = set()  # execute_requests of other frontends that are under way
        self._omitted: dict[str, int] = {}  # cell → bytes left out and not told yet
        self._missed = False  # since the kernel was last asked how things are
        self._doubted: set[str] = set()  # cells whose outputs may lack what was never heard

    @property
    def is_busy(self) -> bool:
        return bool(self._runs or self._foreign)

    def hush(self, msg_id: str) -> None:
        """Graph changes caused by this request come as one project:loaded, not one by one."""
        self._quiet = msg_id

    def expect_run(self, msg_id: str, run_id: str, later: Later) -> None:
        """A run request that turns out to have nothing to run ends without a run_finished: `idle` must do."""
        self._expected[msg_id] = (run_id, later)

    def take(self, messages: Iterable[Message]) -> None:
        for message in merge_streams(messages):
            try:
                self._take(message)
            except TailraceError as error:
                log.warning("dropped %s of the kernel: %s", message.kind, error.message)
        self._tell_omitted()

    def _take(self, message: Message) -> None:
        cause = self._pendings.cause_of(message.parent_id)
        match message.kind:
            case "status":
                self._status(message)
            case "cell_registered" if message.parent_id != self._quiet:
                self.analysed(decode_content(RegisterCellReply, message.content), cause)
            case "db_configured" if cause is None:
                self._databases.heard(decode_content(DbConfigured, message.content))
            case "graph_changed" if message.parent_id == self._quiet:
                return
            case "cell_registered" | "db_configured":
                return  # the reply to our own request tells the same
            case kind if kind in IGNORED:
                return
            case _:
                for event in events_of(message, self._state, self._keep):
                    if self._doubted:
                        self._doubt(event)
                    if self._omits(event):
                        continue
                    plain = cause is None or isinstance(event, CellStdout | CellOutput)
                    self.tell(event if plain else replace(event, cause=cause))

    def tell(self, event: Event) -> None:
        """Publish an event of the kernel and what follows from it."""
        started = isinstance(event, RunStarted) and not self._runs
        self._publish(event)
        progress = self._runs.follow(event)
        if progress is not None:
            self._publish(progress)
        if started:
            self._show("busy")
        if isinstance(event, RunFinished):
            self._pendings.arrived(f"run:{event.run_id}")
            self._rest()

    def _status(self, message: Message) -> None:
        state, parent = message.content.get("execution_state"), message.parent_id
        if state == "busy" and message.parent.get("msg_type") == "execute_request":
            self._foreign.add(parent)
            self._show("busy")
        elif state == "idle":
            self._pendings.arrived(f"idle:{parent}")
            if parent in self._expected:
                run_id, later = self._expected.pop(parent)
                later(partial(self._give_up_run, run_id))
            if parent in self._foreign:
                self._foreign.discard(parent)
                self._rest()

    def _give_up_run(self, run_id: str) -> None:
        self._runs.give_up(run_id)
        if run_id not in self._runs:
            self._pendings.arrived(f"run:{run_id}")

    def _rest(self) -> None:
        if not self.is_busy:
            self._show("idle")
            self._settled()

    def _omits(self, event: Event) -> bool:
        """What a full cell says is only counted, and told once for a batch: nobody needs the bytes."""
        if isinstance(event, CellStdout | CellOutput) and self._state.outputs.is_full(event.cell_id):
            size = bytes_of(event.data) if isinstance(event, CellStdout) else size_of(event.output)
            self._omitted[event.cell_id] = self._omitted.get(event.cell_id, 0) + size
            return True
        self._tell_omitted()
        return False

    def _tell_omitted(self) -> None:
        omitted, self._omitted = self._omitted, {}
        for cell_id, size in omitted.items():
            self._publish(CellOmitted(cell_id=cell_id, bytes=size))

    def miss(self) -> None:
        """Messages are lost: what comes next does not join what is shown."""
        self._missed = True
        self._doubted = set(self._state.order)

    def _doubt(self, event: Event) -> None:
        """A cell that begins anew lacks nothing; one that goes on lacks something, and says so."""
        match event:
            case CellStatus(cell_id=cell_id, status="running"):
                self._doubted.discard(cell_id)
            case CellStatus(cell_id=cell_id, status="success" | "error" | "interrupted"):
                self._tell_gap(cell_id)
            case CellOutput(cell_id=cell_id) | CellStdout(cell_id=cell_id) | CellErrored(cell_id=cell_id):
                self._tell_gap(cell_id)
            case _:
                pass

    def _tell_gap(self, cell_id: str) -> None:
        if cell_id in self._doubted:
            self._doubted.discard(cell_id)
            self._publish(CellOutputsCleared(cell_id=cell_id, wait=False))
            self._publish(CellStdout(cell_id=cell_id, data=GAP, stream="stderr"))

    def catch_up(self, reply: GraphReply) -> None:
        """After `miss`: statuses and runs are taken as the kernel says they are now."""
        if not self._missed:
            return
        self._missed = False
        under_way: dict[str, tuple[str, ...]] = {}
        for cell_id, cell in reply.cells.items():
            if cell.status in ("queued", "running") and cell.reason is not None and cell.reason.request is not None:
                run_id = cell.reason.request
                under_way[run_id] = (*under_way.get(run_id, ()), cell_id)
        for run_id, cells in under_way.items():
            if run_id not in self._runs:
                self.tell(RunStarted(run_id=run_id, cells=cells, plan=cells, mode="reactive"))
        for lost in self._runs.lose(but=under_way):
            self.tell(lost)
        for cell_id, cell in reply.cells.items():
            known = self._state.cells.get(cell_id)
            if known is not None and known.status != cell.status:
                self._catch_up(CellStatus(cell_id=cell_id, status=cell.status, reason=reason_of(cell.reason)))
        self._doubted.clear()

    def _catch_up(self, event: CellStatus) -> None:
        if event.status == "running":  # since when is not known
            self._tell_gap(event.cell_id)
        self._doubt(event)
        self._publish(event)

    def analysed(self, reply: RegisterCellReply, cause: Cause | None = None) -> None:
        """The kernel has analysed a cell: its reads, writes and diagnostics are known.

        Taken from IOPub, not from the reply of the same content: so it stands where the kernel put it, between the
        statuses before and after.
        """
        event = analysed(
            self._state,
            reply.cell_id,
            reply.version,
            reads=reply.reads,
            writes=reply.writes,
            diagnostics=diagnostics_of(reply.diagnostics),
            outside_effects=reply.outside_effects or None,
        )
        if event is None:
            return
        self._publish(replace(event, cause=cause) if cause is not None else event)
