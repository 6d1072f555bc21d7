"""The browser room: one Chromium per session, one gateway per module, a fresh context and notebook per test."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.chromium import FLAGS, chromium_path
from tests.gateway_process import GatewayProcess, running_gateway
from tests.web.notebook_page import NotebookPage

RESULTS = Path(__file__).parents[2] / "test-results"
BENIGN = re.compile(
    r"net::ERR_CONNECTION_REFUSED"  # the gateway is stopped on purpose
    r"|WebSocket connection to .* failed"
    r"|^Executing inline event handler violates"  # the sanitiser's own document meets hostile HTML: blocked is right
)


expect.set_options(timeout=20_000)  # milliseconds; a loaded machine is slow, and a passing test never waits this long


@pytest.fixture(scope="session")
def browser(no_process_left: None) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[GatewayProcess]:
    RESULTS.mkdir(exist_ok=True)
    log = RESULTS / f"{request.module.__name__.rpartition('.')[2]}.log"
    log.unlink(missing_ok=True)
    with running_gateway(tmp_path_factory.mktemp("served"), log) as gateway:
        yield gateway


@pytest.fixture
def problems() -> Iterator[list[str]]:
    """Console errors, page errors and CSP violations of every page of a test: there must be none."""
    found: list[str] = []
    yield found
    assert [line for line in found if not BENIGN.search(line)] == []


@pytest.fixture
def context(browser: Browser, problems: list[str], request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    context.set_default_timeout(15_000)

    def watch(page: Page) -> None:
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))

    context.on("page", watch)
    yield context
    if getattr(request.node, "failed", False):
        RESULTS.mkdir(exist_ok=True)
        for number, page in enumerate(context.pages):
            page.screenshot(path=RESULTS / f"{request.node.name}-{number}.png", full_page=True)
    context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:  # marks failed tests so that their pages are photographed
    report = yield
    if report.failed:  # type: ignore[attr-defined]
        item.failed = True  # type: ignore[attr-defined]
    return report


@pytest.fixture
def open_notebook(
    gateway: GatewayProcess, context: BrowserContext, request: pytest.FixtureRequest
) -> Callable[..., NotebookPage]:
    """`open_notebook(cells…)` writes a new notebook file and opens it in a new tab; without cells, the same again."""
    name = re.sub(r"\W+", "_", request.node.name)

    def open_(*cells: str, clock: bool = False) -> NotebookPage:
        path = gateway.folder / f"{name}.py"
        if cells:
            path.write_text(percent(cells))
        page = context.new_page()
        if clock:
            page.clock.install()
        notebook = NotebookPage(page, gateway, gateway.notebook_id(path.name))
        notebook.open()
        return notebook

    return open_


def percent(cells: tuple[str, ...]) -> str:
    """Sources of cells → percent text; one that starts with `SQL:` or `MD:` is of that kind."""
    parts = []
    for cell in cells:
        if cell.startswith("SQL:"):
            body = "\n".join(f"# {line}" for line in cell[4:].splitlines())
            parts.append(f'# %% language="sql"\n{body}\n')
        elif cell.startswith("MD:"):
            body = "\n".join(f"# {line}" for line in cell[3:].splitlines())
            parts.append(f"# %% [markdown]\n{body}\n")
        else:
            parts.append(f"# %%\n{cell}\n")
    return "\n".join(parts)
