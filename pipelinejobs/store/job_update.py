"""Makes the filters and updates for writes to a job document. It does not access the database.

Only plain update operators are used, with user data only as values: never as a path or an operator. The fields are
described in `store.job_document`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pipelinejobs.core.decide import Change
from pipelinejobs.core.identity import external_digest
from pipelinejobs.core.job import Entry, Job, TimeLimit, Trusted
from pipelinejobs.messages.external import parsed
from pipelinejobs.store.connection import LONG_AGO
from pipelinejobs.store.job_document import FORMER, OURS, OUTDATED


def from_entry(entry: Entry) -> dict[str, Any]:
    """A history entry as it is stored: with python-datacatalog's keys, in its order."""
    return {"date": entry.date, "data": entry.data, "name": entry.name, "uuid": entry.uuid}


def from_trusted(rows: Iterable[Trusted]) -> list[dict[str, Any]]:
    """Tokens trusted on first use, as they are stored."""
    return [row._asdict() for row in rows]


def from_time_limit(limit: TimeLimit) -> dict[str, Any]:
    """A job system's time limit, as it is stored: without what is not known, and with the time that is searched for."""
    known = limit._asdict() | {"overdue_from": limit.overdue_from}
    return {name: value for name, value in known.items() if value is not None}


def guard(job: Job, change: Change) -> dict[str, Any]:
    """The filter for an event's write: the job is as it was decided on, and its history does not contain the event.

    `_moved` must be unchanged too, because the filter looks only at the embedded history.
    """
    return {
        "_id": {"$eq": job.key},
        "uuid": {"$eq": job.uuid},
        "state": {"$eq": job.state},
        "_properties.revision": {"$eq": job.revision},
        "history.0.uuid": {"$eq": job.life},
        "history.uuid": {"$nin": change.absent},
        "_moved": moved(job.moved),
    }


def update(job: Job, change: Change, messages: list[dict[str, Any]], execution: str) -> dict[str, Any]:
    """The update that applies a change.

    Args:
        job: the job that was decided on.
        change: what was decided.
        messages: new rows for the outbox; see `outbox_row`.
        execution: the id of the execution that writes.
    """
    last = change.entries[-1]
    fields: dict[str, Any] = {
        "state": change.state,
        "last_event": last.name,
        "updated": last.date,
        "_properties.modified_date": last.date,
        "_life": job.life,
        "_attempt": change.attempt,
        "_tokens": list(change.tokens),
        "_execution": execution,
    }
    gone = list(job.outdated)
    if job.alone and not change.alone:
        gone.append("_alone")
    if change.external is not None:
        fields |= external_fields(change.external, job.externals, change.attempt)
    if change.time_limit is not None and change.time_limit != job.time_limit:
        fields["_time_limit"] = from_time_limit(change.time_limit)
    elif change.time_limit is None and job.time_limit is not None:
        gone.append("_time_limit")
    if job.others_attempt:
        fields["_theirs"] = job.attempt
    if change.trusted is not None:
        fields["_first_use"] = from_trusted(change.trusted)
    pushes: dict[str, Any] = {"history": {"$each": [from_entry(entry) for entry in change.entries]}}
    if messages:
        pushes["_outbox"] = {"$each": messages}
    written: dict[str, Any] = {
        "$set": fields,
        "$push": pushes,
        "$inc": {"_properties.revision": len(change.entries) - change.counted},
    }
    return written | ({"$unset": dict.fromkeys(gone, "")} if gone else {})


def external_fields(external: str, bound: Mapping[str, str], attempt: str) -> dict[str, Any]:
    """The fields that remember an external job.

    Args:
        external: the external job, as `system:id`. If it is too long to be kept by name, only its digest is stored.
        bound: `Job.externals` so far.
        attempt: the attempt to which it belongs.
    """
    rows = {**bound, external_digest(external): attempt}
    named = parsed(external)
    return {
        "_externals": [{"id": digest, "attempt": of} for digest, of in rows.items()],
        **({} if named is None else {"_external": {**named._asdict(), "attempt": attempt}}),
    }


def unchanged(job: Job) -> dict[str, Any]:
    """The filter for a job to which no event was applied since it was read."""
    return {
        "_id": {"$eq": job.key},
        "uuid": {"$eq": job.uuid},
        "_properties.revision": {"$eq": job.revision},
    }


def renewal(job: Job) -> dict[str, Any]:
    """The update that replaces the fields that former versions stored."""
    fields: dict[str, Any] = {} if job.tokens is None else {"_tokens": list(job.tokens)}
    if job.trusted is not None:
        fields["_first_use"] = from_trusted(job.trusted)
    gone = {"$unset": dict.fromkeys(OUTDATED, "")}
    return gone | ({"$set": fields} if fields else {})


def moved(count: int) -> dict[str, Any]:
    """The condition that `_moved` is `count`; the field is absent until the first move."""
    return {"$eq": count} if count else {"$in": [0, None]}


def forget_former_life(job: Job) -> dict[str, Any]:
    """The update for a job that was made again in place: removes the own fields, keeps hashes of its former tokens."""
    return {"$unset": dict.fromkeys((*OURS, *OUTDATED), ""), "$set": {FORMER: list(job.former_tokens)}}


def outbox_row(key: str, entry: Entry, life: str, message: str) -> dict[str, Any]:
    """A new row in the outbox, due at once.

    Args:
        key: the message's key, the same at every attempt to send it.
        entry: the history entry for which the message is sent.
        life: the uuid of the job's `create` entry.
        message: the name in the message, `index`.
    """
    return {
        "id": key,
        "actor": "indexer",
        "name": message,
        "entry": entry.uuid,
        "life": life,
        "created": entry.date,
        "status": "pending",
        "attempts": 0,
        "next": LONG_AGO,
        "error": None,
    }
