"""Typing, the 1.5 s timer, blur, creating, deleting and moving, in one tab and in two."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]
TYPING_PAUSE = 1_600  # milliseconds; the page waits 1,500
BLUR_REPORT = 300  # milliseconds; the editor reports a lost focus through a short timer


def test_a_pause_in_typing_runs_the_cell(open_notebook: Open) -> None:
    tab = open_notebook("x = 1\nx", "x * 100", clock=True)
    tab.wait_kernel()
    tab.type(0, "x = 7\nx")
    tab.page.clock.run_for(TYPING_PAUSE)
    tab.expect_output(0, "7")
    tab.expect_output(1, "700")


def test_a_blur_before_the_pause_saves_and_does_not_run(open_notebook: Open) -> None:
    tab = open_notebook("x = 1\nprint('ran', x)", clock=True)
    tab.wait_kernel()
    tab.run(0)
    tab.expect_output(0, "ran 1")
    tab.stop_clock()
    tab.type(0, "x = 2\nprint('ran', x)")
    tab.page.clock.run_for(500)
    tab.blur()
    tab.page.clock.run_for(BLUR_REPORT)
    tab.expect_status(0, "stale")
    tab.page.clock.run_for(10 * TYPING_PAUSE)
    tab.expect_status(0, "stale")
    tab.page.clock.resume()
    expect(tab.cell(0).locator(".outputs")).to_contain_text("ran 1")
    again = open_notebook()
    again.expect_code(0, "x = 2\nprint('ran', x)")
    again.expect_status(0, "stale")


def test_the_state_is_fetched_once_per_page_load(open_notebook: Open) -> None:
    tab = open_notebook("x = 1\nx")
    assert tab.state_loads() == 1
    tab.run(0)
    tab.expect_output(0, "1")
    tab.page.get_by_role("button", name="Add Python cell").last.click()
    tab.expect_count(2)
    tab.edit_and_run(1, "x + 1")
    tab.expect_output(1, "2")
    tab.cell(1).get_by_role("button", name="Move cell up").click()
    expect(tab.cell(0).locator(".cm-content")).to_have_text("x + 1")
    tab.cell(0).get_by_role("button", name="Delete cell").click()
    tab.expect_count(1)
    assert tab.state_loads() == 1
    assert tab.mutations_over_http() == []
    tab.page.reload()
    tab.wait_live()
    assert tab.state_loads() == 2


def test_create_delete_and_move_appear_in_the_other_tab(open_notebook: Open) -> None:
    one = open_notebook("a = 1", "b = 2")
    two = open_notebook()
    one.front()
    one.page.get_by_role("button", name="Add SQL cell").last.click()
    two.expect_count(3)
    expect(one.cell(2).locator(".cm-content")).to_be_focused()
    expect(two.cell(2).locator(".cm-content")).not_to_be_focused()
    expect(two.cell(2).get_by_test_id("others")).to_have_text("someone here")
    expect(one.page.get_by_test_id("others")).to_have_count(0)
    created = two.ids()[2]
    one.cell(2).get_by_role("button", name="Move cell up").click()
    expect(two.cell(1)).to_have_attribute("data-cell-id", created)
    two.front()
    two.cell(1).get_by_role("button", name="Delete cell").click()
    one.expect_count(2)
    one.expect_codes("a = 1", "b = 2")


def test_focus_moves_to_the_next_cell_after_a_deletion(open_notebook: Open) -> None:
    tab = open_notebook("a = 1", "b = 2", "c = 3")
    tab.cell(1).locator(".cm-content").click()
    tab.cell(1).get_by_role("button", name="Delete cell").click()
    tab.expect_count(2)
    expect(tab.cell(1).locator(".cm-content")).to_be_focused()
    tab.cell(1).get_by_role("button", name="Delete cell").click()
    tab.expect_count(1)
    expect(tab.cell(0).locator(".cm-content")).to_be_focused()


def test_deleting_the_only_cell_clears_it(open_notebook: Open) -> None:
    tab = open_notebook("only = 1\nonly")
    tab.run(0)
    tab.expect_output(0, "1")
    tab.cell(0).get_by_role("button", name="Delete cell").click()
    expect(tab.cell(0).locator(".cm-content")).not_to_contain_text("only")
    tab.expect_count(1)
    tab.expect_code(0, "")


def test_create_and_delete_at_once_leaves_nothing_behind(open_notebook: Open) -> None:
    one = open_notebook("a = 1")
    two = open_notebook()
    one.front()
    for _ in range(5):
        one.page.get_by_role("button", name="Add Python cell").last.click()
        one.expect_count(2)
        one.cell(1).get_by_role("button", name="Delete cell").click()
        one.expect_count(1)
    two.expect_count(1)
    one.expect_codes("a = 1")
    two.expect_codes("a = 1")


def test_a_language_switch_and_markdown(open_notebook: Open) -> None:
    tab = open_notebook("a = 1", "MD:# Title\n\nwords")
    expect(tab.cell(1).get_by_role("heading", name="Title")).to_be_visible()
    tab.cell(0).get_by_role("combobox", name="Cell type").select_option("sql")
    expect(tab.cell(0)).to_have_attribute("data-type", "sql")
    tab.edit_and_run(0, "SELECT 42 AS answer")
    expect(tab.cell(0).locator(".outputs table")).to_contain_text("42")


def test_a_name_leads_to_the_cell_that_writes_it(open_notebook: Open) -> None:
    tab = open_notebook("total = 1", "# total\ntotal + 1", "total * 2")
    tab.run(0)
    tab.expect_output(1, "2")
    names = tab.cell(1).locator(".cm-line", has_text="total + 1")
    names.click(position={"x": 12, "y": 8})
    tab.page.keyboard.press("F12")
    expect(tab.cell(0).locator(".cm-content")).to_be_focused()
    tab.cell(1).locator(".cm-line", has_text="# total").click(modifiers=["ControlOrMeta"], position={"x": 30, "y": 8})
    expect(tab.cell(1).locator(".cm-content")).to_be_focused()  # a comment leads nowhere
    tab.cell(2).locator(".cm-line").click(modifiers=["ControlOrMeta"], position={"x": 12, "y": 8})
    expect(tab.cell(0).locator(".cm-content")).to_be_focused()


def test_undo_in_command_mode_writes_no_key_into_the_neighbour(open_notebook: Open) -> None:
    tab = open_notebook("a = 1", "b = 2")
    tab.front()
    tab.cell(0).locator(".cm-content").click()
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("b")
    tab.expect_count(3)
    expect(tab.cell(1)).to_be_focused()
    tab.page.keyboard.press("z")
    tab.expect_count(2)
    expect(tab.cell(1)).to_be_focused()
    tab.page.keyboard.press("k")
    expect(tab.cell(0)).to_be_focused()
    tab.expect_codes("a = 1", "b = 2")


def test_escape_leaves_a_cell_that_runs_also_when_completions_were_open(open_notebook: Open) -> None:
    tab = open_notebook("passenger = 1\nname = 2", "import time")
    tab.wait_kernel()
    tab.run(0)
    tab.expect_status(0, "success")
    tab.cell(1).get_by_role("combobox", name="Runs").select_option("manual")
    tab.type(1, "while True:\n    ")
    tab.page.keyboard.type("pas")
    expect(tab.page.locator(".cm-tooltip-autocomplete")).to_contain_text("pass")
    tab.page.keyboard.type("s")
    expect(tab.page.locator(".cm-tooltip-autocomplete")).to_contain_text("pass")
    tab.page.keyboard.press("Control+Enter")
    tab.expect_status(1, "running")
    expect(tab.page.locator(".cm-tooltip-autocomplete")).to_have_count(0)
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("i")
    tab.page.keyboard.press("i")
    tab.expect_status(1, "interrupted")
    tab.expect_code(1, "while True:\n    pass")


def test_what_is_typed_before_the_new_cell_is_there_lands_in_it(open_notebook: Open) -> None:
    tab = open_notebook("a = 1")
    tab.front()
    tab.cell(0).locator(".cm-content").click()
    keys = ["Alt+Enter", "b", "=", "(", "2", ")", "Enter", "c", "Alt+Enter", "d", "Escape"]
    tab.page.evaluate(
        """(keys) => keys.forEach((key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {
             key: key.split("+").at(-1), keyCode: key.endsWith("Enter") ? 13 : 0,
             altKey: key.startsWith("Alt+"), bubbles: true, cancelable: true})))""",
        keys,
    )
    tab.expect_codes("a = 1", "b=(2)\nc", "d")
    expect(tab.cell(2)).to_be_focused()
