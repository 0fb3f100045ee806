"""The host of a job system: how many requests a second it gets, and when it gets none."""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from pipelinejobs.util import http_client, http_json
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import PipelineJobsError, Undelivered
from pipelinejobs.util.http_json import JsonAnswer

TOLERATED: Final = 5
"""Failures in a row after which the circuit opens."""

BACKOFF: Final = Backoff(first=5.0, longest=900.0)
"""The seconds that the circuit stays open; `attempts` does not count."""

LONGEST_ANSWER: Final = 10.0
"""Seconds. A slower answer counts as a failure."""

_FAILURES_BELOW_500: Final = (408, 429)


class NoAnswer(PipelineJobsError):
    """The job system gave no answer that says anything."""


class NotAsked(NoAnswer):
    """The request was not made."""


class Host:
    """Makes the requests to one host, for questions and for tokens.

    At most `rate` requests a second, one after the other at even intervals. After some failures in a row the circuit
    opens: no request is made for a while, then a single one, whose answer closes the circuit or opens it for longer. A
    Retry-After opens it at once. Failures are timeouts, lost connections, answers that are cut or endless, and the
    statuses 408, 429 and 5xx. All else shows that the host works, whatever it says.
    """

    def __init__(
        self,
        where: str,
        rate: float,
        *,
        backoff: Backoff = BACKOFF,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Args:
            where: host and port, for reasons.
            rate: the most requests a second.
            backoff: how long the circuit stays open.
            clock: a monotonic clock, in seconds.
            sleep: waits for so many seconds.
        """
        self.where: Final = where
        self._rate = rate
        self._backoff = backoff
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._turn = float("-inf")
        self._failures = 0
        self._why: str | None = None
        """Why the circuit is open; None: it is closed."""
        self._closed_until = float("-inf")
        self._is_tried = False

    def obstacle(self) -> str | None:
        """Why no request is made now, and for how long; None if one would be made."""
        with self._lock:
            return self._obstacle()

    def request(
        self, method: str, url: str, headers: dict[str, str], deadline: Deadline, body: bytes | None = None
    ) -> JsonAnswer:
        """Makes a request when it is its turn, and returns the answer, whatever it says.

        Raises:
            NotAsked: the circuit is open, or the turn would come after the deadline.
            NoAnswer: the request failed.
        """
        is_trial = self._wait(deadline)
        try:
            answer = self._answer(method, url, headers, deadline, body)
        except Undelivered as error:
            self._failed(error.reason, error.retry_after)
            raise NoAnswer(error.reason) from None
        finally:
            if is_trial:
                with self._lock:
                    self._is_tried = False
        self._answered()
        return answer

    def _answer(
        self, method: str, url: str, headers: dict[str, str], deadline: Deadline, body: bytes | None
    ) -> JsonAnswer:
        seconds = min(deadline.remaining(), LONGEST_ANSWER)
        if seconds <= 0:
            raise NotAsked(f"the time was over before {self.where} was asked")
        answer = http_json.request(method, url, headers, seconds, body)
        if answer.status >= 500 or answer.status in _FAILURES_BELOW_500:
            http_client.check(self.where, answer.status, answer.retry_after)
        return answer

    def _wait(self, deadline: Deadline) -> bool:
        """Waits for the next turn. Returns whether the request is the one that tries an open circuit.

        Raises:
            NotAsked: no request may be made.
        """
        with self._lock:
            self._check()
            now = self._clock()
            turn = max(now, self._turn)
            if turn - now >= deadline.remaining():
                raise NotAsked(
                    f"the time was over before a request to {self.where} had its turn ({self._rate:g} a second)"
                )
            self._turn = turn + 1.0 / self._rate
        if turn > now:
            self._sleep(turn - now)
        with self._lock:
            self._check()  # another request may have failed meanwhile
            self._is_tried = self._why is not None
            return self._is_tried

    def _check(self) -> None:
        why = self._obstacle()
        if why is not None:
            raise NotAsked(why)

    def _obstacle(self) -> str | None:
        if self._why is None:
            return None
        left = self._closed_until - self._clock()
        if left > 0:
            return f"{self._why}; it is not asked again for {math.ceil(left)} s"
        return f"{self._why}; one request is trying it again" if self._is_tried else None

    def _failed(self, why: str, asked: float | None) -> None:
        with self._lock:
            self._failures += 1
            pause = asked or 0.0
            if self._failures >= TOLERATED:
                pause = max(pause, self._backoff.pause(self._failures - TOLERATED + 1))
            if pause > 0:
                self._why = why
                self._closed_until = max(self._closed_until, self._clock() + pause)

    def _answered(self) -> None:
        with self._lock:
            self._failures = 0
            # A request that was on its way when the host asked for a pause does not end the pause.
            if self._clock() >= self._closed_until:
                self._why = None
