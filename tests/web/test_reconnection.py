"""Stop the gateway and start it again: the page comes back by itself and shows the truth."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.gateway_process import GatewayProcess
from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]


def test_the_page_comes_back_by_itself_and_shows_the_truth(open_notebook: Open, gateway: GatewayProcess) -> None:
    tab = open_notebook("x = 5", "y = x + 1\nprint('y is', y)")
    tab.run(0)
    tab.expect_output(1, "y is 6")
    gateway.stop()
    expect(tab.page.get_by_test_id("connection")).not_to_have_attribute("data-state", "live")
    tab.type(1, "y = x + 2\nprint('y is', y)")
    tab.blur()
    expect(tab.cell(1)).to_have_attribute("aria-label", "Cell 2, Python, Edited")  # sent to nobody yet
    path = gateway.folder / "test_the_page_comes_back_by_itself_and_shows_the_truth.py"
    path.write_text(path.read_text().replace("x = 5", "x = 5  # five"))  # somebody else's work meanwhile
    gateway.start()
    tab.wait_live()
    tab.expect_status(0, "stale")
    expect(tab.page.get_by_test_id("missed")).to_contain_text("offline, cell 1")
    tab.expect_code(0, "x = 5  # five")
    tab.page.get_by_role("button", name="Dismiss").click()
    expect(tab.cell(0)).to_contain_text("restart", ignore_case=True)
    expect(tab.cell(1).locator(".outputs")).to_contain_text("y is 6")
    expect(tab.cell(1).locator(".cm-content")).to_contain_text("x + 2")
    tab.run(1)
    tab.expect_output(1, "y is 7")
    other = open_notebook()
    other.expect_output(1, "y is 7")
    other.expect_code(1, "y = x + 2\nprint('y is', y)")


def test_retry_now_does_not_wait_for_the_timer(open_notebook: Open, gateway: GatewayProcess) -> None:
    tab = open_notebook("x = 1\nx", clock=True)
    gateway.stop()
    expect(tab.page.get_by_test_id("connection")).to_have_attribute("data-state", "lost")
    tab.stop_clock()
    gateway.start()
    tab.page.get_by_role("button", name="Retry now").click()
    tab.wait_live()
    tab.page.clock.resume()
    expect(tab.page.get_by_test_id("missed")).to_have_count(0)  # nothing had run: nothing differs
    tab.run(0)
    tab.expect_output(0, "1")


def test_a_restarted_kernel_keeps_outputs_and_says_so(open_notebook: Open) -> None:
    tab = open_notebook("x = 5\nprint('x is', x)")
    tab.run(0)
    tab.expect_output(0, "x is 5")
    tab.page.get_by_role("button", name="Restart kernel").click()
    question = tab.page.get_by_role("dialog", name="Restart the kernel?")  # there is a value to lose
    question.get_by_role("button", name="Cancel").click()
    expect(question).to_have_count(0)
    tab.expect_status(0, "success")
    tab.page.get_by_role("button", name="Restart kernel").click()
    question.get_by_role("button", name="Restart").click()
    tab.expect_status(0, "stale")
    tab.expect_output(0, "x is 5")
    tab.wait_kernel()
    tab.run(0)
    tab.expect_status(0, "success")


def test_interrupt_stops_a_running_cell(open_notebook: Open) -> None:
    tab = open_notebook("print('started')\nwhile True:\n    pass", "print('after')")
    tab.run(0)
    tab.expect_output(0, "started")
    tab.page.get_by_role("button", name="Interrupt").first.click()
    tab.expect_status(0, "interrupted")
    tab.run(1)
    tab.expect_output(1, "after")
    tab.run(0)
    tab.expect_status(0, "running")
    tab.run(1)  # a newer run that only waits: Stop means the cell it stands on
    tab.expect_status(1, "queued")
    tab.page.get_by_role("button", name="Restart kernel").click()
    question = tab.page.get_by_role("dialog", name="Restart the kernel?")  # what runs would be lost
    question.get_by_role("button", name="Cancel").click()
    tab.cell(0).get_by_role("button", name="Stop cell").click()
    tab.expect_status(0, "interrupted")
