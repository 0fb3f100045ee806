"""Pins: the settings that a sender's URL parameters cannot change."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelinejobs import settings
from pipelinejobs.settings import pins, pins_file
from pipelinejobs.settings.table import TABLE, Settings
from pipelinejobs.util.errors import WrongSetting

CANARY = "canary-7f3a"
ANOTHER = "canary-other"
AUTHN = "bW9uZ29kYjovLzEyNy4wLjAuMToyNzAxNy8="

Load = Callable[..., Settings]


def sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a config.yml that holds `text`, with environment variables named by their setting."""

    def load(text: str, /, **environ: str) -> Settings:
        path = tmp_path / "config.yml"
        path.write_text(text, encoding="utf-8")
        return settings.load({f"_REACTOR_{name.upper()}": value for name, value in environ.items()}, path)

    return load


@pytest.fixture
def refusal(load: Load) -> Callable[..., str]:
    def refusal(text: str, /, **environ: str) -> str:
        with pytest.raises(WrongSetting) as caught:
            load(text, **environ)
        assert CANARY not in str(caught.value)
        assert ANOTHER not in str(caught.value)
        return str(caught.value)

    return refusal


def test_which_settings_are_guarded() -> None:
    own = {name for name in TABLE if name.split(".")[0] in ("tokens", "mongodb")}
    indexer = {"pipelines.job_indexer_id", "pipelines.job_indexer_nonce", "pipelines.job_indexer_url"}
    manager = {"pipelines.job_manager_id", "pipelines.job_manager_nonce"}
    assert set(pins.GUARDED) == own | indexer | manager


# What a pin allows


@pytest.mark.promise("S13")
@pytest.mark.parametrize("pin", [sha256(CANARY), sha256(CANARY).upper().replace("SHA256", "sha256"), CANARY])
def test_the_environment_may_supply_what_is_pinned(load: Load, refusal: Callable[..., str], pin: str) -> None:
    config = f"pinned: {{pipelines.job_indexer_nonce: '{pin}'}}"
    nonce = load(config, pipelines_job_indexer_nonce=CANARY).pipelines.job_indexer_nonce
    assert nonce is not None
    assert nonce.reveal() == CANARY
    reason = refusal(config, pipelines_job_indexer_nonce=ANOTHER)
    assert reason.startswith("pipelines.job_indexer_nonce: is pinned in config.yml")
    assert "_REACTOR_PIPELINES_JOB_INDEXER_NONCE" in reason


@pytest.mark.promise("S13")
def test_a_null_pin_allows_nothing(load: Load, refusal: Callable[..., str]) -> None:
    config = "pinned: {mongodb.username: null}"
    assert refusal(config, mongodb_username=CANARY) == (
        "mongodb.username: is pinned to null in config.yml, so _REACTOR_MONGODB_USERNAME may not set it"
    )
    assert load(config, mongodb_username="").mongodb.username is None
    assert load(config).mongodb.username is None


@pytest.mark.promise("S13")
def test_a_sender_cannot_unset_what_is_pinned(refusal: Callable[..., str]) -> None:
    """`?_REACTOR_MONGODB_DATABASE=` would select the default database instead of the actor's own."""
    reason = refusal(f"pinned: {{mongodb.database: {sha256('catalog')}}}", mongodb_database="")
    assert reason.startswith("mongodb.database: is pinned in config.yml")


@pytest.mark.parametrize(
    ("pin", "name", "text"),
    [
        ("27017", "mongodb.port", "27017"),
        ("true", "tokens.trust_on_first_use", "true"),
        ("[ann, bob]", "tokens.trusted_indexers", "ann,bob"),
        ("catalog", "mongodb.database", "catalog"),
    ],
)
def test_a_value_is_pinned_as_the_environment_spells_it(
    load: Load, refusal: Callable[..., str], pin: str, name: str, text: str
) -> None:
    config, variable = f"pinned: {{{name}: {pin}}}", name.replace(".", "_")
    load(config, **{variable: text})
    assert refusal(config, **{variable: text + "1"}).startswith(f"{name}: is pinned")


def test_values_in_config_yml_need_no_match(load: Load) -> None:
    read = load("mongodb: {database: mine}\npinned: {mongodb.database: null}")
    assert read.mongodb.database == "mine"


def test_without_pins_the_environment_is_believed(load: Load) -> None:
    assert load("", mongodb_database="catalog").mongodb.database == "catalog"


def test_settings_that_do_not_guard_stay_free(load: Load) -> None:
    config = "require_pins: true\npinned: {" + ", ".join(f"{name}: null" for name in pins.GUARDED) + "}"
    assert load(config, logs_level="DEBUG").logs.level == "DEBUG"


@pytest.mark.promise("S13")
def test_required_pins_must_be_complete(refusal: Callable[..., str]) -> None:
    assert refusal("require_pins: true") == (
        "mongodb.authn: has no pin, and require_pins is true: run `python -m pipelinejobs pin`"
    )
    for missing in pins.GUARDED:
        table = ", ".join(f"{name}: null" for name in pins.GUARDED if name != missing)
        assert refusal(f"require_pins: true\npinned: {{{table}}}").startswith(f"{missing}: has no pin")


