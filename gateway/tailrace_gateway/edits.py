"""Several edits of different cells at once: what each comes to when they are applied one after another. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec.structs import replace as replace_fields

from tailrace_gateway.document import Applied, Refused, step
from tailrace_gateway.inbox import Submitted
from tailrace_gateway.records import Answer
from tailrace_gateway.state import NotebookState
from tailrace_protocol.commands import CellUpdate

Outcome = Applied | Refused | Answer


def plan_edits(state: NotebookState, seq: int, submitted: Sequence[Submitted]) -> list[Outcome]:
    """Outcomes in order, to be committed in order; an `Answer` was given before.

    `seq` is the number of the last event: each edit publishes `command:executing` and its events after it.
    """
    outcomes: list[Outcome] = []
    revision = state.revision
    for one in submitted:
        assert isinstance(one.command, CellUpdate)
        known = state.answers.get(one.client.id, one.command.id)
        outcome: Outcome = known or step(state, one.command, one.client.id)
        if isinstance(outcome, Applied):
            seq += 1 + len(outcome.events)
            following = revision + outcome.record.revision - outcome.record.base
            record = replace_fields(outcome.record, base=revision, revision=following, seq=seq)
            outcome, revision = replace(outcome, record=record), following
        outcomes.append(outcome)
    return outcomes
