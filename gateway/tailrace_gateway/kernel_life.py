"""The kernel of one notebook through all its lives: started, adopted, registered with, heard, lost, restarted, ended.

Knows the notebook's state and a KernelPort; must not know clients, sockets or files. Every method runs in the
notebook's inbox, and what comes back from the kernel goes through that inbox too: nothing here is concurrent.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, assert_never

from tailrace_gateway.conversation import Conversation, Post, Reply, fields
from tailrace_gateway.databases import Databases
from tailrace_gateway.kept_session import KeptKernel
from tailrace_gateway.kernel_ending import ending
from tailrace_gateway.kernel_events import Keep, graph_of
from tailrace_gateway.kernel_losses import Losses
from tailrace_gateway.kernel_memory import KernelMemory
from tailrace_gateway.kernel_port import (
    Answering,
    Exited,
    Heard,
    InputAsked,
    KernelFactory,
    KernelPort,
    Missed,
    Published,
    Silent,
)
from tailrace_gateway.kernel_start import bring_up, go_on
from tailrace_gateway.pending import Pending, PendingTable
from tailrace_gateway.reception import Reception
from tailrace_gateway.registration import OWNER, Registration
from tailrace_gateway.runs import Runs
from tailrace_gateway.state import NotebookState
from tailrace_protocol.codec import decode_content
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import (
    InputRequested,
    KernelStatus,
    ProjectLoaded,
)
from tailrace_protocol.kernel_messages import (
    AttachReply,
    GraphReply,
    GraphRequest,
    RegisterCellsReply,
    RemoveCellRequest,
)
from tailrace_protocol.objects import KernelState

log = logging.getLogger(__name__)

Phase = Literal["none", "starting", "adopting", "ready", "dead"]

REGISTER_SECONDS = 60.0  # for all cells of a notebook


class KernelLife:
    """`talk` is the conversation with the kernel of now; null when there is none yet, or none any more."""

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
        self.phase: Phase = "none"
        self._life = 0
        self.talk: Conversation | None = None
        self._bringing_up: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._deferred: list[Callable[[Conversation], None]] = []
        self.lifted: set[str] = set()
        self._shown: KernelState | None = None
        self._wanted = False
        self.decided = asyncio.Event()
        self.decided.set()
        self.runs = Runs(asyncio.get_running_loop().time)
        self._losses = Losses(state, publish, self.runs)
        self._memory = KernelMemory(state, self.runs, self.lifted, remember)
        self.registration = Registration(self.lifted)
        self.databases = Databases(state, publish, pendings)
        self.reception = self._new_reception()

    def _new_reception(self) -> Reception:
        return Reception(
            self._state,
            self._publish,
            self._pendings,
            self.databases,
            self._keep,
            self._show_activity,
            self.runs,
            self._settled,
        )

    def kept(self) -> KeptKernel | None:
        """What a later gateway needs to go on with this kernel."""
        return self._memory.image()

    def _show_activity(self, state: KernelState) -> None:
        if self.phase == "ready":
            self._show(state)

    def _show(self, state: KernelState, cause: str | None = None) -> None:
        """Tell everybody the state of the kernel, once per change; at rest with the document's hash."""
        if state == self._shown:
            return
        self._shown = state
        pid = self.talk.port.pid if self.talk else None
        self._publish(KernelStatus(state=state, pid=pid, kernel_cause=cause), with_hash=state == "idle")

    # Life

    def start(self) -> None:
        """Start the kernel unless there is or was one."""
        self._wanted = True
        if self.phase == "none":
            self._launch(None, "starting")

    def _launch(self, old: KernelPort | None, state: KernelState) -> None:
        self.phase = "starting"
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
        self.reception = self._new_reception()
        self._memory.begin(port.place, reply.epoch)
        self._losses.mark_all()
        self._register_everything(talk)
        self.databases.configure_again(talk)

    def _meet(self, port: KernelPort) -> Conversation:
        self.talk = talk = Conversation(port, self._post, self._pendings)
        self.registration = Registration(self.lifted)
        return talk

    def _register_everything(self, talk: Conversation) -> None:
        everything = self.registration.everything(self._state)
        msg_id = talk.ask("register_cells", everything, self.all_registered, self._die, timeout=REGISTER_SECONDS)
        self.reception.hush(msg_id)
        talk.ask("settings", self.registration.settings(self._state), ignore, note)
        self.ask_graph(talk)

    # Adoption: a kernel whose former gateway is gone

    def adopt(self, kept: KeptKernel) -> None:
        """Go on with the kernel of a gateway that is gone; `decided` is set once it is known whether that works."""
        self.phase = "adopting"
        self._life += 1
        self.decided.clear()
        self.lifted.update(kept.lifted)
        for event in self.runs.take_over(kept.runs, kept.known):
            self._publish(event)
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
        self.reception.catch_up(reply)
        go_on(self.runs.active, self._state.answers, self._pendings)
        for cell_id, cell in reply.cells.items():
            if cell.owner == OWNER and cell_id not in self._state.cells:
                talk.ask("remove_cell", RemoveCellRequest(cell_id=cell_id, run_dependents=False), ignore, note)
        self._register_everything(talk)

    def _not_adopted(self, error: TailraceError) -> None:
        """The kernel is gone: the first who comes starts another."""
        log.info("the kernel of %s is not adopted: %s", self._state.info.id, error.message)
        self._life += 1
        self.phase = "none"
        self._lose(error)
        self._losses.mark_all()
        self._memory.forget()
        self.decided.set()
        if self._wanted:
            self._launch(None, "starting")

    def all_registered(self, content: Reply) -> None:
        for cell in decode_content(RegisterCellsReply, fields(content)).cells:
            self.reception.analysed(cell)

    def ask_graph(self, talk: Conversation) -> None:
        talk.ask("graph", GraphRequest(), partial(self._loaded, talk), self._die, timeout=REGISTER_SECONDS)

    def _loaded(self, talk: Conversation, content: Reply) -> None:
        """Everything is registered: one event tells the whole graph, and what waited for the kernel may go."""
        reply = decode_content(GraphReply, fields(content))
        self._publish(ProjectLoaded(path=self._state.info.path, graph=graph_of(reply)))
        self.phase = "ready"
        self._show("busy" if self.reception.is_busy else "idle")
        self.decided.set()
        deferred, self._deferred = self._deferred, []
        for work in deferred:
            work(talk)

    def _heard(self, life: int, heard: Heard) -> None:
        if isinstance(heard, Published):
            heard.taken()
        if life != self._life:
            return
        match heard:
            case Published(messages=messages):
                if self.phase != "dead":  # what had been lost is told already: nothing runs any more
                    self.reception.take(messages)
                    self._memory.heard(messages)
            case Missed():
                self.reception.miss()
            case InputAsked():
                self._publish(
                    InputRequested(
                        cell_id=heard.cell_id,
                        prompt=heard.prompt,
                        password=heard.password,
                        request_id=heard.request_id,
                    )
                )
            case Exited() if self.phase == "adopting":
                self._not_adopted(TailraceError(ErrorCode.KERNEL_DEAD, "The kernel ended while no gateway ran."))
            case Exited(code=code, tail=tail):
                ended = ending(code, (self._state.cells[one].code for one in self._latest_cells()))
                message = f"{ended} Restart it; nothing is re-run by itself."
                self._die(TailraceError(ErrorCode.KERNEL_DEAD, f"{message} {tail}".strip()))
            case Silent():
                self._show("unresponsive")
            case Answering():
                self._show("busy" if self.reception.is_busy else "idle")
            case _:
                assert_never(heard)

    def _ended(self, life: int, error: TailraceError) -> None:
        if life != self._life:
            return
        if self.phase == "adopting":
            self._not_adopted(error)
        else:
            self._die(error)

    def _die(self, error: TailraceError) -> None:
        """The kernel is gone or cannot be used: say so, lose its runs, keep everything shown."""
        if self.phase == "dead":
            return
        self.phase = "dead"
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
        if self.phase in ("starting", "adopting"):
            raise TailraceError(ErrorCode.BUSY_RESTARTING, "The kernel is starting already.", retry=1.0)

    def restart(self, pending: Pending) -> None:
        """A new kernel with the same cells and connections: the command `pending` alone goes on."""
        old, self.talk = self.talk, None
        if old is not None:
            old.end()
        self._memory.forget()
        self._lose(TailraceError(ErrorCode.INTERRUPTED, "The kernel was restarted."), but=pending)
        self._launch(old.port if old else None, "restarting")

    def end(self, message: str) -> None:
        """No kernel until somebody restarts it. Raises TailraceError busy_restarting."""
        self.check_restart()
        old, self.talk = self.talk, None
        self._life += 1
        self._die(TailraceError(ErrorCode.KERNEL_DEAD, message))
        if old is not None:
            old.end()
            self._ending = asyncio.create_task(old.port.stop())

    async def stop(self, *, keep: bool = False) -> None:
        """End the kernel (`keep`: let it live) and everything under way."""
        self._life += 1
        self.phase = "dead"
        if not keep:
            self._memory.forget()
        self.decided.set()
        if self._bringing_up is not None:
            self._bringing_up.cancel()
            await asyncio.gather(self._bringing_up, return_exceptions=True)
        if self._ending is not None:
            await asyncio.gather(self._ending, return_exceptions=True)
        if self.talk is not None:
            self.talk.end()
            await self.talk.port.stop(keep=keep)

    def check_running(self) -> None:
        """Raises TailraceError kernel_dead when no kernel can take a run."""
        if self.phase == "dead":
            message = "There is no kernel. Restart it; nothing is re-run by itself."
            raise TailraceError(ErrorCode.KERNEL_DEAD, message)

    def when_ready(self, work: Callable[[Conversation], None]) -> None:
        """Now, or as soon as the kernel has started; never when it does not."""
        if self.phase == "ready" and self.talk is not None:
            work(self.talk)
        else:
            self._deferred.append(work)

    def ready(self) -> Conversation:
        """Raises TailraceError kernel_starting or kernel_dead."""
        self.check_running()
        if self.phase != "ready" or self.talk is None:
            raise TailraceError(ErrorCode.KERNEL_STARTING, "The kernel is starting: ask again in a moment.", retry=1.0)
        return self.talk


def ignore(_reply: Reply) -> None:
    pass


def note(error: TailraceError) -> None:
    log.warning("the kernel refused: %s", error.message)