THEIRS = {"CATALOG_ADMIN_TOKEN_KEY": CANARY, "CATALOG_ADMIN_TOKEN_SECRET": "s", "CATALOG_ADMIN_TOKEN_LIFETIME": "60"}
OURS = {name.replace("CATALOG_ADMIN_TOKEN", "_REACTOR_TOKENS_ADMIN"): text for name, text in THEIRS.items()}


@pytest.fixture
def with_pins(tmp_path: Path) -> Path:
    """A config.yml that requires pins, with those of an environment that has python-datacatalog's variables."""
    config = tmp_path / "config.yml"
    config.write_text("require_pins: true\n", encoding="utf-8")
    named = ["tokens.admin_key", "tokens.admin_secret", "tokens.admin_lifetime"]
    assert pins_file.write(config, THEIRS) == named
    return config


@pytest.mark.promise("S13")
def test_pins_hold_for_variables_of_python_datacatalog(with_pins: Path) -> None:
    assert settings.load(THEIRS, with_pins).tokens.admin_lifetime == 60
    assert settings.load(OURS, with_pins).tokens.admin_lifetime == 60
    for name in (*THEIRS, *OURS):
        with pytest.raises(WrongSetting, match=f"the value of {name} does not match the pin") as caught:
            settings.load({**THEIRS, name: ANOTHER}, with_pins)
        assert CANARY not in str(caught.value)
        assert ANOTHER not in str(caught.value)
    for name in THEIRS:
        with pytest.raises(WrongSetting, match=f"the value of {name} does not match the pin"):
            settings.load({**THEIRS, name: ""}, with_pins)
    for name in OURS:  # an empty one counts as not set; what then counts is what is pinned
        tokens = settings.load({**THEIRS, name: ""}, with_pins).tokens
        assert tokens.admin_key is not None
        assert (tokens.admin_key.reveal(), tokens.admin_lifetime) == (CANARY, 60)


@pytest.mark.promise("S13")
def test_no_administrative_key_can_be_added_by_the_environment(refusal: Callable[..., str]) -> None:
    table = ", ".join(f"{name}: null" for name in pins.GUARDED)
    reason = refusal(f"require_pins: true\npinned: {{{table}}}", tokens_admin_key=CANARY)
    assert reason == "tokens.admin_key: is pinned to null in config.yml, so _REACTOR_TOKENS_ADMIN_KEY may not set it"


@pytest.mark.promise("S13")
@pytest.mark.parametrize("name", sorted(THEIRS))
def test_no_administrative_setting_can_be_added_by_a_variable_of_python_datacatalog(tmp_path: Path, name: str) -> None:
    config = tmp_path / "config.yml"
    config.write_text("require_pins: true\n", encoding="utf-8")
    pins_file.write(config, {})
    assert settings.load({name: ""}, config).tokens.admin_key is None
    with pytest.raises(WrongSetting, match=f"so {name} may not set it"):
        settings.load({name: THEIRS[name]}, config)


@pytest.mark.parametrize("spelled", ["False", "false", "0", "no"])
def test_a_truth_value_matches_however_it_is_spelled(load: Load, refusal: Callable[..., str], spelled: str) -> None:
    """Abaco turns `false` in secrets.json into `False`."""
    config = f"pinned: {{tokens.trust_on_first_use: {sha256('false')}}}"
    assert load(config, tokens_trust_on_first_use=spelled).tokens.trust_on_first_use is False
    assert "does not match" in refusal(config, tokens_trust_on_first_use="true")
    assert "does not match" in refusal(config, tokens_trust_on_first_use="perhaps")


@pytest.mark.promise("S13")
@pytest.mark.parametrize(("name", "value"), [("pinned", "{}"), ("require_pins", "false"), ("require_pins", "true")])
def test_the_pins_themselves_cannot_be_set_by_the_environment(
    refusal: Callable[..., str], name: str, value: str
) -> None:
    assert refusal("", **{name: value}) == f"{name}: can only be set in config.yml, not by _REACTOR_{name.upper()}"


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("{logs.level: INFO}", "pinned.logs.level: is not among the settings that can be pinned"),
        ("{gateway.port: 1}", "pinned.gateway.port: is not among the settings"),
        ("{tokens.admin_kee: x}", "pinned.tokens.admin_kee: is not a setting; did you mean tokens.admin_key?"),
        ("{1: x}", "pinned.1: is not a setting"),
        ("{tokens.admin_key: 'sha256:12'}", "pinned.tokens.admin_key: must have 64 hex digits"),
        (f"{{tokens.admin_key: 'sha256:{CANARY}'}}", "pinned.tokens.admin_key: must have 64 hex digits"),
        ("{tokens.admin_key: {a: 1}}", "pinned.tokens.admin_key: must be the setting's value, null, or sha256:"),
        ("[tokens.admin_key]", "pinned: must be a table of settings and their pins"),
    ],
)
def test_a_wrong_pin_is_refused(refusal: Callable[..., str], table: str, reason: str) -> None:
    assert refusal(f"pinned: {table}").startswith(reason)


def test_bytes_that_are_no_text_match_nothing(refusal: Callable[..., str]) -> None:
    assert "does not match" in refusal(f"pinned: {{tokens.admin_key: {sha256('x')}}}", tokens_admin_key="\udcff")
