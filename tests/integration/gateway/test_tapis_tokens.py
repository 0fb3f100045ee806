"""Tokens of Tapis v3: each claim is checked, by a token in which only this claim is wrong."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.credentials import BadCredential, Credentials
from pipelinejobs.gateway.auth.permissions import Permissions
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.gateway.auth.tapis import Tapis
from pipelinejobs.settings.gateway import Grant
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.secret import Secret
from support.server import RudeServer, answers

SITE = "https://tacc.tapis.io"
ISSUER = f"{SITE}/v3/tokens"
PERMISSIONS = Permissions([Grant("jdoe@tacc", Permission.UPDATE)])


class Pair(NamedTuple):
    private: str
    public: str


def pair(bits: int = 2048) -> Pair:
    key = rsa.generate_private_key(65537, bits)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Pair(private.decode(), public.decode())


@pytest.fixture(scope="module")
def keys() -> Pair:
    return pair()


@pytest.fixture(scope="module")
def other_keys() -> Pair:
    return pair()


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a valid token, with changes; None removes a claim."""
    said = {
        "jti": "5f2e91c4-7a40-4b6e-9e07-8a1d0c5b2f33",
        "iss": ISSUER,
        "sub": "jdoe@tacc",
        "exp": int(time.time()) + 600,
        "tapis/tenant_id": "tacc",
        "tapis/token_type": "access",
        "tapis/delegation": False,
        "tapis/delegation_sub": None,
        "tapis/username": "jdoe",
        "tapis/account_type": "user",
    } | {name.replace("__", "/"): value for name, value in changes.items()}
    return {name: value for name, value in said.items() if value is not None or name == "tapis/delegation_sub"}


def signed(keys: Pair, headers: dict[str, Any] | None = None, **changes: Any) -> Secret:
    return Secret(jwt.encode(claims(**changes), keys.private, algorithm="RS256", headers=headers))


def by_hand(header: dict[str, Any], said: object, signature: bytes = b"") -> Secret:
    """A token that no library would make."""
    parts = [json.dumps(header).encode(), said if isinstance(said, bytes) else json.dumps(said).encode(), signature]
    return Secret(".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts))


@pytest.fixture
def tapis(keys: Pair) -> Tapis:
    return Tapis(SITE, ("tacc",), PERMISSIONS, key=keys.public)


def refused(tapis: Tapis, token: Secret) -> str:
    with pytest.raises(BadCredential) as bad:
        tapis.identify(Credentials(tapis=token))
    assert bad.value.kind == "tapis"
    assert token.reveal() not in bad.value.reason
    return bad.value.reason.removeprefix("the token ")


def test_a_good_one(tapis: Tapis, keys: Pair) -> None:
    known = Principal("jdoe@tacc", Permission.UPDATE, "tapis")
    assert tapis.identify(Credentials(tapis=signed(keys))) == known
    assert tapis.identify(Credentials(bearer=signed(keys))) == known
    service = signed(keys, sub="jobs@tacc", tapis__username="jobs", tapis__account_type="service")
    assert tapis.identify(Credentials(tapis=service)) == Principal("jobs@tacc", Permission.NONE, "tapis")


def test_what_is_another_kind_is_left_to_others(tapis: Tapis) -> None:
    for shown in (
        Credentials(),
        Credentials(bearer=Secret("0123456789abcdef")),
        Credentials(nonce=Secret("SD2E_a.b.c")),
    ):
        assert tapis.identify(shown) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": 1000}, "has expired"),
        ({"exp": None}, "lacks the claim exp"),
        ({"iss": None}, "lacks the claim iss"),
        ({"iss": f"{ISSUER}/"}, "is not issued by the token service of its tenant"),
        ({"iss": "https://evil.example.org/v3/tokens"}, "is not issued by"),
        ({"sub": None}, "lacks the claim sub"),
        ({"sub": "root@tacc"}, "names two different users"),
        ({"sub": "jdoe@other"}, "names two different users"),
        ({"tapis__tenant_id": "other"}, "belongs to a tenant whose tokens this gateway does not accept"),
        ({"tapis__tenant_id": None}, "belongs to a tenant"),
        ({"tapis__tenant_id": ["tacc"]}, "belongs to a tenant"),
        ({"tapis__token_type": "refresh"}, "is not an access token"),
        ({"tapis__token_type": None}, "is not an access token"),
        ({"tapis__account_type": "admin"}, "belongs neither to a user nor to a service"),
        ({"tapis__account_type": None}, "belongs neither"),
        ({"tapis__username": None}, "names no user"),
        ({"tapis__username": ""}, "names no user"),
        ({"tapis__username": "a@b", "sub": "a@b@tacc"}, "names no user"),
        ({"tapis__username": "a\nb", "sub": "a\nb@tacc"}, "names no user"),
        ({"tapis__username": "x" * 129, "sub": "x" * 129 + "@tacc"}, "names no user"),
        ({"nbf": 4102444800}, "is not valid now"),
        ({"exp": 4102444800.5}, "has an expiry that is not a whole number"),
        ({"exp": True}, "has "),
        ({"exp": "soon"}, "is not valid now"),
        ({"exp": [1]}, "is not valid now"),
    ],
)
def test_one_that_is_wrong_in_one_thing(tapis: Tapis, keys: Pair, changes: dict[str, Any], reason: str) -> None:
    assert refused(tapis, signed(keys, **changes)).startswith(reason)


