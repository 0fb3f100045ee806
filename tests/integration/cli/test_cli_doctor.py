"""`doctor`: problems of settings, server, indexes, jobs and outbox messages."""

import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo.collection import Collection

from integration.cli.conftest import Cli, Done
from pipelinejobs.store import Store
from pipelinejobs.store.jobs import Jobs as StoredJobs
from support.factories import UUID, catalogued
from tools.demo.indexer import Indexer

Jobs = Collection[dict[str, Any]]
ADMINISTRATION: dict[str, Any] = {"_REACTOR_TOKENS_ADMIN_KEY": "k" * 20, "_REACTOR_TOKENS_ADMIN_SECRET": "s" * 20}
CURE = f"(doctor --repair {UUID} says what can be repaired)"
VECTORS = Path(__file__).resolve().parents[2] / "data" / "token-vectors.json"


def found(done: Done, what: str) -> list[tuple[str, str]]:
    """Level and text of the findings on a subject; and that the exit code fits all of them."""
    findings = done.json["findings"]
    wrong = sum(finding["level"] == "wrong" for finding in findings)
    assert (done.json["wrong"], done.exit_code) == (wrong, 1 if wrong else 0)
    assert {finding["level"] for finding in findings} <= {"ok", "note", "wrong"}
    return [(finding["level"], finding["text"]) for finding in findings if finding["what"] == what]


@pytest.fixture
def fixed(cli: Cli) -> Cli:
    """The commands, on a database that has its indexes."""
    assert cli("doctor", "--fix").exit_code == 0
    return cli


def test_a_sound_deployment(fixed: Cli) -> None:
    uuid = fixed.make()["uuid"]
    fixed.ok("send", uuid, "run")
    with Indexer() as indexer:
        sound = {**ADMINISTRATION, "_REACTOR_GATEWAY_PORT": "0", "_REACTOR_PIPELINES_JOB_INDEXER_URL": indexer.url}
        done = fixed("doctor", "--json", **sound)
    assert found(done, "jobs") == [("ok", "1 job checked; history and state agree")]
    assert found(done, "pins") == [("note", found(done, "pins")[0][1])]
    assert found(done, "reconcile")[0][0] == "note"
    others = [finding for finding in done.json["findings"] if finding["what"] not in ("pins", "reconcile")]
    assert {finding["level"] for finding in others} == {"ok"}


def test_for_people_each_finding_is_a_line(fixed: Cli) -> None:
    lines = fixed("doctor").out.splitlines()
    assert all(line.split()[0] in ("ok", "note", "wrong") for line in lines)
    assert any(line.startswith("ok     server: MongoDB ") for line in lines)


def test_makes_missing_indexes_when_told_to(cli: Cli) -> None:
    done = cli("doctor", "--json")
    assert done.exit_code == 1
    ((level, text),) = found(done, "indexes")
    assert level == "wrong"
    assert "jobs.uuid_1" in text
    ((level, text),) = found(cli("doctor", "--fix", "--json"), "indexes")
    assert (level, text[:5]) == ("ok", "made:")
    assert found(cli("doctor", "--json"), "indexes") == [("ok", "all indexes are there")]


