"""Nonces, redeemed one use at a time."""

from collections.abc import Callable, Collection

from pipelinejobs.core.permission import Right
from pipelinejobs.gateway.auth import BadCredential, Caller
from pipelinejobs.store.connection import within
from pipelinejobs.store.nonces import Nonce, NonceRefused, Nonces
from pipelinejobs.util.secret import Secret


class NonceDesk:
    """Redeems nonces. Whoever uses one acts as its owner, and has no right that the owner has not."""

    def __init__(self, nonces: Nonces, right_of: Callable[[str], Right]) -> None:
        self._nonces = nonces
        self._right_of = right_of

    def redeem(self, shown: Secret, places: Collection[str], least: Right, seconds: float) -> Caller:
        """Spends one use of a nonce, in so many seconds at the most.

        Args:
            places: what the nonce has to be made for, one of these.
            least: the right that is needed; a nonce of a lower level spends no use.

        Raises:
            BadCredential: the nonce is not good.
            Unavailable: the database cannot be asked.
        """
        try:
            with within(seconds):
                nonce = self._nonces.redeem(shown, places, least)
        except NonceRefused as refused:
            raise BadCredential(f"nonce {refused.kind}", refused.reason) from None
        return self._caller(nonce)

    def standing(self, handle: str, places: Collection[str]) -> Caller | None:
        """Whom a nonce that was redeemed before stands for now; None when it was deleted or has expired.

        Raises:
            Unavailable: the database cannot be asked.
        """
        nonce = self._nonces.standing(handle, places)
        return self._caller(nonce) if nonce is not None else None

    def _caller(self, nonce: Nonce) -> Caller:
        own = nonce.level if nonce.by_operator else min(nonce.level, self._right_of(nonce.owner))
        return Caller(nonce.owner, own, "operator" if nonce.by_operator else "nonce", nonce.handle)
