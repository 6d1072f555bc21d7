"""Outputs of Python libraries as the page shows them: DataFrames, progress bars, tracebacks, floods, large values."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from playwright.sync_api import expect

from tests.web.notebook_page import KERNEL_START, NotebookPage

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


def test_real_progress_bars_are_one_line_each(open_notebook: Open) -> None:
    tab = open_notebook(
        "from tqdm import tqdm\nfor _ in tqdm(range(300), desc='alone', mininterval=0):\n    pass",
        "for _ in tqdm(range(3), desc='outer', mininterval=0):\n"
        "    for _ in tqdm(range(40), desc='inner', position=1, leave=False, mininterval=0, colour='green'):\n"
        "        pass",
        "for n in tqdm(range(4), desc='talks', mininterval=0):\n    print('said', n)",
    )
    tab.wait_kernel()
    tab.page.get_by_role("button", name="Run all").click()
    tab.expect_output(0, "100%")
    bars = tab.cell(0).locator("pre.text")
    expect(bars).to_have_count(1)
    expect(bars).to_have_text(re.compile(r"^alone: 100%\|█+\| 300/300 \[.*\]\s*$"))
    tab.expect_status(1, "success")
    expect(tab.cell(1).locator("pre.text")).to_have_text(re.compile(r"^outer: 100%\|█+\| 3/3 \[[^\n]*\]\s*$"))
    tab.expect_status(2, "success")
    expect(tab.cell(2).locator("pre.text", has_text="talks: 100%")).to_have_count(1)
    expect(tab.cell(2).locator("pre.text", has_text="talks")).to_have_count(1)  # not one for each piece between prints


def test_a_traceback_shows_own_frames_and_folds_libraries(open_notebook: Open) -> None:
    tab = open_notebook(
        "import pandas as pd\n\ndef look(frame):\n    return frame['b']", "x = 1\nlook(pd.DataFrame({'a': [x]}))"
    )
    tab.wait_kernel()
    tab.page.get_by_role("button", name="Run all").click()
    failure = tab.cell(1).locator(".failure")
    expect(failure.locator(".error-line")).to_contain_text("KeyError")
    failure.get_by_text("Traceback").first.click()
    libraries = failure.locator("details.library")
    expect(libraries.first.locator("summary")).to_have_text(re.compile(r"^\d+ library frames$"))
    expect(failure.get_by_text("site-packages").first).not_to_be_visible()
    libraries.last.locator("summary").click()
    expect(failure.get_by_text("site-packages").last).to_be_visible()
    expect(failure.locator(".frame-of-cell").last).to_contain_text("return frame['b']")
    failure.locator(".frame-of-cell").first.get_by_role("button", name="line 2").click()
    expect(tab.cell(1).locator(".cm-content")).to_be_focused()
    tab.page.keyboard.insert_text("x; ")
    tab.expect_code(1, "x = 1\nx; look(pd.DataFrame({'a': [x]}))")
    failure.locator(".frame-of-cell").last.get_by_role("link").click()
    expect(tab.cell(0).locator(".cm-content")).to_be_focused()


def test_what_is_kept_of_a_flood_can_be_taken_away(open_notebook: Open) -> None:
    tab = open_notebook("for n in range(900_000):\n    print('line', n)")
    tab.wait_kernel()
    tab.run(0)
    tab.expect_status(0, "success")
    omitted = tab.cell(0).get_by_test_id("omitted")
    expect(omitted).to_contain_text("MB omitted")
    with tab.page.expect_download() as file:
        omitted.get_by_role("button", name=re.compile("^Save the .* that were kept$")).click()
    text = Path(file.value.path()).read_text()
    assert text.startswith("line 0\nline 1\n")
    assert 7 * 2**20 < len(text) <= 8 * 2**20


def test_large_pictures_come_by_themselves_and_large_json_on_request(open_notebook: Open) -> None:
    tab = open_notebook(
        "import io, os, struct, zlib\nfrom IPython.display import Image, JSON\n"
        "def chunk(kind, body):\n"
        "    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))\n"
        "rows = b''.join(b'\\0' + os.urandom(3 * 700) for _ in range(700))\n"
        "png = b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 700, 700, 8, 2, 0, 0, 0))\n"
        "Image(png + chunk(b'IDAT', zlib.compress(rows, 0)) + chunk(b'IEND', b''))",
        "JSON({'words': ['word %d' % n for n in range(120_000)]})",
    )
    tab.wait_kernel()
    tab.page.get_by_role("button", name="Run all").click()
    picture = tab.cell(0).get_by_role("img")
    expect(picture).to_have_js_property("naturalWidth", 700)
    tree = tab.cell(1)
    with tab.page.expect_download() as file:
        tree.get_by_role("button", name="Save it as a file").click()
    assert file.value.suggested_filename.endswith(".json")
    assert len(json.loads(Path(file.value.path()).read_text())["words"]) == 120_000
    tree.get_by_role("button", name=re.compile(r"^Show .* of application.json$")).click()
    tree.locator("summary", has_text="words").click()
    expect(tree.locator(".json")).to_contain_text("word 99")


def test_charts_are_drawn_by_the_kernels_own_library(open_notebook: Open) -> None:
    tab = open_notebook(
        "import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 3, 2], name='lonely'), layout={'height': 300})",
        "import altair, pandas\nframe = pandas.DataFrame({'x': [1, 2], 'y': [3, 4]})\n"
        "altair.Chart(frame).mark_point().encode(x='x', y='y')",
        "import ipywidgets\nfrom tqdm.auto import tqdm\nfor _ in tqdm(range(50), desc='auto'):\n    pass",
    )
    outside: list[str] = []
    tab.page.on("request", lambda request: outside.append(request.url))
    tab.wait_kernel()
    tab.page.get_by_role("button", name="Run all").click()
    for number in range(3):
        tab.expect_status(number, "success")  # three libraries are imported meanwhile
    chart = tab.cell(0).frame_locator("iframe")
    expect(chart.locator(".scatterlayer .point")).to_have_count(3, timeout=KERNEL_START)
    expect(tab.cell(0).locator("iframe")).to_have_css("height", "300px")
    expect(tab.cell(1).locator("svg .mark-symbol path")).to_have_count(2)
    expect(tab.cell(2).locator(".outputs")).to_contain_text("50/50")  # a widget, as in any notebook
    assert [url for url in outside if not url.startswith((tab.gateway.url, "blob:", "data:"))] == []
