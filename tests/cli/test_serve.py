"""`tailrace serve`: one link, a ready file, and no secret where others can read it."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tailrace_cli import serve
from tailrace_cli.main import main
from tailrace_gateway.server import Ready
from tests.cli.invocation import ROOT
from tests.gateway_process import running_gateway


def ready_with(links: list[str]) -> Ready:
    """What a gateway gives: each call of `fresh_login_url` hands out the next link."""
    return Ready("http://127.0.0.1:1/", 1, os.getpid(), "program-token", lambda: links.pop(0))


def test_it_serves_announces_and_stops(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "nb.py").write_text("# %%\nx = 1\n")
    with running_gateway(folder, tmp_path / "gateway.log") as gateway:
        ready = json.loads((tmp_path / "gateway.ready").read_text())
        assert ready == {"url": f"{gateway.url}/", "port": gateway.port, "pid": gateway.pid}
        listing = gateway.get("/api/v1/notebooks")
        assert isinstance(listing, list)
        assert [row["path"] for row in listing] == ["nb.py"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{gateway.url}/api/v1/notebooks", timeout=10)
        arguments = " ".join(psutil.Process(gateway.pid).cmdline())
        assert gateway.token not in arguments
        assert gateway.stop(signal.SIGINT) == 0
    said = (tmp_path / "gateway.log").read_text()
    assert said.count("#code=") == 1
    assert gateway.token not in said
    assert "Traceback" not in said


def test_the_ready_file_holds_no_secret_and_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "ready"
    serve.write_ready_file(path, ready_with(["http://127.0.0.1:1/#code=secret"]))
    assert json.loads(path.read_text()) == {"url": "http://127.0.0.1:1/", "port": 1, "pid": os.getpid()}
    assert [file.name for file in tmp_path.iterdir()] == ["ready"]


def test_the_announcement_shows_one_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    announce = serve.Announcement((Path("examples"),), tmp_path / "ready", None)

    async def up() -> None:
        announce(ready_with(["http://127.0.0.1:1/#code=first", "http://127.0.0.1:1/#code=second"]))

    asyncio.run(up())
    said = capsys.readouterr().out
    assert said.count("http://") == 1
    assert "#code=first" in said
    assert "program-token" not in said
    assert announce.made


def test_the_browser_gets_a_private_file_instead_of_the_code(tmp_path: Path) -> None:
    address = serve.stepping_stone(tmp_path, "http://127.0.0.1:1/#code=secret")
    assert address.startswith("file://")
    assert "secret" not in address
    page = tmp_path / "open.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "http://127.0.0.1:1/#code=secret" in page.read_text()


def test_without_a_display_nothing_is_opened_on_linux() -> None:
    assert not (sys.platform.startswith("linux") and serve.has_screen({}))


def test_a_taken_port_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(tmp_path), "--no-browser", "--port", str(port)]) == 2
    assert f"Port {port} is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "no file or folder nowhere"),
        ([".", "--host", "0.0.0.0"], "127.0.0.1 only"),
        ([".", "--host", "::"], "127.0.0.1 only"),
        ([".", "--port", "70000"], "from 0 to 65535"),
        ([".", "--port", "http"], "invalid int value"),
    ],
)
def test_bad_arguments_are_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert sentence in said.err


def test_the_token_is_gone_before_any_child_could_read_it(tmp_path: Path) -> None:
    """A refused start has taken it out already: checked in a process of its own, whose environment is its own."""
    code = (
        "import os, sys\n"
        "from tailrace_cli.main import main\n"
        "assert os.environ['TAILRACE_TOKEN']\n"
        f"main(['serve', {str(tmp_path)!r}, '--host', '0.0.0.0'])\n"
        "sys.exit('TAILRACE_TOKEN' in os.environ)\n"
    )
    environment = {**os.environ, "TAILRACE_TOKEN": "program-token"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, timeout=60, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
