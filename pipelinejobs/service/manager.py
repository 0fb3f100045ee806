"""The use case: events in, answers out; load, authorise, decide, apply, and afterwards send what is owed."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pipelinejobs.core import identity, outcome, tokens
from pipelinejobs.core.decide import Decision, decide, refused, without_data
from pipelinejobs.core.identity import attempt_of, entry_uuid
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.core.outcome import Answer
from pipelinejobs.core.tokens import Authority, Policy
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.service.attempt import Applied, Case, Handled
from pipelinejobs.service.outbox_relay import Outbox
from pipelinejobs.service.reapply import Journal, as_it_was, owing
from pipelinejobs.store import DocumentFull, Store, Write, Written, within
from pipelinejobs.store.journal import Journaled
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown, Unavailable
from pipelinejobs.util.log import logger
from pipelinejobs.util.redaction import without_tokens

_OTHERS_ROWS: Final = 5

_KEPT: Final = frozenset({Verdict.ILLEGAL, Verdict.STALE, Verdict.UNAUTHORISED, Verdict.MALFORMED})
"""Verdicts based only on a read. They are re-checked with a linearizable read before they are returned, and stored for
`explain`."""
_KNOWN_SENDER: Final = frozenset({Verdict.APPLIED, Verdict.DUPLICATE, Verdict.STALE, Verdict.ILLEGAL})


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
        self.journal = Journal(store, self.judge)

    def handle(self, event: Event, execution: str, seconds: float | None = None) -> Handled:
        """Judges one event. When this returns `applied`, the event is durable.

        Args:
            event: the event, already read.
            execution: the id of this execution.
            seconds: how long it may take, where that is less than the database is given anyway.

        Raises:
            WrongSetting: the database refuses our user.
        """
        case = self.case(event, execution, seconds)
        while True:
            self.judge([case])
            if case.handled is not None:
                return case.handled
            time.sleep(case.pause())

    def case(
        self,
        event: Event,
        execution: str,
        seconds: float | None = None,
        *,
        is_new: bool = False,
        is_large: bool = False,
    ) -> Case:
        """An event to be judged; see `handle` and `Case`."""
        limit = self._database_seconds if seconds is None else min(self._database_seconds, seconds)
        return Case(event, execution, Deadline(limit), is_new=is_new, is_large=is_large)

    def judge(self, cases: Sequence[Case]) -> None:
        """One round: reads the jobs together, decides about each, and writes together.

        A case that is not handled afterwards met a job that changed meanwhile, or a database that is away: it has to be
        judged again, after its pause.

        Args:
            cases: of different jobs, or one.

        Raises:
            WrongSetting: the database refuses our user.
        """
        in_time = [case for case in cases if not case.deadline.passed()]
        trouble = Unavailable("the time for this event is over; nothing was changed, send the same delivery again")
        if in_time:
            try:
                with within(max(case.deadline.remaining() for case in in_time)):
                    self._round(in_time)
            except Unavailable as error:
                trouble = error
        for case in cases:
            case.rounds += 1
            if case.handled is None and case.deadline.passed():
                case.handled = _unavailable(case, trouble)

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

    def keep_unread(self, unread: "Unread", deadline: Deadline) -> None:
        """Keeps the refusal of a delivery that could not be read, if it showed a token of the job that it names.

        Raises:
            Unavailable: the database cannot be asked.
        """
        event = unread.claim
        with within(min(self._database_seconds, deadline.remaining())):
            job = self._store.jobs.load(event.job)
            authority = tokens.authority(job, event, self._policy, self._clock().timestamp())
            if job is not None and tokens.is_shown(authority):
                row = self._store.refused.row(event, Verdict.MALFORMED, unread.reason, job.state, unread.execution)
                self._store.refused.keep(row)

    def settle(self, handled: Handled, deadline: Deadline) -> None:
        """What is done after the answer: keep a refusal, send what the job owes, apply again what another program has
        undone, and send a little of what other jobs owe.

        Nothing here changes the answer; trouble is logged and left to the next run.
        """
        try:
            refusal = self.refusal(handled)
            if refusal is not None:
                self.keep(refusal, deadline)
            if handled.answer.verdict in _KNOWN_SENDER:
                answers = not handled.owes or self._outbox.send_own(handled.event.job, deadline)
                self.journal.look(deadline)
                if answers:  # what this job owed before is overdue, and among these
                    self._outbox.send_overdue(_OTHERS_ROWS, deadline)
        except (Unavailable, DocumentFull) as error:
            logger.warning("not everything could be done after the answer", extra={"fields": {"why": error.reason}})

    def _round(self, cases: Sequence[Case]) -> None:
        self._acknowledge(cases)
        cases = [case for case in cases if case.handled is None]
        now = self._clock()
        jobs = self._store.jobs.load_all([case.event.job for case in cases])
        moved = self._moved(cases, jobs)
        writes = []
        for case in cases:
            judged = self._judged(case, jobs.get(case.event.job), moved, now)
            if judged is not None and judged.decision.verdict in _KEPT:
                # A server that is the primary no longer cannot write, but until it knows it answers from the past.
                job = self._store.jobs.load_confirmed(case.event.job)
                judged = self._judged(case, job, self._moved([case], {case.event.job: job} if job else {}), now)
            if judged is None:
                continue
            if judged.decision.change is None:
                case.applied = self._applied(case, judged)
            else:
                writes.append((case, judged))
        self._acknowledge(cases)
        if writes:
            self._write(writes)
            self._acknowledge(cases)

    def _acknowledge(self, cases: Sequence[Case]) -> None:
        """Gives the answers there are, as soon as the journal has those events that another program may undo."""
        answered = [(case, case.applied) for case in cases if case.applied is not None and case.handled is None]
        journaled = [applied.journaled for _, applied in answered if applied.journaled is not None]
        if journaled:
            self._store.journal.add(journaled)
        for case, applied in answered:
            case.handled = applied.handled

    def _moved(self, cases: Sequence[Case], jobs: Mapping[str, Job]) -> Mapping[str, Entry]:
        """Entries of these events, by uuid, that have moved out of their jobs."""
        wanted = []
        for case in cases:
            job = jobs.get(case.event.job)
            if job is not None and job.moved and not (case.is_new and case.rounds == 0):
                wanted.append((job, identity.entry_uuid(job, case.event)))
        return self._store.history.moved_entries(wanted) if wanted else {}

    def _write(self, writes: "Sequence[tuple[Case, _Judged]]") -> None:
        """Writes what was decided. Whoever lost the race for a job, or may have, is judged again."""
        for case, judged in writes:
            change = judged.decision.change
            if case.again is not None and judged.job is not None and change is not None and change.owes_index:
                self._store.jobs.withdraw(judged.job, case.again.entry)
        try:
            outcomes = self._store.jobs.apply([judged.write(case.execution) for case, judged in writes])
        except OutcomeUnknown:
            for case, _ in writes:
                case.unconfirmed = True
            raise
        for (case, judged), written in zip(writes, outcomes, strict=True):
            if written is Written.YES:
                case.applied = self._applied(case, judged)
            elif written is Written.UNKNOWN:
                case.unconfirmed = True
            elif written is Written.TOO_LARGE:
                self._too_large(case, judged)

    def _applied(self, case: Case, judged: "_Judged") -> Applied:
        """The answer, and what the journal has to hold before it is given.

        While no other program is known to write to the database, that is nothing for a job that this project made,
        unless the event is large.
        """
        event, job, decision = case.event, judged.job, judged.decision
        handled = _handled(case, judged)
        if handled.first_use:
            fields = {"job": event.job, "event": event.name, "user": event.sender, "execution": case.execution}
            logger.warning(
                "a token was trusted on first use: another program changed the job's salt before this one saw the job",
                extra={"fields": fields},
            )
        if job is None or decision.verdict not in (Verdict.APPLIED, Verdict.DUPLICATE):
            return Applied(handled, None)
        change = decision.change
        journaled = Journaled(
            event=event._replace(tokens=(), message=None),
            life=job.life,
            attempt=attempt_of(job, event),
            entry=change.entries[-1].uuid if change is not None else entry_uuid(job, event),
            execution=case.execution,
            revision=job.revision,
            owes=change.owes_index if change is not None else case.again is not None and case.again.owes,
            tokens=change.tokens if change is not None else tuple(tokens.remembered(job)),
            trusted=change.trusted if change is not None else job.trusted,
        )
        is_alone = change.alone if change is not None else job.alone
        if not is_alone:
            self.journal.beside_others = True
        if not self.journal.beside_others and not case.is_large:
            return Applied(handled._replace(watch=journaled), None)
        return Applied(handled, journaled)

    def _too_large(self, case: Case, judged: "_Judged") -> None:
        """A command is told so. A report is a fact, and a job system never repeats it: then what it says goes alone."""
        smaller = without_data(case.event)
        if case.event.kind is Kind.REPORT and smaller.data != case.event.data:
            case.event = smaller
        else:
            decision = refused(case.event, judged.authority, DocumentFull().reason)
            case.applied = self._applied(case, judged._replace(decision=decision))

    def _judged(self, case: Case, job: Job | None, moved: Mapping[str, Entry], now: datetime) -> "_Judged | None":
        """Decides about the job as it was read. None where older history had to be moved first: then it was changed."""
        event = case.event
        if case.again is not None:
            job, authority, refusal = as_it_was(job, case.again), Authority.JOB, None
        else:
            authority = tokens.authority(job, event, self._policy, now.timestamp())
            refusal = tokens.refusal(authority, event)
        if job is None or refusal is not None:
            decision = Decision(verdict=Verdict.UNAUTHORISED, reason=refusal or tokens.NO_SUCH_JOB)
            return _Judged(job, authority, decision)
        if job.damage is None and self._store.history.limits.passed_by(job) and self._store.history.move(job):
            return None
        return _Judged(job, authority, self._decide(case, job, authority, moved, now))

    def _decide(
        self, case: Case, job: Job, authority: Authority, moved: Mapping[str, Entry], now: datetime
    ) -> Decision:
        """Decides, asking for an earlier application of the event only where the guard of the write would not tell.

        The guard knows the embedded history. It does not know entries that were moved, it is not asked when nothing is
        to be written, and after a miss it has to be found out why it missed.
        """
        event = case.event
        uuid = identity.entry_uuid(job, event)
        seen = moved.get(uuid)
        decision = decide(job, event, authority, now, seen)
        if seen is None and (decision.change is None or case.rounds > 0):
            seen = self._store.entry(job, uuid)
            if seen is not None:
                decision = decide(job, event, authority, now, seen)
        if case.again is not None:
            return owing(decision, job, case.again)
        if case.unconfirmed and decision.verdict is Verdict.DUPLICATE and self._was_written(case, job):
            return Decision(verdict=Verdict.APPLIED, reason=f"{event.name} was applied; the job is {job.state}")
        return decision

    def _was_written(self, case: Case, job: Job) -> bool:
        """Whether it was this delivery that wrote the event: only the confirmation was lost.

        Where another event was written since, nobody can tell, and it stays a duplicate: no event is ever said to be
        applied twice.
        """
        return self._store.jobs.was_last(case.execution, job)


class Unread(NamedTuple):
    """A delivery that was answered `malformed` before any job was looked at.

    Attributes:
        claim: the job that it names and the token that it shows (`messages.claim`).
        reason: what its sender was told.
        execution: the id of the execution.
    """

    claim: Event
    reason: str
    execution: str


class _Judged(NamedTuple):
    """A decision, and what it was made on."""

    job: Job | None
    authority: Authority
    decision: Decision

    def write(self, execution: str) -> Write:
        """What this execution is to write."""
        assert self.job is not None
        assert self.decision.change is not None
        return Write(self.job, self.decision.change, execution)


def _unavailable(case: Case, trouble: Unavailable) -> Handled:
    why = OutcomeUnknown() if case.unconfirmed or case.applied is not None else trouble
    given = outcome.about(case.event, case.execution, Verdict.UNAVAILABLE, why.reason)
    return Handled(answer=given, event=case.event)


def _handled(case: Case, judged: _Judged) -> Handled:
    event, job, decision = case.event, judged.job, judged.decision
    change = decision.change
    shown = job if change is not None or tokens.is_shown(judged.authority) else None
    given = Answer(
        verdict=decision.verdict,
        reason=without_tokens(decision.reason),
        execution=case.execution,
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
        first_use=change is not None and judged.authority is Authority.FIRST_USE,
    )
