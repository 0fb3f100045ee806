"""OAuth2 tokens of TACC. They are opaque: only the server that issued a token can name its user."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Final

from pipelinejobs.gateway.auth.credentials import BadCredential, Credentials
from pipelinejobs.gateway.auth.identity_provider import asked
from pipelinejobs.gateway.auth.permissions import Permissions
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.secret import Secret

_GOOD_SECONDS: Final = 60.0
_BAD_SECONDS: Final = 10.0
_OUTAGE_SECONDS: Final = 1.0
_MOST: Final = 10_000
_LONGEST: Final = 2048
_LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class _Known:
    """TACC's answer about a token.

    Attributes:
        user: the token's user; None if the token is not valid.
        until: monotonic time until which the answer is used.
    """

    user: str | None
    until: float


class Oauth2:
    """Asks `{server}/profiles/v2/me` for the user of a token.

    The answer is cached: 60 seconds for a valid token, 10 for an invalid one. After TACC has failed to answer, it is
    not asked again for a second.
    """

    kind: ClassVar[str] = "oauth2"

    def __init__(
        self,
        server: str,
        permissions: Permissions,
        *,
        seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            server: the address of the API.
            permissions: the permissions of its users.
            seconds: time limit for an answer.
            clock: a monotonic clock, in seconds.
        """
        self._url = f"{server}/profiles/v2/me"
        self._permissions = permissions
        self._seconds = seconds
        self._clock = clock
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._asking: dict[bytes, threading.Lock] = {}
        self._lock = threading.Lock()
        self._outage_until = float("-inf")

    def identify(self, credentials: Credentials) -> Principal | None:
        """See `IdentityProvider.identify`."""
        if credentials.bearer is None or is_jwt(credentials.bearer):
            return None
        text = credentials.bearer.reveal()
        if len(text) > _LONGEST or not text.isascii() or not text.isprintable() or " " in text:
            raise BadCredential("oauth2", "the token does not have the form of a TACC token")
        key = sha256(text.encode()).digest()
        user = self._user(key, credentials.bearer)
        if user is None:
            raise BadCredential("oauth2", "the token is unknown to TACC, or has expired")
        return Principal(user, self._permissions.of(user), self.kind)

    def _user(self, key: bytes, token: Secret) -> str | None:
        """The user of the token with this hash. Requests with the same token wait for one answer."""
        known = self._remembered(key)
        if known is None:
            with self._lock:
                asking = self._asking.setdefault(key, threading.Lock())
            with asking:
                known = self._remembered(key)
                if known is None:
                    try:
                        known = self._asked(token)
                        self._remember(key, known)
                    finally:
                        with self._lock:
                            self._asking.pop(key, None)
        return known.user

    def _asked(self, token: Secret) -> _Known:
        if self._clock() < self._outage_until:
            raise Unavailable("the token could not be checked: TACC failed to answer a moment ago")
        try:
            status, answer = asked(self._url, {"Authorization": f"Bearer {token.reveal()}"}, self._seconds)
            if status in (401, 403):
                return _Known(None, self._clock() + _BAD_SECONDS)
            user = _username(answer) if status == 200 else None
            if user is None:
                raise Unavailable(f"the token could not be checked: TACC answered {status} and named no user")
        except Unavailable:
            self._outage_until = self._clock() + _OUTAGE_SECONDS
            raise
        return _Known(user, self._clock() + _GOOD_SECONDS)

    def _remembered(self, key: bytes) -> _Known | None:
        with self._lock:
            known = self._known.get(key)
            return known if known is not None and self._clock() < known.until else None

    def _remember(self, key: bytes, known: _Known) -> None:
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)


def is_jwt(token: Secret) -> bool:
    """Whether a token has the three parts of a JSON Web Token."""
    return token.reveal().count(".") == 2


def _username(answer: object) -> str | None:
    result = answer.get("result") if isinstance(answer, dict) else None
    name = result.get("username") if isinstance(result, dict) else None
    good = isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable() and not name.isspace()
    return name if good else None
