"""Reads a job with its history as they were at one moment, and explains the job's state."""

from typing import Any, Final, NamedTuple

from pipelinejobs.core.job import Entry, Job
from pipelinejobs.diagnose import checks, explanation
from pipelinejobs.store import Store
from pipelinejobs.store.outbox import FAILED, PENDING

_TRIES: Final = 5


class Snapshot(NamedTuple):
    """A job with its history as they were at one moment.

    Attributes:
        job: the job.
        history: its entries, oldest first.
        problems: what is wrong with it (`checks.problems`).
    """

    job: Job
    history: list[Entry]
    problems: list[str]


def take_snapshot(store: Store, uuid: str, *, with_data: bool = False) -> Snapshot | None:
    """Reads a job and its history; None if there is no such job.

    These are two reads. If they disagree because the job changed in between, both are repeated, up to five times.

    Args:
        store: where to read.
        uuid: the job's uuid.
        with_data: whether to read the entries' data, which may be large.

    Raises:
        Unavailable: the database cannot be asked.
    """
    job = store.jobs.load(uuid)
    snapshot: Snapshot | None = None
    for _ in range(_TRIES):
        if job is None:
            return None
        entries = list(store.history.entries(uuid, with_data=with_data))
        snapshot = Snapshot(job, entries, checks.problems(job, entries))
        later = store.jobs.load(uuid) if snapshot.problems else job
        if _is_same(job, later):
            break
        job = later
    return snapshot


def facts(store: Store, uuid: str) -> dict[str, Any] | None:
    """The facts that explain a job (`explanation.facts_of`); None if there is no such job.

    Raises:
        Unavailable: the database cannot be asked.
    """
    explained = explain(store, uuid)
    return explained.facts if explained is not None else None


def explain(store: Store, uuid: str) -> explanation.Explanation | None:
    """A job with what explains its state; None if there is no such job.

    Raises:
        Unavailable: the database cannot be asked.
    """
    snapshot = take_snapshot(store, uuid)
    if snapshot is None:
        return None
    job, entries, problems = snapshot
    for index in explanation.shown(job, entries):
        whole = store.entry(job, entries[index].uuid)
        if whole is not None:
            entries[index] = entries[index]._replace(data=whole.data)
    outbox = list(store.outbox.rows(job=uuid, statuses=(PENDING, FAILED)))
    refused, asked = list(store.refused.of(uuid)), store.asked.of(job)
    explained = explanation.facts_of(job, entries, problems, refused, outbox, asked)
    return explanation.Explanation(job, explained, entries, outbox)


def _is_same(job: Job, later: Job | None) -> bool:
    return later is not None and (later.life, later.revision, later.entries) == (job.life, job.revision, job.entries)
