"""SQL cells in a kernel process: over a DataFrame, with parameters, and connections that cannot be made."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.kernel_client import Peer, outputs, running_kernel


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
