"""Every route, with every credential, Host and Origin: who may pass, and that nobody else reaches a handler."""

import asyncio
import http.client
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from tailrace_gateway.app import DOOR, create_app
from tailrace_gateway.config import Config
from tailrace_gateway.credentials import CODE_SECONDS, Credentials, Identity, SessionFile, stored_token
from tailrace_gateway.door import KEY_HEADER, Need, UndeclaredRouteError, check_declared, declared_routes
from tailrace_gateway.redaction import RedactingFilter
from tailrace_protocol.errors import ErrorCode, TailraceError
from tests.gateway.fakes import FakeKernels
from tests.gateway.rim import TOKEN, Gateway, running, story

EXAMPLES = {
    "{name}": "plotly",
    "{cell}": "a1",
    "{output}": "0",
    "{id}": "no-such-notebook",
    "{path}": "x.js",
    "{digest}": "0" * 64,
    "{rest}": "a/b",
}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Request:
    """One raw request: nothing is added to these headers."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def having(self, *headers: tuple[str, str]) -> "Request":
        return replace(self, headers=(*self.headers, *headers))


def ask(port: int, request: Request) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer. Blocking: call it in a thread."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, b"" if response.status == 101 else response.read()
    finally:
        connection.close()


async def status_of(gateway: Gateway, request: Request) -> int:
    status, _, _ = await asyncio.to_thread(ask, gateway.port, request)
    return status


def routes_of(app: web.Application) -> Iterator[tuple[str, str, Need]]:
    """Method, an example path, need: of every route there is, sockets included."""
    needs = app[DOOR].needs
    for method, path in declared_routes(app):
        yield method, re.sub(r"{\w+}", lambda found: EXAMPLES[found[0]], path), needs[method, path]


def plain(gateway: Gateway, method: str, path: str, need: Need) -> Request:
    """A request as our own page would send it, without credentials."""
    host = f"127.0.0.1:{gateway.port}"
    headers = [("Host", host), ("Origin", f"http://{host}")]
    if need is Need.SOCKET:
        headers += UPGRADE.items()
    return Request(method, path, tuple(headers))


async def log_in(gateway: Gateway) -> tuple[str, str]:
    """Cookie header and page key of a fresh login."""
    body = json.dumps({"code": gateway.code()}).encode()
    request = replace(plain(gateway, "POST", "/api/v1/login", Need.NOTHING), body=body)
    status, headers, answer = await asyncio.to_thread(ask, gateway.port, request)
    assert status == 200, answer
    return headers["set-cookie"].partition(";")[0], str(json.loads(answer)["key"])


@story
async def test_every_route_is_closed_without_the_right_credentials(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        cookie, key = await log_in(gateway)
        gone, gone_key = await log_in(gateway)
        out = plain(gateway, "POST", "/api/v1/logout", Need.LOGIN).having(("Cookie", gone), (KEY_HEADER, gone_key))
        assert await status_of(gateway, out) == 204
        wrong: dict[str, tuple[tuple[str, str], ...]] = {
            "none": (),
            "wrong token": (("Authorization", "token not-the-token"),),
            "empty token": (("Authorization", "token "),),
            "token in the wrong scheme": (("Authorization", f"Basic {TOKEN}"),),
            "two tokens": (("Authorization", f"token {TOKEN}"), ("Authorization", f"token {TOKEN}")),
            "made-up cookie": (("Cookie", f"tailrace_{gateway.port}=abc"), (KEY_HEADER, key)),
            "cookie of another port": (("Cookie", cookie.replace("tailrace_", "tailrace_1")), (KEY_HEADER, key)),
            "revoked session": (("Cookie", gone), (KEY_HEADER, gone_key)),
        }
        keyless = {
            "cookie without key": (("Cookie", cookie),),
            "cookie with another's key": (("Cookie", cookie), (KEY_HEADER, gone_key)),
        }
        tried = 0
        for method, path, need in routes_of(gateway.app):
            if need is Need.NOTHING:
                continue
            states = wrong if need is Need.SOCKET else wrong | keyless
            for name, headers in states.items():
                request = plain(gateway, method, path, need).having(*headers)
                expected = 403 if need is Need.PROGRAM and name in keyless else 401
                assert await status_of(gateway, request) == expected, (method, path, name)
                tried += 1
            right = plain(gateway, method, path, need).having(("Authorization", f"token {TOKEN}"))
            assert await status_of(gateway, right) not in (401, 403, 421), (method, path)
            if need is not Need.PROGRAM and path != "/api/v1/logout":
                person = plain(gateway, method, path, need).having(("Cookie", cookie), (KEY_HEADER, key))
                assert await status_of(gateway, person) not in (401, 403, 421), (method, path)
        assert tried > 150


@story
async def test_every_route_is_closed_to_foreign_hosts_and_origins(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        ours = f"127.0.0.1:{gateway.port}"
        token = ("Authorization", f"token {TOKEN}")
        hosts = {
            "rebound name": (("Host", f"evil.example:{gateway.port}"),),
            "other port": (("Host", "127.0.0.1:1"),),
            "no port": (("Host", "127.0.0.1"),),
            "prefix": (("Host", f"127.0.0.1:{gateway.port}.evil.example"),),
            "empty": (("Host", ""),),
        }
        origins = {
            "null": "null",
            "another site": "http://evil.example",
            "another port": "http://127.0.0.1:1",
            "another scheme": f"https://{ours}",
            "our name as a prefix": f"http://{ours}.evil.example",
            "the other loopback name": f"http://localhost:{gateway.port}",
        }
        for method, path, need in routes_of(gateway.app):
            upgrade = tuple(UPGRADE.items()) if need is Need.SOCKET else ()
            for name, headers in hosts.items():
                request = Request(method, path, (*headers, *upgrade, token))
                assert await status_of(gateway, request) in (400, 421), (method, path, name)
            for name, origin in origins.items():
                request = Request(method, path, (("Host", ours), ("Origin", origin), *upgrade, token))
                assert await status_of(gateway, request) == 403, (method, path, name)
            control = Request(method, path, (("Host", ours), ("Origin", f"http://{ours}"), *upgrade, token))
            assert await status_of(gateway, control) not in (400 if method == "GET" else 0, 403, 421), (method, path)


@story
async def test_no_origin_is_for_programs_only(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        cookie, key = await log_in(gateway)
        host = ("Host", f"127.0.0.1:{gateway.port}")
        token = ("Authorization", f"token {TOKEN}")
        person = (("Cookie", cookie), (KEY_HEADER, key))
        socket = f"/api/v1/ws/notebook/{await gateway.notebook_id()}"
        for request in (
            Request("POST", "/api/v1/notebooks", (host, *person), b'{"name": "n"}'),
            Request("GET", socket, (host, *UPGRADE.items(), *person)),
            Request("POST", "/api/v1/notebooks", (host, token, ("Cookie", cookie)), b'{"name": "n"}'),
            Request("POST", "/api/v1/login", (host,), b'{"code": "x"}'),
        ):
            assert await status_of(gateway, request) == 403, request
        assert await status_of(gateway, Request("GET", socket, (host, token, *UPGRADE.items()))) == 101
        assert await status_of(gateway, Request("POST", "/api/v1/notebooks", (host, token), b'{"name": "n"}')) == 201
        assert await status_of(gateway, Request("GET", "/api/v1/notebooks", (host, *person))) == 200


@story
async def test_requests_that_another_site_started_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        host = ("Host", f"127.0.0.1:{gateway.port}")

        async def status(site: str, mode: str, path: str = "/", *more: tuple[str, str]) -> int:
            headers = (host, ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode), *more)
            return await status_of(gateway, Request("GET", path, headers))

        for site in ("cross-site", "same-site", "nonsense"):
            assert await status(site, "navigate") == 403
            assert await status(site, "no-cors") == 403
            assert await status(site, "navigate", "/", ("Sec-Fetch-Dest", "iframe")) == 403
            assert await status(site, "navigate", "/api/v1/health", ("Sec-Fetch-Dest", "document")) == 403
            assert await status(site, "navigate", "/", ("Sec-Fetch-Dest", "document")) in (200, 503)  # a link to us
        assert await status("none", "cors") == 403
        socket = f"/api/v1/ws/notebook/{await gateway.notebook_id()}"
        own = ("Origin", f"http://{host[1]}")
        assert await status("none", "websocket", socket, own, *UPGRADE.items()) == 403
        assert await status("none", "navigate") in (200, 503)
        assert await status("same-origin", "cors") in (200, 503)


@story
async def test_a_login_code_works_once_and_wrong_ones_are_slowed(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        code = gateway.code()

        async def post(body: bytes) -> tuple[int, dict[str, str], bytes]:
            request = replace(plain(gateway, "POST", "/api/v1/login", Need.NOTHING), body=body)
            return await asyncio.to_thread(ask, gateway.port, request)

        status, headers, body = await post(json.dumps({"code": code}).encode())
        assert status == 200
        cookie = headers["set-cookie"]
        assert cookie.startswith(f"tailrace_{gateway.port}=")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert set(json.loads(body)) == {"key", "role"}
        tries = [await post(json.dumps({"code": code}).encode()) for _ in range(11)]
        assert [status for status, _, _ in tries] == [401] * 10 + [429]
        assert (await post(json.dumps({"code": gateway.code()}).encode()))[0] == 200
        for malformed in (b"", b"[]", b'{"code": 7}', b"{" * 3000, b'"' + b"x" * 9000):
            assert (await post(malformed))[0] in (400, 413)


def test_a_login_code_ends_after_five_minutes(tmp_path: Path) -> None:
    now = 0.0
    credentials = Credentials("t", 1, SessionFile(tmp_path / "sessions"), clock=lambda: now)
    fresh, old = credentials.new_code(), credentials.new_code()
    credentials.log_in(fresh)
    now = CODE_SECONDS + 1
    with pytest.raises(TailraceError) as refused:
        credentials.log_in(old)
    assert refused.value.code is ErrorCode.NOT_LOGGED_IN
    credentials.log_in(credentials.new_code())


def test_sessions_outlive_the_gateway_and_are_stored_as_hashes(tmp_path: Path) -> None:
    path = tmp_path / "sessions"
    first = Credentials("t", 8000, SessionFile(path))
    login = first.log_in(first.new_code())
    second = Credentials("t", 8000, SessionFile(path))
    person = second.person(login.session)
    assert person is not None
    assert second.has_key(person, login.key)
    assert not second.has_key(person, login.session)
    assert Credentials("t", 8001, SessionFile(path)).person(login.session) is None
    assert login.session not in path.read_text()
    assert login.key not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert login.key not in repr(login)
    assert person.session is not None
    second.log_out(person.session)
    assert Credentials("t", 8000, SessionFile(path)).person(login.session) is None


def test_the_program_token_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "token"
    token = stored_token(path)
    assert len(token) >= 32
    assert stored_token(path) == token
    assert path.stat().st_mode & 0o777 == 0o600
    credentials = Credentials(token, 1, SessionFile(tmp_path / "s"))
    assert credentials.program(f"token {token}") == Identity(None)
    assert credentials.program(f"Bearer {token}") == Identity(None)
    assert credentials.program(f"token {token}x") is None


def test_an_undeclared_route_stops_the_start(tmp_path: Path) -> None:
    app = create_app(config_of(tmp_path))
    check_declared(app, app[DOOR].needs)

    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/backdoor", handler, allow_head=False)
    with pytest.raises(UndeclaredRouteError, match="/backdoor"):
        check_declared(app, app[DOOR].needs)


@story
async def test_an_undeclared_route_is_closed_even_if_it_got_in(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        door = gateway.app[DOOR]
        path = "/api/v1/health"
        right = plain(gateway, "GET", path, Need.LOGIN).having(("Authorization", f"token {TOKEN}"))
        assert await status_of(gateway, right) == 200
        del door.needs["GET", path]
        assert await status_of(gateway, right) == 403


def test_a_gateway_does_not_start_without_its_port(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="port"):
        create_app(replace(config_of(tmp_path), port=0))
    with pytest.raises(ValueError, match="listens on"):
        Config(paths=(tmp_path,), host="0.0.0.0")


def config_of(base: Path) -> Config:
    return Config(paths=(base,), port=8123, token=TOKEN, state_dir=base / "state", runtime_dir=base / "run")


@story
async def test_every_answer_carries_the_security_headers(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        token = ("Authorization", f"token {TOKEN}")
        for path, more in (("/", ()), ("/api/v1/health", (token,)), ("/nothing", ()), ("/api/v1/health", ())):
            request = plain(gateway, "GET", path, Need.LOGIN).having(*more)
            _, headers, _ = await asyncio.to_thread(ask, gateway.port, request)
            policy = headers["content-security-policy"]
            assert "script-src 'self' blob:;" in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["server"] == "tailrace"


@story
async def test_unknown_addresses_and_methods_get_sentences(tmp_path: Path) -> None:
    async with running(tmp_path, FakeKernels()) as gateway:
        one = f"/api/v1/notebooks/{await gateway.notebook_id()}"
        expected = {
            ("GET", "/nothing"): (404, "not_found"),
            ("PUT", one): (405, "method_not_allowed"),
            ("GET", "/api/v1/notebooks/absent"): (404, "unknown_notebook"),
            ("PATCH", f"{one}/cells/a1"): (405, "method_not_allowed"),
            ("POST", f"{one}/cells"): (405, "method_not_allowed"),
            ("POST", f"{one}/db"): (405, "method_not_allowed"),
            ("GET", "/static/../app.py"): (404, "not_found"),
            ("GET", "/static/%2e%2e/app.py"): (404, "not_found"),
        }
        for (method, path), (status, code) in expected.items():
            request = plain(gateway, method, path, Need.LOGIN).having(("Authorization", f"token {TOKEN}"))
            got, _, body = await asyncio.to_thread(ask, gateway.port, request)
            assert (got, json.loads(body)["code"]) == (status, code), (method, path)
            if path.endswith(("cells", "db", "a1")):
                assert "WebSocket" in json.loads(body)["message"]


def test_the_log_shows_no_secret_and_no_control_character() -> None:
    redacting = RedactingFilter(lambda: ["s3cret-value"])
    record = logging.LogRecord("x", logging.INFO, "f", 1, "got %s\n\x1b[31m", ("s3cret-value",), None)
    assert redacting.filter(record)
    assert record.getMessage() == "got ***\\x0a\\x1b[31m"
    plain_record = logging.LogRecord("x", logging.INFO, "f", 1, "got %s", ("a value",), None)
    redacting.filter(plain_record)
    assert plain_record.getMessage() == "got a value"
