"""A job and its history as they were at one moment, read in bounded memory."""

from typing import Any, Final, NamedTuple

from pipelinejobs.core.job import Entry, Job
from pipelinejobs.diagnose import checks, explanation
from pipelinejobs.store import Store
from pipelinejobs.store.outbox import FAILED, PENDING, OutboxMessage

_TRIES: Final = 5


class Steady(NamedTuple):
    """A job as it was at one moment.

    Attributes:
        history: its entries, oldest first.
        problems: what is wrong with it (`checks.problems`).
    """

    job: Job
    history: list[Entry]
    problems: list[str]


def steady(store: Store, uuid: str, *, with_data: bool = False) -> Steady | None:
    """A job and its history as they were at one moment; None when there is no such job.

    They are two reads. Where they disagree and the job changed in between, that is no damage: both are read again.

    Args:
        with_data: whether the entries come with their data, which may be very much.

    Raises:
        Unavailable: the database cannot be asked.
    """
    job = store.jobs.load(uuid)
    read: Steady | None = None
    for _ in range(_TRIES):
        if job is None:
            return None
        entries = list(store.history.entries(uuid, with_data=with_data))
        read = Steady(job, entries, checks.problems(job, entries))
        later = store.jobs.load(uuid) if read.problems else job
        if _is_same(job, later):
            break
        job = later
    return read


class Told(NamedTuple):
    """A job and everything that explains it.

    Attributes:
        facts: see `explain.facts_of`.
        entries: its history, oldest first; of most entries without the data.
        owed: what it owes.
    """

    job: Job
    facts: dict[str, Any]
    entries: list[Entry]
    owed: list[OutboxMessage]


def explained(store: Store, uuid: str) -> dict[str, Any] | None:
    """Everything that explains a job (`explain.facts_of`); None when there is no such job.

    Raises:
        Unavailable: the database cannot be asked.
    """
    told_of = told(store, uuid)
    return told_of.facts if told_of is not None else None


def told(store: Store, uuid: str) -> Told | None:
    """A job and everything that explains it; None when there is no such job.

    Raises:
        Unavailable: the database cannot be asked.
    """
    read = steady(store, uuid)
    if read is None:
        return None
    job, entries, problems = read
    for place in explanation.shown(job, entries):
        entry = entries[place]
        whole = store.entry(job, entry.uuid)
        if whole is not None:
            entries[place] = entry._replace(data=whole.data)
    rows = list(store.outbox.rows(job=uuid, statuses=(PENDING, FAILED)))
    return Told(job, explanation.facts_of(job, entries, problems, list(store.refused.of(uuid)), rows), entries, rows)


def _is_same(job: Job, later: Job | None) -> bool:
    return later is not None and (later.life, later.revision, later.entries) == (job.life, job.revision, job.entries)
