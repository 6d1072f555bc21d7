"""One WebSocket: subprotocol, first frame, frames in, frames out. Knows sockets and frames, no documents.

Each frame is decoded once; every malformed one gets a typed error and the socket stays usable.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Callable

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from tailrace_gateway.clients import Client
from tailrace_gateway.credentials import Credentials, Identity
from tailrace_gateway.notebook import Notebook
from tailrace_gateway.trace import Trace
from tailrace_protocol.codec import ENCODERS, Encoding, FrameError, decode_command
from tailrace_protocol.commands import (
    AnyCommand,
    Attach,
    Complete,
    Inspect,
    Ping,
    Presence,
    RenameVariable,
    Schema,
    Subscribe,
    TablePage,
    VariablePage,
)
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import Control, Error, Pong
from tailrace_protocol.limits import ATTACH_SECONDS, MAX_FRAME, MAX_UNACKED

log = logging.getLogger(__name__)

PROTOCOLS: dict[str, Encoding] = {"tailrace.v1.json": "json", "tailrace.v1.msgpack": "msgpack"}
SILENCE = 20.0  # seconds without a frame of any kind until a ping, and again until the end
CLOSE_SECONDS = 15.0  # for what waits, and for the peer's answer to the close frame
LINGER = 30.0  # seconds until a peer that reads nothing loses what is on its way
BAD_FIRST_FRAME = 4400
NOT_LOGGED_IN = 4401
SILENT = 4408
ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})
VIEWER = "viewer"
# What a viewer may ask for.
WATCHING = (Subscribe, Presence, Complete, Inspect, VariablePage, TablePage, Schema, RenameVariable)
BEATS = frozenset({WSMsgType.PING, WSMsgType.PONG})


def new_socket() -> web.WebSocketResponse:
    """Compression off: loopback gains nothing, and a bomb cannot unfold.

    Pings and pongs are handed on: somebody who only listens shows by them alone that he is there.
    """
    return web.WebSocketResponse(
        protocols=tuple(PROTOCOLS),
        compress=False,
        max_msg_size=MAX_FRAME,
        decode_text=False,
        timeout=5.0,
        autoping=False,
    )


async def refuse(socket: web.WebSocketResponse, code: int, error: TailraceError) -> None:
    """Tell a socket that is open already why it cannot stay: browsers cannot see the status of a refused upgrade."""
    with contextlib.suppress(ConnectionError):
        await _send(socket, Error(id=None, code=error.code.value, message=error.message))
    await socket.close(code=code, message=error.code.value.encode())


async def _send(socket: web.WebSocketResponse, frame: Control) -> None:
    encoding = encoding_of(socket)
    await socket.send_frame(ENCODERS[encoding](frame), _kind(encoding))


def encoding_of(socket: web.WebSocketResponse) -> Encoding:
    return PROTOCOLS.get(socket.ws_protocol or "", "json")


def _kind(encoding: Encoding) -> WSMsgType:
    return WSMsgType.TEXT if encoding == "json" else WSMsgType.BINARY


class SocketTransport:
    """The Transport of a browser or program."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        stream: asyncio.Transport | None = None,
        sent: Callable[[bytes], None] | None = None,
    ):
        """`stream` is what the socket is made of; `sent` is told of every frame that it took."""
        self._socket = socket
        self._stream = stream
        self._kind = _kind(encoding_of(socket))
        self._sent = sent

    async def send(self, frame: bytes) -> None:
        await self._socket.send_frame(frame, self._kind)
        if self._sent is not None:
            self._sent(frame)

    async def close(self, code: int, reason: str) -> None:
        """Without waiting for a peer that reads nothing; for LINGER it can still learn why it is over."""
        if self._stream is not None:
            asyncio.get_running_loop().call_later(LINGER, self._stream.abort)
        await self._socket.close(code=code, message=reason.encode()[:120], drain=False)


