"""`tailrace kernel`: install the kernelspec; start, list and stop kernels that outlive the terminal.

Knows what a person types and reads; `kernel_daemon` knows the processes.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager

from tailrace_cli import kernel_daemon
from tailrace_cli.kernel_daemon import Daemon, Listen
from tailrace_cli.refusal import RefusedError

ARGUMENTS = ["-Xfrozen_modules=off", "-m", "tailrace_kernel", "-f", "{connection_file}"]
SPEC = {
    "argv": ["python", *ARGUMENTS],
    "display_name": "Tailrace",
    "language": "python",
    "interrupt_mode": "message",
    "kernel_protocol_version": "5.5",
    "metadata": {"debugger": True, "supported_encryption": ["curve"]},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(main=main)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    install = actions.add_parser("install", help="let Jupyter frontends find this kernel")
    install.add_argument("--name", default="tailrace", help="of the kernelspec (default: tailrace)")
    install.add_argument("--display-name", default=SPEC["display_name"], metavar="TEXT", help="what frontends show")
    where = install.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user (the default)")
    where.add_argument("--sys-prefix", action="store_true", help="into this Python environment")
    where.add_argument("--prefix", type=Path, metavar="FOLDER", help="below this folder: share/jupyter/kernels/…")

    start = actions.add_parser("start", help="start a kernel that outlives this terminal; prints its connection file")
    start.add_argument("--name", help="a name to stop it by (default: one is made)")
    start.add_argument("--tcp", action="store_true", help="listen on TCP ports instead of Unix sockets")
    start.add_argument("--ip", help="listen on TCP here (--tcp alone: 127.0.0.1); another than loopback needs --curve")
    start.add_argument("--curve", action="store_true", help="encrypt: only clients with the connection file are heard")
    start.add_argument("--cwd", type=Path, default=Path(), metavar="FOLDER", help="its working directory")
    start.add_argument("--json", action="store_true", help="print name, pid and connection file as JSON")

    listing = actions.add_parser("list", help="kernels that were started so and are alive")
    listing.add_argument("--json", action="store_true", help="print them as JSON")

    stop = actions.add_parser("stop", help="end kernels that were started so")
    stop.add_argument("names", nargs="*", metavar="NAME")
    stop.add_argument("--all", action="store_true", help="every one of them")


def main(chosen: argparse.Namespace) -> int:
    """One action. Raises RefusedError."""
    match chosen.action:
        case "install":
            print(_install(chosen))
        case "start":
            listen = Listen(chosen.ip or ("127.0.0.1" if chosen.tcp else None), chosen.curve)
            daemon = kernel_daemon.start(chosen.name, listen, chosen.cwd.resolve())
            print(json.dumps(_record(daemon)) if chosen.json else daemon.connection_file)
        case "list":
            _list(chosen.json)
        case _:
            _stop(chosen.names, every=chosen.all)
    return 0


def _install(chosen: argparse.Namespace) -> str:
    """The folder of the new kernelspec; it names this interpreter, because only here the kernel is installed."""
    spec = {**SPEC, "argv": [sys.executable, *ARGUMENTS], "display_name": chosen.display_name}
    prefix = sys.prefix if chosen.sys_prefix else None if chosen.prefix is None else str(chosen.prefix)
    with tempfile.TemporaryDirectory() as draft:
        Path(draft, "kernel.json").write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
        try:
            installed = KernelSpecManager().install_kernel_spec(
                draft, kernel_name=chosen.name, user=prefix is None, prefix=prefix
            )
        except ValueError as error:
            raise RefusedError(str(error)) from None
        except OSError as error:
            raise RefusedError(f"The kernelspec cannot be written to {error.filename}: {error.strerror}.") from None
    return str(installed)


def _record(daemon: Daemon) -> dict[str, object]:
    return {**asdict(daemon), "folder": str(daemon.folder), "connection_file": str(daemon.connection_file)}


def _list(as_json: bool) -> None:
    found = [(daemon, kernel_daemon.answers(daemon)) for daemon in kernel_daemon.running()]
    if as_json:
        print(json.dumps([{**_record(daemon), "answers": answers} for daemon, answers in found]))
        return
    for daemon, answers in found:
        state = "" if answers else "  does not answer"
        print(f"{daemon.name}  pid {daemon.pid}  {daemon.connection_file}{state}")
    if not found:
        print("No kernel is running that `tailrace kernel start` started.", file=sys.stderr)


def _stop(names: list[str], *, every: bool) -> None:
    alive = {daemon.name: daemon for daemon in kernel_daemon.running()}
    if bool(names) == every:
        raise RefusedError(f"Name the kernels to stop, or --all. There are: {', '.join(alive) or 'none'}.")
    if missing := [name for name in names if name not in alive]:
        raise RefusedError(f"There is no kernel {missing[0]!r}. There are: {', '.join(alive) or 'none'}.")
    for daemon in [alive[name] for name in names] or alive.values():
        kernel_daemon.stop(daemon)
        print(f"{daemon.name} has ended")
