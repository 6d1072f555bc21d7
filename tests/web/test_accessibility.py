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
