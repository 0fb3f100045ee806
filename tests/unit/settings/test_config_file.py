"""config.yml: invalid files, and that the one in the repository agrees with the code."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pipelinejobs import settings
from pipelinejobs.settings import ROOT, config_file
from pipelinejobs.settings.table import TABLE, Settings
from pipelinejobs.util.errors import WrongSetting

CONFIG = ROOT / "config.yml"
CANARY = "canary-7f3a"


def refusal(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "config.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(WrongSetting) as caught:
        settings.load({}, path)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mongodb: {autn: x}", "mongodb.autn: is not a setting; did you mean mongodb.authn?"),
        ("historie: {embedded: 3}", "historie: is not a setting; did you mean history?"),
        ("history.embedded: 3", "history.embedded: is not a setting; did you mean history.embedded?"),
        ("zzz: 1", "zzz: is not a setting"),
        ("1: 1", "1: is not a setting"),
        ("logs: {1: 1}", "logs.1: is not a setting"),
        ("require_pin: true", "require_pin: is not a setting; did you mean require_pins?"),
        ("logs: INFO", "logs: must be a section of config.yml, with settings under it"),
        ("- a", "config.yml: must be a table of settings"),
        ("text", "config.yml: must be a table of settings"),
        ("require_pins: 'yes'", "require_pins: must be true or false, not 'yes'"),
        ("logs: {}\nlogs: {}", "logs: is in the file twice, the second time at line 2"),
        ("logs:\n  level: INFO\n  level: DEBUG", "logs.level: is in the file twice, the second time at line 3"),
        ("pinned:\n  a.b: 1\n  a.b: 2", "pinned.a.b: is in the file twice, the second time at line 3"),
        (f"tokens:\n  admin_key: *{CANARY}", "config.yml: is not valid YAML at line 2"),
        (f"tokens: {{admin_key: '{CANARY}", "config.yml: is not valid YAML at line 1"),
        (f"tokens: {{admin_key: !{CANARY} x}}", "config.yml: is not valid YAML at line 1"),
        ("tokens: {admin_key: !!python/name:os.system x}", "config.yml: is not valid YAML at line 1"),
        ("a: 1\n---\nb: 2", "config.yml: is not valid YAML at line 2"),
        ("tokens: {admin_key: 2001-99-99}", "config.yml: is not valid YAML"),
        ("? [a]\n: 1", "config.yml: is not valid YAML"),
        ("logs: {level: \x01}", "config.yml: is not valid YAML"),
        (b"\xff", "config.yml: cannot be read: it is not UTF-8 text"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    assert refusal(tmp_path, text).startswith(reason)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match=r"^gone\.yml: cannot be read: No such file or directory$"):
        settings.load({}, tmp_path / "gone.yml")


def test_without_a_path_the_repository_s_own_file_is_read() -> None:
    assert settings.CONFIG == CONFIG
    settings.load({})


def test_the_repository_s_file_holds_every_setting_once_and_in_order() -> None:
    written = config_file.read(CONFIG)
    assert list(written) == [*TABLE, "pinned", "require_pins"]


def test_the_repository_s_file_holds_the_defaults() -> None:
    read, defaults = settings.load({}, CONFIG), Settings()
    written = config_file.read(CONFIG)
    for name, setting in TABLE.items():
        section, key = name.split(".")
        assert getattr(getattr(read, section), key) == getattr(getattr(defaults, section), key), name
        if setting.default is not None:
            assert written[name] is not None, f"{name} has a default, and the file does not say it"
    assert written["pinned"] == {}
    assert written["require_pins"] is False


def test_every_setting_of_the_repository_s_file_has_its_meaning_above_it() -> None:
    comments: list[str] = []
    found = {}
    section = ""
    for line in CONFIG.read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("#"):
            comments.append(line.strip().removeprefix("#").strip())
            continue
        if key := re.match(r"( *)(\w+):", line):
            section = section if key[1] else key[2]
            found[f"{section}.{key[2]}" if key[1] else section] = " ".join(comments)
        comments = []
    assert {name: found.get(name) for name in TABLE} == {name: setting.comment for name, setting in TABLE.items()}
    assert all(found.values()), "a section or a pin without a comment"


def test_no_line_of_the_repository_s_file_holds_a_secret() -> None:
    document = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    for name, setting in TABLE.items():
        section, key = name.split(".")
        if setting.secret:
            assert document[section][key] is None


def test_the_sample_of_secrets_can_be_used_and_opens_nothing() -> None:
    sample = json.loads((ROOT / "secrets.json.sample").read_text(encoding="utf-8"))
    assert list(sample) == [
        "_REACTOR_MONGODB_AUTHN",
        "_REACTOR_MONGODB_DATABASE",
        "_REACTOR_PIPELINES_JOB_INDEXER_ID",
        "_REACTOR_PIPELINES_JOB_INDEXER_NONCE",
        "_REACTOR_PIPELINES_JOB_MANAGER_NONCE",
        "_REACTOR_TOKENS_ADMIN_KEY",
        "_REACTOR_TOKENS_ADMIN_SECRET",
        "_REACTOR_TOKENS_TRUSTED_INDEXERS",
    ]
    assert set(sample) <= {setting.variable for setting in TABLE.values()}
    read = settings.load(sample)
    connection = read.mongodb.connection()
    assert connection is not None
    assert connection.reveal() == "mongodb://127.0.0.1:27017/"
    assert read.tokens.admin_key is None, "a sample left as it is must not make tokens that anyone can compute"
