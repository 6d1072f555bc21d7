"""What a notebook's cells read and write and how they depend on each other, from their text alone.

Knows the pure rooms of the kernel; runs no user code and starts no process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager
from msgspec.structs import asdict as fields_of

from tailrace_gateway.records import StoredCell
from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import Analysis, Diagnostic
from tailrace_kernel.scheduler import Scheduler
from tailrace_kernel.sql_cell import analyze_sql_cell, is_sql_cell
from tailrace_kernel.stimuli import CellRegistered, CellsRegistered
from tailrace_protocol.kernel_messages import KernelDiagnostic, KernelEdge
from tailrace_protocol.objects import CellType


@dataclass(frozen=True, slots=True)
class OutlinedCell:
    """Names are sorted."""

    id: str
    type: CellType
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    code: str
    analysis: Analysis


@dataclass(frozen=True, slots=True)
class Outline:
    """Cells in document order, edges by reader and then by writer; a cycle names its cells in document order."""

    cells: tuple[OutlinedCell, ...]
    edges: tuple[KernelEdge, ...]
    cycles: tuple[tuple[str, ...], ...]


def outline(cells: Sequence[StoredCell]) -> Outline:
    """As a kernel would say after registering these cells: it asks the same machine, which runs nothing by itself."""
    transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    analyses = {cell.id: _analyse(cell, transform) for cell in cells}
    machine = Scheduler()
    machine.step(CellsRegistered(cells=tuple(_registered(cell, analyses[cell.id]) for cell in cells)))
    place = {cell.id: number for number, cell in enumerate(cells)}
    edges = sorted(machine.edges(), key=lambda edge: (place[edge.to], place[edge.from_]))
    cycles = sorted(sorted(cycle, key=place.__getitem__) for cycle in machine.cycles())
    outlined = []
    for cell, view in zip(cells, map(machine.cell, place), strict=True):
        facts = analyses[cell.id]
        found = (*facts.diagnostics, *map(_diagnostic, view.diagnostics))
        outlined.append(OutlinedCell(cell.id, view.cell_type, view.reads, view.writes, found, cell.code, facts))
    return Outline(tuple(outlined), tuple(edges), tuple(map(tuple, cycles)))


def _registered(cell: StoredCell, analysis: Analysis) -> CellRegistered:
    return CellRegistered(cell_id=cell.id, code=cell.code, analysis=analysis, cell_type=cell.type, mode=cell.mode)


def _diagnostic(said: KernelDiagnostic) -> Diagnostic:
    return Diagnostic(**{name: value for name, value in fields_of(said).items() if value is not None})


def _analyse(cell: StoredCell, transform: Callable[[str], str]) -> Analysis:
    match cell.type:
        case "markdown":
            return Analysis()
        case "sql":
            return analyze_sql_cell(cell.code).analysis
        case "python":
            if is_sql_cell(cell.code):
                return analyze_sql_cell(cell.code).analysis
            return analyze(cell.code, transform=transform)
