"""Writing pins into config.yml: comments are kept, and the file is replaced in one step."""

import hashlib
import stat
from pathlib import Path

import pytest

from pipelinejobs import settings
from pipelinejobs.settings import ROOT, pins, pins_file
from pipelinejobs.util.errors import CommandFailed, WrongSetting

AUTHN = "bW9uZ29kYjovLzEyNy4wLjAuMToyNzAxNy8="


def sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


SECRETS = {
    "_REACTOR_MONGODB_AUTHN": AUTHN,
    "_REACTOR_MONGODB_DATABASE": "catalog",
    "_REACTOR_PIPELINES_JOB_INDEXER_NONCE": "",
    "_REACTOR_LOGS_LEVEL": "DEBUG",
    "OTHER": "x",
}


def test_what_is_written_is_what_load_asks_for(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    repository = (ROOT / "config.yml").read_text(encoding="utf-8")
    config.write_text(repository.replace("require_pins: false", "require_pins: true"), encoding="utf-8")
    assert pins_file.write(config, SECRETS) == ["mongodb.authn", "mongodb.database"]
    read = settings.load(SECRETS, config)
    assert read.mongodb.database == "catalog"
    assert set(read.pinned) == set(pins.GUARDED)
    assert {name for name, pin in read.pinned.items() if pin} == {"mongodb.authn", "mongodb.database"}
    for variable, text in [("_REACTOR_MONGODB_DATABASE", "x"), ("_REACTOR_TOKENS_ADMIN_KEY", "x")]:
        with pytest.raises(WrongSetting, match="is pinned"):
            settings.load({**SECRETS, variable: text}, config)
    assert AUTHN not in config.read_text(encoding="utf-8")


def test_all_other_lines_of_the_repository_s_file_stay(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    before = (ROOT / "config.yml").read_text(encoding="utf-8")
    config.write_text(before, encoding="utf-8")
    pins_file.write(config, SECRETS)
    once = config.read_text(encoding="utf-8")
    head, tail = before.split("pinned: {}\n")
    assert once.startswith(head + "pinned:\n  mongodb.authn: sha256:")
    assert once.endswith("\n" + tail)
    assert len(once.splitlines()) == len(before.splitlines()) + len(pins.GUARDED)
    pins_file.write(config, SECRETS)
    assert config.read_text(encoding="utf-8") == once, "pinning the same again changes nothing"
    pins_file.write(config, {})
    assert "sha256:" not in config.read_text(encoding="utf-8").split("pinned:")[1]


BLOCK = "".join(f"  {name}: {'null' if name != 'mongodb.database' else sha256('catalog')}\n" for name in pins.GUARDED)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"pinned:\n{BLOCK}"),
        ("# é\nlogs: {}", f"# é\nlogs: {{}}\npinned:\n{BLOCK}"),
        ("pinned: {}", f"pinned:\n{BLOCK}"),
        ("pinned:\n", f"pinned:\n{BLOCK}"),
        ("pinned: null # why\nlogs: {}\n", f"pinned:      # why\n{BLOCK}logs: {{}}\n"),
        ("pinned:   # why\n  tokens.admin_key: x # y\n\n# mine\nlogs: {}\n",
         f"pinned:   # why\n{BLOCK}\n# mine\nlogs: {{}}\n"),
        ("pinned:\n  # one\n  tokens.admin_key: x\n  # two\n  tokens.admin_secret: '#'\nrequire_pins: false\n",
         "pinned:\n  # one\n" + BLOCK.replace("  tokens.admin_secret", "  # two\n  tokens.admin_secret")
         + "require_pins: false\n"),
        ("pinned: {\n  tokens.admin_key: x,\n}  # end\nlogs: {}\n", f"pinned: # end\n{BLOCK}logs: {{}}\n"),
        ("pinned: {wrong.name: x}\n", f"pinned:\n{BLOCK}"),
    ],
)  # fmt: skip
def test_only_the_table_of_pins_is_rewritten(tmp_path: Path, before: str, after: str) -> None:
    config = tmp_path / "config.yml"
    for end in ("\n", "\r\n"):
        config.write_bytes(before.replace("\n", end).encode())
        assert pins_file.write(config, {"_REACTOR_MONGODB_DATABASE": "catalog"}) == ["mongodb.database"]
        written = config.read_bytes().decode()
        assert written.replace("\r\n", "\n") == after
        if "\r\n" in before.replace("\n", end):
            assert written.count("\n") == written.count("\r\n"), "the file's own line ends"


def test_a_file_in_one_line_is_rewritten_too(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("{pinned: {}, logs: {}}\n", encoding="utf-8")
    pins_file.write(config, SECRETS)
    assert settings.load(SECRETS, config).pinned["mongodb.database"] == pins.digest("catalog")


def test_a_file_that_only_pyyaml_can_read_is_refused_and_kept(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("%YAML 9.9\n---\nlogs: {}\n", encoding="utf-8")
    with pytest.raises((CommandFailed, WrongSetting)):
        pins_file.write(config, SECRETS)
    assert config.read_text(encoding="utf-8") == "%YAML 9.9\n---\nlogs: {}\n"


def test_secrets_that_are_not_text_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    config.write_text("", encoding="utf-8")
    with pytest.raises(WrongSetting, match=r"^mongodb\.port: must be text"):
        pins_file.write(config, {"_REACTOR_MONGODB_PORT": 27017})  # type: ignore[dict-item]  # as JSON may give it
    assert config.read_text(encoding="utf-8") == ""


def test_mode_and_symbolic_link_stay_and_nothing_is_left_behind(tmp_path: Path) -> None:
    config, link = tmp_path / "real.yml", tmp_path / "config.yml"
    config.write_text("pinned: {}\n", encoding="utf-8")
    config.chmod(0o640)
    link.symlink_to(config)
    pins_file.write(link, SECRETS)
    assert link.is_symlink()
    assert "sha256:" in config.read_text(encoding="utf-8")
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yml", "real.yml"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config.yml"
    config.write_text("pinned: {}\n", encoding="utf-8")

    def busy(self: Path, target: Path) -> Path:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(CommandFailed, match=r"^config\.yml cannot be written: Device or resource busy$"):
        pins_file.write(config, SECRETS)
    assert [path.name for path in tmp_path.iterdir()] == ["config.yml"]
    assert config.read_text(encoding="utf-8") == "pinned: {}\n"
