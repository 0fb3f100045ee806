"""What the silence about an open job says: that it is quiet, or overdue. Pure. Nothing of this changes a job."""

from datetime import datetime

from fsm.lifecycle import OPEN
from pipelinejobs.core.job import Job
from pipelinejobs.util.duration import words


def remarks(job: Job, now: datetime, quiet_after: float) -> list[str]:
    """Sentences for people; empty for a job that is neither quiet nor overdue.

    Args:
        job: the job.
        now: the database's time.
        quiet_after: after how many seconds without an event an open job is quiet; the setting `reconcile.after`.
    """
    return [*_quiet(job, now, quiet_after), *_overdue(job, now)]


def _quiet(job: Job, now: datetime, quiet_after: float) -> list[str]:
    if job.state not in OPEN or job.updated is None:
        return []
    seconds = (now - job.updated).total_seconds()
    return [f"no event for {words(seconds)}"] if seconds > quiet_after else []


def _overdue(job: Job, now: datetime) -> list[str]:
    limit = job.time_limit
    if job.state != "RUNNING" or limit is None or limit.seconds is None or limit.running_since is None:
        return []
    running = (now - limit.running_since).total_seconds()
    if running <= limit.seconds:
        return []
    return [f"RUNNING for {words(running)}, longer than the job system's limit of {words(limit.seconds)}"]
