"""The page's types are what the structs say: a change of a message must change the generated file."""

from pathlib import Path

from tailrace_protocol.typescript import typescript

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "gateway" / "web" / "src" / "protocol.ts"


def test_generated_types_are_current() -> None:
    assert GENERATED.read_text() == typescript(), "run `make types`"


def test_types_say_what_is_optional() -> None:
    text = typescript()
    assert "  afterCellId: string | null;" in text  # move_cell: null moves to the top, absence is an error
    assert "  afterCellId?: string | null;" in text  # create_cell
    assert "  seq: number;" in text
    assert '  type: "cell_stdout";' in text
