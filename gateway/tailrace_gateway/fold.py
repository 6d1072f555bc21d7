"""The one place where events change the state of a notebook; the page folds the same events the same way.

Source of the rules: SPEC.md B0, "Fold rules". Golden logs in protocol/golden hold both folds to them.
"""

from tailrace_gateway.state import NotebookState
from tailrace_protocol.events import Event


def fold(state: NotebookState, event: Event) -> None:
    """Change `state` by one event. An event about a cell that is not there changes nothing."""
    raise NotImplementedError
