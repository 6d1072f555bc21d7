"""The IPython shell of the kernel: what is shown, how, and what a failure looks like.

Knows IPython's display and traceback machinery; must not know sockets, requests or the graph.
"""

import asyncio
import bdb
import logging
import sys
import traceback
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from ipykernel.compiler import XCachingCompiler
from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult
from traitlets import Type

from tailrace_kernel.interrupt import Interrupts
from tailrace_kernel.output_widget import OutputCapture
from tailrace_kernel.shown_tables import ShownTables
from tailrace_kernel.versions import an_eighth_of_memory
from tailrace_protocol.errors import TailraceError
from tailrace_protocol.objects import TABLE_MIME

log = logging.getLogger(__name__)

PLAIN_TYPES = frozenset({int, float, bool, complex, str, bytes})
MACHINERY = ("IPython.", "tailrace_kernel.", "ipykernel.")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


VEGA = "application/vnd.vega"


def _rename(mime: str, shown: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Altair 6 gives `….v6.json`, whose values no `.ipynb` may hold; `….v6+json` is what others gave always."""
    for part in shown:  # data and metadata
        if mime in part:
            part[f"{mime.removesuffix('.json')}+json"] = part.pop(mime)


class CellFormatter(DisplayFormatter):
    """Asks one formatter instead of twelve where the other eleven have nothing to say."""

    altair_ready = False

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        if type(obj) in PLAIN_TYPES and include is None and exclude is None and self._only_text(type(obj)):
            return {"text/plain": self.formatters["text/plain"](obj)}, {}
        shell: Any = self.parent
        if not self.altair_ready and type(obj).__module__.startswith("altair.") and shell.is_attached():
            self._prepare_altair()
        shown: tuple[dict[str, Any], dict[str, Any]] = super().format(obj, include, exclude)
        for mime in [mime for mime in shown[0] if mime.startswith(VEGA) and mime.endswith(".json")]:
            _rename(mime, shown)
        if include is None and "text/html" in shown[0]:
            self._add_table(obj, shown[0])
        return shown

    def _add_table(self, obj: Any, data: dict[str, Any]) -> None:
        """Beside the HTML of a DataFrame, a reference by which its rows are asked for."""
        shell: Any = self.parent
        cell_id = shell.parent_header.get("header", {}).get("cell_id")
        if cell_id is None or not shell.is_attached():
            return
        try:
            reference = shell.tables.reference(cell_id, obj)
        except Exception:  # a class of somebody's own, derived from DataFrame
            log.warning("a table of cell %s is shown without its rows", cell_id, exc_info=True)
            return
        if reference is not None:
            data[TABLE_MIME] = reference

    def _only_text(self, kind: type) -> bool:
        """Users and libraries may register formatters at any time, so this is asked each time (12 look-ups)."""
        others = [self.ipython_display_formatter, self.mimebundle_formatter]
        others += [formatter for mime, formatter in self.formatters.items() if mime != "text/plain"]
        return not any(kind in formatter.type_printers for formatter in others)

    def _prepare_altair(self) -> None:
        """Its default writes a page of HTML with scripts; the MIME type is what our clients draw themselves."""
        self.altair_ready = True
        renderers = sys.modules["altair"].renderers
        if renderers.active == "default":
            renderers.enable("mimetype")


class CellDisplayHook(ZMQShellDisplayHook):
    """`silenced` is decided when a cell is compiled; `keeps` says whether `_`, `Out` and the history take the value."""

    silenced: bool | None = None
    keeps = True
    count: int | None = None  # of the cell that runs, when it is not the shell's last one

    @property
    def prompt_count(self) -> int:
        return int(super().prompt_count) if self.count is None else self.count

    def quiet(self) -> bool:
        return bool(super().quiet()) if self.silenced is None else self.silenced

    def update_user_ns(self, result: Any) -> None:
        if self.keeps:
            super().update_user_ns(result)

    def log_output(self, format_dict: dict[str, Any]) -> None:
        if self.keeps:
            super().log_output(format_dict)


class CellCompiler(XCachingCompiler):
    """Names cells in tracebacks. File names are those that frontends compute for their breakpoints."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cells: dict[str, str] = {}  # file name → cell id

    def format_code_name(self, name: str) -> tuple[str, str] | None:
        if name in self.cells:
            return "Cell", self.cells[name]
        label: tuple[str, str] | None = super().format_code_name(name)
        return label


class TailraceShell(ZMQInteractiveShell):
    displayhook_class = Type(CellDisplayHook)
    displayhook: CellDisplayHook
    compile: CellCompiler
    interrupts: Interrupts | None = None
    tables: ShownTables
    output_capture: OutputCapture | None = None
    is_attached: Callable[[], bool] = staticmethod(lambda: False)  # whether a client of ours listens
    failed: ExecutionResult | None = None  # the last that IPython itself has given for a failure
    failures = 0  # counted, so that a run can tell whether the last one is its own

    def init_display_formatter(self) -> None:
        self.tables = ShownTables(an_eighth_of_memory)
        self.display_formatter = CellFormatter(parent=self)
        self.configurables.append(self.display_formatter)  # type: ignore[arg-type]

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **options: Any) -> None:
        self.failures += 1
        kind, error, frames = self._get_exc_info(exc_tuple)
        interrupted = self.interrupts is not None and self.interrupts.hit
        if interrupted and isinstance(error, asyncio.CancelledError):  # the reader pressed a key, and cancelled nothing
            kind, error = KeyboardInterrupt, KeyboardInterrupt().with_traceback(frames)
            exc_tuple = (kind, error, frames)
        if isinstance(error, KeyboardInterrupt):
            cut_handler(frames)
        if isinstance(error, BaseExceptionGroup):
            self._showtraceback(kind, error, format_group(error, frames))
            return
        super().showtraceback(exc_tuple, *args, **options)

    def _showtraceback(self, etype: type[BaseException], evalue: Any, stb: list[str]) -> None:
        capture = self.output_capture
        content = {"ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)}
        if capture is not None and capture.active and capture.error(self.displayhook.parent_header, content):
            return
        super()._showtraceback(etype, evalue, stb)

    def show_usage_error(self, exc: BaseException) -> None:
        """An error output, as of any other failure; IPython writes a line to stderr and the cell looks well."""
        self._showtraceback(type(exc), exc, [f"{type(exc).__name__}: {exc}"])

    def take_payloads(self) -> list[dict[str, Any]]:
        """What would go into an execute_reply beside the outputs: pages of help, wishes to exit."""
        manager = self.payload_manager
        if manager is None or not manager._payload:
            return []
        payloads: list[dict[str, Any]] = manager.read_payload()
        manager.clear_payload()
        return payloads

    def forget_failure(self) -> None:
        """Let go of the frames of the last failure, which `%debug` looks at, and of all they hold."""
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            vars(sys).pop(name, None)
        self.InteractiveTB.tb = None
        self.SyntaxTB.last_syntax_error = None
        if self.failed is not None:  # frames of IPython hold it as long as it holds them
            self.failed.error_in_exec = self.failed.error_before_exec = None
            self.failed = None

    def interrupted_result(self) -> ExecutionResult:
        """Of a cell that was stopped before IPython had a result to give."""
        result = ExecutionResult(ExecutionInfo("", False, False, True, None))
        result.error_in_exec = KeyboardInterrupt()
        return result

    def show_failure(self, error: BaseException) -> None:
        """The error output of a cell: what IPython's `run_code` does for each kind, with the user's frames only."""
        frames = user_frames(error.__traceback__)
        failure: ExcInfo = (type(error), error, frames)
        match error:
            case SystemExit():
                self.showtraceback(failure, exception_only=True)
            case bdb.BdbQuit():
                pass
            case SyntaxError():
                stack = traceback.extract_tb(frames)
                shown = self.SyntaxTB.structured_traceback(type(error), error, stack)  # type: ignore[arg-type]
                self._showtraceback(type(error), f"{error.msg} (line {error.lineno})", shown)
            case TailraceError() if frames is None:
                self._showtraceback(type(error), error, [f"{error.code.value}: {error.message}"])
            case _ if isinstance(error, self.custom_exceptions):
                self.CustomTB(*failure)
            case _ if frames is None:
                self._showtraceback(type(error), error, self.InteractiveTB.get_exception_only(type(error), error))
            case _:
                self.showtraceback(failure, tb_offset=0)


# By this name libraries (plotly, rich, …) know that they are in a notebook; subclasses they do not look for.
TailraceShell.__name__ = "ZMQInteractiveShell"


def format_group(error: BaseException, frames: TracebackType | None) -> list[str]:
    """An exception group as Python prints it; IPython prints it to stderr, where no client finds an error."""
    return traceback.format_exception(type(error), error, user_frames(frames))


def user_frames(frames: TracebackType | None) -> TracebackType | None:
    """The traceback without its leading frames of the machinery; whole when nothing else is in it."""
    first = frames
    while first is not None and _is_machinery(first.tb_frame):
        first = first.tb_next
    return first if first is not None else frames


def cut_handler(frames: TracebackType | None) -> None:
    """End the traceback of an interrupt where the user's code was: below are our signal handler and output path."""
    while frames is not None and frames.tb_next is not None:
        module = str(frames.tb_next.tb_frame.f_globals.get("__name__", ""))
        if module.startswith("tailrace_kernel.") and not _is_machinery(frames.tb_frame):
            frames.tb_next = None
        frames = frames.tb_next


def _is_machinery(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(MACHINERY)
