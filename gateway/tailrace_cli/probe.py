"""`tailrace probe`: one request to a running kernel, its reply as JSON; `watch` prints events as they come.

Knows the requests of SPEC.md part A and how a person spells them; `probe_client` knows the sockets.
"""

import argparse
import json
import struct
import sys
from pathlib import Path
from typing import Any, get_args

from jupyter_core.paths import jupyter_runtime_dir

from tailrace_cli import probe_table
from tailrace_cli.database_url import database_url
from tailrace_cli.probe_client import ConnectionFile, Message, ProbeClient
from tailrace_cli.refusal import RefusedError
from tailrace_gateway.config import default_runtime_dir
from tailrace_protocol.errors import ErrorCode
from tailrace_protocol.objects import CellMode, CellType, RunMode

PLAIN = frozenset({"register", "remove", "plan", "db", "graph", "vars", "interrupt", "request"})
ANSWER_SECONDS = 10.0  # for requests that run no user code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_shared(parser)
    parser.set_defaults(main=main, existing=None, encoding="json")
    shared = argparse.ArgumentParser(add_help=False)
    _add_shared(shared)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    register = actions.add_parser("register", help="register a cell, or replace it", parents=[shared])
    register.add_argument("cell_id", metavar="CELL")
    register.add_argument("code", nargs="?", default="-", metavar="CODE", help="the code, or - to read it from stdin")
    register.add_argument("--type", dest="cell_type", choices=get_args(CellType), default="python")
    place = register.add_mutually_exclusive_group()
    place.add_argument("--after", metavar="CELL", help="place it below this cell")
    place.add_argument("--top", action="store_true", help="place it first")
    place.add_argument("--index", type=_not_negative, help="place it there, counting from 0")
    register.add_argument("--mode", choices=get_args(CellMode))
    register.add_argument("--connection", help="database connection of an SQL cell")
    register.add_argument("--result", help="name for the result of an SQL cell")

    remove = actions.add_parser("remove", help="remove a cell and its names; readers run again", parents=[shared])
    remove.add_argument("cell_id", metavar="CELL")
    remove.add_argument("--keep-dependents", action="store_true", help="do not run the readers")

    for name, summary in (("execute", "run cells and what depends on them"), ("plan", "what a run would do")):
        run = actions.add_parser(name, help=summary, parents=[shared])
        run.add_argument("cell_ids", nargs="*", metavar="CELL")
        run.add_argument("--mode", choices=get_args(RunMode), default="reactive")
        if name == "execute":
            run.add_argument("--no-wait", action="store_true", help="return when the run is accepted")
            run.add_argument("--events", action="store_true", help="print every IOPub message of the run, too")
            run.add_argument("--timeout", type=_seconds, help="give up waiting after so many seconds")

    db = actions.add_parser("db", help="put a database connection in force", parents=[shared])
    db.add_argument(
        "url", help="env:NAME, keyring:NAME, - (stdin), duckdb (the embedded one), or a URL without password"
    )
    db.add_argument("--name", default="default")
    db.add_argument("--read-only", action="store_true")
    db.add_argument("--connect-timeout", type=_seconds, default=8.0, metavar="SECONDS")

    actions.add_parser("graph", help="every cell with reads, writes, status; edges and cycles", parents=[shared])
    variables = actions.add_parser("vars", help="names of the namespace with types and previews", parents=[shared])
    variables.add_argument("names", nargs="*", metavar="NAME")

    watch = actions.add_parser("watch", help="print IOPub messages as JSON lines until interrupted", parents=[shared])
    watch.add_argument("--table", action="store_true", help="show a live table of cells instead")
    watch.add_argument("--idle", type=_seconds, metavar="SECONDS", help="stop after so many seconds without a message")

    replay = actions.add_parser("replay", help="print IOPub messages that were missed as JSON lines", parents=[shared])
    replay.add_argument("--since", type=_not_negative, default=0, metavar="SEQ", help="last number held (default 0)")
    replay.add_argument("--epoch", help="epoch of that number (default: the kernel's own)")
    replay.add_argument("--limit", type=_not_negative, default=1000)

    actions.add_parser("ping", help="is the kernel there?", parents=[shared])
    interrupt = actions.add_parser("interrupt", help="stop what runs", parents=[shared])
    interrupt.add_argument("run_id", nargs="?", metavar="RUN", help="only if this run is still on")
    request = actions.add_parser("request", help="any request of the kernel's control channel", parents=[shared])
    request.add_argument("kind", metavar="TYPE", help="its message type, such as reorder_cells_request")
    request.add_argument(
        "content", nargs="?", default="{}", metavar="JSON", help="an object, or - to read it from stdin"
    )


