"""The one door: every gate a request passes before any handler runs. Knows HTTP headers and credentials, no notebooks.

Gates, in this order: one exact Host; an Origin, when sent, is ours; upgrades and unsafe methods need an Origin, or an
Authorization header without a cookie; Sec-Fetch-Site; size; then the need that the route declares. A route without a
declared need is refused, and the application does not start with one.
"""

import logging
from collections.abc import Iterable, Mapping
from enum import Enum

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from tailrace_gateway.credentials import Credentials, Identity
from tailrace_protocol.errors import ErrorCode, TailraceError

log = logging.getLogger(__name__)

MAX_BODY = 2**20  # bytes, of routes that declare no larger one
SAFE_METHODS = frozenset({"GET", "HEAD"})
KEY_HEADER = "X-Tailrace-Key"
PAGE_CSP = (
    "default-src 'self'; script-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; frame-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": PAGE_CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "tailrace",
}
STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.NOT_LOGGED_IN: 401,
    ErrorCode.BAD_HOST: 421,
    ErrorCode.BAD_ORIGIN: 403,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.UNKNOWN_NOTEBOOK: 404,
    ErrorCode.NO_SUCH_OUTPUT: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.ALREADY_OPEN: 409,
    ErrorCode.CONFLICT: 409,
    ErrorCode.KERNEL_DEAD: 409,
    ErrorCode.KERNEL_STARTING: 503,
    ErrorCode.KERNEL_UNRESPONSIVE: 503,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNREADABLE_NOTEBOOK: 422,
    ErrorCode.TOO_MANY: 429,
    ErrorCode.NOT_SUPPORTED: 501,
    ErrorCode.DISK_FULL: 507,
    ErrorCode.INTERNAL: 500,
}


class Need(Enum):
    """What a route asks of a request."""

    NOTHING = "nothing"  # the page's shell and the login itself: they hold no secret
    LOGIN = "login"  # cookie and page key, or program token
    SOCKET = "socket"  # cookie or program token; the page key rides on the first frame
    PROGRAM = "program"  # program token only


Route = tuple[str, str]  # method, path as declared
IDENTITY: web.RequestKey[Identity] = web.RequestKey("identity", Identity)


class UndeclaredRouteError(Exception):
    """The application has a route of which nobody said what it needs."""


class Door:
    """All gates of one gateway on one port."""

    def __init__(self, credentials: Credentials, port: int, needs: dict[Route, Need], bodies: Mapping[Route, int]):
        self.credentials = credentials
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self.needs = needs
        self._bodies = bodies

    def admit(self, request: web.Request) -> Identity | None:
        """Let the request through every gate, or raise TailraceError. None: the route needs nobody."""
        host = self._check_host(request)
        self._check_origin(request, host)
        route = route_of(request)
        need = self.needs.get(route) if route else Need.LOGIN
        self._check_fetch_site(request, need)
        self._check_size(request, route)
        return self._check_need(request, need)

    def _check_host(self, request: web.Request) -> str:
        hosts = request.headers.getall(hdrs.HOST, [])
        if len(hosts) != 1 or hosts[0] not in self._hosts or request.url.authority not in self._hosts:
            raise TailraceError(ErrorCode.BAD_HOST, "This gateway answers only under its own loopback address.")
        return hosts[0]

    def _check_origin(self, request: web.Request, host: str) -> None:
        origins = request.headers.getall(hdrs.ORIGIN, [])
        if origins:
            if origins != [f"http://{host}"]:
                raise TailraceError(ErrorCode.BAD_ORIGIN, "Requests of other pages are refused: open the page here.")
            return
        by_program = hdrs.AUTHORIZATION in request.headers and hdrs.COOKIE not in request.headers
        if (is_upgrade(request) or request.method not in SAFE_METHODS) and not by_program:
            message = "Send the Origin of this gateway, or `Authorization: token …` and no cookie."
            raise TailraceError(ErrorCode.BAD_ORIGIN, message)

    def _check_fetch_site(self, request: web.Request, need: Need | None) -> None:
        """A link elsewhere may open the page in a window of its own: its shell holds no secret and asks for the key."""
        sites = request.headers.getall("Sec-Fetch-Site", [])
        if not sites or sites == ["same-origin"]:
            return
        mode = request.headers.get("Sec-Fetch-Mode", "navigate")
        navigates = request.method in SAFE_METHODS and mode == "navigate" and not is_upgrade(request)
        opens_page = need is Need.NOTHING and request.headers.get("Sec-Fetch-Dest") == "document"
        if not navigates or not (sites == ["none"] or opens_page):
            raise TailraceError(ErrorCode.BAD_ORIGIN, "Requests started by another site are refused.")

    def _check_size(self, request: web.Request, route: Route | None) -> None:
        limit = self._bodies.get(route, MAX_BODY) if route else MAX_BODY
        if (request.content_length or 0) > limit:
            raise TailraceError(ErrorCode.TOO_LARGE, f"The body may hold {limit} bytes here.")

    def _check_need(self, request: web.Request, need: Need | None) -> Identity | None:
        if need is Need.NOTHING:
            return None
        identity = self._identify(request)
        if identity is None:
            raise TailraceError(ErrorCode.NOT_LOGGED_IN, "Open the login link that `tailrace serve` printed.")
        key = request.headers.get(KEY_HEADER)
        match need:
            case Need.LOGIN if self.credentials.has_key(identity, key):
                return identity
            case Need.SOCKET if is_upgrade(request):
                return identity
            case Need.PROGRAM if identity.is_program:
                return identity
            case Need.SOCKET:
                raise TailraceError(ErrorCode.NOT_FOUND, "This address takes WebSocket upgrades only.")
            case Need.PROGRAM:
                raise TailraceError(ErrorCode.FORBIDDEN, "Only a program with `Authorization: token …` may ask this.")
            case Need.LOGIN:
                message = f"The page key is missing or wrong: log in again, and send it as {KEY_HEADER}."
                raise TailraceError(ErrorCode.NOT_LOGGED_IN, message)
            case None:
                log.error("route %s %s declares no need", request.method, request.path)
                raise TailraceError(ErrorCode.FORBIDDEN, "This address is closed.")

    def _identify(self, request: web.Request) -> Identity | None:
        """Exactly one kind of credential; two at once is nobody's honest client."""
        authorization = request.headers.getall(hdrs.AUTHORIZATION, [])
        if authorization:
            return self.credentials.program(authorization[0]) if len(authorization) == 1 else None
        cookie = request.cookies.get(self.credentials.cookie)
        return self.credentials.person(cookie) if cookie else None


