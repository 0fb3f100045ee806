"""An applied event that another program may undo, and what is decided about it once it was undone.

Such a program replaces whole documents without a guard; how an event that it has taken away is found and applied again
is told in `pipelinejobs.service.reapply`. The rules are here.
"""

from typing import Final, NamedTuple

from pipelinejobs.core.decide import Decision
from pipelinejobs.core.identity import external_digest
from pipelinejobs.core.job import Job, Trusted
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.util.record import shown

_OWED_IN: Final = {"finish": "FINISHED", "index": "INDEXING"}
"""The state in which there still is something to be indexed, by event."""


class Journaled(NamedTuple):
    """An applied event, with what its application has written.

    Attributes:
        event: the event, without tokens and without the message as it came.
        life: the life of the job in which it was applied.
        attempt: the attempt to which it belongs.
        entry: uuid of its history entry.
        execution: id of the execution that applied it.
        revision: the job's revision before it, which orders the events of one job.
        owes: whether it made the job owe an index request.
        tokens, trusted: see `job.Job`; what the job remembered with it.
    """

    event: Event
    life: str
    attempt: str
    entry: str
    execution: str
    revision: int | float
    owes: bool
    tokens: tuple[str, ...]
    trusted: tuple[Trusted, ...] | None

    @property
    def key(self) -> str:
        """What names it in the journal."""
        return f"{self.event.job}:{self.entry}"

    def __repr__(self) -> str:
        return shown(self, "tokens", "trusted")


def as_it_was(job: Job | None, again: Journaled) -> Job | None:
    """The job as it is by now, with what is known of it from the event's first application; None where that was in
    another life of the job."""
    if job is None or job.life != again.life:
        return None
    known = tuple(dict.fromkeys([*again.tokens, *(job.tokens or ())]))
    externals = dict(job.externals)
    if again.event.external is not None and again.attempt != job.attempt:
        externals.setdefault(external_digest(again.event.external), again.attempt)
    trusted = None
    if again.trusted is not None or job.trusted is not None:
        trusted = tuple(dict.fromkeys([*(again.trusted or ()), *(job.trusted or ())]))
    return job._replace(tokens=known, trusted=trusted, externals=externals)


def owing(decision: Decision, job: Job, again: Journaled) -> Decision:
    """The decision on an event that was undone: what it made the job owe is owed again, and a refusal says what it
    means.

    python-datacatalog takes the fields with an underscore from a later read than the history. So the revision may
    count an entry that is gone.
    """
    change = decision.change
    if change is not None:
        counted = int(job.revision) - (job.entries - 1 + job.moved)
        change = change._replace(
            owes_index=change.owes_index or (again.owes and change.state == _OWED_IN.get(again.event.name)),
            counted=max(0, min(counted, len(change.entries))),
            alone=False,
        )
        return decision._replace(change=change)
    if decision.verdict in (Verdict.ILLEGAL, Verdict.STALE):
        reason = f"{again.event.name} was applied, and undone by another program that replaced the whole job"
        return decision._replace(reason=f"{reason}; it cannot be applied again: {decision.reason}")
    return decision
