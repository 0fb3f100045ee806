"""Counts the open jobs every so often, for the metrics: Prometheus is shown the last result and waits for nothing."""

from collections.abc import Callable
from time import monotonic
from typing import Final

from pipelinejobs.store.open_jobs import OpenJobs

PAUSE_SECONDS: Final = 10.0
"""The pause between two looks."""
_SHARE: Final = 50
"""After a look, the next one comes no sooner than so many times its duration: it costs 2 % of the time at most."""
_MISSED: Final = 6
"""A result is shown until so many further looks could have replaced it."""


class OpenJobsWatch:
    """The open jobs as they were last counted. One thread counts, others read."""

    def __init__(self, count: Callable[[], OpenJobs], clock: Callable[[], float] = monotonic) -> None:
        """
        Args:
            count: counts them; may raise any exception.
            clock: the time in seconds.
        """
        self._count, self._clock = count, clock
        self._next = clock()
        self._last: tuple[OpenJobs, float] | None = None

    def look(self) -> None:
        """Counts the open jobs, unless the last count was expensive and is not long ago.

        Raises:
            Unavailable: the database cannot be asked. The last result is shown until it is too old.
        """
        began = self._clock()
        if began < self._next:
            return
        counted = self._count()
        ended = self._clock()
        pause = max(PAUSE_SECONDS, _SHARE * (ended - began))
        self._next = ended + pause - PAUSE_SECONDS
        self._last = (counted, ended + _MISSED * pause)

    def latest(self) -> OpenJobs | None:
        """The last result; None if there is none yet, or if it is too old."""
        last = self._last
        return last[0] if last is not None and self._clock() < last[1] else None
