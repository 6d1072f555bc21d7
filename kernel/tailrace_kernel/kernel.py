"""The kernel: Jupyter's own requests as ipykernel answers them, and ours, on shell and on control.

Knows sockets, threads and which room answers what; must not know how cells are analysed, ordered or run. Every
tweak lives in this class, so that a stock IPKernelApp (or a remote launcher) with `kernel_class` is enough, but for
the bounds of sockets: those must be set before binding, by `app`. Under a stock application the stock ones hold.
"""

import asyncio
import contextlib
import inspect
import logging
import os
import secrets
import sys
import threading
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_client.session import extract_header
from traitlets import Type

from tailrace_kernel import capture, lifeline, output_widget, session, shell_channel, sql_magic
from tailrace_kernel.answer import Call, refusal, reply_type
from tailrace_kernel.catalogue import Catalogue
from tailrace_kernel.cell_parent import CellParent
from tailrace_kernel.conductor import Conductor
from tailrace_kernel.control import ControlChannel
from tailrace_kernel.event_ring import EventRing
from tailrace_kernel.interrupt import Interrupts
from tailrace_kernel.magics import TailraceMagics
from tailrace_kernel.numbering import NumberedSocket
from tailrace_kernel.outbox import Outbox
from tailrace_kernel.plain_cells import PlainCells
from tailrace_kernel.plain_mode import PlainMode
from tailrace_kernel.queries import Queries
from tailrace_kernel.requests import Requests
from tailrace_kernel.runner import Failure, Runner
from tailrace_kernel.scheduler import Scheduler
from tailrace_kernel.shell import CellCompiler, TailraceShell
from tailrace_kernel.versions import Namespace
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import REQUESTS, WaitingInput

logger = logging.getLogger(__name__)

SWITCH_INTERVAL = 0.0005  # seconds; a control request waits for the GIL this long, throughput does not notice
STOCK_SWITCH_INTERVAL = 0.005
SWAP_TIMEOUT = 5.0  # seconds for the IOPub thread to take its new socket


