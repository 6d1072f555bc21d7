"""Whose output comes now: the message that everything shown, printed and asked from here on belongs to.

Knows the places where ipykernel keeps that message; must not know cells or runs. `IPythonKernel.set_parent` reaches
them through some twenty calls, which takes longer than all else a small cell of a cascade needs.
"""

import sys
from contextvars import copy_context
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell

from tailrace_kernel.capture import CellStream

Message = dict[str, Any]


class CellParent:
    """For the main thread. Where something is not as the kernel made it, ipykernel's own way is taken."""

    def __init__(self, kernel: IPythonKernel, shell: ZMQInteractiveShell) -> None:
        self._kernel = kernel
        self._shell = shell
        self._outputs: tuple[Any, ...] = (shell.displayhook, shell.display_pub, sys.stdout, sys.stderr)
        self._plain = type(sys.stdout) is CellStream and type(sys.stderr) is CellStream

    def set(self, message: Message) -> None:
        """`message["ident"]` is where input is asked for."""
        kernel: Any = self._kernel
        shell: Any = self._shell
        ident = message.get("ident", [])
        if not self._is_stock():
            kernel.set_parent(ident, message, channel="shell")
            return
        kernel._shell_parent_ident.set(ident)
        kernel._shell_parent.set(message)
        kernel._shell_context = copy_context()
        shell._parent_header.set(message)
        shell._parent_header_global = message
        header = message["header"]
        for output in self._outputs:
            output._parent_header.set(header)
            output._parent_header_global = header

    def _is_stock(self) -> bool:
        """User code may put streams and publishers of its own in the place of these."""
        hook, publisher, stdout, stderr = self._outputs
        shell = self._shell
        return (
            self._plain
            and sys.stdout is stdout
            and sys.stderr is stderr
            and shell.display_pub is publisher
            and shell.displayhook is hook
            and "_data_pub" not in shell.__dict__
        )
