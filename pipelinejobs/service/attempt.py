"""An event that is being judged, and what comes of it."""

import random
from typing import Final, NamedTuple

from pipelinejobs.core.outcome import Answer
from pipelinejobs.messages.event import Event
from pipelinejobs.store.journal import Journaled
from pipelinejobs.util.deadline import Deadline

_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.25


class Handled(NamedTuple):
    """What came of an event, and what judging leaves to be done after the answer.

    Attributes:
        answer: what the sender is told.
        event: the event.
        kept_state: the job's state when the refusal is to be kept with it; None when there is nothing to keep.
        owes: whether the event made the job owe a message to another actor.
        first_use: whether a token was trusted on first use with it.
        watch: the event, applied, of a job that no other program is known to write to. To see after some seconds that
            it is still there costs such a job nothing before the answer.
    """

    answer: Answer
    event: Event
    kept_state: str | None = None
    owes: bool = False
    first_use: bool = False
    watch: Journaled | None = None


class Applied(NamedTuple):
    """An event whose application is confirmed, while it is not answered yet.

    Attributes:
        journaled: what the journal has to hold before the answer; None for nothing.
    """

    handled: Handled
    journaled: Journaled | None


class Case:
    """An event that is being judged, round after round until it is handled.

    Attributes:
        execution: the id of the execution that it belongs to.
        deadline: when its sender gives up.
        handled: what came of it; None until then.
        rounds: how many there were.
        unconfirmed: true if a write was sent but never confirmed.
        is_new: whether the event's id was made for this delivery alone, so that no history can have it yet.
        is_large: whether the event is too large to be kept in memory after the answer (`Handled.watch`).
        applied: what is to be answered as soon as the journal has the event; None until it is applied.
        again: the event as it was applied before, where another program has undone it; None for any other.
    """

    __slots__ = (
        "again",
        "applied",
        "deadline",
        "event",
        "execution",
        "handled",
        "is_large",
        "is_new",
        "rounds",
        "unconfirmed",
    )

    def __init__(
        self, event: Event, execution: str, deadline: Deadline, *, is_new: bool = False, is_large: bool = False
    ) -> None:
        self.event = event
        self.execution = execution
        self.deadline = deadline
        self.handled: Handled | None = None
        self.rounds = 0
        self.unconfirmed = False
        self.is_new = is_new
        self.is_large = is_large
        self.applied: Applied | None = None
        self.again: Journaled | None = None

    def pause(self) -> float:
        """Seconds until the next round; by chance, so that many writers of one job do not move in step."""
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** max(0, self.rounds - 1), self.deadline.remaining())
        return random.uniform(0, longest)  # noqa: S311 - fairness, not secrecy
