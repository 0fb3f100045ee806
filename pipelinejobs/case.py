"""An event that is being judged, and what comes of it."""

import random
from datetime import datetime
from typing import Final, NamedTuple

from pipelinejobs.answer import Answer
from pipelinejobs.deadline import Deadline
from pipelinejobs.job import Job
from pipelinejobs.messages.event import Event

_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.25


class Handled(NamedTuple):
    """What judging leaves to be done after the answer.

    Attributes:
        answer: what the sender is told.
        event: the event.
        kept_state: the job's state when the refusal is to be kept with it; None when there is nothing to keep.
        owes: whether the event made the job owe a message to another actor.
    """

    answer: Answer
    event: Event
    kept_state: str | None = None
    owes: bool = False


class Case:
    """An event that is being judged, round after round until it is handled.

    Attributes:
        execution: the id of the execution that it belongs to.
        deadline: when its sender gives up.
        handled: what came of it; None until then.
        rounds: how many there were.
        entries_before: how many entries the job's history had, all in all, before a write of this event whose outcome
            nobody knows; None where there was no such write.
        tried: the date of the entry in that write. A server that no longer was the primary may have shown the history
            as it was before another delivery of the same event; but that one's entry is older.
        is_new: whether the event's id was made for this delivery alone, so that no history can have it yet.
    """

    __slots__ = ("deadline", "entries_before", "event", "execution", "handled", "is_new", "rounds", "tried")

    def __init__(self, event: Event, execution: str, deadline: Deadline, *, is_new: bool = False) -> None:
        self.event = event
        self.execution = execution
        self.deadline = deadline
        self.handled: Handled | None = None
        self.rounds = 0
        self.entries_before: int | None = None
        self.tried: datetime | None = None
        self.is_new = is_new

    @property
    def outcome_unknown(self) -> bool:
        """Whether one of its writes may have happened unseen."""
        return self.entries_before is not None

    def not_known(self, job: Job, date: datetime) -> None:
        """A write of an entry with this date onto this job, as it was read, may have happened or not."""
        if self.entries_before is None:
            self.entries_before = job.entries + job.moved
            self.tried = date

    def pause(self) -> float:
        """Seconds until the next round; by chance, so that many writers of one job do not move in step."""
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** max(0, self.rounds - 1), self.deadline.remaining())
        return random.uniform(0, longest)  # noqa: S311 - fairness, not secrecy
