"""Starting: one exit code for each cause, and one clear sentence."""

import base64
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from pipelinejobs.mongod import Mongod
from support.canaries import PASSWORD
from support.process import EXIT_CODES, WRONG_SETTING, CheckedAbaco, Documents, NewJob, StoredJob, callback, insert_job
from support.server import RudeServer, then_hangs
from tools.demo.abaco import ROOT, Abaco, Execution, finished
from tools.demo.indexer import Indexer

EVENT = {"uuid": "107b93f3-1eae-5e79-8a18-0a480f8aa3a5", "name": "run", "token": "0123456789abcdef"}
URI = f"mongodb://admin:{PASSWORD}@127.0.0.1:1/"


def authn(uri: str) -> str:
    return base64.urlsafe_b64encode(uri.encode()).decode()


def refuses_to_start(execution: Execution, *said: str) -> None:
    """It ended with 78 and one sentence that holds these words, on stdout and in the log."""
    assert execution.exit_code == WRONG_SETTING, execution
    reason = execution.verdict["reason"]
    for words in said:
        assert words in reason
    assert "\n" not in reason
    assert len(reason) < 300
    assert execution.verdict["state"] is None
    assert len(execution.stdout.splitlines()) == 1
    # Where the message had been read by then, a further line has all that is needed to send it by hand.
    assert len([line for line in execution.stderr.splitlines() if "a message is lost" not in line]) == 1
    assert execution.verdict["verdict"] != "applied"


@pytest.mark.promise("F17")
class TestWrongSettings:
    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({}, ["mongodb.authn", "_REACTOR_MONGODB_AUTHN"]),
            ({"_REACTOR_MONGODB_AUTHN": ""}, ["mongodb.authn"]),
            ({"_REACTOR_MONGODB_AUTHN": "%%% no base64 %%%"}, ["mongodb.authn", "base64"]),
            ({"_REACTOR_MONGODB_AUTHN": authn("not a connection string")}, ["mongodb.authn"]),
            ({"_REACTOR_MONGODB_AUTHN": URI}, ["mongodb.authn"]),
            ({"_REACTOR_MONGODB_AUTHN": authn(URI + "?w=0")}, ["mongodb", "write concern"]),
            ({"_REACTOR_MONGODB_URI": URI + "?w=1"}, ["mongodb.uri", "write concern"]),
            ({"_REACTOR_MONGODB_URI": URI + "?journal=false"}, ["mongodb.uri", "write concern"]),
            ({"_REACTOR_MONGODB_URI": "mongodb://[::1"}, ["mongodb"]),
            ({"_REACTOR_MONGODB_URI": URI, "_REACTOR_MONGODB_DATABASE": "a/b"}, ["mongodb.database"]),
            ({"_REACTOR_MONGODB_USERNAME": "only"}, ["mongodb.password"]),
            ({"_REACTOR_MONGODB_URI": URI, "_REACTOR_TOKENS_ADMIN_KEY": PASSWORD}, ["tokens.admin_secret"]),
            ({"_REACTOR_MONGODB_URI": URI, "_REACTOR_TOKENS_ADMIN_SECRET": PASSWORD}, ["tokens.admin_key"]),
            ({"_REACTOR_MONGODB_URI": URI, "_REACTOR_LIMITS_ONE_SHOT": "soon"}, ["limits.one_shot", "soon"]),
            ({"_REACTOR_MONGODB_URI": URI, "_REACTOR_PINNED": "{}"}, ["pinned", "config.yml"]),
            ({"_REACTOR_MONGODB_URI": URI, "_REACTOR_REQUIRE_PINS": "false"}, ["require_pins", "config.yml"]),
            (
                {"_REACTOR_MONGODB_URI": URI, "_REACTOR_PIPELINES_JOB_INDEXER_URL": "file:///etc/passwd"},
                ["job_indexer"],
            ),
        ],
        ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
    )
    def test_are_named_in_one_sentence(self, settings: dict[str, str], said: list[str]) -> None:
        refuses_to_start(CheckedAbaco(environment=settings).send(EVENT), *said)


