"""The environment of the peers, `.venv-peers`: what others' suites and frontends run in, with our kernel beside them.

It is never the one of our own tests: a peer may want other versions of what we need.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".venv-peers"
PYTHON = str(FOLDER / "bin" / "python")
MISSING = "import sys; from importlib import util; print(*[n for n in sys.argv[1:] if util.find_spec(n) is None])"
MODULES = {"pytest-timeout": "pytest_timeout", "pytest-asyncio": "pytest_asyncio", "pytest-cov": "pytest_cov",
           "jupyter-console": "jupyter_console"}  # fmt: skip  # where a package is not named like its module


def install(*packages: str) -> None:
    """See that these packages and our kernel are there; fetches what is missing."""
    if not Path(PYTHON).exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True, timeout=120)
    wanted = {MODULES.get(package, package): package for package in packages}
    asked = subprocess.run(
        [PYTHON, "-c", MISSING, *wanted, "tailrace_kernel"], check=True, timeout=60, capture_output=True, text=True
    )
    for module in asked.stdout.split():
        what = ["--editable", str(ROOT)] if module == "tailrace_kernel" else [wanted[module]]
        command = [PYTHON, "-m", "pip", "install", "--quiet", *what]
        subprocess.run(command, check=True, timeout=400, env={**os.environ, "TAILRACE_SKIP_WEB": "1"})


def environment(private: Path, kernelspecs: Iterable[str] = ("tailrace",)) -> dict[str, str]:
    """For a process of a peer: it finds our kernel by these names, and keeps its own files in `private`."""
    spec = json.loads((ROOT / "kernel" / "kernelspec" / "kernel.json").read_text(encoding="utf-8"))
    spec["argv"][0] = PYTHON
    for name in kernelspecs:
        folder = private / "share" / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return {
        **os.environ,
        "PATH": f"{FOLDER / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "JUPYTER_PATH": str(private / "share"),
        "JUPYTER_CONFIG_DIR": str(private / "config"),
        "JUPYTER_DATA_DIR": str(private / "data"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        "IPYTHONDIR": str(private / "ipython"),
    }
