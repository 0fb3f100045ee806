"""Tokens of Tapis v3: JSON Web Tokens, signed with the key of a tenant.

The reference services check only the signature and the expiry. Here the issuer, the type, and that the user belongs to
the tenant whose key signed the token are checked too.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import quote

from pipelinejobs.gateway.auth.credentials import BadCredential, Credentials
from pipelinejobs.gateway.auth.get_json import get_json
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
    """A tenant: its public key, the issuer of its tokens, and when both were fetched."""

    key: Any
    issuer: str
    since: float


class Tapis:
    """Checks the tokens of some tenants of one Tapis site."""

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
            server: the site's address.
            tenants: those whose tokens are accepted.
            permissions: of their users, by `user@tenant`.
            key: the public key of the only tenant, in PEM; None: the site's tenants service is asked.
            seconds: how long an answer of it may take.

        Raises:
            Unavailable: `key` is not a key that can be used.
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
            raise _bad("is longer than a token of Tapis")
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
        """The tenant that a token names. It only chooses the key; the signature is checked before the rest is read."""
        import jwt

        try:
            header = jwt.get_unverified_header(token.reveal())
            claims = jwt.decode(token.reveal(), options={"verify_signature": False})
        except Exception:  # whatever a hostile text does to the library
            raise _bad("is not a JSON Web Token") from None
        if header.get("alg") != "RS256" or "crit" in header:
            raise _bad("is not signed with RS256")
        name = claims.get("tapis/tenant_id")
        if not isinstance(name, str) or name not in self._allowed:
            raise _bad("is of a tenant whose tokens are not accepted here")
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
            raise _bad("is not valid now, or holds a claim that cannot be read") from None

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
        """The tenant with the key it may have changed to, which is fetched once a minute at most."""
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
        status, answer = get_json(f"{self._server}/v3/tenants/{quote(name, safe='')}", {}, self._seconds)
        result = answer.get("result") if isinstance(answer, dict) else None
        key, issuer = (
            (result.get("public_key"), result.get("token_service")) if isinstance(result, dict) else (None, None)
        )
        if status != 200 or not isinstance(key, str) or not isinstance(issuer, str) or not issuer:
            raise Unavailable(
                f"the tenants service of Tapis did not return the key of the tenant (it answered {status})"
            )
        return _Tenant(_public_key(key), issuer, self._clock())


class _WrongSignature(Exception):
    """The signature was not made with this key."""


def _public_key(pem: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.strip().encode())
    except Exception:
        raise Unavailable("the public key of the tenant cannot be read; it must be RSA, in PEM") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < _LEAST_BITS:
        raise Unavailable(f"the public key of the tenant is not an RSA key of {_LEAST_BITS} bits or more")
    return key


def _user(claims: dict[str, Any], tenant: str) -> str:
    """The user of a token whose signature is valid, as `user@tenant`."""
    expires = claims.get("exp")
    if not isinstance(expires, int) or isinstance(expires, bool):
        raise _bad("has an expiry that is no whole number")
    if claims.get("tapis/tenant_id") != tenant:
        raise _bad("is of another tenant")
    if claims.get("tapis/token_type") != "access":
        raise _bad("is not an access token")
    if claims.get("tapis/account_type") not in ("user", "service"):
        raise _bad("is neither of a user nor of a service")
    name = claims.get("tapis/username")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or "@" in name:
        raise _bad("names no user")
    if claims.get("sub") != f"{name}@{tenant}":
        raise _bad("contradicts itself about its user")
    return f"{name}@{tenant}"


def _bad(what: str) -> BadCredential:
    return BadCredential("tapis", f"the token {what}")
