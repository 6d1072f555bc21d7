"""What a notebook does with its kernel: start it, keep it told, run, interrupt, restart.

Knows the notebook's state and a KernelPort; must not know clients, sockets or files. Every method runs in the
notebook's inbox, and what comes back from the kernel goes through that inbox too: nothing here is concurrent.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, assert_never

from tailrace_gateway.conversation import Conversation, Failed, Post, Reply, Then, fields
from tailrace_gateway.databases import Databases
from tailrace_gateway.kernel_ending import ending
from tailrace_gateway.kernel_events import Keep, graph_of
from tailrace_gateway.kernel_losses import OLDER, Losses
from tailrace_gateway.kernel_memory import KernelMemory
from tailrace_gateway.kernel_port import (
    Answering,
    Channel,
    Exited,
    Heard,
    InputAsked,
    KernelFactory,
    KernelPort,
    Missed,
    Published,
    Silent,
    Told,
)
from tailrace_gateway.kernel_start import bring_up, go_on
from tailrace_gateway.output_store import KeptKernel
from tailrace_gateway.pending import Pending, PendingTable
from tailrace_gateway.reception import Reception
from tailrace_gateway.registration import OWNER, Registration
from tailrace_gateway.runs import Runs
from tailrace_gateway.state import NotebookState
from tailrace_protocol.codec import decode_content
from tailrace_protocol.commands import RestartKernel, UpdateDbConnection
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import (
    Cause,
    Event,
    InputAnswered,
    InputRequested,
    KernelStatus,
    ProjectLoaded,
)
from tailrace_protocol.kernel_messages import (
    AttachReply,
    ExecuteCellsRequest,
    GraphReply,
    GraphRequest,
    RegisterCellsReply,
    RemoveCellRequest,
)
from tailrace_protocol.objects import KernelState, RunMode

log = logging.getLogger(__name__)

Phase = Literal["none", "starting", "adopting", "ready", "dead"]

IDLE_GRACE = 1.0  # seconds between a reply and the `idle` on IOPub that may come after it
REGISTER_SECONDS = 60.0  # for all cells of a notebook
QUERY_SECONDS = 10.0


class Execution:
    """The kernel of one notebook, through all its lives."""

    def __init__(
        self,
        state: NotebookState,
        publish: Callable[..., Any],
        post: Post,
        factory: KernelFactory,
        pendings: PendingTable,
        keep: Keep,
        settled: Callable[[], None],
        remember: Callable[[], None],
    ):
        """`settled` is called when no run is under way any more, `remember` when `kept` should be written soon."""
        self._state = state
        self._publish = publish
        self._post = post
        self._factory = factory
        self._pendings = pendings
        self._keep = keep
        self._settled = settled
        self._loop = asyncio.get_running_loop()
        self._phase: Phase = "none"
        self._life = 0
        self._talk: Conversation | None = None
        self._bringing_up: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._deferred: list[Callable[[Conversation], None]] = []
        self._lifted: set[str] = set()
        self._shown: KernelState | None = None
        self._wanted = False
        self.decided = asyncio.Event()
        self.decided.set()
        self.runs = Runs(self._loop.time)
        self._losses = Losses(state, publish, self.runs)
        self._memory = KernelMemory(state, self.runs, self._lifted, remember)
        self._registration = Registration(self._lifted)
        self._databases = Databases(state, publish, pendings)
        self._reception = self._new_reception()

    def _new_reception(self) -> Reception:
        return Reception(
            self._state,
            self._publish,
            self._pendings,
            self._databases,
            self._keep,
            self._show_activity,
            self.runs,
            self._settled,
        )

    def kept(self) -> KeptKernel | None:
        """What a later gateway needs to go on with this kernel."""
        return self._memory.image()

    def _show_activity(self, state: KernelState) -> None:
        if self._phase == "ready":
            self._show(state)

    def _show(self, state: KernelState, cause: str | None = None) -> None:
        """Tell everybody the state of the kernel, once per change; at rest with the document's hash."""
        if state == self._shown:
            return
        self._shown = state
        pid = self._talk.port.pid if self._talk else None
        self._publish(KernelStatus(state=state, pid=pid, kernel_cause=cause), with_hash=state == "idle")

    # Life

    def start(self) -> None:
        """Start the kernel unless there is or was one."""
        self._wanted = True
        if self._phase == "none":
            self._launch(None, "starting")

    def _launch(self, old: KernelPort | None, state: KernelState) -> None:
        self._phase = "starting"
        self._life += 1
        self._show(state)
        self._bringing_up = asyncio.create_task(self._bring_up(self._life, old, None))

    async def _bring_up(self, life: int, old: KernelPort | None, kept: KeptKernel | None) -> None:
        port = self._factory(lambda heard: self._post(partial(self._heard, life, heard)))
        try:
            reply = await bring_up(port, old, kept, self._state.info.id)
        except TailraceError as error:
            self._post(partial(self._ended, life, error))
        else:
            self._post(partial(self._adopted if kept else self._started, life, port, reply))

    def _started(self, _life: int, port: KernelPort, reply: AttachReply) -> None:
        talk = self._meet(port)
        self._reception = self._new_reception()
        self._memory.begin(port.place, reply.epoch)
        self._losses.mark_all()
        self._register_everything(talk)

    def _meet(self, port: KernelPort) -> Conversation:
        self._talk = talk = Conversation(port, self._post, self._pendings)
        self._registration = Registration(self._lifted)
        return talk

    def _register_everything(self, talk: Conversation) -> None:
        everything = self._registration.everything(self._state)
        msg_id = talk.ask("register_cells", everything, self._all_registered, self._die, timeout=REGISTER_SECONDS)
        self._reception.hush(msg_id)
        talk.ask("settings", self._registration.settings(self._state), _ignore, _note)
        self._databases.configure_again(talk)
        self._ask_graph(talk)

    # Adoption: a kernel whose former gateway is gone

    def adopt(self, kept: KeptKernel) -> None:
        """Go on with the kernel of a gateway that is gone; `decided` is set once it is known whether that works."""
        self._phase = "adopting"
        self._life += 1
        self.decided.clear()
        self._lifted.update(kept.lifted)
        for event in self.runs.take_over(kept.runs, kept.known):
            self._publish(event)
        self._databases.take_over(kept.connections)
        self._memory.begin(kept.place, kept.epoch, kept.seq)
        self._show("starting")
        self._bringing_up = asyncio.create_task(self._bring_up(self._life, None, kept))

    def _adopted(self, life: int, port: KernelPort, reply: AttachReply) -> None:
        """All that it published before this moment has been taken."""
        if life != self._life:  # it ended just now
            self._ending = asyncio.create_task(port.stop())
            return
        talk = self._meet(port)
        self._memory.go_on(reply.epoch)
        talk.ask("graph", GraphRequest(), partial(self._compare, talk), self._die, timeout=REGISTER_SECONDS)

    def _compare(self, talk: Conversation, content: Reply) -> None:
        """The document may have changed since the kernel was told of it. Nothing is run by that."""
        reply = decode_content(GraphReply, fields(content))
        self._reception.catch_up(reply)
        go_on(self.runs.active, self._state.answers, self._pendings)
        for cell_id, cell in reply.cells.items():
            if cell.owner == OWNER and cell_id not in self._state.cells:
                talk.ask("remove_cell", RemoveCellRequest(cell_id=cell_id, run_dependents=False), _ignore, _note)
        self._register_everything(talk)

    def _not_adopted(self, error: TailraceError) -> None:
        """The kernel is gone: the first who comes starts another."""
        log.info("the kernel of %s is not adopted: %s", self._state.info.id, error.message)
        self._life += 1
        self._phase = "none"
        self._lose(error)
        self._losses.mark_all()
        self._memory.forget()
        self.decided.set()
        if self._wanted:
            self._launch(None, "starting")

    def _all_registered(self, content: Reply) -> None:
        for cell in decode_content(RegisterCellsReply, fields(content)).cells:
            self._reception.analysed(cell)

    def _ask_graph(self, talk: Conversation) -> None:
        talk.ask("graph", GraphRequest(), partial(self._loaded, talk), self._die, timeout=REGISTER_SECONDS)

    def _loaded(self, talk: Conversation, content: Reply) -> None:
        """Everything is registered: one event tells the whole graph, and what waited for the kernel may go."""
        reply = decode_content(GraphReply, fields(content))
        self._publish(ProjectLoaded(path=self._state.info.path, graph=graph_of(reply)))
        self._phase = "ready"
        self._show("busy" if self._reception.is_busy else "idle")
        self.decided.set()
        deferred, self._deferred = self._deferred, []
        for work in deferred:
            work(talk)

    def _heard(self, life: int, heard: Heard) -> None:
        if life != self._life:
            return
        match heard:
            case Published(messages=messages):
                if self._phase != "dead":  # what had been lost is told already: nothing runs any more
                    self._reception.take(messages)
                    self._memory.heard(messages)
            case Missed():
                self._reception.miss()
            case InputAsked():
                self._publish(
                    InputRequested(
                        cell_id=heard.cell_id,
                        prompt=heard.prompt,
                        password=heard.password,
                        request_id=heard.request_id,
                    )
                )
            case Exited() if self._phase == "adopting":
                self._not_adopted(TailraceError(ErrorCode.KERNEL_DEAD, "The kernel ended while no gateway ran."))
            case Exited(code=code, tail=tail):
                ended = ending(code, (self._state.cells[one].code for one in self._latest_cells()))
                message = f"{ended} Restart it; nothing is re-run by itself."
                self._die(TailraceError(ErrorCode.KERNEL_DEAD, f"{message} {tail}".strip()))
            case Silent():
                self._show("unresponsive")
            case Answering():
                self._show("busy" if self._reception.is_busy else "idle")
            case _:
                assert_never(heard)

    def _ended(self, life: int, error: TailraceError) -> None:
        if life != self._life:
            return
        if self._phase == "adopting":
            self._not_adopted(error)
        else:
            self._die(error)

    def _die(self, error: TailraceError) -> None:
        """The kernel is gone or cannot be used: say so, lose its runs, keep everything shown."""
        if self._phase == "dead":
            return
        self._phase = "dead"
        self._memory.forget()
        self.decided.set()
        self._lose(error)
        self._show("dead", error.message)

    def _lose(self, error: TailraceError, *, but: Pending | None = None) -> None:
        self._losses.tell()
        self._deferred.clear()
        self._pendings.fail_all(error, but=but)

    def _latest_cells(self) -> list[str]:
        return [cell_id for cell_id in self.runs.latest() if cell_id in self._state.cells]

    def check_restart(self) -> None:
        """Raises TailraceError busy_restarting."""
        if self._phase in ("starting", "adopting"):
            raise TailraceError(ErrorCode.BUSY_RESTARTING, "The kernel is starting already.", retry=1.0)

    def restart(self, pending: Pending, command: RestartKernel, run_id: str) -> None:
        """A new kernel with the same cells and connections; `rerun` runs all cells in it."""
        old, self._talk = self._talk, None
        if old is not None:
            old.end()
        self._memory.forget()
        self._lose(TailraceError(ErrorCode.INTERRUPTED, "The kernel was restarted."), but=pending)
        self._pendings.wait(pending, "restarted")
        self._launch(old.port if old else None, "restarting")
        if command.rerun:
            self.run(pending, (), "all", run_id)
        self._deferred.append(lambda _: self._pendings.arrived("restarted"))

    def end(self, message: str) -> None:
        """No kernel until somebody restarts it. Raises TailraceError busy_restarting."""
        self.check_restart()
        old, self._talk = self._talk, None
        self._life += 1
        self._die(TailraceError(ErrorCode.KERNEL_DEAD, message))
        if old is not None:
            old.end()
            self._ending = asyncio.create_task(old.port.stop())

    async def stop(self, *, keep: bool = False) -> None:
        """End the kernel (`keep`: let it live) and everything under way."""
        self._life += 1
        self._phase = "dead"
        if not keep:
            self._memory.forget()
        self.decided.set()
        if self._bringing_up is not None:
            self._bringing_up.cancel()
            await asyncio.gather(self._bringing_up, return_exceptions=True)
        if self._ending is not None:
            await asyncio.gather(self._ending, return_exceptions=True)
        if self._talk is not None:
            self._talk.end()
            await self._talk.port.stop(keep=keep)

    # Requests

    def take(self, events: Iterable[Event], pending: Pending, *, cleared: bool = False) -> None:
        """Tell the kernel of these document events; a kernel that is not there yet gets everything at once later."""
        talk = self._talk
        if talk is None or self._phase == "dead":
            return
        for kind, content in self._registration.requests(tuple(events), self._state, cleared=cleared):
            self._structural(talk, pending, kind, content)

    def lift_outside_effects(self, cell_id: str, *, allowed: bool) -> None:
        """`mode: auto` was given explicitly on this cell, or another mode was."""
        (self._lifted.add if allowed else self._lifted.discard)(cell_id)

    def _structural(self, talk: Conversation, pending: Pending, kind: str, content: Any) -> None:
        """The command ends when the kernel has answered and everything it published about it has come."""

        def replied(reply: Reply) -> None:
            if kind == "register_cells":
                self._all_registered(reply)
                self._ask_graph(talk)
            self._later(partial(self._pendings.arrived, f"idle:{msg_id}"))
            self._pendings.arrived(f"reply:{msg_id}")

        msg_id = talk.ask(kind, content, replied, partial(self._pendings.fail, pending), pending=pending)
        if kind == "register_cells":
            self._reception.hush(msg_id)
        self._pendings.wait(pending, f"reply:{msg_id}")
        self._pendings.wait(pending, f"idle:{msg_id}")

    def _later(self, work: Callable[[], None]) -> None:
        self._loop.call_later(IDLE_GRACE, self._post, work)

    def check_running(self) -> None:
        """Raises TailraceError kernel_dead when no kernel can take a run."""
        if self._phase == "dead":
            message = "There is no kernel. Restart it; nothing is re-run by itself."
            raise TailraceError(ErrorCode.KERNEL_DEAD, message)

    def run(self, pending: Pending, cell_ids: tuple[str, ...], mode: RunMode, run_id: str) -> None:
        """Run these cells, now or as soon as the kernel has started."""
        self.runs.note(run_id)
        self._pendings.wait(pending, f"run:{run_id}")
        self._when_ready(lambda talk: self._execute(talk, pending, cell_ids, mode, run_id))

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
        content = ExecuteCellsRequest(cell_ids=cell_ids, mode=mode, wait=False, run_id=run_id, allow_stdin=True)
        failed = partial(self._pendings.fail, pending)
        msg_id = talk.ask("execute_cells", content, _ignore, failed, pending=pending)
        self.runs.ask(run_id, self._probable(cell_ids, mode))
        self._reception.expect_run(msg_id, run_id, self._later)

    def _probable(self, cell_ids: tuple[str, ...], mode: RunMode) -> tuple[str, ...]:
        """The cells this run begins with, as far as the gateway can tell."""
        if cell_ids or mode != "all":
            return cell_ids
        cells = [self._state.cells[cell_id] for cell_id in self._state.order]
        return tuple(cell.id for cell in cells if cell.type != "markdown" and cell.mode == "auto")

    def _when_ready(self, work: Callable[[Conversation], None]) -> None:
        if self._phase == "ready" and self._talk is not None:
            work(self._talk)
        else:
            self._deferred.append(work)

    def interrupt(self, run_id: str | None) -> None:
        """Stop the run, or all. Check first with `check_interrupt`."""
        if self._talk is not None:
            self._talk.ask("interrupt", {"run_id": run_id} if run_id else {}, _ignore, _note)

    def check_interrupt(self, run_id: str | None) -> None:
        """Raises TailraceError unknown_run for a run that is not under way, kernel_dead without a kernel."""
        if run_id is not None and run_id not in self.runs:
            raise TailraceError(ErrorCode.UNKNOWN_RUN, f"Run {run_id} is not under way.")
        self.check_running()

    def connect(self, pending: Pending, command: UpdateDbConnection) -> None:
        """Configure a database; the outcome is a db event, and the command fails when the connection does."""
        request = self._databases.request(pending, command)
        self._when_ready(lambda talk: self._databases.configure(talk, request, pending))

    def answer_input(self, cell_id: str, request_id: str | None, value: str) -> None:
        """Raises TailraceError not_waiting: nobody asked, or somebody was quicker."""
        asked, talk = self._state.input, self._talk
        fits = asked is not None and asked.cell_id == cell_id and request_id in (None, asked.request_id)
        if asked is not None and fits and talk is not None and talk.port.answer_input(asked.request_id, value):
            self._publish(InputAnswered(cell_id=cell_id, request_id=asked.request_id))
            return
        raise TailraceError(ErrorCode.NOT_WAITING, "No cell waits for this input: it was answered already.")

    def tell(self, told: Told, cause: Cause) -> None:
        """A message that no reply answers. Raises TailraceError kernel_starting or kernel_dead."""
        self._pendings.note_cause(self._ready().port.tell(told), cause)

    def query(self, kind: str, content: Any, then: Then, failed: Failed, *, channel: Channel = "control") -> None:
        """A question that changes nothing. Raises TailraceError kernel_starting or kernel_dead."""
        self._ready().ask(kind, content, then, failed, channel=channel, timeout=QUERY_SECONDS)

    def _ready(self) -> Conversation:
        self.check_running()
        if self._phase != "ready" or self._talk is None:
            raise TailraceError(ErrorCode.KERNEL_STARTING, "The kernel is starting: ask again in a moment.", retry=1.0)
        return self._talk


def _ignore(_reply: Reply) -> None:
    pass


def _note(error: TailraceError) -> None:
    log.warning("the kernel refused: %s", error.message)
