"""SQL cells in the browser: DuckDB over a DataFrame, then a real PostgreSQL, then a wrong password."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.postgres import Postgres
from tests.web.notebook_page import NotebookPage

Open = Callable[..., NotebookPage]
TYPING_PAUSE = 1_600


def connect(tab: NotebookPage, url: str) -> None:
    field = tab.page.get_by_role("textbox", name="Database connection")
    field.fill(url)
    field.press("Enter")


def test_duckdb_reads_a_frame_by_name(open_notebook: Open) -> None:
    tab = open_notebook(
        "import pandas as pd\norders = pd.DataFrame({'n': [1, 2, 39]})",
        "SQL:-- result: total\nSELECT sum(n) AS n FROM orders",
        "print('total is', int(total['n'][0]))",
    )
    tab.page.get_by_role("button", name="Run all").click()
    expect(tab.cell(1).locator(".outputs table")).to_contain_text("42")
    tab.expect_output(2, "total is 42")
    tab.edit_and_run(0, "import pandas as pd\norders = pd.DataFrame({'n': [1, 2]})")
    tab.expect_output(2, "total is 3")


def rows(postgres: Postgres) -> object:
    return postgres.administer("SELECT count(*) FROM timer_rows")[0][0]


def test_postgres_and_a_wrong_password(open_notebook: Open, postgres: Postgres) -> None:
    version = str(postgres.administer("SELECT current_setting('server_version')")[0][0])
    tab = open_notebook("SQL:SELECT current_setting('server_version') AS version")
    tab.wait_kernel()
    connect(tab, postgres.url)
    status = tab.page.get_by_test_id("db-status")
    expect(status).to_contain_text("postgresql")
    tab.run(0)
    expect(tab.cell(0).locator(".outputs table")).to_contain_text(version)
    connect(tab, postgres.url_with(password="not-the-password-7c1"))
    expect(status).to_contain_text("password", timeout=10_000)
    assert "not-the-password-7c1" not in tab.page.content()
    expect(tab.page.get_by_test_id("db")).to_have_value(re.sub(r":[^/:@]*@", "@", postgres.url))  # to be mended
    tab.run(0)
    expect(tab.cell(0).locator(".outputs table")).to_contain_text(version)


def test_the_timer_never_runs_a_write(open_notebook: Open, postgres: Postgres) -> None:
    postgres.administer("DROP TABLE IF EXISTS timer_rows")
    postgres.administer("CREATE TABLE timer_rows AS SELECT generate_series(1, 5) AS n")
    postgres.administer(f"ALTER TABLE timer_rows OWNER TO {postgres.user}")
    tab = open_notebook("SQL:SELECT count(*) AS n FROM timer_rows", clock=True)
    tab.wait_kernel()
    connect(tab, postgres.url)
    expect(tab.page.get_by_test_id("db-status")).to_contain_text("postgresql")
    tab.run(0)
    expect(tab.cell(0).locator(".outputs table")).to_contain_text("5")
    tab.type(0, "SELECT count(*) + 1 AS n FROM timer_rows")  # the control: a read is run by the timer
    tab.page.clock.run_for(TYPING_PAUSE)
    expect(tab.cell(0).locator(".outputs table")).to_contain_text("6")
    tab.stop_clock()
    tab.type(0, "DELETE FROM timer_rows")
    tab.page.clock.run_for(TYPING_PAUSE)
    expect(tab.cell(0)).to_have_attribute("data-status", "stale")
    tab.page.clock.run_for(10 * TYPING_PAUSE)
    assert rows(postgres) == 5
    tab.page.clock.resume()
    tab.run(0)
    tab.expect_status(0, "success")
    assert rows(postgres) == 0
