"""An applied event that another program may undo, and the rules for applying it again.

Such a program replaces whole documents without a guard. `pipelinejobs.service.reapply` finds the events that it has
undone and applies them again.
"""

from typing import NamedTuple

from pipelinejobs.core.decide import INDEXED_IN, Decision
from pipelinejobs.core.identity import external_digest, external_of
from pipelinejobs.core.job import Job, Trusted
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.util.record import shown


class Journaled(NamedTuple):
    """An applied event, with what was written when it was applied.

    Attributes:
        event: the event, without tokens and without the original message.
        life: the life of the job in which it was applied.
        attempt: the job's attempt to which it belongs.
        entry: uuid of its history entry.
        execution: id of the execution that applied it.
        revision: the job's revision before the event, by which the events of one job are ordered.
        owes: whether the event made an index request necessary.
        tokens, trusted: what the job remembered after the event; see `job.Job`.
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
        """Its key in the journal: the job's uuid and the entry's."""
        return f"{self.event.job}:{self.entry}"

    def __repr__(self) -> str:
        return shown(self, "tokens", "trusted")


def as_it_was(job: Job | None, again: Journaled) -> Job | None:
    """The job as it is now, with the tokens and external jobs that were known when the event was first applied.

    None if the job is gone, or was made again since: then its life is another one.
    """
    if job is None or job.life != again.life:
        return None
    known = tuple(dict.fromkeys([*again.tokens, *(job.tokens or ())]))
    externals = dict(job.externals)
    external = external_of(again.event)
    if external is not None and again.attempt != job.attempt:
        externals.setdefault(external_digest(external), again.attempt)
    trusted = None
    if again.trusted is not None or job.trusted is not None:
        trusted = tuple(dict.fromkeys([*(again.trusted or ()), *(job.trusted or ())]))
    return job._replace(tokens=known, trusted=trusted, externals=externals)


def owing(decision: Decision, job: Job, again: Journaled) -> Decision:
    """The decision on an event that was undone, completed.

    If the event is applied again, its index request is needed again, and the revision counts its entries only if it
    does not count them already: python-datacatalog takes the fields with an underscore from a later read than the
    history. If the event is refused, the reason says that it was undone.
    """
    change = decision.change
    if change is not None:
        counted = int(job.revision) - (job.entries - 1 + job.moved)
        change = change._replace(
            owes_index=change.owes_index or (again.owes and change.state == INDEXED_IN.get(again.event.name)),
            counted=max(0, min(counted, len(change.entries))),
            alone=False,
        )
        return decision._replace(change=change)
    if decision.verdict in (Verdict.ILLEGAL, Verdict.STALE):
        reason = f"{again.event.name} was applied, and undone by another program that replaced the whole job"
        return decision._replace(reason=f"{reason}; it cannot be applied again: {decision.reason}")
    return decision
