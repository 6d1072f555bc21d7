"""`tailrace probe` against a real kernel, in both encodings, and everything that it refuses."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tailrace_cli import probe_table
from tailrace_cli.main import main
from tailrace_cli.probe_client import ConnectionFile, Message, ProbeClient
from tailrace_cli.refusal import RefusedError
from tailrace_cli.source import read_cells
from tailrace_protocol.kernel_messages import REQUESTS
from tests.cli.invocation import ROOT, refused, tailrace


class Probe:
    """`tailrace probe` in this process, on one kernel."""

    def __init__(self, connection_file: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> None:
        self._words = ("probe", "--existing", str(connection_file), *flags)
        self._capsys = capsys

    def __call__(self, *words: str, code: int = 0) -> Any:
        """The lines of stdout as JSON, or the sentence on stderr when it was refused."""
        assert main([*self._words, *words]) == code, self._capsys.readouterr()
        said = self._capsys.readouterr()
        if code == 2:
            assert said.out == ""
            assert said.err.count("\n") == 1
            return said.err
        lines = [json.loads(line) for line in said.out.splitlines()]
        return lines[0] if len(lines) == 1 else lines


@pytest.mark.parametrize("encoding", ["--json", "--msgpack"])
def test_register_run_look_and_remove(connection_file: Path, capsys: pytest.CaptureFixture[str], encoding: str) -> None:
    ask = Probe(connection_file, capsys, encoding)
    assert ask("ping")["alive"] is True
    assert ask("register", "a", "x = 5")["writes"] == ["x"]
    second = ask("register", "b", "y = x + 1\nprint('y is', y)")
    assert (second["reads"], second["writes"]) == (["x"], ["y"])
    assert second["graph"]["added_edges"] == [{"from": "a", "to": "b", "names": ["x"]}]
    assert ask("plan", "a")["order"] == ["a", "b"]
    ran = ask("execute", "a")
    assert [(cell["cell_id"], cell["status"]) for cell in ran["executed"]] == [("a", "success"), ("b", "success")]
    values = {each["name"]: each["preview"] for each in ask("vars")["variables"]}
    assert values == {"x": "5", "y": "6"}
    assert [each["name"] for each in ask("vars", "y")["variables"]] == ["y"]
    graph = ask("graph")
    assert graph["order"] == ["a", "b"]
    assert graph["edges"] == [{"from": "a", "to": "b", "names": ["x"]}]
    assert ask("remove", "a", "--keep-dependents")["removed_names"] == ["x"]
    assert ask("graph")["order"] == ["b"]


def test_events_of_a_run_come_in_order_before_the_reply(
    connection_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = Probe(connection_file, capsys)
    ask("register", "a", "print('hello')")
    *events, reply = ask("execute", "a", "--events")
    assert reply["executed"][0]["status"] == "success"
    kinds = [event["type"] for event in events]
    assert kinds.index("run_started") < kinds.index("stream") < kinds.index("run_finished")
    numbers = [event["seq"] for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    streams = [event for event in events if event["type"] == "stream"]
    assert {event["cell_id"] for event in streams} == {"a"}
    assert "".join(event["content"]["text"] for event in streams) == "hello\n"


def test_a_failing_cell_is_exit_1(connection_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = Probe(connection_file, capsys)
    ask("register", "bad", "1 / 0")
    ask("register", "good", "1")
    assert ask("execute", "good")["executed"][0]["status"] == "success"
    assert ask("execute", "bad", code=1)["executed"][0]["status"] == "error"


def test_cells_are_placed_as_asked(connection_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = Probe(connection_file, capsys)
    ask("register", "a", "1")
    ask("register", "b", "2")
    ask("register", "first", "3", "--top")
    ask("register", "middle", "4", "--after", "a")
    ask("register", "second", "5", "--index", "1")
    assert ask("graph")["order"] == ["first", "second", "a", "middle", "b"]


ASKED: dict[str, dict[str, Any]] = {
    "attach_request": {"client": "probe"},
    "register_cells_request": {"cells": [{"cell_id": "a", "code": "x = 1"}, {"cell_id": "b", "code": "y = x + 1"}]},
    "register_cell_request": {"cell_id": "frame", "cell_type": "sql", "code": "select 1 as n", "result": "frame"},
    "reorder_cells_request": {"cell_ids": ["frame", "a", "b"]},
    "settings_request": {"lazy": False},
    "configure_db_request": {"name": "default", "url": None},
    "execute_cells_request": {"cell_ids": [], "mode": "all"},
    "graph_request": {},
    "plan_request": {"cell_ids": ["a"]},
    "variables_request": {},
    "schema_request": {"connection": "default", "path": []},
    "table_page_request": {"cell_id": "frame", "output": 0, "offset": 0, "limit": 10},
    "export_table_request": {"cell_id": "frame", "format": "csv"},
    "rename_variable_request": {"name": "x", "new_name": "z"},
    "library_file_request": {"name": "plotly"},
    "replay_request": {"epoch": "another", "since": 0, "limit": 10},
    "remove_cell_request": {"cell_id": "b"},
}  # in the order in which they are asked


@pytest.mark.parametrize("encoding", ["--json", "--msgpack"])
def test_every_request_of_the_kernel_can_be_made(
    connection_file: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    assert ASKED.keys() == REQUESTS.keys()
    ask = Probe(connection_file, capsys, encoding)
    said = {kind: ask("request", kind, json.dumps(content)) for kind, content in ASKED.items()}
    assert said["reorder_cells_request"]["order"] == ["frame", "a", "b"]
    assert len(said["execute_cells_request"]["executed"]) == 3
    assert said["plan_request"]["order"] == ["a", "b"]
    assert [each["name"] for each in said["variables_request"]["variables"]] == ["frame", "x", "y"]
    assert said["table_page_request"]["rows"] == [[1]]
    assert [each["cell_id"] for each in said["rename_variable_request"]["cells"]] == ["a", "b"]
    assert said["replay_request"]["complete"] is False
    assert said["remove_cell_request"]["removed_names"] == ["y"]
    assert "unknown_request" in ask("request", "no_such_request", code=2)


def test_a_password_in_the_content_on_the_command_line_is_refused(
    connection_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.dumps({"name": "default", "url": "postgresql://me:hunter2@localhost/x"})
    said = Probe(connection_file, capsys)("request", "configure_db_request", content, code=2)
    assert "hunter2" not in said
    assert "env:NAME" in said


@pytest.mark.parametrize("content", ["{", "[]", "5"])
def test_a_content_that_is_no_object_is_refused_before_anybody_is_asked(
    connection_file: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    assert "object in JSON" in Probe(connection_file, capsys)("request", "graph_request", content, code=2)


@pytest.mark.parametrize("name", ["weather.py", "stocks_sql.py"])
def test_the_kernel_says_what_tailrace_graph_says(
    connection_file: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    ask = Probe(connection_file, capsys)
    path = ROOT / "examples" / name
    for cell in read_cells(path):
        ask("register", cell.id, cell.code, "--type", cell.type)
    kernel = ask("graph")
    assert main(["graph", str(path), "--json"]) == 0
    ours = json.loads(capsys.readouterr().out)
    assert [cell["id"] for cell in ours["cells"]] == kernel["order"]
    for cell in ours["cells"]:
        assert {key: cell[key] for key in ("type", "reads", "writes")} == {
            key: kernel["cells"][cell["id"]][key] for key in ("type", "reads", "writes")
        }
    edges = {(edge["from"], edge["to"]): sorted(edge["names"]) for edge in kernel["edges"]}
    assert {(edge["from"], edge["to"]): edge["names"] for edge in ours["edges"]} == edges
    assert len(edges) > 4


def test_replay_prints_what_was_missed(connection_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask = Probe(connection_file, capsys)
    ask("register", "a", "print('once')")
    *live, _ = ask("execute", "a", "--events")
    replayed = ask("replay", "--since", str(live[0]["seq"] - 1))
    assert replayed[: len(live)] == live
    assert main(["probe", "--existing", str(connection_file), "replay", "--epoch", "another"]) == 0
    assert "Not everything" in capsys.readouterr().err


def test_watch_sees_what_others_do(connection_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watching = threading.Event()

    def act() -> None:
        with ProbeClient(ConnectionFile.read(connection_file)) as other:
            assert watching.wait(30)
            other.request("register_cell_request", {"cell_id": "a", "code": "print('seen')"}, timeout=30)
            other.request("execute_cells_request", {"cell_ids": ["a"]}, timeout=30)

    actor = threading.Thread(target=act)
    actor.start()
    with ProbeClient(ConnectionFile.read(connection_file)) as client:
        client.wait_until_heard(30)
        client.request("attach_request", {"client": "test"}, timeout=30)
        watching.set()
        seen = []
        for message in client.events(30):
            seen.append(message.type)
            if message.type == "run_finished":
                break
    actor.join(30)
    assert seen.index("cell_registered") < seen.index("run_started") < seen.index("stream")
    ended = tailrace("probe", "--existing", connection_file, "watch", "--idle", "0.3")
    assert (ended.code, ended.err) == (0, "")
    assert all(json.loads(line)["type"] for line in ended.out.splitlines())


def test_a_database_is_named_by_reference_or_pipe(
    connection_file: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'probe.db'}"
    command = ("probe", "--existing", connection_file, "db", "--name", "lite")
    by_name = tailrace(*command, "env:PROBE_URL", environment={"PROBE_URL": url})
    assert json.loads(by_name.out)["dialect"] == "sqlite"
    assert json.loads(tailrace(*command, "-", stdin=url + "\n").out)["dialect"] == "sqlite"
    assert "PROBE_URL is not set" in refused(tailrace(*command, "env:PROBE_URL"))
    assert "stdin" in refused(tailrace(*command, "-"))
    assert Probe(connection_file, capsys)("db", "duckdb")["dialect"] == "duckdb"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:hunter2@localhost/d",
        "postgresql+psycopg://user:hunter2@localhost:5432/d?sslmode=require",
        "mysql://u:hunter2@h/d",
        "postgresql://localhost/d?password=hunter2",
        "postgresql://user:hunter2/with/slash@localhost/d",
    ],
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", "--existing", "nowhere.json", "db", url]) == 2
    sentence = capsys.readouterr().err
    assert "env:NAME" in sentence
    assert "hunter2" not in sentence


def test_the_kernels_refusals_are_told_with_their_code(
    connection_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = Probe(connection_file, capsys)
    assert "(unknown_cell)" in ask("execute", "nope", code=2)
    assert "(unknown_cell)" in ask("remove", "nope", code=2)
    assert "(bad_field)" in ask("register", "x" * 600, "1", code=2)


def test_no_kernel_and_no_file_are_told(tmp_path: Path) -> None:
    assert "Cannot read" in refused(tailrace("probe", "--existing", tmp_path / "nope.json", "ping"))
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"transport": "tcp"}')
    assert "no 'ip'" in refused(tailrace("probe", "--existing", wrong, "ping"))
    empty = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "jupyter"), "TAILRACE_RUNTIME_DIR": str(tmp_path / "gateway")}
    assert "--existing FILE" in refused(tailrace("probe", "ping", environment=empty))
    gone = tmp_path / "gone.json"
    ports = dict.fromkeys(("shell_port", "iopub_port", "control_port", "hb_port"), 1)
    gone.write_text(json.dumps({"transport": "ipc", "ip": str(tmp_path / "s"), "key": "k", **ports}))
    with (
        ProbeClient(ConnectionFile.read(gone)) as client,
        pytest.raises(RefusedError, match=r"No kernel answers within 0\.2 s"),
    ):
        client.ping(0.2)


def test_the_newest_kernel_is_found_by_itself(connection_file: Path, tmp_path: Path) -> None:
    for place in ("gateway/k1/connection.json", "jupyter/kernel-1.json"):
        copy = tmp_path / place
        copy.parent.mkdir(parents=True)
        copy.write_text(connection_file.read_text())
        runtime = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "jupyter"), "TAILRACE_RUNTIME_DIR": str(tmp_path / "gateway")}
        ended = tailrace("probe", "ping", environment=runtime)
        assert json.loads(ended.out)["alive"] is True
        assert f"taking {copy}" in ended.err
        copy.unlink()


def test_a_message_signed_with_another_key_is_not_taken(connection_file: Path, tmp_path: Path) -> None:
    said = json.loads(connection_file.read_text())
    connection = ConnectionFile.read(connection_file)
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps({**said, "key": "another"}))
    with ProbeClient(ConnectionFile.read(forged)) as stranger, ProbeClient(connection) as friend:
        friend.wait_until_heard(30)
        with pytest.raises(RefusedError, match=r"another kernel|has not answered"):
            stranger.request("graph_request", {}, timeout=0.5)
        assert friend.request("graph_request", {}, timeout=30).content["status"] == "ok"


def test_the_key_shows_in_no_repr(connection_file: Path) -> None:
    connection = ConnectionFile.read(connection_file)
    assert connection.key.decode() not in repr(connection)
    assert connection.ip in repr(connection)


def test_the_table_folds_messages_into_rows() -> None:
    def message(kind: str, content: dict[str, Any], cell_id: str | None = None) -> Message:
        return Message(kind, content, {"tailrace": {"seq": 1, "cell_id": cell_id}}, "")

    rows = probe_table.rows_of({"order": ["a"], "cells": {"a": {"status": "idle"}}})
    change = {"cell_id": "a", "status": "success", "seconds": 0.5, "reason": {"code": "requested"}}
    for each in (
        message("cell_registered", {"cell_id": "b"}),
        message("cell_status", {"changes": [change]}),
        message("stream", {"text": "one\ntwo\n\n"}, "a"),
        message("stream", {"text": "nobody's\n"}),
        message("status", {"execution_state": "idle"}),
    ):
        rows = probe_table.fold(rows, each)
    assert rows == {"a": probe_table.Row("success", 0.5, "two", "requested"), "b": probe_table.Row()}
    assert probe_table.fold(rows, message("cell_removed", {"cell_id": "a"})) == {"b": probe_table.Row()}
    assert probe_table.table(rows).row_count == 2
