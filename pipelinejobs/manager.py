"""The use case: an event in, an answer out; load, authorise, decide, apply, and afterwards send what is owed."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pipelinejobs import answer, identity, tokens
from pipelinejobs.answer import Answer
from pipelinejobs.deadline import Deadline
from pipelinejobs.decide import Decision, decide, refused
from pipelinejobs.errors import OutcomeUnknown, Unavailable
from pipelinejobs.job import Job
from pipelinejobs.log import logger
from pipelinejobs.messages.event import Event
from pipelinejobs.outbox import Outbox
from pipelinejobs.store import DocumentFull, Store, within
from pipelinejobs.tokens import Authority, Policy
from pipelinejobs.verdict import Verdict

_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.25
_OTHERS_ROWS: Final = 5

_KEPT: Final = frozenset({Verdict.ILLEGAL, Verdict.STALE, Verdict.UNAUTHORISED})
_KNOWN_SENDER: Final = frozenset({Verdict.APPLIED, Verdict.DUPLICATE, Verdict.STALE, Verdict.ILLEGAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What `handle` leaves to be done after the answer.

    Attributes:
        answer: what the sender is told.
        event: the event.
        kept_state: the job's state when the refusal is to be kept with it; None when there is nothing to keep.
        owes: whether the event made the job owe a message to another actor.
    """

    answer: Answer
    event: Event
    kept_state: str | None = None
    owes: bool = False


class Manager:
    """Judges events and carries out what was decided."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        outbox: Outbox,
        *,
        database_seconds: float = 10.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._policy = policy
        self._outbox = outbox
        self._database_seconds = database_seconds
        self._clock = clock

    def handle(self, event: Event, execution: str, seconds: float | None = None) -> Handled:
        """Judges one event. When this returns `applied`, the event is durable.

        Args:
            event: the event, already read.
            execution: the id of this execution.
            seconds: how long it may take, where that is less than the database is given anyway.

        Raises:
            WrongSetting: the database refuses our user.
        """
        deadline = Deadline(min(self._database_seconds, seconds if seconds is not None else self._database_seconds))
        tries = _Tries()
        while True:
            try:
                with within(deadline.remaining()):
                    handled = self._try(event, execution, tries)
                if handled is not None:
                    return handled
            except Unavailable as error:
                if deadline.passed():
                    failure = OutcomeUnknown() if tries.outcome_unknown else error
                    given = answer.about(event, execution, Verdict.UNAVAILABLE, failure.reason)
                    return Handled(answer=given, event=event)
            tries.pause(deadline)

    def refusal(self, handled: Handled) -> dict[str, Any] | None:
        """What is to be kept of a refusal; None where nothing is."""
        given, state = handled.answer, handled.kept_state
        if state is None:
            return None
        return self._store.refused.row(handled.event, given.verdict, given.reason, state, given.execution)

    def keep(self, refusal: dict[str, Any], deadline: Deadline) -> None:
        """Keeps a refusal.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(min(self._database_seconds, deadline.remaining())):
            self._store.refused.keep(refusal)

    def settle(self, handled: Handled, deadline: Deadline) -> None:
        """What is done after the answer: keep a refusal, send what the job owes, and a little of what others owe.

        Nothing here changes the answer; trouble is logged and left to the next run.
        """
        try:
            refusal = self.refusal(handled)
            if refusal is not None:
                self.keep(refusal, deadline)
            if handled.answer.verdict in _KNOWN_SENDER:
                answers = self._outbox.send_own(handled.event.job, deadline)
                if answers:
                    self._outbox.send_overdue(_OTHERS_ROWS, deadline)
        except (Unavailable, DocumentFull) as error:
            logger.warning("not everything could be done after the answer", extra={"fields": {"why": error.reason}})

    def _try(self, event: Event, execution: str, tries: "_Tries") -> Handled | None:
        """Reads, decides and writes once. None when the job changed meanwhile: then it has to be done again."""
        now = self._clock()
        job = self._store.jobs.load(event.job)
        authority = tokens.authority(job, event, self._policy, now.timestamp())
        refusal = tokens.refusal(authority, event)
        if job is None or refusal is not None:
            decision = Decision(verdict=Verdict.UNAUTHORISED, reason=refusal or tokens.NO_SUCH_JOB)
            return _handled(event, execution, job, authority, decision)
        if job.damage is None and self._store.history.limits.passed_by(job) and self._store.history.move(job):
            return None
        decision = self._decide(job, event, authority, now, tries)
        if decision.change is not None:
            try:
                if not self._store.jobs.apply(job, decision.change):
                    return None
            except OutcomeUnknown:
                tries.outcome_unknown = True
                raise
            except DocumentFull as full:
                decision = refused(event, authority, full.reason)
        return _handled(event, execution, job, authority, decision)

    def _decide(self, job: Job, event: Event, authority: Authority, now: datetime, tries: "_Tries") -> Decision:
        """Decides, asking for an earlier application of the event only where the guard of the write would not tell.

        The guard knows the embedded history. It does not know entries that were moved, it is not asked when nothing is
        to be written, and after a miss it has to be found out why it missed.
        """
        uuid = identity.entry_uuid(job, event)
        seen = self._store.history.moved_entry(job, uuid)
        decision = decide(job, event, authority, now, seen)
        if seen is None and (decision.change is None or tries.count > 0):
            seen = self._store.jobs.entry(job, uuid)
            if seen is not None:
                decision = decide(job, event, authority, now, seen)
        if decision.verdict is Verdict.DUPLICATE and tries.outcome_unknown:
            # It was this delivery that wrote it: the write had succeeded and only its confirmation was lost.
            return Decision(verdict=Verdict.APPLIED, reason=f"{event.name} was applied; the job is {job.state}")
        return decision


class _Tries:
    """How often one event was tried, and whether one of its writes may have happened unseen."""

    def __init__(self) -> None:
        self.count = 0
        self.outcome_unknown = False

    def pause(self, deadline: Deadline) -> None:
        """Waits a little before the next try; by chance, so that many writers of one job do not move in step."""
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self.count, deadline.remaining())
        self.count += 1
        time.sleep(random.uniform(0, longest))  # noqa: S311 - fairness, not secrecy


def _handled(event: Event, execution: str, job: Job | None, authority: Authority, decision: Decision) -> Handled:
    shown = job if decision.verdict is not Verdict.UNAUTHORISED or tokens.is_shown(authority) else None
    change = decision.change
    given = Answer(
        verdict=decision.verdict,
        reason=decision.reason,
        execution=execution,
        uuid=event.job,
        event=event.name,
        state=(change.state if change else shown.state) if shown else None,
        last_event=(change.entries[-1].name if change else shown.last_event) if shown else None,
    )
    kept = job is not None and decision.verdict in _KEPT
    return Handled(
        answer=given,
        event=event,
        kept_state=job.state if job is not None and kept else None,
        owes=change is not None and change.owes_index,
    )
