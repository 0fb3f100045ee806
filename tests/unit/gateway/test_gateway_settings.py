"""The section `gateway` of the settings."""

from hashlib import sha256

import pytest

from pipelinejobs.core.permission import Permission
from pipelinejobs.settings import Settings, load
from pipelinejobs.settings.gateway import Grant
from pipelinejobs.util.errors import WrongSetting

DIGEST = sha256(b"x").hexdigest()


def given(**variables: str) -> Settings:
    return load({f"_REACTOR_GATEWAY_{name.upper()}": value for name, value in variables.items()})


def refusal(**variables: str) -> str:
    with pytest.raises(WrongSetting) as wrong:
        given(**variables)
    return wrong.value.reason


def test_by_default_no_token_is_accepted() -> None:
    gateway = load({}).gateway
    assert (gateway.tokens, gateway.permissions, gateway.oauth2_server, gateway.tapis_server) == ((), (), None, None)
    assert gateway.host == "127.0.0.1"


def test_tokens() -> None:
    tokens = given(tokens=f"jdoe:EXECUTE:sha256:{DIGEST.upper()}, ci@tacc:READ:sha256:{DIGEST}").gateway.tokens
    assert tokens == (Grant("jdoe", Permission.EXECUTE, DIGEST), Grant("ci@tacc", Permission.READ, DIGEST))
    assert DIGEST not in repr(tokens)


def test_permissions() -> None:
    assert given(permissions="jdoe:UPDATE,*:READ").gateway.permissions == (
        Grant("jdoe", Permission.UPDATE),
        Grant("*", Permission.READ),
    )


@pytest.mark.parametrize(
    "value", ["jdoe", "jdoe:EXECUTE", f"jdoe:NONE:sha256:{DIGEST}", "jdoe:READ:sha256:12", f"*:READ:sha256:{DIGEST}"]
)
def test_invalid_tokens(value: str) -> None:
    assert refusal(tokens=value).startswith("gateway.tokens: must be a list of USER:PERMISSION:sha256:DIGEST")
    assert DIGEST not in refusal(tokens=value)


@pytest.mark.parametrize("value", ["jdoe", "jdoe:ALL", "jdoe:read", ":READ", "a:READ,a:UPDATE"])
def test_invalid_permissions(value: str) -> None:
    assert refusal(permissions=value).startswith("gateway.permissions: ")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"tls_key": "k.pem"}, "gateway.tls_certificate: is missing, though gateway.tls_key is set"),
        ({"tls_certificate": "c.pem"}, "gateway.tls_key: is missing"),
        ({"tapis_server": "https://tacc.tapis.io"}, "gateway.tapis_tenants: is missing"),
        ({"tapis_tenants": "tacc"}, "gateway.tapis_server: is missing"),
        ({"aliases": "a/b"}, "gateway.aliases: must be aliases"),
        ({"api_server": "jobs.example.org"}, "gateway.api_server: must be an http:// or https:// URL"),
        ({"port": "65536"}, "gateway.port: must be a whole number from 0 to 65535"),
        ({"tenant": "SD2E_X"}, "gateway.tenant: must be"),
        ({"actor_id": "jobs-manager.prod"}, "gateway.actor_id: must be letters and digits"),
    ],
)
def test_settings_that_need_each_other(variables: dict[str, str], reason: str) -> None:
    said = refusal(**variables)
    assert said.startswith(reason)
    assert all(f"_REACTOR_GATEWAY_{name.upper()}" in said for name in variables)


def test_a_key_is_of_one_tenant() -> None:
    more = {"tapis_server": "https://tacc.tapis.io/", "tapis_key": "tacc.pem"}
    assert refusal(**more, tapis_tenants="tacc,a2cps").startswith("gateway.tapis_key: is the key of one tenant")
    gateway = given(**more, tapis_tenants="tacc").gateway
    assert gateway.tapis_server == "https://tacc.tapis.io"
    assert gateway.tapis_key is not None
    assert gateway.tapis_key.is_absolute()
