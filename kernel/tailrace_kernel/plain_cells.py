"""A cell that an execute_request runs by itself, as IPython runs it: history, `_`, one transform, interrupts.

Knows the shell and interrupts; must not know requests, sockets or the graph.
"""

import asyncio
import sys
from typing import Any

from tailrace_kernel.catalogue import ends_silently
from tailrace_kernel.interrupt import Interrupts
from tailrace_kernel.runner import Failure
from tailrace_kernel.shell import TailraceShell


class PlainCells:
    def __init__(self, shell: TailraceShell, interrupts: Interrupts) -> None:
        self._shell = shell
        self._interrupts = interrupts
        interrupts.guards(PlainCells._await)

    async def run(self, code: str, silent: bool, store_history: bool, cell_id: str | None) -> Failure | None:
        """IPython's own way for one cell, with one transform, and events as it fires them."""
        shell = self._shell
        shell._last_traceback = None
        shell._last_traceback_during_displayhook = False
        failed = None
        try:
            transformed = shell.transform_cell(code)
        except Exception:
            transformed, failed = code, sys.exc_info()
        shell.displayhook.silenced = failed is None and ends_silently(transformed)
        pending = shell.run_cell_async(
            code,
            store_history=store_history,
            silent=silent,
            transformed_cell=transformed,
            preprocessing_exc_tuple=failed,
            cell_id=cell_id,
        )
        result = None
        try:
            result = await self._await(pending)
        finally:
            shell.displayhook.silenced = None
            shell.events.trigger("post_execute")
            if not silent:
                shell.events.trigger("post_run_cell", result)
        error = result.error_before_exec or result.error_in_exec
        if error is None and not shell._last_traceback_during_displayhook:
            return None
        if self._interrupts.hit and isinstance(error, asyncio.CancelledError):
            error = KeyboardInterrupt()
        shell.failed = result
        return Failure(type(error).__name__, str(error), list(shell._last_traceback or ()))

    async def _await(self, pending: Any) -> Any:
        """Catches what an interrupt raises in a cell: a KeyboardInterrupt must not leave the task."""
        interrupts = self._interrupts
        try:
            interrupts.armed = True
            if interrupts.hit:
                pending.close()
                raise KeyboardInterrupt
            result = await pending
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            interrupts.armed = False
            if isinstance(error, asyncio.CancelledError) and not interrupts.took_cancel():
                raise
            self._shell.showtraceback((KeyboardInterrupt, KeyboardInterrupt(), error.__traceback__))
            result = self._shell.interrupted_result()
        interrupts.armed = False
        interrupts.took_cancel()
        return result
