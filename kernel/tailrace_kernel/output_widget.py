"""What is printed and shown under `with Output():` goes into that widget's state, where every client finds it.

Jupyter's front ends do this themselves, each for itself, by the parent of each message. Clients of the gateway fold
one stream of events, and one that comes late asks the kernel for the states of widgets; so the kernel does it, once a
client of ours has attached. Knows ipywidgets by its messages, and the widget's trait `outputs`; no cells.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ipykernel.comm.comm import BaseComm

MODEL = "OutputModel"
MAX_TEXT = 2**20  # characters of stdout and stderr that one widget keeps
EVERY = 0.05  # seconds between two states with more text
PATIENCE = 10  # times the cost of the last state that the next one waits

Header = dict[str, Any]


@dataclass(slots=True)
class _Target:
    comm_id: str
    header: Header  # of the message whose outputs are meant
    pending: list[tuple[str, str]] = field(default_factory=list)  # stream, text
    due: float = 0.0  # monotonic seconds


class OutputCapture:
    """`active` is looked at for every piece of text: False costs nothing more."""

    def __init__(self, shell: Any, is_attached: Callable[[], bool]) -> None:
        self.active = False
        self._shell = shell
        self._is_attached = is_attached
        self._lock = threading.RLock()
        self._widgets: set[str] = set()
        self._targets: list[_Target] = []  # the innermost `with` is the last
        self._clearing: set[str] = set()  # to be emptied by their next output

    def note(self, comm_id: str, kind: str, data: dict[str, Any]) -> None:
        """A comm message that has just been sent."""
        state = data.get("state")
        if kind == "comm_open" and isinstance(state, dict) and state.get("_model_name") == MODEL:
            self._widgets.add(comm_id)
        elif comm_id not in self._widgets:
            return
        elif kind == "comm_close":
            self._end(comm_id)
            self._widgets.discard(comm_id)
            self._clearing.discard(comm_id)
        elif isinstance(state, dict) and "msg_id" in state:
            if state["msg_id"]:
                self._begin(comm_id)
            else:
                self._end(comm_id)

    def _begin(self, comm_id: str) -> None:
        if not self._is_attached() or _widget(comm_id) is None:
            return
        header = self._shell.parent_header.get("header", {})
        with self._lock:
            self._targets.append(_Target(comm_id, header))
            if not self.active:
                self._shell.display_pub.register_hook(self._hook)
            self.active = True

    def _end(self, comm_id: str) -> None:
        with self._lock:
            target = next((one for one in reversed(self._targets) if one.comm_id == comm_id), None)
            if target is None:
                return
            self._flush(target)
            self._targets.remove(target)
            self.active = bool(self._targets)
            if not self.active:
                self._shell.display_pub.unregister_hook(self._hook)

    def text(self, stream: str, parent: Header, text: str) -> bool:
        """Whether the text is the widget's."""
        with self._lock:
            target = self._target(parent)
            if target is None:
                return False
            target.pending.append((stream, text))
            if time.monotonic() >= target.due:
                self._flush(target)
            return True

    def flush(self, parent: Header) -> None:
        """Text that waits for its turn goes now."""
        with self._lock:
            target = self._target(parent)
            if target is not None:
                self._flush(target)

    def error(self, parent: Header, content: dict[str, Any]) -> bool:
        with self._lock:
            target = self._target(parent)
            if target is not None:
                self._append(target, {"output_type": "error", **content})
            return target is not None

    def _hook(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """For `ZMQDisplayPublisher.register_hook`: None keeps the message from being sent."""
        content = message["content"]
        with self._lock:
            target = self._target(message["parent_header"])
            if target is None:
                return message
            match message["header"]["msg_type"]:
                case "display_data":
                    shown = {"data": content["data"], "metadata": content["metadata"]}
                    self._append(target, {"output_type": "display_data", **shown})
                    return None
                case "clear_output":
                    self._clear(target, wait=bool(content.get("wait")))
                    return None
        return message

    def _target(self, parent: Header) -> _Target | None:
        """Of the innermost `with`, if what comes has the same parent: the same request, and the same cell of it."""
        if not self._targets:
            return None
        target = self._targets[-1]
        same = all(parent.get(key) == target.header.get(key) for key in ("msg_id", "cell_id"))
        return target if same else None

    def _clear(self, target: _Target, *, wait: bool) -> None:
        self._flush(target)
        if wait:
            self._clearing.add(target.comm_id)
        else:
            self._set(target, ())

    def _append(self, target: _Target, output: dict[str, Any]) -> None:
        self._flush(target)
        self._set(target, (*self._outputs(target), output))

    def _flush(self, target: _Target) -> None:
        if not target.pending:
            return
        outputs = list(self._outputs(target))
        room = MAX_TEXT - sum(len(one.get("text", "")) for one in outputs if one.get("output_type") == "stream")
        for stream, text in target.pending:
            kept = text[: max(0, room)]
            room -= len(kept)
            last = outputs[-1] if outputs else {}
            if not kept:
                continue
            if last.get("output_type") == "stream" and last.get("name") == stream:
                outputs[-1] = {**last, "text": last["text"] + kept}
            else:
                outputs.append({"output_type": "stream", "name": stream, "text": kept})
        target.pending.clear()
        self._set(target, tuple(outputs))

    def _outputs(self, target: _Target) -> tuple[dict[str, Any], ...]:
        if target.comm_id in self._clearing:
            return ()
        outputs: tuple[dict[str, Any], ...] = getattr(_widget(target.comm_id), "outputs", ())
        return outputs

    def _set(self, target: _Target, outputs: tuple[dict[str, Any], ...]) -> None:
        """The trait tells all clients."""
        started = time.monotonic()
        self._clearing.discard(target.comm_id)
        widget = _widget(target.comm_id)
        if widget is not None:
            widget.outputs = outputs
        now = time.monotonic()
        target.due = now + max(EVERY, PATIENCE * (now - started))


class WidgetComm(BaseComm):
    """ipykernel's comm; its messages are noted."""

    capture: OutputCapture | None = None

    def publish_msg(self, msg_type: str, data: Any = None, *args: Any, **options: Any) -> None:
        super().publish_msg(msg_type, data, *args, **options)
        if WidgetComm.capture is not None and isinstance(data, dict):
            WidgetComm.capture.note(self.comm_id, msg_type, data)


def install(shell: Any, is_attached: Callable[[], bool]) -> OutputCapture:
    """Have every comm of this process noted from now on: a process has one kernel."""
    import comm

    WidgetComm.capture = OutputCapture(shell, is_attached)
    comm.create_comm = WidgetComm
    return WidgetComm.capture


def _widget(comm_id: str) -> Any:
    """The Output widget of this comm; ipywidgets keeps them in a dict of its own."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    return getattr(module, "_instances", {}).get(comm_id)
