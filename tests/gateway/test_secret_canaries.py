"""Secrets of database URLs typed at a real gateway with a real kernel and a real PostgreSQL are found nowhere.

Looked through: every frame, the HTTP state, the log at DEBUG, every file under the served folder and the state and
runtime directories while all runs and after, and the command lines of all processes. Unique secrets stand in the
password, in the query, in passwords that are wrong, in URLs that cannot be read and in an environment variable.
"""

import base64
import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import aiohttp
import psutil
import pytest

from tests.gateway.rim import Client, story
from tests.gateway_process import GatewayProcess
from tests.postgres import Postgres

PASSWORD = "kanarie-p@ss/w0rd-1"
WRONG = "kanarie-wr0ng-2"
QUERY = "kanarie-query-3"
ENVIRONMENT = "kanarie-en/v-4"
BROKEN = "kanarie-br0ken-5"
TAIL = "kanarie-tail-6"
SECRETS = (PASSWORD, WRONG, QUERY, ENVIRONMENT, BROKEN, TAIL)
VARIABLE = "TAILRACE_TEST_CANARY_URL"
NOTEBOOK = """# %% language="sql" id="who"
# -- connection: pg  result: who
# SELECT current_user AS name, :note AS note

# %% id="note"
note = "a note of the control"

# %% language="sql" id="bad"
# -- connection: pg
# SELECT nothing FROM pg_user WHERE passwd = 'x'

# %% language="sql" id="elsewhere"
# -- connection: byname
# SELECT current_user
"""


def forms(secret: str) -> Iterator[bytes]:
    """As typed, as in a URL, as in JSON, and in base64 at each of three offsets."""
    for text in {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]}:
        yield text.encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + secret.encode())
        yield encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]


def found_in(content: bytes) -> list[str]:
    return [secret for secret in SECRETS if any(form in content for form in forms(secret))]


def files_below(*folders: Path) -> dict[str, bytes]:
    read: dict[str, bytes] = {}
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        with contextlib.suppress(FileNotFoundError):
            read[str(path)] = path.read_bytes()
    return read


def command_lines(pid: int) -> str:
    process = psutil.Process(pid)
    return "\n".join(" ".join(each.cmdline()) for each in (process, *process.children(recursive=True)))


@asynccontextmanager
async def connected(gateway: GatewayProcess, name: str) -> AsyncIterator[Client]:
    authorized = {"Authorization": f"token {gateway.token}"}
    async with aiohttp.ClientSession(headers=authorized) as session:
        url = f"{gateway.url}/api/v1/ws/notebook/{gateway.notebook_id('canary.py')}"
        async with session.ws_connect(url, protocols=("tailrace.v1.json",), max_msg_size=0) as socket:
            client = Client(socket, name)
            await client.send("attach", client=name)
            await client.ready()
            yield client


def test_the_search_finds_what_is_there() -> None:
    for secret in SECRETS:
        for form in forms(secret):
            assert found_in(b"before " + form + b" behind") == [secret]
        assert found_in(base64.b64encode(b"ab" + secret.encode() + b" and more")) == [secret]
    assert found_in(b"kanarie") == []


@pytest.fixture
def gateway(postgres: Postgres, tmp_path: Path) -> Iterator[GatewayProcess]:
    for name, password in (("canary_user", PASSWORD), ("canary_env", ENVIRONMENT)):
        postgres.administer(f"DROP ROLE IF EXISTS {name}")
        postgres.administer(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "canary.py").write_text(NOTEBOOK)
    environment = {VARIABLE: postgres.url_with(user="canary_env", password=ENVIRONMENT)}
    process = GatewayProcess(folder, tmp_path / "gateway.log", log_level="DEBUG", environment=environment)
    process.start()
    yield process
    if process.process is not None:
        process.stop()


@story
async def test_no_secret_anywhere(gateway: GatewayProcess, postgres: Postgres, tmp_path: Path) -> None:
    good = postgres.url_with(user="canary_user", password=PASSWORD)
    there = good.rpartition("@")[2]
    refused = (
        postgres.url_with(user="canary_user", password=WRONG),
        f"postgresql://canary_user:{WRONG}@{TAIL}@{there}",
        f"postgresql://canary_user:{WRONG}@{there}?sslmode=nonsense&password={QUERY}&sslpassword={QUERY}",
        f"postgres://canary_user:{WRONG}@{there}",
        f"nosuchdb://canary_user:{WRONG}@{there}?token={QUERY}",
        f"postgresql://canary_user:{WRONG}@nohost.invalid/x?api_key={QUERY}",
        f"postgresql://canary_user:{WRONG}@127.0.0.1:notaport/x",
        f"password={BROKEN} host=127.0.0.1",
        f"canary_user:{BROKEN}",
    )
    seen: dict[str, bytes] = {}
    places = (gateway.folder, Path(os.environ["TAILRACE_STATE_DIR"]), Path(os.environ["TAILRACE_RUNTIME_DIR"]))
    async with connected(gateway, "one") as client:
        ends = [await client.do("update_db_connection", name="pg", connectionString=good)]
        ends += [await client.do("update_db_connection", name="pg", connectionString=url) for url in refused]
        ends.append(await client.do("update_db_connection", name="byname", connectionString=f"env:{VARIABLE}"))
        assert [end["type"] for end in ends] == [
            "command:executed", *["command:failed"] * len(refused), "command:executed",
        ]  # fmt: skip
        await client.do("run_all")
        seen["processes"] = command_lines(gateway.pid).encode()
        await client.do("restart_kernel")
        await client.event("db_connection_updated", status="success")
        await client.do("run_cell", cellId="who")
        await client.do("save")
        state = json.dumps(gateway.get(f"/api/v1/notebooks/{gateway.notebook_id('canary.py')}"))
        seen |= {"state": state.encode(), "frames": json.dumps(client.frames).encode()}
        seen |= files_below(*places)
    gateway.stop()
    seen |= {f"{path} afterwards": content for path, content in files_below(*places).items()}
    seen["log"] = gateway.log.read_bytes()
    assert {place: secrets for place, content in seen.items() if (secrets := found_in(content))} == {}
    assert b"canary_user" in seen["frames"], "the control: who is connected is shown"
    assert b"canary_env" in seen["frames"]
    assert b"tailrace_kernel" in seen["processes"]
    assert any(b"update_db_connection" in content or b"a note of the control" in content for content in seen.values())
    assert len(seen["log"]) > 0
