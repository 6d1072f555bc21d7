"""An output that is too large is replaced by one that says so; everything else stays as it is."""

import json

import pytest

from tailrace_kernel.oversize import shortened
from tailrace_protocol.limits import MAX_OUTPUT

LARGE = "x" * MAX_OUTPUT


def short(kind: str, content: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = json.loads(shortened(json.dumps({"msg_type": kind}).encode(), _packed(content)))
    return found


def _packed(content: dict[str, object]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


@pytest.mark.parametrize("kind", ["display_data", "execute_result", "update_display_data"])
def test_a_bundle_keeps_its_place(kind: str) -> None:
    content = {"data": {"text/plain": LARGE}, "metadata": {}, "transient": {"display_id": "d"}, "execution_count": 3}
    found = short(kind, content)
    assert found["transient"] == {"display_id": "d"}
    assert found["execution_count"] == 3
    assert f"{len(_packed(content)):,} bytes left out" in str(found["data"])


def test_text_and_errors_keep_their_names() -> None:
    assert short("stream", {"name": "stderr", "text": LARGE})["name"] == "stderr"
    assert short("stream", {"name": "stdout", "text": LARGE})["name"] == "stdout"
    assert short("error", {"ename": "ValueError", "evalue": LARGE, "traceback": []})["ename"] == "ValueError"


def test_what_fits_and_what_is_no_output_stays() -> None:
    fits: dict[str, object] = {"data": {"text/plain": "x"}, "metadata": {}}
    assert short("display_data", fits) == fits
    message: dict[str, object] = {"comm_id": "c", "data": {"value": LARGE}}
    assert short("comm_msg", message) == message
