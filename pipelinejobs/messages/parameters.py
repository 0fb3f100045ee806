"""Reads the URL parameters of a delivery. Abaco passes them to the process as environment variables."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from pipelinejobs.messages.body import TOO_LARGE, too_large
from pipelinejobs.messages.fields import BLANKS, event_name, is_uuid, job_uuid
from pipelinejobs.messages.marks import Marks
from pipelinejobs.messages.values import readable, storable, text_problem
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.secret import Secret

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
    "dry_run",
)
"""The parameters that are read. Any other name is ignored."""

EVENT_ID_LENGTH: Final = 128

_STATUS: Final = ("status", "state")
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
_TRIMMED: Final = frozenset({"uuid", "event", "name", *_STATUS})
_BAD_EVENT_ID: Final = f"must be 1 to {EVENT_ID_LENGTH} printable ASCII characters"
_OTHER_KEY: Final = "differs from the parameter x_event_id"
_MACRO = re.compile(r"\$\{[^{}]*\}")


class Parameters(NamedTuple):
    """The URL parameters. None: the parameter is absent, empty or an unresolved macro such as `${JOB_STATUS}`.

    Attributes:
        job: the job's uuid.
        name: the event's name, from `event` or `name`.
        name_path: which of the two it was, as a path for reasons.
        token: the job token or administrative token.
        status: the job system's status word as sent, from `status`, else from `state`.
        note: free text for the history.
        session: the sender's session, for the history.
        event_id: the sender's own id for the event, from `x_event_id`.
        dry_run: whether the sender only asks for the verdict, and nothing may be written. `true` or `1`, `false` or
            `0`; any other value, and an empty one, is malformed.
    """

    job: str | None = None
    name: str | None = None
    name_path: str = "parameter event"
    token: Secret | None = None
    status: str | None = None
    note: str | None = None
    session: str | None = None
    event_id: str | None = None
    dry_run: bool = False


def read(values: Mapping[str, str], key: str | None = None) -> Parameters:
    """The parameters of a delivery, checked.

    Args:
        values: names and values, decoded; other names may be among them.
        key: the header Idempotency-Key, which means the same as the parameter `x_event_id`.

    Raises:
        Malformed: a parameter is wrong; the reason names it and never shows a token.
    """
    present = {name: value for name in NAMES if (value := value_of(values, name)) is not None}
    for name, value in present.items():
        if problem := TOO_LARGE if too_large(value) else text_problem(value):
            raise Malformed(f"parameter {name}", problem)
    is_dry = dry_run(values)
    if is_dry is None:
        raise Malformed("parameter dry_run", "must be true or false (or 1 or 0)")
    name_path, event = _event_named(present)
    if key and present.get("x_event_id") not in (None, key):
        raise Malformed("header Idempotency-Key", _OTHER_KEY)
    event_id = key or present.get("x_event_id")
    if event_id is not None and not _is_event_id(event_id):
        raise Malformed("parameter x_event_id", _BAD_EVENT_ID)
    job = job_uuid(present["uuid"], "parameter uuid") if "uuid" in present else None
    return _parameters(present, job=job, name=event, name_path=name_path, event_id=event_id, is_dry=is_dry)


def of_report(values: Mapping[str, str], key: str | None, marks: Marks) -> Parameters | None:
    """The parameters of a possible report, read leniently; None if the delivery cannot be a report.

    It cannot be one if the parameters name no job, or if they name an event: that is a command, which is refused. If it
    cannot be read whether the delivery is a dry run, it is refused too: applying it could be what the sender ruled out.

    Args:
        values, key: as for `read`.
        marks: gets a mark for each parameter that is changed or left out.
    """
    present, is_dry = _mended(values, marks), dry_run(values)
    if "event" in present or "name" in present or not is_uuid(present.get("uuid")):
        return None
    if is_dry is None:
        return None
    event_id = present.get("x_event_id") or key or None
    if key and event_id != key:
        marks.add("header Idempotency-Key", f"{_OTHER_KEY}; the parameter counts")
    if event_id is not None and not _is_event_id(event_id):
        marks.add("parameter x_event_id", f"{_BAD_EVENT_ID}; its digest counts")
        event_id = f"sha256:{hashlib.sha256(event_id.encode()).hexdigest()}"
    return _parameters(present, job=present["uuid"], event_id=event_id, is_dry=is_dry)


def dry_run(values: Mapping[str, str]) -> bool | None:
    """Whether a delivery is a dry run, by its parameters; None if the value of `dry_run` is neither true nor false."""
    if "dry_run" not in values:
        return False
    return _TRUTHS.get(values["dry_run"].strip(BLANKS).lower())


def _event_named(present: Mapping[str, str]) -> tuple[str, str | None]:
    """The path of the parameter that names the event, and the event's name; None if there is no such parameter."""
    names = {
        path: event_name(present[key], path)
        for key, path in (("event", "parameter event"), ("name", "parameter name"))
        if key in present
    }
    if len(set(names.values())) > 1:
        raise Malformed("parameter event", "names another event than parameter name; send only one of them")
    return next(iter(names.items()), ("parameter event", None))


def _mended(values: Mapping[str, str], marks: Marks) -> dict[str, str]:
    """The parameters that are present, made fit to be stored."""
    present: dict[str, str] = {}
    for name in NAMES:
        value = value_of(values, name)
        if value is None:
            continue
        if too_large(value):
            marks.add(f"parameter {name}", f"{TOO_LARGE}; left out")
            continue
        if problem := text_problem(value):
            marks.add(f"parameter {name}", f"{problem}; replaced by U+FFFD")
        present[name] = storable(value)
    return present


def has_unresolved_status(values: Mapping[str, str]) -> bool:
    """Whether the URL has an unresolved macro in place of the status, which the job system should have replaced."""
    return any(_MACRO.fullmatch(values.get(name, "").strip(BLANKS)) for name in _STATUS)


def _parameters(
    present: Mapping[str, str],
    *,
    job: str | None,
    name: str | None = None,
    name_path: str = "parameter event",
    event_id: str | None,
    is_dry: bool,
) -> Parameters:
    return Parameters(
        job=job,
        name=name,
        name_path=name_path,
        token=Secret(present["token"]) if "token" in present else None,
        status=present.get("status", present.get("state")),
        note=present.get("note"),
        session=present.get("session"),
        event_id=event_id,
        dry_run=is_dry,
    )


def value_of(values: Mapping[str, str], name: str) -> str | None:
    """A parameter's value; None if it is absent, empty or an unresolved macro."""
    value = readable(values.get(name, ""))
    if name in _TRIMMED:
        value = value.strip(BLANKS)
    return None if not value or _MACRO.fullmatch(value) else value


def _is_event_id(text: str) -> bool:
    return len(text) <= EVENT_ID_LENGTH and text.isascii() and text.isprintable()
