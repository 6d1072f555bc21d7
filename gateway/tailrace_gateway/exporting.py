"""A notebook as a file to take away. Pure; knows formats, no files."""

from collections.abc import Mapping, Sequence

from tailrace_gateway.ipynb import IpynbText, write_ipynb
from tailrace_gateway.ipynb_outputs import Blob
from tailrace_gateway.markdown_text import write_markdown
from tailrace_gateway.page_text import write_page
from tailrace_gateway.percent import PercentText, write_percent
from tailrace_gateway.records import StoredCell
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import Output, Settings


def export(
    kind: str,
    name: str,
    cells: Sequence[StoredCell],
    outputs: Mapping[str, tuple[Output, ...]],
    settings: Settings,
    blob: Blob | None,
) -> tuple[bytes, str]:
    """Bytes and content type. Raises TailraceError not_supported for a format it does not know."""
    match kind:
        case "ipynb":
            text = write_ipynb(cells, IpynbText(), outputs=outputs, settings=settings, blob=blob)
            return text.encode(), "application/x-ipynb+json"
        case "py":
            return write_percent(cells, PercentText()).encode(), "text/x-python"
        case "md":
            return write_markdown(cells, outputs).encode(), "text/markdown"
        case "html":
            return write_page(name, cells, outputs, blob).encode(), "text/html"
        case _:
            message = f"Export as {kind!r} is not supported: ask for ?format=ipynb, py, md or html."
            raise TailraceError(ErrorCode.NOT_SUPPORTED, message)
