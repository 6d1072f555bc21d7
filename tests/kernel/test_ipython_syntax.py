"""IPython's syntax as Python, compared with IPython's own transformer on written and on random cells."""

import random

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from tailrace_kernel.ipython_syntax import to_python

CELLS = [
    "%matplotlib inline\nx = 1",
    "!ls -l {d}",
    "!!ls",
    "x = !ls",
    "x = %time f(1)",
    "a, b = !ls",
    "x['k'] = !ls",
    "%%time\nx = 1\n\ny = 2",
    "%%bash\nls\n",
    "%%bash --out q",
    "%%time?",
    "df?",
    "df??",
    "df.head?",
    "x[0].y?",
    "?df",
    "??df",
    "%time?",
    "np.*load*?",
    "?",
    "if x:\n    !ls\n    %time y\nz = 1",
    "!ls \\\n  -l\nx = 1",
    "x = !ls \\\n  -l\ny = 2",
    "s = '''\n!ls\n%time\n'''",
    "f(a,\n  b)\n%time x",
    "x = (1 +\n%time\n)",
    "# !ls\n!ls  # not a comment",
    "x = 5 % y\nz = a %b",
    "x == 1\n%time f(x=1)",
    ">>> x = 1\n>>> y = 2",
    ">>> for i in a:\n...     b\n",
    "In [1]: x = 1\n   ...: y = 2",
    "    x = 1\n    %time y",
    ",f a b",
    ";f a b",
    "/f a b",
    "x = '%time'\ny = \"!ls\"",
    "d = {'a': 1}\n!echo {d['a']}",
    "def f():\n    '''doc\n    !no\n    '''\n    !yes",
    "x = f'{a}' ; y = 1\n%time",
    "r'\\' + '!ls'\n!ls",
    "x = \\\n  1\n!ls",
    "assert a != b\n!ls",
    "x: int = !ls",
    "x += 1\n%time x += 1",
]


def ipython(cell: str) -> str:
    return TransformerManager().transform_cell(cell)  # type: ignore[no-untyped-call]


def joined(code: str) -> str:
    """Empty lines aside: ours stand where a command spanned lines, so that line numbers stay."""
    return "\n".join(line.rstrip() for line in code.splitlines() if line.strip())


@pytest.mark.parametrize("cell", CELLS)
def test_as_ipython_does_it(cell: str) -> None:
    assert joined(to_python(cell)) == joined(ipython(cell))


PIECES = [
    "x = 1", "!ls", "%time f(x)", "y = !ls {x}", "z = %time 1", "df?", "'''\n!no\n'''", "if x:\n    !ls",
    "f(a,\n  '!no')", "# ! comment", "s = '!no'", "a = b % c", "!echo '?'", "x = [\n 1,\n # !no\n]",
    "%cd \\\n  a b", "for i in x:\n    y = %who\n    z = 1", "d['k'] = 1", "", "print(\"it's\")", "!echo \"",
    "x != y", "x = y = 1",
]  # fmt: skip


def test_random_cells_as_ipython_does_them() -> None:
    commands = 0
    for seed in range(600):
        rng = random.Random(seed)
        cell = "\n".join(rng.choices(PIECES, k=rng.randint(1, 6)))
        ours = to_python(cell)
        assert joined(ours) == joined(ipython(cell)), f"seed {seed}\n{cell}"
        commands += "get_ipython" in ours
    assert commands > 300


def test_line_numbers_stay() -> None:
    assert to_python("!ls \\\n -l\nx").splitlines()[2] == "x"
    assert to_python("x = !ls \\\n -l\ny").splitlines()[2] == "y"


def test_plain_python_is_left_alone() -> None:
    for code in ("x = 1\n", "", "\n\n", "# only\n", "def f():\n    return 1\n"):
        assert to_python(code) == code
