"""Runs one compiled cell in the user's namespace, as IPython would have, without its per-cell costs.

Knows the shell, interrupts and threads for SQL; must not know requests, the graph or sockets. What stays from
IPython's `run_cell`: the display hook, `;`, events before and after, its exceptions and tracebacks, top-level await.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult
from IPython.display import publish_display_data
from msgspec import Struct

from tailrace_kernel.catalogue import PythonCell
from tailrace_kernel.interrupt import Interrupts
from tailrace_kernel.queries import Queries
from tailrace_kernel.shell import TailraceShell
from tailrace_kernel.sql_cell import SqlCell
from tailrace_kernel.stimuli import Outcome


@dataclass(frozen=True, slots=True)
class Failure:
    """What an `execute_reply` says of a failed cell; texts only, so that no frame stays alive."""

    ename: str
    evalue: str
    traceback: list[str]


class Ended(Struct, frozen=True):
    """Made for every cell of a cascade, hence no dataclass."""

    outcome: Outcome
    seconds: float
    execution_count: int | None
    failure: Failure | None = None


class Runner:
    """One cell at a time, on the main thread, awaited directly in the task that dispatches."""

    def __init__(
        self,
        shell: TailraceShell,
        interrupts: Interrupts,
        queries: Queries,
        set_parent: Callable[[dict[str, Any]], None],
    ) -> None:
        self._shell = shell
        self._payloads = shell.payload_manager
        self._set_parent = set_parent
        self._interrupts = interrupts
        self._queries = queries
        self.begin_early = queries.begin_early
        self.drop_early = queries.early.drop
        interrupts.guards(self._run_plain)
        interrupts.guards(self._run_awaiting)

    @contextmanager
    def cascade(self) -> Iterator[None]:
        """What IPython sets up per cell and we once per cascade. Frames of a failure before it go when it ends."""
        shell = self._shell
        hook = shell.displayhook
        failures = shell.failures
        with shell.builtin_trap, shell.display_trap:
            hook.keeps = False
            try:
                yield
            finally:
                hook.keeps = True
                hook.count = None
                hook.silenced = None
                hook.exec_result = None
                if shell.failures == failures > 0:
                    shell.failures = 0
                    shell.forget_failure()

    async def run(self, cell_id: str, payload: PythonCell | SqlCell | None, parent: dict[str, Any]) -> Ended:
        """`parent`: a message dict whose header names the cell; `execution_count` in it is its number, if it has one.

        Never raises for a failing cell: that is an outcome.
        """
        if payload is None:
            self._queries.forget(cell_id)
            return Ended("success", 0.0, None)
        count, result = self._begin(cell_id, payload, parent)
        started = time.perf_counter()
        error = await self._run(cell_id, payload)
        ended = self._end(cell_id, payload, count, result, error, time.perf_counter() - started)
        self._show_payloads(parent)
        return ended

    def run_at_once(self, cell_id: str, payload: PythonCell, parent: dict[str, Any]) -> Ended:
        """As `run`, for a cell of which `is_immediate` is true: nothing in it can be awaited."""
        count, result = self._begin(cell_id, payload, parent)
        started = time.perf_counter()
        self._name(cell_id, payload)
        # No local name for the error: this frame is in its traceback, and each would keep the other.
        ended = self._end(cell_id, payload, count, result, self._run_plain(payload), time.perf_counter() - started)
        self._show_payloads(parent)
        return ended

    def _show_payloads(self, parent: dict[str, Any]) -> None:
        """An execute_request takes them in its reply; whoever asked otherwise gets them as outputs of the cell."""
        payloads = self._payloads
        if payloads is None or not payloads._payload or parent["header"].get("msg_type") == "execute_request":
            return
        for payload in self._shell.take_payloads():
            match payload.get("source"):
                case "page":
                    publish_display_data(payload["data"])
                case "ask_exit":
                    print("exit() was called: this kernel ends now.", file=sys.stderr)

    def _begin(
        self, cell_id: str, payload: PythonCell | SqlCell, parent: dict[str, Any]
    ) -> tuple[int, ExecutionResult | None]:
        """The result is for those who listen and for a value; most cells of a cascade have neither."""
        shell = self._shell
        self._set_parent(parent)
        if cell_id in shell.tables.cells:
            shell.tables.forget(cell_id)
        if cell_id in self._queries.holds and isinstance(payload, PythonCell):
            self._queries.forget(cell_id)
        count = parent.get("execution_count") or self._next_count()
        hook, events = shell.displayhook, shell.events
        callbacks = events.callbacks
        hook.count = count
        result = None
        if callbacks["pre_run_cell"] or callbacks["post_run_cell"] or shows(payload):
            result = result_of(cell_id, payload, count)
        if hook.exec_result is not result:
            hook.exec_result = result
        events.trigger("pre_execute")
        if result is not None:
            events.trigger("pre_run_cell", result.info)
        return count, result

    def _end(
        self,
        cell_id: str,
        payload: PythonCell | SqlCell,
        count: int,
        result: ExecutionResult | None,
        error: BaseException | None,
        seconds: float,
    ) -> Ended:
        shell = self._shell
        failure = None
        if error is not None:
            shell._last_traceback = None
            shell.show_failure(error)
            failure = Failure(type(error).__name__, str(error), list(shell._last_traceback or ()))
        events = shell.events
        callbacks = events.callbacks
        if callbacks["post_execute"]:
            events.trigger("post_execute")
        if callbacks["post_run_cell"]:
            result = result or result_of(cell_id, payload, count)  # the cell itself may have begun to listen
            result.error_in_exec = error
            events.trigger("post_run_cell", result)
        if error is None:
            return Ended("success", seconds, count)
        return Ended("interrupted" if isinstance(error, KeyboardInterrupt) else "error", seconds, count, failure)

    def _name(self, cell_id: str, payload: PythonCell) -> None:
        self._shell.compile.cells[payload.filename] = cell_id
        self._shell.displayhook.silenced = payload.silent

    def _next_count(self) -> int:
        """Past traitlets: to check and announce a number takes longer than a small cell, and nobody observes it."""
        values = self._shell._trait_values
        count: int = values["execution_count"]
        values["execution_count"] = count + 1
        return count

    async def _run(self, cell_id: str, payload: PythonCell | SqlCell) -> BaseException | None:
        if isinstance(payload, SqlCell):
            return await self._run_query(cell_id, payload)
        self._name(cell_id, payload)
        if payload.code is None:
            return self._syntax_error(payload)
        if payload.code.is_async:
            return await self._run_awaiting(payload)
        return self._run_plain(payload)

    def _run_plain(self, cell: PythonCell) -> BaseException | None:
        assert cell.code is not None
        interrupts, names, variables = self._interrupts, self._shell.user_global_ns, self._shell.user_ns
        try:
            interrupts.armed = True
            if interrupts.hit:  # since the cell was chosen, and before it could be stopped
                raise KeyboardInterrupt
            if cell.code.body is not None:
                exec(cell.code.body, names, variables)  # noqa: S102
            if cell.code.last is not None:
                sys.displayhook(eval(cell.code.last, names, variables))  # noqa: S307
        except BaseException as error:
            interrupts.armed = False
            return error
        interrupts.armed = False
        return None

    async def _run_awaiting(self, cell: PythonCell) -> BaseException | None:
        """Awaited directly: a task of its own would let a KeyboardInterrupt out into the loop."""
        assert cell.code is not None
        interrupts, names, variables = self._interrupts, self._shell.user_global_ns, self._shell.user_ns
        try:
            interrupts.armed = True
            if interrupts.hit:  # since the cell was chosen, and before it could be stopped
                raise KeyboardInterrupt
            if cell.code.body is not None:
                pending = eval(cell.code.body, names, variables)  # noqa: S307
                if asyncio.iscoroutine(pending):
                    await pending
            if cell.code.last is not None:
                value = eval(cell.code.last, names, variables)  # noqa: S307
                if asyncio.iscoroutine(value) and _is_coroutine_code(cell.code.last):
                    value = await value
                sys.displayhook(value)
        except asyncio.CancelledError as error:
            interrupts.armed = False
            if interrupts.took_cancel():
                return KeyboardInterrupt().with_traceback(error.__traceback__)
            return error
        except BaseException as error:
            interrupts.armed = False
            return error
        interrupts.armed = False
        return None

    async def _run_query(self, cell_id: str, cell: SqlCell) -> BaseException | None:
        """Frames of the worker thread tell a user nothing, so the error comes without them."""
        interrupts = self._interrupts
        self._shell.displayhook.silenced = False
        try:
            interrupts.armed = True
            if interrupts.hit:
                raise asyncio.CancelledError
            shown = await self._queries.run(cell_id, cell)
            interrupts.armed = False
            sys.displayhook(shown)
        except asyncio.CancelledError as error:
            interrupts.armed = False
            return KeyboardInterrupt("the statement was interrupted") if interrupts.took_cancel() else error
        except Exception as error:
            interrupts.armed = False
            return error.with_traceback(None)
        return None

    def _syntax_error(self, cell: PythonCell) -> BaseException | None:
        """The error that the compiler has about this source, as an error output of its own cell."""
        try:
            source = self._shell.transform_cell(cell.source)
            compile(source, cell.filename, "exec", flags=self._shell.compile.flags)
        except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError) as error:
            return error.with_traceback(None)
        return SyntaxError("this cell cannot be compiled")


def is_immediate(payload: Any) -> bool:
    """Whether the cell runs from its first line to its last without giving way to the loop."""
    return type(payload) is PythonCell and payload.code is not None and not payload.code.is_async


def shows(cell: PythonCell | SqlCell) -> bool:
    """Whether the display hook will be given a value."""
    return not isinstance(cell, PythonCell) or (cell.code is not None and cell.code.last is not None)


def result_of(cell_id: str, cell: PythonCell | SqlCell, count: int) -> ExecutionResult:
    """What IPython's `run_cell` would return, as far as it is known before the cell runs."""
    source = cell.source if isinstance(cell, PythonCell) else cell.statement
    result = ExecutionResult(ExecutionInfo(source, False, False, True, cell_id, transformed_cell=source))
    result.execution_count = count
    return result


def _is_coroutine_code(code: Any) -> bool:
    return bool(code.co_flags & 0x80)  # CO_COROUTINE
