"""Exponential backoff with jitter. `client.py` has its own, because it is copied to other machines as one file."""

import random
from typing import NamedTuple

_MOST_DOUBLINGS = 32


class Backoff(NamedTuple):
    """Waits that double, with jitter. Used for `outbox.*`, `requeue.*` and the retries of one event.

    Attributes:
        attempts: the most attempts.
        first: seconds to wait after the first attempt; each further wait is twice as long.
        longest: the longest wait in seconds. With the defaults, 20 attempts extend over four to eight hours.
        jitter: the share of a wait that is random, from 0 to 1.
    """

    attempts: int = 20
    first: float = 1.0
    longest: float = 3600.0
    jitter: float = 0.5

    def delay(self, attempts: int, asked: float | None = None) -> float | None:
        """Seconds until the next attempt, with jitter; None if there is none left.

        Args:
            attempts: the number of attempts so far.
            asked: seconds that the receiver asked us to wait; the result is not less.
        """
        if attempts >= self.attempts:
            return None
        return max(self.pause(attempts), asked or 0.0)

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many attempts, with jitter, without a limit of their number."""
        doubled = min(self.longest, self.first * 2.0 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS))
        return doubled * random.uniform(1.0 - self.jitter, 1.0)  # noqa: S311 - spreads load, hides nothing
