"""Keys as JupyterLab has them, in the text and on the cell, and the sheet that lists them."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]


def test_keys_while_writing(open_notebook: Open) -> None:
    tab = open_notebook("text = 'a'", "", "SQL:SELECT 1")
    tab.wait_kernel()
    tab.run(0)
    tab.expect_status(0, "success")
    keys = tab.page.keyboard
    tab.cell(1).locator(".cm-content").click()
    keys.type("def f():")
    keys.press("Enter")
    keys.type("return (tex")
    tab.expect_code(1, "def f():\n    return (tex)")  # indented and closed
    keys.press("Tab")
    expect(tab.page.locator(".cm-tooltip-autocomplete")).to_contain_text("text")
    tab.accept_completion("Tab")
    tab.expect_code(1, "def f():\n    return (text)")
    keys.type(")")
    tab.expect_code(1, "def f():\n    return (text)")  # the bracket was there
    keys.press("Control+/")
    tab.expect_code(1, "def f():\n    # return (text)")
    keys.press("Control+/")
    keys.press("Control+]")
    tab.expect_code(1, "def f():\n        return (text)")
    keys.press("Control+[")
    keys.press("Home")
    keys.press("Home")
    keys.press("Tab")
    tab.expect_code(1, "def f():\n        return (text)")  # no completion in leading space
    keys.press("Control+d")
    tab.expect_code(1, "def f():")
    keys.press("ControlOrMeta+a")
    keys.type("[")
    tab.expect_code(1, "[def f():]")  # brackets around what is selected
    keys.press("Control+m")
    expect(tab.cell(1)).to_be_focused()
    tab.cell(2).locator(".cm-content").click()
    keys.press("Control+/")
    tab.expect_code(2, "-- SELECT 1")


def test_keys_on_the_cell(open_notebook: Open) -> None:
    tab = open_notebook("a = 1", "b = 2\nc = 3", "Prices")
    keys = tab.page.keyboard
    tab.cell(2).locator(".cm-content").click()
    keys.press("Escape")
    keys.press("2")
    expect(tab.cell(2).get_by_role("heading", name="Prices", level=2)).to_be_visible()
    keys.press("k")
    expect(tab.cell(1)).to_be_focused()
    keys.press("Shift+L")
    expect(tab.page.locator(".cm-lineNumbers").first).to_be_visible()
    keys.press("l")
    expect(tab.page.locator(".cm-lineNumbers")).to_have_count(0)
    keys.press("Control+Backspace")
    tab.expect_count(2)
    tab.expect_code(0, "a = 1\nb = 2\nc = 3")
    expect(tab.cell(0)).to_be_focused()
    tab.cell(0).locator(".cm-line").nth(1).click()
    tab.page.get_by_role("button", name="All commands").click()
    tab.page.get_by_role("combobox", name="Command").fill("split")
    keys.press("Enter")
    tab.expect_count(3)
    tab.expect_code(0, "a = 1\nb = 2")
    tab.expect_code(1, "c = 3")


def test_the_sheet_lists_the_keys_of_both_modes(open_notebook: Open) -> None:
    tab = open_notebook("a = 1")
    tab.cell(0).locator(".cm-content").click()
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("?")
    sheet = tab.page.get_by_role("dialog", name="Keys")
    for row in ("Rename a variable in all cellsF2", "Find in all cellsCtrl-F", "Complete the nameTabCtrl-Space"):
        expect(sheet.locator("dl > div", has_text=row)).to_have_count(1)
    tab.page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(tab.cell(0)).to_be_focused()
