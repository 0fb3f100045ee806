"""The section `reconcile`: a server goes with exactly one credential."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelinejobs import settings
from pipelinejobs.settings import pins
from pipelinejobs.settings.reconcile import ReconcileSection
from pipelinejobs.settings.table import TABLE
from pipelinejobs.util.errors import WrongSetting

CANARY = "canary-1c9e"
SERVER = "https://api.example.org"
CLIENT = ("client_key", "client_secret", "refresh_token")
USER = ("user", "password")


def variables(**values: str) -> dict[str, str]:
    return {f"_REACTOR_RECONCILE_{key.upper()}": value for key, value in values.items()}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., ReconcileSection]:
    """Loads the section from the environment."""

    def load(**values: str) -> ReconcileSection:
        path = tmp_path / "config.yml"
        path.touch()
        return settings.load(variables(**values), path).reconcile

    return load


@pytest.fixture
def refusal(load: Callable[..., ReconcileSection]) -> Callable[..., str]:
    def refusal(**values: str) -> str:
        with pytest.raises(WrongSetting) as caught:
            load(**values)
        assert CANARY not in str(caught.value)
        return str(caught.value)

    return refusal


def test_by_default_nothing_is_asked(load: Callable[..., ReconcileSection]) -> None:
    section = load()
    assert (section.agave_server, section.tapis_server) == (None, None)
    assert (section.every, section.after, section.rate) == (300.0, 21600.0, 5.0)


def test_the_server_of_an_api_may_have_a_path(load: Callable[..., ReconcileSection]) -> None:
    section = load(agave_server=f"{SERVER}/agave/", agave_token=CANARY)
    assert section.agave_server == f"{SERVER}/agave"


@pytest.mark.parametrize(
    "url",
    [
        f"https://u:{CANARY}@h",
        f"https://{CANARY}@h",
        f"{SERVER}?x={CANARY}",
        f"{SERVER}#x",
        "ftp://h",
        "h",
        "https://",
        "https://h/ x",
        "https://é.org",
    ],
)
def test_a_server_has_no_user_no_query_and_no_fragment(refusal: Callable[..., str], url: str) -> None:
    for system in ("agave", "tapis"):
        said = refusal(**{f"{system}_server": url, f"{system}_token": "x"})
        assert said.startswith(f"reconcile.{system}_server: must be an http:// or https:// URL")


@pytest.mark.parametrize("token", [f"Bearer {CANARY}", f"{CANARY}\n", f"{CANARY}é"])
def test_a_token_is_one_word(refusal: Callable[..., str], token: str) -> None:
    said = refusal(agave_server=SERVER, agave_token=token)
    assert said.startswith("reconcile.agave_token: must be an access token: printable ASCII characters without spaces")


@pytest.mark.parametrize("rate", ["0", "-1", "1001", "nan", "inf", "fast"])
def test_a_rate_is_above_zero(refusal: Callable[..., str], rate: str) -> None:
    assert refusal(rate=rate).startswith("reconcile.rate: must be a number above 0 and at most 1000")


@pytest.mark.parametrize(("system", "account"), [("agave", CLIENT), ("tapis", USER)])
def test_a_server_needs_exactly_one_whole_credential(
    load: Callable[..., ReconcileSection], refusal: Callable[..., str], system: str, account: tuple[str, ...]
) -> None:
    keys = ("server", "token", *account)
    accepted = []
    for given in itertools.chain.from_iterable(itertools.combinations(keys, n) for n in range(len(keys) + 1)):
        values = {f"{system}_{key}": SERVER if key == "server" else CANARY for key in given}
        if given in ((), ("server", "token"), ("server", *account)):
            section = load(**values)
            accepted.append([key for key in keys if getattr(section, f"{system}_{key}") is not None])
            continue
        said = refusal(**values)
        assert said.startswith(f"reconcile.{system}_")
        assert said.partition(":")[0] in TABLE
        assert f"(set by _REACTOR_RECONCILE_{system.upper()}_" in said
    assert accepted == [[], ["server", "token"], ["server", *account]]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            {"agave_server": SERVER},
            "agave_server: needs a credential: set reconcile.agave_token, or reconcile.agave_client_key",
        ),
        ({"tapis_token": CANARY}, "tapis_server: is missing, though reconcile.tapis_token is set"),
        ({"tapis_user": "w", "tapis_password": CANARY}, "tapis_server: is missing, though reconcile.tapis_user is set"),
        (
            {"tapis_server": SERVER, "tapis_user": "w"},
            "tapis_password: is missing, though reconcile.tapis_user is set",
        ),
        (
            {"agave_server": SERVER, "agave_token": CANARY, "agave_refresh_token": CANARY},
            "agave_token: is set, and so is reconcile.agave_refresh_token; set only one of them",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(refusal: Callable[..., str], given: dict[str, str], reason: str) -> None:
    assert refusal(**given).startswith(f"reconcile.{reason}")


def test_all_credentials_are_hidden_in_the_log(tmp_path: Path) -> None:
    (tmp_path / "config.yml").touch()
    account = {"agave_client_key": "k-1", "agave_client_secret": "s-1", "agave_refresh_token": "r-1"}
    user = {"tapis_user": "w", "tapis_password": "p-1"}
    environ = variables(agave_server=SERVER, tapis_server=SERVER, **account, **user)
    read = settings.load(environ, tmp_path / "config.yml")
    assert settings.secrets(read) == {"k-1", "s-1", "r-1", "p-1"}
    assert not [secret for secret in settings.secrets(read) if secret in f"{read!r}{read}"]


@pytest.mark.promise("S13")
def test_a_sender_on_abaco_cannot_say_where_a_credential_goes(tmp_path: Path) -> None:
    """Not guarded, which would refuse a config.yml with the pins of an older version; but never taken unpinned."""
    mine = {name for name in TABLE if name.startswith("reconcile.")}
    assert mine <= set(pins.PINNABLE)
    path = tmp_path / "config.yml"
    guarded = "\n".join(f"  {name}: null" for name in pins.GUARDED)
    path.write_text(f"require_pins: true\npinned:\n{guarded}\n")
    assert settings.load({}, path).reconcile == ReconcileSection()
    with pytest.raises(WrongSetting, match=r"^reconcile\.agave_server: has no pin, and require_pins is true"):
        settings.load({"_REACTOR_RECONCILE_AGAVE_SERVER": "https://evil.example"}, path)
