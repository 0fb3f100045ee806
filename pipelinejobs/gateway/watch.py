"""Applied events of jobs that no other program is known to write to: each is looked for once, some seconds later.

A job that this project made has nothing in the journal (`pipelinejobs.journal`), which spares it a write for each
event. Still another program may write to it for the first time and undo one. Events in memory cost next to nothing.
"""

import threading
from collections import deque
from time import monotonic
from typing import Final

from pipelinejobs.journal import FIRST_LOOK_SECONDS, Journal
from pipelinejobs.store.journal import Journaled

_MOST: Final = 4_000
_MOST_BYTES: Final = 4 * 1024 * 1024
"""Of the messages they came in. Where there is more, the oldest are not looked for."""
_BATCH: Final = 500


class Watch:
    """The events of the last seconds."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._events: deque[tuple[float, int, Journaled]] = deque()
        self._bytes = 0

    def add(self, event: Journaled, size: int) -> None:
        """One more, which came in a message of so many bytes."""
        with self._lock:
            self._events.append((monotonic() + FIRST_LOOK_SECONDS, size, event))
            self._bytes += size
            while len(self._events) > _MOST or self._bytes > _MOST_BYTES:
                self._take()

    def look(self) -> None:
        """Looks for those whose time has come.

        Raises:
            Unavailable: the database cannot be asked.
        """
        while due := self._due():
            self._journal.look_at(due)

    def _due(self) -> list[Journaled]:
        due: list[Journaled] = []
        with self._lock:
            while self._events and self._events[0][0] <= monotonic() and len(due) < _BATCH:
                due.append(self._take())
        return due

    def _take(self) -> Journaled:
        _, size, event = self._events.popleft()
        self._bytes -= size
        return event
