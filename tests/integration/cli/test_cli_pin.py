"""`pin`, `admin-token` and `mongod`: the commands around a deployment."""

import base64
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.cli.conftest import Cli
from pipelinejobs.core.tokens import admin_token
from pipelinejobs.mongod import Mongod
from pipelinejobs.settings import CONFIG, load
from pipelinejobs.settings.pins import GUARDED

ORIGINAL = Path(__file__).resolve().parents[2] / "data" / "secrets-of-the-original.json"
KEY, SECRET = "k" * 20, "s" * 20
SECRETS = {
    "_REACTOR_MONGODB_AUTHN": "bW9uZ29kYjovLzEyNy4wLjAuMToyNzAxNy8=",
    "_REACTOR_TOKENS_ADMIN_KEY": KEY,
    "_REACTOR_TOKENS_ADMIN_SECRET": SECRET,
    "_REACTOR_TOKENS_TRUSTED_INDEXERS": "",
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of the project's config.yml."""
    return Path(shutil.copy(CONFIG, tmp_path / "config.yml"))


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A secrets.json."""
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps(SECRETS))
    return file


class TestPin:
    def test_pins_every_guarding_setting(self, cli: Cli, config: Path, secrets: Path) -> None:
        told = cli.ok("pin", "--secrets", str(secrets), "--config", str(config))
        assert told["pinned"] == ["mongodb.authn", "tokens.admin_key", "tokens.admin_secret"]
        assert told["warnings"] == []
        assert list(yaml.safe_load(config.read_text())["pinned"]) == list(GUARDED)
        assert load(SECRETS, config).tokens.admin_key is not None

    def test_shows_and_writes_no_secret(self, cli: Cli, config: Path, secrets: Path) -> None:
        done = cli("pin", "--secrets", str(secrets), "--config", str(config))
        for value in SECRETS.values():
            assert not value or value not in done.out + done.err + config.read_text()

    def test_refuses_names_that_are_no_settings(self, cli: Cli, config: Path, secrets: Path) -> None:
        secrets.write_text(json.dumps({**SECRETS, "_REACTOR_TOKENS_ADMINKEY": "x", "OTHER": "x"}))
        before = config.read_text()
        done = cli("pin", "--secrets", str(secrets), "--config", str(config))
        assert (done.exit_code, done.out) == (78, "")
        said = "_REACTOR_TOKENS_ADMINKEY: is not a setting; did you mean _REACTOR_TOKENS_ADMIN_KEY?"
        assert done.err == f"pin: {said}\n"
        assert config.read_text() == before

    def test_names_of_other_programs_are_ignored(self, cli: Cli, config: Path, secrets: Path) -> None:
        secrets.write_text(json.dumps({**SECRETS, "OTHER": "x"}))
        assert cli.ok("pin", "--secrets", str(secrets), "--config", str(config))["warnings"] == []

    def test_says_when_the_actor_would_not_start(self, cli: Cli, config: Path, secrets: Path) -> None:
        secrets.write_text(json.dumps({"_REACTOR_MONGODB_AUTHN": "not base64 of a connection string"}))
        done = cli("pin", "--secrets", str(secrets), "--config", str(config), "--json")
        assert done.exit_code == 78
        assert "mongodb.authn" in done.json["warnings"][0]

    @pytest.mark.parametrize(
        "content",
        [
            None,
            b"",
            b"[]",
            b'{"_REACTOR_MONGODB_AUTHN": [1]}',
            b"\xff",
            b"[" * 100_000,
            b'{"a": "1", "a": "2"}',
            b"hunter2hunter2",
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_a_file_that_is_no_secrets_json(self, cli: Cli, config: Path, secrets: Path, content: bytes | None) -> None:
        secrets.unlink() if content is None else secrets.write_bytes(content)
        before = config.read_text()
        done = cli("pin", "--secrets", str(secrets), "--config", str(config))
        assert done.exit_code == 1
        assert done.err.startswith("pin: ")
        assert len(done.err.splitlines()) == 1
        assert "hunter2" not in done.err
        assert config.read_text() == before

    def test_a_config_yml_that_is_not_there(self, cli: Cli, tmp_path: Path, secrets: Path) -> None:
        done = cli("pin", "--secrets", str(secrets), "--config", str(tmp_path / "none.yml"))
        assert done.exit_code == 78
        assert "none.yml" in done.err


class TestTheOriginals:
    """The original reactor's secrets.json, unchanged."""

    def test_what_is_not_ours_is_named_in_one_line_and_left_alone(self, cli: Cli, config: Path, secrets: Path) -> None:
        original = json.loads(ORIGINAL.read_text())
        secrets.write_text(json.dumps(original))
        text = config.read_text().replace("require_pins: false", "require_pins: true")
        config.write_text(text)
        done = cli("pin", "--secrets", str(secrets), "--config", str(config))
        assert (done.exit_code, done.err) == (0, "")
        first, second = done.out.splitlines()
        assert "tokens.admin_key, tokens.admin_secret, tokens.admin_lifetime" in first
        assert second.startswith("not settings of the manager, and ignored: _REACTOR_DEBUG, _REACTOR_LINKEDSTORES")
        for value in original.values():
            assert not isinstance(value, str) or len(value) < 6 or value not in done.out + config.read_text()
        # Abaco gives numbers and truth values to the process as Python spells them.
        environ = {name: str(value) for name, value in original.items() if value is not None}
        assert load(environ, config).tokens.admin_lifetime == 1800

    def test_a_key_without_its_secret_is_one_warning(self, cli: Cli, config: Path, secrets: Path) -> None:
        secrets.write_text(json.dumps({"CATALOG_ADMIN_TOKEN_KEY": "a-key"}))
        told = cli.ok("pin", "--secrets", str(secrets), "--config", str(config))
        said = "CATALOG_ADMIN_TOKEN_KEY is set without CATALOG_ADMIN_TOKEN_SECRET"
        assert told["warnings"] == [f"{said}, so there are no administrative tokens"]

    def test_commands_take_it(
        self, cli: Cli, mongodb_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("_REACTOR_MONGODB_URI")
        authn = base64.urlsafe_b64encode(mongodb_uri.encode()).decode()
        file = tmp_path / "secrets.json"
        file.write_text(json.dumps({**json.loads(ORIGINAL.read_text()), "_REACTOR_MONGODB_AUTHN": authn}))
        monkeypatch.setenv("PIPELINEJOBS_SECRETS", str(file))
        done = cli("doctor", "--fix", "--json")
        assert done.exit_code == 0
        notes = [one["text"] for one in done.json["findings"] if one["what"] == "environment"]
        assert len(notes) == 1
        assert notes[0].startswith("not settings of the manager, and ignored: _REACTOR_DEBUG, ")
        assert cli("jobs").err == ""
        assert len(cli.ok("admin-token")["token"]) == 16


class TestAdminToken:
    def test_is_the_token_of_the_moment(self, cli: Cli) -> None:
        before = time.time()
        told = cli.ok("admin-token", _REACTOR_TOKENS_ADMIN_KEY=KEY, _REACTOR_TOKENS_ADMIN_SECRET=SECRET)
        assert told["token"] in {admin_token(SECRET, KEY, 3600, moment) for moment in (before, time.time())}
        assert told["valid_until"].endswith("Z")

    def test_for_people_the_token_is_the_first_line(self, cli: Cli) -> None:
        done = cli("admin-token", _REACTOR_TOKENS_ADMIN_KEY=KEY, _REACTOR_TOKENS_ADMIN_SECRET=SECRET)
        token, valid = done.out.splitlines()
        assert len(token) == 16
        assert valid.startswith("valid until 2")
        assert KEY not in done.out
        assert SECRET not in done.out

    def test_says_when_there_are_none(self, cli: Cli) -> None:
        done = cli("admin-token")
        assert done.exit_code == 78
        assert "tokens.admin_key" in done.err
        assert done.out == ""


@pytest.mark.usefixtures("nothing_left")
def test_mongod(cli: Cli, embedded: Mongod) -> None:
    here: dict[str, Any] = {"_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(embedded.directory)}
    assert cli("mongod", "status", **here).out == "it is not running\n"
    assert cli("mongod", "status", "--json", **here).exit_code == 1
    started = cli.ok("mongod", "start", **here)
    assert cli.ok("mongod", "status", **here) == started
    assert cli.ok("mongod", "stop", **here) == {"stopped": True, "used": False}
    assert cli.ok("mongod", "stop", **here) == {"stopped": False, "used": False}
    assert cli("mongod", "restart", **here).exit_code == 2
