"""The access token for a job system, which is renewed on demand and shortly before it expires."""

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import responses
from typing import Final, NamedTuple, Protocol

from pipelinejobs.job_systems.host import Host, NoAnswer
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.http_json import JsonAnswer
from pipelinejobs.util.secret import Secret

BACKOFF: Final = Backoff(first=10.0, longest=900.0)
"""The seconds between renewals of which none has led to a token that works; `attempts` does not count."""

_EARLY: Final = 60.0
_EARLY_SHARE: Final = 0.2
_LONGEST_LIFE: Final = 10 * 365 * 86_400.0


class Renewed(NamedTuple):
    """A new access token, and for how many seconds it is valid; None: not known."""

    token: Secret
    life: float | None


class Account(Protocol):
    """Something that gets new access tokens."""

    def renew(self, host: Host, deadline: Deadline) -> Renewed:
        """Gets a new access token with one request.

        Raises:
            NoAnswer: there is none. The reason contains no secret.
        """


class AccessToken:
    """The token of one credential. Threads share it: while one renews it, the others wait."""

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
        self._in_vain = 0
        """Renewals since a token has worked."""
        self._not_before = float("-inf")
        """When the token may be renewed again."""
        self._why = ""

    def obstacle(self) -> str | None:
        """Why there is no token now, and for how long; None if there is one, or a renewal would be tried."""
        left = self._not_before - self._clock()
        return None if left <= 0 or self._is_valid() else self._pause(left)

    def current(self, host: Host, deadline: Deadline) -> Secret:
        """The token to show; renews it when that is due.

        Raises:
            NoAnswer: there is none, and none can be got now.
        """
        with self._held(deadline):
            if self._token is not None and self._clock() < self._due:
                return self._token
            try:
                return self._renewed(host, deadline)
            except NoAnswer:
                if self._token is not None and self._is_valid():
                    return self._token
                raise

    def another(self, refused: Secret, host: Host, deadline: Deadline) -> Secret:
        """The token to show after `refused` was answered with 401: a new one, unless another thread has got it.

        A new token that did not work either is not replaced at once: the server may refuse this one question.

        Raises:
            NoAnswer: none can be got now.
        """
        with self._held(deadline):
            if self._token is not None and self._token is not refused:
                return self._token
            return self._renewed(host, deadline)

    def worked(self) -> None:
        """Notes that the server has accepted the token."""
        self._in_vain = 0
        self._not_before = float("-inf")

    @contextmanager
    def _held(self, deadline: Deadline) -> Iterator[None]:
        if not self._lock.acquire(timeout=deadline.remaining()):
            raise NoAnswer("the time was over before another question had renewed the access token")
        try:
            yield
        finally:
            self._lock.release()

    def _pause(self, left: float) -> str:
        return f"{self._why}; it is not renewed again for {math.ceil(left)} s"

    def _is_valid(self) -> bool:
        return self._token is not None and self._clock() < self._end

    def _renewed(self, host: Host, deadline: Deadline) -> Secret:
        if self._account is None:
            raise NoAnswer(f"{host.where} answered 401: the access token of the settings is wrong, or has expired")
        left = self._not_before - self._clock()
        if left > 0:
            raise NoAnswer(self._pause(left))
        self._in_vain += 1
        self._not_before = self._clock() + BACKOFF.pause(self._in_vain)
        try:
            renewed = self._account.renew(host, deadline)
        except NoAnswer as error:
            self._why = f"the access token could not be renewed: {error.reason}"
            raise NoAnswer(self._why) from None
        self._why = f"{host.where} has not accepted a new access token yet"
        self._token = renewed.token
        now = self._clock()
        life = float("inf") if renewed.life is None else renewed.life
        self._end, self._due = now + life, now + life - min(_EARLY, life * _EARLY_SHARE)
        return self._token


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
