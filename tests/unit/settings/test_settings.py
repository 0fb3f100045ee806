"""Settings: precedence, errors and their texts, and that no secret is shown."""

import base64
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelinejobs import settings
from pipelinejobs.settings import ROOT
from pipelinejobs.settings.table import SECTIONS, TABLE, Settings
from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.secret import Secret

CANARY = "canary-7f3a"
PLAIN = "mongodb://127.0.0.1:27017/"
AUTHN = "bW9uZ29kYjovLzEyNy4wLjAuMToyNzAxNy8="  # PLAIN, as the contract spells it

Load = Callable[..., Settings]


def packed(uri: str) -> str:
    return base64.urlsafe_b64encode(uri.encode()).decode()


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a config.yml that holds `text`, with environment variables named by their setting."""

    def load(text: str = "", /, **environ: str) -> Settings:
        path = tmp_path / "config.yml"
        path.write_text(text, encoding="utf-8")
        return settings.load({f"_REACTOR_{name.upper()}": value for name, value in environ.items()}, path)

    return load


@pytest.fixture
def refusal(load: Load) -> Callable[..., str]:
    """The error of `load`. Checks that it is one line and does not hold the canary."""

    def refusal(text: str = "", /, **environ: str) -> str:
        with pytest.raises(WrongSetting) as caught:
            load(text, **environ)
        shown = str(caught.value)
        assert shown.startswith(f"{caught.value.setting}: ")
        assert CANARY not in shown
        hidden = caught.value.__suppress_context__ or caught.value.__context__ is None
        assert hidden, "a traceback would show the error underneath, and the value in it"
        assert shown.isprintable()
        return shown

    return refusal


def revealed(secret: Secret | None) -> str:
    assert secret is not None
    return secret.reveal()


# What wins


def test_an_empty_file_gives_the_defaults(load: Load) -> None:
    read = load("")
    for name in TABLE:
        section, key = name.split(".")
        assert getattr(getattr(read, section), key) == TABLE[name].default, name
    assert read.mongodb.connection() is None
    assert read.require_pins is False
    assert dict(read.pinned) == {}


def test_defaults_others_rely_on(load: Load) -> None:
    read = load("")
    assert read.mongodb.database == "catalog_staging"
    assert (read.mongodb.host, read.mongodb.port, read.mongodb.auth_source) == ("catalog.sd2e.org", 27020, "admin")
    assert read.pipelines.job_indexer_id == "jobs-indexer.prod"
    assert read.pipelines.job_manager_id == "jobs-manager.prod"
    assert read.tokens.admin_lifetime == 3600
    assert read.tokens.trust_on_first_use is True
    assert read.tokens.trusted_indexers == ()
    assert (read.history.embedded, read.history.embedded_bytes) == (500, 4 * 1024 * 1024)
    assert (read.limits.one_shot, read.limits.database, read.limits.indexer) == (30.0, 10.0, 10.0)


def test_the_file_wins_over_the_default_and_the_environment_over_the_file(load: Load) -> None:
    assert load("history: {embedded: 7}").history.embedded == 7
    assert load("history: {embedded: 7}", history_embedded="9").history.embedded == 9


@pytest.mark.parametrize("text", ["history: {embedded: null}", "history:", "pinned:\nrequire_pins:", "# nothing"])
def test_null_counts_as_not_set(load: Load, text: str) -> None:
    assert load(text).history.embedded == 500


def test_an_empty_text_counts_as_not_set(load: Load) -> None:
    assert load("logs: {level: WARNING}", logs_level="").logs.level == "WARNING"
    assert load("logs: {level: ''}").logs.level == "INFO"
    assert load("", tokens_admin_key="", tokens_admin_secret="").tokens.admin_key is None


def test_names_that_no_setting_has_are_ignored_in_the_environment(load: Load) -> None:
    load("", nonsense="1", linked_reactors="x", history="3")


def test_only_the_mapping_given_is_read(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_REACTOR_HISTORY_EMBEDDED", "9")
    assert load("").history.embedded == 500


def test_the_tree_is_frozen(load: Load) -> None:
    read: Any = load("")
    with pytest.raises(AttributeError):
        read.require_pins = True
    with pytest.raises(AttributeError):
        read.history.embedded = 3
    with pytest.raises(TypeError):
        read.pinned["tokens.admin_key"] = None


# The names that python-datacatalog has for three of them

CATALOG = {
    "CATALOG_ADMIN_TOKEN_KEY": "their-key",
    "CATALOG_ADMIN_TOKEN_SECRET": "their-secret",
    "CATALOG_ADMIN_TOKEN_LIFETIME": "60",
}


def tokens_of(path: Path, text: str, **environ: str) -> tuple[str, str, int]:
    """Key, secret and lifetime, in an environment that has python-datacatalog's variables too."""
    path.write_text(text, encoding="utf-8")
    tokens = settings.load({**CATALOG, **environ}, path).tokens
    assert tokens.admin_key is not None
    assert tokens.admin_secret is not None
    return tokens.admin_key.reveal(), tokens.admin_secret.reveal(), tokens.admin_lifetime


