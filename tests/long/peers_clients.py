"""Others' clients run a notebook on our kernel, standing in for `python3`: `python -m tests.long.peers_clients`."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.long.jupyterlab import notebook, text_of
from tests.long.peers_environment import PYTHON, environment, install

SOURCES = ("x = 1", "print('x is', x)", "%%sql\nSELECT 20 + 1 AS n", "x")


def outputs(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def main() -> int:
    install("papermill", "nbconvert", "jupyter-console", "nbclient")
    with tempfile.TemporaryDirectory(prefix="t") as private:
        folder = Path(private)
        env = environment(folder, ("tailrace", "python3"))

        def command(*words: str, text: str = "") -> str:
            """What a command prints."""
            line = [PYTHON, "-m", *words]
            done = subprocess.run(
                line, cwd=folder, env=env, input=text, capture_output=True, text=True, timeout=150, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        (folder / "in.ipynb").write_text(notebook(*SOURCES))
        command("papermill", "-k", "tailrace", "in.ipynb", "papermill.ipynb", "-p", "y", "5", "--no-progress-bar")
        command("nbconvert", "--to", "notebook", "--execute", "in.ipynb", "--output", "nbconvert.ipynb")
        command("jupyter", "execute", "in.ipynb", "--output", "nbclient")
        for name in ("papermill", "nbconvert", "nbclient"):
            cells = outputs(folder / f"{name}.ipynb")[-len(SOURCES) :]
            assert text_of(cells[1]) == "x is 1\n", name
            assert "21" in json.dumps(cells[2]["outputs"]), name
            assert cells[3]["outputs"][0]["data"]["text/plain"] in ("1", ["1"]), name
            print(f"{name} cells = {len(cells)}")
        said = command("jupyter_console", "--kernel", "python3", "--simple-prompt", text="20 + 1\nexit()\n")
        assert "21" in said, said
        print("console lines = 1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
