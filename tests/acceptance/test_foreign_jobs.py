"""Jobs that other programs have written, still write, or have damaged, above all python-datacatalog."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from fsm.replay import final_state
from support import datacatalog
from support.dump import raw
from support.gateway import serving, settings
from support.process import (
    CheckedAbaco,
    Documents,
    NewJob,
    StoredJob,
    admin_token,
    callback,
    insert_job,
    job_token,
    verdicts,
)
from tools.demo.abaco import ROOT
from tools.demo.indexer import Indexer


class TestItsSecrets:
    """The environment that the original's secrets.json makes, as Abaco gives it."""

    def test_the_actor_works_with_it_and_says_in_one_line_what_it_ignores(
        self, abaco: CheckedAbaco, job: StoredJob
    ) -> None:
        original = json.loads((ROOT / "tests" / "data" / "secrets-of-the-original.json").read_text("utf-8"))
        environ = {name: str(value) for name, value in original.items() if value is not None}
        actor = abaco.configured(**environ, _REACTOR_TOKENS_ADMIN_KEY="", _REACTOR_TOKENS_ADMIN_SECRET="")
        actor.hidden.update(value for value in original.values() if isinstance(value, str) and len(value) > 5)
        assert actor.send(job.event("run")).verdict["verdict"] == "applied"
        theirs = {
            "secret": original["CATALOG_ADMIN_TOKEN_SECRET"],
            "key": original["CATALOG_ADMIN_TOKEN_KEY"],
            "lifetime": original["CATALOG_ADMIN_TOKEN_LIFETIME"],
        }
        execution = actor.send(job.event("reset", token=admin_token(**theirs)))
        assert execution.verdict["verdict"] == "applied"
        lines = [json.loads(line) for line in execution.stderr.splitlines()]
        ignored = [line for line in lines if "ignored" in line["message"]]
        assert [line["level"] for line in ignored] == ["INFO"]
        for name in original.keys() - TAKEN:
            assert name in ignored[0]["message"] or original[name] is None
        assert not any(name in ignored[0]["message"] for name in TAKEN)


TAKEN = {
    "_REACTOR_LOGS_LEVEL",
    "_REACTOR_PIPELINES_JOB_INDEXER_NONCE",
    "CATALOG_ADMIN_TOKEN_KEY",
    "CATALOG_ADMIN_TOKEN_SECRET",
    "CATALOG_ADMIN_TOKEN_LIFETIME",
}


class TestJobsOf2018:
    """Their history entries have no uuid, and their dates are text."""

    @pytest.fixture
    def old(self, jobs: Documents, abaco: CheckedAbaco) -> StoredJob:
        job = insert_job(jobs, "job-of-2018.json")
        abaco.hidden.add(job.token)
        return job

    @staticmethod
    def repair(job: StoredJob, abaco: CheckedAbaco) -> None:
        command = [sys.executable, "-m", "pipelinejobs", "doctor", "--repair", job.uuid, "--yes"]
        environ = {**os.environ, **abaco.environment}
        done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done

    def test_after_repair_they_take_commands_reports_and_an_administrative_reset(
        self, abaco: CheckedAbaco, old: StoredJob
    ) -> None:
        before = abaco.send(old.event("reset", token=admin_token()))
        assert (before.verdict["verdict"], "damaged" in before.verdict["reason"]) == ("illegal", True)
        self.repair(old, abaco)
        runs = [
            abaco.send(old.event("update")),
            abaco.send(callback("agave", "FINISHED"), old.url()),
            abaco.send(old.event("reset", token=admin_token())),
        ]
        assert verdicts(runs) == ["applied"] * 3, runs
        assert old.names == ["create", "run", "update", "finish", "reset"]
        assert old.stored()["_properties"]["revision"] == 4

    def test_through_the_gateway_too(
        self, abaco: CheckedAbaco, old: StoredJob, mongodb_uri: str, indexer: Indexer
    ) -> None:
        self.repair(old, abaco)
        configured = settings(mongodb_uri, old.jobs.database.name, pipelines__job_indexer_url=indexer.url)
        with serving(configured) as gateway:
            for body, parameters in (
                (old.event("update"), {}),
                (callback("agave", "FINISHED"), old.url()),
                (old.event("reset", token=admin_token()), {}),
            ):
                assert gateway.post(body, parameters).json()["result"]["verdict"] == "applied"
        assert old.names == ["create", "run", "update", "finish", "reset"]


