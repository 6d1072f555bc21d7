"""Pictures of the page's main states, to be looked at: `python -m tests.web.screenshots` writes test-results/*.png."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.chromium import FLAGS, chromium_path
from tests.gateway_process import GatewayProcess, running_gateway
from tests.web.notebook_page import KERNEL_START, NotebookPage

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "test-results"
STATES = """# %%
x = 5

# %%
import time
y = x / 0

# %%
print("waits for y", y)

# %%
p = q + 1

# %%
q = p + 1

# %%
def broken(:

# %%
import sys
print("to stdout")
print("\\x1b[32mgreen\\x1b[0m to stderr", file=sys.stderr)
{"a": [1, 2, 3]}
"""


def main() -> None:
    RESULTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for example in (ROOT / "examples").glob("*.py"):
            shutil.copy(example, folder)
        (folder / "states.py").write_text(STATES)
        os.environ["XDG_STATE_HOME"] = str(folder / ".state")  # else the outputs of former pictures come along
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
            for scheme in ("light", "dark"):
                with running_gateway(folder, RESULTS / "screenshots.log") as gateway:
                    photograph(browser, gateway, scheme)
                shutil.rmtree(folder / ".state")
            browser.close()


def photograph(browser: Browser, gateway: GatewayProcess, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": 1100, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(gateway.url)
    page.screenshot(path=RESULTS / f"login-{scheme}.png")
    for name in ("weather.py", "stocks_sql.py", "states.py"):
        notebook = NotebookPage(context.new_page(), gateway, gateway.notebook_id(name))
        notebook.open()
        notebook.wait_kernel()
        notebook.page.get_by_role("button", name="Run all").click()
        waiting = [
            f"section:not([data-type=markdown])[data-status={status}]" for status in ("idle", "queued", "running")
        ]
        expect(notebook.page.locator(", ".join(waiting))).to_have_count(0, timeout=KERNEL_START)
        notebook.page.evaluate("() => document.fonts.ready")
        path = RESULTS / f"{name.removesuffix('.py')}-{scheme}.png"
        height = notebook.page.evaluate("document.documentElement.scrollHeight")
        notebook.page.set_viewport_size({"width": 1100, "height": height})  # cells out of sight are not drawn
        notebook.page.screenshot(path=path)
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        if name == "states.py":
            photograph_panels(notebook.page, scheme)
    page.goto(gateway.login_url())
    expect(page.get_by_test_id("notebook-list")).to_be_visible()
    page.screenshot(path=RESULTS / f"list-{scheme}.png")
    context.close()


def photograph_panels(page: Page, scheme: str) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    page.get_by_role("button", name="Panels").click()
    for panel in ("Outline", "Variables", "Graph", "Schema", "Messages"):
        page.get_by_role("tab", name=panel).click()
        expect(page.get_by_role("tabpanel", name=panel)).to_be_visible()
        if panel == "Graph":
            expect(page.locator("g.node").first).to_be_visible()
        if panel == "Schema":
            expect(page.get_by_test_id("schema").locator("li").first).to_be_visible()
        if panel == "Messages":
            page.get_by_role("button", name="Run stale").click()
            expect(page.get_by_test_id("messages").locator("li").first).to_be_visible()
        page.screenshot(path=RESULTS / f"panel-{panel.lower()}-{scheme}.png")
    page.get_by_role("button", name="All commands").click()
    expect(page.get_by_role("combobox", name="Command")).to_be_visible()
    page.screenshot(path=RESULTS / f"palette-{scheme}.png")


if __name__ == "__main__":
    main()
