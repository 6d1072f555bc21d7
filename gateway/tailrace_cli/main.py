"""The command `tailrace`: which subcommands there are, and what their ends mean as exit codes.

Knows argparse and the subcommands' `add_parser` and `main`; loads the one that is used, so that `tailrace graph`
does not wait for a web server.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import NoReturn

from tailrace_cli.refusal import RefusedError
from tailrace_protocol.errors import TailraceError

COMMANDS = {
    "serve": "open notebooks in the browser: gateway and page",
    "run": "run a notebook without a browser",
    "graph": "show which cell reads what from which; runs nothing",
    "check": "report what is wrong with notebooks; runs nothing",
    "kernel": "install the kernel; start, list and stop ones that outlive the terminal",
    "probe": "speak to a running kernel over ZeroMQ",
    "replay-trace": "do again what the clients of a trace did, and compare what they hear",
    "bench": "run the benchmarks, beside peers where they are installed",
}
DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


class Parser(argparse.ArgumentParser):
    """argparse, with one sentence instead of a page of usage when the arguments are wrong."""

    def error(self, message: str) -> NoReturn:
        sentence = message[:1].upper() + message[1:]
        self.exit(REFUSED, f"tailrace: {sentence.rstrip('.')}. Try `{self.prog} --help`.\n")


class Version(argparse.Action):
    """Looks the version up only when it is asked for: reading package metadata is slow."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(f"tailrace {metadata.version('tailrace')}")
        parser.exit(DONE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0 done, 1 a cell failed or a check found an error, 2 refused, 130 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        chosen = _parser(words).parse_args(words)
        logging.basicConfig(level=chosen.log_level, format="%(levelname)s %(name)s: %(message)s")
        return int(chosen.main(chosen))
    except RefusedError as refused:
        return _say(str(refused), REFUSED)
    except TailraceError as error:
        return _say(error.message, REFUSED)
    except SystemExit as end:  # argparse has said its sentence
        return end.code if isinstance(end.code, int) else REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`); nothing may be written to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _parser(words: Sequence[str]) -> Parser:
    parser = Parser(
        prog="tailrace", description="Reactive notebooks: change a cell, and everything downstream follows."
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print the version and exit")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    parser.add_argument("--log-level", choices=levels, default="WARNING", type=str.upper, help="default: WARNING")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    named = next((word for word in words if word in COMMANDS), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.")
        if name == named:
            import_module(f"tailrace_cli.{name.replace('-', '_')}").add_arguments(command)
    return parser


def _say(sentence: str, code: int) -> int:
    print(f"tailrace: {sentence}", file=sys.stderr)
    return code
