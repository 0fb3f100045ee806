"""What entry points do with an event: have it judged, and do what is left to do after the answer."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pipelinejobs.core import tokens
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.tokens import Policy
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.service.judge import Judge
from pipelinejobs.service.other_writers import OtherWriters
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.service.reapply import Reapplier
from pipelinejobs.store import DocumentFull, Store, within
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.log import logger

_OTHERS_ROWS: Final = 5
_KNOWN_SENDER: Final = frozenset({Verdict.APPLIED, Verdict.DUPLICATE, Verdict.STALE, Verdict.ILLEGAL})


class Manager:
    """Judges events, keeps refusals, and does what is left to do after an answer.

    Attributes:
        judge: what brings events to their outcomes.
        others: what is known about other programs that write to the database.
        reapplier: what applies events again that such a program has undone.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        outbox: OutboxRelay,
        *,
        database_seconds: float = 10.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._policy = policy
        self._outbox = outbox
        self._database_seconds = database_seconds
        self._clock = clock
        self.others = OtherWriters(store)
        self.judge = Judge(store, policy, self.others, database_seconds=database_seconds, clock=clock)
        self.reapplier = Reapplier(store, self.judge, self.others)

    def handle(self, event: Event, execution: str, seconds: float | None = None) -> Outcome:
        """Judges one event. When this returns `applied`, the event is durable.

        Args:
            event: the event, already read.
            execution: the id of this execution.
            seconds: how long it may take, where that is less than the database is given anyway.

        Raises:
            WrongSetting: the database refuses our user.
        """
        attempt = self.judge.attempt(event, execution, seconds)
        self.judge.finish([attempt])
        assert attempt.outcome is not None
        return attempt.outcome

    def keep(self, refusal: dict[str, Any], deadline: Deadline) -> None:
        """Keeps a refusal, which is that of an outcome.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(min(self._database_seconds, deadline.remaining())):
            self._store.refused.keep(refusal)

    def keep_unread(self, claimed: Event, told: Outcome, deadline: Deadline) -> None:
        """Keeps the refusal of a delivery that could not be read, if it showed a token of the job that it names.

        Args:
            claimed: the job that it names and the token that it shows (`messages.claim`).
            told: what its sender was told.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(min(self._database_seconds, deadline.remaining())):
            job = self._store.jobs.load(claimed.job)
            authority = tokens.authority(job, claimed, self._policy, self._clock().timestamp())
            if job is not None and tokens.is_shown(authority):
                row = self._store.refused.row(claimed, Verdict.MALFORMED, told.reason, job.state, told.execution)
                self._store.refused.keep(row)

    def settle(self, outcome: Outcome, deadline: Deadline) -> None:
        """What is done after the answer: keep a refusal, send what the job owes, apply again what another program has
        undone, and send a little of what other jobs owe.

        Nothing here changes the answer; trouble is logged and left to the next run.
        """
        try:
            if outcome.refusal is not None:
                self.keep(outcome.refusal, deadline)
            if outcome.verdict in _KNOWN_SENDER:
                assert outcome.uuid is not None
                answers = not outcome.owes or self._outbox.send_own(outcome.uuid, deadline)
                self.reapplier.look(deadline)
                if answers:  # what this job owed before is overdue, and among these
                    self._outbox.send_overdue(_OTHERS_ROWS, deadline)
        except (Unavailable, DocumentFull) as error:
            logger.warning("not everything could be done after the answer", extra={"fields": {"why": error.reason}})
