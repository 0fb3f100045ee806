"""The heart: a job, an event and the time in; a verdict and a change out.

Pure: nothing is read or written here. Whether the sender may do this was decided before (`pipelinejobs.core.tokens`);
that the change is written only onto the very job it was decided on is the store's guard.

The rules, in the order in which they are asked:

1. An event that was applied before is a `duplicate`; its id with other content is `malformed`. What makes two events
   the same is said in `pipelinejobs.core.identity`.
2. If the stored job is damaged, nothing can be written to it: a report is `stale`, a command `illegal`.
3. A report of an external job that belongs to an earlier attempt of the job is `stale`; so is one of an external job
   beyond the most that are kept.
4. What the lifecycle allows from the present state is `applied`.
5. A report that a job ended, for a job that is not known to run, implies the missing `run`: both are `applied`.
6. Any other report has come late: `stale`. Any other command is `illegal`.

A sender whose only authority is a token of first use is told less (`refused`).
"""

from datetime import datetime
from typing import Final, NamedTuple

from fsm.lifecycle import ADMINISTRATIVE, INITIAL, RESERVED
from fsm.machine import allowed, destination
from pipelinejobs.core import identity, tokens
from pipelinejobs.core.job import Entry, Job, Trusted
from pipelinejobs.core.tokens import Authority
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event, Kind

_STARTING_EVENT: Final = "run"
MOST_EXTERNALS: Final = 1000
"""External jobs of one job, over all its attempts."""
_SHOWN: Final = 128
"""Characters of a sender's own words that a reason repeats."""


class Change(NamedTuple):
    """Everything that one event changes in a job; it is written at once or not at all.

    Attributes:
        entries: the new history entries, oldest first. The last one is the event's own.
        state: the job's state afterwards.
        attempt: the attempt afterwards; `reset` begins a new one.
        tokens: the hashes of tokens to remember.
        trusted: the tokens trusted on first use afterwards; None for a job that gives no reason to trust any.
        alone: whether no other program is known to write to the job.
        external: digest of the external job to be bound to the present attempt, when it is new.
        owes_index: whether an index request is owed to the Indexer.
        counted: how many of the entries the job's revision counts already.
    """

    entries: tuple[Entry, ...]
    state: str
    attempt: str
    tokens: tuple[str, ...]
    trusted: tuple[Trusted, ...] | None = None
    alone: bool = False
    external: str | None = None
    owes_index: bool = False
    counted: int = 0


class Decision(NamedTuple):
    """A verdict, and what it was made on.

    Attributes:
        verdict: the verdict.
        reason: why, in words for a person.
        change: what is to be written; None unless the verdict is `applied`.
        job: the job as it was read; None for a job that does not exist.
        authority: what the sender has shown.
    """

    verdict: Verdict
    reason: str
    change: Change | None = None
    job: Job | None = None
    authority: Authority = Authority.NONE


def decide(job: Job, event: Event, authority: Authority, now: datetime, seen: Entry | None = None) -> Decision:
    """What `event` means for `job`.

    Args:
        job: the job as it was read.
        event: the event; its sender was found to be allowed to send it.
        authority: what the sender has shown. A token of first use becomes part of the change.
        now: the time, UTC.
        seen: the history entry that already has the uuid this event would get, when there is one.
    """
    if seen is not None:
        return _repeated(job, event, authority, seen)
    if job.damage is not None:
        return refused(job, event, authority, f"the stored job is damaged and cannot be changed: {job.damage}")
    if identity.attempt_of(job, event) != job.attempt:
        reason = "the report is of the external job of an earlier attempt, before the job was reset"
        return refused(job, event, authority, f"{reason}; the job stays {job.state}")
    if _one_too_many(job, event):
        reason = f"the job has had reports of {MOST_EXTERNALS} external jobs, and no more are accepted"
        return refused(job, event, authority, f"{reason}; the job stays {job.state}")
    after = destination(job.state, event.name)
    if after is not None:
        return Decision(
            verdict=Verdict.APPLIED,
            reason=f"{event.name}: {job.state} -> {after}",
            change=_change(job, event, authority, (_entry(job, event, now),), after),
            job=job,
            authority=authority,
        )
    after = _after_missing_start(job, event)
    if after is not None:
        entry = _entry(job, event, now)
        return Decision(
            verdict=Verdict.APPLIED,
            reason=f"{event.name}: {job.state} -> {after}; no event had said that the job runs, "
            f"so the missing {_STARTING_EVENT} is implied",
            change=_change(job, event, authority, (_implied_start(entry), entry), after),
            job=job,
            authority=authority,
        )
    return refused(job, event, authority, _not_allowed(job, event))