@pytest.mark.parametrize(
    ("text", "environ", "read"),
    [
        ("", {}, ("their-key", "their-secret", 60)),
        ("", {"_REACTOR_TOKENS_ADMIN_KEY": ""}, ("their-key", "their-secret", 60)),
        ("", {"_REACTOR_TOKENS_ADMIN_KEY": "ours"}, ("ours", "their-secret", 60)),
        ("tokens: {admin_key: ours}", {}, ("ours", "their-secret", 60)),
        ("tokens: {admin_key: ''}", {}, ("their-key", "their-secret", 60)),
        ("tokens: {admin_lifetime: 90}", {}, ("their-key", "their-secret", 90)),
        ("tokens: {admin_lifetime: 3600}", {}, ("their-key", "their-secret", 60)),
        ("", {"_REACTOR_TOKENS_ADMIN_LIFETIME": "30"}, ("their-key", "their-secret", 30)),
    ],
)
def test_they_count_if_the_setting_itself_is_not_set(
    tmp_path: Path, text: str, environ: dict[str, str], read: tuple[str, str, int]
) -> None:
    assert tokens_of(tmp_path / "config.yml", text, **environ) == read


def test_a_wrong_one_is_named() -> None:
    with pytest.raises(WrongSetting) as refused:  # the repository's own config.yml says 3600
        settings.load({**CATALOG, "CATALOG_ADMIN_TOKEN_LIFETIME": "long"})
    assert refused.value.reason.endswith(", not 'long' (set by CATALOG_ADMIN_TOKEN_LIFETIME)")


def test_a_setting_of_the_manager_without_its_other_half_is_an_error(refusal: Callable[..., str]) -> None:
    assert refusal("", tokens_admin_key="ours").startswith("tokens.admin_secret: is missing")


# How the environment's texts are read


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", " Yes "])
def test_texts_for_true(load: Load, text: str) -> None:
    assert load("tokens: {trust_on_first_use: false}", tokens_trust_on_first_use=text).tokens.trust_on_first_use is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no"])
def test_texts_for_false(load: Load, text: str) -> None:
    assert load("tokens: {trust_on_first_use: true}", tokens_trust_on_first_use=text).tokens.trust_on_first_use is False


def test_seconds_may_have_fractions(load: Load) -> None:
    assert load("", limits_database="2.5").limits.database == 2.5
    assert load("limits: {database: 0.25}").limits.database == 0.25


def test_lists_are_separated_by_commas(load: Load) -> None:
    assert load("", tokens_trusted_indexers="ann, bob ,,").tokens.trusted_indexers == ("ann", "bob")
    assert load("tokens: {trusted_indexers: [ann, bob]}").tokens.trusted_indexers == ("ann", "bob")


def test_the_embedded_directory_starts_at_the_root_of_the_repository(load: Load) -> None:
    assert load("").mongodb.embedded_directory == ROOT / ".mongodb"
    assert load("mongodb: {embedded_directory: /var/jobs}").mongodb.embedded_directory == Path("/var/jobs")


def test_the_level_is_held_in_upper_case(load: Load) -> None:
    assert load("", logs_level="debug").logs.level == "DEBUG"


