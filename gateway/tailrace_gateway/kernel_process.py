"""One life of one local kernel: process, private directory, sockets. Knows files and jupyter_client, no notebooks."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory

from tailrace_gateway.kernel_directory import Owner, is_kernel, private_directory, write_owner
from tailrace_gateway.kernel_ending import last_words
from tailrace_gateway.kernel_link import KernelLink
from tailrace_gateway.kernel_port import Asked, Channel, Exited, Hear, Missed, Place, Told
from tailrace_gateway.kernel_replay import Replay
from tailrace_gateway.provisioner import TailraceLocal
from tailrace_protocol.codec import decode_content
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import AttachReply

START_SECONDS = 60.0  # until the first answer; a cold import of pandas on a slow disk is not a failure
CONNECT_SECONDS = 10.0  # from the first answer until every channel is connected
TAIL = 4_000  # characters of the process's own output kept for an error
KERNEL = "tailrace"
LIFELINE = "l"  # socket beside the connection file, for a kernel that is adopted


class OwnSpec(KernelSpecManager):
    """The kernel of this installation, started with this interpreter, whether its kernelspec is installed or not."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        if kernel_name != KERNEL:
            return super().get_kernel_spec(kernel_name)
        return KernelSpec(
            argv=[sys.executable, "-m", "tailrace_kernel", "-f", "{connection_file}"],
            display_name="Tailrace",
            language="python",
            interrupt_mode="message",
            metadata={"kernel_provisioner": {"provisioner_name": "tailrace-local"}},
        )


