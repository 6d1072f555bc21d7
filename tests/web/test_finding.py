"""Finding and replacing in the texts of all cells, by the keys and by the mouse."""

from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]
CELLS = ("rate = 1\nRate = 2", "print(rate, 'rate')", "SQL:SELECT :rate AS crate", "x = 1")


def bar(tab: NotebookPage) -> Locator:
    return tab.page.get_by_role("search", name="Find in all cells")


def matches(tab: NotebookPage) -> Locator:
    return bar(tab).get_by_test_id("matches")


def test_find_goes_through_all_cells_and_back_to_the_text(open_notebook: Open) -> None:
    tab = open_notebook(*CELLS)
    tab.cell(0).locator(".cm-line").first.dblclick(position={"x": 12, "y": 8})
    tab.page.keyboard.press("ControlOrMeta+f")
    expect(bar(tab).get_by_label("Find", exact=True)).to_have_value("rate")  # what was selected
    expect(matches(tab)).to_have_text("6")
    expect(tab.page.locator(".cm-found")).to_have_count(6)
    tab.page.keyboard.press("Enter")
    expect(matches(tab)).to_have_text("1 of 6")
    tab.page.keyboard.press("Shift+Enter")
    expect(matches(tab)).to_have_text("6 of 6")
    expect(tab.cell(2).locator(".cm-found-at")).to_have_text("rate")
    bar(tab).get_by_role("button", name="Match case").click()
    expect(matches(tab)).to_have_text("5")
    bar(tab).get_by_role("button", name="Whole word").click()
    expect(matches(tab)).to_have_text("4")
    bar(tab).get_by_role("button", name="Regular expression").click()
    bar(tab).get_by_label("Find", exact=True).fill("(")
    expect(matches(tab)).to_have_text("This is no regular expression.")
    bar(tab).get_by_label("Find", exact=True).fill("r.t")
    expect(matches(tab)).to_have_text("No match")
    bar(tab).get_by_label("Find", exact=True).fill("r.te'")
    tab.page.keyboard.press("Enter")
    expect(matches(tab)).to_have_text("1 of 1")
    tab.page.keyboard.press("Escape")
    expect(bar(tab)).to_have_count(0)
    expect(tab.page.locator(".cm-found")).to_have_count(0)
    expect(tab.cell(1).locator(".cm-content")).to_be_focused()
    tab.page.keyboard.type("cost'")  # what was found is selected
    tab.expect_code(1, "print(rate, 'cost')")


def test_replace_one_then_all_and_take_it_back_at_once(open_notebook: Open) -> None:
    tab = open_notebook(*CELLS)
    other = open_notebook()
    tab.front()
    tab.page.keyboard.press("ControlOrMeta+h")
    bar(tab).get_by_label("Find", exact=True).fill("rate")
    bar(tab).get_by_role("button", name="Match case").click()
    bar(tab).get_by_label("Replace with").fill("prorate")
    tab.page.keyboard.press("Enter")  # goes to the first
    expect(matches(tab)).to_have_text("1 of 5")
    tab.page.keyboard.press("Enter")
    tab.expect_code(0, "prorate = 1\nRate = 2")
    expect(matches(tab)).to_have_text("2 of 5")  # not the one inside what was put in
    expect(tab.cell(1).locator(".cm-found-at")).to_have_count(1)
    bar(tab).get_by_label("Find", exact=True).fill("rate'")
    bar(tab).get_by_label("Find", exact=True).fill("rate")
    bar(tab).get_by_role("button", name="Replace all").click()
    replaced = ("proprorate = 1\nRate = 2", "print(prorate, 'prorate')", "SELECT :prorate AS cprorate", "x = 1")
    tab.expect_codes(*replaced)
    other.expect_codes(*replaced)
    expect(tab.page.get_by_test_id("undo")).to_contain_text("Replaced 5 places in 3 cells.")
    tab.page.get_by_test_id("undo").get_by_role("button", name="Undo").click()
    before = ("prorate = 1\nRate = 2", "print(rate, 'rate')", "SELECT :rate AS crate", "x = 1")
    tab.expect_codes(*before)
    other.expect_codes(*before)
