"""README, SPEC.md and JOURNEY.md point at what is there: files, words in them, commands and options."""

import argparse
import re
from importlib import import_module
from pathlib import Path

import pytest

from tailrace_cli.main import COMMANDS, Parser
from tailrace_gateway.app import create_app
from tailrace_gateway.config import Config
from tailrace_gateway.door import declared_routes

ROOT = Path(__file__).parents[2]
SPEC = (ROOT / "protocol" / "SPEC.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
JOURNEY = (ROOT / "kernel" / "JOURNEY.md").read_text(encoding="utf-8")
STEP = re.compile(r"^\| \d+ \| `(?P<file>[^`]+)` `(?P<word>\w+)` \|", re.MULTILINE)
STEPS = [(match["file"], match["word"]) for match in STEP.finditer(JOURNEY)]


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Every long option of a command and of its subcommands."""
    found: set[str] = set()
    for action in parser._actions:
        found.update(word for word in action.option_strings if word.startswith("--") and word != "--help")
        if isinstance(action, argparse._SubParsersAction):
            for subcommand in action.choices.values():
                found |= options(subcommand)
    return found


def parser_of(command: str) -> argparse.ArgumentParser:
    parser = Parser(prog=command)
    import_module(f"tailrace_cli.{command.replace('-', '_')}").add_arguments(parser)
    return parser


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_on_the_page(command: str) -> None:
    part = SPEC[SPEC.index("# C. Command line") :]
    assert f"tailrace {command}" in part
    missing = {option for option in options(parser_of(command)) if option not in part}
    assert not missing


def test_the_probes_actions_are_on_the_page() -> None:
    [actions] = [action for action in parser_of("probe")._actions if isinstance(action, argparse._SubParsersAction)]
    part = SPEC[SPEC.index("# C. Command line") :]
    assert {action for action in actions.choices if f"`{action}" not in part} == set()
    assert len(actions.choices) == 12


def test_every_address_of_the_gateway_is_on_the_page(tmp_path: Path) -> None:
    config = Config(paths=(tmp_path,), port=1, token="t" * 20, state_dir=tmp_path, runtime_dir=tmp_path)
    routes = set(declared_routes(create_app(config)))
    asked = {(method, path) for method, path in routes if path.startswith(("/api/", "/metrics"))}
    closed = {(method, path) for method, path in asked if "/cells" in path or path.endswith("/db")}  # answered 405
    assert {f"{method} {path}" for method, path in asked - closed if f"`{method} {path}`" not in SPEC} == set()
    assert len(asked - closed) > 10


@pytest.mark.parametrize(("file", "word"), STEPS, ids=[f"{file}:{word}" for file, word in STEPS])
def test_every_step_of_the_journey_is_there(file: str, word: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"(def|async def|function|^ +)\s*{word}\(", source, re.MULTILINE), f"{file} has no {word}"


def test_the_journey_is_whole() -> None:
    assert len(STEPS) == len(re.findall(r"^\| \d+ \|", JOURNEY, re.MULTILINE))
    assert 20 <= len(STEPS) <= 30


@pytest.mark.parametrize("page", ["README.md", "gateway/THREATS.md", "CHANGELOG.md"])
def test_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    named = re.findall(r"`?\b((?:examples|gateway|kernel|protocol)/[\w./]+\.\w+)", text)
    assert {name for name in (*linked, *named) if not (ROOT / name).exists()} == set()
    assert linked or named


def test_the_readmes_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= targets
    assert set(re.findall(r"bin/tailrace ([a-z]+)", README)) <= set(COMMANDS)
