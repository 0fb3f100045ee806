"""When to try again: the one jittered backoff. `client.py` has its own, since it is copied to other machines alone."""

import random
from typing import NamedTuple

_MOST_DOUBLINGS = 32


class Backoff(NamedTuple):
    """Waits that double, with jitter: the settings `outbox.*` and `requeue.*`, and the pauses of one event's retries.

    Attributes:
        attempts: after so many there is no further one.
        first, longest: seconds to wait after the first attempt and at the most; it doubles in between. With the
            defaults, those of config.yml for the outbox, attempts reach over four to eight hours, if anything runs by
            then: nothing here runs by itself.
        jitter: which share of a wait is left to chance, from 0 to 1.
    """

    attempts: int = 20
    first: float = 1.0
    longest: float = 3600.0
    jitter: float = 0.5

    def delay(self, attempts: int, asked: float | None = None) -> float | None:
        """Seconds until the next attempt, with jitter; None to give up.

        Args:
            attempts: how many were made.
            asked: how long the receiver asked us to wait.
        """
        if attempts >= self.attempts:
            return None
        return max(self.pause(attempts), asked or 0.0)

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many attempts, with jitter, however many there were."""
        doubled = min(self.longest, self.first * 2.0 ** min(max(attempts - 1, 0), _MOST_DOUBLINGS))
        return doubled * random.uniform(1.0 - self.jitter, 1.0)  # noqa: S311 - spreads load, hides nothing
