"""Who sent a request, and whether this principal has the permission that the request needs."""

from collections.abc import Collection, Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.credentials import BadCredential, Credentials
from pipelinejobs.gateway.auth.identity_provider import IdentityProvider
from pipelinejobs.gateway.auth.nonce_redeemer import NonceRedeemer
from pipelinejobs.gateway.auth.permissions import Permissions
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.gateway.auth.static_tokens import StaticTokens
from pipelinejobs.gateway.http.envelope import Dialect
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.metrics import Metrics
from pipelinejobs.gateway.tasks.worker_pool import WorkerPool
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.secret import Secret

_MISSING: Final = (
    "no credential: send a token in the header Authorization (Bearer), or a nonce as the parameter x-nonce"
)


class Authenticator:
    """Finds the principal of a request, and compares the principal's permission with the one required."""

    def __init__(
        self,
        static: StaticTokens,
        providers: Sequence[IdentityProvider],
        nonces: NonceRedeemer,
        provider_pool: WorkerPool,
        nonce_pool: WorkerPool,
        metrics: Metrics,
        permissions: Permissions,
    ) -> None:
        """
        Args:
            static: the tokens of the settings; checked first, because that needs no server.
            providers: asked in this order.
            nonces: redeems nonces.
            provider_pool: threads that ask the providers, which may wait for other servers.
            nonce_pool: threads that redeem nonces; apart, so that a slow provider does not delay nonces.
            metrics: counts refused requests.
            permissions: the permissions of users whom a provider identifies.
        """
        self._static = static
        self._providers = providers
        self._nonces = nonces
        self._provider_pool = provider_pool
        self._nonce_pool = nonce_pool
        self._metrics = metrics
        self._permissions = permissions

    async def admit(
        self,
        credentials: Credentials,
        scopes: Collection[str],
        required: Permission,
        dialect: Dialect,
        deadline: Deadline,
    ) -> Principal:
        """Finds the principal of a request, and checks that it has the required permission.

        A token is tried before a nonce. If the token is valid, the nonce is not redeemed. If the token is not valid,
        v2 tries the nonce and v3 refuses the request. (Abaco's rules.)

        Args:
            credentials: as the request shows them.
            scopes: a nonce must have been made for one of these.
            required: the lowest permission that is enough.
            dialect: of the request's path.
            deadline: when the sender gives up.

        Raises:
            HttpError: 401 if no credential is valid, 403 if the permission or the nonce's level is too low.
            Unavailable: the server or the database that knows the credential does not answer, or all threads are busy.
        """
        has_token = credentials.bearer is not None or credentials.tapis is not None
        try:
            principal = await self._by_token(credentials, deadline) if has_token else None
        except (BadCredential, Unavailable) as error:
            if credentials.nonce is None or dialect is Dialect.V3:
                raise self._refusal(error) from None
            principal = None
        if principal is None:
            if credentials.nonce is None:
                self._metrics.refused("missing")
                raise HttpError(HTTPStatus.UNAUTHORIZED, _MISSING)
            principal = await self._by_nonce(credentials.nonce, scopes, required, deadline)
        if principal.permission < required:
            self._metrics.refused("permission")
            raise HttpError(HTTPStatus.FORBIDDEN, f"{principal.user[:64]} lacks the {required.name} permission")
        return principal

    def recheck(self, user: str, by: str, handle: str, scopes: Collection[str]) -> Principal | None:
        """The current principal of a credential that was admitted before. Spends no use of a nonce.

        A token of TACC or Tapis is not sent to their server again; only the user's permission is looked up.

        Args:
            user, by, handle: of the `Principal` that was admitted.
            scopes: a nonce must have been made for one of these.

        Returns:
            None if the credential is no longer valid.

        Raises:
            Unavailable: the database cannot be asked.
        """
        if by == "token":
            return self._static.with_digest(handle)
        if by in ("nonce", "operator"):
            return self._nonces.recheck(handle, scopes)
        is_served = any(provider.kind == by for provider in self._providers)
        return Principal(user, self._permissions.of(user), by) if is_served else None

    async def _by_token(self, credentials: Credentials, deadline: Deadline) -> Principal:
        principal = self._static.identify(credentials)
        if principal is None and self._providers:
            principal = await self._provider_pool.run(partial(self._ask_providers, credentials), deadline.remaining())
        if principal is None:
            raise BadCredential("token", "unknown Bearer token")
        return principal

    def _ask_providers(self, credentials: Credentials) -> Principal | None:
        for provider in self._providers:
            principal = provider.identify(credentials)
            if principal is not None:
                return principal
        return None

    async def _by_nonce(
        self, nonce: Secret, scopes: Collection[str], required: Permission, deadline: Deadline
    ) -> Principal:
        redeem = partial(self._nonces.redeem, nonce, scopes, required, deadline.remaining())
        try:
            return await self._nonce_pool.run(redeem, deadline.remaining())
        except (BadCredential, Unavailable) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: BadCredential | Unavailable) -> HttpError | Unavailable:
        if isinstance(error, Unavailable):
            return error
        self._metrics.refused(error.kind)
        too_low = error.kind == "nonce level"
        return HttpError(HTTPStatus.FORBIDDEN if too_low else HTTPStatus.UNAUTHORIZED, error.reason)
