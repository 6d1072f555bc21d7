"""Every HTTP address of the gateway, its need, and what it answers. Knows requests and notebooks, no gates."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from tailrace_gateway.credentials import Credentials, Identity
from tailrace_gateway.door import IDENTITY, Need
from tailrace_gateway.listing import listed
from tailrace_gateway.markdown_text import percent_of
from tailrace_gateway.metrics import Metrics
from tailrace_gateway.notebooks import GONE, Notebooks
from tailrace_gateway.page import FOREVER, frame_page, inside, shell
from tailrace_gateway.tables import download
from tailrace_gateway.trace import Trace
from tailrace_gateway.ws import Connection, new_socket, refuse
from tailrace_protocol.codec import to_builtins
from tailrace_protocol.commands import COMMANDS
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.events import CONTROLS, EVENTS
from tailrace_protocol.kernel_messages import LibraryFileRequest
from tailrace_protocol.objects import NotebookId

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logging.getLogger(__name__)

BUG = 1011  # close code
LOGGED_OUT = 4401  # close code
MAX_IMPORT = 64 * 2**20  # bytes of a notebook file
LOGIN_BODY = 4 * 2**10  # bytes
BY_SOCKET = "Cells and connections change through the WebSocket only: GET /api/v1/ws/notebook/{id}, then send frames."
NOT_FROM_HTML = "An .html page shows a notebook but does not hold it: import the .ipynb, .py or .md it was made of."
LIBRARIES = frozenset({"plotly"})
READ_ONLY_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Route:
    """One address. `limit`: bytes of its body, if larger than usual."""

    method: str
    path: str
    need: Need
    handler: Handler
    limit: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Method and path as the router names it: without the patterns of its variables."""
        return self.method, re.sub(r":[^}]+}", "}", self.path)