class Connection:
    """A prepared socket of somebody who came through the door, for one notebook."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        notebook: Notebook,
        identity: Identity,
        credentials: Credentials,
        trace: Trace | None = None,
        silence: float = SILENCE,
        stream: asyncio.Transport | None = None,
    ):
        self._stream = stream
        self._socket = socket
        self._notebook = notebook
        self._identity = identity
        self._credentials = credentials
        self._encoding = encoding_of(socket)
        self._client: Client | None = None
        self._trace = trace
        self._silence = silence

    async def close(self, code: int, error: TailraceError) -> None:
        """End the socket from outside, with what waits for it sent first."""
        if self._client is not None:
            self._client.close(code, error.code.value)
        else:
            await refuse(self._socket, code, error)

    async def serve(self) -> None:
        """Until the client leaves, is silent for too long, or is cut."""
        command = await self._first_frame()
        if command is None:
            return
        client_id = command.client or secrets.token_urlsafe(12)
        self._traced(client_id, 0, command)
        client = self._client = Client(
            client_id,
            SocketTransport(self._socket, self._stream, self._sent_to(client_id)),
            self._encoding,
            self._notebook.current,
            name=command.name or "",
            role=self._identity.role,
        )
        client.batch = command.batch
        client.topics = frozenset(command.topics) if command.topics is not None else None
        writer = asyncio.create_task(client.write())
        self._notebook.attach(client, command)
        try:
            await self._read(client)
        finally:
            self._notebook.leave(client)
            client.close(WSCloseCode.OK, "")
            # The writer closes the socket: returning before that would cut it without a close frame.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(writer, CLOSE_SECONDS)

    def _sent_to(self, client_id: str) -> Callable[[bytes], None] | None:
        trace = self._trace
        if trace is None:
            return None
        return lambda frame: trace.went(self._notebook.id, client_id, frame, self._encoding)

    def _traced(self, client_id: str, size: int, command: AnyCommand | None) -> None:
        if self._trace is not None:
            self._trace.came(self._notebook.id, client_id, size, command)

    async def _first_frame(self) -> Attach | None:
        """The attach frame with the right page key; anything else closes the socket."""
        try:
            async with asyncio.timeout(ATTACH_SECONDS):
                while (message := await self._hear()).type in BEATS:
                    pass
        except TimeoutError:
            late = TailraceError(ErrorCode.NOT_ATTACHED, f"Send attach within {ATTACH_SECONDS:.0f} s.")
            await refuse(self._socket, BAD_FIRST_FRAME, late)
            return None
        if message.type in ENDS:
            return None
        try:
            command = self._decode(message)
        except FrameError as error:
            await refuse(self._socket, BAD_FIRST_FRAME, error)
            return None
        if not isinstance(command, Attach):
            first = TailraceError(ErrorCode.NOT_ATTACHED, "The first frame must be attach.")
            await refuse(self._socket, BAD_FIRST_FRAME, first)
            return None
        if not self._credentials.has_key(self._identity, command.key):
            wrong = TailraceError(ErrorCode.NOT_LOGGED_IN, "The page key is missing or wrong: log in again.")
            await refuse(self._socket, NOT_LOGGED_IN, wrong)
            return None
        return command

    def _decode(self, message: WSMessage) -> AnyCommand:
        want = _kind(self._encoding)
        if message.type is not want:
            kind = "text" if want is WSMsgType.TEXT else "binary"
            raise FrameError(ErrorCode.BAD_FRAME, f"This socket speaks {self._encoding}: send {kind} frames.")
        return decode_command(message.data, self._encoding)

    async def _read(self, client: Client) -> None:
        pinged = False
        while not client.is_closed:
            try:
                message = await self._hear(self._silence)
            except TimeoutError:
                if pinged:
                    client.close(SILENT, "no answer to a ping")
                    return
                if not await self._ping():
                    return
                pinged = True
                continue
            if message.type in ENDS:
                return
            pinged = False
            if message.type not in BEATS:
                self._take(client, message)

    async def _hear(self, seconds: float | None = None) -> WSMessage:
        """The next frame of any kind; a ping is answered. Raises TimeoutError."""
        message = await self._socket.receive(timeout=seconds)
        if message.type is WSMsgType.PING:
            with contextlib.suppress(ConnectionError):
                await self._socket.pong(message.data)
        return message

    async def _ping(self) -> bool:
        try:
            await self._socket.ping()
        except ConnectionError:
            return False
        return True

    def _take(self, client: Client, message: WSMessage) -> None:
        try:
            command = self._decode(message)
        except FrameError as error:
            self._traced(client.id, len(message.data or b""), None)
            client.tell(Error(id=error.frame_id, code=error.code.value, message=error.message, details=error.details))
            return
        self._traced(client.id, len(message.data), command)
        match command:
            case Ping(id=command_id):
                client.tell(Pong(id=command_id, server_time=time.time()))
            case Attach(id=command_id):
                client.tell(_refusal(command_id, ErrorCode.ALREADY_ATTACHED, "This socket is attached already."))
            case _ if client.role == VIEWER and not isinstance(command, WATCHING):
                text = "You may watch this notebook, not change or run it."
                client.tell(_refusal(command.id, ErrorCode.FORBIDDEN, text))
            case _ if client.unacked >= MAX_UNACKED:
                text = f"{MAX_UNACKED} frames wait for an answer: wait for some before you send more."
                client.tell(_refusal(command.id, ErrorCode.TOO_MANY, text))
            case _:
                client.unacked += 1
                self._notebook.submit(client, command)


def _refusal(command_id: str, code: ErrorCode, message: str) -> Error:
    return Error(id=command_id, code=code.value, message=message)
