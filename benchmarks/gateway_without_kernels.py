"""`python -m benchmarks.gateway_without_kernels PORT BASE TOKEN`: our gateway, whose kernels answer at once.

For what has nothing to do with kernels and would start one for each of 64 notebooks.
"""

import logging
import sys
from pathlib import Path

from aiohttp import web

from tailrace_gateway.app import create_app
from tailrace_gateway.config import Config
from tests.gateway.fakes import FakeKernels


def main(port: str, base: str, token: str) -> None:
    logging.basicConfig(level=logging.WARNING)
    folder = Path(base)
    config = Config(
        paths=(folder / "served",),
        port=int(port),
        token=token,
        keep_kernels=False,
        state_dir=folder / "state",
        runtime_dir=folder / "run",
    )
    app = create_app(config, kernels=FakeKernels())
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