# What is refused


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("history.embedded", "1"),
        ("history.embedded", "5001"),
        ("history.embedded", "1_000"),
        ("history.embedded", "٥٠٠"),
        ("history.embedded", "2.0"),
        ("history.embedded", "9" * 5000),
        ("history.embedded_bytes", "65535"),
        ("history.embedded_bytes", "8388609"),
        ("tokens.admin_lifetime", "0"),
        ("tokens.admin_lifetime", "86401"),
        ("tokens.trust_on_first_use", "perhaps"),
        ("tokens.trusted_indexers", "ann bob"),
        ("outbox.attempts", "0"),
        ("outbox.first_delay", "0"),
        ("limits.one_shot", "1"),
        ("limits.one_shot", "nan"),
        ("limits.one_shot", "inf"),
        ("limits.one_shot", "1e3"),
        ("limits.database", "0"),
        ("limits.indexer", "-1"),
        ("logs.level", "LOUD"),
        ("mongodb.port", "65536"),
        ("mongodb.host", "127.0.0.1/?w=0&x"),
        ("mongodb.database", "a.b"),
        ("pipelines.job_indexer_id", "../profiles"),
        ("pipelines.job_indexer_id", "a?x-nonce=1"),
        ("pipelines.job_indexer_id", "a\nb"),
        ("pipelines.job_manager_id", " "),
    ],
)
def test_an_invalid_text_names_setting_and_variable(refusal: Callable[..., str], name: str, text: str) -> None:
    reason = refusal("", **{name.replace(".", "_"): text})
    assert reason.startswith(f"{name}: must be ")
    assert reason.endswith(f"(set by _REACTOR_{name.replace('.', '_').upper()})")
    assert len(reason) < 250


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens.admin_lifetime", "true"),
        ("history.embedded", "'500'"),
        ("history.embedded", "[1]"),
        ("limits.one_shot", ".inf"),
        ("limits.one_shot", ".nan"),
        ("limits.one_shot", "true"),
        ("limits.one_shot", "9" * 400),
        ("tokens.trust_on_first_use", "1"),
        ("tokens.trusted_indexers", "ann"),
        ("tokens.trusted_indexers", "[1]"),
        ("tokens.admin_key", "12345"),
        ("logs.level", "3"),
    ],
)
def test_an_invalid_value_in_the_file_names_only_the_setting(
    refusal: Callable[..., str], name: str, value: str
) -> None:
    section, key = name.split(".")
    reason = refusal(f"{section}: {{{key}: {value}}}")
    assert reason.startswith(f"{name}: must be ")
    assert "_REACTOR_" not in reason


def test_the_wrong_number_is_shown(refusal: Callable[..., str]) -> None:
    assert refusal("", history_embedded="1") == (
        "history.embedded: must be a whole number from 2 to 5000, not '1' (set by _REACTOR_HISTORY_EMBEDDED)"
    )


def test_the_shortest_wait_is_not_above_the_longest(refusal: Callable[..., str]) -> None:
    reason = refusal("outbox: {longest_delay: 5}", outbox_first_delay="6")
    assert reason == (
        "outbox.first_delay: must not be longer than outbox.longest_delay (set by _REACTOR_OUTBOX_FIRST_DELAY)"
    )


@pytest.mark.promise("S19")
@pytest.mark.parametrize(("given", "missing"), [("key", "secret"), ("secret", "key")])
def test_half_of_the_administrative_pair_is_refused(refusal: Callable[..., str], given: str, missing: str) -> None:
    assert refusal("", **{f"tokens_admin_{given}": CANARY}) == (
        f"tokens.admin_{missing}: is missing, though tokens.admin_{given} is set; set both or neither"
        f" (set by _REACTOR_TOKENS_ADMIN_{given.upper()})"
    )


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://host/{CANARY}",
        f"http:///{CANARY}",
        f"{CANARY}.org/messages",
        f"http://host:99999/{CANARY}",
        f"http://[{CANARY}/",
        f"http://ho\nst/{CANARY}",
        "file:///etc/passwd",
    ],
)
def test_an_indexer_url_needs_http_and_a_host(refusal: Callable[..., str], url: str) -> None:
    assert refusal("", pipelines_job_indexer_url=url).startswith("pipelines.job_indexer_url: must be an http://")


def test_an_indexer_url_is_kept_as_it_is(load: Load) -> None:
    url = f"https://api.sd2e.org/actors/v2/x/messages?x-nonce={CANARY}"
    read = load("", pipelines_job_indexer_url=url)
    assert revealed(read.pipelines.job_indexer_url) == url
    assert CANARY in settings.secrets(read)


# The connection string


def test_authn_is_the_connection_string_in_base64(load: Load) -> None:
    assert revealed(load("", mongodb_authn=AUTHN).mongodb.connection()) == PLAIN


@pytest.mark.parametrize(
    "authn", [AUTHN.rstrip("="), AUTHN + "\n", AUTHN[:20] + "\n" + AUTHN[20:], packed(PLAIN + "\n")]
)
def test_authn_may_be_wrapped_unpadded_or_made_with_echo(load: Load, authn: str) -> None:
    assert revealed(load("", mongodb_authn=authn).mongodb.connection()) == PLAIN


