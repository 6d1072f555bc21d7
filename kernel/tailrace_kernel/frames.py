"""How a whole message leaves a ZeroMQ socket, quickly. Knows sockets and bytes; must not know what a message says."""

from collections.abc import Sequence
from typing import Any

import zmq
from zmq.backend import Socket

MORE = int(zmq.SNDMORE)


def send_frames(socket: Any, frames: Sequence[bytes]) -> None:
    """As `socket.send_multipart(frames)`, which looks at each frame twice and sends it by way of a method in Python:
    13 µs for seven frames instead of 3, and an output is a message."""
    send = Socket.send
    *firsts, last = frames
    for frame in firsts:
        send(socket, frame, MORE)
    send(socket, last)
