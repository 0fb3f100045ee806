"""Tokens of Tapis v3: JSON Web Tokens, signed with the key of a tenant.

The reference services check only the signature and the expiry. This module also checks the issuer, the type of the
token, and that the user belongs to the tenant whose key signed it.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import quote

from pipelinejobs.gateway.auth.credentials import BadCredential, Credentials
from pipelinejobs.gateway.auth.identity_provider import asked
from pipelinejobs.gateway.auth.oauth2 import is_jwt
from pipelinejobs.gateway.auth.permissions import Permissions
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.secret import Secret

_LONGEST: Final = 8 * 1024
_LONGEST_NAME: Final = 128
_LEEWAY: Final = 10
_KEY_SECONDS: Final = 3600.0
_KEY_AGAIN_SECONDS: Final = 60.0
_KEY_AT_THE_LATEST: Final = 86_400.0
_LEAST_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class _Tenant:
    """A tenant.

    Attributes:
        key: its public key.
        issuer: the `iss` of its tokens.
        since: monotonic time at which both were fetched.
    """

    key: Any
    issuer: str
    since: float


class Tapis:
    """Checks the tokens of configured tenants of one Tapis site. A tenant's key is fetched again every hour."""

    kind: ClassVar[str] = "tapis"

    def __init__(
        self,
        server: str,
        tenants: tuple[str, ...],
        permissions: Permissions,
        *,
        key: str | None = None,
        seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            server: the address of the site.
            tenants: the tenants whose tokens are accepted.
            permissions: the permissions of their users, by `user@tenant`.
            key: the public key of the only tenant, in PEM; None: ask the site's tenants service.
            seconds: time limit for an answer of that service.
            clock: a monotonic clock, in seconds.

        Raises:
            Unavailable: `key` is not a usable RSA key.
        """
        self._server = server
        self._allowed = frozenset(tenants)
        self._permissions = permissions
        self._key = key
        self._seconds = seconds
        self._clock = clock
        self._tenants: dict[str, _Tenant] = {}
        self._lock = threading.Lock()
        if key is not None:
            self._tenants = {name: self._looked_up(name) for name in tenants}

    def identify(self, credentials: Credentials) -> Principal | None:
        """See `IdentityProvider.identify`."""
        token = credentials.tapis
        if token is None and credentials.bearer is not None and is_jwt(credentials.bearer):
            token = credentials.bearer
        if token is None:
            return None
        if len(token.reveal()) > _LONGEST:
            raise _bad("is too long for a Tapis token")
        name = self._tenant_named_by(token)
        tenant = self._tenant(name)
        try:
            claims = self._claims(token, tenant)
        except _WrongSignature:
            tenant = self._tenant_again(name, tenant)
            try:
                claims = self._claims(token, tenant)
            except _WrongSignature:
                raise _bad("is not signed with the key of its tenant") from None
        user = _user(claims, name)
        return Principal(user, self._permissions.of(user), self.kind)

    def _tenant_named_by(self, token: Secret) -> str:
        """The tenant that an unverified token names. It only selects the key; the signature is checked next."""
        import jwt

        try:
            header = jwt.get_unverified_header(token.reveal())
            claims = jwt.decode(token.reveal(), options={"verify_signature": False})
        except Exception:  # a hostile text may raise any exception in the library
            raise _bad("is not a JSON Web Token") from None
        if header.get("alg") != "RS256" or "crit" in header:
            raise _bad("is not signed with RS256")
        name = claims.get("tapis/tenant_id")
        if not isinstance(name, str) or name not in self._allowed:
            raise _bad("belongs to a tenant whose tokens this gateway does not accept")
        return name

    def _claims(self, token: Secret, tenant: _Tenant) -> dict[str, Any]:
        """The claims of a token whose signature, times and issuer are valid."""
        import jwt

        needed = ["exp", "iss", "sub"]
        try:
            return dict(
                jwt.decode(
                    token.reveal(),
                    tenant.key,
                    algorithms=["RS256"],
                    issuer=tenant.issuer,
                    leeway=_LEEWAY,
                    options={"require": needed, "verify_aud": False},
                )
            )
        except jwt.InvalidSignatureError:
            raise _WrongSignature from None
        except jwt.ExpiredSignatureError:
            raise _bad("has expired") from None
        except jwt.InvalidIssuerError:
            raise _bad("is not issued by the token service of its tenant") from None
        except jwt.MissingRequiredClaimError as error:
            raise _bad(f"lacks the claim {error.claim}") from None
        except Exception:
            raise _bad("is not valid now, or has an unreadable claim") from None

    def _tenant(self, name: str) -> _Tenant:
        known = self._tenants.get(name)
        if known is not None and (self._key is not None or self._clock() - known.since < _KEY_SECONDS):
            return known
        with self._lock:
            later = self._tenants.get(name)
            if later is not None and later is not known:
                return later
            try:
                self._tenants[name] = self._looked_up(name)
            except Unavailable:
                if known is None or self._clock() - known.since > _KEY_AT_THE_LATEST:
                    raise
                return known
        return self._tenants[name]

    def _tenant_again(self, name: str, known: _Tenant) -> _Tenant:
        """The tenant with its present key, after a signature did not fit. Fetches it at most once a minute."""
        if self._key is not None or self._clock() - known.since < _KEY_AGAIN_SECONDS:
            return known
        with self._lock:
            if self._tenants[name] is known:
                try:
                    self._tenants[name] = self._looked_up(name)
                except Unavailable:
                    return known
        return self._tenants[name]

    def _looked_up(self, name: str) -> _Tenant:
        if self._key is not None:
            return _Tenant(_public_key(self._key), f"{self._server}/v3/tokens", self._clock())
        status, answer = asked(f"{self._server}/v3/tenants/{quote(name, safe='')}", {}, self._seconds)
        result = answer.get("result") if isinstance(answer, dict) else None
        key, issuer = (
            (result.get("public_key"), result.get("token_service")) if isinstance(result, dict) else (None, None)
        )
        if status != 200 or not isinstance(key, str) or not isinstance(issuer, str) or not issuer:
            raise Unavailable(
                f"the token could not be checked: the Tapis tenants service answered {status} without a key"
            )
        return _Tenant(_public_key(key), issuer, self._clock())


class _WrongSignature(Exception):
    """The signature does not fit the key: the tenant may have changed its key."""


def _public_key(pem: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.strip().encode())
    except Exception:
        raise Unavailable("the public key of the tenant cannot be read: it must be an RSA key in PEM") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise Unavailable(f"the public key of the tenant is not an RSA key of {_LEAST_BITS} bits or more")
    return key


def _user(claims: dict[str, Any], tenant: str) -> str:
    """The user of a token whose signature is valid, as `user@tenant`."""
    expires = claims.get("exp")
    if not isinstance(expires, int) or isinstance(expires, bool):
        raise _bad("has an expiry that is not a whole number")
    if claims.get("tapis/tenant_id") != tenant:
        raise _bad("belongs to another tenant")
    if claims.get("tapis/token_type") != "access":
        raise _bad("is not an access token")
    if claims.get("tapis/account_type") not in ("user", "service"):
        raise _bad("belongs neither to a user nor to a service")
    name = claims.get("tapis/username")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or "@" in name:
        raise _bad("names no user")
    if claims.get("sub") != f"{name}@{tenant}":
        raise _bad("names two different users (sub and tapis/username)")
    return f"{name}@{tenant}"


def _bad(what: str) -> BadCredential:
    return BadCredential("tapis", f"the token {what}")
