"""Starts the kernel: the stock application with our kernel class, and bounds on what its sockets take in and keep.

Knows traitlets and the binding of sockets; must not know what a message means.
"""

import logging
from typing import Any

import zmq
from ipykernel.heartbeat import Heartbeat
from ipykernel.kernelapp import IPKernelApp
from traitlets import Type

from tailrace_kernel.kernel import TailraceKernel

MAX_PART = 128 * 2**20  # bytes of one frame of a message; a peer that sends more is disconnected
SEND_HIGH_WATER = 100_000  # messages a slow subscriber may be behind; the stock 1,000 loses output and `idle`


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
        level = self.log.level
        self.log.setLevel(logging.ERROR)  # upstream warns of plain TCP, on loopback too
        try:
            super().init_sockets()
        finally:
            self.log.setLevel(level)

    def _bind_socket(self, s: Any, port: int) -> int:
        """Bounds must be set before binding: a connection gets those of that moment.

        ZeroMQ would take a new mark for the connections there are, and crashes in its own thread when one of them is
        being closed just then.
        """
        s.maxmsgsize = MAX_PART
        if s.type == zmq.XPUB:
            s.sndhwm = SEND_HIGH_WATER
        bound: int = super()._bind_socket(s, port)
        return bound

    def init_heartbeat(self) -> None:
        """As upstream, whose heartbeat takes in whatever is sent to it and sends it back."""
        self.heartbeat = BoundedHeartbeat(
            zmq.Context(),  # of its own: it must not be blocked by the GIL
            (self.transport, self.ip, self.hb_port),
            curve_publickey=self.curve_publickey,
            curve_secretkey=self.curve_secretkey,
        )
        self.hb_port = self.heartbeat.port
        self.heartbeat.start()


class BoundedHeartbeat(Heartbeat):
    def _try_bind_socket(self) -> None:
        self.socket.maxmsgsize = MAX_PART
        super()._try_bind_socket()


def is_loopback(ip: str) -> bool:
    return ip in ("", "localhost", "::1") or ip.startswith("127.")


def main() -> None:
    TailraceApp.launch_instance()
