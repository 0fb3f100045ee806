"""Applied events of jobs that no other program is known to write to: each is looked for once, some seconds later.

A job that this project made has nothing in the journal (`pipelinejobs.journal`), which spares it a write for each
event. Still another program may write to it for the first time and undo one. Events in memory cost next to nothing.
"""

from collections import deque
from time import monotonic
from typing import Final

from pipelinejobs.journal import FIRST_LOOK_SECONDS, Journal
from pipelinejobs.store.journal import Journaled

_MOST: Final = 20_000
_BATCH: Final = 500
_SECONDS: Final = 2 * FIRST_LOOK_SECONDS


class Watch:
    """The events of the last seconds."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._events: deque[tuple[float, Journaled]] = deque(maxlen=_MOST)
        self._due: list[Journaled] = []

    def add(self, event: Journaled) -> None:
        """One more; where there are too many, the oldest is not looked for."""
        self._events.append((monotonic() + _SECONDS, event))

    def look(self) -> None:
        """Looks for those whose time has come.

        Raises:
            Unavailable: the database cannot be asked; the next look begins with the same events.
        """
        while self._due or self._is_due():
            while self._is_due() and len(self._due) < _BATCH:
                self._due.append(self._events.popleft()[1])
            self._journal.look_at(self._due)
            self._due = []

    def hand_over(self) -> None:
        """Writes those that were not looked for yet into the journal, for other gateways and the next runs.

        Raises:
            Unavailable: the database cannot be asked.
        """
        while self._due or self._events:
            while self._events and len(self._due) < _BATCH:
                self._due.append(self._events.popleft()[1])
            self._journal.take(self._due)
            self._due = []

    def _is_due(self) -> bool:
        return bool(self._events) and self._events[0][0] <= monotonic()