def test_another_key(tapis: Tapis, other_keys: Pair) -> None:
    assert refused(tapis, signed(other_keys)) == "is not signed with the key of its tenant"


@pytest.mark.promise("S4")
def test_other_algorithms(tapis: Tapis, keys: Pair) -> None:
    assert refused(tapis, by_hand({"alg": "none"}, claims())) == "is not signed with RS256"
    assert refused(tapis, by_hand({"alg": "NONE"}, claims(), b"x")) == "is not signed with RS256"
    text = by_hand({"alg": "HS256", "typ": "JWT"}, claims()).reveal().rstrip(".")
    signature = hmac.new(keys.public.encode(), text.encode(), hashlib.sha256).digest()
    forged = f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    assert refused(tapis, Secret(forged)) == "is not signed with RS256"
    assert refused(tapis, signed(keys, headers={"crit": ["b64"], "b64": True})).startswith("is not")
    for algorithm in ("RS384", "RS512", "PS256"):
        other = Secret(jwt.encode(claims(), keys.private, algorithm=algorithm))
        assert refused(tapis, other) == "is not signed with RS256"


def test_a_key_in_the_token_is_not_followed(tapis: Tapis, other_keys: Pair) -> None:
    headers = {"jku": "http://127.0.0.1:1/", "kid": "../../etc/passwd", "x5u": "http://127.0.0.1:1/", "jwk": {}}
    assert refused(tapis, signed(other_keys, headers=headers)) == "is not signed with the key of its tenant"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"exp": 1e400}',
        b'{"exp": ' + b"9" * 5000 + b"}",
        b'{"a": ' * 1500 + b"1" + b"}" * 1500,
        b'{"exp": NaN, "tapis/tenant_id": "tacc"}',
        b'{"tapis/tenant_id": "tacc", "tapis/tenant_id": "other"}',
    ],
)
def test_hostile_texts(tapis: Tapis, said: bytes) -> None:
    refused(tapis, by_hand({"alg": "RS256"}, said, b"x" * 256))


@pytest.mark.parametrize("token", ["..", "a.b.c", "a.b.c.d", "ä.b.c", "a" * 9000 + ".b.c", "\0.\0.\0", "e30.e30.e30"])
def test_texts_that_are_no_token(tapis: Tapis, token: str) -> None:
    refused(tapis, Secret(token))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def tenant(public: str, issuer: str = ISSUER) -> Any:
    result = {"tenant_id": "tacc", "public_key": public, "token_service": issuer, "base_url": SITE}
    return answers(body=json.dumps({"status": "success", "result": result}).encode())


