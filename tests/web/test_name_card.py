"""What a name holds: by the mouse, by Shift-Tab, with a way to the cell that it comes from."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]


def card(page: Page) -> Locator:
    return page.locator(".name-card")


def test_resting_on_a_name_shows_type_shape_value_and_cell(open_notebook: Open) -> None:
    tab = open_notebook("numbers = [1, 2, 3]", "'numbers'; numbers", "SQL:SELECT :numbers")
    tab.wait_kernel()
    tab.run(0)
    tab.expect_output(1, "[1, 2, 3]")
    line = tab.cell(1).locator(".cm-line")
    line.hover(position={"x": 30, "y": 8})  # in the string
    line.hover(position={"x": 110, "y": 8})
    expect(card(tab.page)).to_have_count(1)
    expect(card(tab.page)).to_contain_text("numbers")
    expect(card(tab.page)).to_contain_text("list 3")
    expect(card(tab.page)).to_contain_text("[1, 2, 3]")
    card(tab.page).get_by_role("link", name="cell 1").click()
    expect(tab.cell(0).locator(".cm-content")).to_be_focused()
    expect(card(tab.page)).to_have_count(0)
    tab.cell(2).locator(".cm-line").hover(position={"x": 80, "y": 8})
    expect(card(tab.page)).to_contain_text("[1, 2, 3]")


def test_shift_tab_shows_documentation_and_again_goes_into_it(open_notebook: Open) -> None:
    tab = open_notebook(
        'def area(width, height=2):\n    """Width times height."""\n    return width * height', "area", "x"
    )
    tab.wait_kernel()
    tab.run(0)
    tab.expect_status(1, "success")
    tab.type(1, "area")
    tab.page.keyboard.press("Shift+Tab")
    expect(card(tab.page)).to_contain_text("area(width, height=2)")
    expect(card(tab.page)).to_contain_text("Width times height.")
    expect(card(tab.page)).to_contain_text("cell 1")
    expect(tab.page.get_by_test_id("announcer")).to_contain_text("area: function")
    expect(tab.cell(1).locator(".cm-content")).to_be_focused()
    tab.page.keyboard.press("Shift+Tab")
    expect(card(tab.page)).to_be_focused()
    tab.page.keyboard.press("Escape")
    expect(card(tab.page)).to_have_count(0)
    expect(tab.cell(1).locator(".cm-content")).to_be_focused()
    tab.page.keyboard.press("Shift+Tab")
    expect(card(tab.page)).to_have_count(1)
    tab.page.keyboard.press("Escape")  # the first closes the card, the next leaves the editor
    expect(card(tab.page)).to_have_count(0)
    expect(tab.cell(1).locator(".cm-content")).to_be_focused()
    tab.type(2, "    x")
    tab.page.keyboard.press("Home")
    tab.page.keyboard.press("Shift+Tab")
    tab.expect_code(2, "x")  # in leading space the key takes the indent away
    expect(card(tab.page)).to_have_count(0)
