"""Bearer tokens listed in the settings (`gateway.tokens`), by their hash."""

import secrets
import string
from hashlib import sha256
from typing import Final

from pipelinejobs.gateway.auth.credentials import Credentials
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.settings.gateway import Grant
from pipelinejobs.util.secret import Secret

_LETTERS: Final = string.ascii_letters + string.digits
_LENGTH: Final = 40
"""Length of a token: 238 random bits, so that it cannot be found from its hash."""
_LONGEST: Final = 256


class StaticTokens:
    """Checks static tokens. Only their SHA-256 hashes are stored."""

    def __init__(self, grants: tuple[Grant, ...]) -> None:
        self._grants = {grant.digest: grant for grant in grants}

    def identify(self, credentials: Credentials) -> Principal | None:
        """As `IdentityProvider.identify`, but an unknown token gives None."""
        if credentials.bearer is None or len(credentials.bearer.reveal()) > _LONGEST:
            return None
        return self.with_digest(digest(credentials.bearer))

    def with_digest(self, handle: str) -> Principal | None:
        """The principal of the token with this hash; None if the settings list no such token."""
        grant = self._grants.get(handle)
        return Principal(grant.user, grant.permission, "token", handle) if grant is not None else None


def new_token() -> Secret:
    """A new random token, such as `pj-` and 40 letters or digits."""
    return Secret("pj-" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)))


def digest(token: Secret) -> str:
    """The SHA-256 hash of a token in hex, as it is written in the settings."""
    return sha256(token.reveal().encode("utf-8", "surrogatepass")).hexdigest()
