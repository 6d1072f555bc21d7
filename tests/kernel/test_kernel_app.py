"""How the kernel process begins: where it listens, and where it refuses to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tailrace_kernel.app import is_loopback


@pytest.mark.parametrize(
    ("ip", "expected"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("0.0.0.0", False), ("*", False)],
)
def test_loopback(ip: str, expected: bool) -> None:
    assert is_loopback(ip) is expected


def test_it_refuses_to_listen_to_the_world_without_keys(tmp_path: Path) -> None:
    file = tmp_path / "kernel.json"
    ports = {f"{name}_port": 0 for name in ("shell", "iopub", "stdin", "hb", "control")}
    info = {"transport": "tcp", "ip": "0.0.0.0", "key": "k", "signature_scheme": "hmac-sha256", **ports}
    file.write_text(json.dumps(info))
    command = [sys.executable, "-m", "tailrace_kernel", "-f", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    assert "without CURVE keys" in ended.stderr
