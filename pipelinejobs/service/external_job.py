"""Which external job does the work of a job: remembered in the job, or found in its history.

Former versions stored only a digest of an external job's name, and the whole report in the history. The original
manager stored not even that, but the whole callback RUNNING as the data of its `run`.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from pipelinejobs.core.identity import external_digest
from pipelinejobs.core.job import Job
from pipelinejobs.messages import agave
from pipelinejobs.messages.external import External, named
from pipelinejobs.store import Store

_WITH_ID: Final = ("agave", "aloe")
"""The job systems whose callbacks have the external job's id under `id`."""

_RUNS: Final = 10
"""The newest `run` events whose data are read. Each callback RUNNING is one, and so is the `run` of an agent."""


def external_job(store: Store, job: Job, *, remember: bool = True) -> External | None:
    """The newest external job of the job's present attempt; None if no report and no submitter has named one.

    Args:
        store: the store.
        job: the job as it was read just now.
        remember: whether an external job that was found in the history is stored in the job, so that the history need
            not be read again.

    Raises:
        Unavailable: the database cannot be asked.
    """
    if job.external is not None:
        return job.external
    wanted = [digest for digest, attempt in job.externals.items() if attempt == job.attempt]
    found = _of_former_version(store, job, wanted[-1]) if wanted else _of_original_manager(store, job)
    if found is not None and remember:
        store.jobs.remember_external(job, found)
    return found


def _of_former_version(store: Store, job: Job, wanted: str) -> External | None:
    found: External | None = None
    for entry in store.history.entries(job.uuid):
        for external in _named_in(entry.data):
            if external_digest(str(external)) == wanted:
                found = external
    return found


def _of_original_manager(store: Store, job: Job) -> External | None:
    runs: deque[str] = deque(maxlen=_RUNS)
    for entry in store.history.entries(job.uuid, with_data=False):
        if entry.name == "run":
            runs.append(entry.uuid)
        elif entry.name == "reset":  # what ran before belongs to an earlier attempt
            runs.clear()
    for uuid in reversed(runs):
        whole = store.entry(job, uuid)
        external = agave.external_in(whole.data) if whole is not None else None
        if external is not None:
            return external
    return None


def _named_in(data: Any) -> Iterator[External]:
    """The external jobs that the data of a report may be about. The digest in the job tells which one it was."""
    if not isinstance(data, dict):
        return
    event = data.get("event")
    ids = [(system, data.get("id")) for system in _WITH_ID]
    ids.append(("tapis", event.get("subject") if isinstance(event, dict) else None))
    for system, job in ids:
        external = named(system, job.strip()) if isinstance(job, str) else None
        if external is not None:
            yield external