def test_documents_with_the_same_uuid(cli: Cli, jobs: Jobs) -> None:
    for _ in range(2):
        document = catalogued("job-created.json")
        del document["_id"]
        jobs.insert_one(document)
    done = cli("doctor", "--fix", "--json")
    assert found(done, "jobs") == [("wrong", f"{UUID} is the uuid of more than one document")]
    assert found(done, "indexes")[0][0] == "wrong"
    assert found(done, "outbox") == [("ok", "all messages are delivered")]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ({"_properties.revision": 7}, "its revision is 7, but its history has 4 events after create"),
        ({"state": "RUNNING"}, "its state is RUNNING, but its history leads to FINISHED"),
        ({"last_event": "run"}, "its last_event is run, but its history ends with finish"),
        ({"history.1.name": "index"}, "its history does not follow the lifecycle: index while CREATED"),
        ({"history": None}, f"it cannot be changed: history is not an array {CURE}"),
        ({"state": "LOST"}, f"it cannot be changed: state is not one of the lifecycle's {CURE}"),
        ({"_salt": None}, "it has no _salt, so it has no token, and nothing can be sent to the Indexer for it"),
    ],
)
def test_jobs_that_disagree_with_themselves(fixed: Cli, jobs: Jobs, damage: dict[str, Any], problem: str) -> None:
    jobs.insert_one(catalogued("job-finished.json"))
    jobs.update_one({}, {"$set": damage})
    findings = found(fixed("doctor", "--json"), "jobs")
    assert ("wrong", f"{UUID}: {problem}") in findings
    assert findings[-1] == (
        "note",
        "doctor --repair UUID prints what can be repaired in one job; with --yes it repairs the job",
    )


