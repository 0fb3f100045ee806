"""Decides what an event means for a job. Input: a job, an event and the time; output: a verdict and a change.

Pure: nothing is read or written here. Before, `pipelinejobs.core.tokens` has decided that the sender may send the
event. Afterwards, the store's guard writes the change only if the job is still the one that was decided on.

The rules, in the order in which they are checked:

1. If the event was applied before, it is a `duplicate`. If an event with its id but other content was applied before,
   it is `malformed`. `pipelinejobs.core.identity` says when two events are the same.
2. If the stored job is damaged, it cannot be written: a report is `stale`, a command `illegal`.
3. If the external job that the event names is one of an earlier attempt, or one external job too many, a report is
   `stale`, a command `illegal`.
4. If the lifecycle allows the event in the job's state, it is `applied`.
5. If a report says that an external job ended, but no event has said that the job runs, the missing `run` is implied:
   both are `applied`.
6. Otherwise a report has come late and is `stale`, and a command is `illegal`.

A report that was asked for and would leave the job in its state is `stale` too (`asked_in_vain`): it is no news.

If the sender has shown no more than a token of first use, `refused` changes the verdict or the reason.
"""

from datetime import datetime
from typing import Final, NamedTuple

from fsm.lifecycle import ADMINISTRATIVE, INITIAL, RESERVED
from fsm.machine import allowed, destination
from pipelinejobs.core import identity, time_limit, tokens
from pipelinejobs.core.job import Entry, Job, TimeLimit, Trusted
from pipelinejobs.core.tokens import Authority
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event, Kind

_STARTING_EVENT: Final = "run"
MOST_EXTERNALS: Final = 1000
"""The most external jobs of one job, over all its attempts."""
INDEXED_IN: Final = {"finish": "FINISHED", "index": "INDEXING"}
"""The events that need an index request, with the state into which they take the job then."""
_SHOWN: Final = 128
"""The most characters of a sender's text that a reason repeats."""


class Change(NamedTuple):
    """Everything that one event changes in a job. It is written as a whole or not at all.

    Attributes:
        entries: the new history entries, oldest first. The last one is the event's own.
        state: the job's state after the change.
        attempt: the job's attempt after the change; `reset` begins a new one.
        tokens: the hashes of tokens to remember.
        trusted: the tokens trusted on first use after the change; None for a job without a reason to trust any.
        alone: whether no other program is known to write to the job.
        external: the newest external job, as `system:id`, to be remembered and bound to the present attempt; None if
            it is remembered already.
        time_limit: for how long the job system lets the external job run, after the change; None if it is not known.
        owes_index: whether an index request has to be sent to the Indexer.
        counted: how many of the new entries the job's revision already counts (see `journaled.owing`).
        same: the uuid of an entry that would say the same as the event, if there can be one.
    """

    entries: tuple[Entry, ...]
    state: str
    attempt: str
    tokens: tuple[str, ...]
    trusted: tuple[Trusted, ...] | None = None
    alone: bool = False
    external: str | None = None
    time_limit: TimeLimit | None = None
    owes_index: bool = False
    counted: int = 0
    same: str | None = None

    @property
    def absent(self) -> list[str]:
        """The uuids of entries that the history must not have when the change is written."""
        return [*(entry.uuid for entry in self.entries), *(() if self.same is None else (self.same,))]


class Decision(NamedTuple):
    """A verdict, and what it is based on.

    Attributes:
        verdict: the verdict.
        reason: why, in words for a person.
        change: what to write; None unless the verdict is `applied`.
        job: the job as it was read; None if it does not exist.
        authority: the authority that the sender has shown.
    """

    verdict: Verdict
    reason: str
    change: Change | None = None
    job: Job | None = None
    authority: Authority = Authority.NONE


def decide(job: Job, event: Event, authority: Authority, now: datetime, seen: Entry | None = None) -> Decision:
    """Decides what `event` means for `job`.

    Args:
        job: the job as it was read.
        event: the event; `tokens.refusal` has allowed it.
        authority: the authority that the sender has shown. A token of first use becomes part of the change.
        now: the time, UTC.
        seen: the history entry that already has a uuid of this event (`identity.entry_uuids`); None if there is none.
    """
    if seen is not None:
        return _repeated(job, event, authority, seen)
    if job.damage is not None:
        return refused(job, event, authority, f"the stored job is damaged and cannot be changed: {job.damage}")
    if identity.attempt_of(job, event) != job.attempt:
        reason = "the external job belongs to an earlier attempt of the job, before its reset"
        return refused(job, event, authority, f"{reason}; the job stays {job.state}")
    if _one_too_many(job, event):
        reason = f"the job has {MOST_EXTERNALS} external jobs already, and accepts no further one"
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


