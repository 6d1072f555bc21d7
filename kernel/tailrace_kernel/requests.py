"""What each of our requests does: typed content in, typed reply out.

Knows the conductor, the catalogue and SQL connections; must not know sockets, threads or encodings. A handler
takes its request's struct and the call, and returns the reply; `None` means that the call is answered and closed
later. Source: SPEC.md, part A.
"""

import logging
import os
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from tailrace_kernel.answer import Call
from tailrace_kernel.catalogue import Catalogue, Entry
from tailrace_kernel.conductor import Conductor
from tailrace_kernel.event_ring import EventRing
from tailrace_kernel.facts import Diagnostic
from tailrace_kernel.library_files import library_file
from tailrace_kernel.lifeline import Lifeline
from tailrace_kernel.outbox import Outbox
from tailrace_kernel.queries import Queries
from tailrace_kernel.renaming import RenameRefusedError
from tailrace_kernel.runs import Change, Run
from tailrace_kernel.sql_cell import SqlCell
from tailrace_kernel.stimuli import CellRemoved, CellsRegistered, CellsReordered, SettingsChanged
from tailrace_kernel.variables import describe
from tailrace_protocol import kernel_messages as wire
from tailrace_protocol.codec import decode_content
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.joined import join
from tailrace_protocol.limits import MAX_CELLS, MAX_CODE

logger = logging.getLogger(__name__)
# Clients of ours draw figures themselves; Plotly's choice for notebooks adds its 5 MB of JavaScript to the outputs.
PLOTLY_RENDERER = ("PLOTLY_RENDERER", "plotly_mimetype")
PROTOCOL_VERSION = wire.PROTOCOL_VERSION