class TestItsDocuments:
    def test_a_created_job_goes_through_its_life_and_keeps_its_fields(
        self, abaco: CheckedAbaco, job: StoredJob
    ) -> None:
        before = job.stored()
        for name in ("run", "update", "finish", "index", "indexed"):
            assert abaco.send(job.event(name)).verdict["verdict"] == "applied"
        after = job.stored()
        changed = {"state", "last_event", "updated", "history", "_properties"}
        assert {key: after[key] for key in before if key not in changed} == {
            key: before[key] for key in before if key not in changed
        }
        assert list(after["_admin"]) == list(before["_admin"])
        assert all(key.startswith("_") for key in after.keys() - before.keys())
        assert {key: type(value) for key, value in after["_properties"].items()} == {
            key: type(value) for key, value in before["_properties"].items()
        }
        assert after["history"][0] == before["history"][0]
        for entry in after["history"]:
            assert list(entry) == ["date", "data", "name", "uuid"]
            assert entry["date"].microsecond == 0
        assert after["updated"] == after["history"][-1]["date"]
        assert (after["state"], after["last_event"]) == ("FINISHED", "indexed")
        assert after["_salt"] == before["_salt"]

    def test_a_finished_job_is_taken_on(self, abaco: CheckedAbaco, new_job: NewJob, indexer: Indexer) -> None:
        job = new_job("job-finished.json")
        assert abaco.send(job.event("index")).verdict["state"] == "INDEXING"
        assert job.stored()["_properties"]["revision"] == 5
        assert [request.body["message"]["token"] for request in indexer.received] == [job.token]

    def test_its_upper_case_event_names_replay(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        token = datacatalog.writes(job, "RUN", "RUNNING")
        assert abaco.send(job.event("update", token=token)).verdict["verdict"] == "applied"
        assert final_state(job.names) == "RUNNING"

    def test_its_collection_updates_is_left_alone(self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents) -> None:
        abaco.send(job.event("run"))
        assert "updates" not in jobs.database.list_collection_names()


class TestTokensForLife:
    def test_the_first_token_outlives_every_rotation_after_our_first_write(
        self, abaco: CheckedAbaco, job: StoredJob
    ) -> None:
        assert abaco.send(job.event("run")).verdict["verdict"] == "applied"
        newer = [datacatalog.writes(job, "update", "RUNNING") for _ in range(12)]
        tokens = [job.token, newer[-1]]
        assert verdicts(abaco.send(job.event("update", token=token)) for token in tokens) == ["applied"] * 2
        assert abaco.send(job.event("update", token=job.token)).verdict["verdict"] == "applied"
        assert len(job.stored()["_tokens"]) <= 9

    def test_rotated_between_any_two_events(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        tokens = [job.token]
        for _ in range(4):
            assert verdicts(abaco.send(job.event("run", token=token)) for token in tokens) == ["applied"] * len(tokens)
            tokens.append(datacatalog.writes(job, "update", "RUNNING"))
        assert final_state(job.names) == "RUNNING"
        assert job.stored()["_properties"]["revision"] == len(job.names) - 1

    @pytest.mark.promise("P4")
    def test_the_indexer_is_sent_the_token_of_the_present_salt(
        self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer
    ) -> None:
        abaco.send(job.event("run"))
        newest = datacatalog.writes(job, "update", "RUNNING")
        abaco.send(job.event("finish"))
        assert [request.body["message"]["token"] for request in indexer.received] == [newest]

    def test_a_rotation_before_we_saw_the_job_voids_the_old_token(
        self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents
    ) -> None:
        newest = datacatalog.writes(job, "run", "RUNNING")
        before = raw(jobs)
        strict = abaco.configured(_REACTOR_TOKENS_TRUST_ON_FIRST_USE="false")
        assert strict.send(job.event("update")).verdict["verdict"] == "unauthorised"
        assert raw(jobs) == before
        assert strict.send(job.event("update", token=newest)).verdict["verdict"] == "applied"

    @pytest.mark.promise("P9")
    def test_a_job_made_again_forgets_the_tokens_of_its_former_life(
        self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents
    ) -> None:
        abaco.send(job.event("run"), execution="first")
        made_again = job.stored()
        entry = made_again["history"][0] | {"uuid": "108" + str(ObjectId())}
        made_again |= {"state": "CREATED", "last_event": "create", "history": [entry], "_salt": "anothersalt=="}
        made_again["_properties"]["revision"] = 0
        jobs.replace_one({"uuid": job.uuid}, made_again)
        assert abaco.send(job.event("run")).verdict["verdict"] == "unauthorised"
        token = job_token(job.uuid, "anothersalt==", made_again["_admin"])
        assert abaco.send(job.event("run", token=token), execution="first").verdict["verdict"] == "applied"
        assert job.names == ["create", "run"]


class TestAdministrativeTokens:
    @pytest.mark.parametrize("window", [0, -1])
    def test_the_present_and_the_last_windows_are_good(self, abaco: CheckedAbaco, job: StoredJob, window: int) -> None:
        assert abaco.send(job.event("reset", token=admin_token(window))).verdict["state"] == "RESET"
        assert abaco.send(job.event("ready", token=admin_token(window))).verdict["state"] == "CREATED"

    def test_it_authorises_every_event_of_every_job(self, abaco: CheckedAbaco, new_job: NewJob) -> None:
        forms: list[tuple[Any, dict[str, str]]] = [
            (new_job().event("run", token=admin_token()), {}),
            (callback("agave", "FINISHED"), new_job().url(token=admin_token())),
            (None, new_job("job-finished.json").url("retire", token=admin_token())),
        ]
        assert verdicts(abaco.send_all(forms)) == ["applied"] * 3

    @pytest.mark.promise("S19")
    @pytest.mark.parametrize(
        "token",
        [
            lambda: admin_token(-2),
            lambda: admin_token(1),
            lambda: admin_token(secret="", key=""),
            lambda: admin_token(secret="secret", key="key"),
            lambda: admin_token(secret="None", key="None"),
        ],
        ids=["too old", "too new", "empty key", "example key", "no key"],
    )
    def test_others_are_refused_with_and_without_a_key(
        self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents, token: Callable[[], str]
    ) -> None:
        keyless = abaco.configured(_REACTOR_TOKENS_ADMIN_KEY="", _REACTOR_TOKENS_ADMIN_SECRET="")
        before = raw(jobs)
        for actor in (abaco, keyless):
            assert actor.send(job.event("reset", token=token())).verdict["verdict"] == "unauthorised"
        assert raw(jobs) == before

    def test_without_a_key_there_are_none(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        keyless = abaco.configured(_REACTOR_TOKENS_ADMIN_KEY="", _REACTOR_TOKENS_ADMIN_SECRET="")
        assert keyless.send(job.event("run", token=admin_token())).verdict["verdict"] == "unauthorised"

    @pytest.mark.promise("S18")
    @pytest.mark.parametrize("name", ["reset", "ready"])
    def test_a_job_token_is_too_weak_for_what_is_administrative(
        self, abaco: CheckedAbaco, job: StoredJob, jobs: Documents, name: str
    ) -> None:
        before = raw(jobs)
        runs = [abaco.send(job.event(name)), abaco.send(None, job.url(name))]
        assert [(run.verdict["verdict"], run.exit_code) for run in runs] == [("unauthorised", 77)] * 2
        assert raw(jobs) == before


class TestTrustOnFirstUse:
    @pytest.fixture
    def rotated(self, job: StoredJob) -> StoredJob:
        """A job whose token in the callbacks can no longer be known."""
        datacatalog.writes(job, "run", "RUNNING")
        return job

    def test_the_first_token_of_a_sender_is_trusted_and_others_of_the_sender_are_not(
        self, abaco: CheckedAbaco, rotated: StoredJob
    ) -> None:
        assert abaco.send(callback("agave", "QUEUED"), rotated.url()).verdict["verdict"] == "applied"
        assert rotated.token not in repr(rotated.stored())
        other = abaco.send(rotated.event("update", token="0123456789abcdef"))
        assert other.verdict["verdict"] == "unauthorised"
        strict = abaco.configured(_REACTOR_TOKENS_TRUST_ON_FIRST_USE="false")
        assert strict.send(callback("agave", "FINISHED"), rotated.url()).verdict["state"] == "FINISHED"

    def test_it_is_said(self, abaco: CheckedAbaco, rotated: StoredJob) -> None:
        run = abaco.send(callback("agave", "QUEUED"), rotated.url())
        [line] = [json.loads(line) for line in run.stderr.splitlines() if "first use" in line]
        assert (line["level"], line["job"], line["user"]) == ("WARNING", rotated.uuid, abaco.username)

    def test_the_token_of_the_present_salt_stays_good_beside_it(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        newest = datacatalog.writes(job, "run", "RUNNING")
        tokens = [job.token, newest, job.token]
        assert verdicts(abaco.send(job.event("update", token=token)) for token in tokens) == ["applied"] * 3

    def test_the_token_of_the_present_salt_may_come_first(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        newest = datacatalog.writes(job, "run", "RUNNING")
        tokens = [newest, job.token, newest]
        assert verdicts(abaco.send(job.event("update", token=token)) for token in tokens) == ["applied"] * 3

    def test_nothing_is_trusted_by_what_is_not_applied(
        self, abaco: CheckedAbaco, rotated: StoredJob, jobs: Documents
    ) -> None:
        before = raw(jobs)
        refused = abaco.send(rotated.event("validate", token="0123456789abcdef"))
        assert (refused.verdict["verdict"], refused.verdict["state"]) == ("unauthorised", None)
        assert abaco.send(rotated.event("reset", token="0123456789abcdef")).verdict["verdict"] == "unauthorised"
        assert abaco.send(rotated.event("update", token="")).verdict["verdict"] == "unauthorised"
        assert raw(jobs) == before

    def test_a_late_report_is_not_refused_and_learns_nothing(
        self, abaco: CheckedAbaco, rotated: StoredJob, jobs: Documents
    ) -> None:
        datacatalog.writes(rotated, "fail", "FAILED")
        before = raw(jobs)
        late = abaco.send(callback("agave", "RUNNING"), rotated.url()).verdict
        assert (late["verdict"], late["state"]) == ("stale", None)
        assert "FAILED" not in late["reason"]
        assert raw(jobs) == before

    def test_a_new_job_gives_no_reason_to_trust(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        assert abaco.send(job.event("run", token="0123456789abcdef")).verdict["verdict"] == "unauthorised"

    def test_nor_does_one_that_we_have_written_to(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        abaco.send(job.event("run"))
        datacatalog.writes(job, "update", "RUNNING")
        assert abaco.send(job.event("update", token="0123456789abcdef")).verdict["verdict"] == "unauthorised"

    def test_an_unauthenticated_sender_is_not_trusted(self, abaco: CheckedAbaco, rotated: StoredJob) -> None:
        local = abaco.configured(LOCALONLY="1").of("")
        assert local.send(rotated.event("update")).verdict["verdict"] == "unauthorised"

    def test_it_can_be_switched_off(self, abaco: CheckedAbaco, rotated: StoredJob) -> None:
        strict = abaco.configured(_REACTOR_TOKENS_TRUST_ON_FIRST_USE="false")
        assert strict.send(rotated.event("update")).verdict["verdict"] == "unauthorised"


class TestTrustedIndexers:
    @pytest.fixture
    def indexing(self, abaco: CheckedAbaco, new_job: NewJob) -> StoredJob:
        job = new_job("job-finished.json")
        assert abaco.send(job.event("index")).verdict["state"] == "INDEXING"
        return job

    def test_its_own_message_needs_no_token(self, abaco: CheckedAbaco, indexing: StoredJob) -> None:
        trusting = abaco.configured(_REACTOR_TOKENS_TRUSTED_INDEXERS="other,sd2eadm")
        message = {"uuid": indexing.uuid, "name": "indexed", "data": {"source": "jobs-manager.prod"}}
        assert trusting.send(message).verdict["verdict"] == "unauthorised"
        assert abaco.of("sd2eadm").send(message).verdict["verdict"] == "unauthorised"
        for name in ("fail", "update", "reset"):
            assert trusting.of("sd2eadm").send(message | {"name": name}).verdict["verdict"] == "unauthorised"
        strict = trusting.configured(_REACTOR_TOKENS_TRUST_ON_FIRST_USE="false").of("sd2eadm")
        assert strict.send(message | {"token": "wrong"}).verdict["verdict"] == "unauthorised"
        assert trusting.of("sd2eadm").send(message).verdict["state"] == "FINISHED"
        assert indexing.names[-1] == "indexed"


class TestPoisonedDocuments:
    """Events for jobs that another program has damaged are refused; they cause no crash and no further damage."""

    POISON: dict[str, dict[str, Any]] = {  # noqa: RUF012 - read only
        "no history": {"history": None},
        "a history of text": {"history": "create"},
        "an empty history": {"history": []},
        "a history of numbers": {"history": [1, 2]},
        "an unknown state": {"state": "$set"},
        "a state that is no text": {"state": {"$ne": 1}},
        "no revision": {"_properties": {}},
        "a revision that is text": {"_properties": {"revision": "0"}},
        "a revision of another kind": {"_properties": {"revision": Decimal128("1")}},
        "properties that are a list": {"_properties": []},
        "an outbox that is text": {"_outbox": "x"},
        "moved that is not a number": {"_moved": float("nan")},
        "moved without end": {"_moved": float("inf")},
    }
    STRANGE: dict[str, dict[str, Any]] = {  # noqa: RUF012 - read only
        "odd links": {"child_of": 7, "data": None, "_visible": "no"},
        "odd salts": {"_salts": [1, None, {"x": 1}]},
        "salts that are text": {"_salts": "abc"},
        "odd externals": {"_externals": [1, {"id": 1}, {"id": "x"}]},
        "a revision that is a float": {"_properties": {"revision": 0.0, "modified_date": None}},
        "a long revision": {"_properties": {"revision": Int64(2**40)}},
        "a last event that is a number": {"last_event": 3, "updated": "yesterday"},
        "a date beyond all years": {"updated": {"$x": 1}, "session": ["x"]},
        "an outbox of others": {"_outbox": [1, "x", {"id": 1}, {"status": "pending"}]},
    }

    @pytest.mark.parametrize("poison", POISON)
    def test_what_cannot_be_continued_is_refused_and_left_alone(
        self, abaco: CheckedAbaco, new_job: NewJob, jobs: Documents, poison: str
    ) -> None:
        job = new_job(**self.POISON[poison])
        before = raw(jobs)
        runs = [abaco.send(job.event("run")), abaco.send(callback("agave", "FINISHED"), job.url())]
        assert verdicts(runs) == ["illegal", "stale"], runs
        assert "damaged" in runs[0].verdict["reason"]
        assert raw(jobs) == before

    @pytest.mark.parametrize("strange", STRANGE)
    def test_what_can_be_is(self, abaco: CheckedAbaco, new_job: NewJob, strange: str) -> None:
        job = new_job(**self.STRANGE[strange])
        run = abaco.send(job.event("run"))
        assert (run.verdict["verdict"], run.verdict["state"]) == ("applied", "RUNNING"), run
        assert job.names == ["create", "run"]

    def test_a_revision_that_cannot_grow_is_no_trouble_of_the_database(
        self, abaco: CheckedAbaco, new_job: NewJob
    ) -> None:
        job = new_job(_properties={"revision": Int64(2**63 - 1)})
        run = abaco.configured(_REACTOR_LIMITS_DATABASE="2").send(job.event("run"))
        assert run.verdict["verdict"] == "illegal", run

    def test_without_a_salt_there_is_no_token(self, abaco: CheckedAbaco, new_job: NewJob) -> None:
        for salt in (None, 5, {"x": 1}):
            job = new_job()
            job.jobs.update_one({"uuid": job.uuid}, {"$set": {"_salt": salt}})
            tokens = [job.token, job_token(job.uuid, str(salt), job.stored()["_admin"])]
            assert verdicts(abaco.send(job.event("run", token=token)) for token in tokens) == ["unauthorised"] * 2

    @pytest.mark.parametrize(
        "rows",
        [
            [{"next": "soon"}],
            [{"next": datetime(1, 1, 1)}, {"next": "soon"}],  # noqa: DTZ001 - MongoDB dates are UTC by definition
            [{"next": None, "status": "undelivered"}, {}],
            [{"attempts": "many"}],
            [{"id": {"$ne": 1}}, {"name": 5}],
            [{"life": "another"}],
            [{"created": "x", "error": 5, "actor": []}],
        ],
        ids=str,
    )
    @pytest.mark.parametrize("history", [True, False], ids=["sound", "no history"])
    def test_a_poisoned_outbox_delays_no_other_job(
        self, abaco: CheckedAbaco, new_job: NewJob, indexer: Indexer, rows: list[dict[str, Any]], history: bool
    ) -> None:
        row = {
            "id": "108", "actor": "indexer", "name": "index", "entry": "x", "life": "x", "created": datetime.now(UTC),
            "status": "pending", "attempts": 0, "next": datetime(1960, 1, 1, tzinfo=UTC), "error": None,
        }  # fmt: skip
        poison = [row | changes for changes in rows]
        new_job(_outbox=poison, **({} if history else {"history": None}))
        owing = new_job()
        nowhere = abaco.configured(_REACTOR_PIPELINES_JOB_INDEXER_URL="")
        nowhere.send(callback("agave", "FINISHED"), owing.url())
        assert owing.stored()["_outbox"]
        abaco.send(new_job().event("run"))
        assert owing.uuid in [request.body["message"]["uuid"] for request in indexer.received]

    def test_the_commands_survive_them_too(self, abaco: CheckedAbaco, new_job: NewJob) -> None:
        for changes in {**self.POISON, **self.STRANGE}.values():
            new_job(**changes)
        job = new_job(**self.POISON["a history of numbers"])
        environment = {**os.environ, **abaco.environment}
        for command in (["jobs"], ["doctor"], ["show", job.uuid], ["history", job.uuid], ["explain", job.uuid]):
            done = subprocess.run(
                [sys.executable, "-m", "pipelinejobs", command[0], "--json", *command[1:]],
                cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert "Traceback" not in done.stdout + done.stderr, done.stderr
            assert json.loads(done.stdout or "null") is not None, (command, done)
