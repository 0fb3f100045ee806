"""Work that waits for the database or for other servers, in threads: so much at once, so much waiting, no more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import TypeVar

from pipelinejobs.gateway.http.http_errors import Problem
from pipelinejobs.util.deadline import call_within

Result = TypeVar("Result")

_GRACE_SECONDS = 1.0
"""How much later than its deadline a piece of work may end before its caller is told that nobody knows."""


class Intake:
    """A number of threads with a queue in front of them that has an end. Used from one event loop."""

    def __init__(self, name: str, workers: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._name = name
        self._most = workers + waiting
        self.inside = 0
        """How many pieces of work are being done or wait."""

    async def run(self, work: Callable[[], Result], seconds: float) -> Result:
        """What `work` returns or raises. It has to keep to `seconds` itself, the time that it waits included.

        Raises:
            Problem: there is too much to do already, or it does not end in time.
        """
        if self.inside >= self._most:
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, f"too many requests at once ({self._name}); nothing was done, try again"
            )
        self.inside += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(future), seconds + _GRACE_SECONDS)
        except TimeoutError:
            future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # somebody has to look at it
            raise Problem(
                HTTPStatus.SERVICE_UNAVAILABLE, "not done in time; it cannot be known whether it will be"
            ) from None

    def _done(self, _: object) -> None:
        self.inside -= 1

    def close(self, seconds: float) -> None:
        """Ends the threads once they have done what was accepted, or after so many seconds."""
        self._pool.shutdown(wait=False)
        with suppress(TimeoutError):
            call_within(seconds, lambda: self._pool.shutdown(wait=True))
