"""The built page's files, and what is shown when it is not built. Knows a folder and headers, no notebooks."""

from pathlib import Path

from aiohttp import web

from tailrace_protocol.errors import ErrorCode, TailraceError

STATIC = Path(__file__).parent / "static"
FRAME_CSP = (
    "sandbox allow-scripts allow-popups allow-forms; default-src 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tailrace</title></head>
<body><h1>The page is not built</h1>
<p>The gateway runs, but its page is not there yet. Run <code>make web</code> in the project, then reload.</p>
</body></html>
"""
FOREVER = "public, max-age=31536000, immutable"  # names of built assets carry their hash


def shell(folder: Path) -> web.StreamResponse:
    """The one HTML page of all addresses of the page; it holds no secret."""
    path = folder / "index.html"
    if path.is_file():
        return web.FileResponse(path)
    return web.Response(text=NOT_BUILT, content_type="text/html", status=503)


def frame_page(folder: Path) -> web.StreamResponse:
    """Where HTML with scripts is shown: an opaque origin that can reach neither the page nor this gateway."""
    return inside(folder, "frame.html", {"Content-Security-Policy": FRAME_CSP})


def inside(folder: Path, name: str, headers: dict[str, str]) -> web.StreamResponse:
    """A file below `folder`. Raises TailraceError not_found, also for names that lead out of it."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise TailraceError(ErrorCode.NOT_FOUND, "There is nothing at this address.")
    return web.FileResponse(path, headers=headers)
