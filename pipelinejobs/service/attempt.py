"""One event while it is being judged, with its retries."""

from typing import Final

from pipelinejobs.core.journaled import Journaled
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.messages.event import Event
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline

_PAUSES: Final = Backoff(first=0.005, longest=0.25, jitter=1.0)
"""The pauses between two rounds. They are entirely random, so that many writers of one job do not stay in step."""


class Attempt:
    """One event that is judged, round after round, until it has an outcome or its deadline is over.

    Attributes:
        event: the event. If a report is too large for the job's document, its data are replaced by a note.
        execution: the id of the execution that it belongs to.
        deadline: when the judging has to be over.
        is_new: whether the event's id was made for this delivery, so that no history can contain it yet.
        is_large: whether the event is too large to be kept in memory after the answer (`Outcome.watch`).
        asked: whether the event is a report that this project asked for, which needs no token.
        again: the event as it was first applied, if another program has undone it since; else None.
        rounds: the number of rounds so far.
        unconfirmed: True if a write was sent but never confirmed.
        concluded: the outcome, which waits until `journaled` is in the journal; None until there is one.
        journaled: what the journal must contain before the outcome is returned; None if nothing.
        outcome: the outcome; None until the event is judged.
        error: an error that is not about the database: a defect, or a wrong setting; else None.
    """

    __slots__ = (
        "again",
        "asked",
        "concluded",
        "deadline",
        "error",
        "event",
        "execution",
        "is_large",
        "is_new",
        "journaled",
        "outcome",
        "rounds",
        "unconfirmed",
    )

    def __init__(
        self,
        event: Event,
        execution: str,
        deadline: Deadline,
        *,
        is_new: bool = False,
        is_large: bool = False,
        asked: bool = False,
        again: Journaled | None = None,
    ) -> None:
        self.event = event
        self.execution = execution
        self.deadline = deadline
        self.is_new = is_new
        self.is_large = is_large
        self.asked = asked
        self.again = again
        self.rounds = 0
        self.unconfirmed = False
        self.concluded: Outcome | None = None
        self.journaled: Journaled | None = None
        self.outcome: Outcome | None = None
        self.error: Exception | None = None

    def pause(self) -> float:
        """Seconds until the next round, with jitter; never beyond the deadline."""
        return min(_PAUSES.pause(self.rounds), self.deadline.remaining())
