"""`tailrace serve`: the gateway and its page, one link to open, until Ctrl-C.

Knows the terminal, the browser of this machine and the ready file; the gateway itself is `tailrace_gateway.server`.
"""

import argparse
import asyncio
import contextlib
import errno
import json
import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path

from tailrace_cli.refusal import RefusedError
from tailrace_gateway.config import LOOPBACK, TOKEN_VARIABLE, Config, environment_token
from tailrace_gateway.server import Ready, serve

PORT = 8421  # when it is free; people bookmark an address
TEXT_BROWSERS = frozenset({"www-browser", "links", "elinks", "lynx", "w3m"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="folders and notebooks (default: this folder)"
    )
    parser.add_argument("--port", type=int, help=f"default: {PORT}, or another when that is taken; 0 takes a free one")
    parser.add_argument("--host", default=LOOPBACK, help=f"only {LOOPBACK}")
    parser.add_argument("--no-browser", action="store_true", help="print the link and open nothing")
    parser.add_argument("--keep-kernels", action="store_true", help="leave kernels running when the gateway stops")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="write url, port and pid there once it is up")
    parser.add_argument("--trace", type=Path, metavar="FILE", help="write every frame there; secrets are masked")
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    paths = tuple(chosen.paths) or (Path(),)
    for path in paths:
        if not path.exists():
            raise RefusedError(f"There is no file or folder {path} to serve.")
    token = environment_token(os.environ)
    os.environ.pop(TOKEN_VARIABLE, None)  # no child of ours may read it

    def config(port: int) -> Config:
        return Config(
            paths=paths,
            host=chosen.host,
            port=port,
            token=token,
            keep_kernels=chosen.keep_kernels,
            trace=chosen.trace,
        )

    with tempfile.TemporaryDirectory(prefix="tailrace-") as private:
        announce = Announcement(paths, chosen.ready_file, None if chosen.no_browser else Path(private))
        try:
            _serve(config, chosen.port, announce)
        except ValueError as error:
            raise RefusedError(str(error)) from None
    return 0


def _serve(config: Callable[[int], Config], port: int | None, announce: "Announcement") -> None:
    try:
        asyncio.run(serve(config(PORT if port is None else port), announce))
    except OSError as error:
        if error.errno != errno.EADDRINUSE or announce.made:
            raise RefusedError(f"The gateway cannot start: {error.strerror or error}.") from None
        if port is not None:
            raise RefusedError(
                f"Port {port} is taken: choose another with --port, or --port 0 for a free one."
            ) from None
        asyncio.run(serve(config(0), announce))


class Announcement:
    """Called once the gateway accepts connections: says so on stdout, in the ready file and in a browser.

    `private` is a folder that only this user can read, or None when no browser is to be opened.
    """

    def __init__(self, paths: tuple[Path, ...], ready_file: Path | None, private: Path | None) -> None:
        self._paths = paths
        self._ready_file = ready_file
        self._private = private
        self.made = False

    def __call__(self, ready: Ready) -> None:
        self.made = True
        link = ready.fresh_login_url()
        print(f"Tailrace serves {', '.join(map(str, self._paths))}. Open this link, once, within 5 minutes:")
        print(f"\n    {link}\n\nCtrl-C stops it.", flush=True)
        if sys.stdin is not None and sys.stdin.isatty():
            print("Enter prints a new link.", flush=True)
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _print_link, ready)
        if self._ready_file is not None:
            write_ready_file(self._ready_file, ready)
        if self._private is not None and has_screen(os.environ):
            # Arguments of a process can be read by everybody, so the browser gets a private file that leads on.
            with contextlib.suppress(webbrowser.Error):
                webbrowser.open(
                    stepping_stone(self._private, link if self._ready_file is None else ready.fresh_login_url())
                )


def _print_link(ready: Ready) -> None:
    if sys.stdin.readline():
        print(ready.fresh_login_url(), flush=True)
    else:  # the terminal is gone
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


def write_ready_file(path: Path, ready: Ready) -> None:
    """Whole or not at all: who waits for the file reads it the moment it appears."""
    draft = path.with_name(f".{path.name}.{ready.pid}")
    draft.write_text(json.dumps({"url": ready.url, "port": ready.port, "pid": ready.pid}), encoding="utf-8")
    draft.replace(path)


def stepping_stone(folder: Path, link: str) -> str:
    """URL of a page, readable by this user only, that leads to `link`."""
    page = folder / "open.html"
    page.touch(mode=0o600)
    page.write_text(f'<!doctype html><meta http-equiv="refresh" content="0;url={link}">', encoding="utf-8")
    return page.resolve().as_uri()


def has_screen(environment: "os._Environ[str] | dict[str, str]") -> bool:
    """Whether a graphical browser can be opened: a text browser would take over the terminal."""
    if sys.platform.startswith("linux") and not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        return False
    try:
        return getattr(webbrowser.get(), "name", "") not in TEXT_BROWSERS
    except webbrowser.Error:
        return False
