"""The access token for a job system, which is renewed on demand and shortly before it expires."""

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import responses
from typing import Final, NamedTuple, Protocol

from pipelinejobs.job_systems.host import Host, NoAnswer, NotAsked
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.http_json import JsonAnswer
from pipelinejobs.util.secret import Secret

BACKOFF: Final = Backoff(first=10.0, longest=900.0)
"""The seconds without a renewal; `attempts` does not count."""

TOLERATED: Final = 5
"""After so many refusals in a row, and after as many again, no question is asked for a while."""

REFUSED: Final = Backoff(first=10.0, longest=60.0)
"""The seconds of that while. It stays short: the server may answer 401 for jobs that the user may not see, and these
must not hold up the questions about the other jobs for hours."""

_EARLY: Final = 60.0
"""Seconds before its end at which a token is renewed, but not more than the following share of its life."""

_EARLY_SHARE: Final = 0.2
_LONGEST_LIFE: Final = 10 * 365 * 86_400.0


class Renewed(NamedTuple):
    """An access token, for how many seconds it is valid (None: not known), and whether it was made for this renewal."""

    token: Secret
    life: float | None
    is_new: bool = True


class Account(Protocol):
    """Something that gets new access tokens."""

    def renew(self, host: Host, deadline: Deadline) -> Renewed:
        """Gets an access token that this account has not returned before.

        Raises:
            NoAnswer: there is none. The reason contains no secret.
        """

    def settle(self) -> None:
        """Finishes what a renewal could not finish. Called before each use of the token; raises nothing."""


class AccessToken:
    """The token of one credential. Threads share it: while one renews it, the others wait.

    Renewals that have led to no token that works are followed by growing pauses, and so are refusals in a row.
    """

    def __init__(
        self, token: Secret | None, account: Account | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """
        Args:
            token: the first token; None: it is got from the account when it is needed.
            account: renews the token; None: it stays.
            clock: a monotonic clock, in seconds.
        """
        self._token = token
        self._account = account
        self._clock = clock
        self._lock = threading.Lock()
        self._due, self._end = float("inf"), float("inf")
        self._refusals = 0
        """Questions in a row that were answered with 401."""
        self._renewals = 0
        """Renewals since a token has worked."""
        self._has_failed = False
        """Whether the last renewal gave no token."""
        self._pause_end = float("-inf")
        self._why = ""
        self._refusal = ""
        self._refused_until = float("-inf")

    def obstacle(self) -> str | None:
        """Why no token is shown now, and for how long; None if one is shown, or a renewal would be tried."""
        now = self._clock()
        if now < self._refused_until:
            return self._later(self._refusal, self._refused_until)
        return self._paused() if now < self._pause_end and not self._is_valid() else None

    def current(self, host: Host, deadline: Deadline) -> Secret:
        """The token to show; renews it when that is due.

        Raises:
            NoAnswer: there is none, and none can be got now.
        """
        with self._held(deadline):
            if self._clock() < self._refused_until:
                raise NoAnswer(self._later(self._refusal, self._refused_until))
            if self._token is not None and self._clock() < self._due:
                if self._account is not None:
                    self._account.settle()
                return self._token
            try:
                return self._renewed(host, deadline)
            except NoAnswer:
                if self._token is not None and self._is_valid():
                    return self._token
                raise

    def another(self, refused: Secret, host: Host, deadline: Deadline) -> Secret:
        """The token to show after `refused` was answered with 401: a new one, unless another thread has got it.

        A new token that has never worked is kept for a while, because the server may refuse this one question.

        Raises:
            NoAnswer: there is no other token now.
        """
        with self._held(deadline):
            if self._token is not refused:
                return self._token if self._token is not None else self._renewed(host, deadline)
            self._refusals += 1
            fault = "of the settings is wrong, has expired," if self._account is None else "is new, and does not work,"
            self._refusal = f"{host.where} answered 401: the access token {fault} or may not see this job"
            if self._refusals % TOLERATED == 0:
                self._refused_until = self._clock() + REFUSED.pause(self._refusals // TOLERATED)
            if self._account is None or self._clock() < self._pause_end:
                raise NoAnswer(self._refusal)
            self._token = None
            return self._renewed(host, deadline)

    def worked(self) -> None:
        """Notes that the server has accepted the token."""
        self._refusals = 0
        self._refused_until = float("-inf")
        if not self._has_failed:
            self._renewals = 0
            self._pause_end = float("-inf")

    @contextmanager
    def _held(self, deadline: Deadline) -> Iterator[None]:
        if not self._lock.acquire(timeout=deadline.remaining()):
            raise NoAnswer("the time was over before another question had renewed the access token")
        try:
            yield
        finally:
            self._lock.release()

    def _pause(self, why: str) -> None:
        """Allows no further renewal for a while, unless a token works before."""
        self._renewals += 1
        self._pause_end = self._clock() + BACKOFF.pause(self._renewals)
        self._why = why

    def _paused(self) -> str:
        return self._later(self._why, self._pause_end)

    def _later(self, why: str, end: float) -> str:
        return f"{why}; it is not tried again for {math.ceil(end - self._clock())} s"

    def _is_valid(self) -> bool:
        return self._token is not None and self._clock() < self._end

    def _renewed(self, host: Host, deadline: Deadline) -> Secret:
        if self._account is None:
            raise NoAnswer("there is no access token, and nothing to get one with")
        if self._clock() < self._pause_end:
            raise NoAnswer(self._paused())
        try:
            new = self._account.renew(host, deadline)
        except NotAsked:
            raise
        except NoAnswer as error:
            self._has_failed = True
            self._pause(f"the access token could not be renewed: {error.reason}")
            raise NoAnswer(self._why) from None
        self._has_failed = False
        if new.is_new:  # another process's token may have ended; that is no reason to wait
            self._pause(f"{host.where} has not accepted a new access token yet")
        now = self._clock()
        life = float("inf") if new.life is None else new.life
        self._token, self._end, self._due = new.token, now + life, now + life - min(_EARLY, life * _EARLY_SHARE)
        return new.token


def check(answer: JsonAnswer, where: str, credential: str) -> None:
    """Raises NoAnswer unless the status says that a token was given.

    Args:
        answer: the answer to a request for a token.
        where: the host, for the reason.
        credential: what may be wrong, in the operator's words.
    """
    if answer.status in (400, 401, 403):
        raise NoAnswer(f"{where} answered {answer.status}: it does not accept {credential}")
    if answer.status not in (200, 201):
        raise NoAnswer(f"{where} answered {answer.status} {responses.get(answer.status, '')}".rstrip())


def renewed(grant: object, where: str) -> Renewed:
    """The new token in an answer: an object with `access_token` and, maybe, `expires_in`.

    Raises:
        NoAnswer: there is no text that is fit for a header.
    """
    token = grant.get("access_token") if isinstance(grant, dict) else None
    if not isinstance(grant, dict) or not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,16384}", token):
        raise NoAnswer(f"{where} gave no usable access token")
    return Renewed(Secret(token), _seconds(grant.get("expires_in")))


def _seconds(life: object) -> float | None:
    """For how long a token is valid; None if it is not a number, or a text of one, that makes sense."""
    if isinstance(life, str) and life.isascii() and life.isdigit() and len(life) <= 12:
        life = int(life)
    if not isinstance(life, int | float) or isinstance(life, bool) or not 0 < life <= _LONGEST_LIFE:
        return None
    return float(life)
