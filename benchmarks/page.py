"""The page in Chromium: bytes and time to the first editor, keys among 200 cells, a flood of lines, a long cascade.

Promise W1. The first editor is timed in marimo's and JupyterLab's pages too, where they are installed (`make peers`);
what only our page shows has bounds of its own.
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.measurement import Claim, Finding, Series, at_most, interleaved, ratio, run_parts
from benchmarks.peers import our_versions, python_of_peers, version_of
from tests.chromium import FLAGS, chromium_path
from tests.gateway_process import GatewayProcess, running_gateway

ROUNDS = 5
CELLS = 200
KEYS = 40
LINES = 20_000
PATIENCE = 120_000  # ms
MILLI = 1e3
KIB = 2**10
FRAMES = """() => {
  window.longest = 0;
  let last = performance.now();
  const next = (now) => {
    window.longest = Math.max(window.longest, now - last);
    last = now;
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}"""
KEY_DELAYS = """() => {
  window.delays = [];
  addEventListener("keydown", () => {
    const pressed = performance.now();
    requestAnimationFrame(() => setTimeout(() => window.delays.push(performance.now() - pressed)));
  }, true);
}"""


@dataclass(frozen=True)
class Served:
    """One notebook of one cell on a server: how to let a fresh browser in, where it is, what its editor is."""

    enter: Callable[[Page], None]
    url: str
    editor: str


@dataclass(frozen=True)
class Load:
    seconds: float
    bytes: float  # on the wire, as sent
    requests: float


def first_editor(browser: Browser, served: Served) -> Load:
    """In a fresh profile, from the address to an editor on the screen."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    served.enter(page)
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[float] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    started = time.perf_counter()
    page.goto(served.url, wait_until="commit")
    page.locator(served.editor).first.wait_for()
    load = Load(time.perf_counter() - started, sum(sizes), len(sizes))
    context.close()
    return load


def ours(gateway: GatewayProcess, name: str) -> Served:
    def enter(page: Page) -> None:
        page.goto(gateway.login_url())
        page.get_by_test_id("notebook-list").wait_for()

    return Served(enter, f"{gateway.url}/notebooks/{gateway.notebook_id(name)}", ".cm-content")


@contextmanager
def peer(words: list[str], path: str, editor: str, folder: Path) -> Iterator[Served]:
    """A server of the peers' environment, told its port by the last of `words`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python_of_peers(), "-m", *words, str(port)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield Served(lambda page: None, f"http://127.0.0.1:{port}{path}", editor)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE / MILLI)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE / MILLI
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def peers(stack: ExitStack, folder: Path) -> dict[str, Served]:
    found = {}
    if version_of("marimo") is not None:
        (folder / "peer_marimo.py").write_text(MARIMO)
        words = ["marimo", "-q", "edit", "peer_marimo.py", "--headless", "--no-token", "--skip-update-check", "--port"]
        found["marimo"] = stack.enter_context(peer(words, "/", ".cm-content", folder))
    if version_of("jupyterlab") is not None:
        (folder / "peer_lab.ipynb").write_text(IPYNB)
        words = ["jupyterlab", "--no-browser", "--allow-root", "--IdentityProvider.token=", "--port"]
        path, editor = "/lab/tree/peer_lab.ipynb", ".jp-Notebook .cm-content"
        found["JupyterLab"] = stack.enter_context(peer(words, path, editor, folder))
    return found


MARIMO = "import marimo\napp = marimo.App()\n\n\n@app.cell\ndef _():\n    x = 1\n    return\n"
IPYNB = (
    '{"cells": [{"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": null, '
    '"source": "x = 1"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
)


def loading(browser: Browser, served: Mapping[str, Served], seed: int) -> Iterator[Finding]:
    loads: dict[str, list[Load]] = {name: [] for name in served}

    def sample(name: str) -> float:
        load = first_editor(browser, served[name])
        loads[name].append(load)
        return load.seconds

    series = interleaved(ROUNDS, {name: partial(sample, name) for name in served}, seed)
    claims = (
        at_most("of JupyterLab's", ratio(series["Tailrace"], series.get("JupyterLab")), 1 / 2),
        at_most("of marimo's", ratio(series["Tailrace"], series.get("marimo")), 1 / 3),
    )
    yield Finding("W1", "first editor in a fresh profile", "s", series, claims)
    size = {name: Series(tuple(load.bytes / KIB for load in taken)) for name, taken in loads.items()}
    yield Finding("W1", "bytes on the wire until then", "KiB", size, note="ours are sent as the gateway sends them")
    count = {name: Series(tuple(load.requests for load in taken)) for name, taken in loads.items()}
    yield Finding("W1", "requests until then", "", count)


def opened(browser: Browser, served: Served) -> Page:
    page = browser.new_context(viewport={"width": 1100, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    served.enter(page)
    page.goto(served.url)
    expect(page.get_by_test_id("kernel")).to_have_attribute("data-state", "idle", timeout=PATIENCE)
    return page


def keys(browser: Browser, served: Served) -> Finding:
    page = opened(browser, served)
    page.get_by_role("switch", name="Auto-run").click()
    page.locator(".cm-content").first.click()
    page.evaluate(KEY_DELAYS)
    for count in range(1, KEYS + 1):  # one after the other, as a person does: the next waits for the former's frame
        page.keyboard.press("x")
        page.wait_for_function("count => window.delays.length >= count", arg=count)
    delays = Series(tuple(page.evaluate("() => window.delays")))
    page.context.close()
    claims = (at_most("p10 of a key, ms", delays.p10, 30),)
    return Finding("W1", f"from a key to the frame after it, {CELLS} cells", "ms", {"Tailrace": delays}, claims)


def cascade(browser: Browser, served: Served) -> Iterator[Finding]:
    page = opened(browser, served)
    taken, longest = run_all(page, f"section[data-status=success] >> nth={CELLS - 1}")
    yield Finding("W1", f"a cascade of {CELLS} cells, click to last state shown", "s", {"Tailrace": Series((taken,))})
    yield Finding("W1", "the longest frame meanwhile", "ms", {"Tailrace": Series((longest,))}, (frame(longest),))


def flood(browser: Browser, served: Served) -> Iterator[Finding]:
    page = opened(browser, served)
    taken, longest = run_all(page, "section[data-status=success]")
    yield Finding("W1", f"{LINES} printed lines, click to done", "s", {"Tailrace": Series((taken,))})
    yield Finding("W1", "the longest frame meanwhile", "ms", {"Tailrace": Series((longest,))}, (frame(longest),))


def run_all(page: Page, end: str) -> tuple[float, float]:
    """Seconds to the end, and the longest frame in milliseconds."""
    button = page.get_by_role("button", name="Run all").element_handle()  # the search for it is no work of the page's
    page.evaluate(FRAMES)
    started = time.perf_counter()
    button.click()
    page.locator(end).first.wait_for(state="attached")
    taken = time.perf_counter() - started
    longest = float(page.evaluate("() => window.longest"))
    page.context.close()
    return taken, longest


def frame(longest: float) -> Claim:
    return at_most("longest frame, ms", longest, 200)


def w1(seed: int) -> Iterator[Finding]:
    chain = "\n".join(f"# %%\nx{n} = {f'x{n - 1} + 1' if n else '0'}\n" for n in range(CELLS))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "one.py").write_text("# %%\nx = 1\n")
        for name in ("keys.py", "chain.py"):  # what is typed into one must not break the other
            (folder / name).write_text(chain)
        (folder / "flood.py").write_text(f"# %%\nfor n in range({LINES}):\n    print('line', n)\n")
        gateway = stack.enter_context(running_gateway(folder, folder / "gateway.log"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        stack.callback(browser.close)
        with ExitStack() as rivals:  # their servers go before the rest is measured
            yield from loading(browser, {"Tailrace": ours(gateway, "one.py"), **peers(rivals, folder)}, seed)
        yield keys(browser, ours(gateway, "keys.py"))
        yield from cascade(browser, ours(gateway, "chain.py"))
        yield from flood(browser, ours(gateway, "flood.py"))


def versions() -> Mapping[str, str | None]:
    return our_versions("tailrace") | {name: version_of(name) for name in ("marimo", "jupyterlab")}


if __name__ == "__main__":
    sys.exit(run_parts({"W1": w1}, versions))
