"""A program that writes jobs as python-datacatalog does: it reads, changes in memory, and replaces the document."""

import base64
import copy
from collections.abc import Callable
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Any, Final

from bson import ObjectId

from fsm.machine import destination
from support.process import Document, StoredJob, job_token

_LINKS: Final = ("child_of", "acted_on", "acted_using", "generated_by")

Between = Callable[[], Any]


class NotAllowed(Exception):
    """Its lifecycle does not allow the event in the state that it has read; it writes nothing."""


def nothing() -> None:
    """What happens meanwhile, where nothing does."""


def writes(
    job: StoredJob,
    name: str,
    state: str | None = None,
    *,
    in_the_middle: Between = nothing,
    at_the_end: Between = nothing,
) -> str:
    """Handles an event as its store does, with a new salt. Returns the token of that salt.

    The history and the other public fields are those of a first read; the fields with an underscore are those of a
    second read, so that fields that it does not know survive.

    Args:
        state: the state that it gives the job; by default the one to which its lifecycle leads.
        in_the_middle: what happens between the two reads.
        at_the_end: what happens between the second read and the replacement.

    Raises:
        NotAllowed: no state is given, and its lifecycle does not allow the event.
    """
    first = job.stored()
    state = state or destination(first["state"], name)
    if state is None:
        raise NotAllowed
    now = datetime.now(UTC).replace(microsecond=0)
    entry = {"date": now, "data": {"by": "python-datacatalog"}, "name": name, "uuid": f"108{ObjectId()}"}
    changed = {key: value for key, value in first.items() if not key.startswith("_")} | {
        "history": [*first["history"], entry],
        "state": state,
        "last_event": name.lower(),
        "updated": now,
    }
    in_the_middle()
    second = job.stored()
    at_the_end()
    return _replace(job, changed, second, now)


def makes_again(job: StoredJob) -> str:
    """Makes the job again in place, as its store's `create` does. Returns the token of its new life."""
    read = job.stored()
    now = datetime.now(UTC).replace(microsecond=0)
    entry = read["history"][0] | {"uuid": f"108{ObjectId()}", "date": now}
    changed = {key: value for key, value in read.items() if not key.startswith("_")} | {
        "history": [entry],
        "state": "CREATED",
        "last_event": "create",
        "updated": now,
    }
    return _replace(job, changed, read, now)


def _replace(job: StoredJob, changed: Document, private: Document, now: datetime) -> str:
    salt = base64.b64encode(token_bytes(16)).decode().lower()
    fields = {key: copy.deepcopy(value) for key, value in private.items() if key.startswith("_")}
    fields["_properties"] |= {"revision": fields["_properties"]["revision"] + 1, "modified_date": now}
    links = {key: changed.pop(key) for key in _LINKS}
    job.jobs.find_one_and_replace({"uuid": job.uuid}, changed | links | fields | {"_salt": salt})
    return job_token(job.uuid, salt, fields["_admin"])
