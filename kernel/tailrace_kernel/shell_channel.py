"""The shell channel's way to the main thread and back, with no more turns of the event loops than it needs.

Knows ipykernel's streams between threads; must not know what a message says. Upstream makes a task for each message
on the channel's thread, two on the main thread, and one turn more for each reply: together a third of the time that
a small cell takes. Order and locks stay as they are.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

from ipykernel.kernelbase import Kernel
from tornado.ioloop import IOLoop

logger = logging.getLogger(__name__)


def shorten(kernel: Kernel) -> None:
    """On the main thread, once upstream has set its own callbacks; what they have taken by then goes their way."""
    channel: Any = kernel.shell_channel_thread
    if channel is None:
        return
    context = copy_context()  # of all that runs on the main shell, as upstream keeps one

    def to_main(message: Any) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(kernel.shell_main(None, message), context=context)

    def to_client(message: Any) -> None:
        """A send may take the signal that a request has come in: upstream sends through the stream, which looks."""
        stream = channel.shell_stream
        if stream.sending():
            stream.send_multipart(message)
        else:
            stream.socket.send_multipart(message, copy=False)
            stream._rebuild_io_state()

    manager = channel.manager
    manager.get_shell_channel_to_subshell_pair(None).on_recv(IOLoop.current(), to_main)
    channel.io_loop.add_callback(lambda: manager._main_to_shell_channel.to_stream.on_recv(to_client, copy=False))


def run_through(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits, without a task. What it raises is logged, as a task's would be: out of the
    callback of a stream it would keep the stream from looking for the next message."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    except Exception:
        logger.warning("a message on the shell channel was dropped", exc_info=True)
        return
    coroutine.close()
    raise RuntimeError("a coroutine that should not have waited did")
