"""When two events are the same event, and to which attempt of a job a report belongs.

The uuid of a history entry is derived from the event's kind, scope and id. A repetition gets the same uuid, by which it
is found.

The scope of a report that names its external job is one attempt of the job. The scope of every other event is the job's
whole life: if it were the attempt, a `reset` that is sent twice would be applied twice, because the first one begins a
new attempt.

A report that was asked for (`messages.asked`) and the callback that says the same of the same external job are one
event, if the answer came first.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from pipelinejobs.core import uuids
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.messages import event_id, external, tapis
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.event_id import ASKED, SENDER
from pipelinejobs.messages.marks import unmarked

LEFT_OUT: Final[Mapping[str, str]] = {"left_out": "there was no room for the data in the job's document"}
"""The data of an entry whose own data did not fit into the document. It is stored in jobs, so it must never change."""


def external_digest(external: str) -> str:
    """The name under which an external job is stored in the job: 32 hex digits, 128 bits of SHA-256."""
    return sha256(external.encode()).hexdigest()[:32]


def external_of(event: Event) -> str | None:
    """The external job that a report is about, or that a command names for its job, as `system:id`; else None."""
    if event.kind is Kind.REPORT:
        return event.external
    named = external.assigned(event.name, event.data)
    return None if named is None else str(named)


def attempt_of(job: Job, event: Event) -> str:
    """The attempt to which an event belongs: that in which its external job was first named, else the present one."""
    named = external_of(event)
    if named is None:
        return job.attempt
    return job.externals.get(external_digest(named), job.attempt)


def entry_uuid(job: Job, event: Event) -> str:
    """The uuid of the history entry that `event` has, or would get, in this life of `job`."""
    own_id = event.id
    if event.kind is Kind.REPORT and event.id.startswith(SENDER):
        # The sender's id is in the callback URL, which is the same for every status.
        own_id = json.dumps([event.id, event.status])
    return _uuid(job, event, own_id)


def asked_uuid(job: Job, event: Event) -> str | None:
    """The uuid of the history entry that says the same as a callback because it was asked for; None for other events.

    A callback whose entry this is has come after the answer to a question.
    """
    if event.external is None or event.id.startswith(ASKED):
        return None
    return _uuid(job, event, event_id.of_asked(event.external, event.status))


def entry_uuids(job: Job, event: Event) -> tuple[str, ...]:
    """The uuids of the history entries under which `event` may already be in the job, its own first."""
    asked = asked_uuid(job, event)
    return (entry_uuid(job, event), *(() if asked is None else (asked,)))


def _uuid(job: Job, event: Event, own_id: str) -> str:
    scope = job.life if event.external is None else attempt_of(job, event)
    return uuids.typed(uuids.ENTRY, f"{event.kind}|{scope}|{own_id}")


def implied_uuid(entry: str) -> str:
    """The uuid of the `run` entry that the entry with the uuid `entry` implies."""
    return uuids.typed(uuids.ENTRY, f"implied|{entry}")


def has_same_content(entry: Entry, event: Event) -> bool:
    """Whether the history entry that was found under the event's id has the event's content.

    - An id that is a digest of the content, a report's id that is the sender's with the status, and the id of a report
      that was asked for need no comparison.
    - Of a Tapis notification the event inside is compared, because each subscription wraps the same event in a
      notification of its own.
    - Any other event is compared by name and data, of a report without the marks (`messages.marks`).
    """
    if event.id.startswith(("sha256:", ASKED)) or (event.kind is Kind.REPORT and event.id.startswith(SENDER)):
        return True
    if entry.name != event.name:
        return False
    if entry.data == LEFT_OUT:
        return True
    if event.id.startswith("tapis:"):
        return _canonical(tapis.content(entry.data)) == _canonical(tapis.content(event.data))
    if event.kind is Kind.REPORT:
        return _canonical(unmarked(entry.data)) == _canonical(unmarked(event.data))
    return _canonical(entry.data) == _canonical(event.data)


def _canonical(value: object) -> str:
    """The value as JSON text, in which 1, 1.0 and true differ. Only other programs store values that JSON lacks."""
    return json.dumps(value, sort_keys=True, default=repr)
