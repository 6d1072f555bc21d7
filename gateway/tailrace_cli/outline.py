"""What a notebook's cells read and write and how they depend on each other, from their text alone.

Knows the pure rooms of the kernel; runs no user code and starts no process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager

from tailrace_gateway.records import StoredCell
from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import Analysis, Diagnostic
from tailrace_kernel.graph import Graph
from tailrace_kernel.reach import reach
from tailrace_kernel.sql_cell import analyze_sql_cell, is_sql_cell
from tailrace_protocol.kernel_messages import KernelEdge
from tailrace_protocol.objects import CellType


@dataclass(frozen=True, slots=True)
class OutlinedCell:
    """Names are sorted."""

    id: str
    type: CellType
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """Cells in document order, edges by reader and then by writer; a cycle names its cells in document order."""

    cells: tuple[OutlinedCell, ...]
    edges: tuple[KernelEdge, ...]
    cycles: tuple[tuple[str, ...], ...]


def outline(cells: Sequence[StoredCell]) -> Outline:
    transform = TransformerManager().transform_cell  # type: ignore[no-untyped-call]
    analyses = {cell.id: _analyse(cell, transform) for cell in cells}
    graph = Graph()
    graph.put([(cell_id, reach(analysis)) for cell_id, analysis in analyses.items()])
    outlined = tuple(
        OutlinedCell(cell.id, cell.type, _sorted(facts.reads), _sorted(facts.writes), facts.diagnostics)
        for cell, facts in ((cell, analyses[cell.id]) for cell in cells)
    )
    place = {cell.id: number for number, cell in enumerate(cells)}
    edges = sorted(graph.edges(), key=lambda edge: (place[edge.to], place[edge.from_]))
    cycles = sorted(sorted(cycle, key=place.__getitem__) for cycle in graph.cycles)
    return Outline(outlined, tuple(edges), tuple(map(tuple, cycles)))


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


def _sorted(names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