class Routes:
    """The handlers, and the table that declares them."""

    def __init__(
        self, notebooks: Notebooks, credentials: Credentials, static: Path, metrics: Metrics, trace: Trace | None
    ):
        self._notebooks = notebooks
        self._credentials = credentials
        self._static = static
        self._metrics_of = metrics
        self._trace = trace
        self._connections: dict[str, set[Connection]] = {}  # session (empty: programs) -> its sockets

    def table(self) -> list[Route]:
        one = "/api/v1/notebooks/{id}"
        routes = [
            Route("GET", "/", Need.NOTHING, self._page),
            Route("GET", "/notebooks/{id}", Need.NOTHING, self._page),
            Route("GET", "/favicon.svg", Need.NOTHING, self._icon),
            Route("GET", "/frame.html", Need.NOTHING, self._frame),
            Route("GET", "/static/{path:.+}", Need.NOTHING, self._file),
            Route("GET", "/assets/{path:.+}", Need.NOTHING, self._asset),
            Route("POST", "/api/v1/login", Need.NOTHING, self._log_in),
            Route("POST", "/api/v1/logout", Need.LOGIN, self._log_out),
            Route("POST", "/api/v1/login-code", Need.PROGRAM, self._new_code),
            Route("GET", "/api/v1/notebooks", Need.LOGIN, self._list),
            Route("POST", "/api/v1/notebooks", Need.LOGIN, self._create),
            Route("POST", "/api/v1/notebooks/import", Need.LOGIN, self._import, MAX_IMPORT),
            Route("GET", one, Need.LOGIN, self._state),
            Route("DELETE", one, Need.LOGIN, self._delete),
            Route("POST", f"{one}/rename", Need.LOGIN, self._rename),
            Route("POST", f"{one}/kernel/stop", Need.LOGIN, self._stop_kernel),
            Route("GET", f"{one}/export", Need.LOGIN, self._export),
            Route("GET", f"{one}/blobs/{{digest}}", Need.LOGIN, self._blob),
            Route("GET", f"{one}/tables/{{cell}}/{{output}}", Need.LOGIN, self._table),
            Route("GET", f"{one}/libraries/{{name}}", Need.LOGIN, self._library),
            Route("GET", "/api/v1/ws/notebook/{id}", Need.SOCKET, self._socket),
            Route("GET", "/api/v1/health", Need.LOGIN, self._health),
            Route("GET", "/metrics", Need.LOGIN, self._metrics),
            Route("GET", "/api/v1/schema", Need.LOGIN, self._schema),
        ]
        for path in (f"{one}/cells", f"{one}/cells/{{rest:.+}}", f"{one}/db"):
            routes += [Route(method, path, Need.LOGIN, self._by_socket) for method in READ_ONLY_METHODS]
        return routes

    # Page

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return shell(self._static)

    async def _frame(self, request: web.Request) -> web.StreamResponse:
        return frame_page(self._static)

    async def _icon(self, request: web.Request) -> web.StreamResponse:
        return inside(self._static, "favicon.svg", {})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        return inside(self._static, request.match_info["path"], {})

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        return inside(self._static / "assets", request.match_info["path"], {"Cache-Control": FOREVER})

    # Login

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        code = (await _body(request)).get("code")
        if not isinstance(code, str):
            raise TailraceError(ErrorCode.BAD_FIELD, "Send {code} of the printed link.")
        login = self._credentials.log_in(code)
        response = web.json_response({"key": login.key, "role": "editor"})
        response.set_cookie(self._credentials.cookie, login.session, httponly=True, samesite="Strict", path="/")
        return response

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        session = _identity(request).session
        if session is not None:
            self._credentials.log_out(session)
            gone = TailraceError(ErrorCode.NOT_LOGGED_IN, "You logged out.")
            await asyncio.gather(*(one.close(LOGGED_OUT, gone) for one in [*self._connections.get(session, ())]))
        response = web.Response(status=204)
        response.del_cookie(self._credentials.cookie, path="/")
        return response

    async def _new_code(self, request: web.Request) -> web.StreamResponse:
        code = self._credentials.new_code()
        return _json({"code": code, "url": f"http://{request.host}/#code={code}"}, status=201)

    # Notebooks

    async def _list(self, request: web.Request) -> web.StreamResponse:
        found = await asyncio.to_thread(self._notebooks.library.list)
        opened = {notebook.id: notebook for notebook in self._notebooks.open}
        return _json([listed(entry, opened.get(entry.id)) for entry in found])

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        name, folder = body.get("name"), body.get("path")
        if not isinstance(name, str) or not isinstance(folder, str | None):
            raise TailraceError(ErrorCode.BAD_FIELD, "Send {name, path?}: path is a folder below the served one.")
        found = await asyncio.to_thread(self._notebooks.library.create, name, folder)
        return _json({"id": found.id, "name": found.name, "path": found.shown}, status=201)

    async def _import(self, request: web.Request) -> web.StreamResponse:
        name = request.query.get("name", "")
        if name.lower().endswith((".html", ".htm")):
            raise TailraceError(ErrorCode.BAD_FIELD, NOT_FROM_HTML)
        content = await _limited(request, MAX_IMPORT)
        if not name.endswith((".py", ".ipynb", ".md")):
            raise TailraceError(
                ErrorCode.BAD_FIELD,
                f"{name or 'A file without a name'} is no notebook: import a .py, .ipynb or .md file.",
            )
        if name.endswith(".md"):
            name = f"{name.removesuffix('.md')}.py"
            content = await asyncio.to_thread(percent_of, content)
        found = await asyncio.to_thread(self._notebooks.library.create, name, None, content)
        try:
            await self._notebooks.get(found.id)
        except TailraceError:
            await asyncio.to_thread(self._notebooks.library.delete, found)
            raise
        return _json({"id": found.id, "name": found.name, "path": found.shown}, status=201)

    async def _state(self, request: web.Request) -> web.StreamResponse:
        notebook = await self._notebooks.get(_notebook_id(request))
        _, frame = notebook.current("json")
        return web.Response(body=frame, content_type="application/json")

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        await self._notebooks.delete(_notebook_id(request))
        return web.Response(status=204)

    async def _rename(self, request: web.Request) -> web.StreamResponse:
        name = (await _body(request)).get("name")
        if not isinstance(name, str):
            raise TailraceError(ErrorCode.BAD_FIELD, "Send {name}, without a folder; the format stays.")
        found = await self._notebooks.rename(_notebook_id(request), name)
        return _json({"id": found.id, "name": found.name, "path": found.shown})

    async def _stop_kernel(self, request: web.Request) -> web.StreamResponse:
        await self._notebooks.stop_kernel(_notebook_id(request))
        return web.Response(status=204)

    async def _export(self, request: web.Request) -> web.StreamResponse:
        notebook = await self._notebooks.get(_notebook_id(request))
        kind = request.query.get("format", "ipynb")
        body, content_type = await notebook.export(kind)
        name = notebook.name.encode("ascii", "replace").decode().replace('"', "'").replace("?", "_")
        headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
        return web.Response(body=body, content_type=content_type, headers=headers)

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        blobs = self._notebooks.blobs(_notebook_id(request))
        if blobs is None:
            raise TailraceError(ErrorCode.NOT_FOUND, "There is nothing at this address.")
        path, mime = blobs.find(request.match_info["digest"])
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Content-Disposition": "attachment",
            "X-Tailrace-Type": mime.replace("\n", " ").replace("\r", " "),
        }
        return web.FileResponse(path, headers=headers)

    async def _table(self, request: web.Request) -> web.StreamResponse:
        return await download(request, await self._notebooks.get(_notebook_id(request)))

    async def _library(self, request: web.Request) -> web.StreamResponse:
        """For the page to run in an opaque-origin frame; of this origin it is a download and no script."""
        if request.match_info["name"] not in LIBRARIES:
            raise TailraceError(ErrorCode.NOT_FOUND, "There is nothing at this address.")
        notebook = await self._notebooks.get(_notebook_id(request))
        reply = await notebook.question("library_file", LibraryFileRequest(name="plotly"))
        headers = {"Content-Disposition": "attachment", "X-Tailrace-Version": str(reply["version"])}
        content = b"".join(reply.get("buffers", ()))
        return web.Response(body=content, headers=headers, content_type="application/octet-stream")

    async def _by_socket(self, request: web.Request) -> web.StreamResponse:
        raise TailraceError(ErrorCode.METHOD_NOT_ALLOWED, BY_SOCKET)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        identity = _identity(request)
        socket = new_socket()
        await socket.prepare(request)
        try:
            notebook = await self._notebooks.get(_notebook_id(request))
            stream = request.transport
            await self._connect(
                Connection(socket, notebook, identity, self._credentials, self._trace, stream=stream), identity
            )
        except TailraceError as error:
            await refuse(socket, GONE, error)
        except Exception:
            log.exception("a socket of notebook %s failed", request.match_info["id"])
            bug = TailraceError(ErrorCode.INTERNAL, "The gateway has a bug: its log tells the story.")
            await refuse(socket, BUG, bug)
        return socket

    async def _connect(self, connection: Connection, identity: Identity) -> None:
        group = self._connections.setdefault(identity.session or "", set())
        group.add(connection)
        try:
            await connection.serve()
        finally:
            group.discard(connection)

    async def close_sockets(self, code: int) -> None:
        """Every socket that is still open, attached or not."""
        stops = TailraceError(ErrorCode.INTERRUPTED, "The gateway stops: reconnect.")
        connections = [connection for group in self._connections.values() for connection in group]
        await asyncio.gather(*(connection.close(code, stops) for connection in connections))

    # About the gateway

    async def _health(self, request: web.Request) -> web.StreamResponse:
        return _json({"status": "ok", "notebooks": len(self._notebooks.open)})

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        notebooks = self._notebooks.open
        clients, events = sum(one.clients for one in notebooks), sum(one.seq for one in notebooks)
        text = self._metrics_of.text(len(notebooks), clients, events)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _schema(self, request: web.Request) -> web.StreamResponse:
        types = [*COMMANDS.values(), *EVENTS, *CONTROLS]
        schemas, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
        return _json({"$schema": "https://json-schema.org/draft/2020-12/schema", "anyOf": schemas, "$defs": components})


def _identity(request: web.Request) -> Identity:
    return request[IDENTITY]


def _notebook_id(request: web.Request) -> NotebookId:
    return NotebookId(request.match_info["id"])


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(to_builtins(value)), status=status, content_type="application/json")


async def _body(request: web.Request) -> dict[str, Any]:
    raw = await _limited(request, LOGIN_BODY)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise TailraceError(ErrorCode.BAD_FRAME, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise TailraceError(ErrorCode.BAD_FRAME, "The body is one JSON object.")
    return body


async def _limited(request: web.Request, limit: int) -> bytes:
    """The body, never more than `limit` bytes of it, whatever its headers say."""
    parts, size = [], 0
    async for part in request.content.iter_chunked(2**16):
        size += len(part)
        if size > limit:
            raise TailraceError(ErrorCode.TOO_LARGE, f"The body may hold {limit} bytes here.")
        parts.append(part)
    return b"".join(parts)
