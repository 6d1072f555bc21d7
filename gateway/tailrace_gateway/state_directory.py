"""Where the gateway keeps what is not in the notebook's file: one private folder per notebook."""

import os
from pathlib import Path

from platformdirs import user_state_dir

VARIABLE = "TAILRACE_STATE_DIR"


def state_directory() -> Path:
    """The user's state directory of Tailrace; the environment variable TAILRACE_STATE_DIR overrides it."""
    return Path(os.environ.get(VARIABLE) or user_state_dir("tailrace"))


def notebook_directory(notebook_id: str, root: Path | None = None) -> Path:
    """The folder of one notebook. It need not exist; see `private_folder`."""
    return (root or state_directory()) / "notebooks" / notebook_id


def private_folder(path: Path) -> Path:
    """Make this folder, readable by its owner only."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path
