"""The SQL tests on the other supported major of DuckDB, in an environment of its own.

The environment is a real one with that duckdb installed; everything else comes from the environment of the tests.
"""

import os
import re
import site
import subprocess
import sys
import venv
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
OTHER = "duckdb>=1.5,<2"
INSTALL, RUN = 240, 540  # seconds
SUITES = ("tests/kernel/test_kernel_sql.py", "tests/kernel/test_pages.py", "tests/kernel/test_early.py")
PASSED = re.compile(r"(?P<count>\d+) passed")


def environment_with(requirement: str, folder: Path) -> Path:
    """Its Python."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    own = Path(subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip())
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", own, requirement],
        check=True,
        timeout=INSTALL,
    )
    lines = [f"import site; site.addsitedir({folder!r})\n" for folder in site.getsitepackages()]
    (own / "of_the_tests.pth").write_text("".join(lines))
    return python


def test_sql_on_duckdb_1(tmp_path: Path) -> None:
    assert duckdb.__version__.startswith("2."), "the ordinary tests run on the other major"
    python = environment_with(OTHER, tmp_path / "environment")
    asked = "import duckdb, sqlalchemy; print(duckdb.__version__)"
    version = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    assert version.startswith("1."), version
    suites = [*sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/kernel/test_sql_*.py")), *SUITES]
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *suites],
        cwd=ROOT,
        env={**os.environ, "TAILRACE_TEST_SESSION": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN,
        check=False,
    )
    print(done.stdout[-4000:])
    assert done.returncode == 0
    passed = PASSED.search(done.stdout)
    assert passed is not None
    assert int(passed["count"]) > 200
    print(f"tests on duckdb {version.replace('.', '-')} = {passed['count']}")
