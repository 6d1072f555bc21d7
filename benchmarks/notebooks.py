"""The notebooks that are measured: cells by id, in order."""

Cells = dict[str, str]

ROOT = "c0"


def chain(size: int, tail: str = "") -> Cells:
    """Each cell reads the one above; `tail` is added to each, `NAME` in it is the name that the cell writes."""
    cells = {ROOT: "x0 = 0"}
    for number in range(1, size):
        cells[f"c{number}"] = f"x{number} = x{number - 1} + 1"
    return {cell: code + tail.replace("NAME", f"x{number}") for number, (cell, code) in enumerate(cells.items())}


def fan_out(size: int, tail: str = "") -> Cells:
    """All cells read the first."""
    cells = {ROOT: "x0 = 0"} | {f"c{number}": f"x{number} = x0 + {number}" for number in range(1, size)}
    return {cell: code + tail.replace("NAME", f"x{number}") for number, (cell, code) in enumerate(cells.items())}


def last_of(cells: Cells) -> str:
    return next(reversed(cells))


PRINT = "\nprint(NAME)"
SHAPES = {"chain": chain, "fan-out": fan_out}
