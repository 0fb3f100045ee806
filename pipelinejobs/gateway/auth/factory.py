"""Makes the authenticator that the settings describe."""

from functools import partial
from pathlib import Path

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.authenticator import Authenticator
from pipelinejobs.gateway.auth.identity_provider import IdentityProvider
from pipelinejobs.gateway.auth.nonce_redeemer import NonceRedeemer
from pipelinejobs.gateway.auth.oauth2 import Oauth2
from pipelinejobs.gateway.auth.permissions import Permissions
from pipelinejobs.gateway.auth.static_tokens import StaticTokens
from pipelinejobs.gateway.auth.tapis import Tapis
from pipelinejobs.gateway.metrics import Metrics
from pipelinejobs.gateway.tasks.worker_pool import WorkerPool
from pipelinejobs.settings.gateway import GatewaySection
from pipelinejobs.store.nonces import Nonces
from pipelinejobs.util.errors import Unavailable, WrongSetting


def authenticator_for(
    gateway: GatewaySection, nonces: Nonces, provider_pool: WorkerPool, nonce_pool: WorkerPool, metrics: Metrics
) -> Authenticator:
    """The authenticator that the settings describe. With the default settings, only nonces are accepted.

    Args:
        provider_pool, nonce_pool: see `Authenticator`.

    Raises:
        WrongSetting: the file of `gateway.tapis_key` cannot be read, or holds no usable key.
    """
    permissions = Permissions(gateway.permissions)
    providers: list[IdentityProvider] = []
    if gateway.tapis_server is not None:
        key = _read(gateway.tapis_key) if gateway.tapis_key is not None else None
        try:
            providers.append(Tapis(gateway.tapis_server, gateway.tapis_tenants, permissions, key=key))
        except Unavailable as error:
            raise WrongSetting("gateway.tapis_key", error.reason) from None
    if gateway.oauth2_server is not None:
        providers.append(Oauth2(gateway.oauth2_server, permissions))
    tokens = {grant.user: grant.permission for grant in sorted(gateway.tokens, key=lambda grant: grant.permission)}
    redeemer = NonceRedeemer(nonces, partial(_highest, tokens, permissions))
    return Authenticator(
        StaticTokens(gateway.tokens), providers, redeemer, provider_pool, nonce_pool, metrics, permissions
    )


def _highest(tokens: dict[str, Permission], permissions: Permissions, user: str) -> Permission:
    """The highest permission that a user has, by a static token or by an identity provider."""
    return max(tokens.get(user, Permission.NONE), permissions.of(user))


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSetting("gateway.tapis_key", f"{path} cannot be read ({type(error).__name__})") from None
