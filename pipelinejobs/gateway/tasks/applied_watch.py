"""Applied events of jobs that no other program is known to write to are looked for in memory, some seconds later.

While no other program is known to write to the database, a job that this project made has nothing in the journal
(`pipelinejobs.service.reapply`), which spares it a write for each event. Still another program may write to one for
the first time and undo an event. Events in memory cost next to nothing.
"""

from collections import deque
from time import monotonic
from typing import Final

from pipelinejobs.core.journaled import Journaled
from pipelinejobs.service.reapply import FIRST_LOOK_SECONDS, SETTLED_SECONDS, Reapplier

_SECONDS: Final = (FIRST_LOOK_SECONDS, SETTLED_SECONDS - FIRST_LOOK_SECONDS)
"""Until the first look, and from there to the second."""
_MOST: Final = 300
"""Events that wait for either look; of more the oldest are not looked for, since a look has its price too."""
_BATCH: Final = 500


class AppliedWatch:
    """The events of the last seconds. One thread adds them, another one looks."""

    def __init__(self, reapplier: Reapplier) -> None:
        self._reapplier = reapplier
        self._waiting: list[deque[tuple[float, Journaled]]] = [deque(maxlen=_MOST) for _ in _SECONDS]
        self._due: list[list[Journaled]] = [[] for _ in _SECONDS]

    def add(self, event: Journaled) -> None:
        """One more."""
        self._waiting[0].append((monotonic() + _SECONDS[0], event))

    def look(self) -> None:
        """Looks for those whose time has come.

        Raises:
            Unavailable: the database cannot be asked; the next look begins with the same events.
        """
        for number in reversed(range(len(_SECONDS))):
            while due := self._taken(number):
                self._reapplier.look_at(due)
                if number + 1 < len(_SECONDS):
                    again = monotonic() + _SECONDS[number + 1]
                    self._waiting[number + 1].extend((again, one) for one in due)
                due.clear()

    def hand_over(self) -> None:
        """Writes those that may still be undone into the journal, for other gateways and the next runs.

        Raises:
            Unavailable: the database cannot be asked.
        """
        for number in range(len(_SECONDS)):
            while due := self._taken(number, whether_due=False):
                self._reapplier.take(due)
                due.clear()

    def _taken(self, number: int, *, whether_due: bool = True) -> list[Journaled]:
        """Some of those that wait for this look; those that a look has failed for are among them."""
        waiting, due = self._waiting[number], self._due[number]
        while waiting and len(due) < _BATCH and not (whether_due and waiting[0][0] > monotonic()):
            due.append(waiting.popleft()[1])
        return due