@pytest.fixture
def service(keys: Pair) -> Iterator[RudeServer]:
    with RudeServer(tenant(keys.public)) as server:
        yield server


class TestTenantsService:
    def test_it_is_asked_for_the_key_once_an_hour(self, service: RudeServer, keys: Pair) -> None:
        clock = Clock()
        tapis = Tapis(service.url, ("tacc", "a2cps"), PERMISSIONS, clock=clock)
        for _ in range(3):
            assert tapis.identify(Credentials(tapis=signed(keys))) == Principal("jdoe@tacc", Permission.UPDATE, "tapis")
        (asked,) = service.requests
        assert (asked.method, asked.target) == ("GET", "/v3/tenants/tacc")
        assert "authorization" not in asked.headers
        assert "x-tapis-token" not in asked.headers
        clock.now += 3601
        tapis.identify(Credentials(tapis=signed(keys)))
        assert len(service.requests) == 2

    def test_a_tenant_that_is_not_allowed_costs_no_question(self, service: RudeServer, keys: Pair) -> None:
        tapis = Tapis(service.url, ("a2cps",), PERMISSIONS)
        assert refused(tapis, signed(keys)).startswith("belongs to a tenant")
        assert not service.requests

    def test_a_new_key_is_found(self, service: RudeServer, keys: Pair, other_keys: Pair) -> None:
        clock = Clock()
        tapis = Tapis(service.url, ("tacc",), PERMISSIONS, clock=clock)
        tapis.identify(Credentials(tapis=signed(keys)))
        service._script = tenant(other_keys.public)
        assert refused(tapis, signed(other_keys)).startswith("is not signed")  # the old key is a moment old
        assert len(service.requests) == 1
        clock.now += 61
        assert tapis.identify(Credentials(tapis=signed(other_keys))) is not None
        assert refused(tapis, signed(keys)).startswith("is not signed")
        assert len(service.requests) == 2

    def test_an_outage_is_no_refusal(self, service: RudeServer, keys: Pair) -> None:
        clock = Clock()
        tapis = Tapis(service.url, ("tacc",), PERMISSIONS, clock=clock)
        service._script = answers("503 Service Unavailable")
        with pytest.raises(Unavailable):
            tapis.identify(Credentials(tapis=signed(keys)))
        service._script = tenant(keys.public)
        tapis.identify(Credentials(tapis=signed(keys)))
        service._script = answers("503 Service Unavailable")
        clock.now += 4000
        assert tapis.identify(Credentials(tapis=signed(keys))) is not None  # with the key of before
        clock.now += 86_400
        with pytest.raises(Unavailable):
            tapis.identify(Credentials(tapis=signed(keys)))

    @pytest.mark.parametrize(
        "script",
        [
            answers(body=b"{}"),
            answers("404 Not Found"),
            tenant("nonsense"),
            tenant("", ISSUER),
            answers(body=b"<html>"),
        ],
    )
    def test_what_it_says_is_no_key(self, service: RudeServer, keys: Pair, script: Any) -> None:
        service._script = script
        with pytest.raises(Unavailable):
            Tapis(service.url, ("tacc",), PERMISSIONS).identify(Credentials(tapis=signed(keys)))

    def test_its_token_service_is_the_issuer(self, service: RudeServer, keys: Pair) -> None:
        service._script = tenant(keys.public, "https://tacc.tapis.io/v3/other")
        assert refused(Tapis(service.url, ("tacc",), PERMISSIONS), signed(keys)).startswith("is not issued")


def test_keys_that_cannot_be_used() -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    public = curve.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for key in ("", "nonsense", public, pair(1024).public):
        with pytest.raises(Unavailable, match="the public key of the tenant"):
            Tapis(SITE, ("tacc",), PERMISSIONS, key=key)