@pytest.mark.parametrize("alphabet", [base64.urlsafe_b64encode, base64.b64encode])
def test_authn_in_either_alphabet(load: Load, alphabet: Callable[[bytes], bytes]) -> None:
    uri = "mongodb://u:~~~>>>\u00ff\u00ff\u00ff@h/"
    authn = alphabet(uri.encode()).decode()
    assert {"-", "_"} <= set(authn) or {"+", "/"} <= set(authn), "both letters in which the alphabets differ"
    assert revealed(load("", mongodb_authn=authn).mongodb.connection()) == uri


@pytest.mark.parametrize(
    "authn",
    [
        f"mongodb://u:{CANARY}@h/",
        f"!{CANARY}!",
        "Y",
        "é",
        base64.urlsafe_b64encode(b"\xff\xfe\xff").decode(),
        packed(f"postgres://u:{CANARY}@h/"),
        packed(f"mongodb://u:{CANARY}@/x"),
        packed("mongodb://"),
        packed(" "),
        packed(f"mongodb://u:{CANARY}@h/?w=0"),
        packed(f"mongodb://u:{CANARY}?@h/?w=0"),
        packed("mongodb://h/?x?w=0"),
    ],
)
def test_a_wrong_authn_is_refused_without_showing_it(refusal: Callable[..., str], authn: str) -> None:
    reason = refusal("", mongodb_authn=authn)
    assert reason.startswith("mongodb.authn: ")
    assert reason.endswith("(set by _REACTOR_MONGODB_AUTHN)")
    assert authn not in reason


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://127.0.0.1",
        "mongodb://h1:1,h2:2/db?replicaSet=rs0",
        "mongodb+srv://u:p@cluster.example.org/",
        "mongodb://%2Ftmp%2Fmongodb-27017.sock/",
        "mongodb://h/?w=majority&journal=true&wtimeoutMS=500",
        "mongodb://h/?W=majority;J=TRUE",
        "mongodb://h/?w=m%61jority&journal=tr%75e",
    ],
)
def test_good_connection_strings(load: Load, uri: str) -> None:
    assert revealed(load("", mongodb_uri=uri).mongodb.connection()) == uri


@pytest.mark.parametrize(
    "options",
    [
        "w=0",
        "W=0",
        "w=1",
        "w=2",
        "w=majority&w=1",
        "w=Majority",
        "w=",
        "w",
        "w=%30",
        "%77=0",
        "w%20=0",
        "journal=false",
        "Journal=False",
        "journal=%66alse",
        "journal=0",
        "j=false",
        "J=FALSE",
        "retryWrites=true&j=false",
        "retryWrites=true;w=0",
        "w=majority+",
        "w=majority%3F",
        "w=tag",
    ],
)
@pytest.mark.parametrize("start", ["mongodb://h/?", "mongodb://h?", "mongodb://u:p@h/db?", "mongodb+srv://h/db?"])
def test_nothing_weakens_the_write_concern(refusal: Callable[..., str], start: str, options: str) -> None:
    reason = refusal("", mongodb_uri=start + options)
    assert "must not weaken the write concern" in reason
    assert "must not weaken the write concern" in refusal("", mongodb_authn=packed(start + options))
    made_by_hand = Settings().mongodb._replace(uri=Secret(start + options))
    with pytest.raises(WrongSetting, match=r"^mongodb\.uri: must not weaken"):
        made_by_hand.connection()


def test_uri_and_authn_may_say_the_same(load: Load) -> None:
    assert revealed(load("", mongodb_uri=PLAIN, mongodb_authn=AUTHN).mongodb.connection()) == PLAIN


def test_uri_and_authn_may_not_differ(refusal: Callable[..., str]) -> None:
    reason = refusal("", mongodb_uri=f"mongodb://u:{CANARY}@h/", mongodb_authn=AUTHN)
    assert reason.startswith("mongodb.uri: differs from mongodb.authn")
    assert reason.endswith("(set by _REACTOR_MONGODB_AUTHN, _REACTOR_MONGODB_URI)")


