"""axe-core finds nothing in the page's own parts, light and dark; outputs belong to who wrote them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page, expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]
AXE = Path(__file__).parents[2] / "gateway" / "web" / "node_modules" / "axe-core" / "axe.min.js"
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run({exclude: ['.outputs']}, {runOnly: tags, resultTypes: ['violations']})", TAGS
    )
    assert len(found["passes"]) > 10  # the control: rules did run
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def test_no_violations_in_either_theme(open_notebook: Open) -> None:
    tab = open_notebook(
        "MD:# Title", "x = 1", "y = x / 0", "print(y)", "p = q", "q = p", "SQL:SELECT 1 AS n", "broken("
    )
    page = tab.page
    page.get_by_role("button", name="Run all").click()
    tab.expect_status(6, "success")
    tab.expect_status(3, "error")
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert violations(page) == []
        page.get_by_role("button", name="Panels").click()
        for panel in ("Outline", "Variables", "Graph", "Schema", "Messages"):
            page.get_by_test_id("panels").get_by_role("tab", name=panel).click()
            expect(page.get_by_role("tabpanel", name=panel)).to_be_visible()
            assert violations(page) == []
        page.get_by_role("button", name="Close the panels").click()
        page.get_by_role("button", name="All commands").click()
        expect(page.get_by_role("combobox", name="Command")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
    page.goto(tab.gateway.url)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        expect(page.get_by_test_id("notebook-list")).to_be_visible()
        assert violations(page) == []


def test_no_violations_while_finding_renaming_and_looking_names_up(open_notebook: Open) -> None:
    tab = open_notebook("x = 1", "x + 1", "SQL:SELECT :x")
    tab.wait_kernel()
    tab.run(0)
    tab.expect_output(1, "2")
    page = tab.page
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.keyboard.press("ControlOrMeta+h")
        page.get_by_role("search").get_by_label("Find", exact=True).fill("x")
        page.keyboard.press("Enter")
        expect(page.locator(".cm-found-at")).to_have_count(1)
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Shift+Tab")
        expect(page.locator(".name-card")).to_contain_text("int")
        assert violations(page) == []
        page.keyboard.press("F2")
        dialog = page.get_by_role("dialog", name="Rename a variable")
        dialog.get_by_label("New name").fill("class")
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("alert")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)


def test_a_first_notebook_fits_a_narrow_screen_in_forced_colours_and_prints_without_chrome(open_notebook: Open) -> None:
    tab = open_notebook("")
    page = tab.page
    page.get_by_test_id("examples").get_by_role("button", name="Try a reactive pair").click()
    tab.expect_codes("x = 5", "y = x + 1\ny")
    expect(page.get_by_test_id("examples")).to_have_count(0)
    tab.run(0)
    tab.expect_output(1, "6")
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    assert violations(page) == []
    expect(tab.cell(0).get_by_test_id("status")).to_contain_text("Done")  # by its word: colours are the system's now
    page.set_viewport_size({"width": 320, "height": 700})
    wide: int = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 320
    page.emulate_media(media="print", forced_colors="none")
    expect(page.locator("header.bar")).to_be_hidden()
    expect(tab.cell(0).get_by_role("button", name="Run cell")).to_be_hidden()
    expect(tab.cell(1).locator(".outputs")).to_be_visible()
