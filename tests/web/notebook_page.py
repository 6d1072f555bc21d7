"""A notebook as a person sees it in the browser: cells, their editors, buttons, outputs and states."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from playwright.sync_api import Locator, Page, Request, expect

from tests.gateway_process import GatewayProcess

SECONDS = 1_000  # Playwright counts in milliseconds
KERNEL_START = 40 * SECONDS


@dataclass
class NotebookPage:
    page: Page
    gateway: GatewayProcess
    notebook_id: str
    requests: list[str] = field(default_factory=list)

    def accept_completion(self, key: str) -> None:
        """Press `key` on the list that is shown, once it takes keys: for 75 ms a key may be that of somebody typing."""
        expect(self.page.locator(".cm-tooltip-autocomplete li[aria-selected]")).to_be_visible()
        shown = self.page.evaluate("performance.now()")
        self.page.wait_for_function("shown => performance.now() > shown + 100", arg=shown)
        self.page.keyboard.press(key)

    def open(self) -> None:
        """Logs in with a fresh code, goes to the notebook and waits until the page is live."""
        self.page.on("request", self._note)
        self.page.goto(self.gateway.login_url())
        expect(self.page.get_by_test_id("notebook-list")).to_be_visible()
        self.page.goto(f"{self.gateway.url}/notebooks/{self.notebook_id}")
        self.wait_live()

    def _note(self, request: Request) -> None:
        self.requests.append(f"{request.method} {request.url.removeprefix(self.gateway.url)}")

    def state_loads(self) -> int:
        """How often the whole state of this notebook was fetched over HTTP."""
        return self.requests.count(f"GET /api/v1/notebooks/{self.notebook_id}")

    def mutations_over_http(self) -> list[str]:
        return [line for line in self.requests if line.split()[0] in {"PUT", "PATCH", "DELETE"}]

    def wait_live(self) -> None:
        expect(self.page.get_by_test_id("connection")).to_have_attribute("data-state", "live", timeout=KERNEL_START)

    def stop_clock(self) -> None:
        """From now on the page's time passes only by `clock.run_for`: nothing a slow machine does is too late."""
        self.page.clock.pause_at(datetime.fromtimestamp(self.page.evaluate("Date.now()") / 1_000 + 0.5, tz=UTC))

    def wait_kernel(self) -> None:
        expect(self.page.get_by_test_id("kernel")).to_have_attribute("data-state", "idle", timeout=KERNEL_START)

    def front(self) -> None:
        """A tab behind another draws one frame a second, and a click waits for two of them."""
        self.page.bring_to_front()

    # cells

    @property
    def cells(self) -> Locator:
        return self.page.locator("section[data-cell-id]")

    def cell(self, number: int) -> Locator:
        """The cell at this place, counted from 0."""
        return self.cells.nth(number)

    def ids(self) -> list[str]:
        return [str(cell.get_attribute("data-cell-id")) for cell in self.cells.all()]

    def expect_codes(self, *codes: str) -> None:
        """The cells in order, each with this text."""
        self.expect_count(len(codes))
        for number, code in enumerate(codes):
            self.expect_code(number, code)

    def expect_code(self, number: int, code: str) -> None:
        expect(self.cell(number).locator(".cm-line")).to_have_text(code.split("\n"))

    def type(self, number: int, text: str) -> None:
        """Replaces the text of a cell, key by key as far as the editor can tell; the cell keeps the focus."""
        self.front()
        self.cell(number).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(text)

    def blur(self) -> None:
        self.front()
        self.page.locator("header").first.click(position={"x": 2, "y": 2})

    def run(self, number: int) -> None:
        self.front()
        self.cell(number).get_by_role("button", name="Run cell").click()

    def edit_and_run(self, number: int, text: str) -> None:
        self.type(number, text)
        self.page.keyboard.press("Control+Enter")

    # what a cell shows

    def expect_output(self, number: int, text: str) -> None:
        expect(self.cell(number).locator(".outputs")).to_contain_text(text, timeout=KERNEL_START)

    def expect_status(self, number: int, status: str) -> None:
        expect(self.cell(number)).to_have_attribute("data-status", status, timeout=KERNEL_START)

    def expect_count(self, count: int) -> None:
        expect(self.cells).to_have_count(count)
