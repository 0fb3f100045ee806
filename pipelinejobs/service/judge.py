"""Judges events: reads the jobs together, decides about each event, writes together, and repeats if a guard missed."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pipelinejobs.core import identity, outcome, tokens
from pipelinejobs.core.decide import Decision, asked_in_vain, decide, refused, without_data
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.core.journaled import Journaled, as_it_was, owing
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.tokens import Authority, Policy
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.service.attempt import Attempt
from pipelinejobs.service.other_writers import OtherWriters
from pipelinejobs.store import DocumentFull, Store, Written, within
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown, Unavailable
from pipelinejobs.util.log import logger
from pipelinejobs.util.redaction import without_tokens

_KEPT: Final = frozenset({Verdict.ILLEGAL, Verdict.STALE, Verdict.UNAUTHORISED, Verdict.MALFORMED})
"""Verdicts based only on a read. They are re-checked with a linearizable read before they are returned, and stored for
`explain`."""

_TOO_LATE: Final = "timed out; nothing was changed - send the same delivery again"


class Judge:
    """Judges attempts until they have their outcomes."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        others: OtherWriters,
        *,
        database_seconds: float = 10.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._policy = policy
        self._others = others
        self._database_seconds = database_seconds
        self._clock = clock

    def attempt(
        self,
        event: Event,
        execution: str,
        seconds: float | None = None,
        *,
        is_new: bool = False,
        is_large: bool = False,
        asked: bool = False,
    ) -> Attempt:
        """A new attempt to judge an event.

        Args:
            event, execution, is_new, is_large, asked: see `Attempt`.
            seconds: the most seconds that judging may take, if less than `limits.database`.
        """
        limit = self._database_seconds if seconds is None else min(self._database_seconds, seconds)
        return Attempt(event, execution, Deadline(limit), is_new=is_new, is_large=is_large, asked=asked)

    def finish(self, attempts: Sequence[Attempt]) -> None:
        """Judges events, round after round, until each has its outcome.

        Args:
            attempts: one, or several of different jobs.

        Raises:
            WrongSetting: the database refuses our user.
        """
        pending = attempts
        while True:
            self.judge(pending)
            pending = [attempt for attempt in pending if attempt.outcome is None]
            if not pending:
                return
            time.sleep(max(attempt.pause() for attempt in pending))

    def judge(self, attempts: Sequence[Attempt]) -> None:
        """Judges events in one round.

        If an attempt has no outcome afterwards, its job changed meanwhile or the database was unavailable: judge it
        again after `Attempt.pause`.

        Args:
            attempts: one, or several of different jobs.

        Raises:
            WrongSetting: the database refuses our user.
        """
        in_time = [attempt for attempt in attempts if not attempt.deadline.passed()]
        trouble = _TOO_LATE
        if in_time:
            try:
                with within(max(attempt.deadline.remaining() for attempt in in_time)):
                    self._round(in_time)
            except Unavailable as error:
                trouble = error.reason
        for attempt in attempts:
            attempt.rounds += 1
            if attempt.outcome is None and attempt.deadline.passed():
                may_be_applied = attempt.unconfirmed or attempt.concluded is not None
                why = OutcomeUnknown().reason if may_be_applied else trouble
                attempt.outcome = outcome.about(attempt.event, attempt.execution, Verdict.UNAVAILABLE, why)

    def _round(self, attempts: Sequence[Attempt]) -> None:
        self._tell(attempts)
        attempts = [attempt for attempt in attempts if attempt.outcome is None]
        now = self._clock()
        jobs = self._store.jobs.load_all([attempt.event.job for attempt in attempts])
        moved = self._moved(attempts, jobs)
        writes = []
        for attempt in attempts:
            decision = self._decision(attempt, jobs.get(attempt.event.job), moved, now)
            if decision is not None and decision.verdict in _KEPT:
                # A deposed primary cannot write, but until it learns of its deposition it answers with old data.
                job = self._store.jobs.load_confirmed(attempt.event.job)
                decision = self._decision(attempt, job, self._moved([attempt], {job.uuid: job} if job else {}), now)
            if decision is None:
                continue
            if decision.change is None:
                self._conclude(attempt, decision)
            else:
                writes.append((attempt, decision))
        self._tell(attempts)
        if writes:
            self._write(writes)
            self._tell(attempts)

    def _tell(self, attempts: Sequence[Attempt]) -> None:
        """Sets the outcomes of concluded attempts, once the journal has the events that need it."""
        concluded = [attempt for attempt in attempts if attempt.concluded is not None and attempt.outcome is None]
        journaled = [attempt.journaled for attempt in concluded if attempt.journaled is not None]
        if journaled:
            self._store.journal.add(journaled)
        for attempt in concluded:
            attempt.outcome = attempt.concluded

    def _moved(self, attempts: Sequence[Attempt], jobs: Mapping[str, Job]) -> Mapping[str, Entry]:
        """The entries, by uuid, that these events already have among the entries moved out of their jobs."""
        wanted = []
        for attempt in attempts:
            job = jobs.get(attempt.event.job)
            if job is not None and job.moved and not (attempt.is_new and attempt.rounds == 0):
                wanted += [(job, uuid) for uuid in identity.entry_uuids(job, attempt.event)]
        return self._store.history.moved_entries(wanted) if wanted else {}

    def _decision(
        self, attempt: Attempt, job: Job | None, moved: Mapping[str, Entry], now: datetime
    ) -> Decision | None:
        """The decision on the job as it was read; None if its older history was moved now, which changed the job."""
        event = attempt.event
        if attempt.again is not None:
            job, authority, refusal = as_it_was(job, attempt.again), Authority.JOB, None
        elif attempt.asked:
            authority, refusal = Authority.JOB, None
        else:
            authority = tokens.authority(job, event, self._policy, now.timestamp())
            refusal = tokens.refusal(authority, event)
        if job is None or refusal is not None:
            return Decision(Verdict.UNAUTHORISED, refusal or tokens.NO_SUCH_JOB, job=job, authority=authority)
        if job.damage is None and self._store.history.limits.passed_by(job) and self._store.history.move(job):
            return None
        return self._decide(attempt, job, authority, moved, now)

    def _decide(
        self, attempt: Attempt, job: Job, authority: Authority, moved: Mapping[str, Entry], now: datetime
    ) -> Decision:
        """Decides, and looks for an earlier application of the event only if the guard of the write would not find it.

        The guard looks at the history in the document. A look-up is needed for entries that were moved, if nothing is
        to be written, and after a missed guard, to find out why it missed.
        """
        event = attempt.event
        uuids = identity.entry_uuids(job, event)
        seen = next((moved[uuid] for uuid in uuids if uuid in moved), None)
        decision = decide(job, event, authority, now, seen)
        if seen is None and (decision.change is None or attempt.rounds > 0):
            seen = self._store.entry(job, *uuids)
            if seen is not None:
                decision = decide(job, event, authority, now, seen)
        if attempt.again is not None:
            return owing(decision, job, attempt.again)
        if attempt.asked:
            return asked_in_vain(decision, event)
        if attempt.unconfirmed and decision.verdict is Verdict.DUPLICATE and self._was_written(attempt, job):
            reason = f"{event.name} was applied; the job is {job.state}"
            return decision._replace(verdict=Verdict.APPLIED, reason=reason)
        return decision

    def _was_written(self, attempt: Attempt, job: Job) -> bool:
        """Whether this delivery itself wrote the event, and only the confirmation was lost.

        If another event was written since, that cannot be known. The verdict then stays `duplicate`, so that no
        event is ever reported as applied twice.
        """
        return self._store.jobs.was_last(attempt.execution, job)

    def _write(self, decided: Sequence[tuple[Attempt, Decision]]) -> None:
        writes = []
        for attempt, decision in decided:
            assert decision.job is not None
            assert decision.change is not None
            writes.append((decision.job, decision.change, attempt.execution))
            if attempt.again is not None and decision.change.owes_index:
                self._store.jobs.withdraw(decision.job, attempt.again.entry)
        try:
            written = self._store.jobs.apply(writes)
        except OutcomeUnknown:
            for attempt, _ in decided:
                attempt.unconfirmed = True
            raise
        for (attempt, decision), result in zip(decided, written, strict=True):
            match result:
                case Written.YES:
                    self._conclude(attempt, decision)
                case Written.MISSED:
                    pass  # another writer was first: the next round reads the job again and decides again
                case Written.UNKNOWN:
                    attempt.unconfirmed = True
                case Written.TOO_LARGE:
                    self._too_large(attempt, decision)

    def _too_large(self, attempt: Attempt, decision: Decision) -> None:
        """Refuses a command. Of a report only the data are left out, because a job system does not send it again."""
        assert decision.job is not None
        smaller = without_data(attempt.event)
        if attempt.event.kind is Kind.REPORT and smaller.data != attempt.event.data:
            attempt.event = smaller
        else:
            self._conclude(attempt, refused(decision.job, attempt.event, decision.authority, DocumentFull().reason))

    def _conclude(self, attempt: Attempt, decision: Decision) -> None:
        """Sets the outcome, and what the journal must contain before the outcome is returned.

        As long as no other program is known to write to the database, the journal is not needed for a job that this
        project made, unless the event is large.
        """
        concluded = self._outcome(attempt, decision)
        if concluded.first_use:
            event = attempt.event
            fields = {"job": event.job, "event": event.name, "user": event.sender, "execution": attempt.execution}
            logger.warning(
                "a token was trusted on first use: another program changed the salt before the manager saw the job",
                extra={"fields": fields},
            )
        attempt.concluded, attempt.journaled = concluded, None
        if decision.job is None or decision.verdict not in (Verdict.APPLIED, Verdict.DUPLICATE):
            return
        is_alone = decision.change.alone if decision.change is not None else decision.job.alone
        if not is_alone:
            self._others.known = True
        if self._others.known or attempt.is_large:
            attempt.journaled = _journaled(attempt, decision, decision.job)
        else:
            attempt.concluded = concluded._replace(watch=_journaled(attempt, decision, decision.job))

    def _outcome(self, attempt: Attempt, decision: Decision) -> Outcome:
        event, job, change = attempt.event, decision.job, decision.change
        shown = job if change is not None or tokens.is_shown(decision.authority) else None
        reason, refusal = without_tokens(decision.reason), None
        if job is not None and decision.verdict in _KEPT:
            refusal = self._store.refused.row(event, decision.verdict, reason, job.state, attempt.execution)
        return Outcome(
            verdict=decision.verdict,
            reason=reason,
            execution=attempt.execution,
            uuid=event.job,
            event=event.name,
            state=(change.state if change else shown.state) if shown else None,
            last_event=(change.entries[-1].name if change else shown.last_event) if shown else None,
            message=event.message,
            refusal=refusal,
            owes=change is not None and change.owes_index,
            first_use=change is not None and decision.authority is Authority.FIRST_USE,
        )


def _journaled(attempt: Attempt, decision: Decision, job: Job) -> Journaled:
    event, change = attempt.event, decision.change
    return Journaled(
        event=event._replace(tokens=(), message=None),
        life=job.life,
        attempt=identity.attempt_of(job, event),
        entry=change.entries[-1].uuid if change is not None else identity.entry_uuid(job, event),
        execution=attempt.execution,
        revision=job.revision,
        owes=change.owes_index if change is not None else attempt.again is not None and attempt.again.owes,
        tokens=change.tokens if change is not None else tuple(tokens.remembered(job)),
        trusted=change.trusted if change is not None else job.trusted,
    )
