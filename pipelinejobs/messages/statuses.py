"""Which event each status of a job system becomes."""

import string
from typing import Final

from pipelinejobs.messages.fields import BLANKS

_EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "run": ("RUNNING",),
    "finish": ("FINISHED",),
    "fail": ("FAILED", "STOPPED", "KILLED", "CANCELLED", "ARCHIVING_FAILED"),
    "resource": (
        "CREATED",
        "ACCEPTED",
        "PENDING",
        "PROCESSING_INPUTS",
        "STAGING_INPUTS",
        "STAGED",
        "STAGING_JOB",
        "SUBMITTING",
        "SUBMITTING_JOB",
        "QUEUED",
        "PAUSED",
        "BLOCKED",
        "CLEANING_UP",
        "ARCHIVING",
        "ARCHIVING_FINISHED",
        "PERMISSION_GRANT",
        "PERMISSION_REVOKE",
    ),
    "update": ("UPDATED", "DELETED", "HEARTBEAT"),
}

NOT_RUNNING: Final = frozenset(_EVENTS["resource"]) - {"PERMISSION_GRANT", "PERMISSION_REVOKE"}
"""The statuses of an external job that does not run yet, or no longer: it waits, or its outputs are archived."""

OTHERWISE: Final = "update"
"""The event of any status that is not in the table, and of a report without a status."""

EVENT_OF: Final[dict[str, str]] = {status: event for event, statuses in _EVENTS.items() for status in statuses}
"""The event of each known status."""

_AROUND: Final = BLANKS + "\0\u00a0\u200b\u2028\u2029\u3000\ufeff\ufffd"
"""Invisible characters around a word: other blanks, byte order marks, and the replacement character."""

# Not str.upper, which turns the Turkish dotless i and the long s into letters of FINISHED.
_TO_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)


def as_word(status: str) -> str:
    """A status word in the table's spelling: without blanks around it, with ASCII letters in upper case."""
    return status.strip(_AROUND).translate(_TO_UPPER)


def event_of(status: str | None) -> str:
    """The name of the event for a status in upper case; None: no status."""
    return OTHERWISE if status is None else EVENT_OF.get(status, OTHERWISE)
