"""gateway/EVENTS.md is what the structs and the golden logs say, and its client is short."""

import json
import re

from tailrace_protocol.events import CONTROLS, EVENTS, type_name
from tests.gateway import events_page


def test_the_page_is_current() -> None:
    text = events_page.PAGE.read_text(encoding="utf-8")
    assert text == events_page.render(), "run python -m tests.gateway.events_page and look at the difference"


def test_every_type_has_an_example_of_its_own() -> None:
    text = events_page.PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"### `(\S+)`\n.*?```json\n(.*?)\n```", text, re.DOTALL)
    assert [name for name, _ in shown if json.loads(dict(shown)[name])["type"] != name] == []
    types = {type_name(struct) for struct in EVENTS} | {type_name(struct) for struct in CONTROLS}
    assert {name for name, _ in shown} == types


def test_the_client_that_reconnects_and_resumes_is_short() -> None:
    lines = events_page.CLIENT.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40
    assert any("since" in line for line in lines)
