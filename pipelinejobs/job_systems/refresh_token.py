"""The refresh token of an OAuth client: the newest one, kept for the other processes and for the next start.

A server may give a new refresh token with each access token, and end the former one. So the newest is kept where all
processes of a database find it, sealed with a key that is made of the client's secret: who reads the database does not
get it.
"""

import base64
import json
from contextlib import suppress
from hashlib import sha256
from typing import Final, Protocol

from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.log import logger
from pipelinejobs.util.secret import Secret

_PURPOSE: Final = b"pipelinejobs: refresh token of an OAuth client"


class Keeper(Protocol):
    """Keeps sealed refresh tokens."""

    def load(self, key: str) -> bytes | None:
        """What was kept under a key; None if nothing was. Raises a PipelineJobsError if it cannot be read now."""

    def save(self, key: str, sealed: bytes) -> None:
        """Keeps it, in place of what was there. Raises a PipelineJobsError if it cannot be kept now."""


class RefreshToken:
    """The newest refresh token of a client. Not for several threads at a time."""

    def __init__(self, configured: Secret, server: str, key: Secret, secret: Secret, keeper: Keeper | None) -> None:
        """
        Args:
            configured: the refresh token in the settings.
            server, key, secret: the server, and the client's key and secret there.
            keeper: keeps the newest one; None: it is in memory only.
        """
        self._configured = configured
        self._newest = configured
        self._name = sha256(json.dumps([server, key.reveal()]).encode()).hexdigest()
        self._secret = secret
        self._keeper = keeper
        self._is_loaded = False

    def newest(self) -> Secret:
        """The newest one that this process knows; the first time, it looks whether one is kept."""
        if not self._is_loaded:
            self.look()
        return self._newest

    def look(self) -> bool:
        """Whether another process has kept a newer one; that is then the newest here too.

        What was kept for another refresh token in the settings does not count: an operator who sets a new one means it.
        """
        if self._keeper is None:
            return False
        try:
            sealed = self._keeper.load(self._name)
        except PipelineJobsError as error:
            _warn("the newest refresh token could not be read", error.reason)
            return False
        self._is_loaded = True
        kept = None if sealed is None else self._opened(sealed)
        if kept is None or kept.reveal() == self._newest.reveal():
            return False
        self._newest = kept
        return True

    def replace(self, token: Secret) -> None:
        """Notes a new refresh token, and keeps it. If that fails, it is in memory, and a warning is logged."""
        if token.reveal() == self._newest.reveal():
            return
        self._newest = token
        if self._keeper is None:
            return
        try:
            self._keeper.save(self._name, self._sealed(token))
        except ImportError:
            _warn("the newest refresh token is kept in memory only", "the package cryptography is not installed")
        except PipelineJobsError as error:
            _warn("the newest refresh token could not be kept for the next start", error.reason)

    def _sealed(self, token: Secret) -> bytes:
        from cryptography.fernet import Fernet

        content = {"refresh_token": token.reveal(), "configured": self._digest()}
        return Fernet(self._key()).encrypt(json.dumps(content).encode())

    def _opened(self, sealed: bytes) -> Secret | None:
        """The kept token; None if it was kept with another client secret, or for another one in the settings."""
        with suppress(ImportError):
            from cryptography.fernet import Fernet, InvalidToken

            try:
                content = json.loads(Fernet(self._key()).decrypt(sealed))
            except InvalidToken:
                _warn("the kept refresh token is not used", "it was not kept with this client secret")
            else:
                return Secret(content["refresh_token"]) if content["configured"] == self._digest() else None
        return None

    def _digest(self) -> str:
        return sha256(self._configured.reveal().encode()).hexdigest()

    def _key(self) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        key = HKDF(SHA256(), 32, salt=None, info=_PURPOSE).derive(self._secret.reveal().encode())
        return base64.urlsafe_b64encode(key)


def _warn(what: str, why: str) -> None:
    logger.warning(what, extra={"fields": {"why": why}})
