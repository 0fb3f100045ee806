"""The refresh token of an OAuth client: the newest one, kept for the other processes and for the next start.

A server may give a new refresh token with each access token, and end both former ones. So the newest are kept where all
processes of a database find them, sealed with a key that is made of the client's secret: who reads the database does
not get them.
"""

import base64
import json
import time
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from pipelinejobs.job_systems.access_token import Renewed
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.log import logger
from pipelinejobs.util.secret import Secret

if TYPE_CHECKING:  # a base installation may lack it
    from cryptography.fernet import Fernet

_PURPOSE: Final = b"pipelinejobs: refresh token of an OAuth client"
_SHORTEST: Final = 60.0
"""Seconds that an access token of another process must still be valid for."""
_NOT_SEEN: Final = object()


class Keeper(Protocol):
    """Keeps sealed tokens."""

    def load(self, key: str) -> object:
        """What is kept under a key, whatever it is; None: nothing. Raises a PipelineJobsError if it cannot be read."""

    def save(self, key: str, sealed: bytes, former: object) -> bool:
        """Keeps it in place of `former`, which was loaded. Returns False if something else is kept there by now.

        Raises a PipelineJobsError if it cannot be kept now, or may not have been kept.
        """


class _Shared(NamedTuple):
    """An access token, and when it ends, in seconds since 1970."""

    token: Secret
    end: float


class RefreshToken:
    """The newest refresh token of a client, with the access token that came with it. Not for several threads at a time.

    Attributes:
        newest: the newest refresh token that this process knows.
    """

    def __init__(
        self,
        configured: Secret,
        server: str,
        key: Secret,
        secret: Secret,
        keeper: Keeper | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            configured: the refresh token in the settings.
            server, key, secret: the server, and the client's key and secret there.
            keeper: keeps the newest one; None: it is in memory only.
            clock: the seconds since 1970. If the clocks of two hosts differ, an access token is renewed early or late.
        """
        self.newest = configured
        self._configured = sha256(configured.reveal().encode()).hexdigest()
        self._name = sha256(json.dumps([server, key.reveal()]).encode()).hexdigest()
        self._box = None if keeper is None else _box(secret, self._name)
        self._keeper = keeper if self._box is not None else None
        self._clock = clock
        self._seen: object = _NOT_SEEN
        """What the keeper had when it was asked last."""
        self._is_kept = True
        self._access: _Shared | None = None
        self._used: str | None = None
        """The access token that this process got last, from the server or from another process."""
        self._has_warned = False

    def shared(self) -> Renewed | None:
        """The access token that another process has got, if it is valid for a while and not known here yet."""
        self.look()
        if self._access is None or self._access.token.reveal() == self._used:
            return None
        life = self._access.end - self._clock()
        if life < _SHORTEST:
            return None
        self._used = self._access.token.reveal()
        return Renewed(self._access.token, life, is_new=False)

    def look(self) -> bool:
        """Whether another process has kept a newer refresh token; that is then the newest here too.

        What was kept for another refresh token in the settings does not count: an operator who sets a new one means it.
        """
        former = self.newest
        self._with_keeper(self._look)
        return self.newest.reveal() != former.reveal()

    def replace(self, following: Secret | None, access: Renewed | None) -> None:
        """Notes what the server has given, and keeps it. If that fails, it is in memory, and a warning is logged.

        Args:
            following: the new refresh token; None: the former one stays.
            access: the new access token; None: it cannot be used.
        """
        is_another = following is not None and following.reveal() != self.newest.reveal()
        self.newest = following or self.newest
        self._access = None
        if access is not None:
            self._used = access.token.reveal()
            if access.life is not None:
                self._access = _Shared(access.token, self._clock() + access.life)
        if is_another or self._access is not None:
            self._is_kept = False
        self.settle()

    def settle(self) -> None:
        """Keeps what could not be kept before, if there is something."""
        if not self._is_kept:
            self._with_keeper(self._look)

    def _with_keeper(self, use: Callable[[Keeper], None]) -> None:
        if self._keeper is None:
            return
        try:
            use(self._keeper)
        except PipelineJobsError as error:
            if not self._has_warned:
                _warn("the refresh token could not be " + ("read" if self._is_kept else "kept"), error.reason)
            self._has_warned = True
        else:
            self._has_warned = False

    def _look(self, keeper: Keeper) -> None:
        """Takes over what another process has kept since the last look; else keeps what is not kept yet."""
        row = keeper.load(self._name)
        is_first, is_same = self._seen is _NOT_SEEN, self._seen == row
        self._seen = row
        content = None if row is None or is_same else self._opened(row)
        if content is not None and content["configured"] == self._configured:
            self.newest, self._is_kept = Secret(content["refresh_token"]), True
            end = content["end"]
            self._access = None if end is None else _Shared(Secret(content["access_token"]), end)
        elif content is not None and not is_first:
            _warn("the refresh token is in memory only", "another one was configured for another process since")
            self._keeper = None
        elif not self._is_kept:
            sealed = self._sealed()
            if keeper.save(self._name, sealed, row):
                self._seen, self._is_kept = sealed, True

    def _sealed(self) -> bytes:
        assert self._box is not None
        content = {
            "refresh_token": self.newest.reveal(),
            "configured": self._configured,
            "access_token": None if self._access is None else self._access.token.reveal(),
            "end": None if self._access is None else self._access.end,
        }
        return self._box.encrypt(json.dumps(content).encode())

    def _opened(self, row: object) -> dict[str, Any] | None:
        """What was sealed; None if this was not done with this client secret, or has been altered."""
        from cryptography.fernet import InvalidToken

        assert self._box is not None
        try:
            content: dict[str, Any] = json.loads(self._box.decrypt(row))  # type: ignore[arg-type]
        except (InvalidToken, TypeError):
            _warn("the kept refresh token is not used", "it was not kept with this client secret, or was altered")
            return None
        return content


def _box(secret: Secret, name: str) -> "Fernet | None":
    """Seals and opens what is kept under a name; None, with a warning in the log, without the package cryptography."""
    try:
        from cryptography.fernet import Fernet
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError:
        _warn("the refresh token is in memory only", "the package cryptography is not installed")
        return None
    key = HKDF(SHA256(), 32, salt=name.encode(), info=_PURPOSE).derive(secret.reveal().encode())
    return Fernet(base64.urlsafe_b64encode(key))


def _warn(what: str, why: str) -> None:
    logger.warning(what, extra={"fields": {"why": why}})