def test_a_user_name_wins_and_every_part_is_encoded(load: Load) -> None:
    read = load(
        "mongodb: {username: 'a@b:c', auth_source: 'x/y?w=0'}", mongodb_password="p/?&w=0 +é", mongodb_authn=AUTHN
    )
    assert revealed(read.mongodb.connection()) == (
        "mongodb://a%40b%3Ac:p%2F%3F%26w%3D0%20%2B%C3%A9@catalog.sd2e.org:27020/x%2Fy%3Fw%3D0"
    )


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_host_stands_in_brackets(load: Load, host: str) -> None:
    read = load("mongodb: {username: u, port: 1}", mongodb_password="p", mongodb_host=host)
    assert revealed(read.mongodb.connection()) == "mongodb://u:p@[::1]:1/admin"


def test_user_name_and_password_go_together(refusal: Callable[..., str]) -> None:
    assert refusal("mongodb: {username: u}") == "mongodb.password: is missing, though mongodb.username is set"
    assert refusal("", mongodb_password=CANARY).startswith("mongodb.username: is missing")


# Secrets


def test_secrets_are_held_as_such_and_listed_for_redaction(load: Load) -> None:
    given = {
        "mongodb_authn": packed("mongodb://u:in-authn@h/"),
        "mongodb_password": "p w",
        "mongodb_username": "u",
        "pipelines_job_indexer_nonce": "SD2E_nonce",
        "pipelines_job_indexer_url": "https://u:in-url@h/?x-nonce=in-query&page=2",
        "tokens_admin_key": "the-key",
        "tokens_admin_secret": "the-secret",
    }
    read = load("", **given)
    texts = {text for name, text in given.items() if name != "mongodb_username"}
    also = {"mongodb://u:p%20w@catalog.sd2e.org:27020/admin", "p%20w", "in-url", "in-query"}
    assert settings.secrets(read) == texts | also
    assert not [text for text in texts | also if text in repr(read)]


def test_every_secret_setting_is_listed(load: Load) -> None:
    assert {name for name, setting in TABLE.items() if setting.secret} == {
        "mongodb.authn",
        "mongodb.uri",
        "mongodb.password",
        "pipelines.job_indexer_nonce",
        "pipelines.job_indexer_url",
        "pipelines.job_manager_nonce",
        "tokens.admin_key",
        "tokens.admin_secret",
        "reconcile.agave_token",
        "reconcile.agave_client_key",
        "reconcile.agave_client_secret",
        "reconcile.agave_refresh_token",
        "reconcile.tapis_token",
        "reconcile.tapis_password",
    }


def test_the_password_in_authn_is_redacted_in_both_spellings(load: Load) -> None:
    assert {"p%2Fq", "p/q"} <= settings.secrets(load("", mongodb_authn=packed("mongodb://u:p%2Fq@h/")))


def test_without_secrets_nothing_is_redacted() -> None:
    assert settings.secrets(Settings()) == frozenset()


@pytest.mark.parametrize("name", ["pipelines.job_indexer_nonce", "tokens.admin_key", "mongodb.password"])
def test_a_secret_is_one_line(refusal: Callable[..., str], name: str) -> None:
    assert refusal("", **{name.replace(".", "_"): f"{CANARY}\n"}).startswith(f"{name}: must be one line")


def test_texts_that_are_not_utf8_are_refused_in_words(refusal: Callable[..., str]) -> None:
    refusal("", tokens_admin_key="\udcff", tokens_admin_secret="x")
    refusal("", mongodb_authn="\udcff")
    refusal("", mongodb_database="\udcff")
    refusal("", tokens_trusted_indexers="\udcff")


def test_pins_are_not_shown(load: Load) -> None:
    assert "pinned" not in repr(load(f"pinned: {{tokens.admin_key: {CANARY}}}"))


# The module


def test_variables_are_distinct() -> None:
    assert len({setting.variable for setting in TABLE.values()}) == len(TABLE)
    assert TABLE["pipelines.job_indexer_id"].variable == "_REACTOR_PIPELINES_JOB_INDEXER_ID"


def test_every_default_fits_its_own_setting() -> None:
    for setting in TABLE.values():
        if setting.default not in (None, ()):
            text = str(setting.default)
            assert setting.field_type.parse(text) == setting.default, setting.name


def test_every_section_says_what_it_is() -> None:
    config = (ROOT / "config.yml").read_text(encoding="utf-8")
    for name, cls in SECTIONS.items():
        assert f"\n# {cls.__doc__}\n{name}:\n" in config


def test_no_driver_is_imported() -> None:
    code = (
        "import sys; from pipelinejobs import settings; settings.load({'_REACTOR_MONGODB_URI': 'mongodb://h/'});"
        "print([m for m in ('pymongo', 'bson', 'requests', 'agavepy', 'jsonschema') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-Ic", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert run.stdout == "[]\n"
