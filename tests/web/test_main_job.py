"""The main job in a real browser: open a notebook, change a cell, watch everything downstream follow."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]


def test_a_change_is_followed_in_two_tabs(open_notebook: Open) -> None:
    first = open_notebook("x = 5", "y = x + 1\ny")
    second = open_notebook()
    first.run(0)
    first.expect_output(1, "6")
    second.expect_output(1, "6")
    first.edit_and_run(0, "x = 10")
    first.expect_output(1, "11")
    second.expect_output(1, "11")
    expect(second.cell(0).locator(".cm-content")).to_have_text("x = 10")


def test_deleting_a_writer_breaks_its_readers_and_nobody_else(open_notebook: Open) -> None:
    tab = open_notebook("a = 5", "b = a * 2\nprint('b is', b)", "c = b + 1\nprint('c is', c)", "print('other', 1)")
    tab.page.get_by_role("button", name="Run all").click()
    tab.expect_output(2, "c is 11")
    tab.expect_output(3, "other 1")
    second = tab.ids()[1]
    tab.cell(0).get_by_role("button", name="Delete cell").click()
    tab.expect_count(3)
    tab.expect_output(0, "NameError")
    tab.expect_output(0, "'a'")
    tab.expect_status(1, "error")
    tab.expect_output(1, "name 'b' is not defined")
    tab.expect_output(1, second)
    tab.expect_status(2, "success")


def test_a_cycle_blocks_both_cells_and_a_repair_frees_them(open_notebook: Open) -> None:
    tab = open_notebook("x = y + 1\nx", "y = x + 1\ny")
    one, two = tab.ids()
    tab.expect_status(0, "blocked")
    tab.expect_status(1, "blocked")
    expect(tab.cell(0)).to_contain_text(two)
    expect(tab.cell(1)).to_contain_text(one)
    tab.edit_and_run(0, "x = 1\nx")
    tab.expect_status(0, "success")
    tab.expect_output(1, "2")


def test_a_syntax_error_is_shown_and_repaired(open_notebook: Open) -> None:
    tab = open_notebook("x = 1", "x + 1")
    tab.edit_and_run(0, "x = = 2")
    tab.expect_status(0, "error")
    tab.expect_output(0, "SyntaxError")
    tab.edit_and_run(0, "x = 2")
    tab.expect_output(1, "3")


def test_renaming_a_variable_breaks_its_readers_until_they_follow(open_notebook: Open) -> None:
    look = "try:\n    print('price is', price)\nexcept NameError:\n    print('price is gone')"
    tab = open_notebook("price = 3", "total = price * 2\ntotal", look)
    tab.page.get_by_role("button", name="Run all").click()
    tab.expect_output(1, "6")
    tab.expect_output(2, "price is 3")
    tab.edit_and_run(0, "cost = 3")
    tab.expect_output(1, "NameError")
    tab.expect_output(2, "price is gone")
    tab.edit_and_run(1, "total = cost * 3\ntotal")
    tab.expect_output(1, "9")


def test_three_edited_cells_run_once_in_their_newest_version(open_notebook: Open) -> None:
    tab = open_notebook("a = 1\nprint('a', a)", "b = a\nprint('b', b)", "c = b\nprint('c', c)")
    tab.page.get_by_role("button", name="Run all").click()
    tab.expect_output(2, "c 1")
    for number, text in enumerate(("a = 2\nprint('a2', a)", "b = a * 10\nprint('b2', b)", "c = b + 1\nprint('c2', c)")):
        tab.type(number, text)
        tab.blur()
        tab.expect_status(number, "stale")
    tab.run(0)
    for number, text in enumerate(("a2 2", "b2 20", "c2 21")):
        tab.expect_output(number, text)
        tab.expect_status(number, "success")
        expect(tab.cell(number).locator(".outputs")).to_have_text(text)


def test_output_kinds_reach_their_own_cell(open_notebook: Open) -> None:
    tab = open_notebook(
        "import sys\nprint('to out')\nprint('to err', file=sys.stderr)",
        "import pandas as pd\npd.DataFrame({'name': ['ada'], 'n': [1]})",
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);",
        "from IPython.display import HTML, JSON, Markdown, SVG, display\n"
        "display(Markdown('**bold**'))\n"
        'display(SVG(\'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>\'))\n'
        'HTML(\'<b id="x" onclick="alert(1)">safe</b><img src=x onerror=alert(1)>\')',
        "print('\\x1b[31mred\\x1b[0m')",
    )
    tab.page.get_by_role("button", name="Run all").click()
    tab.expect_output(0, "to out")
    tab.expect_output(0, "to err")
    expect(tab.cell(1).locator(".outputs table")).to_contain_text("ada")
    expect(tab.cell(2).locator(".outputs img").first).to_be_visible()
    expect(tab.cell(3).locator(".outputs strong")).to_have_text("bold")
    expect(tab.cell(3).locator(".outputs b")).to_have_text("safe")
    assert tab.cell(3).locator(".outputs [onclick], .outputs [onerror]").count() == 0
    tab.expect_output(4, "red")
    assert "\x1b" not in tab.cell(4).inner_text()
