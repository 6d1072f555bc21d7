"""A notebook as one HTML page to read or print: no script runs in it and it loads nothing. Pure; knows cells, outputs.

HTML that a cell made stands in a frame that may do nothing; everything else is escaped text or a picture of its own.
"""

import base64
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt

from tailrace_gateway.ipynb_outputs import Blob
from tailrace_gateway.markdown_text import plain
from tailrace_gateway.records import StoredCell
from tailrace_protocol.objects import DisplayOutput, ErrorOutput, Output, ResultOutput, StreamOutput

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
CHART = re.compile(r"application/vnd\.(vega(lite)?|plotly)\.")
ROW = 30  # px of a table's row, for the height of a frame
TALLEST = 600  # px
STYLE = """
:root { color-scheme: light dark; --line: #cfcbc1; --soft: #6b7280; --sunken: #f2f1ed; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --line: #3b434f; --soft: #a3abb8; --sunken: #1a1e25; --bad: #ff9d94; } }
body { font: 15px/1.6 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
pre { font: 13px/1.5 ui-monospace, monospace; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
section { margin: 1rem 0; break-inside: avoid; }
.code { background: var(--sunken); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; }
.kind { color: var(--soft); font-size: 12px; }
.out { padding: .5rem .9rem; }
.bad { color: var(--bad); }
img { max-width: 100%; }
iframe { width: 100%; border: 0; background: white; color-scheme: light; }
table { border-collapse: collapse; } th, td { border: 1px solid var(--line); padding: .2rem .6rem; }
"""


def write_page(
    name: str, cells: Sequence[StoredCell], outputs: Mapping[str, tuple[Output, ...]], blob: Blob | None
) -> str:
    """The whole page. `blob` gives MIME values that are kept outside."""
    body = "\n".join(_section(cell, outputs.get(cell.id, ()), blob) for cell in cells)
    title = html.escape(name)
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n'
        f"<main>\n{body}\n</main>\n</html>\n"
    )


def _section(cell: StoredCell, outputs: Sequence[Output], blob: Blob | None) -> str:
    if cell.type == "markdown":
        return f"<section>{MarkdownIt('commonmark', {'html': False}).enable('table').render(cell.code)}</section>"
    shown = "".join(f'<div class="out">{part}</div>' for output in outputs for part in _output(output, blob))
    kind = "SQL" if cell.type == "sql" else "Python"
    code = f'<div class="code"><span class="kind">{kind}</span><pre>{html.escape(cell.code)}</pre></div>'
    return f"<section>{code}{shown}</section>"


def _output(output: Output, blob: Blob | None) -> Iterator[str]:
    match output:
        case ErrorOutput():
            yield f'<pre class="bad">{html.escape(plain(output))}</pre>'
        case StreamOutput():
            yield f"<pre>{html.escape(plain(output))}</pre>"
        case DisplayOutput(data=data) | ResultOutput(data=data):
            yield _bundle({mime: _inline(value, blob) for mime, value in data.items()}, plain(output))


def _inline(value: Any, blob: Blob | None) -> Any:
    kept = isinstance(value, dict) and "$url" in value
    return blob(value["$url"]) if kept and blob is not None else value


def _bundle(data: Mapping[str, Any], fallback: str) -> str:
    for mime in PICTURES:
        if isinstance(data.get(mime), str):
            packed = "".join(data[mime].split())
            return f'<img src="data:{mime};base64,{html.escape(packed)}" alt="{html.escape(fallback.strip())}">'
    if isinstance(data.get("image/svg+xml"), str):
        packed = base64.b64encode(data["image/svg+xml"].encode()).decode()
        return f'<img src="data:image/svg+xml;base64,{packed}" alt="{html.escape(fallback.strip())}">'
    if isinstance(data.get("text/markdown"), str):
        return str(MarkdownIt("commonmark", {"html": False}).render(data["text/markdown"]))
    if isinstance(data.get("text/html"), str):
        made = data["text/html"]
        height = min(TALLEST, max(60, ROW * (made.count("<tr") + 1)))
        return f'<iframe sandbox="" title="Output" style="height: {height}px" srcdoc="{html.escape(made)}"></iframe>'
    if any(CHART.match(mime) for mime in data):
        return '<p class="kind">A chart that the notebook\'s page draws; no script runs in this copy.</p>'
    return f"<pre>{html.escape(fallback)}</pre>"
