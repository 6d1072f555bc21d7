"""Who is here by name, and whose turn it is in a run."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]


def test_people_see_each_other_by_name(open_notebook: Open) -> None:
    ann = open_notebook("a = 1", "b = 2")
    bob = open_notebook()
    expect(ann.page.get_by_test_id("people")).to_have_text("with 1 window")
    bob.front()
    bob.page.get_by_test_id("people").click()
    bob.page.get_by_role("dialog", name="Your name").get_by_role("textbox").fill("Bob")
    bob.page.keyboard.press("Enter")
    expect(ann.page.get_by_test_id("people")).to_have_text("with Bob")
    bob.wait_live()
    bob.cell(1).locator(".cm-content").click()
    expect(ann.cell(1).get_by_test_id("others")).to_have_text("Bob")
    bob.page.reload()  # the name is kept
    bob.wait_live()
    expect(ann.page.get_by_test_id("people")).to_have_text("with Bob")
    expect(ann.page.get_by_test_id("missed")).to_have_count(0)


def test_queued_cells_show_their_turn(open_notebook: Open) -> None:
    tab = open_notebook(
        "import pathlib, time\nx = 1\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.05)", "y = x", "z = y"
    )
    tab.wait_kernel()
    tab.run(0)
    tab.expect_status(0, "running")
    expect(tab.cell(1).get_by_test_id("status")).to_have_text("Queued(1)")
    expect(tab.cell(2).get_by_test_id("status")).to_have_text("Queued(2)")
    (tab.gateway.folder / "go").touch()
    tab.expect_status(2, "success")
    expect(tab.cell(2).get_by_test_id("status")).not_to_contain_text("(")
