"""The requests that wait until a job changes. The change feed tells them; none of them asks the database by itself."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pipelinejobs.util.errors import PipelineJobsError


class TooManyWaiters(PipelineJobsError):
    """Too many requests wait already; try again."""


class Waiter:
    """One request that waits for changes of one job.

    Attributes:
        job: the job's uuid.
        ended: whether no more changes will come: the gateway or the connection ends.
    """

    def __init__(self, job: str) -> None:
        self.job = job
        self.ended = False
        self._change: dict[str, Any] | None = None
        self._woken = asyncio.Event()

    async def next(self, seconds: float) -> dict[str, Any] | None:
        """The newest change since the last call; None if there is none within `seconds`, or if the waiter has ended."""
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return None
        if not self.ended:
            self._woken.clear()
        change, self._change = self._change, None
        return change

    def tell(self, change: dict[str, Any]) -> None:
        """Adds a change. Of several, only the newest is kept: it shows the job as it is."""
        self._change = change
        self._woken.set()

    def end(self) -> None:
        """Ends the waiter."""
        self.ended = True
        self._woken.set()


class Waiters:
    """All waiters of a change feed, by job. Use it from one event loop."""

    def __init__(self, most: int) -> None:
        """
        Args:
            most: most waiters at the same time.
        """
        self._most = most
        self._by_job: defaultdict[str, set[Waiter]] = defaultdict(set)
        self.count = 0

    def add(self, job: str) -> Waiter:
        """A new waiter. Call `discard` at its end.

        Raises:
            TooManyWaiters: the limit is reached.
        """
        if self.count >= self._most:
            raise TooManyWaiters
        waiter = Waiter(job)
        self._by_job[job].add(waiter)
        self.count += 1
        return waiter

    def discard(self, waiter: Waiter) -> None:
        """Removes a waiter."""
        of_job = self._by_job[waiter.job]
        self.count -= waiter in of_job
        of_job.discard(waiter)
        if not of_job:
            del self._by_job[waiter.job]

    @property
    def jobs(self) -> list[str]:
        """The uuids of the jobs that are waited for."""
        return list(self._by_job)

    def tell(self, changes: Iterable[dict[str, Any]]) -> None:
        """Tells each waiter the changes of its job."""
        for change in changes:
            for waiter in self._by_job.get(str(change.get("uuid")), ()):
                waiter.tell(change)

    def end(self) -> None:
        """Ends all waiters."""
        for waiter in [one for of_job in self._by_job.values() for one in of_job]:
            waiter.end()
