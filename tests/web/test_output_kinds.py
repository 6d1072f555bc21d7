"""Outputs of Python libraries as the page shows them: DataFrames in pages."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from playwright.sync_api import expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]
PAGES_BUTTON = "Page, sort, filter or download"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_is_paged_sorted_filtered_and_downloaded(open_notebook: Open, library: str) -> None:
    numbers = "{'n': list(range(120)), 'word': [f'row {i}' for i in range(120)]}"
    tab = open_notebook(f"import {library}\nframe = {library}.DataFrame({numbers})\nframe")
    page, cell = tab.page, tab.cell(0)
    tab.wait_kernel()
    tab.run(0)
    expect(cell.locator(".table-tools")).to_contain_text("120 rows × 2 columns")
    expect(cell.locator("table")).to_contain_text("row 119")  # as the library itself draws it
    cell.get_by_role("button", name=PAGES_BUTTON).click()
    pages = cell.get_by_test_id("pages")
    expect(pages.get_by_test_id("page-range")).to_have_text("1 to 50 of 120 rows")
    expect(pages.get_by_role("columnheader").first).to_contain_text("int64" if library == "pandas" else "Int64")
    for _ in range(2):
        pages.get_by_role("columnheader", name="n").first.get_by_role("button").click()
    expect(pages.locator("tbody tr").first).to_contain_text("row 119")
    pages.get_by_role("searchbox").fill("ROW 11")
    expect(pages.get_by_test_id("page-range")).to_have_text("1 to 11 of 11 rows")
    with page.expect_download() as file:
        pages.get_by_role("button", name="CSV").click()
    assert Path(file.value.path()).read_text().splitlines()[:2] == ['"n","word"', '0,"row 0"']
    with page.expect_download() as file:
        pages.get_by_role("button", name="Arrow").click()
    assert pa.ipc.open_stream(Path(file.value.path()).read_bytes()).read_all().num_rows == 120


def test_an_open_table_follows_its_cell_and_says_when_its_kernel_is_gone(open_notebook: Open) -> None:
    tab = open_notebook("import pandas as pd\nn = 60", "pd.DataFrame({'n': range(n)})")
    tab.wait_kernel()
    tab.page.get_by_role("button", name="Run all").click()
    tab.cell(1).get_by_role("button", name=PAGES_BUTTON).click()
    pages = tab.cell(1).get_by_test_id("pages")
    expect(pages.get_by_test_id("page-range")).to_have_text("1 to 50 of 60 rows")
    tab.edit_and_run(0, "import pandas as pd\nn = 70")
    expect(pages.get_by_test_id("page-range")).to_have_text("1 to 50 of 70 rows")
    tab.page.get_by_role("button", name="Restart kernel").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Restart").click()
    expect(tab.page.get_by_test_id("kernel")).not_to_have_attribute("data-state", "idle")
    tab.wait_kernel()
    pages.get_by_role("button", name="Next page").click()
    expect(pages.get_by_role("alert")).to_contain_text("the kernel is new: run the cell")
