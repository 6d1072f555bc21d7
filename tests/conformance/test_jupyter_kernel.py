"""Others' tests and clients of a Jupyter kernel, against our kernelspec as it is installed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import jupyter_kernel_test as jkt
import pytest
from jupyter_client.manager import start_new_kernel

Samples = list[Any]
KERNELSPEC = Path(__file__).parents[2] / "kernel" / "kernelspec"


@pytest.fixture(scope="module", autouse=True)
def kernelspec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The kernelspec of the wheel, found as `tailrace` before any that is installed."""
    root = tmp_path_factory.mktemp("jupyter")
    shutil.copytree(KERNELSPEC, root / "kernels" / "tailrace")
    ours = {"JUPYTER_PATH": str(root), "IPYTHONDIR": str(root / "ipython")}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


class TestWelcome(jkt.IopubWelcomeTests):  # type: ignore[misc]
    kernel_name = "tailrace"
    support_iopub_welcome = True


class TestKernel(jkt.KernelTests):  # type: ignore[misc]
    kernel_name = "tailrace"
    language_name = "python"
    file_extension = ".py"

    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result: ClassVar[Samples] = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data: ClassVar[Samples] = [
        {"code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))", "mime": "text/html"},
        {"code": "from IPython.display import Math, display; display(Math('\\\\frac{1}{2}'))", "mime": "text/latex"},
    ]
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    completion_samples: ClassVar[Samples] = [{"text": "zi", "matches": {"zip"}}]
    complete_code_samples: ClassVar[Samples] = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n"]
    incomplete_code_samples: ClassVar[Samples] = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples: ClassVar[Samples] = ["import = 7q"]


def test_a_stock_client_starts_runs_and_ends_the_kernel() -> None:
    manager, client = start_new_kernel(kernel_name="tailrace")
    try:
        texts: list[str] = []

        def hook(message: dict[str, object]) -> None:
            content = message["content"]
            assert isinstance(content, dict)
            if message["msg_type"] == "stream":
                texts.append(content["text"])

        reply = client.execute_interactive("total = 20 + 1\nprint('total', total)", timeout=10, output_hook=hook)
        assert reply["content"]["status"] == "ok"
        assert "".join(texts) == "total 21\n"
        failed = client.execute_interactive("total / 0", timeout=10, output_hook=hook)
        assert (failed["content"]["status"], failed["content"]["ename"]) == ("error", "ZeroDivisionError")
        assert manager.is_alive()
    finally:
        client.stop_channels()
        manager.shutdown_kernel()
    assert not manager.is_alive()
