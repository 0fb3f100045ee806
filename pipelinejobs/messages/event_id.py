"""The id of an event, by which a repetition is recognised."""

import hashlib
import json
from typing import Final

from pipelinejobs.messages.report import Report

_EXECUTION: Final = "execution:"
SENDER: Final = "sender:"
"""The beginning of an id that the sender chose."""
ASKED: Final = "asked:"
"""The beginning of the id of a report that this project asked for. No message can bring an id that begins so."""
_VERSION: Final = "report-1"
"""Part of every digest. It has to change if the digest is made of other parts of a report."""


def of_delivery(event_id: str | None, delivery: str) -> str:
    """The id of a command, or of a report that names no external job.

    Args:
        event_id: the sender's own id for the event (`x_event_id`), or `execution:` with the id of an earlier delivery
            that brought the same event, as in a requeued message.
        delivery: the delivery's id, which is used if the sender sends no id.
    """
    if event_id is None:
        return _EXECUTION + delivery
    return event_id if event_id.startswith(_EXECUTION) else SENDER + event_id


def as_parameter(event_id: str) -> str:
    """The `x_event_id` by which another delivery of the same event gets the same id."""
    return event_id.removeprefix(SENDER)


def of_asked(external: str, status: str | None) -> str:
    """The id of a report that this project asked for (`messages.asked`).

    Args:
        external: the external job, as `system:id`.
        status: its status in upper case.
    """
    return ASKED + json.dumps([external, status])


def of_report(report: Report) -> str:
    """The id of a report that names its external job. It depends only on what the report says, not on its delivery."""
    if report.notification is not None:
        return f"{report.system}:{report.notification}"
    parts = [_VERSION, report.system, report.job, report.status, report.content]
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return f"sha256:{hashlib.sha256(canonical.encode('ascii')).hexdigest()}"
