"""The acks already given, so that a frame sent again is answered the same and applied once. Pure."""

from collections.abc import Iterable, Iterator

from tailrace_gateway.records import Answer, Record
from tailrace_protocol.limits import IDEMPOTENT_IDS


class Answers:
    """The last `limit` answers, oldest forgotten first."""

    def __init__(self, answers: Iterable[Answer] = (), limit: int = IDEMPOTENT_IDS) -> None:
        self._limit = limit
        self._answers: dict[tuple[str, str], Answer] = {}
        for answer in answers:
            self._keep(answer)

    def get(self, client: str, command_id: str) -> Answer | None:
        return self._answers.get((client, command_id))

    def remember(self, record: Record) -> None:
        self._keep(
            Answer(client=record.client, id=record.id, revision=record.revision, seq=record.seq, result=record.result)
        )

    def __iter__(self) -> Iterator[Answer]:
        """Oldest first."""
        return iter(self._answers.values())

    def __len__(self) -> int:
        return len(self._answers)

    def _keep(self, answer: Answer) -> None:
        self._answers.pop((answer.client, answer.id), None)
        self._answers[answer.client, answer.id] = answer
        if len(self._answers) > self._limit:
            del self._answers[next(iter(self._answers))]