class TailraceKernel(IPythonKernel):
    shell_class = Type(TailraceShell)
    compiler_class = Type(CellCompiler)
    shell: TailraceShell

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        _log_like(self.log)
        self._stops_queue = True  # an error of the execute_request under way aborts those behind it
        self._driving: set[asyncio.Task[None]] = set()
        self._execute_sleep = 0.0  # it made up for flushes that could be lost; the outbox cannot
        assert self.session is not None
        self._wire = session.adopt(self.session)
        self.ring = EventRing(secrets.token_hex(16))
        self._number_messages()
        self.outbox = Outbox(self.iopub_thread, self._wire, f"kernel.{self.ident}")
        self.iopub_thread.send_multipart = self.outbox.put
        self.iopub_thread.schedule = self.outbox.schedule
        widgets = output_widget.install(self.shell, lambda: self.outbox.attached)
        self.shell.output_capture = widgets
        for stream in (sys.stdout, sys.stderr):
            capture.adopt(stream, self.outbox, widgets)
        capture.inherit_parents(self.shell)
        if sys.getswitchinterval() == STOCK_SWITCH_INTERVAL:
            sys.setswitchinterval(SWITCH_INTERVAL)
        self._build_rooms()
        self._add_handlers()
        self._control = ControlChannel(
            self._wire,
            self.outbox,
            self.control_stream,
            self.control_handlers,
            self.process_control,
            self._handle_control,
        )

    def start(self) -> None:
        super().start()
        shell_channel.shorten(self)
        if self._is_on_main():
            self.interrupts.rest(self._main_loop(), lambda: self.conductor.interrupt(None))

    def _number_messages(self) -> None:
        """Swap the IOPub socket for the numbering one, on the thread that owns it."""
        swapped = threading.Event()

        def swap() -> None:
            socket = self.iopub_thread.socket
            socket.xpub_verbose = True  # every client is welcomed, not only the first of its topic
            self.iopub_thread.socket = NumberedSocket(socket, self._wire, self.ring, lambda: self.outbox.attached)
            swapped.set()

        self.iopub_thread.schedule(swap)
        if not swapped.wait(SWAP_TIMEOUT):
            raise RuntimeError("the IOPub thread does not answer")

    def _build_rooms(self) -> None:
        names = self.shell.user_ns
        self.catalogue = Catalogue(self.shell.transform_cell)
        self.interrupts = Interrupts(self._is_cell_file)
        self._plain_cells = PlainCells(self.shell, self.interrupts)
        for output in (Outbox.put, Outbox.text, Outbox.wake):
            self.interrupts.shields(output)
        self.outbox.after = self.interrupts.raise_waiting
        self.outbox.is_hurried = lambda: self.interrupts.hit
        self.shell.interrupts = self.interrupts
        self.shell.is_attached = lambda: self.outbox.attached
        self._cell_parent = CellParent(self, self.shell)
        self.queries = Queries(names, self.shell.tables)
        self.shell.events.register("pre_execute", self.queries.early.note_code)
        sql_magic.install(self.shell, self.queries, self.catalogue)
        self.conductor = Conductor(
            Scheduler(),
            Namespace(names),
            Runner(
                self.shell,
                self.interrupts,
                self.queries,
                self._set_cell_parent,
            ),
            self.interrupts,
            self.outbox,
            self._wake_main,
        )
        self.queries.order = self.conductor.order
        self.plain_mode = PlainMode(self.conductor, self.catalogue, self.outbox, self._next_count, self.queries.forget)
        self.shell.register_magics(TailraceMagics(self.shell, self.plain_mode, self.conductor))
        self.lifeline = lifeline.from_environment(os.environ, self._end)
        if self.lifeline is not None and self.parent is not None:
            self.parent.poller = None  # it would end the kernel one second after its parent
        self._waiting: WaitingInput | None = None
        self.requests = Requests(
            self.ident,
            self.conductor,
            self.catalogue,
            self.queries,
            self.outbox,
            self.ring,
            self.lifeline,
            names,
            lambda: self._waiting,
        )

    def _is_cell_file(self, name: str) -> bool:
        """Of a registered cell or of an execute_request."""
        return self.catalogue.is_cell_file(name) or name in self.shell.compile._filename_map

    def _add_handlers(self) -> None:
        for kind, handler in list(self.shell_handlers.items()):
            self.shell_handlers[kind] = self._answering(handler)
        for kind, handler in list(self.control_handlers.items()):
            self.control_handlers[kind] = self._answering(handler)
        for kind in REQUESTS:
            self.shell_handlers[kind] = self._handle_on_shell

    def _answering(self, handler: Any) -> Any:
        """A stock handler that fails is logged and answers nothing: its client would wait for ever."""

        async def answering(stream: Any, ident: Any, message: dict[str, Any]) -> None:
            try:
                result = handler(stream, ident, message)
                if inspect.isawaitable(result):
                    await result
            except Exception as failure:
                kind = message["msg_type"]
                self.log.exception("handler of %s failed", kind)
                if kind.endswith("_request"):
                    problem = f"{kind} failed: {type(failure).__name__}: {failure}"
                    wrong_content = isinstance(failure, (KeyError, TypeError))
                    code = ErrorCode.BAD_FIELD if wrong_content else ErrorCode.INTERNAL
                    self._refuse(stream, ident, message, TailraceError(code, problem))
            except KeyboardInterrupt:  # the second of two, while the first was being shown
                self.interrupts.armed = False
                error = TailraceError(ErrorCode.INTERRUPTED, "The request was interrupted.")
                self._refuse(stream, ident, message, error)

        return answering

    def _refuse(self, stream: Any, ident: Any, message: dict[str, Any], error: TailraceError) -> None:
        self._wire.send(stream, reply_type(message["msg_type"]), refusal(error), message, ident)

    # Our requests.

    def dispatch_control(self, msg: Any) -> Any:
        """The control stream's callback: awaitable when the message has to wait for others."""
        return self._control.take(msg)

    def _handle_control(self, call: Call) -> None:
        if call.kind in REQUESTS:
            self.requests.handle(call)
        else:
            call.refuse(unknown(call.kind))
            call.close()

    async def _handle_on_shell(self, stream: Any, ident: Any, message: dict[str, Any]) -> None:
        """Holds its place in the queue: the next shell request waits until this one is over."""
        call = Call(self._wire, stream, ident, message, lambda: None)
        self.requests.handle(call)
        if self._is_on_main():
            await self.conductor.drive()
            self.set_parent(ident, message)
        await asyncio.wrap_future(call.closed)

    def should_handle(self, stream: Any, msg: dict[str, Any], idents: Any) -> bool:
        """Upstream aborts only execute_request after an error, and answers nothing to what it does not know."""
        kind = msg["msg_type"]
        if kind == "execute_cells_request" and self._aborting:
            self._send_abort_reply(stream, msg, idents)
            return False
        if kind not in self.shell_handlers and kind.endswith("_request"):
            self._refuse(stream, idents, msg, unknown(kind))
            return False
        return True

    @staticmethod
    def _is_on_main() -> bool:
        return threading.current_thread() is threading.main_thread()

    def _wake_main(self) -> None:
        """Have the main thread drive, unless a request on it is doing so."""
        self._main_loop().call_soon_threadsafe(self._start_driving)

    def _main_loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop = self.io_loop.asyncio_loop  # type: ignore[attr-defined]
        return loop

    def _start_driving(self) -> None:
        task = asyncio.get_running_loop().create_task(self._drive_alone())
        self._driving.add(task)
        task.add_done_callback(self._driving.discard)

    async def _drive_alone(self) -> None:
        async with self._main_asyncio_lock:
            self._forward_input(False)
            try:
                await self.conductor.drive()
            except Exception:
                logger.exception("a run stopped inside the kernel")
            finally:
                self._restore_input()

    def _set_cell_parent(self, message: dict[str, Any]) -> None:
        """Outputs, comms and input of what runs now belong to this message."""
        may_ask = message["allow_stdin"]
        if may_ask is not self._trait_values.get("_allow_stdin"):  # a trait costs more than the cell's own lines
            self._allow_stdin = may_ask
        self._cell_parent.set(message)

    def _input_request(self, prompt: str, ident: Any, parent: dict[str, Any], password: bool = False) -> str:
        """Upstream's, remembered while it waits: the client that was asked may be gone when the line is given."""
        cell_id = str(parent.get("header", {}).get("cell_id") or "")
        self._waiting = WaitingInput(cell_id=cell_id, prompt=prompt, password=password)
        try:
            line: str = super()._input_request(prompt, ident, parent, password=password)
        finally:
            self._waiting = None
        return line

    # Jupyter's own requests, where ipykernel falls short.

    async def interrupt_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Ours may name a run: one that has ended is left alone, one that has not begun is dropped."""
        run_id = parent["content"].get("run_id")
        if not self.conductor.interrupt(run_id if isinstance(run_id, str) else None):
            self._wire.send(stream, "interrupt_reply", {"status": "ok"}, parent, ident)
            return
        self.interrupts.expect()
        await super().interrupt_request(stream, ident, parent)

    async def execute_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        if not isinstance(parent["content"].get("code"), str):
            error = TailraceError(ErrorCode.BAD_FIELD, "Field 'code' of execute_request must be text.")
            self._refuse(stream, ident, parent, error)
            return
        content = parent["content"]
        if self._is_on_main():
            self._stops_queue = content.get("stop_on_error", True) and not content.get("silent", False)
        with self.interrupts.watching():
            if self._is_on_main() and self.plain_mode.takes(parent):
                await self._execute_reactively(stream, ident, parent)
            else:
                await super().execute_request(stream, ident, parent)

    async def delete_subshell_request(self, socket: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Upstream does not answer one that names no subshell."""
        if not isinstance(parent["content"].get("subshell_id"), str):
            error = TailraceError(ErrorCode.BAD_FIELD, "Field 'subshell_id' of delete_subshell_request must be text.")
            self._refuse(socket, ident, parent, error)
            return
        await super().delete_subshell_request(socket, ident, parent)

    def _abort_queues(self, subshell_id: str | None = None) -> None:
        """Upstream calls this after the reply; by then a client that read it may have sent its next request."""
        if subshell_id is not None:
            super()._abort_queues(subshell_id)

    async def do_execute(
        self,
        code: str,
        silent: bool,
        store_history: bool = True,
        user_expressions: dict[str, str] | None = None,
        allow_stdin: bool = False,
        *,
        cell_meta: dict[str, Any] | None = None,
        cell_id: str | None = None,
    ) -> dict[str, Any]:
        self._forward_input(allow_stdin)
        try:
            failure = await self._plain_cells.run(code, silent, store_history, cell_id)
        finally:
            self._restore_input()
        return self._execute_content(failure, user_expressions)

    def _execute_content(self, failure: Failure | None, user_expressions: dict[str, str] | None) -> dict[str, Any]:
        shell = self.shell
        reply: dict[str, Any] = {"status": "ok", "execution_count": shell.execution_count - 1, "user_expressions": {}}
        if failure is not None:
            reply["status"], reply["traceback"] = "error", failure.traceback
            reply["ename"], reply["evalue"] = failure.ename, failure.evalue
            if self._stops_queue and self._is_on_main():
                super()._abort_queues(None)
        else:
            reply["user_expressions"] = shell.user_expressions(user_expressions or {})
        assert shell.payload_manager is not None
        reply["payload"] = shell.payload_manager.read_payload()
        shell.payload_manager.clear_payload()
        return reply

    async def _execute_reactively(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """The request of a cell in plain mode; status messages around it are the stock ones."""
        metadata = self.init_metadata(parent)
        self._forward_input(False)
        try:
            failure, count = await self.plain_mode.execute({**parent, "ident": ident})
        finally:
            self._restore_input()
            self.set_parent(ident, parent)  # readers had parents of their own; `idle` is this request's
        content = self._execute_content(failure, parent["content"].get("user_expressions"))
        content["execution_count"] = count
        metadata = self.finish_metadata(parent, metadata, content)
        self._wire.send(stream, "execute_reply", content, parent, metadata=metadata, ident=ident)

    def _next_count(self, message: dict[str, Any]) -> int:
        count: int = self.shell.execution_count
        self.shell.execution_count = count + 1
        code = message["content"]["code"]
        if message["content"].get("store_history", True) and self.shell.history_manager is not None:
            self.shell.history_manager.store_inputs(count, code, code)
        return count

    def shell_channel_thread_main(self, msg: Any) -> None:  # type: ignore[override]
        """Cells of plain mode join the pending set now; the message itself goes its stock way and waits its turn."""
        try:
            ident, frames = self._wire.feed_identities(msg, copy=False)
            if b"cellId" in self._wire.bytes_of(frames[3]) and not self._aborting:
                message = self._wire.peek(frames)
                if message["msg_type"] == "execute_request" and self.plain_mode.takes(message):
                    self.plain_mode.arrive({**message, "ident": ident})
        except Exception:
            self.log.debug("a request could not be taken before its turn", exc_info=True)
        shell_channel.run_through(super().shell_channel_thread_main(msg))

    def _send_abort_reply(self, stream: Any, msg: dict[str, Any], idents: Any) -> None:
        self.plain_mode.abort(msg)
        super()._send_abort_reply(stream, msg, idents)

    def do_history(self, *args: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]
        """Rows of the current session carry the number it was asked by; IPython says 0 there."""
        reply: dict[str, Any] = super().do_history(*args, **options)
        session = options.get("session")
        if options.get("hist_access_type") == "range" and session == self.shell.history_manager.session_number:  # type: ignore[union-attr]
            reply["history"] = [(session, *row[1:]) for row in reply["history"]]
        return reply

    def _publish_status(self, status: str, channel: str, parent: Any = None) -> None:
        header = extract_header(parent or self.get_parent(channel))
        self.outbox.standard("status", {"execution_state": status}, header, soon=status != "busy")

    def _publish_execute_input(self, code: str, parent: Any, execution_count: int) -> None:
        content = {"code": code, "execution_count": execution_count}
        self.outbox.standard("execute_input", content, extract_header(parent), soon=False)

    @property
    def kernel_info(self) -> dict[str, Any]:
        info: dict[str, Any] = super().kernel_info
        info["supported_features"] = [*info["supported_features"], "tailrace"]
        return info

    # The end.

    async def do_shutdown(self, restart: bool) -> dict[str, Any]:
        self.queries.close()
        reply: dict[str, Any] = super().do_shutdown(restart)
        return reply

    def _end(self) -> None:
        """Nobody needs this kernel any more; user code may hold the main thread, so nothing is asked of it."""
        import psutil

        try:
            logger.warning("no client came back within the grace period: this kernel ends")
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    child.kill()
            if self.parent is not None:
                self.parent.cleanup_connection_file()
        finally:
            os._exit(0)


def unknown(kind: str) -> TailraceError:
    known = ", ".join(sorted(REQUESTS))
    return TailraceError(
        ErrorCode.UNKNOWN_REQUEST, f"This kernel does not know {kind!r}. Beside Jupyter's own: {known}."
    )


def _log_like(application: logging.Logger) -> None:
    """Our log lines go where the application's go; by default they would come out as stderr of a cell.

    Its logger makes records of all that upstream says about each message, for handlers that then drop them.
    """
    if application.handlers:
        application.setLevel(min(handler.level for handler in application.handlers))
    ours = logging.getLogger("tailrace_kernel")
    ours.handlers = list(application.handlers)
    ours.propagate = False
