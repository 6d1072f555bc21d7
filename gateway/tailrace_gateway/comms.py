"""A widget's message between a client and the kernel's comms. Knows both spellings; holds the ids of the last messages.

Nothing of it is journalled: a comm lives and dies with its kernel, and a slider sends many messages a second. A client
that comes later asks the kernel itself: the comm target `jupyter.widget.control` answers `request_states` with all.
"""

from collections import OrderedDict

from tailrace_gateway.execution import Execution
from tailrace_gateway.kernel_port import Told
from tailrace_protocol.commands import Comm
from tailrace_protocol.events import Cause

REMEMBERED = 1_000  # messages: as many as clients may leave unacknowledged


class Comms:
    """Hands each message to the kernel once, however often a client that reconnects sends it."""

    def __init__(self, execution: Execution):
        self._execution = execution
        self._sent: OrderedDict[tuple[str, str], None] = OrderedDict()

    def send(self, client_id: str, command: Comm) -> None:
        """Raises TailraceError kernel_starting or kernel_dead; then the message may be sent again."""
        key = (client_id, command.id)
        if key in self._sent:
            return
        self._execution.tell(to_kernel(command), Cause(client=client_id, id=command.id))
        self._sent[key] = None
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)


def to_kernel(command: Comm) -> Told:
    """Jupyter messaging 5.4, "Custom Messages": comm_open names its target, the others their comm alone."""
    content = {"comm_id": command.comm_id, "data": command.data}
    if command.phase == "open":
        content["target_name"] = command.target_name or ""
    return Told(f"comm_{command.phase}", content, command.metadata or {}, command.buffers, command.cell_id)
