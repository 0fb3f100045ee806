"""When to try again."""

import random
from typing import NamedTuple


class Backoff(NamedTuple):
    """Waits that double, with jitter: the settings `outbox.*` and `requeue.*`.

    Attributes:
        attempts: after so many there is no further one.
        first, longest: seconds to wait after the first attempt and at the most; it doubles in between. With the
            defaults, those of config.yml for the outbox, attempts reach over four to eight hours, if anything runs by
            then: nothing here runs by itself.
    """

    attempts: int = 20
    first: float = 1.0
    longest: float = 3600.0

    def delay(self, attempts: int, asked: float | None = None) -> float | None:
        """Seconds until the next attempt, with jitter; None to give up.

        Args:
            attempts: how many were made.
            asked: how long the receiver asked us to wait.
        """
        if attempts >= self.attempts:
            return None
        doubled = min(self.longest, self.first * 2.0 ** min(max(attempts - 1, 0), 32))
        return max(doubled * random.uniform(0.5, 1.0), asked or 0.0)  # noqa: S311 - spreads load, hides nothing
