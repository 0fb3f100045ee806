"""The URL parameters of a delivery. Abaco hands them over as environment variables."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from pipelinejobs.errors import Malformed
from pipelinejobs.messages.body import MAX_BYTES, too_large
from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.messages.values import text_problem
from pipelinejobs.secret import Secret

NAMES: Final = (
    "uuid",
    "event",
    "name",
    "token",
    "note",
    "status",
    "state",
    "session",
    "x_event_id",
    "x-nonce",
    "x_src_actor_id",
    "x_src_execution_id",
    "x_session",
)
"""The parameters that mean something to us. Any other name is ignored."""

EVENT_ID_LENGTH: Final = 128

_MACRO = re.compile(r"\$\{[^{}]*\}")


class Parameters(NamedTuple):
    """What the URL parameters say. None: the parameter is absent, empty or an unresolved macro.

    Attributes:
        job: the job's uuid.
        name: the event's name, from `event` or `name`.
        name_place: which of the two it was, for a reason to name.
        token: the job token or administrative token.
        status: the job system's status word as it came, from `status`, else from `state`.
        note: free text for the history.
        session: correlation text for the history.
        event_id: the sender's own id for the event, from `x_event_id`.
    """

    job: str | None = None
    name: str | None = None
    name_place: str = "parameter event"
    token: Secret | None = None
    status: str | None = None
    note: str | None = None
    session: str | None = None
    event_id: str | None = None


def read(given: Mapping[str, str]) -> Parameters:
    """The parameters of a delivery, checked.

    Args:
        given: names and values, decoded once; any other names beside ours may be among them.

    Raises:
        Malformed: a parameter is not what it should be; the reason names it and never shows a token.
    """
    present = {name: value for name in NAMES if (value := _value(given, name)) is not None}
    names = {
        place: event_name(present[key], place)
        for key, place in (("event", "parameter event"), ("name", "parameter name"))
        if key in present
    }
    if len(set(names.values())) > 1:
        raise Malformed("parameter event", "says another event than parameter name; give one, or make them agree")
    return Parameters(
        job=job_uuid(present["uuid"], "parameter uuid") if "uuid" in present else None,
        name=next(iter(names.values()), None),
        name_place=next(iter(names), "parameter event"),
        token=Secret(present["token"]) if "token" in present else None,
        status=present.get("status", present.get("state")),
        note=present.get("note"),
        session=present.get("session"),
        event_id=_event_id(present.get("x_event_id")),
    )


def _value(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(name)
    if not value or _MACRO.fullmatch(value):
        return None
    if too_large(value):
        raise Malformed(f"parameter {name}", f"is larger than {MAX_BYTES} bytes")
    if problem := text_problem(value):
        raise Malformed(f"parameter {name}", problem)
    return value


def _event_id(value: str | None) -> str | None:
    if value is None or (len(value) <= EVENT_ID_LENGTH and value.isascii() and value.isprintable()):
        return value
    raise Malformed("parameter x_event_id", f"must be 1 to {EVENT_ID_LENGTH} printable ASCII characters")
