"""Work that waits for the database or for other servers, in threads: so much at once, so much waiting, no more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar

from pipelinejobs.util.deadline import call_within
from pipelinejobs.util.errors import OutcomeUnknown, Overloaded

Result = TypeVar("Result")

GRACE_SECONDS: Final = 1.0
"""How much later than its deadline a piece of work may end before its caller is told that the outcome is unknown."""

LATE: Final = "timed out; it is not known whether it will still be done"


def too_many(name: str) -> Overloaded:
    """What the callers of a queue are told that is full."""
    return Overloaded(f"too many requests at once ({name}); nothing was done, try again")


class WorkerPool:
    """A number of threads with a bounded queue in front of them. Used from one event loop."""

    def __init__(self, name: str, workers: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._name = name
        self._most = workers + waiting
        self.inside = 0
        """How many pieces of work are being done or wait."""

    async def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """What `work` returns or raises. It has to keep to `seconds` itself, the time that it waits included.

        Raises:
            Overloaded: there is too much to do already.
            OutcomeUnknown: it does not end in time.
        """
        if self.inside >= self._most:
            raise too_many(self._name)
        self.inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), seconds + GRACE_SECONDS)
        except TimeoutError:
            future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # else asyncio complains
            raise OutcomeUnknown(LATE) from None

    def _done(self, _: object) -> None:
        self.inside -= 1

    def close(self, seconds: float) -> None:
        """Ends the threads once they have done what was accepted, or after so many seconds."""
        self._pool.shutdown(wait=False)
        with suppress(TimeoutError):
            call_within(seconds, lambda: self._pool.shutdown(wait=True))
