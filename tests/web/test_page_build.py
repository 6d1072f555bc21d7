"""The page's build hook: which Node is good enough, and when a build counts as fresh. Runs no npm."""

import gzip
import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

HOOK = Path(__file__).parents[2] / "gateway" / "web" / "hatch_build.py"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page_build_hook", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks its own module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("v20.19.0", True), ("v20.20.2", True), ("v22.12.0", True), ("v24.19.0", True),
        ("v18.20.0", False), ("v20.18.9", False), ("v21.7.0", False), ("v22.11.0", False), ("nonsense", False),
    ],
)  # fmt: skip
def test_which_node_is_good_enough(hook: ModuleType, version: str, good: bool) -> None:
    assert hook.good_enough(version) is good


def test_the_fingerprint_changes_with_every_source_and_with_nothing_else(hook: ModuleType, tmp_path: Path) -> None:
    web = tmp_path / "web"
    shutil.copytree(HOOK.parent, web, ignore=shutil.ignore_patterns("node_modules"))
    seen = {hook.fingerprint(web)}
    assert seen == {hook.fingerprint(HOOK.parent)}
    for name in ("src/main.tsx", "package-lock.json", "index.html", "public/frame.html", "vite.config.ts"):
        (web / name).write_text((web / name).read_text() + "\n")
        seen.add(hook.fingerprint(web))
    assert len(seen) == 6
    (web / "README.md").write_text("other words")
    (web / "node_modules").mkdir()
    (web / "node_modules" / "x.js").write_text("1")
    assert hook.fingerprint(web) in seen
    (web / "src" / "new.ts").write_text("")
    assert hook.fingerprint(web) not in seen


def test_the_lockfile_names_no_registry() -> None:
    lock = (HOOK.parent / "package-lock.json").read_text()
    assert '"node_modules/preact"' in lock
    assert '"resolved"' not in lock
    assert "://registry" not in lock


FIRST_EDITOR_BUDGET = 230_000  # bytes, gzip, of everything that arrives before the first editor takes keys


def test_the_first_editor_comes_within_its_bytes(hook: ModuleType) -> None:
    assets = hook.STATIC / "assets"
    first = (hook.STATIC / "index.html").read_text()
    loaded = [path for path in assets.iterdir() if path.name in first or path.name.startswith("editor-")]
    assert {path.suffix for path in loaded} == {".js", ".css"}
    assert len(loaded) == 5, "a chunk more is loaded at the start: count it here"
    size = sum(len(gzip.compress(path.read_bytes(), 9)) for path in loaded)
    assert 100_000 < size <= FIRST_EDITOR_BUDGET
