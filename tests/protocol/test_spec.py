"""SPEC.md says what the structs say, and every word of the wire has its sentence."""

from pathlib import Path
from typing import get_args

import pytest

from tailrace_protocol import commands, events, glossary, kernel_messages, spec
from tailrace_protocol.errors import ErrorCode

TEXT = spec.SPEC.read_text(encoding="utf-8")


def test_every_table_is_up_to_date() -> None:
    assert spec.render(TEXT) == TEXT, "run `make types`"
    assert spec.main(["--check"]) == 0


def test_an_outdated_table_is_noticed_and_written_again(tmp_path: Path) -> None:
    outdated = tmp_path / "SPEC.md"
    outdated.write_text(TEXT.replace("`cell_update`", "`cell_updated_once`"), encoding="utf-8")
    assert spec.main([str(outdated), "--check"]) == 1
    assert spec.main([str(outdated)]) == 0
    assert outdated.read_text(encoding="utf-8") == TEXT


def test_every_table_has_its_place_exactly_once() -> None:
    placed = [block["name"] for block in spec.BLOCK.finditer(TEXT)]
    assert sorted(placed) == sorted(spec.TABLES)


def test_an_unknown_marker_is_refused() -> None:
    with pytest.raises(KeyError, match="weather"):
        spec.render("<!-- generated: weather -->\n<!-- end: weather -->")


GLOSSARIES: dict[str, tuple[set[str], set[str]]] = {
    "commands": (set(commands.COMMANDS), set(glossary.COMMANDS)),
    "events": ({events.type_name(event) for event in events.EVENTS}, set(glossary.EVENTS)),
    "controls": ({events.type_name(frame) for frame in events.CONTROLS}, set(glossary.CONTROLS)),
    "requests": (set(kernel_messages.REQUESTS), set(glossary.REQUESTS)),
    "iopub": (set(kernel_messages.IOPUB), set(glossary.IOPUB)),
    "errors": (set(ErrorCode), set(glossary.ERRORS)),
}


@pytest.mark.parametrize(("words", "explained"), GLOSSARIES.values(), ids=list(GLOSSARIES))
def test_every_word_has_its_sentence_and_no_sentence_is_orphaned(words: set[str], explained: set[str]) -> None:
    assert words == explained
    assert len(words) > 5


def test_every_word_stands_in_the_page() -> None:
    for words, _ in GLOSSARIES.values():
        missing = {word for word in words if f"`{word}`" not in TEXT}
        assert not missing


def test_every_event_has_a_topic() -> None:
    assert set(events.TOPICS) == {events.type_name(event) for event in events.EVENTS}
    assert set(events.TOPICS.values()) == set(get_args(commands.Topic))


def test_every_command_belongs_to_one_family() -> None:
    """Document, kernel and query commands are told apart by type: none may be forgotten or counted twice."""
    families = (commands.DocumentCommand, commands.KernelCommand, commands.Query)
    members = [struct for family in families for struct in get_args(family)]
    assert sorted(struct.__name__ for struct in (*members, commands.Attach)) == sorted(
        struct.__name__ for struct in commands.COMMANDS.values()
    )


@pytest.mark.parametrize("text", [*glossary.COMMANDS.values(), *glossary.EVENTS.values(), *glossary.ERRORS.values()])
def test_an_explanation_is_short_and_ends(text: str) -> None:
    assert len(text) < 240
    assert text.rstrip(")").endswith(".") or text.endswith(")")