def _one_too_many(job: Job, event: Event) -> bool:
    """Whether this is the report of one more external job than is kept. None may be forgotten, for its late reports
    would then count as those of the present attempt."""
    return (
        event.external is not None
        and len(job.externals) >= MOST_EXTERNALS
        and identity.external_digest(event.external) not in job.externals
    )


def _repeated(job: Job, event: Event, authority: Authority, seen: Entry) -> Decision:
    if identity.says_the_same(seen, event):
        verdict, reason = Verdict.DUPLICATE, f"this {event.name} was already applied; the job is {job.state}"
    else:
        shown_id = event.id.partition(":")[2][:_SHOWN]
        verdict = Verdict.MALFORMED
        reason = f"the id {shown_id} was used before for another event ({seen.name}); a new event needs a new id"
    return Decision(verdict, reason, job=job, authority=authority)


def refused(job: Job, event: Event, authority: Authority, reason: str) -> Decision:
    """The verdict on an event that cannot be used: a command is illegal, news has merely come late.

    A token of first use is trusted by being written with an applied event. Without one it has shown nothing, and its
    sender is told nothing of the job. A report is not called unauthorised for that: Agave gives up a subscription
    whose deliveries are refused.
    """
    late = event.kind is Kind.REPORT
    verdict = Verdict.STALE if late else Verdict.ILLEGAL
    if authority is Authority.FIRST_USE and late:
        reason = "the report came late or was superseded"
    elif authority is Authority.FIRST_USE:
        verdict, reason = Verdict.UNAUTHORISED, tokens.NO_SUCH_JOB
    return Decision(verdict, reason, job=job, authority=authority)


def without_data(event: Event) -> Event:
    """The event where there is no room for what it says: that it happened is kept all the same."""
    return event._replace(data=dict(identity.LEFT_OUT))


def _not_allowed(job: Job, event: Event) -> str:
    if event.kind is Kind.REPORT:
        said = (event.status or event.name)[:_SHOWN]
        return f"the job is already {job.state}; the report of {said} came late or was superseded"
    possible = [name for name in allowed(job.state) if name not in RESERVED | ADMINISTRATIVE]
    choice = ", ".join(possible) if possible else "nothing but administrative events"
    return f"{event.name} is not allowed while the job is {job.state}; allowed now: {choice}"


def _after_missing_start(job: Job, event: Event) -> str | None:
    """Where a report leads that makes sense only for a job that runs, when the job is not known to run."""
    if event.kind is not Kind.REPORT or job.state != INITIAL:
        return None
    started = destination(INITIAL, _STARTING_EVENT)
    return destination(started, event.name) if started is not None else None


def _implied_start(entry: Entry) -> Entry:
    return Entry(
        uuid=identity.implied_uuid(entry.uuid),
        name=_STARTING_EVENT,
        data={"implied": True, "implied_by": entry.uuid},
        date=entry.date,
    )


def _entry(job: Job, event: Event, now: datetime) -> Entry:
    return Entry(
        uuid=identity.entry_uuid(job, event),
        name=event.name,
        data=event.data,
        date=now.replace(microsecond=0),
    )


def _change(job: Job, event: Event, authority: Authority, entries: tuple[Entry, ...], after: str) -> Change:
    digest = identity.external_digest(event.external) if event.external is not None else None
    hashes = tokens.remembered(job)
    return Change(
        entries=entries,
        state=after,
        attempt=entries[-1].uuid if event.name == "reset" else job.attempt,
        tokens=tuple(hashes),
        trusted=_trusted(job, event, authority),
        # Each event of python-datacatalog changes the salt, so that a token not yet remembered tells of one.
        alone=job.alone and tuple(hashes) == job.tokens,
        external=digest if digest not in job.externals else None,
        owes_index=_owes_index(job, event, after),
    )


def _trusted(job: Job, event: Event, authority: Authority) -> tuple[Trusted, ...] | None:
    """The tokens trusted on first use after this event. That the job gives reason to trust is kept from its first
    event on, since later nothing else would tell."""
    new = tokens.first_use(job, event) if authority is Authority.FIRST_USE else None
    rows = (*(job.trusted or ()), *((new,) if new is not None else ()))
    return rows if tokens.was_rotated(job) else None


def _owes_index(job: Job, event: Event, after: str) -> bool:
    """One index request for each entry into FINISHED by `finish`, and into INDEXING by the command `index`."""
    entered = after != job.state
    return entered and (event.name == "finish" or (event.name == "index" and event.kind is Kind.COMMAND))
