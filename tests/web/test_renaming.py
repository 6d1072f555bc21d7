"""Renaming a variable in all cells: by F2 and from the list of commands, refused in words, undone in one step."""

from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]
CELLS = (
    "total = 41\n'total'  # total",
    "def add(total):\n    return total + 1\nf'{add(total=total)} total'",
    "SQL:SELECT :total AS total",
    "MD:The total",
)
RENAMED = (
    "price = 41\n'total'  # total",
    "def add(total):\n    return total + 1\nf'{add(total=price)} total'",
    "SELECT :price AS total",
)


def ask(tab: NotebookPage) -> Locator:
    dialog = tab.page.get_by_role("dialog", name="Rename a variable")
    expect(dialog).to_be_visible()
    return dialog


def expect_codes(tab: NotebookPage, *codes: str) -> None:
    for number, code in enumerate(codes):
        tab.expect_code(number, code)


def test_f2_renames_the_variable_at_the_cursor_in_all_cells(open_notebook: Open) -> None:
    tab = open_notebook(*CELLS)
    tab.wait_kernel()
    other = open_notebook()
    tab.front()
    tab.cell(0).locator(".cm-line").first.click(position={"x": 12, "y": 8})
    tab.page.keyboard.press("F2")
    dialog = ask(tab)
    expect(dialog.get_by_label("Variable")).to_have_value("total")
    expect(dialog.get_by_label("New name")).to_be_focused()
    tab.page.keyboard.type("class")
    tab.page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("word of Python's grammar")
    dialog.get_by_label("New name").fill("price")
    tab.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(tab.cell(0).locator(".cm-content")).to_be_focused()
    expect_codes(tab, *RENAMED)
    expect(tab.page.get_by_test_id("undo")).to_contain_text("Renamed total to price: 3 places in 3 cells.")
    expect_codes(other, *RENAMED)
    tab.run(0)
    tab.expect_output(1, "42 total")
    tab.page.get_by_test_id("undo").get_by_role("button", name="Undo").click()
    expect_codes(tab, CELLS[0], CELLS[1], "SELECT :total AS total")
    expect_codes(other, CELLS[0], CELLS[1], "SELECT :total AS total")


def test_a_name_that_would_mean_a_local_is_refused_with_a_link_to_the_cell(open_notebook: Open) -> None:
    tab = open_notebook("x = 1", "def f(y):\n    return x + y")
    tab.wait_kernel()
    tab.cell(0).locator(".cm-line").click(position={"x": 9, "y": 8})
    tab.page.keyboard.press("Escape")
    tab.page.get_by_role("button", name="All commands").click()
    tab.page.get_by_role("combobox", name="Command").fill("rename")
    tab.page.keyboard.press("Enter")
    dialog = ask(tab)
    expect(dialog.get_by_label("Variable")).to_have_value("x")
    dialog.get_by_label("New name").fill("y")
    dialog.get_by_role("button", name="Rename in all cells").click()
    expect(dialog.get_by_role("alert")).to_contain_text(
        "is inside a function, class or comprehension that has its own `y`"
    )
    dialog.get_by_role("link", name="cell 2").click()
    expect(dialog).to_have_count(0)
    expect(tab.cell(1).locator(".cm-content")).to_be_focused()
    expect_codes(tab, "x = 1", "def f(y):\n    return x + y")


def test_what_was_just_typed_is_renamed_too_and_stays_after_undo(open_notebook: Open) -> None:
    tab = open_notebook("x = 1", "x")
    tab.wait_kernel()
    tab.type(1, "x + x")
    tab.page.keyboard.press("F2")
    ask(tab).get_by_label("New name").fill("price")
    tab.page.keyboard.press("Enter")
    expect_codes(tab, "price = 1", "price + price")
    tab.page.get_by_test_id("undo").get_by_role("button", name="Undo").click()
    expect_codes(tab, "x = 1", "x + x")
