"""Tables page by page, formulas, progress lines, two texts for one cell; then the list of notebooks."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]


def test_tables_formulas_and_progress_lines(open_notebook: Open) -> None:
    tab = open_notebook(
        "SQL:SELECT i AS n, 'row ' || i AS word FROM range(120) t(i)",
        "from IPython.display import Latex\nLatex('$\\\\frac{a}{b}$')",
        "for n in range(101):\n    print(f'\\r{n}%|##', end='')",
        "MD:Euler: $e^{i\\pi} = -1$",
    )
    page = tab.page
    expect(tab.cell(3).locator("math")).to_be_visible()
    page.get_by_role("button", name="Run all").click()
    tab.expect_output(2, "100%|##")
    expect(tab.cell(2).locator("pre")).to_have_text("100%|##")
    expect(tab.cell(1).locator("math mfrac")).to_be_visible()
    tab.cell(0).get_by_role("button", name="Page, sort, filter or download").click()
    pages = tab.cell(0).get_by_test_id("pages")
    expect(pages.get_by_test_id("page-range")).to_have_text("1 to 50 of 120 rows")
    pages.get_by_role("button", name="Next page").click()
    expect(pages.locator("tbody tr").first).to_contain_text("50")
    pages.get_by_role("columnheader", name="n").get_by_role("button").click()
    pages.get_by_role("columnheader", name="n").get_by_role("button").click()
    expect(pages.locator("tbody tr").first).to_contain_text("119")
    pages.get_by_role("searchbox").fill("row 11")
    expect(pages.get_by_test_id("page-range")).to_have_text("1 to 11 of 11 rows")
    with page.expect_download() as file:
        pages.get_by_role("button", name="CSV").click()
    assert Path(file.value.path()).read_text().splitlines()[:2] == ['"n","word"', '0,"row 0"']


def test_a_lost_text_is_shown_beside_the_other(open_notebook: Open) -> None:
    one = open_notebook("a = 1", "b = 2", clock=True)
    two = open_notebook(clock=True)
    one.type(0, "a = 'mine'")
    two.type(0, "a = 'theirs'")
    one.page.keyboard.press("Escape")
    one.blur()
    one.page.clock.run_for(300)
    two.expect_status(0, "idle")
    two.blur()
    two.page.clock.run_for(300)
    conflict = one.page.get_by_test_id("conflict")
    one.front()
    expect(conflict).to_contain_text("a = 'mine'")
    expect(conflict).to_contain_text("a = 'theirs'")
    conflict.get_by_role("button", name="Use mine").click()
    expect(conflict).to_have_count(0)
    expect(two.cell(0).locator(".cm-content")).to_have_text("a = 'mine'")


def test_the_list_imports_duplicates_exports_and_deletes_with_a_way_back(
    open_notebook: Open, problems: list[str]
) -> None:
    tab = open_notebook("x = 6 * 7\nx")
    page, gateway = tab.page, tab.gateway

    def row(text: str) -> Locator:
        return page.locator(".notebooks li", has=page.get_by_text(text, exact=True))

    tab.wait_kernel()
    name = tab.page.title().split(" ")[0]
    page.goto(gateway.url)
    running = page.locator(".notebooks li", has=page.get_by_label(f"More for {name}", exact=True))
    expect(running.locator(".badge")).to_contain_text(" MB")  # its kernel lives on, and what it holds is told
    running.get_by_role("button", name=f"Stop the kernel of {name}").click()
    expect(running.locator(".badge")).to_have_count(0)
    more(page, name)
    with page.expect_download() as file:
        page.get_by_role("button", name="Download .ipynb").click()
    assert "6 * 7" in Path(file.value.path()).read_text()
    more(page, name)
    page.get_by_role("button", name="Duplicate").click()
    expect(row(f"{name}-copy")).to_have_count(1)
    copy = gateway.folder / f"{name}-copy.py"
    assert "6 * 7" in copy.read_text()
    page.reload()
    more(page, f"{name}-copy")
    page.get_by_role("button", name="Delete").click()
    expect(row(f"{name}-copy")).to_have_count(0)
    page.get_by_test_id("undo").get_by_role("button").click()
    expect(row(f"{name}-copy")).to_have_count(1)
    assert copy.exists()
    brought = FilePayload(name="brought.py", mimeType="text/x-python", buffer=b"# %%\nz = 1\n")
    page.get_by_label("Import .py").set_input_files(brought)
    expect(row("brought")).to_have_count(1)
    shown = FilePayload(name="shown.html", mimeType="text/html", buffer=b"<h1>Hi</h1>")
    page.get_by_label("Import .py").set_input_files(shown)
    expect(page.get_by_role("alert")).to_contain_text("import the .ipynb, .py or .md it was made of")
    problems[:] = [line for line in problems if "400" not in line]  # the refusal itself
    words = FilePayload(name="words.md", mimeType="text/markdown", buffer=b"# Hi\n\n```python\nz = 2\n```\n")
    page.get_by_label("Import .py").set_input_files(words)
    expect(row("words")).to_have_count(1)
    for kind, text in (("md", "```python\nz = 2\n```"), ("html", "<h1>Hi</h1>")):
        more(page, "words")
        with page.expect_download() as file:
            page.get_by_role("button", name=f"Download .{kind}").click()
        assert text in Path(file.value.path()).read_text()
    more(page, "words")
    page.get_by_role("button", name="Rename", exact=True).click()
    page.get_by_label("New name of words").fill("brought")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("choose another name")
    problems[:] = [line for line in problems if "409" not in line]  # the refusal itself
    expect(page.get_by_label("New name of words")).to_have_value("brought")
    page.get_by_label("New name of words").fill("speech")
    page.keyboard.press("Enter")
    expect(row("speech")).to_have_count(1)
    assert "z = 2" in (gateway.folder / "speech.py").read_text()
    assert not (gateway.folder / "words.py").exists()
    more(page, "brought")
    page.get_by_role("button", name="Delete").click()
    more(page, f"{name}-copy")
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.get_by_role("button", name="Delete").click()  # the next deletion settles the former
    assert not (gateway.folder / "brought.py").exists()
    assert (gateway.folder / f"{name}.py").exists()


def test_rows_keep_their_menus_names_and_notebooks_in_hand(open_notebook: Open) -> None:
    tab = open_notebook("x = 1\nx")
    tab.wait_kernel()
    name = tab.page.title().split(" ")[0]
    long_name = "long" * 50
    (tab.gateway.folder / f"{long_name}.py").write_text("# %%\n1\n")
    page = tab.page.context.new_page()
    page.goto(tab.gateway.url)
    menu = page.locator("details.more[open]")
    more(page, name)
    expect(menu).to_have_count(1)
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    more(page, name)
    expect(menu).to_have_count(1)
    page.get_by_role("heading", name="Notebooks").click()
    expect(menu).to_have_count(0)
    shown = page.locator(".notebook-name", has_text=long_name)
    expect(shown).to_have_attribute("title", long_name)
    expect(page.get_by_label(f"More for {long_name}", exact=True)).to_be_in_viewport(ratio=1)
    more(page, name)
    page.get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog", name=f"Delete {name}?")
    expect(question).to_contain_text("is open in a window")
    question.get_by_role("button", name="Cancel").click()
    expect(page.get_by_test_id("undo")).to_have_count(0)
    more(page, name)
    page.get_by_role("button", name="Delete").click()
    question.get_by_role("button", name="Delete").click()
    expect(page.get_by_test_id("undo")).to_contain_text(name)
    page.goto("about:blank")  # to leave the list settles the deletion
    tab.front()
    banner = tab.page.get_by_role("alert").filter(has_text="This notebook was deleted")
    expect(banner).to_be_visible()
    expect(tab.page.get_by_text("are safe")).to_have_count(0)


def more(page: Page, name: str) -> None:
    page.get_by_label(f"More for {name}", exact=True).click()
