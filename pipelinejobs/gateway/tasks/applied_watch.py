"""Checks some seconds later that applied events were not undone. The events are kept in memory.

While no other program is known to write to the database, events of jobs that this project made are not written to the
journal (`pipelinejobs.service.reapply`): that saves a write for each event. But another program may write to such a job
for the first time, and undo an event. This check finds that at almost no cost.
"""

from collections import deque
from time import monotonic
from typing import Final

from pipelinejobs.core.journaled import Journaled
from pipelinejobs.service.reapply import FIRST_LOOK_SECONDS, SETTLED_SECONDS, Reapplier

_SECONDS: Final = (FIRST_LOOK_SECONDS, SETTLED_SECONDS - FIRST_LOOK_SECONDS)
"""The time until the first check, and from there to the second."""
_MOST: Final = 300
"""Most events that wait for either check. Beyond that the oldest are not checked, to bound the cost."""
_BATCH: Final = 500


class AppliedWatch:
    """The applied events of the last seconds. One thread adds events, another one checks them."""

    def __init__(self, reapplier: Reapplier) -> None:
        self._reapplier = reapplier
        self._waiting: list[deque[tuple[float, Journaled]]] = [deque(maxlen=_MOST) for _ in _SECONDS]
        self._due: list[list[Journaled]] = [[] for _ in _SECONDS]

    def add(self, event: Journaled) -> None:
        """Adds an event, to be checked twice."""
        self._waiting[0].append((monotonic() + _SECONDS[0], event))

    def look(self) -> None:
        """Checks the events that are due, and applies those again that were undone.

        Raises:
            Unavailable: the database cannot be asked; the next call checks the same events.
        """
        for number in reversed(range(len(_SECONDS))):
            while due := self._taken(number):
                self._reapplier.look_at(due)
                if number + 1 < len(_SECONDS):
                    again = monotonic() + _SECONDS[number + 1]
                    self._waiting[number + 1].extend((again, one) for one in due)
                due.clear()

    def hand_over(self) -> None:
        """Writes all waiting events into the journal, so that other gateways and later runs check them.

        Raises:
            Unavailable: the database cannot be asked.
        """
        for number in range(len(_SECONDS)):
            while due := self._taken(number, whether_due=False):
                self._reapplier.take(due)
                due.clear()

    def _taken(self, number: int, *, whether_due: bool = True) -> list[Journaled]:
        """A batch of events for this check, including events whose last check failed."""
        waiting, due = self._waiting[number], self._due[number]
        while waiting and len(due) < _BATCH and not (whether_due and waiting[0][0] > monotonic()):
            due.append(waiting.popleft()[1])
        return due
