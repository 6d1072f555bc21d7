"""The page about events: `python -m tests.gateway.events_page` writes gateway/EVENTS.md.

Every type has its fields from the struct, its sentence from the glossary and one frame as it goes over the wire: events
from the golden logs, which both folds are held to, and control frames encoded here.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tailrace_gateway.state import open_state, snapshot
from tailrace_protocol import events as ev
from tailrace_protocol import glossary
from tailrace_protocol.codec import encode_json
from tailrace_protocol.spec import fields_of
from tests.gateway import golden

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "gateway" / "EVENTS.md"
CLIENT = ROOT / "examples" / "ws_client.js"
HEAD = """\
# Events of a notebook

Everything that happens in a notebook is an event, and every client gets the same events in the same order. An event is
one JSON object: `type`, `seq` (from 1, without gaps within one `epoch`), `ts` (seconds, for display), `notebookId`, the
`cause` (client and id of the command, if one caused it), now and then the document's `hash`, and its own fields. What
a client must do with each is said in [SPEC.md](../protocol/SPEC.md), "Fold rules".

This page is generated from the structs and from the logs in `protocol/golden`: `python -m tests.gateway.events_page`.
"""
CONTROL_HEAD = """\
## Control frames

They are not numbered and go to one client only.
"""
FOLLOW = """\
## Following a notebook in forty lines

`examples/ws_client.js` reconnects, resumes where it was, and sends again what had no answer:
"""


def render() -> str:
    return "\n".join([HEAD, *_topics(), CONTROL_HEAD, *_controls(), FOLLOW, _block("js", CLIENT.read_text())])


def _topics() -> Iterator[str]:
    examples = event_examples()
    for topic in dict.fromkeys(ev.TOPICS.values()):
        yield f"## Topic `{topic}`\n"
        for struct in ev.EVENTS:
            name = ev.type_name(struct)
            if ev.TOPICS[name] == topic:
                hidden = frozenset(ev.Event.__struct_encode_fields__)
                yield _entry(name, glossary.EVENTS[name], fields_of(struct, hidden), examples[name])


def _controls() -> Iterator[str]:
    examples = {frame["type"]: frame for frame in map(wire, controls())}
    for struct in ev.CONTROLS:
        name = ev.type_name(struct)
        yield _entry(name, glossary.CONTROLS[name], fields_of(struct), examples[name])


def event_examples() -> dict[str, dict[str, Any]]:
    """One frame of each type; the one that says most."""
    found: dict[str, dict[str, Any]] = {}
    for name in golden.names():
        for frame in json.loads(golden.path_of(name).read_text(encoding="utf-8"))["events"]:
            if len(frame) > len(found.get(frame["type"], {})):
                found[frame["type"]] = frame
    return found


def controls() -> Iterator[ev.Control]:
    """One of each control frame."""
    yield ev.Ack(id="c1", revision=7, seq=112, result={"cellId": "d4", "index": 1})
    yield ev.Error(
        id="c2",
        code="unknown_cell",
        message="There is no cell 'zz' in this notebook. Somebody may have deleted it; reload to see the cells.",
        details={"cellId": "zz"},
    )
    yield ev.Pong(id="c3", server_time=1_700_000_000.0)
    yield ev.Position(seq=112)
    yield ev.Resync(reason="slow")
    yield ev.Conflict(cell_id="a1", yours="x = 'ann'", theirs="x = 'bob'", base="x = 5", version=3)
    yield snapshot(open_state(golden.NOTEBOOK, golden.stored()[:1]), epoch=golden.EPOCH, seq=112)


def wire(frame: ev.Control) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(encode_json(frame))
    return decoded


def _entry(name: str, meaning: str, fields: str, example: dict[str, Any]) -> str:
    fields = fields.replace("\\|", "|")
    return f"### `{name}`\n\n{meaning}\n\n{fields}\n\n{_block('json', json.dumps(example, ensure_ascii=False))}"


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