def asked_in_vain(decision: Decision, event: Event) -> Decision:
    """The decision on a report that was asked for: `stale` if the state is the same before and after it.

    Nothing is written then, so that a job can be asked for again and again without filling its history.
    """
    job, change = decision.job, decision.change
    if job is None or change is None or change.state != job.state:
        return decision
    reason = f"the job is {job.state} already; the job system says {event.status}"
    return refused(job, event, decision.authority, reason)


def _one_too_many(job: Job, event: Event) -> bool:
    """Whether the event names a new external job although the job has the most that are kept.

    No external job may be forgotten: its late reports would then count for the present attempt.
    """
    if len(job.externals) < MOST_EXTERNALS:
        return False
    external = identity.external_of(event)
    return external is not None and identity.external_digest(external) not in job.externals


def _repeated(job: Job, event: Event, authority: Authority, seen: Entry) -> Decision:
    if seen.uuid == identity.asked_uuid(job, event) or identity.has_same_content(seen, event):
        verdict, reason = Verdict.DUPLICATE, f"this {event.name} was already applied; the job is {job.state}"
    else:
        shown_id = event.id.partition(":")[2][:_SHOWN]
        verdict = Verdict.MALFORMED
        reason = f"the id {shown_id} was used before for another event ({seen.name}); a new event needs a new id"
    return Decision(verdict, reason, job=job, authority=authority)


def refused(job: Job, event: Event, authority: Authority, reason: str) -> Decision:
    """The decision on an event that is not applied: a command is illegal, a report is stale.

    A token of first use becomes trusted only with an event that is applied. If the event is not applied, the sender has
    shown nothing and is told nothing about the job: a command is unauthorised. A report is stale all the same, because
    Agave gives up a subscription whose deliveries are refused.
    """
    late = event.kind is Kind.REPORT
    verdict = Verdict.STALE if late else Verdict.ILLEGAL
    if authority is Authority.FIRST_USE and late:
        reason = "the report came late or was superseded"
    elif authority is Authority.FIRST_USE:
        verdict, reason = Verdict.UNAUTHORISED, tokens.NO_SUCH_JOB
    return Decision(verdict, reason, job=job, authority=authority)


def without_data(event: Event) -> Event:
    """The event with a note in place of its data, for a job document that has no room for the data."""
    return event._replace(data=dict(identity.LEFT_OUT))


def _not_allowed(job: Job, event: Event) -> str:
    if event.kind is Kind.REPORT:
        status = (event.status or event.name)[:_SHOWN]
        return f"the job is already {job.state}; the report of {status} came late or was superseded"
    possible = [name for name in allowed(job.state) if name not in RESERVED | ADMINISTRATIVE]
    choice = ", ".join(possible) if possible else "nothing but administrative events"
    return f"{event.name} is not allowed while the job is {job.state}; allowed now: {choice}"


def _after_missing_start(job: Job, event: Event) -> str | None:
    """The state to which `run` and then the report lead, if no event has said that the job runs; else None."""
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
    hashes = tokens.remembered(job)
    attempt = entries[-1].uuid if event.name == "reset" else job.attempt
    return Change(
        entries=entries,
        state=after,
        attempt=attempt,
        tokens=tuple(hashes),
        trusted=_trusted(job, event, authority),
        # Each event of python-datacatalog changes the salt: a token that is new to us means that it wrote one.
        alone=job.alone and tuple(hashes) == job.tokens,
        external=_new_external(job, event),
        time_limit=time_limit.after(job, event, after, attempt, entries[-1].date),
        owes_index=_owes_index(job, event, after),
        same=identity.asked_uuid(job, event),
    )


def _new_external(job: Job, event: Event) -> str | None:
    """The event's external job, if it is new, or if it is the newest but a former version did not store its name."""
    external = identity.external_of(event)
    if external is None:
        return None
    digest = identity.external_digest(external)
    is_unnamed = job.external is None and [digest] == list(job.externals)[-1:]
    return external if is_unnamed or digest not in job.externals else None


def _trusted(job: Job, event: Event, authority: Authority) -> tuple[Trusted, ...] | None:
    """The tokens trusted on first use after this event; None if the job gives no reason to trust any.

    The reason is stored with the job's first event (as an empty list), because it cannot be found out later.
    """
    new = tokens.first_use(job, event) if authority is Authority.FIRST_USE else None
    rows = (*(job.trusted or ()), *((new,) if new is not None else ()))
    return rows if tokens.was_rotated(job) else None


def _owes_index(job: Job, event: Event, after: str) -> bool:
    """Whether the event needs an index request: `finish` into FINISHED, or the command `index` into INDEXING."""
    entered = after != job.state
    return entered and (event.name == "finish" or (event.name == "index" and event.kind is Kind.COMMAND))