class Requests:
    """One per kernel; called on the control thread, the main thread or a subshell's."""

    def __init__(
        self,
        kernel_id: str,
        conductor: Conductor,
        catalogue: Catalogue,
        queries: Queries,
        outbox: Outbox,
        ring: EventRing,
        lifeline: Lifeline | None,
        names: dict[str, Any],
        waiting: Callable[[], wire.WaitingInput | None],
    ) -> None:
        """`waiting` tells what a cell waits for."""
        self._kernel_id = kernel_id
        self._conductor = conductor
        self._catalogue = catalogue
        self._queries = queries
        self._outbox = outbox
        self._ring = ring
        self._lifeline = lifeline
        self._names = names
        self._waiting = waiting
        self._handlers: dict[str, Callable[[Any, Call], wire.Content | None]] = {
            "attach_request": self.attach,
            "register_cell_request": self.register_cell,
            "register_cells_request": self.register_cells,
            "remove_cell_request": self.remove_cell,
            "reorder_cells_request": self.reorder_cells,
            "execute_cells_request": self.execute_cells,
            "plan_request": self.plan,
            "configure_db_request": self.configure_db,
            "graph_request": self.graph,
            "variables_request": self.variables,
            "replay_request": self.replay,
            "settings_request": self.settings,
            "schema_request": self.schema,
            "table_page_request": self.table_page,
            "export_table_request": self.export_table,
            "rename_variable_request": self.rename_variable,
            "library_file_request": self.library_file,
        }

    def handle(self, call: Call) -> None:
        """Answer the call, now or later; every failure is an answer too."""
        try:
            content = decode_content(wire.REQUESTS[call.kind], call.message["content"])
            reply = self._handlers[call.kind](content, call)
        except TailraceError as error:
            call.refuse(error)
            call.close()
        except Exception:
            logger.exception("request %s failed", call.kind)
            call.refuse(
                TailraceError(ErrorCode.INTERNAL, f"{call.kind} failed inside the kernel; its log has the story.")
            )
            call.close()
        else:
            if reply is not None:
                call.answer(reply)
                call.close()

    def attach(self, request: wire.AttachRequest, call: Call) -> wire.Content:
        self._outbox.attached = True
        os.environ.setdefault(*PLOTLY_RENDERER)
        if self._lifeline is not None and request.lifeline is not None:
            self._hold_lifeline(self._lifeline, request.lifeline, outlive=request.outlive)
        return wire.AttachReply(
            kernel_id=self._kernel_id,
            epoch=self._ring.epoch,
            last_seq=self._ring.last_seq,
            protocol_version=PROTOCOL_VERSION,
            input=self._waiting(),
        )

    def _hold_lifeline(self, lifeline: Lifeline, path: str, *, outlive: bool) -> None:
        try:
            lifeline.adopt(path, outlive=outlive)
        except OSError as error:
            message = f"Nobody answers on the lifeline {path!r}: {error.strerror}. Listen there before attaching."
            raise TailraceError(ErrorCode.BAD_FIELD, message, details={"field": "lifeline"}) from None

    # Structure.

    def register_cell(self, request: wire.RegisterCellRequest, call: Call) -> wire.Content:
        """Unparsable code registers with diagnostics; an unknown place is the end, with a diagnostic."""
        self._check_room((request,))
        after = request.after_cell_id
        misplaced = isinstance(after, str) and after not in self._catalogue.entries
        entry = self._catalogue.analyse(request)
        change = self._conductor.change(self._catalogue.stimulus(entry), call.header)
        self._catalogue.keep(entry)
        self._get_ready((entry,))
        more = (_misplaced(str(after)),) if misplaced else ()
        reply = self._registered(entry, change, more)
        self._outbox.event("cell_registered", reply, call.header)
        return reply

    def register_cells(self, request: wire.RegisterCellsRequest, call: Call) -> wire.Content:
        self._check_room(request.cells)
        entries = [self._catalogue.analyse(cell) for cell in request.cells]
        stimulus = CellsRegistered(cells=tuple(self._catalogue.stimulus(entry) for entry in entries))
        change = self._conductor.change(stimulus, call.header)
        for entry in entries:
            self._catalogue.keep(entry)
        self._get_ready(entries)
        ids = {entry.request.cell_id for entry in entries}
        replies = tuple(self._registered(entry, _part(change, entry.request.cell_id, ids)) for entry in entries)
        for reply in replies:
            self._outbox.event("cell_registered", reply, call.header)
        return wire.RegisterCellsReply(cells=replies, order=self._conductor.order())

    def _get_ready(self, entries: Sequence[Entry]) -> None:
        if any(isinstance(entry.payload, SqlCell) for entry in entries):
            self._queries.get_ready()

    def remove_cell(self, request: wire.RemoveCellRequest, call: Call) -> wire.Content | None:
        run = self._run(request.run_id, call, lambda run: call.close())
        stimulus = CellRemoved(cell_id=request.cell_id, run_dependents=request.run_dependents, run_id=run.run_id)
        self._conductor.must_be_new(run)  # what is forgotten below does not come back
        self._queries.forget(request.cell_id)
        change = self._conductor.change(stimulus, call.header, run)
        self._catalogue.forget(request.cell_id)
        dropped = change.dropped
        reply = wire.RemoveCellReply(
            cell_id=request.cell_id,
            removed_names=dropped.removed_names if dropped else (),
            rebound=dropped.rebound if dropped else {},
            dependents=dropped.dependents if dropped else (),
            graph=_delta(change),
            run_id=run.run_id if change.started else None,
        )
        self._outbox.event("cell_removed", reply, call.header)
        call.answer(reply)
        if not change.started:
            call.close()
        return None

    def reorder_cells(self, request: wire.ReorderCellsRequest, call: Call) -> wire.Content:
        change = self._conductor.change(CellsReordered(cell_ids=request.cell_ids), call.header)
        return wire.ReorderCellsReply(graph=_delta(change), stale=tuple(change.stale), order=self._conductor.order())

    def settings(self, request: wire.SettingsRequest, call: Call) -> wire.Content:
        self._conductor.change(SettingsChanged(lazy=request.lazy, cutoff=request.cutoff), call.header)
        if request.frames is not None:
            self._queries.library = request.frames
        if request.early_queries is not None:
            self._queries.early.enabled = request.early_queries
        return wire.Content()

    # Runs.

    def execute_cells(self, request: wire.ExecuteCellsRequest, call: Call) -> None:
        """Enqueues; answered when the run ends (`wait`) or at once. Closed when the run ends."""

        def finished(run: Run) -> None:
            if request.wait:
                call.answer(run.reply())
            call.close()

        run = self._run(request.run_id, call, finished)
        if request.allow_stdin:
            run.stdin = frozenset(request.cell_ids)
        self._conductor.submit(run, request.cell_ids, request.mode)
        if not request.wait:
            call.answer(wire.ExecuteCellsReply(run_id=run.run_id, executed=(), skipped=()))

    def plan(self, request: wire.PlanRequest, call: Call) -> wire.Content:
        with self._conductor.lock:
            plan = self._conductor.scheduler.plan(request.cell_ids, request.mode)
        return wire.PlanReply(
            order=plan.order,
            levels=plan.levels,
            reasons=plan.reasons,
            expected_seconds=plan.expected_seconds,
            seconds=plan.seconds,
            made_again=plan.made_again,
            made_again_seconds=plan.made_again_seconds,
        )

    # Questions.

    def graph(self, request: wire.GraphRequest, call: Call) -> wire.Content:
        conductor = self._conductor
        with conductor.lock:
            scheduler = conductor.scheduler
            order = scheduler.order()
            views = [scheduler.cell(cell_id) for cell_id in order]
            edges, cycles, version = tuple(scheduler.edges()), scheduler.cycles(), scheduler.graph_version
        cells = {}
        for view in views:
            entry = self._catalogue.entries.get(view.cell_id)
            cells[view.cell_id] = wire.GraphCell(
                type=view.cell_type,
                reads=view.reads,
                writes=view.writes,
                status=view.status,
                version=view.version,
                mode=view.mode,
                diagnostics=_diagnostics(entry.analysis.diagnostics if entry else ()) + view.diagnostics,
                reason=view.reason,
                owner=entry.request.owner if entry else None,
            )
        return wire.GraphReply(cells=cells, edges=edges, cycles=cycles, order=order, version=version)

    def variables(self, request: wire.VariablesRequest, call: Call) -> wire.Content:
        writers = self._conductor.owners()
        names: Sequence[str] = request.names if request.names is not None else sorted(writers)
        if request.cell_id is not None:
            names = [name for name in names if writers.get(name) == request.cell_id]
        return wire.VariablesReply(
            variables=tuple(
                describe(name, self._names[name], writers.get(name)) for name in names if name in self._names
            )
        )

    def rename_variable(self, request: wire.RenameVariableRequest, call: Call) -> wire.Content:
        try:
            found = self._catalogue.renaming(self._conductor.order(), request.name, request.new_name)
        except RenameRefusedError as refused:
            details = {"cells": list(refused.cells)}
            raise TailraceError(ErrorCode.CANNOT_RENAME, refused.message, details=details) from None
        cells = tuple(
            wire.RenamedCell(
                cell_id=cell_id,
                version=self._version(cell_id),
                edits=edits,
            )
            for cell_id, edits in found.edits.items()
        )
        return wire.RenameVariableReply(cells=cells, unseen=found.unseen)

    def _version(self, cell_id: str) -> int:
        """That of the text that was registered last."""
        given = self._catalogue.entries[cell_id].request.version
        return self._conductor.view(cell_id).version if given is None else given

    def replay(self, request: wire.ReplayRequest, call: Call) -> None:
        missed = self._ring.since(request.epoch, request.since, request.limit)
        reply = wire.ReplayReply(first_seq=missed.first_seq, last_seq=missed.last_seq, complete=missed.complete)
        call.answer(reply, [join(missed.messages)])
        call.close()

    # Databases.

    def configure_db(self, request: wire.ConfigureDbRequest, call: Call) -> None:
        """Connects in a thread; on an error the former connection stays in force."""

        def done(future: Any) -> None:
            try:
                reply = future.result()
            except TailraceError as error:
                self._db_failed(request, error, call)
            except Exception:
                logger.exception("configure_db_request failed")
                self._db_failed(request, TailraceError(ErrorCode.INTERNAL, "Connecting failed; see the log."), call)
            else:
                self._read_sql_again(call)
                self._outbox.event(
                    "db_configured",
                    wire.DbConfigured(
                        name=reply.name,
                        status="success",
                        redacted_url=reply.redacted_url,
                        dialect=reply.dialect,
                        note=reply.note,
                    ),
                    call.header,
                )
                call.answer(reply)
            call.close()

        self._queries.configure(request).add_done_callback(done)

    def _db_failed(self, request: wire.ConfigureDbRequest, error: TailraceError, call: Call) -> None:
        failed = {"code": error.code.value, "message": error.message}
        tried = self._queries.redacted(request.url)
        event = wire.DbConfigured(name=request.name, status="error", redacted_url=tried, error=failed)
        self._outbox.event("db_configured", event, call.header)
        call.refuse(error)

    def _read_sql_again(self, call: Call) -> None:
        """Another database may be another dialect: what its cells read and write is asked again."""
        languages = self._queries.languages()
        self._catalogue.dialects, self._catalogue.embedded = languages.dialects, languages.embedded
        for entry in list(self._catalogue.entries.values()):
            if isinstance(entry.payload, SqlCell):
                again = self._catalogue.analyse(entry.request)
                if again.analysis != entry.analysis:
                    self._conductor.change(self._catalogue.stimulus(again), call.header)
                self._catalogue.keep(again)

    def schema(self, request: wire.SchemaRequest, call: Call) -> None:
        self._later(call, self._queries.schema(request))

    def table_page(self, request: wire.TablePageRequest, call: Call) -> None:
        self._later(call, self._queries.page(request))

    def export_table(self, request: wire.ExportTableRequest, call: Call) -> None:
        self._later(call, self._queries.export(request))

    def library_file(self, request: wire.LibraryFileRequest, call: Call) -> None:
        self._later(call, self._queries.aside(lambda: library_file(request.name)))

    def _later(self, call: Call, future: Any) -> None:
        """Answer with what a worker thread gives: a reply, or a reply and its buffers."""

        def done(future: Any) -> None:
            try:
                reply = future.result()
                call.answer(*reply if isinstance(reply, tuple) else (reply,))
            except TailraceError as error:
                call.refuse(error)
            except Exception:
                logger.exception("%s failed", call.kind)
                call.refuse(TailraceError(ErrorCode.INTERNAL, f"{call.kind} failed; the kernel's log has the story."))
            call.close()

        future.add_done_callback(done)

    # Parts of replies.

    def _registered(
        self, entry: Entry, change: Change, more: tuple[wire.KernelDiagnostic, ...] = ()
    ) -> wire.RegisterCellReply:
        view = self._conductor.view(entry.request.cell_id)
        sql = entry.payload if isinstance(entry.payload, SqlCell) else None
        return wire.RegisterCellReply(
            cell_id=view.cell_id,
            version=view.version,
            reads=view.reads,
            writes=view.writes,
            diagnostics=_diagnostics(entry.analysis.diagnostics) + view.diagnostics + more,
            graph=_delta(change),
            stale=tuple(change.stale),
            outside_effects=tuple(sorted(effect.value for effect in entry.analysis.effects)),
            connection=sql.connection if sql else None,
            result=sql.result if sql else None,
        )

    def _check_room(self, cells: Sequence[wire.RegisterCellRequest]) -> None:
        for cell in cells:
            if len(cell.code) > MAX_CODE or len(cell.code.encode("utf-8", "surrogatepass")) > MAX_CODE:
                raise TailraceError(ErrorCode.TOO_LARGE, f"A cell may hold {MAX_CODE} bytes of code.")
        known = self._catalogue.entries
        if len(known) + sum(cell.cell_id not in known for cell in cells) > MAX_CELLS:
            raise TailraceError(ErrorCode.TOO_MANY, f"A notebook may hold {MAX_CELLS} cells.")

    def _run(self, run_id: str | None, call: Call, finished: Callable[[Run], None]) -> Run:
        run_id = run_id or secrets.token_hex(8)
        header = {**call.header, "run_id": run_id}
        return Run(run_id, header, {**call.message, "header": header}, finished)


def _diagnostics(found: Sequence[Diagnostic]) -> tuple[wire.KernelDiagnostic, ...]:
    return tuple(
        wire.KernelDiagnostic(
            kind=one.kind,
            message=one.message,
            line=one.line,
            column=one.column,
            cells=one.cells or None,
            names=one.names or None,
        )
        for one in found
    )


def _misplaced(after: str) -> wire.KernelDiagnostic:
    message = f"There is no cell {after!r} to stand after; the cell was put at the end."
    return wire.KernelDiagnostic(kind="unknown_position", message=message)


def _delta(change: Change) -> wire.GraphDelta:
    return wire.GraphDelta(added_edges=tuple(change.added_edges), removed_edges=tuple(change.removed_edges))


def _part(change: Change, cell_id: str, batch: set[str]) -> Change:
    """The share of one cell in a batch: edges that end in it, and those that start in it and end outside."""

    def mine(edge: wire.KernelEdge) -> bool:
        return edge.to == cell_id or (edge.from_ == cell_id and edge.to not in batch)

    return Change(
        added_edges=[edge for edge in change.added_edges if mine(edge)],
        removed_edges=[edge for edge in change.removed_edges if mine(edge)],
        stale=[stale for stale in change.stale if stale == cell_id],
    )
