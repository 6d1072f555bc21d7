"""The notebooks that are open: each file by at most one actor. Knows the library, the actors and their kernels."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from tailrace_gateway.blobs import Blobs
from tailrace_gateway.config import Config
from tailrace_gateway.journal import open_journal
from tailrace_gateway.kernel_directory import is_at, living_kernels
from tailrace_gateway.kernel_port import Hear, KernelPort
from tailrace_gateway.kernel_process import LocalKernel
from tailrace_gateway.library import Found, Library
from tailrace_gateway.metrics import Metrics
from tailrace_gateway.moved import adopt, remember_place
from tailrace_gateway.notebook import Notebook
from tailrace_gateway.notebook_file import NotebookFile
from tailrace_gateway.opening import open_notebook, show_connections
from tailrace_gateway.output_store import OutputStore
from tailrace_gateway.saving import Kept
from tailrace_gateway.state import image
from tailrace_gateway.state_directory import notebook_directory
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import NotebookInfo

log = logging.getLogger(__name__)

RESTART = 1012  # close code: reconnect
GONE = 4404  # close code: no such notebook
Kernels = Callable[[Found, Hear], KernelPort]
"""Makes one life of the kernel of a notebook."""


class Notebooks:
    def __init__(self, config: Config, kernels: Kernels, metrics: Metrics):
        self.library = Library(config.paths)
        self._config = config
        self._kernels = kernels
        self._metrics = metrics
        self._open: dict[str, Notebook] = {}
        self._blobs: dict[str, Blobs] = {}
        self._opening = asyncio.Lock()
        self._closed = False

    @property
    def open(self) -> list[Notebook]:
        return [*self._open.values()]

    async def get(self, notebook_id: str) -> Notebook:
        """The actor of this notebook, opened if need be; starts no kernel. Raises TailraceError unknown_notebook …"""
        notebook = self._open.get(notebook_id)
        if notebook is None:
            async with self._opening:
                notebook = await self._opened(notebook_id)
        await notebook.adopted()
        return notebook

    async def _opened(self, notebook_id: str) -> Notebook:
        if notebook_id not in self._open:
            found = await asyncio.to_thread(self.library.find, notebook_id)
            self._open[notebook_id] = await self._start(found)
        return self._open[notebook_id]

    async def adopt(self) -> None:
        """Open every served notebook whose kernel outlived its gateway, before its grace period ends."""
        for notebook_id in await asyncio.to_thread(living_kernels, self._config.runtime_dir):
            async with self._opening:
                if self._closed:
                    return
                try:
                    await self._opened(notebook_id)
                except TailraceError as error:  # served elsewhere, or open in another gateway
                    log.info("the kernel of %s is not adopted: %s", notebook_id, error.message)
                except Exception:
                    self._metrics.failed()
                    log.exception("the kernel of %s cannot be adopted", notebook_id)

    async def _start(self, found: Found) -> Notebook:
        kept = await self._read(found)
        blobs = self._blobs[found.id] = Blobs(found.id, self._blobs_of(found.id))
        return Notebook(kept, partial(self._kernels, found), blobs, self._metrics)

    async def _read(self, found: Found) -> Kept:
        """Raises TailraceError unreadable_notebook, already_open, too_large, read_only or disk_full."""
        file = NotebookFile(found.path)
        contents = await asyncio.to_thread(file.read)
        folder = notebook_directory(found.id, self._config.state_dir)
        await self._leave_moved(file.file_hash or "")
        moved = await asyncio.to_thread(adopt, folder, found.path, file.file_hash or "")
        journal, recovered = await asyncio.to_thread(open_journal, folder)
        try:
            store = OutputStore(folder)
            info = NotebookInfo(id=found.id, path=found.shown, name=found.name, settings=contents.settings)
            session = await asyncio.to_thread(store.load)
            kernel = session.kernel
            alive = kernel is not None and await asyncio.to_thread(is_at, kernel.place)
            kept = session.outputs if alive or not file.keeps_outputs else {}
            opened = open_notebook(info, contents, file.file_hash or "", recovered, kept, alive=alive)
            show_connections(opened.state, session.connections, alive=alive)
            if moved:  # its name is that of the file again
                opened.state.info = replace(opened.state.info, name=found.name)
            await journal.renew(image(opened.state))
            await asyncio.to_thread(file.clear)
            await asyncio.to_thread(remember_place, folder, found.path)
        except OSError as error:
            await journal.close()
            raise TailraceError(ErrorCode.READ_ONLY, f"The state directory cannot be written: {error}.") from error
        except BaseException:
            await journal.close()
            raise
        return Kept(opened.state, journal, file, store, opened.conflicts, kernel if alive else None)

    async def _leave_moved(self, file_hash: str) -> None:
        """Close an open notebook whose file is gone and had these bytes: it is at another path now."""
        for notebook_id, notebook in [*self._open.items()]:
            if notebook.saved_hash == file_hash and not await asyncio.to_thread(notebook.path.exists):
                del self._open[notebook_id]
                await notebook.close(GONE, "the file was moved", write=False)

    def _blobs_of(self, notebook_id: str) -> Path:
        return self._config.runtime_dir / "blobs" / notebook_id

    def blobs(self, notebook_id: str) -> Blobs | None:
        return self._blobs.get(notebook_id)

    async def delete(self, notebook_id: str) -> None:
        """End the kernel, close every socket, remove file, journal and large values."""
        found = await asyncio.to_thread(self.library.find, notebook_id)
        async with self._opening:
            notebook = self._open.pop(notebook_id, None)
            if notebook is not None:
                await notebook.close(GONE, "the notebook was deleted", write=False)
            await asyncio.to_thread(self.library.delete, found)
            journal = notebook_directory(found.id, self._config.state_dir)
            self._blobs.pop(notebook_id, None)
            for folder in (journal, self._blobs_of(notebook_id)):
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def rename(self, notebook_id: str, name: str) -> Found:
        """Raises TailraceError conflict while a window shows the notebook: its address changes. Ends its kernel."""
        found = await asyncio.to_thread(self.library.find, notebook_id)
        async with self._opening:
            notebook = self._open.get(notebook_id)
            if notebook is not None and notebook.clients:
                message = f"{found.shown} is open in a window: close it there first, then rename it."
                raise TailraceError(ErrorCode.CONFLICT, message)
            if notebook is not None:
                del self._open[notebook_id]
                await notebook.close(GONE, "the notebook was renamed")
            return await asyncio.to_thread(self.library.rename, found, name)

    async def stop_kernel(self, notebook_id: str) -> None:
        """End the kernel. A notebook that no window shows is closed with it, and starts anew when it is opened."""
        await asyncio.to_thread(self.library.find, notebook_id)
        async with self._opening:
            notebook = self._open.get(notebook_id)
            if notebook is not None and notebook.clients:
                await notebook.stop_kernel()
            elif notebook is not None:
                del self._open[notebook_id]
                await notebook.close(RESTART, "the kernel was stopped")

    async def close(self) -> None:
        """Save and end everything: kernels live on only when the configuration says so."""
        async with self._opening:
            self._closed = True
            notebooks, self._open = self.open, {}
            keep = self._config.keep_kernels
            await asyncio.gather(
                *(notebook.close(RESTART, "the gateway stops", keep_kernel=keep) for notebook in notebooks)
            )


def local_kernels(config: Config) -> Kernels:
    """Kernels are processes of this machine that work in the notebook's folder."""

    def make(found: Found, hear: Hear) -> KernelPort:
        return LocalKernel(hear, config.runtime_dir, found.path.parent, found.id, outlive=config.keep_kernels)

    return make
