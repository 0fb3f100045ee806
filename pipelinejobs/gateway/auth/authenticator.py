"""The front desk: who sent a request, and whether they may do this."""

from collections.abc import Collection, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

from fastapi import Request

from pipelinejobs.core.permission import Right
from pipelinejobs.gateway.auth import Authenticator, BadCredential, Caller, Shown
from pipelinejobs.gateway.auth.nonce import NonceDesk
from pipelinejobs.gateway.auth.permissions import Rights
from pipelinejobs.gateway.auth.static_tokens import StaticTokens
from pipelinejobs.gateway.http.envelope import Dialect
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.metrics import Metrics
from pipelinejobs.gateway.tasks.worker_pool import WorkerPool
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.secret import Secret

NONCE: Final = "x-nonce"
TAPIS_HEADER: Final = "X-Tapis-Token"

_MISSING: Final = (
    "no credential: send a token in the header Authorization (Bearer), or a nonce as the parameter x-nonce"
)


class Desk:
    """Asks the authenticators, and holds what a caller may do against what is needed."""

    def __init__(
        self,
        static: StaticTokens,
        others: Sequence[Authenticator],
        nonces: NonceDesk,
        intake: WorkerPool,
        redeeming: WorkerPool,
        metrics: Metrics,
        rights: Rights,
    ) -> None:
        """
        Args:
            static: asked first, since that costs nothing.
            others: asked in this order, in threads of `intake`.
            rights: what users may do whom the others identify.
            redeeming: threads for nonces, which do not wait for other servers.
        """
        self._static = static
        self._others = others
        self._nonces = nonces
        self._intake = intake
        self._redeeming = redeeming
        self._metrics = metrics
        self._rights = rights

    async def admit(
        self, shown: Shown, places: Collection[str], least: Right, spoken: Dialect, deadline: Deadline
    ) -> Caller:
        """The caller, who has the right that is needed.

        A token counts before a nonce. Where it is not good, v2 takes the nonce beside it and v3 does not; where it
        is good, no nonce is redeemed. (Abaco's rules.)

        Args:
            places: what a nonce must have been made for, one of these.
            least: the right that is needed.

        Raises:
            HttpError: 401 without a good credential, 403 without the right.
            Unavailable: the server or the database that knows the credential does not answer.
        """
        has_token = shown.bearer is not None or shown.tapis is not None
        try:
            caller = await self._by_token(shown, deadline) if has_token else None
        except (BadCredential, Unavailable) as error:
            if shown.nonce is None or spoken is Dialect.V3:
                raise self._problem(error) from None
            caller = None
        if caller is None:
            if shown.nonce is None:
                self._metrics.refused("missing")
                raise HttpError(HTTPStatus.UNAUTHORIZED, _MISSING)
            caller = await self._by_nonce(shown.nonce, places, least, deadline)
        if caller.right < least:
            self._metrics.refused("right")
            raise HttpError(
                HTTPStatus.FORBIDDEN, f"{caller.user[:64]} has not the right {least.name}, which this needs"
            )
        return caller

    def standing(self, user: str, by: str, handle: str, places: Collection[str]) -> Caller | None:
        """Whom a credential stands for now that was admitted before; nothing is shown, and no use is spent.

        Where others know whose a token is, they are not asked again: what is looked at is the user's right.

        Args:
            user, by, handle: of the `Caller` that it was.
            places: what a nonce must have been made for, one of these.

        Returns:
            None when the credential is no longer good.

        Raises:
            Unavailable: the database cannot be asked.
        """
        if by == "token":
            return self._static.standing(handle)
        if by in ("nonce", "operator"):
            return self._nonces.standing(handle, places)
        return Caller(user, self._rights.of(user), by) if any(one.kind == by for one in self._others) else None

    async def _by_token(self, shown: Shown, deadline: Deadline) -> Caller:
        caller = self._static.identify(shown)
        if caller is None and self._others:
            caller = await self._intake.run(partial(self._ask_others, shown), deadline.remaining())
        if caller is None:
            raise BadCredential("token", "the Bearer token is not known here")
        return caller

    def _ask_others(self, shown: Shown) -> Caller | None:
        for authenticator in self._others:
            caller = authenticator.identify(shown)
            if caller is not None:
                return caller
        return None

    async def _by_nonce(self, nonce: Secret, places: Collection[str], least: Right, deadline: Deadline) -> Caller:
        redeem = partial(self._nonces.redeem, nonce, places, least, deadline.remaining())
        try:
            return await self._redeeming.run(redeem, deadline.remaining())
        except (BadCredential, Unavailable) as error:
            raise self._problem(error) from None

    def _problem(self, error: BadCredential | Unavailable) -> HttpError | Unavailable:
        if isinstance(error, Unavailable):
            return error
        self._metrics.refused(error.kind)
        too_low = error.kind == "nonce level"
        return HttpError(HTTPStatus.FORBIDDEN if too_low else HTTPStatus.UNAUTHORIZED, error.reason)


def shown_by(request: Request) -> Shown:
    """What a request shows."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    tapis = request.headers.get(TAPIS_HEADER, "").strip()
    nonce = next(iter(request.query_params.getlist(NONCE)), "")  # of several the first, as with all parameters
    return Shown(
        bearer=Secret(bearer) if bearer else None,
        tapis=Secret(tapis) if tapis else None,
        nonce=Secret(nonce) if nonce else None,
    )
