"""Each example does what it says, run as its first lines tell, on real kernels, a real gateway and a real browser."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from tailrace_gateway.library import Library
from tests.chromium import FLAGS, chromium_path
from tests.gateway_process import GatewayProcess, running_gateway
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def run_notebook(name: str, **environment: str) -> dict[str, dict[str, Any]]:
    """The cells of `tailrace run --json` by id; every one of them succeeded."""
    command = [sys.executable, "-m", "tailrace_cli", "run", str(EXAMPLES / name), "--json"]
    variables = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT, env=variables)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["status"] == "success"
    return {cell["id"]: cell for cell in said["cells"]}


def text_of(cell: dict[str, Any]) -> str:
    return "".join(output.get("text", "") for output in cell["outputs"])


def mimes_of(cell: dict[str, Any]) -> set[str]:
    return {mime for output in cell["outputs"] for mime in output.get("data", {})}


def test_weather_tells_its_story() -> None:
    cells = run_notebook("weather.py")
    assert text_of(cells["warm-days"]) == "241 of 1461 days reached 25 °C\n"
    assert "2015 was the warmest year" in text_of(cells["story"])
    assert "image/png" in mimes_of(cells["figure"])
    assert any(mime.startswith("application/vnd.vegalite") for mime in mimes_of(cells["chart"]))
    assert "text/html" in mimes_of(cells["months"])


def test_stocks_go_from_python_to_sql_and_back() -> None:
    cells = run_notebook("stocks_sql.py")
    assert text_of(cells["winner"]) == "Since 2005-01-01 the price of AAPL has grown to 5.8 times what it was.\n"
    assert any(mime.startswith("application/vnd.vegalite") for mime in mimes_of(cells["chart"]))
    assert cells["growth"]["type"] == "sql"


def story_of_two_databases(cells: dict[str, dict[str, Any]]) -> None:
    assert text_of(cells["load"]) == "1,461 days of weather here, 3,376 airports there\n"
    assert text_of(cells["story"]).endswith("in month 7: 2 rainy days in four years.\n")
    assert "text/html" in mimes_of(cells["states"])


def test_two_databases_without_a_postgresql(tmp_path: Path) -> None:
    cells = run_notebook("postgres_and_duckdb.py", TMPDIR=str(tmp_path))
    assert "no PostgreSQL is used: a SQLite file takes its place" in text_of(cells["connect"])
    story_of_two_databases(cells)


def test_two_databases_with_a_postgresql(postgres: Postgres) -> None:
    with postgres.own_schema("example"):
        cells = run_notebook("postgres_and_duckdb.py", TAILRACE_EXAMPLE_PG=postgres.url)
    assert text_of(cells["connect"]).startswith("The airports go to your PostgreSQL.\npg: postgresql ")
    story_of_two_databases(cells)
    assert postgres.administer("SELECT count(*) FROM example.example_airports") == [(3376,)]
    postgres.administer("DROP SCHEMA example CASCADE")


def test_the_notebooks_are_listed_and_the_clients_are_not() -> None:
    assert [found.shown for found in Library([EXAMPLES]).list()] == [
        "postgres_and_duckdb.py",
        "stocks_sql.py",
        "weather.py",
    ]
    assert len(list(EXAMPLES.glob("*.py"))) == 6


@pytest.mark.parametrize(
    ("name", "most"),
    [("raw_zmq_probe.py", 60), ("raw_zmq_probe_json.py", 60), ("ws_client.py", 40), ("ws_client.js", 40)],
)
def test_clients_stay_short(name: str, most: int) -> None:
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    assert 10 < len(lines) <= most


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("raw_zmq_probe.py", {"zmq", "msgpack"}), ("raw_zmq_probe_json.py", {"zmq"}), ("ws_client.py", {"aiohttp"})],
)
def test_clients_need_nothing_of_ours(name: str, allowed: set[str]) -> None:
    tree = ast.parse((EXAMPLES / name).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.split(".")[0] for module in imported} - sys.stdlib_module_names == allowed


def test_the_raw_probe_prints_what_the_kernel_says(connection_file: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "raw_zmq_probe.py"), str(connection_file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "stream y is 6" in done.stdout
    assert done.stdout.index("run_started") < done.stdout.index("execute_result") < done.stdout.index("run_finished")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway on a folder of one small notebook."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "nb.py").write_text('# %% id="a"\nx = 5\n\n# %% id="b"\nprint("x is", x)\n')
    with running_gateway(folder, tmp_path_factory.mktemp("log") / "gateway.log") as running:
        yield running


def test_the_program_creates_runs_and_removes_a_cell(gateway: GatewayProcess) -> None:
    command = [sys.executable, str(EXAMPLES / "ws_client.py"), gateway.url, gateway.notebook_id("nb.py")]
    environment = {**os.environ, "TAILRACE_TOKEN": gateway.token}
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "six times seven is 42" in done.stdout
    assert done.stdout.index("cell_created") < done.stdout.index("run_finished") < done.stdout.index("cell_deleted")
    state = gateway.get(f"/api/v1/notebooks/{gateway.notebook_id('nb.py')}")
    assert isinstance(state, dict)
    assert [cell["id"] for cell in state["cells"]] == ["a", "b"]


@pytest.fixture
def page(gateway: GatewayProcess) -> Iterator[Page]:
    """A page of the gateway's origin, logged in, with ws_client.js in it; `sockets` are those that it opened."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        page = browser.new_page()
        page.goto(gateway.login_url())
        page.wait_for_url(f"{gateway.url}/")  # the code is taken out of the address once it was exchanged
        page.wait_for_load_state("networkidle")
        page.evaluate("""() => {
            window.sockets = []; window.seen = []; window.waiting = [];
            window.hear = (frame) => { seen.push(frame); waiting.forEach((check) => check()); };
            window.until = (count, type) => new Promise((done, fail) => {
                const check = () => { if (seen.filter((frame) => frame.type === type).length >= count) done(); };
                waiting.push(check); check();
                setTimeout(() => fail(new Error(`no ${type}: ${seen.map((frame) => frame.type)}`)), 60_000);
            });
            const Plain = WebSocket;
            window.WebSocket = class extends Plain { constructor(...given) { super(...given); sockets.push(this); } };
        }""")
        source = (EXAMPLES / "ws_client.js").read_text(encoding="utf-8")
        page.evaluate(f"() => {{ {source}\n window.follow = follow; }}")  # as pasted into the console
        yield page
        browser.close()


def test_the_page_client_runs_reconnects_and_resumes(gateway: GatewayProcess, page: Page) -> None:
    notebook = gateway.notebook_id("nb.py")
    page.evaluate("id => { window.notebook = follow(id, hear); }", notebook)
    page.evaluate("until(1, 'snapshot')")
    page.evaluate("() => notebook.send({ type: 'run_all' })")
    page.evaluate("until(1, 'run_finished')")
    assert page.evaluate("seen.find((frame) => frame.type === 'cell_stdout').data") == "x is 5\n"

    page.evaluate("() => { sockets.at(-1).close(); notebook.send({ type: 'run_all', id: 'again' }); }")
    page.evaluate("until(2, 'run_finished')")
    assert page.evaluate("sockets.length") == 2
    modes = page.evaluate("seen.filter((frame) => frame.result?.mode).map((frame) => frame.result.mode)")
    assert modes == ["snapshot", "replay"]
    numbers = page.evaluate("seen.filter((frame) => frame.seq && frame.notebookId).map((frame) => frame.seq)")
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))  # nothing twice, nothing missing
    assert page.evaluate("seen.filter((frame) => frame.type === 'ack' && frame.id === 'again').length") == 1
