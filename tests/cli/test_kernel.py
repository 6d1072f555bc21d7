"""`tailrace kernel`: kernels that outlive the command, answer probes and programs, and are gone when stopped."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager

from tailrace_cli.kernel import ARGUMENTS, SPEC
from tests.cli.invocation import ROOT, refused, tailrace

KERNELSPEC = ROOT / "kernel" / "kernelspec" / "kernel.json"


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A runtime directory of the test; no kernel is left in it."""
    folder = tmp_path_factory.mktemp("run")
    folder.chmod(0o700)
    before = os.environ["TAILRACE_RUNTIME_DIR"]
    os.environ["TAILRACE_RUNTIME_DIR"] = str(folder)
    try:
        yield folder
    finally:
        tailrace("kernel", "stop", "--all")
        os.environ["TAILRACE_RUNTIME_DIR"] = before


def started(*options: str) -> dict[str, Any]:
    ended = tailrace("kernel", "start", "--json", *options, seconds=100)
    assert ended.code == 0, ended.err
    said: dict[str, Any] = json.loads(ended.out)
    return said


def probe(kernel: dict[str, Any], *words: str) -> Any:
    ended = tailrace("probe", "--existing", kernel["connection_file"], *words)
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


def test_a_kernel_outlives_its_command_and_ends_when_told(runtime: Path, tmp_path: Path) -> None:
    kernel = started("--name", "work", "--cwd", str(tmp_path))
    process = psutil.Process(kernel["pid"])
    assert process.is_running()
    assert os.getsid(kernel["pid"]) == kernel["pid"] != os.getsid(0)
    file = Path(kernel["connection_file"])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0
    assert json.loads(file.read_text())["transport"] == "ipc"
    assert "work" in refused(tailrace("kernel", "start", "--name", "work"))

    probe(kernel, "register", "w", "import os\nwhere = os.getcwd()")
    assert probe(kernel, "execute", "w", "--msgpack")["executed"][0]["status"] == "success"
    assert str(tmp_path) in str(probe(kernel, "vars", "where"))
    for example in ("raw_zmq_probe.py", "raw_zmq_probe_json.py"):
        command = [sys.executable, str(ROOT / "examples" / example), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert "stream y is 6" in done.stdout

    code = "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nwhile True: pass"
    probe(kernel, "register", "busy", code)
    probe(kernel, "execute", "busy", "--no-wait")
    while not (children := process.children()):
        probe(kernel, "ping")
    assert json.loads(tailrace("kernel", "list", "--json").out)[0]["answers"] is True
    assert f"work  pid {kernel['pid']}" in tailrace("kernel", "list").out
    assert "work" in refused(tailrace("kernel", "stop", "play"))
    assert tailrace("kernel", "stop", "work").out == "work has ended\n"
    _, alive = psutil.wait_procs([process, *children], timeout=5)
    assert alive == []
    assert list(runtime.iterdir()) == []


def test_an_encrypted_kernel_hears_its_keys_only_and_is_forgotten_when_dead(runtime: Path) -> None:
    kernel = started("--tcp", "--curve")
    file = Path(kernel["connection_file"])
    info = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600  # the kernel has written its ports into it
    assert info["transport"] == "tcp"
    client = BlockingKernelClient(connection_file=str(file))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=20)
        assert client.execute_interactive("1 + 1", timeout=20)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
    assert probe(kernel, "ping")["alive"] is True

    del info["curve_publickey"], info["curve_secretkey"]
    other = file.with_name("other.json")
    other.write_text(json.dumps(info))
    assert "answers" in refused(tailrace("probe", "--existing", other, "ping"))

    process = psutil.Process(kernel["pid"])
    process.kill()
    psutil.wait_procs([process], timeout=10)
    assert tailrace("kernel", "list").out == ""
    assert list(runtime.iterdir()) == []


def test_a_bind_beyond_loopback_without_keys_is_refused(runtime: Path) -> None:
    assert "--curve" in refused(tailrace("kernel", "start", "--tcp", "--ip", "0.0.0.0"))
    assert list(runtime.iterdir()) == []


def test_a_kernel_that_cannot_start_says_why_and_leaves_nothing(runtime: Path, tmp_path: Path) -> None:
    assert "ended with code" in refused(tailrace("kernel", "start", "--tcp", "--ip", "127.0.0.300", "--curve"))
    assert "no folder" in refused(tailrace("kernel", "start", "--cwd", tmp_path / "missing"))
    assert "cannot be a kernel's name" in refused(tailrace("kernel", "start", "--name", "../x"))
    assert list(runtime.iterdir()) == []


def test_the_installed_kernelspec_is_the_one_of_the_wheel(tmp_path: Path) -> None:
    assert json.loads(KERNELSPEC.read_text()) == SPEC
    ended = tailrace("kernel", "install", "--prefix", tmp_path, "--name", "mine", "--display-name", "Mine")
    assert ended.out.strip() == str(tmp_path / "share" / "jupyter" / "kernels" / "mine")
    manager = KernelSpecManager(kernel_dirs=[str(tmp_path / "share" / "jupyter" / "kernels")])
    spec = manager.get_kernel_spec("mine")
    assert (spec.argv[0], spec.display_name) == (sys.executable, "Mine")
    assert spec.argv[1:] == ARGUMENTS
    assert "a b" in refused(tailrace("kernel", "install", "--prefix", tmp_path, "--name", "a b"))
