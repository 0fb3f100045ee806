"""Reads notifications of Tapis v3 Jobs."""

from typing import Any, Final

from pipelinejobs.messages.fields import BLANKS
from pipelinejobs.messages.form import Form, Key
from pipelinejobs.messages.report import Report
from pipelinejobs.messages.statuses import as_word
from pipelinejobs.messages.text import json_value
from pipelinejobs.messages.values import text_problem
from pipelinejobs.util.errors import Malformed

TYPE_PREFIX: Final = "jobs."
"""The beginning of the type of every notification of Jobs. The event type and a detail follow."""


def _check_type(kind: str, path: str) -> None:
    if not kind.startswith(TYPE_PREFIX):
        raise Malformed(
            path, f"must begin with `{TYPE_PREFIX}`: the only notifications of Tapis that are read are those of Jobs"
        )


TAPIS: Final = Form("tapis", "a Tapis notification", (Key("event", dict, keys=(Key("type", str, check=_check_type),)),))

NEW_STATUS: Final = "JOB_NEW_STATUS"
"""The only event type with a status."""

LEFT_OUT: Final = frozenset({"deliveryTarget"})
"""The keys of a notification that are not stored: the address it was sent to, which contains a token and a nonce."""


def read(body: dict[str, Any]) -> Report | None:
    """The report in a body, or None if the body is not a notification of Tapis Jobs."""
    if not TAPIS.fits(body):
        return None
    event = body["event"]
    return Report(
        system="tapis",
        job=_text(event.get("subject")),
        status=_status(event["type"], event.get("data")),
        data={key: value for key, value in body.items() if key not in LEFT_OUT},
        notification=_text(event.get("uuid")) or _text(body.get("eventUuid")),
        content=content(body),
    )


def content(body: object) -> dict[str, Any]:
    """What a notification says: its event, without `received`, which Tapis may fill in later.

    The rest of the notification differs between subscriptions.
    """
    event = body.get("event") if isinstance(body, dict) else None
    return {key: value for key, value in event.items() if key != "received"} if isinstance(event, dict) else {}


def _status(kind: str, data: object) -> str | None:
    _, event_type, *details = kind.split(".")
    if event_type != NEW_STATUS:
        return None
    word = _text(_new_job_status(data)) or (details[-1] if details else None)
    return None if word is None else as_word(word)


def _new_job_status(data: object) -> object:
    """`newJobStatus` in the JSON text of `event.data`; None if there is none."""
    if not isinstance(data, str):
        return None
    try:
        value = json_value(data)
    except ValueError:
        return None
    return value.get("newJobStatus") if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    # The text in `event.data` is parsed after the body was checked, so its values are checked here.
    return (value.strip(BLANKS) or None) if isinstance(value, str) and text_problem(value) is None else None
