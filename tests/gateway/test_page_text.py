"""An exported page holds everything to read, and nothing in it can run or load."""

from html.parser import HTMLParser

from tailrace_gateway.page_text import write_page
from tailrace_gateway.records import StoredCell
from tailrace_protocol.objects import ErrorOutput, Output, ResultOutput, StreamOutput

HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'


class Seen(HTMLParser):
    """Tags with their attributes, and the text outside them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_code_text_and_outputs_stay_text_or_in_a_frame_that_may_do_nothing() -> None:
    cells = [
        StoredCell(id="a", type="markdown", code=f"# Title\n\n{HOSTILE}\n\n[bad](javascript:alert(3))"),
        StoredCell(id="b", type="python", code=HOSTILE),
    ]
    outputs: dict[str, tuple[Output, ...]] = {
        "b": (
            StreamOutput(index=0, stream="stdout", text=HOSTILE),
            ResultOutput(index=1, data={"text/html": HOSTILE, "text/plain": "x"}, metadata={}),
            ErrorOutput(index=2, ename="E", evalue=HOSTILE, traceback=()),
            ResultOutput(index=3, data={"image/svg+xml": f"<svg>{HOSTILE}</svg>", "text/plain": "s"}, metadata={}),
        )
    }
    seen = Seen(write_page(HOSTILE, cells, outputs, None))
    assert "Title" in seen.text
    assert seen.text.count("alert(1)") == 5  # title, text cell, code, stream, error: all to be read
    tags = [tag for tag, _ in seen.tags]
    assert "script" not in tags
    assert not any(name.startswith("on") for _, found in seen.tags for name in found)
    assert not any((found.get("href") or "").startswith("javascript:") for _, found in seen.tags)
    [frame] = [found for tag, found in seen.tags if tag == "iframe"]
    assert frame["sandbox"] == ""
    assert frame["srcdoc"] == HOSTILE
    assert all((found["src"] or "").startswith("data:image/") for tag, found in seen.tags if tag == "img")
    assert any("default-src 'none'" in (found.get("content") or "") for tag, found in seen.tags if tag == "meta")


def test_large_values_come_from_where_they_are_kept() -> None:
    kept = {"$url": "/blobs/1", "bytes": 4}
    cell = StoredCell(id="a", type="python", code="x")
    outputs: dict[str, tuple[Output, ...]] = {
        "a": (ResultOutput(index=0, data={"image/png": kept, "text/plain": "picture"}, metadata={}),)
    }
    asked: list[str] = []

    def blob(url: str) -> str:
        asked.append(url)
        return "QUJD"

    assert 'src="data:image/png;base64,QUJD"' in write_page("n", [cell], outputs, blob)
    assert asked == ["/blobs/1"]
    assert "<pre>picture" in write_page("n", [cell], outputs, None)


def test_a_chart_that_needs_scripts_is_named_instead_of_its_advice() -> None:
    cell = StoredCell(id="a", type="python", code="chart")
    data = {"application/vnd.vegalite.v6+json": {}, "text/plain": "<VegaLite> if you see this message …"}
    outputs: dict[str, tuple[Output, ...]] = {"a": (ResultOutput(index=0, data=data, metadata={}),)}
    page = write_page("n", [cell], outputs, None)
    assert "A chart that the notebook" in page
    assert "if you see this" not in page
