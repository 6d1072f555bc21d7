"""`%tailrace mutations`: a warning under each cell that changed what it only seemed to read.

Listens to IPython's own events around a cell, so it costs nothing while it is off.
"""

import sys
from typing import Any

from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult

from tailrace_kernel.conductor import Conductor
from tailrace_kernel.mutations import Watch
from tailrace_kernel.shell import TailraceShell


class MutationNotes:
    def __init__(self, shell: TailraceShell, conductor: Conductor) -> None:
        self._shell = shell
        self._conductor = conductor
        self._listens = False
        self._owners: dict[str, str] = {}
        self._watch: Watch | None = None

    def listen(self, *, on: bool) -> None:
        """From the next cell on."""
        if on == self._listens:
            return
        self._listens = on
        events = self._shell.events
        change = events.register if on else events.unregister
        change("pre_run_cell", self._before)
        change("post_run_cell", self._after)

    def _before(self, info: ExecutionInfo) -> None:
        self._watch = None
        if info.cell_id is None:
            return
        with self._conductor.lock:
            owners = self._conductor.scheduler.silent_reads(info.cell_id)
        names = self._shell.user_ns
        self._owners = owners
        self._watch = Watch({name: names[name] for name in owners if name in names}, self._changed(info.cell_id))

    def _after(self, result: ExecutionResult) -> None:
        watch, self._watch = self._watch, None
        if watch is None or result.info is None or result.info.cell_id is None:
            return
        cell_id = result.info.cell_id
        for name in watch.changed(self._changed(cell_id)):
            sys.stderr.write(warning(cell_id, name, self._owners[name]))

    def _changed(self, cell_id: str) -> list[Any]:
        with self._conductor.lock:
            known = self._conductor.scheduler.changes(cell_id)
        return [self._shell.user_ns[name] for name in known if name in self._shell.user_ns]


def warning(cell_id: str, name: str, owner: str) -> str:
    return (
        f"Cell {cell_id} changed {name}, which cell {owner} made, and its text does not show it: "
        f"cells that read {name} do not follow. "
        f"Make the change in cell {owner}, or assign {name} in cell {cell_id}.\n"
    )
