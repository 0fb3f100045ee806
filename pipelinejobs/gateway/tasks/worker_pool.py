"""Threads for work that waits for the database or other servers, with a bounded queue."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from pipelinejobs.util.deadline import call_within
from pipelinejobs.util.errors import OutcomeUnknown, Overloaded

Result = TypeVar("Result")

GRACE_SECONDS: Final = 1.0
"""How long after its deadline work may still end. After that, its caller gets `OutcomeUnknown`."""

LATE: Final = "timed out; the request may or may not be carried out"


def too_many(name: str) -> Overloaded:
    """The error of a full queue; `name` says of which."""
    return Overloaded(f"too many requests at once ({name}); nothing was done, try again")


class WorkerPool:
    """A number of threads with a bounded queue. Use it from one event loop."""

    def __init__(self, name: str, workers: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._name = name
        self._most = workers + waiting
        self.inside = 0
        """How many calls are being done or wait."""

    async def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """Calls `work` in a thread, and returns or raises what it does.

        Args:
            work: what to do. It has to observe `seconds` itself, including the time in the queue.
            seconds: its time limit.

        Raises:
            Overloaded: the queue is full; nothing was done.
            OutcomeUnknown: `work` did not end within `seconds` and the grace.
        """
        if self.inside >= self._most:
            raise too_many(self._name)
        self.inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), seconds + GRACE_SECONDS)
        except TimeoutError:
            future.add_done_callback(
                lambda ended: ended.cancelled() or ended.exception()
            )  # otherwise asyncio logs that the exception was never retrieved
            raise OutcomeUnknown(LATE) from None

    def _done(self, _: object) -> None:
        self.inside -= 1

    def close(self, seconds: float) -> None:
        """Ends the threads once all accepted work is done, or after `seconds`."""
        self._pool.shutdown(wait=False)
        with suppress(TimeoutError):
            call_within(seconds, lambda: self._pool.shutdown(wait=True))
