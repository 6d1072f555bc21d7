"""Plain mode in unmodified JupyterLab and Notebook 7, in headless Chromium: `python -m tests.long.jupyterlab`.

What a person does: change a cell and see its reader change in place and in the file; Run All; delete a cell, run
another, and see the reader of the deleted one break.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

from tests.chromium import FLAGS, chromium_path
from tests.long.peers_environment import PYTHON, environment, install

PATIENCE = 60.0  # seconds
MANY = 30
FRONTENDS = {"JupyterLab": "lab/tree", "Notebook": "notebooks"}
PACKAGES = ("jupyterlab", "notebook")


def notebook(*sources: str) -> str:
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    kernelspec = {"name": "tailrace", "display_name": "Tailrace", "language": "python"}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernelspec}, "cells": cells})


def until(what: str, probe: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not probe():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.1)


@contextmanager
def served(folder: Path, kernelspecs: Path) -> Iterator[tuple[str, str]]:
    """A Jupyter server with both frontends on a folder; its address and token."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    options = [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    options += ["--no-browser", "--allow-root", "--LabApp.news_url=None", "--expose-app-in-browser"]
    options += [
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = folder.parent / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PYTHON, "-m", "jupyterlab", *options],
            env={**environment(kernelspecs), "JUPYTER_TOKEN": token},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    base = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            with urlopen(f"{base}/api/status?token={token}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        until("the server", answers)
        yield base, token
    finally:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


class Opened:
    """One notebook in one frontend, used as a person uses it."""

    def __init__(self, page: Page, base: str, token: str, path: str, file: Path) -> None:
        self.page = page
        self.file = file
        page.goto(f"{base}/{path}/{file.name}?token={token}&reset")  # no notebook of before
        page.wait_for_selector(".jp-Notebook .jp-Cell .cm-content", timeout=PATIENCE * 1000)
        # The kernel is there when the notebook's session says that it is idle.
        page.wait_for_function(
            """name => {
                const panel = window.jupyterapp?.shell.currentWidget;
                const status = panel?.sessionContext?.session?.kernel?.status;
                return panel?.context?.path === name && status === 'idle';
            }""",
            arg=file.name,
            timeout=PATIENCE * 1000,
        )

    def command(self, name: str) -> None:
        self.page.evaluate("name => { void window.jupyterapp.commands.execute(name); }", name)

    def select(self, number: int) -> None:
        self.page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-InputPrompt").click()

    def write_and_run(self, number: int, source: str) -> None:
        self.page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)
        self.page.keyboard.press("Shift+Enter")

    def shown(self, number: int) -> str:
        outputs = self.page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-OutputArea-output")
        return "".join(outputs.all_inner_texts())

    def is_idle(self) -> bool:
        return self.page.locator(".jp-InputPrompt:text('[*]')").count() == 0

    def saved(self) -> list[dict[str, Any]]:
        """The file's cells after a save was asked for; the server truncates the file before it writes."""
        self.command("docmanager:save")
        while True:
            with contextlib.suppress(ValueError):
                cells: list[dict[str, Any]] = json.loads(self.file.read_text())["cells"]
                return cells


def text_of(cell: dict[str, Any]) -> str:
    texts = []
    for output in cell["outputs"]:
        text = output.get("text") or output.get("ename", "")
        texts.append("".join(text))
    return "".join(texts)


def check_change_in_place(opened: Opened) -> None:
    opened.command("notebook:run-all-cells")
    until("the first outputs", lambda: "x is 1" in opened.shown(1) and opened.is_idle())
    opened.write_and_run(0, "x = 5")
    until("the reader changes in place", lambda: "x is 5" in opened.shown(1) and "x is 1" not in opened.shown(1))
    until("the file has it", lambda: text_of(opened.saved()[1]) == "x is 5\n")
    assert text_of(opened.saved()[2]) == "twice is 10\n"


def check_deletion(opened: Opened) -> None:
    opened.select(0)
    opened.page.keyboard.press("Escape")
    opened.page.keyboard.press("d")
    opened.page.keyboard.press("d")
    until("the cell is gone", lambda: opened.page.locator(".jp-Notebook .jp-Cell").count() == 3)
    opened.write_and_run(2, "other = 2")
    until("the reader breaks", lambda: "NameError" in opened.shown(0))
    until("the file has it", lambda: text_of(opened.saved()[0]) == "NameError")


def check_run_all(opened: Opened, log: Path) -> None:
    for turn in (1, 2):
        opened.command("notebook:run-all-cells")
        wanted = MANY * turn
        until("all have run", lambda wanted=wanted: log.exists() and len(log.read_text().split()) >= wanted)  # type: ignore[misc]
        until("and are idle", opened.is_idle)
        runs = log.read_text().split()
        assert sorted(runs) == sorted(f"n{number}" for number in range(MANY) for _ in range(turn)), runs
        until("prompts are shown", lambda: all(cell["execution_count"] for cell in opened.saved()))


def main() -> int:
    install(*PACKAGES)
    with tempfile.TemporaryDirectory(prefix="t") as private:
        root = Path(private) / "root"
        root.mkdir()
        cells = [f"x{n} = {f'x{n - 1} + 1' if n else '0'}\nwith open('log', 'a') as file:\n    _ = file.write('n{n} ')"
                 for n in range(MANY)]  # fmt: skip
        with served(root, Path(private)) as (base, token), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
            for name, path in FRONTENDS.items():
                small, many = root / f"{name}.ipynb", root / f"{name}-many.ipynb"
                small.write_text(notebook("x = 1", "print('x is', x)", "print('twice is', 2 * x)", "other = 1"))
                many.write_text(notebook(*cells))
                (root / "log").unlink(missing_ok=True)
                opened = Opened(browser.new_page(), base, token, path, small)
                check_change_in_place(opened)
                print(f"{name.lower()} reader changed in place = 1", flush=True)
                check_deletion(opened)
                print(f"{name.lower()} deletion broke its reader = 1", flush=True)
                opened.page.close()
                opened = Opened(browser.new_page(), base, token, path, many)
                check_run_all(opened, root / "log")
                print(f"{name.lower()} cells of run all = {MANY}", flush=True)
                opened.page.close()
            browser.close()
        shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