class LocalKernel:
    """A KernelPort on a process of this machine."""

    def __init__(self, hear: Hear, runtime_dir: Path, cwd: Path, notebook_id: str, *, outlive: bool = False):
        self._hear = hear
        self._replay = Replay(hear)
        self._notebook_id = notebook_id
        self._runtime_dir = runtime_dir
        self._cwd = cwd
        self._outlive = outlive
        self._directory: Path | None = None
        self._manager: AsyncKernelManager | None = None
        self._link: KernelLink | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._provisioner.pid if self._manager and self._manager.provisioner else None

    @property
    def _provisioner(self) -> TailraceLocal:
        assert self._manager is not None
        provisioner = self._manager.provisioner
        assert isinstance(provisioner, TailraceLocal)
        return provisioner

    @property
    def place(self) -> Place | None:
        if self._directory is None or self._link is None or self.pid is None:
            return None
        return Place(str(self._directory), self.pid, self._link.identity)

    async def start(self) -> AttachReply:
        self._directory = private_directory(self._runtime_dir)
        self._manager = manager = manager_in(self._directory)
        log_file = os.open(self._directory / "output.log", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await manager.start_kernel(
                cwd=str(self._cwd), lifeline=not self._outlive, output=log_file, env=dict(os.environ)
            )
        finally:
            os.close(log_file)
        write_owner(self._directory, Owner(self._notebook_id, self._provisioner.pid or 0))
        link = self._open(KernelLink(manager.get_connection_info(), self._replay.deliver))
        try:
            reply = await self._attach(link, {})
        except TailraceError as error:
            message = f"The kernel did not start: {error.message} {self._tail()}".strip()
            await self.stop()
            raise TailraceError(ErrorCode.KERNEL_DEAD, message) from None
        link.watch()
        return reply

    async def adopt(self, place: Place, epoch: str, since: int) -> AttachReply:
        self._directory = directory = Path(place.directory)
        lifeline = str(directory / LIFELINE)
        try:
            self._manager = manager = manager_in(directory)
            await take_over(manager, place)
            self._provisioner.listen(lifeline)
        except OSError:
            await self.stop()
            raise TailraceError(ErrorCode.KERNEL_DEAD, "The kernel ended while no gateway ran.") from None
        self._replay.hold()
        link = self._open(KernelLink(manager.get_connection_info(), self._replay.deliver, place.identity))
        try:
            reply = await self._attach(link, {"lifeline": lifeline, "outlive": self._outlive})
            same = reply.epoch == epoch
            if not same:
                self._hear(Missed())
            await self._replay.run(link, reply.epoch, since if same else 0)
        except TailraceError:
            await self.stop()
            raise
        if reply.input is not None:
            self._hear(link.wait_again(reply.input))
        link.watch()
        return reply

    def _open(self, link: KernelLink) -> KernelLink:
        self._link = link
        link.open()
        self._watcher = asyncio.create_task(self._tell_exit())
        return link

    async def _attach(self, link: KernelLink, more: Mapping[str, Any]) -> AttachReply:
        """Raises TailraceError kernel_dead, kernel_unresponsive."""
        asked = link.ask("attach", {"client": "gateway", "batch": True, **more}, "control", START_SECONDS)
        reply = decode_content(AttachReply, await asked.reply)
        await self._connected(link)
        return reply

    async def _connected(self, link: KernelLink) -> None:
        """Raises TailraceError kernel_unresponsive."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await link.connected()
        except TimeoutError:
            message = f"Not every channel of it answered within {CONNECT_SECONDS:.0f} s."
            raise TailraceError(ErrorCode.KERNEL_UNRESPONSIVE, message) from None

    async def _tell_exit(self) -> None:
        await self._provisioner.exited.wait()
        tail = self._tail()
        if self._link is not None:
            await self._link.drained()
            self._link.fail(TailraceError(ErrorCode.KERNEL_DEAD, "The kernel process ended. Restart the kernel."))
        self._hear(Exited(self._provisioner.exit_code, tail))

    def _tail(self) -> str:
        try:
            assert self._directory is not None
            return last_words((self._directory / "output.log").read_text(errors="replace")[-TAIL:])
        except OSError:
            return ""

    def ask(self, kind: str, content: Any, *, channel: Channel = "control", timeout: float | None = 20.0) -> Asked:
        if self._link is None:
            raise TailraceError(ErrorCode.KERNEL_DEAD, "There is no kernel: restart it.")
        return self._link.ask(kind, content, channel, timeout)

    def tell(self, told: Told) -> str:
        if self._link is None:
            raise TailraceError(ErrorCode.KERNEL_DEAD, "There is no kernel: restart it.")
        return self._link.tell(told)

    def answer_input(self, request_id: str, value: str) -> bool:
        return self._link is not None and self._link.answer_input(request_id, value)

    async def stop(self, *, keep: bool = False) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
        if self._manager is None:
            return
        if keep and self._manager.has_kernel:
            self._provisioner.let_live()
            self._manager.connection_file = ""  # else the manager removes the file when it is collected
            self._manager.context.destroy(linger=0)
            return
        started = await asyncio.to_thread(offspring, self.pid)
        with contextlib.suppress(Exception):  # whatever state the process is in, the kill below ends it
            await self._manager.shutdown_kernel(now=not self._manager.has_kernel)
        if self._manager.has_kernel:
            await self._provisioner.kill()
            await self._provisioner.wait()
        if self._manager.provisioner is not None:
            await self._provisioner.cleanup()
        for process in started:  # those with a session of their own outlive the kernel's group
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._manager.context.destroy(linger=0)
        if self._directory is not None:
            await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)


def manager_in(directory: Path) -> AsyncKernelManager:
    """Starts a kernel with its files in this directory, or finds one that is there."""
    return AsyncKernelManager(
        kernel_name=KERNEL,
        kernel_spec_manager=OwnSpec(),
        connection_file=str(directory / "connection.json"),
        transport="ipc",
        ip=str(directory / "s"),
    )


async def take_over(manager: AsyncKernelManager, place: Place) -> None:
    """Give the manager a process that it did not start. Raises OSError when it has ended."""
    await asyncio.to_thread(manager.load_connection_file)
    factory = KernelProvisionerFactory.instance(parent=manager.parent)
    provisioner = factory.create_provisioner_instance(Path(place.directory).name, manager.kernel_spec, parent=manager)
    info = {"kernel_id": provisioner.kernel_id, "connection_info": manager.get_connection_info(), "pid": place.pid}
    assert isinstance(provisioner, TailraceLocal)
    await provisioner.load_provisioner_info(info)
    manager.provisioner = provisioner
    if not is_kernel(place.pid, Path(place.directory)):  # asked when its number cannot be given to another any more
        provisioner.let_live()
        raise ProcessLookupError(place.pid)


def offspring(pid: int | None) -> list[psutil.Process]:
    """What this process has started and what that has started, while it can be told."""
    try:
        return psutil.Process(pid).children(recursive=True) if pid is not None else []
    except psutil.Error:
        return []