def test_a_job_that_cannot_be_read_hides_no_other(fixed: Cli, jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, wrong = fixed.make(n=1)["uuid"], fixed.make(n=2)["uuid"]
    jobs.update_one({"uuid": wrong}, {"$set": {"state": "RUNNING"}})
    load = StoredJobs.load

    def poisoned(self: StoredJobs, uuid: str) -> object:
        if uuid == broken:
            raise ValueError("cannot convert float NaN to integer")
        return load(self, uuid)

    monkeypatch.setattr(StoredJobs, "load", poisoned)
    assert found(fixed("doctor", "--json"), "jobs") == [
        ("wrong", f"{broken}: it cannot be read (ValueError)"),
        ("wrong", f"{wrong}: its state is RUNNING, but its history leads to CREATED"),
        ("note", "doctor --repair UUID prints what can be repaired in one job; with --yes it repairs the job"),
    ]


class TestRepair:
    OLD = "107b93f3-1eae-5e79-8a18-0a480f8aa3a6"

    def test_says_what_it_would_do_and_does_nothing(self, fixed: Cli, jobs: Jobs) -> None:
        jobs.insert_one(catalogued("job-of-2018.json"))
        before = jobs.find_one()
        done = fixed("doctor", "--repair", self.OLD, "--json")
        assert (done.exit_code, done.json["mended"], jobs.find_one()) == (1, False, before)
        assert found(done, "history.0.uuid")[0][0] == "wrong"
        (said,) = found(done, "history.1.date")
        assert said == ("wrong", 'would become "2018-11-05T17:25:40Z": it is text')
        assert found(done, "job") == [("note", "nothing was changed; add --yes to repair the job")]

    def test_with_yes_it_does_and_the_job_takes_events(self, fixed: Cli, jobs: Jobs) -> None:
        jobs.insert_one(catalogued("job-of-2018.json"))
        (problem,) = fixed.ok("explain", self.OLD)["problems"]
        assert f"doctor --repair {self.OLD}" in problem
        done = fixed("doctor", "--repair", self.OLD, "--yes", "--json")
        assert (done.exit_code, done.json["mended"]) == (0, True)
        assert found(done, "_properties.revision")[0] == (
            "ok",
            "became 1: it is 0, but the history has 1 event after create",
        )
        assert found(done, "job") == [("ok", "history and state agree, and the job accepts events")]
        assert fixed.ok("send", self.OLD, "finish")["verdict"] == "applied"
        assert fixed.ok("explain", self.OLD)["problems"] == []
        again = fixed("doctor", "--repair", self.OLD, "--yes", "--json")
        assert [finding["what"] for finding in again.json["findings"]] == ["job"]

    def test_what_cannot_be_repaired_is_reported(self, fixed: Cli, jobs: Jobs) -> None:
        jobs.insert_one(catalogued("job-finished.json"))
        jobs.update_one({}, {"$set": {"history.1.name": "may_run", "last_event": "run"}})
        done = fixed("doctor", "--repair", UUID, "--yes", "--json")
        assert done.exit_code == 1
        assert found(done, "last_event") == [("ok", "became \"finish\": it is 'run', but the last entry is finish")]
        ((level, text),) = found(done, "left")
        assert (level, "may_run while CREATED" in text) == ("note", True)
        assert found(done, "job")[0][0] == "wrong"

    def test_a_sound_job(self, fixed: Cli) -> None:
        uuid = fixed.make()["uuid"]
        done = fixed("doctor", "--repair", uuid)
        assert (done.exit_code, done.out) == (0, "ok     job: history and state agree, and the job accepts events\n")

    @pytest.mark.parametrize(
        ("arguments", "exit_code"),
        [(["--yes"], 2), (["--repair", "107"], 2), (["--repair", UUID], 1), (["--repair", UUID, "--yes"], 1)],
    )
    def test_errors_are_one_line(self, fixed: Cli, arguments: list[str], exit_code: int) -> None:
        done = fixed("doctor", *arguments)
        assert (done.exit_code, done.out) == (exit_code, "")
        assert len(done.err.splitlines()) == 1


class TestTheGatewaysPort:
    def test_free(self, fixed: Cli, free_port: int) -> None:
        done = fixed("doctor", "--json", _REACTOR_GATEWAY_PORT=str(free_port))
        assert found(done, "gateway") == [("ok", f"127.0.0.1 port {free_port} is free")]

    def test_any(self, fixed: Cli) -> None:
        assert found(fixed("doctor", "--json", _REACTOR_GATEWAY_PORT="0"), "gateway") == []

    @pytest.mark.promise("F17")
    @pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
    def test_taken(self, fixed: Cli, host: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            ((level, text),) = found(
                fixed("doctor", "--json", _REACTOR_GATEWAY_PORT=str(port), _REACTOR_GATEWAY_HOST=host), "gateway"
            )
        assert level == "note"
        assert text.startswith(f"gateway.port: {host} port {port} is in use. If the gateway is not running, ")

    @pytest.mark.parametrize(
        ("host", "said"),
        [
            ("no.such.host.invalid", "gateway.host: no.such.host.invalid is not"),
            ("192.0.2.1", "gateway.host: 192.0.2.1 is not"),
        ],
    )
    def test_an_address_of_elsewhere(self, fixed: Cli, free_port: int, host: str, said: str) -> None:
        done = fixed("doctor", "--json", _REACTOR_GATEWAY_PORT=str(free_port), _REACTOR_GATEWAY_HOST=host)
        ((level, text),) = found(done, "gateway")
        assert level == "note"
        assert text.startswith(said)

    def test_is_not_looked_at_where_settings_are_wrong(self, fixed: Cli) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = str(other.getsockname()[1])
            done = fixed("doctor", "--json", _REACTOR_GATEWAY_PORT=port, _REACTOR_LIMITS_DATABASE="long")
        assert found(done, "limits.database")[0][0] == "wrong"
        assert found(done, "gateway") == []


def test_looks_into_no_more_jobs_than_told(fixed: Cli) -> None:
    for n in range(3):
        fixed.make(n=n)
    assert found(fixed("doctor", "--jobs", "2", "--json"), "jobs")[0][1].startswith("2 jobs checked")


def test_jobs_whose_salt_was_changed_before_we_first_wrote(fixed: Cli, jobs: Jobs) -> None:
    jobs.insert_one(catalogued("job-finished.json"))
    notes = [text for level, text in found(fixed("doctor", "--json"), "tokens") if level == "note"]
    assert any(UUID in text and "salt" in text for text in notes)


def test_a_misspelt_variable(fixed: Cli) -> None:
    done = fixed("doctor", "--json", _REACTOR_LIMITS_DATABSE="10")
    assert found(done, "environment") == [
        (
            "note",
            "_REACTOR_LIMITS_DATABSE is not a setting and has no effect; did you mean _REACTOR_LIMITS_DATABASE?",
        )
    ]


def test_undelivered_and_owed_messages(fixed: Cli) -> None:
    uuid = fixed.make()["uuid"]
    fixed.ok("send", uuid, "run")
    fixed.ok("send", uuid, "finish")
    assert found(fixed("doctor", "--json"), "outbox")[0][0] == "note"
    with Indexer(status=500) as indexer:
        fixed("drain", _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url, _REACTOR_OUTBOX_ATTEMPTS="1")
    ((level, text),) = found(fixed("doctor", "--json"), "outbox")
    assert (level, uuid in text) == ("wrong", True)
    assert [job["uuid"] for job in fixed.ok("jobs", "--failed")] == [uuid]
    assert [job["uuid"] for job in fixed.ok("jobs", "--undelivered")] == [uuid], "the former name"


class TestServer:
    def test_none(self, cli: Cli, free_port: int) -> None:
        done = cli(
            "doctor",
            "--json",
            _REACTOR_MONGODB_URI=f"mongodb://127.0.0.1:{free_port}/",
            _REACTOR_LIMITS_DATABASE="0.2",
        )
        ((level, text),) = found(done, "server")
        assert level == "wrong"
        assert text.startswith(
            "no MongoDB server could be reached in time; nothing was changed (mongodb.uri: 127.0.0.1:"
        )
        assert text.endswith("Connection refused)")
        assert found(done, "settings")[0][0] == "ok"
        assert found(done, "pins")[0][0] == "note"

    @pytest.mark.parametrize("version", ["4.4.29", "3.6", "4.9.0-rc1"])
    def test_too_old(self, fixed: Cli, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
        monkeypatch.setattr(Store, "server_version", lambda _: version)
        done = fixed("doctor", "--json")
        assert found(done, "server") == [("wrong", f"MongoDB {version} is too old; 5.0 or newer is needed")]
        assert found(done, "outbox")[0][0] == "ok"

    @pytest.mark.parametrize("version", ["5.0.0", "6.0.5", "10.1", "8.3.0-alpha"])
    def test_new_enough(self, fixed: Cli, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
        monkeypatch.setattr(Store, "server_version", lambda _: version)
        assert found(fixed("doctor", "--json"), "server")[0][0] == "ok"


class TestSettings:
    def test_every_wrong_one_is_named_and_the_rest_is_looked_at(self, fixed: Cli) -> None:
        done = fixed(
            "doctor", "--json", _REACTOR_HISTORY_EMBEDDED="1", _REACTOR_LOGS_LEVEL="LOUD", _REACTOR_TOKENS_ADMIN_KEY="k"
        )
        assert found(done, "history.embedded")[0][0] == "wrong"
        assert found(done, "logs.level")[0][0] == "wrong"
        assert "set both or neither" in found(done, "tokens.admin_secret")[0][1]
        assert found(done, "server")[0][0] == "ok"
        assert found(done, "settings") == []

    @pytest.mark.parametrize(
        "environment",
        [
            {"_REACTOR_MONGODB_URI": "mongodb://user:hunter2hunter2@/"},
            {"_REACTOR_MONGODB_URI": "mongodb://user:hunter2hunter2@host/?w=0"},
            {"_REACTOR_MONGODB_DATABASE": "a b"},
            {"_REACTOR_MONGODB_AUTHN": "hunter2hunter2"},
        ],
    )
    def test_a_wrong_database_setting_leads_to_no_other_database(self, cli: Cli, environment: dict[str, Any]) -> None:
        done = cli("doctor", "--json", **environment)
        assert done.exit_code == 1
        assert done.json["findings"][0]["what"].startswith("mongodb.")
        assert found(done, "server") == []
        assert "hunter2" not in done.out + done.err

    def test_a_config_yml_that_cannot_be_read(self, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = tmp_path / "config.yml"
        config.write_text("logs: {level: LOUD}\n")
        monkeypatch.setattr("pipelinejobs.settings.CONFIG", config)
        assert found(cli("doctor", "--json"), "logs.level")[0][0] == "wrong"
        config.write_text("[")
        assert found(cli("doctor", "--json"), "config.yml")[0][0] == "wrong"

    def test_notes_weak_administrative_settings(self, fixed: Cli) -> None:
        vector = json.loads(VECTORS.read_text())["admin_token"]["vectors"][0]
        for key, secret, words in (
            ("k" * 15, "s" * 16, {"tokens.admin_key": "shorter than 16"}),
            ("k" * 16, "s" * 15, {"tokens.admin_secret": "shorter than 16"}),
            (vector["key"], "s" * 16, {"tokens.admin_key": "public default"}),
            ("k" * 16, vector["secret"], {"tokens.admin_secret": "public default"}),
            ("k" * 16, "s" * 16, {}),
        ):
            done = fixed("doctor", "--json", _REACTOR_TOKENS_ADMIN_KEY=key, _REACTOR_TOKENS_ADMIN_SECRET=secret)
            assert done.exit_code == 0
            for name in ("tokens.admin_key", "tokens.admin_secret"):
                findings = found(done, name)
                assert [level for level, _ in findings] == (["note"] if name in words else [])
                assert all(words[name] in text for _, text in findings)
            assert key not in done.out
            assert secret not in done.out

    def test_notes_what_is_off(self, fixed: Cli) -> None:
        done = fixed("doctor", "--json")
        assert "require_pins is false" in found(done, "pins")[0][1]
        assert "no administrative tokens" in found(done, "tokens")[0][1]
        assert "the Indexer's address is not known" in found(done, "indexer")[0][1]
        assert done.exit_code == 0


@pytest.mark.promise("S18")
def test_salts_of_a_former_version_are_wrong_until_they_are_replaced(fixed: Cli, jobs: Jobs) -> None:
    jobs.insert_one(catalogued("job-created.json") | {"_salts": ["former-salt"]})
    others = found(fixed("doctor", "--json"), "tokens")
    [(level, text)] = [finding for finding in others if "former" in finding[1]]
    assert (level, "doctor --fix" in text) == ("wrong", True)
    assert ("ok", "salts of a former version replaced by hashes, in 1 job") in found(
        fixed("doctor", "--fix", "--json"), "tokens"
    )
    stored = jobs.find_one()
    assert stored is not None
    assert "former-salt" not in str(stored)
    assert not [text for _, text in found(fixed("doctor", "--json"), "tokens") if "former" in text]


def test_salts_in_a_damaged_job_stay_until_it_is_mended(fixed: Cli, jobs: Jobs) -> None:
    damaged = catalogued("job-created.json") | {"_salts": ["former-salt"], "_properties": {"revision": "3"}}
    jobs.insert_one(damaged)
    done = fixed("doctor", "--fix", "--json")
    [(level, text)] = [finding for finding in found(done, "tokens") if "former" in finding[1]]
    assert (level, f"{damaged['uuid']} is damaged" in text) == ("wrong", True)
    fixed("doctor", "--repair", damaged["uuid"], "--yes")
    assert ("ok", "salts of a former version replaced by hashes, in 1 job") in found(
        fixed("doctor", "--fix", "--json"), "tokens"
    )


def test_applied_events_that_no_run_has_looked_for(fixed: Cli, jobs: Jobs) -> None:
    row = {"job": UUID, "life": "x", "entry": "y", "applied": datetime.now(UTC)}
    jobs.database["jobs_journal"].insert_one(row)
    assert found(fixed("doctor", "--json"), "journal") == []
    jobs.database["jobs_journal"].update_one({}, {"$set": {"applied": datetime(2026, 1, 1, tzinfo=UTC)}})
    [(level, text)] = found(fixed("doctor", "--json"), "journal")
    assert (level, text.startswith("1 applied event not yet confirmed")) == ("note", True)
