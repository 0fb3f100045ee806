"""What both entry points do with an event: judge it, and do the work after the answer."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pipelinejobs.core import tokens
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.tokens import Policy
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.service.attempt import Attempt
from pipelinejobs.service.judge import Judge
from pipelinejobs.service.other_writers import OtherWriters
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.service.reapply import Reapplier
from pipelinejobs.store import DocumentFull, Store, within
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.log import logger
from pipelinejobs.util.secret import Secret

_MOST_OVERDUE: Final = 5
_OF_KNOWN_SENDER: Final = frozenset({Verdict.APPLIED, Verdict.DUPLICATE, Verdict.STALE, Verdict.ILLEGAL})


class Manager:
    """Judges events, stores refusals, and does the work after an answer.

    Attributes:
        judge: judges events.
        others: what is known about other programs that write to the database.
        reapplier: applies events again that such a program has undone.
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
        """Judges one event. When this returns `applied`, the event is durable, unless it is a dry run.

        Args:
            event: the event.
            execution: the id of this execution.
            seconds: the most seconds that judging may take, if less than `limits.database`.

        Raises:
            WrongSetting: the database refuses our user.
        """
        return self._judged(self.judge.attempt(event, execution, seconds))

    def asked(self, event: Event, execution: str, seconds: float | None = None) -> Outcome:
        """Judges a report that this project asked for. It needs no token, and its refusal is not to be stored.

        Args:
            event: the report (`messages.asked.report`).
            execution, seconds: see `handle`.

        Returns:
            `applied` if the report was missing; `stale` or `duplicate` if the job's state says the same already, and
            then nothing was written; `unauthorised` if there is no such job; `unavailable`.

        Raises:
            WrongSetting: the database refuses our user.
        """
        return self._judged(self.judge.attempt(event, execution, seconds, asked=True))._replace(refusal=None)

    def would(self, event: Event, execution: str, seconds: float | None = None, *, asked: bool = False) -> Outcome:
        """What `handle` would answer now, as a dry run: nothing is written. With `asked`, what `asked` would answer.

        Of a report that was asked for and is no news, `stale` and `duplicate` mean the same, and it may be either.
        """
        judge = self.asked if asked else self.handle
        return judge(event._replace(dry_run=True), execution, seconds)

    def _judged(self, attempt: Attempt) -> Outcome:
        self.judge.finish([attempt])
        assert attempt.outcome is not None
        return attempt.outcome

    def keep(self, refusal: dict[str, Any], deadline: Deadline) -> None:
        """Stores a refusal.

        Args:
            refusal: `Outcome.refusal`.
            deadline: when this has to be over.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(min(self._database_seconds, deadline.remaining())):
            self._store.refused.keep(refusal)

    def keep_unread(self, claimed: Event, outcome: Outcome, deadline: Deadline) -> None:
        """Stores the refusal of an unreadable delivery, if the delivery names a job and shows a token of that job.

        That of a dry run is not stored.

        Args:
            claimed: the job that the delivery names and the token that it shows (`messages.claim`).
            outcome: the outcome that its sender was told.
            deadline: when this has to be over.

        Raises:
            Unavailable: the database cannot be asked.
        """
        if outcome.dry_run:
            return
        with within(min(self._database_seconds, deadline.remaining())):
            job = self._store.jobs.load(claimed.job)
            authority = tokens.authority(job, claimed, self._policy, self._clock().timestamp())
            if job is not None and tokens.is_shown(authority):
                row = self._store.refused.row(claimed, Verdict.MALFORMED, outcome.reason, job.state, outcome.execution)
                self._store.refused.keep(row)

    def is_shown(self, uuid: str, token: Secret, sender: str | None) -> bool:
        """Whether a token authorises events of this job. A token that would be trusted on first use does not yet.

        For an unknown job the same steps are taken, so that the time they take does not tell.

        Args:
            uuid: the job's uuid.
            token: a job token or an administrative one, as shown.
            sender: the authenticated user who shows it.

        Raises:
            Unavailable: the database cannot be asked.
        """
        now = self._clock().timestamp()
        return tokens.is_shown(tokens.authority_of(self._store.jobs.load(uuid), (token,), sender, self._policy, now))

    def settle(self, outcome: Outcome, deadline: Deadline) -> None:
        """Does the work after the answer; after a dry run nothing, because nothing may be written.

        Stores a refusal, sends the job's outbox messages, applies events again that another program has undone, and
        sends a few overdue outbox messages of other jobs. Nothing here changes the answer. If the database fails, that
        is logged, and the next run does the rest.

        Args:
            outcome: the outcome that the sender was told.
            deadline: when this has to be over.
        """
        if outcome.dry_run:
            return
        try:
            if outcome.refusal is not None:
                self.keep(outcome.refusal, deadline)
            if outcome.verdict in _OF_KNOWN_SENDER:
                assert outcome.uuid is not None
                is_reachable = not outcome.owes or self._outbox.send_own(outcome.uuid, deadline)
                self.reapplier.look(deadline)
                if is_reachable:  # older messages of this job are overdue, and among these
                    self._outbox.send_overdue(_MOST_OVERDUE, deadline)
        except (Unavailable, DocumentFull) as error:
            logger.warning("the work after the answer was not finished", extra={"fields": {"why": error.reason}})
