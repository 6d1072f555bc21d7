"""Starts the kernel: the stock application with our kernel class, and bounds on what its sockets take in.

Knows traitlets and the binding of sockets; must not know what a message means.
"""

from typing import Any

import zmq
from ipykernel.kernelapp import IPKernelApp
from traitlets import Type

from tailrace_kernel.kernel import TailraceKernel

MAX_PART = 128 * 2**20  # bytes of one frame of a message; a peer that sends more is disconnected


class TailraceApp(IPKernelApp):
    name = "tailrace-kernel"
    kernel_class = Type(TailraceKernel, klass="ipykernel.kernelbase.Kernel").tag(config=True)  # type: ignore[assignment]

    def init_sockets(self) -> None:
        """Code runs for whoever knows the key; without encryption everybody on the way learns it."""
        if self.transport == "tcp" and not is_loopback(self.ip) and self.curve_secretkey is None:
            self.log.critical(
                "Refused to listen on %s without CURVE keys: bind to 127.0.0.1, use ipc, or give a connection file "
                "with curve_publickey and curve_secretkey.",
                self.ip,
            )
            self.exit(1)
        super().init_sockets()

    def _bind_socket(self, s: Any, port: int) -> int:
        """The bound must be set before binding; it holds for connections made after."""
        if s.socket_type in (zmq.ROUTER, zmq.REP):
            s.maxmsgsize = MAX_PART
        bound: int = super()._bind_socket(s, port)
        return bound


def is_loopback(ip: str) -> bool:
    return ip in ("", "localhost", "::1") or ip.startswith("127.")


def main() -> None:
    TailraceApp.launch_instance()
