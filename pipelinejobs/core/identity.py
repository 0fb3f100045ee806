"""What makes two events the same event, and to which attempt of a job a report belongs.

The uuid of a history entry is derived from the kind of event, where it counts and its id, so
that a repetition would get the same uuid and is found by it.

Where it counts: a report that names its external job counts within one attempt of the job. Everything else
counts within the job's whole life; otherwise a `reset` that is sent twice would begin a new attempt in
which it had never been seen, and would be applied twice.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from pipelinejobs.core import uuids
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.messages import tapis
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.event_id import SENDER
from pipelinejobs.messages.marks import unmarked

LEFT_OUT: Final[Mapping[str, str]] = {"left_out": "there was no room for the data in the job's document"}
"""What an entry holds instead of data that do not fit (see `decide.without_data`)."""


def external_digest(external: str) -> str:
    """A short, fixed-size name for an external job (128 bits of SHA-256), fit to be stored beside the job."""
    return sha256(external.encode()).hexdigest()[:32]


def attempt_of(job: Job, event: Event) -> str:
    """The attempt to which a report belongs: the one in which its external job was first applied, else the present."""
    if event.external is None:
        return job.attempt
    return job.externals.get(external_digest(event.external), job.attempt)


def entry_uuid(job: Job, event: Event) -> str:
    """The uuid of the history entry that `event` has, or would have, in this life of `job`."""
    where = job.life if event.external is None else attempt_of(job, event)
    what = event.id
    if event.kind is Kind.REPORT and event.id.startswith(SENDER):
        # The id stands in the URL of a callback, which is the same for every status.
        what = json.dumps([event.id, event.status])
    return uuids.typed(uuids.ENTRY, f"{event.kind}|{where}|{what}")


def implied_uuid(entry: str) -> str:
    """The uuid of the `run` that the entry with the uuid `entry` implied."""
    return uuids.typed(uuids.ENTRY, f"implied|{entry}")


def says_the_same(entry: Entry, event: Event) -> bool:
    """Whether the entry found under the event's id has the event's content.

    A digest is its content; so are a sender's id and a status, in a report that names no external job. A Tapis
    notification is compared by the event inside it, because each subscription wraps the same event in a notification
    of its own. Everything else is compared whole, but for the marks of what was mended in a report.
    """
    if event.id.startswith("sha256:") or (event.kind is Kind.REPORT and event.id.startswith(SENDER)):
        return True
    if entry.name != event.name:
        return False
    if entry.data == LEFT_OUT:
        return True
    if event.id.startswith("tapis:"):
        return _canonical(tapis.said(entry.data)) == _canonical(tapis.said(event.data))
    if event.kind is Kind.REPORT:
        return _canonical(unmarked(entry.data)) == _canonical(unmarked(event.data))
    return _canonical(entry.data) == _canonical(event.data)


def _canonical(value: object) -> str:
    """As text, in which 1, 1.0 and true differ as they do for the sender. What JSON has no word for is not ours."""
    return json.dumps(value, sort_keys=True, default=repr)
