"""For how long a job system lets a job run, and since when the job runs: from this follows when it is overdue. Pure.

The limit is for the time that the external job runs, not for its time in a queue or for the archiving of its outputs.
So the time begins with the report that it is RUNNING, and ends with the report of another phase. A command begins
none: agents send `run` when they submit a job, which may then wait for days. All times are the manager's, because a job
system's clock may differ; a report that comes late only makes the job overdue later.

If an attempt has several external jobs, the one that reported last counts.
"""

from datetime import datetime

from fsm.lifecycle import OPEN
from pipelinejobs.core.identity import external_digest
from pipelinejobs.core.job import Job, TimeLimit
from pipelinejobs.messages import time_limit
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.statuses import NOT_RUNNING


def after(job: Job, event: Event, state: str, attempt: str, date: datetime) -> TimeLimit | None:
    """What is known after an event is applied; None if nothing is, or the job is no longer open.

    Args:
        job: the job before the event.
        event: the event.
        state: the job's state after the event.
        attempt: the job's attempt after the event.
        date: the time of the event's history entry.
    """
    if state not in OPEN:
        return None
    known = job.time_limit if job.time_limit is not None and job.time_limit.attempt == attempt else None
    if event.kind is not Kind.REPORT:
        return known
    external = external_digest(event.external) if event.external is not None else None
    if known is None or known.external != external:
        known = TimeLimit(attempt, external)
    seconds = time_limit.seconds(event.data) or known.seconds
    since = _running_since(known, event, date)
    return TimeLimit(attempt, external, seconds, since) if seconds is not None or since is not None else None


def _running_since(known: TimeLimit, event: Event, date: datetime) -> datetime | None:
    if event.status in NOT_RUNNING:
        return None
    return known.running_since or (date if event.name == "run" else None)