def _add_shared(parser: argparse.ArgumentParser) -> None:
    """Options that may stand before or after the action; an absent one must not hide what stood before it."""
    missing = argparse.SUPPRESS
    where = "connection file (default: the newest one)"
    parser.add_argument("--existing", type=Path, metavar="FILE", default=missing, help=where)
    encoding = parser.add_mutually_exclusive_group()
    for word, note in (("json", " (default)"), ("msgpack", "")):
        flag = encoding.add_argument(f"--{word}", dest="encoding", action="store_const", const=word, default=missing)
        flag.help = f"speak {word}{note}"


def main(chosen: argparse.Namespace) -> int:
    """One action. Returns 0, or 1 when a cell of the run failed. Raises RefusedError, with the kernel's sentence."""
    plain = _request(chosen) if chosen.action in PLAIN else None  # what is wrong with it is told before connecting
    connection = ConnectionFile.read(chosen.existing or newest_connection_file())
    with ProbeClient(connection, chosen.encoding) as client:
        seconds = client.ping(ANSWER_SECONDS)  # a file that outlived its kernel is told at once, not after a run
        if plain is not None:
            show(_answer(client.request(*plain, timeout=_patience(chosen))))
            return 0
        match chosen.action:
            case "ping":
                show({"alive": True, "seconds": round(seconds, 6)})
            case "watch":
                _watch(client, chosen)
            case "replay":
                _replay(client, chosen)
            case "execute":
                return _execute(client, chosen)
    return 0