class Copy:
    """A copy of the actor's files whose config.yml may be changed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name in ("reactor.py", "config.yml", "message.jsonschema"):
            shutil.copy(ROOT / name, directory / name)
        for name in ("fsm", "pipelinejobs"):
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.config = directory / "config.yml"

    def change(self, before: str, after: str) -> None:
        text = self.config.read_text()
        assert before in text
        self.config.write_text(text.replace(before, after))

    def send(self, abaco: CheckedAbaco, body: Any, parameters: Mapping[str, str] | None = None) -> Execution:
        process = subprocess.Popen(
            [sys.executable, "-Es", str(self.directory / "reactor.py")],
            env=abaco.variables(body, parameters or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return abaco.check(finished(process))


@pytest.fixture
def copied(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


class TestConfigFile:
    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ("  authn: null", "  auth: null", ["mongodb.auth", "not a setting"]),
            ("logs:\n", "lags:\n", ["lags", "not a setting"]),
            ("  embedded: 500", "  embedded: many", ["history.embedded"]),
            ("  trusted_indexers: []", "  trusted_indexers: [[x]]", ["tokens.trusted_indexers"]),
            ("pinned: {}", "pinned: {mongodb.nothing: x}", ["pinned.mongodb.nothing"]),
            ("pinned: {}", "pinned: [", ["config.yml", "YAML"]),
            ("require_pins: false", "require_pins: maybe", ["require_pins"]),
            ("require_pins: false", "require_pins: true", ["no pin", "pipelinejobs pin"]),
        ],
        ids=lambda value: value.strip() if isinstance(value, str) else "",
    )
    def test_what_is_wrong_in_it_is_named(
        self, abaco: CheckedAbaco, copied: Copy, before: str, after: str, said: list[str]
    ) -> None:
        copied.change(before, after)
        refuses_to_start(copied.send(abaco, EVENT), *said)

    def test_without_it_nothing_starts(self, abaco: CheckedAbaco, copied: Copy) -> None:
        copied.config.unlink()
        refuses_to_start(copied.send(abaco, EVENT), "config.yml")


@pytest.mark.promise("S13")
class TestPins:
    """What the image does: pins written from the secrets, and `require_pins`."""

    @pytest.fixture
    def pinned(self, abaco: CheckedAbaco, copied: Copy, tmp_path: Path) -> Copy:
        secrets = tmp_path / "secrets.json"
        secrets.write_text(json.dumps(dict(abaco.environment)))
        command = [sys.executable, "-m", "pipelinejobs", "pin", "--json", "--secrets", str(secrets)]
        done = subprocess.run(command, cwd=copied.directory, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        copied.change("require_pins: false", "require_pins: true")
        return copied

    def test_as_deployed_it_works(self, abaco: CheckedAbaco, pinned: Copy, job: StoredJob) -> None:
        assert pinned.send(abaco, job.event("run")).verdict["state"] == "RUNNING"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("_REACTOR_MONGODB_AUTHN", authn("mongodb://127.0.0.1:1/")),
            ("_REACTOR_MONGODB_AUTHN", ""),
            ("_REACTOR_MONGODB_URI", "mongodb://127.0.0.1:1/"),
            ("_REACTOR_MONGODB_DATABASE", "another"),
            ("_REACTOR_MONGODB_HOST", "127.0.0.1"),
            ("_REACTOR_MONGODB_USERNAME", "me"),
            ("_REACTOR_MONGODB_EMBEDDED_DIRECTORY", "elsewhere"),
            ("_REACTOR_TOKENS_ADMIN_KEY", "mine"),
            ("_REACTOR_TOKENS_ADMIN_SECRET", ""),
            ("_REACTOR_TOKENS_ADMIN_LIFETIME", "86400"),
            ("_REACTOR_TOKENS_TRUST_ON_FIRST_USE", "true"),
            ("_REACTOR_TOKENS_TRUSTED_INDEXERS", "jdoe"),
            ("_REACTOR_PIPELINES_JOB_INDEXER_URL", "http://127.0.0.1:1/"),
            ("_REACTOR_PIPELINES_JOB_INDEXER_ID", "mine"),
            ("_REACTOR_PIPELINES_JOB_INDEXER_NONCE", "mine"),
        ],
    )
    def test_no_url_parameter_replaces_what_guards(
        self, abaco: CheckedAbaco, pinned: Copy, job: StoredJob, name: str, value: str
    ) -> None:
        refuses_to_start(pinned.send(abaco, job.event("run"), {name: value, "LOCALONLY": "1"}), "pinned", name)
        assert job.names == ["create"]

    @pytest.mark.promise("P9")
    def test_nor_makes_a_sender_give_up_what_another_job_owes(
        self, abaco: CheckedAbaco, pinned: Copy, new_job: NewJob, indexer: Indexer
    ) -> None:
        indexer.status = 500
        owing, mine = new_job(), new_job()
        abaco.send(callback("agave", "FINISHED"), owing.url())
        owing.jobs.update_one({"uuid": owing.uuid}, {"$set": {"_outbox.0.next": datetime(2000, 1, 1, tzinfo=UTC)}})
        pinned.send(abaco, mine.event("run"), {"_REACTOR_OUTBOX_ATTEMPTS": "1"})
        assert [row["status"] for row in owing.stored()["_outbox"]] == ["pending"]

    def test_nor_removes_the_refusals_that_were_kept(
        self, abaco: CheckedAbaco, pinned: Copy, job: StoredJob, jobs: Documents
    ) -> None:
        for _ in range(2):
            assert abaco.send(job.event("retire")).verdict["verdict"] == "illegal"
        pinned.send(abaco, job.event("run", token="0123456789abcdef"), {"_REACTOR_REFUSED_PER_JOB": "1"})
        assert jobs.database["jobs_refused"].count_documents({"verdict": "illegal"}) == 2


class TestUnavailable:
    def test_a_server_that_is_not_there(self, free_port: int) -> None:
        settings = {"_REACTOR_MONGODB_URI": f"mongodb://127.0.0.1:{free_port}/", "_REACTOR_LIMITS_DATABASE": "1"}
        began = time.monotonic()
        run = CheckedAbaco(environment=settings).send(EVENT)
        assert time.monotonic() - began < 15
        assert (run.exit_code, run.verdict["verdict"], run.verdict["state"]) == (75, "unavailable", None)
        assert (run.verdict["uuid"], run.verdict["event"]) == (EVENT["uuid"], "run")

    def test_a_server_that_never_answers(self) -> None:
        with RudeServer(then_hangs()) as silent:
            settings = {"_REACTOR_MONGODB_URI": f"mongodb://127.0.0.1:{silent.port}/", "_REACTOR_LIMITS_DATABASE": "1"}
            run = CheckedAbaco(environment=settings).send(EVENT)
        assert (run.exit_code, run.verdict["verdict"]) == (75, "unavailable")

    @pytest.mark.promise("F20")
    def test_the_whole_run_is_bounded(self, free_port: int) -> None:
        settings = {"_REACTOR_MONGODB_URI": f"mongodb://127.0.0.1:{free_port}/", "_REACTOR_LIMITS_ONE_SHOT": "2"}
        began = time.monotonic()
        run = CheckedAbaco(environment=settings).send(EVENT)
        assert time.monotonic() - began < 9
        assert (run.exit_code, run.verdict["verdict"]) == (75, "unavailable")

    def test_the_same_delivery_may_be_sent_again(self, abaco: CheckedAbaco, job: StoredJob, free_port: int) -> None:
        away = abaco.configured(_REACTOR_MONGODB_AUTHN=authn(f"mongodb://127.0.0.1:{free_port}/"))
        first = away.configured(_REACTOR_LIMITS_DATABASE="1").send(job.event("run"), execution="same")
        second = abaco.send(job.event("run"), execution="same")
        assert (first.verdict["verdict"], second.verdict["verdict"]) == ("unavailable", "applied")


class TestOnALaptop:
    def test_without_a_user_name_it_is_refused_on_abaco(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        anonymous = CheckedAbaco(environment=abaco.environment, names={"_abaco_username": None})
        run = anonymous.send(job.event("run"))
        assert (run.exit_code, run.verdict["verdict"], run.verdict["state"]) == (77, "unauthorised", None)
        assert job.names == ["create"]

    @pytest.mark.parametrize("uri", ["mongodb://127.0.0.1:{port}/", "nonsense"])
    def test_without_a_database_nothing_is_called_lost(self, free_port: int, uri: str) -> None:
        """A local run: the operator still has the message, so the run does not call it lost."""
        nothing = dict.fromkeys(Abaco(environment={}).variables(None, {}))
        settings = {"_REACTOR_MONGODB_URI": uri.format(port=free_port), "_REACTOR_LIMITS_DATABASE": "1"}
        local = CheckedAbaco(
            environment={"LOCALONLY": "1", **settings},
            names={name: None for name in nothing if name.startswith(("_abaco", "_actor"))},
        )
        run = local.send(EVENT)
        assert run.verdict["verdict"] == "unavailable"
        assert "a message is lost" not in run.stderr
        assert "requeued" not in run.stdout + run.stderr
        if run.exit_code == EXIT_CODES["unavailable"]:
            assert run.verdict["reason"].endswith("start MongoDB, then run the same command again")

    def test_localonly_takes_the_embedded_server(self, nothing_left: None, embedded: Mongod) -> None:
        nothing = dict.fromkeys(Abaco(environment={}).variables(None, {}))
        local = CheckedAbaco(
            environment={"LOCALONLY": "1", "_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(embedded.directory)},
            names={name: None for name in nothing if name.startswith(("_abaco", "_actor"))},
        )
        unknown = local.send(EVENT)
        assert (unknown.exit_code, unknown.verdict["verdict"]) == (77, "unauthorised")
        running = embedded.status()
        assert running is not None
        with MongoClient[dict[str, Any]](running.uri) as client:
            job = insert_job(client["catalog_staging"]["jobs"])
            assert local.send(job.event("run")).verdict["state"] == "RUNNING"
            assert job.names == ["create", "run"]
        assert embedded.stop()


def test_no_run_makes_an_index(abaco: CheckedAbaco, new_job: NewJob, jobs: Documents) -> None:
    job = new_job()
    abaco.send(job.event("run"))
    abaco.send(job.event("retire"))
    for name in jobs.database.list_collection_names():
        assert list(jobs.database[name].index_information()) == ["_id_"]
