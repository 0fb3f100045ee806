"""What came of one question to a job system."""

from enum import StrEnum
from typing import Any, NamedTuple

from pipelinejobs.util.record import shown


class Found(StrEnum):
    """What a question has brought to light."""

    STATUS = "status"
    """The job system has named the job's status."""
    UNKNOWN = "unknown"
    """The job system has no such job, or does not show it to this credential."""
    UNANSWERED = "unanswered"
    """The question could not be asked, or its answer says nothing about the job."""


class Answer(NamedTuple):
    """The result of one question.

    Attributes:
        found: which of the three it is.
        status: the status word in the spelling of `messages.statuses.EVENT_OF`; None unless `found` is STATUS.
        body: what MongoDB can hold of the answer's `result`, at most a few KiB; empty unless `found` is STATUS.
        why: one line for a person, without secrets and, but for a status word, without words of the server.
    """

    found: Found
    status: str | None
    body: dict[str, Any]
    why: str

    def __repr__(self) -> str:
        return shown(self, "body")


def unknown(why: str) -> Answer:
    """An answer that the job system does not know the job, or does not show it."""
    return Answer(Found.UNKNOWN, None, {}, why)


def unanswered(why: str) -> Answer:
    """No answer, or one that says nothing about the job."""
    return Answer(Found.UNANSWERED, None, {}, why)
