"""A table that a cell shows, as a file: CSV or an Arrow IPC stream. Knows HTTP and one question to the kernel.

The kernel gives bounded parts and keeps nothing between them, so a download of any size holds one part in memory
here and goes no faster than its reader.
"""

import logging
import re

from aiohttp import web

from tailrace_gateway.conversation import fields
from tailrace_gateway.notebook import Notebook
from tailrace_protocol.codec import decode_content
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import ExportTableReply, ExportTableRequest

log = logging.getLogger(__name__)

TYPES = {"csv": "text/csv; charset=utf-8", "arrow": "application/vnd.apache.arrow.stream"}
SUFFIXES = {"csv": "csv", "arrow": "arrows"}


async def download(request: web.Request, notebook: Notebook) -> web.StreamResponse:
    """Answer with the table. Raises TailraceError bad_field, no_such_output, kernel_dead … before the first byte; a
    download that fails later is cut off, so that nobody takes a part for the whole."""
    asked = _asked(request)
    reply, content = await _part(notebook, asked)
    response = web.StreamResponse(headers=_headers(notebook.name, asked, reply))
    await response.prepare(request)
    await response.write(content)
    try:
        while reply.next_row is not None:
            reply, content = await _part(notebook, _next(asked, reply))
            await response.write(content)
    except TailraceError as error:
        log.warning("a download of notebook %s stopped: %s", notebook.id, error.code)
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


def _asked(request: web.Request) -> ExportTableRequest:
    kind = request.query.get("format", "csv")
    output = request.match_info["output"]
    if kind not in TYPES:
        raise TailraceError(ErrorCode.BAD_FIELD, "Tables come as ?format=csv or ?format=arrow.")
    if not output.isascii() or not output.isdigit():
        raise TailraceError(ErrorCode.BAD_FIELD, "The output is a number, from 0.")
    return ExportTableRequest(
        cell_id=request.match_info["cell"],
        output=int(output),
        format="csv" if kind == "csv" else "arrow",
        token=request.query.get("token"),
    )


def _next(asked: ExportTableRequest, reply: ExportTableReply) -> ExportTableRequest:
    return ExportTableRequest(
        cell_id=asked.cell_id,
        output=asked.output,
        format=asked.format,
        row=reply.next_row or 0,
        token=reply.token,
    )


async def _part(notebook: Notebook, asked: ExportTableRequest) -> tuple[ExportTableReply, bytes]:
    reply = await notebook.question("export_table", asked)
    return decode_content(ExportTableReply, fields(reply)), b"".join(reply.get("buffers", ()))


def _headers(notebook: str, asked: ExportTableRequest, reply: ExportTableReply) -> dict[str, str]:
    """The file's name says when the table holds the first rows only."""
    part = "" if reply.complete else f"-first-{reply.rows}-rows"
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{notebook}-{asked.cell_id[:64]}{part}")
    return {
        "Content-Type": TYPES[asked.format],
        "Content-Disposition": f'attachment; filename="{name}.{SUFFIXES[asked.format]}"',
        "X-Tailrace-Rows": str(reply.rows),
        "X-Tailrace-Complete": str(reply.complete).lower(),
    }
