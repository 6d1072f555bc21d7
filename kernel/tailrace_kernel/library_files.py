"""JavaScript that Python packages bring along for their own outputs, found without importing them."""

import importlib.metadata
import importlib.util
from pathlib import Path

from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import LibraryFileReply

FILES = {"plotly": "package_data/plotly.min.js"}  # package → file in it


def library_file(package: str) -> tuple[LibraryFileReply, list[bytes]]:
    """The file of a package in FILES. Raises TailraceError not_supported when it is not installed."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder, FILES[package])
        if path.is_file():
            return LibraryFileReply(version=importlib.metadata.version(package)), [path.read_bytes()]
    message = f"The kernel's environment has no {package} with {FILES[package]}: run `pip install {package}` there."
    raise TailraceError(ErrorCode.NOT_SUPPORTED, message)
