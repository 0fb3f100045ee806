"""Reports that this project asked for: the job system did not call, it was asked for the status of a job."""

from datetime import datetime
from typing import Any, Final

from pipelinejobs.messages import event_id, statuses
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.external import KEY, External

LEARNED: Final = "learned"
ASKED: Final = "asked"
"""The key and the value in an event's data by which readers of a history tell an asked report from a callback."""


def report(job: str, external: External, status: str, body: dict[str, Any], asked_at: datetime) -> Event:
    """The report that a job system's answer is.

    It is the same event however often the job system gives the same answer, since its id is made of the external job
    and the status.

    Args:
        job: the job's uuid.
        external: the external job that was asked for.
        status: its status, one of `statuses.EVENT_OF`.
        body: what the job system says of the external job; it can be stored (`messages.values`).
        asked_at: when it was asked, UTC.
    """
    asked = {LEARNED: ASKED, "asked_at": asked_at.isoformat(timespec="seconds"), KEY: external._asdict()}
    return Event(
        job=job,
        name=statuses.event_of(status),
        kind=Kind.REPORT,
        id=event_id.of_asked(str(external), status),
        external=str(external),
        data={**body, "status": status, **asked},
        status=status,
    )


def was_asked(data: object) -> bool:
    """Whether the data of a history entry say that its report was asked for."""
    return isinstance(data, dict) and data.get(LEARNED) == ASKED
