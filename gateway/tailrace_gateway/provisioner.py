"""Starts a local kernel in a session of its own and hears at once when it ends. Knows processes, no messages.

The child gets the read end of a pipe, the lifeline, whose number is in TAILRACE_LIFELINE_FD: it reads the end of the
file when the gateway is gone, however that happened. `lifeline: false` starts a kernel that outlives its gateway.
A kernel that is taken over gets a socket instead (`listen`), because a running process inherits nothing.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

LIFELINE = "TAILRACE_LIFELINE_FD"
PRIVATE = ("TAILRACE_TOKEN", "TAILRACE_LIFELINE_FD", "JPY_PARENT_PID", "JPY_SESSION_NAME")  # never a kernel's
FAILED = 1  # exit code reported for a process whose real one is not ours to read


class TailraceLocal(KernelProvisionerBase):
    """`tailrace-local`: own session, pidfd, lifeline, re-attach by pid."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pid: int | None = None
        self.exited = asyncio.Event()
        self.exit_code: int | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._pidfd: int | None = None
        self._lifeline: int | None = None

    @property
    def has_process(self) -> bool:
        return self._pidfd is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        manager: Any = self.parent
        manager.write_connection_file()  # 0600
        self.connection_info = manager.get_connection_info()
        command = manager.format_kernel_cmd(extra_arguments=kwargs.pop("extra_arguments", []))
        return await super().pre_launch(cmd=command, **kwargs)

    def _finalize_env(self, env: dict[str, str]) -> None:
        super()._finalize_env(env)
        for name in PRIVATE:
            env.pop(name, None)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """`output`: an open descriptor for what the process prints outside any cell; the caller closes it."""
        env, inherited = dict(kwargs["env"]), []
        if kwargs.get("lifeline", True):
            read_end, self._lifeline = os.pipe()
            inherited.append(read_end)
            env[LIFELINE] = str(read_end)
        output = kwargs.get("output", subprocess.DEVNULL)
        try:
            self._child = subprocess.Popen(  # noqa: ASYNC220  vfork and exec of our own command take a millisecond
                cmd,
                env=env,
                cwd=kwargs.get("cwd"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=inherited,
                start_new_session=True,
            )
        finally:
            for descriptor in inherited:
                os.close(descriptor)
        self._watch(self._child.pid)
        return self.connection_info

    def _watch(self, pid: int) -> None:
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._ended)

    def _ended(self) -> None:
        """The process is gone: take its group with it while its number is still ours, then reap it."""
        if self._pidfd is None:
            return
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = None
        self._signal_group(signal.SIGKILL)
        self.exit_code = self._child.wait() if self._child else FAILED
        self.exited.set()

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self.pid is not None:
                os.killpg(self.pid, number)

    async def poll(self) -> int | None:
        return None if self.has_process else self.exit_code or 0

    async def wait(self) -> int | None:
        if self.has_process:
            await self.exited.wait()
        return self.exit_code

    async def send_signal(self, signum: int) -> None:
        if self._pidfd is None:
            return
        if signum in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            self._signal_group(signum)
        else:
            signal.pidfd_send_signal(self._pidfd, signum)

    async def kill(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        await self.send_signal(signal.SIGTERM)

    async def cleanup(self, restart: bool = False) -> None:
        """Let go of the lifeline; a kernel that still lives ends by itself."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def listen(self, path: str) -> None:
        """The lifeline of a kernel that is adopted: it connects here, and notices when this process is gone.

        Nobody accepts: a connection that waits lives as long as the socket that listens.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of the gateway before
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen(1)
            self._lifeline = listening.detach()

    def let_live(self) -> None:
        """Stop watching a kernel that is to outlive this gateway."""
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        if self._child is not None:
            self._child.returncode = 0  # its end is not awaited here: no warning about a child left running

    async def get_provisioner_info(self) -> dict[str, Any]:
        return {**await super().get_provisioner_info(), "pid": self.pid}

    async def load_provisioner_info(self, provisioner_info: dict[str, Any]) -> None:
        """Take a running kernel over again. Raises ProcessLookupError when it has ended meanwhile."""
        await super().load_provisioner_info(provisioner_info)
        self._watch(int(provisioner_info["pid"]))
