"""SQL cells in a kernel process: over a DataFrame, with parameters, and connections that cannot be made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.kernel_client import PATIENCE, Message, Peer, outputs, running_kernel, statuses


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with running_kernel(tmp_path_factory.mktemp("k")) as kernel:
        peer = Peer(kernel)
        try:
            peer.ask("attach_request", {"client": "test"})
            yield peer
        finally:
            peer.close()


def test_sql_reads_a_frame_and_a_parameter_and_feeds_python(peer: Peer) -> None:
    peer.register("frame", "import pandas as pd\nsales = pd.DataFrame({'city': ['A', 'B', 'A'], 'n': [1, 2, 3]})")
    peer.register("limit", "least = 2")
    sql = "-- result: kept\nSELECT city, n FROM sales WHERE n >= :least ORDER BY n"
    answer = peer.register("query", sql, cell_type="sql")
    assert {"sales", "least"} <= set(answer["reads"])
    assert "kept" in answer["writes"]
    peer.register("total", "print(int(kept['n'].sum()), type(kept).__name__)")
    peer.run(mode="all")
    assert outputs(peer.last, "total") == [("stdout", "5 DataFrame\n")]
    (kind, data) = outputs(peer.last, "query")[0]
    assert kind == "execute_result"
    assert {"text/html", "text/plain"} <= set(data)
    peer.register("limit", "least = 3")
    peer.run("limit")
    assert outputs(peer.last, "total") == [("stdout", "3 DataFrame\n")]


def test_a_page_of_what_was_shown(peer: Peer) -> None:
    peer.register("numbers", "SELECT range AS n, 'v' || range AS t FROM range(500)", cell_type="sql")
    peer.run("numbers")
    request = {"cell_id": "numbers", "offset": 10, "limit": 2, "sort": [{"column": "n", "descending": True}]}
    page = peer.ask("table_page_request", request)
    assert page["rows"] == [[489, "v489"], [488, "v488"]]
    assert page["total"] == 500
    assert [column["name"] for column in page["columns"]] == ["n", "t"]
    assert peer.ask("table_page_request", {**request, "offset": 0, "filter": "V49"})["total"] == 11
    assert peer.ask("table_page_request", {"cell_id": "nothing"})["ename"] == "no_such_output"


def test_a_table_is_made_again_and_goes_with_its_cell(peer: Peer) -> None:
    peer.register("make", "CREATE TABLE visits (n int)", cell_type="sql")
    peer.register("more", "INSERT INTO visits VALUES (:step)", cell_type="sql")
    peer.register("step", "step = 5", index=0)
    peer.register("seen", "SELECT n FROM visits", cell_type="sql")
    peer.run(mode="all")
    peer.register("step", "step = 7")
    assert [cell["cell_id"] for cell in peer.run("step")["executed"]] == ["step", "make", "more", "seen"]
    assert peer.ask("table_page_request", {"cell_id": "seen"})["rows"] == [[7]]
    plan = peer.ask("plan_request", {"cell_ids": ["more"]})
    assert plan["reasons"]["make"]["message"] == "made again: cell more changes default:visits in place"
    peer.ask("remove_cell_request", {"cell_id": "more", "run_dependents": False})
    peer.ask("remove_cell_request", {"cell_id": "make", "run_dependents": False})
    peer.run("seen")
    ((_, error),) = outputs(peer.last, "seen")
    assert "visits does not exist" in error["evalue"]


def test_a_removal_that_is_refused_takes_nothing(peer: Peer) -> None:
    peer.register("seen", "SELECT 7 AS n", cell_type="sql")
    peer.register("busy", "print('begun')\nwhile True: pass")
    peer.run("seen")
    busy = peer.send("execute_cells_request", {"cell_ids": ["busy"], "run_id": "one"})
    peer.until(lambda message: message["type"] == "stream", "its first line")
    refused = peer.ask("remove_cell_request", {"cell_id": "seen", "run_id": "one"})
    peer.ask("interrupt_request", {})
    peer.reply(busy)
    assert (refused["ename"], "under way" in refused["evalue"]) == ("bad_field", True)
    assert peer.ask("table_page_request", {"cell_id": "seen"})["rows"] == [[7]]
    assert peer.ask("remove_cell_request", {"cell_id": "seen", "run_id": "two"})["status"] == "ok"
    assert peer.ask("table_page_request", {"cell_id": "seen"})["ename"] == "no_such_output"


def test_a_cell_that_is_sql_no_more_takes_its_tables_along(peer: Peer) -> None:
    peer.register("turns", "CREATE TABLE turned AS SELECT 7 AS n; SELECT n FROM turned", cell_type="sql")
    peer.run("turns")
    assert peer.ask("table_page_request", {"cell_id": "turns"})["rows"] == [[7]]
    peer.register("turns", "7", cell_type="python")
    peer.run("turns")
    assert peer.ask("table_page_request", {"cell_id": "turns"})["ename"] == "no_such_output"
    peer.register("looks", "SELECT * FROM turned", cell_type="sql")
    peer.run("looks")
    ((_, error),) = outputs(peer.last, "looks")
    assert "turned does not exist" in error["evalue"]


def test_a_failing_statement_is_an_error_output(peer: Peer) -> None:
    peer.register("bad", "SELECT nothing FROM nowhere_at_all", cell_type="sql")
    done = peer.run("bad")
    assert [cell["status"] for cell in done["executed"]] == ["error"]
    (kind, error) = outputs(peer.last, "bad")[0]
    assert kind == "error"
    assert "nowhere_at_all" in error["evalue"]
    assert "tailrace_kernel" not in "\n".join(error["traceback"])


def test_a_connection_that_cannot_be_made_keeps_the_former(peer: Peer, tmp_path: Path) -> None:
    good = peer.ask("configure_db_request", {"name": "store", "url": f"sqlite:///{tmp_path / 'store.db'}"})
    assert (good["status"], good["dialect"]) == ("ok", "sqlite")
    peer.register("make", "-- connection: store\nCREATE TABLE t AS SELECT 7 AS n", cell_type="sql")
    peer.register("read", "-- connection: store  result: rows\nSELECT n FROM t", cell_type="sql")
    peer.register("show", "print(list(rows['n']))")
    peer.run("make", "read")
    assert outputs(peer.last, "show") == [("stdout", "[7]\n")]
    password = "correct-horse"
    url = f"postgresql://someone:{password}@127.0.0.1:1/none"
    start = len(peer.iopub)
    msg_id = peer.send("configure_db_request", {"name": "store", "url": url, "connect_timeout": 2})
    failed = peer.reply(msg_id)["content"]
    assert (failed["status"], failed["ename"]) == ("error", "db_refused")
    peer.until_idle(msg_id)
    events = [each["content"] for each in peer.iopub[start:] if each["type"] == "db_configured"]
    assert [(event["name"], event["status"]) for event in events] == [("store", "error")]
    assert password not in str(peer.iopub) + str(failed) + peer.kernel.log.read_text()
    peer.run("read")
    assert outputs(peer.last, "show") == [("stdout", "[7]\n")]
    nodes = peer.ask("schema_request", {"connection": "store"})
    assert nodes["status"] == "ok"


def test_the_frames_of_results_are_those_of_the_setting(peer: Peer) -> None:
    peer.register("q", "-- result: found\nSELECT 1 AS n, 2.5::DECIMAL(4,1) AS d", cell_type="sql")
    peer.register("kind", "print(type(found).__module__.split('.')[0], found['n'].sum(), found['d'].sum())")
    assert peer.ask("settings_request", {"frames": "polars"})["status"] == "ok"
    try:
        peer.run("q")
        assert outputs(peer.last, "kind") == [("stdout", "polars 1 2.5\n")]
        peer.register("again", "SELECT n + 1 AS m FROM found", cell_type="sql")
        peer.run("again")
        assert "2" in outputs(peer.last, "again")[0][1]["text/plain"]
    finally:
        assert peer.ask("settings_request", {"frames": "pandas"})["status"] == "ok"
    peer.run("q")
    assert outputs(peer.last, "kind") == [("stdout", "pandas 1 2.5\n")]


def test_one_cell_may_write_on_a_read_only_connection(peer: Peer, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    made = peer.ask("configure_db_request", {"name": "kept", "url": url})
    assert made["note"] == "kept.db did not exist: it is a new, empty database."
    peer.register("make", "-- connection: kept\nCREATE TABLE t (n int)", cell_type="sql")
    peer.run("make")
    assert peer.ask("configure_db_request", {"name": "kept", "url": url, "read_only": True})["status"] == "ok"
    peer.register("add", "-- connection: kept\nINSERT INTO t VALUES (1)", cell_type="sql")
    peer.run("add")
    assert "write: true" in outputs(peer.last, "add")[0][1]["evalue"]
    peer.register("add", "-- connection: kept  write: true\nINSERT INTO t VALUES (1)", cell_type="sql")
    peer.run("add")
    assert outputs(peer.last, "add")[0][1]["text/plain"] == "INSERT: 1 row"


def test_a_variable_on_another_connection_is_explained(peer: Peer, tmp_path: Path) -> None:
    peer.ask("configure_db_request", {"name": "lite", "url": f"sqlite:///{tmp_path / 'lite.db'}"})
    peer.register("sales", "import pandas as pd\nsold = pd.DataFrame({'n': [1]})\npoints = {'n': [1]}")
    peer.register("there", "-- connection: lite\nSELECT * FROM sold", cell_type="sql")
    peer.register("here", "SELECT * FROM points", cell_type="sql")
    peer.run("sales")
    peer.run("there", "here")
    assert "sold is a Python variable, and this cell runs on 'lite'" in outputs(peer.last, "there")[0][1]["evalue"]
    assert "points is a Python dict" in outputs(peer.last, "here")[0][1]["evalue"]


def test_parts_of_a_download_belong_to_one_run(peer: Peer) -> None:
    peer.register("many", "-- result: many\nSELECT range AS n FROM range(70000)", cell_type="sql")
    peer.run("many")
    first = peer.reply(peer.send("export_table_request", {"cell_id": "many", "format": "csv"}))
    assert (first["content"]["rows"], first["content"]["complete"]) == (70_000, True)
    assert first["buffers"][0].startswith(b'"n"\n0\n1\n') or first["buffers"][0].startswith(b"n\n0\n1\n")
    more = {"cell_id": "many", "format": "csv", "row": first["content"]["next_row"], "token": first["content"]["token"]}
    last = peer.reply(peer.send("export_table_request", more))
    assert last["content"].get("next_row") is None
    assert last["buffers"][0].endswith(b"69999\n")
    peer.run("many")
    assert peer.ask("export_table_request", more)["ename"] == "no_such_output"
    assert peer.ask("export_table_request", {"cell_id": "nothing"})["ename"] == "no_such_output"


def test_sorting_by_what_has_no_order_is_refused(peer: Peer) -> None:
    peer.register("nested", "SELECT [1, 2] AS pair, 1 AS n", cell_type="sql")
    peer.run("nested")
    for column in ("pair", "nothing"):
        answer = peer.ask("table_page_request", {"cell_id": "nested", "sort": [{"column": column}]})
        assert answer["ename"] == "bad_field", answer
    assert peer.ask("table_page_request", {"cell_id": "nested", "sort": [{"column": "n"}]})["total"] == 1


def test_the_magic_runs_where_no_cell_is_named(peer: Peer) -> None:
    def run(code: str) -> Message:
        msg_id = peer.send("execute_request", {"code": code}, "shell")
        answer: Message = peer.reply(msg_id, "shell")["content"]
        peer.until_idle(msg_id)
        return answer

    start = len(peer.iopub)
    assert run("least = 2")["status"] == "ok"
    assert run("%%sql picked <<\nSELECT range AS n FROM range(5) WHERE n >= :least")["status"] == "ok"
    assert run("print(list(picked['n']))")["status"] == "ok"
    failed = run("%%sql\nSELECT nothing_here")
    assert (failed["status"], failed["ename"]) == ("error", "SqlStatementError")
    shown = [each["content"] for each in peer.iopub[start:] if each["type"] == "execute_result"]
    assert ["text/html" in each["data"] for each in shown] == [True]
    printed = "".join(each["content"]["text"] for each in peer.iopub[start:] if each["type"] == "stream")
    assert printed == "[2, 3, 4]\n"


def test_the_kernel_ends_while_a_statement_runs(tmp_path: Path) -> None:
    with running_kernel(tmp_path) as kernel:
        peer = Peer(kernel)
        try:
            peer.ask("attach_request", {"client": "test"})
            peer.register("slow", "SELECT count(*) FROM range(10000000000) a, range(1000) b", cell_type="sql")
            peer.send("execute_cells_request", {"cell_ids": ["slow"]})
            peer.until(lambda message: ("slow", "running") in statuses([message]), "the statement")
            assert peer.ask("shutdown_request", {"restart": False})["status"] == "ok"
            assert kernel.process.wait(PATIENCE) == 0
        finally:
            peer.close()


def test_a_notebook_connects_without_a_gateway(peer: Peer, tmp_path: Path) -> None:
    peer.register("connect", f"%sql shelf sqlite:///{tmp_path / 'shelf.db'}")
    peer.register("keep", "-- connection: shelf\nCREATE TABLE t AS SELECT 3 AS n", cell_type="sql")
    peer.register("use", "-- connection: shelf  result: shelved\nSELECT n FROM t", cell_type="sql")
    peer.register("say", "print(list(shelved['n']))")
    peer.run("connect")
    assert outputs(peer.last, "connect")[0][1].startswith("shelf: sqlite 3.")
    assert "(shelf.db did not exist" in outputs(peer.last, "connect")[0][1]
    peer.run("keep", "use")
    assert outputs(peer.last, "say") == [("stdout", "[3]\n")]
    peer.register("secret", "%sql shelf postgresql://someone:typed-pass@127.0.0.1/x")
    peer.run("secret")
    assert outputs(peer.last, "secret")[0][1]["ename"] == "TailraceError"
    assert "env:NAME" in outputs(peer.last, "secret")[0][1]["evalue"]


def test_libraries_load_when_the_first_sql_cell_is_registered(tmp_path: Path) -> None:
    loaded = "import sys\nprint('duckdb' in sys.modules)"
    waits = (
        "import sys, time\nend = time.monotonic() + 20\n"
        "while 'duckdb' not in sys.modules and time.monotonic() < end:\n    time.sleep(0.01)\n"
        "print('duckdb' in sys.modules)"
    )
    with running_kernel(tmp_path) as kernel:
        peer = Peer(kernel)
        try:
            peer.ask("attach_request", {"client": "test"})
            peer.register("before", loaded)
            peer.run("before")
            assert outputs(peer.last, "before") == [("stdout", "False\n")]
            peer.register("query", "SELECT 1 AS n", cell_type="sql")
            peer.register("after", waits)
            peer.run("after")
            assert outputs(peer.last, "after") == [("stdout", "True\n")]
        finally:
            peer.close()
