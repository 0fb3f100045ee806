"""One event on its way to a verdict, with its retries."""

from typing import Final

from pipelinejobs.core.journaled import Journaled
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.messages.event import Event
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline

_PAUSES: Final = Backoff(first=0.005, longest=0.25, jitter=1.0)
"""Between two rounds. All of it is left to chance, so that many writers of one job do not move in step."""


class Attempt:
    """One event that is being judged, round after round until it has its outcome or its deadline is over.

    Attributes:
        event: the event; of a report that is too large for the job's document, what is left of it.
        execution: the id of the execution that it belongs to.
        deadline: when its sender gives up.
        is_new: whether the event's id was made for this delivery alone, so that no history can have it yet.
        is_large: whether the event is too large to be kept in memory after the answer (`Outcome.watch`).
        again: the event as it was applied before, where another program has undone it; None for any other.
        rounds: how many rounds there were.
        unconfirmed: true if a write was sent but never confirmed.
        concluded: the outcome that is told as soon as the journal has the event; None until there is one.
        journaled: what the journal has to hold before that; None for nothing.
        outcome: what came of it; None until then.
        error: what judging it raised, if that is no lack of the database: a defect, or a wrong setting.
    """

    __slots__ = (
        "again",
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
        again: Journaled | None = None,
    ) -> None:
        self.event = event
        self.execution = execution
        self.deadline = deadline
        self.is_new = is_new
        self.is_large = is_large
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