def _request(chosen: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Type and content of an action that is one request and one reply."""
    match chosen.action:
        case "register":
            return "register_cell_request", _cell(chosen)
        case "remove":
            return "remove_cell_request", {"cell_id": chosen.cell_id, "run_dependents": not chosen.keep_dependents}
        case "plan":
            return "plan_request", {"cell_ids": chosen.cell_ids, "mode": chosen.mode}
        case "db":
            content = {"name": chosen.name, "url": database_url(chosen.url), "read_only": chosen.read_only}
            return "configure_db_request", content | {"connect_timeout": chosen.connect_timeout}
        case "vars":
            return "variables_request", {"names": chosen.names} if chosen.names else {}
        case "interrupt":
            return "interrupt_request", {"run_id": chosen.run_id} if chosen.run_id else {}
        case "request":
            return chosen.kind, _content(chosen.kind, chosen.content)
        case _:
            return f"{chosen.action}_request", {}


def _content(kind: str, text: str) -> dict[str, Any]:
    try:
        content = json.loads(sys.stdin.read() if text == "-" else text)
    except json.JSONDecodeError as error:
        raise RefusedError(f"The content of a request is an object in JSON; this is none: {error}.") from None
    if not isinstance(content, dict):
        raise RefusedError('The content of a request is an object in JSON, such as \'{"cell_ids": ["a"]}\'.')
    if kind == "configure_db_request" and isinstance(content.get("url"), str) and text != "-":
        content["url"] = database_url(content["url"])  # everybody can read what stands on a command line
    return content


def _cell(chosen: argparse.Namespace) -> dict[str, Any]:
    code = sys.stdin.read() if chosen.code == "-" else chosen.code
    cell = {"cell_id": chosen.cell_id, "cell_type": chosen.cell_type, "code": code}
    if chosen.top or chosen.after:
        cell["after_cell_id"] = chosen.after
    given = {name: getattr(chosen, name) for name in ("index", "mode", "connection", "result")}
    return cell | {name: value for name, value in given.items() if value is not None}


def _execute(client: ProbeClient, chosen: argparse.Namespace) -> int:
    content = {"cell_ids": chosen.cell_ids, "mode": chosen.mode, "wait": not chosen.no_wait}
    hear = None
    if chosen.events and not chosen.no_wait:
        client.wait_until_heard(ANSWER_SECONDS)
        client.request("attach_request", {"client": "probe"}, timeout=ANSWER_SECONDS)
        hear = _show_event
    reply = _answer(client.request("execute_cells_request", content, timeout=chosen.timeout, hear=hear))
    show(reply)
    return int(any(cell["status"] == "error" for cell in reply.get("executed", ())))


def _watch(client: ProbeClient, chosen: argparse.Namespace) -> None:
    client.wait_until_heard(ANSWER_SECONDS)
    _answer(client.request("attach_request", {"client": "probe"}, timeout=ANSWER_SECONDS))
    if chosen.table:
        graph = _answer(client.request("graph_request", {}, timeout=ANSWER_SECONDS))
        probe_table.follow(graph, client.events(chosen.idle))
        return
    for message in client.events(chosen.idle):
        _show_event(message)


def _replay(client: ProbeClient, chosen: argparse.Namespace) -> None:
    epoch = (
        chosen.epoch or _answer(client.request("attach_request", {"client": "probe"}, timeout=ANSWER_SECONDS))["epoch"]
    )
    content = {"epoch": epoch, "since": chosen.since, "limit": chosen.limit}
    reply = client.request("replay_request", content, timeout=ANSWER_SECONDS)
    said = _answer(reply)
    for message in joined_messages(client, b"".join(reply.buffers)):
        _show_event(message)
    if not said["complete"]:
        print(f"tailrace: Not everything after {chosen.since} is still held by the kernel.", file=sys.stderr)


def joined_messages(client: ProbeClient, buffer: bytes) -> list[Message]:
    """The messages of a replay: for each u32 count, u32 lengths, frames; little-endian (SPEC.md A3)."""
    messages, at = [], 0
    while at < len(buffer):
        (count,) = struct.unpack_from("<I", buffer, at)
        lengths = struct.unpack_from(f"<{count}I", buffer, at + 4)
        at += 4 * (count + 1)
        frames = []
        for length in lengths:
            frames.append(buffer[at : at + length])
            at += length
        messages.append(client.decode(frames))
    return messages


def _answer(reply: Message) -> dict[str, Any]:
    """The content of a good reply; a refusal of the kernel becomes ours."""
    content = reply.content
    if content.get("status") != "ok":
        code, sentence = content.get("ename", ErrorCode.INTERNAL.value), content.get("evalue", "no reason given")
        raise RefusedError(f"The kernel refused ({code}): {sentence}")
    return {name: value for name, value in content.items() if name != "status"}


def _show_event(message: Message) -> None:
    line = {"type": message.type, **message.metadata.get("tailrace", {}), "content": message.content}
    print(json.dumps(line, ensure_ascii=False), flush=True)


def show(answer: Any) -> None:
    print(json.dumps(answer, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def newest_connection_file() -> Path:
    """The newest connection file of a gateway's kernels and of Jupyter's. Raises RefusedError when there is none."""
    found = [*Path(jupyter_runtime_dir()).glob("kernel-*.json"), *default_runtime_dir().glob("*/connection.json")]
    files = sorted(found, key=lambda file: file.stat().st_mtime)
    if not files:
        raise RefusedError(
            "No running kernel was found: start one with `tailrace kernel start`, or give --existing FILE."
        )
    print(f"tailrace: taking {files[-1]}", file=sys.stderr)
    return files[-1]


def _patience(chosen: argparse.Namespace) -> float | None:
    """Seconds to wait: readers that a removal runs again take their time, a database its connect timeout."""
    match chosen.action:
        case "remove" | "request":
            return None
        case "db":
            return float(chosen.connect_timeout) + ANSWER_SECONDS
        case _:
            return ANSWER_SECONDS


def _not_negative(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds between 0 and 86400")
    return seconds
