"""Names that are offered while a person writes SQL: tables and columns of the connection, frames, parameters."""

from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]
TABLE = 'SQL:CREATE OR REPLACE TABLE orders (id int, "Unit Price" double)'


def offered(tab: NotebookPage) -> Locator:
    return tab.page.locator(".cm-tooltip-autocomplete li")


def ask(tab: NotebookPage, number: int, text: str) -> None:
    tab.type(number, text)
    tab.page.keyboard.press("Control+Space")


def test_tables_columns_and_aliases_of_the_embedded_database(open_notebook: Open) -> None:
    tab = open_notebook(TABLE, "SQL:SELECT 1")
    tab.wait_kernel()
    ask(tab, 1, "SELECT * FROM ord")
    expect(offered(tab).first).to_be_visible()  # keywords; the table is not there yet
    expect(offered(tab).filter(has_text="orders")).to_have_count(0)
    tab.page.keyboard.press("Escape")
    tab.run(0)
    tab.expect_status(0, "success")
    ask(tab, 1, "SELECT * FROM ord")
    expect(offered(tab).filter(has_text="orders")).to_have_count(1)  # what was asked before the DDL is asked anew
    tab.page.keyboard.press("Escape")
    tab.type(1, "SELECT  FROM orders AS o")
    tab.page.keyboard.press("Home")
    for _ in range(len("SELECT ")):
        tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.type("o.")
    expect(offered(tab)).to_have_count(2)
    expect(offered(tab).filter(has_text="id")).to_contain_text("INTEGER")
    tab.page.keyboard.type("U")
    expect(offered(tab)).to_have_count(1)
    tab.accept_completion("Enter")
    tab.expect_code(1, 'SELECT o."Unit Price" FROM orders AS o')


def test_frames_and_parameters_of_the_notebook(open_notebook: Open) -> None:
    tab = open_notebook("import pandas as pd\nprices = pd.DataFrame({'a': [1]})\nprime = 7", "SQL:SELECT 1")
    tab.wait_kernel()
    tab.run(0)
    tab.expect_status(0, "success")
    ask(tab, 1, "SELECT * FROM pri")
    frame = offered(tab).filter(has_text="prices")
    expect(frame).to_contain_text("DataFrame 1 × 1")
    expect(offered(tab).filter(has_text="prime")).to_have_count(0)  # a number is no table
    tab.page.keyboard.press("Escape")
    ask(tab, 1, "SELECT :pri")
    expect(offered(tab).filter(has_text="prime")).to_contain_text("int")
    tab.page.keyboard.type("m")
    expect(offered(tab)).to_have_count(1)
    tab.accept_completion("Enter")
    tab.expect_code(1, "SELECT :prime")
