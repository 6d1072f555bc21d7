"""The line magic `%tailrace`: how plain Jupyter mode behaves, and what the graph looks like from inside a notebook.

Knows plain mode and the conductor; must not know sockets.
"""

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class

from tailrace_kernel.conductor import Conductor
from tailrace_kernel.mutation_notes import MutationNotes
from tailrace_kernel.plain_mode import PlainMode
from tailrace_kernel.shell import TailraceShell

USAGE = "%tailrace on | off | lazy | graph | why CELL | mutations [on | off]"


@magics_class
class TailraceMagics(Magics):
    def __init__(self, shell: TailraceShell, plain_mode: PlainMode, conductor: Conductor) -> None:
        super().__init__(shell)
        self._plain_mode = plain_mode
        self._conductor = conductor
        self._mutations = MutationNotes(shell, conductor)

    @line_magic
    def tailrace(self, line: str) -> None:
        """`on`: running a cell runs its readers. `lazy`: it marks them. `off`: an ordinary kernel. `graph`: the edges.
        `why CELL`: the last statuses of a cell and their reasons. `mutations`: warn of changes that no table knows."""
        match line.split():
            case ["on" | "off" | "lazy" as mode]:
                self._plain_mode.mode = mode
                print(f"tailrace is {mode}")
            case [] | ["graph"]:
                self._print_graph()
            case ["why", cell_id]:
                self._print_story(cell_id)
            case ["mutations"] | ["mutations", "on" | "off"] as words:
                self._mutations.listen(on=words[-1] != "off")
                print(f"tailrace {'warns' if words[-1] != 'off' else 'does not warn'} of changes it cannot follow")
            case _:
                raise UsageError(USAGE)

    def _print_graph(self) -> None:
        with self._conductor.lock:
            edges = self._conductor.scheduler.edges()
            views = [self._conductor.scheduler.cell(cell_id) for cell_id in self._conductor.scheduler.order()]
        for view in views:
            print(f"{view.cell_id}  {view.status}")
        for edge in edges:
            print(f"{edge.from_} -> {edge.to}  {', '.join(edge.names)}")

    def _print_story(self, cell_id: str) -> None:
        with self._conductor.lock:
            story = self._conductor.scheduler.story(cell_id)
        for change in story:
            reason = change.reason
            words = [reason.code, *(reason.names or ()), *(reason.from_cells or ())] if reason else []
            print(change.status, *words)
