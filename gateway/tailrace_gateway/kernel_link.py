"""One set of ZeroMQ sockets to one kernel, whatever the number of clients. Knows sockets and messages, no notebooks.

The IOPub pump takes what is there in bounded batches and yields between them: `recv_multipart` of pyzmq does not yield
while messages wait, and a printing cell would starve the event loop.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from tailrace_gateway.jupyter_wire import BadMessageError, Message, Session
from tailrace_gateway.kernel_port import Answering, Asked, Channel, Hear, InputAsked, Published, Silent, Told
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import WaitingInput

log = logging.getLogger(__name__)

BATCH = 256  # IOPub messages taken before others get a turn
BATCH_BYTES = 2**20  # of them; one message more may be larger
AHEAD = 64  # messages that ZeroMQ reads before they are taken; the rest waits in the kernel, and nothing is lost
RECONNECT = 20  # milliseconds between attempts while the kernel binds its sockets
HEARTBEAT = 1.0  # seconds between beats
SILENCE = 5.0  # seconds without an echo or a message until the kernel counts as unresponsive
QUIET = 30  # milliseconds without a message after which an ended kernel has said everything
LAST_WORDS = 0.5  # seconds at most for what an ended kernel said
MAX_FUTURE_IDS = 1_000  # questions a kernel may leave open


class KernelLink:
    """Sockets control, shell, stdin (DEALER), iopub (SUB) and heartbeat to one kernel."""

    def __init__(self, connection: Mapping[str, Any], hear: Hear, identity: str | None = None):
        """`identity`: by which name the kernel knows this client, on all channels; a new one if null."""
        self._hear = hear
        self._connection = connection
        self._context = zmq.asyncio.Context()
        key = connection.get("key", b"")
        self._session = Session(key.encode() if isinstance(key, str) else key)
        self.identity = identity or self._session.id
        self._sockets: dict[str, zmq.asyncio.Socket] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._handshakes: list[asyncio.Task[None]] = []
        self._subscribed = asyncio.Event()
        self._replies: dict[str, asyncio.Future[Mapping[str, Any]]] = {}
        self._inputs: dict[str, Mapping[str, Any]] = {}  # request id → header of the request
        self._heard_at = 0.0
        self._silent = False

    def open(self) -> None:
        """Connect every socket and start listening; the kernel need not be there yet."""
        for name, kind in (
            ("control", zmq.DEALER),
            ("shell", zmq.DEALER),
            ("stdin", zmq.DEALER),
            ("iopub", zmq.SUB),
            ("hb", zmq.DEALER),
        ):
            self._sockets[name] = self._connect(name, kind)
        self._spawn(self._read_replies("control"))
        self._spawn(self._read_replies("shell"))
        self._spawn(self._read_inputs())
        self._spawn(self._pump())

    def watch(self) -> None:
        """Start the heartbeat: from now on silence is told."""
        self._heard_at = asyncio.get_running_loop().time()
        self._spawn(self._beat())

    async def connected(self) -> None:
        """Returns once every channel is connected and the subscription is in force.

        Each socket finds the kernel by itself, so the reply on one says nothing of the others; a kernel drops what
        it says to a channel that is not there yet: the output of a first run, or its question for input.
        """
        await asyncio.gather(*self._handshakes, self._subscribed.wait())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(_tell_bug)
        self._tasks.append(task)

    def _connect(self, name: str, kind: int) -> zmq.asyncio.Socket:
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.rcvhwm = AHEAD if name == "iopub" else 0
        if kind == zmq.DEALER and name != "hb":
            socket.identity = self.identity.encode()
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.reconnect_ivl = RECONNECT
        monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._handshakes.append(asyncio.create_task(_handshake(socket, monitor)))
        socket.connect(endpoint(self._connection, name))
        return socket

    def ask(self, kind: str, content: Any, channel: Channel, timeout: float | None) -> Asked:
        """Send `<kind>_request`; its reply is awaited for `timeout` seconds."""
        msg_id, frames = self._session.pack(f"{kind}_request", content)
        if len(self._replies) >= MAX_FUTURE_IDS:
            raise TailraceError(ErrorCode.KERNEL_UNRESPONSIVE, "The kernel leaves too many requests unanswered.")
        future: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda _: self._replies.pop(msg_id, None))
        self._replies[msg_id] = future
        self._send(channel, frames)
        return Asked(msg_id, answer(kind, future, timeout))

    def tell(self, told: Told) -> str:
        """Send a message on shell; the kernel answers it with what it does, not with a reply."""
        msg_id, frames = self._session.pack(told.kind, told.content, dict(told.metadata), cell_id=told.cell_id)
        self._send("shell", [*frames, *told.buffers])
        return msg_id

    def answer_input(self, request_id: str, value: str) -> bool:
        asked = self._inputs.pop(request_id, None)
        if asked is None:
            return False
        self._send("stdin", self._session.answer("input_reply", asked, {"status": "ok", "value": value}))
        return True

    def wait_again(self, waiting: WaitingInput) -> InputAsked:
        """A cell waits for a line that a former client was asked for; the kernel takes it from anybody."""
        request_id = f"{self._session.id}_input"
        self._inputs = {request_id: {"msg_id": request_id, "session": self._session.id, "msg_type": "input_request"}}
        return InputAsked(request_id, waiting.cell_id, waiting.prompt, waiting.password)

    def _send(self, channel: str, frames: list[bytes]) -> None:
        """At once when the socket takes it, else in order when it does.

        Through the asyncio socket: a plain send would swallow the edge that tells it of a reply.
        """
        sent = asyncio.ensure_future(self._sockets[channel].send_multipart(frames))
        sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def _read_replies(self, channel: str) -> None:
        socket = self._sockets[channel]
        while True:
            message = self.unpack(await socket.recv_multipart())
            future = self._replies.get(message.parent_id) if message else None
            if message and future and not future.done():
                content = dict(message.content)
                if message.buffers:
                    content["buffers"] = message.buffers
                future.set_result(content)

    async def _read_inputs(self) -> None:
        while True:
            message = self.unpack(await self._sockets["stdin"].recv_multipart())
            if message is None or message.kind != "input_request":
                continue
            request_id = str(message.header.get("msg_id"))
            self._inputs.clear()  # a kernel waits for one line at a time
            self._inputs[request_id] = message.header
            cell_id = message.tailrace.get("cell_id") or message.parent.get("cell_id") or ""
            prompt, password = str(message.content.get("prompt", "")), bool(message.content.get("password"))
            self._hear(InputAsked(request_id, str(cell_id), prompt, password))

    async def _pump(self) -> None:
        socket = self._sockets["iopub"]
        shadow: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
        taken = asyncio.Event()
        while True:
            await socket.poll()
            messages = tuple(message for frames in drain(shadow) if (message := self.unpack(frames)))
            if messages:
                self._subscribed.set()  # the kernel welcomes every subscriber
                taken.clear()
                self._hear(Published(messages, taken.set))
                await taken.wait()  # who is slower than the kernel must not gather what it says
            await asyncio.sleep(0)

    async def drained(self) -> None:
        """Returns when nothing more comes on IOPub: what the kernel said before it ended has been taken."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                while await self._sockets["iopub"].poll(QUIET):  # noqa: ASYNC110  the turn is the pump's
                    await asyncio.sleep(0)

    async def _beat(self) -> None:
        """The echo comes from a thread of its own: it is silent when the process is stopped or the GIL is held."""
        loop, socket = asyncio.get_running_loop(), self._sockets["hb"]
        shadow: zmq.Socket[bytes] = zmq.Socket.shadow(socket)
        while True:
            with contextlib.suppress(zmq.Again):
                shadow.send_multipart([b"", b"tailrace"], flags=zmq.NOBLOCK)
            await asyncio.sleep(HEARTBEAT)
            if drain(shadow):
                self._heard_now()
            elif loop.time() - self._heard_at > SILENCE and not self._silent:
                self._silent = True
                self._hear(Silent())

    def _heard_now(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        if self._silent:
            self._silent = False
            self._hear(Answering())

    def unpack(self, frames: list[bytes]) -> Message | None:
        """A message of this kernel; null, and a line in the log, for anything else."""
        try:
            message = self._session.unpack(frames)
        except BadMessageError as error:
            log.warning("dropped a message of the kernel: %s", error)
            return None
        self._heard_now()
        return message

    def fail(self, error: TailraceError) -> None:
        """Answer every open request with this error: the kernel is gone."""
        for future in list(self._replies.values()):
            if not future.done():
                future.set_exception(error)

    async def close(self) -> None:
        self.fail(TailraceError(ErrorCode.KERNEL_DEAD, "The kernel was stopped before it answered."))
        tasks = [*self._tasks, *self._handshakes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._context.destroy(linger=0)


async def _handshake(socket: zmq.asyncio.Socket, monitor: zmq.asyncio.Socket) -> None:
    """Returns when the peer of the socket is there."""
    try:
        await recv_monitor_message(monitor)
    finally:
        socket.disable_monitor()
        monitor.close()


async def answer(kind: str, future: asyncio.Future[Mapping[str, Any]], seconds: float | None) -> Mapping[str, Any]:
    """The content of the reply. Raises TailraceError: the kernel's code, kernel_unresponsive, kernel_dead."""
    try:
        async with asyncio.timeout(seconds):
            content = await future
    except TimeoutError:
        raise _unresponsive(kind, seconds) from None
    if content.get("status") != "error":
        return content
    name, text = str(content.get("ename", "")), str(content.get("evalue", ""))
    raise TailraceError(code_of(name), text or f"The kernel refused {kind}.")


def code_of(name: str) -> ErrorCode:
    """Our code of this name; an exception's name is nobody's code."""
    try:
        return ErrorCode(name)
    except ValueError:
        return ErrorCode.INTERNAL


def _tell_bug(task: asyncio.Task[None]) -> None:
    """A reader that ends by itself leaves its socket unheard: that must not pass silently."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a socket of the kernel is not read any more", exc_info=error)


def endpoint(connection: Mapping[str, Any], name: str) -> str:
    separator = "-" if connection["transport"] == "ipc" else ":"
    return f"{connection['transport']}://{connection['ip']}{separator}{connection[f'{name}_port']}"


def drain(shadow: "zmq.Socket[bytes]") -> list[list[bytes]]:
    """What has arrived, at most BATCH messages and about BATCH_BYTES, without waiting."""
    arrived: list[list[bytes]] = []
    size = 0
    with contextlib.suppress(zmq.Again):
        while len(arrived) < BATCH and size < BATCH_BYTES:
            arrived.append(shadow.recv_multipart(flags=zmq.NOBLOCK))
            size += sum(map(len, arrived[-1]))
    return arrived


def _unresponsive(kind: str, timeout: float | None) -> TailraceError:
    message = f"The kernel did not answer {kind} within {timeout} s: it may be busy in C code. Wait, or restart it."
    return TailraceError(ErrorCode.KERNEL_UNRESPONSIVE, message)