def gate(door: Door) -> web.Application:
    """An application with the door in front of everything; routes are added by the caller, then checked."""

    @web.middleware
    async def pass_door(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            identity = door.admit(request)
            if identity is not None:
                request[IDENTITY] = identity
            return await handler(request)
        except TailraceError as error:
            return refusal(error)
        except web.HTTPException as error:
            return refusal(_http_error(error, request))
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return refusal(TailraceError(ErrorCode.INTERNAL, "The gateway has a bug: its log tells the story."))

    app = web.Application(middlewares=[pass_door], client_max_size=MAX_BODY)
    app.on_response_prepare.append(_add_headers)
    return app


def check_declared(app: web.Application, needs: Mapping[Route, Need]) -> None:
    """Raises UndeclaredRouteError unless every route of the application has a need."""
    for method, path in declared_routes(app):
        if (method, path) not in needs:
            raise UndeclaredRouteError(f"{method} {path} declares no need.")


def declared_routes(app: web.Application) -> Iterable[Route]:
    for route in app.router.routes():
        resource = route.resource
        yield route.method, resource.canonical if resource else "?"


def route_of(request: web.Request) -> Route | None:
    """The route that would handle the request; None when there is none (404, 405)."""
    info = request.match_info
    resource = info.route.resource
    return (info.route.method, resource.canonical) if resource and info.http_exception is None else None


def is_upgrade(request: web.Request) -> bool:
    return hdrs.UPGRADE in request.headers


def refusal(error: TailraceError) -> web.Response:
    body = {"code": error.code.value, "message": error.message}
    headers = {"Retry-After": str(int(error.retry))} if error.retry else None
    return web.json_response(body, status=STATUS.get(error.code, 400), headers=headers)


def _http_error(error: web.HTTPException, request: web.Request) -> TailraceError:
    match error.status:
        case 404:
            return TailraceError(ErrorCode.NOT_FOUND, "There is nothing at this address.")
        case 405:
            return TailraceError(ErrorCode.METHOD_NOT_ALLOWED, f"{request.method} is not for this address.")
        case 413:
            return TailraceError(ErrorCode.TOO_LARGE, "The body is too large for this address.")
        case _:
            return TailraceError(ErrorCode.BAD_FRAME, f"The request cannot be taken ({error.status}).")


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        if name == "Server" or name not in response.headers:
            response.headers[name] = value
