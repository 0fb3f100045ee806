"""Bearer tokens that the settings know (`gateway.tokens`), by their hash."""

import secrets
import string
from hashlib import sha256
from typing import Final

from pipelinejobs.gateway.auth import Caller, Shown
from pipelinejobs.settings.gateway import Grant
from pipelinejobs.util.secret import Secret

_LETTERS: Final = string.ascii_letters + string.digits
_LENGTH: Final = 40
"""Letters and digits of a token: 238 bits, so that its hash leads back to nothing."""
_LONGEST: Final = 256


class StaticTokens:
    """The tokens of the settings."""

    def __init__(self, grants: tuple[Grant, ...]) -> None:
        self._grants = {grant.digest: grant for grant in grants}

    def identify(self, shown: Shown) -> Caller | None:
        """See `Authenticator.identify`. Asks nobody."""
        if shown.bearer is None or len(shown.bearer.reveal()) > _LONGEST:
            return None
        return self.standing(digest(shown.bearer))

    def standing(self, handle: str) -> Caller | None:
        """Whose the token with this hash is; None where there is no such token (any more)."""
        grant = self._grants.get(handle)
        return Caller(grant.user, grant.right, "token", handle) if grant is not None else None


def new_token() -> Secret:
    """A token that nobody can guess."""
    return Secret("pj-" + "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)))


def digest(token: Secret) -> str:
    """What the settings hold of a token."""
    return sha256(token.reveal().encode("utf-8", "surrogatepass")).hexdigest()
