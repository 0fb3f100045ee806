"""Redeems nonces: each admitted request spends one use."""

from collections.abc import Callable, Collection

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.credentials import BadCredential
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.store.connection import within
from pipelinejobs.store.nonces import Nonce, NonceRefused, Nonces
from pipelinejobs.util.secret import Secret


class NonceRedeemer:
    """Redeems nonces.

    The principal is the nonce's owner. Its permission is the lower of the nonce's level and the owner's permission; a
    nonce that an operator made on the command line keeps its own level.
    """

    def __init__(self, nonces: Nonces, permission_of: Callable[[str], Permission]) -> None:
        """
        Args:
            nonces: the stored nonces.
            permission_of: gives the highest permission of a user, by name.
        """
        self._nonces = nonces
        self._permission_of = permission_of

    def redeem(self, nonce: Secret, scopes: Collection[str], required: Permission, seconds: float) -> Principal:
        """Spends one use of a nonce.

        Args:
            nonce: the secret id in the request.
            scopes: the nonce must have been made for one of these.
            required: the lowest permission that is enough; a nonce of a lower level is refused and spends no use.
            seconds: how long the database may take.

        Raises:
            BadCredential: the nonce is unknown, expired, spent, of another scope, or of a lower level.
            Unavailable: the database cannot be asked.
        """
        try:
            with within(seconds):
                redeemed = self._nonces.redeem(nonce, scopes, required)
        except NonceRefused as refused:
            raise BadCredential(f"nonce {refused.kind}", refused.reason) from None
        return self._principal(redeemed)

    def recheck(self, handle: str, scopes: Collection[str]) -> Principal | None:
        """The current principal of a nonce that was redeemed before; None if it was deleted or has expired.

        Raises:
            Unavailable: the database cannot be asked.
        """
        nonce = self._nonces.find_valid(handle, scopes)
        return self._principal(nonce) if nonce is not None else None

    def _principal(self, nonce: Nonce) -> Principal:
        own = nonce.level if nonce.by_operator else min(nonce.level, self._permission_of(nonce.owner))
        return Principal(nonce.owner, own, "operator" if nonce.by_operator else "nonce", nonce.handle)
