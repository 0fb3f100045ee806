"""Commands that read: `show`, `history`, `explain`, `jobs`, `diagram`; and `drain`."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.collection import Collection

from integration.cli.conftest import Cli
from pipelinejobs.core.tokens import job_token, token_hash
from pipelinejobs.service import reapply
from support import datacatalog
from support.factories import TOKEN, UUID, catalogued
from support.process import insert_job
from tools.demo.indexer import Indexer

Jobs = Collection[dict[str, Any]]
UNKNOWN = "1073f4ff-c2b9-5190-bd9a-e6a406d9796a"
LOOKING = ["show", "history", "explain", "diagram"]


@pytest.mark.parametrize("command", LOOKING)
def test_an_unknown_job(cli: Cli, command: str) -> None:
    done = cli(command, UNKNOWN)
    assert done.exit_code == 1
    assert done.err.startswith(f"{command}: there is no job {UNKNOWN} in the database test_")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("command", LOOKING)
@pytest.mark.parametrize("uuid", ["x", UUID.upper(), f"{UUID}x", "\udcff", "\x1b[31m"])
def test_a_bad_uuid(cli: Cli, command: str, uuid: str) -> None:
    done = cli(command, uuid)
    assert done.exit_code == 2
    assert "argument uuid: is" in done.err or "argument uuid: has" in done.err
    assert "\x1b" not in done.err


@pytest.mark.parametrize("command", LOOKING)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_nothing_secret_is_shown(cli: Cli, jobs: Jobs, command: str, form: list[str]) -> None:
    uuid = cli.make()["uuid"]
    job = cli.ok("send", uuid, "run") and jobs.find_one({"uuid": uuid})
    assert job is not None
    token = job_token(uuid, job["_salt"], job["_admin"])
    assert job["_tokens"] == [token_hash(uuid, token)]
    cli("send", uuid, "fail", "--token", "0123456789abcdef")
    done = cli(command, uuid, *form)
    assert done.exit_code == 0
    for secret in (job["_salt"], token, job["_tokens"][0], "0123456789abcdef"):
        assert secret not in done.out + done.err


@pytest.mark.parametrize("command", LOOKING)
def test_odd_documents_of_others_are_shown_as_strict_json(cli: Cli, jobs: Jobs, command: str) -> None:
    odd = {"nan": float("nan"), "date": datetime(2026, 1, 1, tzinfo=UTC), "bytes": b"\xff", "esc": "\x1b[31m"}
    entries = [{"uuid": "a", "name": "create", "date": "soon", "data": odd}, {"name": "\x1b[31m", "uuid": "a"}]
    jobs.insert_one({**catalogued("job-created.json"), "data": odd, "history": entries, "updated": None})
    assert cli.ok(command, UUID)
    assert "\x1b" not in cli(command, UUID).out


class TestSilence:
    """A job of which nothing was heard for long, and whose time limit is over."""

    @pytest.fixture
    def silent(self, cli: Cli, jobs: Jobs) -> str:
        silent, _ = cli.make(n=1)["uuid"], cli.make(n=2)
        job = jobs.find_one({"uuid": silent})
        assert job is not None
        earlier = datetime.now(UTC) - timedelta(hours=7)
        limit = {"attempt": job["history"][0]["uuid"], "seconds": 14_400, "running_since": earlier}
        limit |= {"overdue_from": earlier + timedelta(hours=4)}
        own = {"_attempt": limit["attempt"], "_time_limit": limit}
        jobs.update_one({"uuid": silent}, {"$set": {"state": "RUNNING", "updated": earlier, **own}})
        return silent

    def test_is_listed(self, cli: Cli, silent: str) -> None:
        for wanted in (["--quiet-for", "6h"], ["--overdue"], ["--overdue", "--quiet-for", "90m", "--state", "RUNNING"]):
            assert [job["uuid"] for job in cli.ok("jobs", *wanted)] == [silent]
        assert cli.ok("jobs", "--quiet-for", "8h") == []
        assert silent in cli("jobs", "--quiet-for", "6h").out

    @pytest.mark.parametrize("duration", ["soon", "-6h", "9999w", ""])
    def test_a_duration_that_is_none(self, cli: Cli, duration: str) -> None:
        done = cli("jobs", f"--quiet-for={duration}")
        assert done.exit_code == 2
        assert "argument --quiet-for: must be " in done.err

    def test_is_explained(self, cli: Cli, silent: str) -> None:
        remarks = ["no event for 7 h", "RUNNING for 7 h, longer than the job system's limit of 4 h"]
        assert cli.ok("explain", silent)["notes"][:2] == remarks
        assert cli("show", silent).out.splitlines()[-2:] == [f"note: {remark}" for remark in remarks]
        assert "note" not in cli("show", cli.make(n=3)["uuid"]).out


def test_show(cli: Cli, jobs: Jobs) -> None:
    jobs.insert_one(catalogued("job-finished.json"))
    facts = cli.ok("show", UUID)
    assert (facts["uuid"], facts["state"], facts["last_event"]) == (UUID, "FINISHED", "finish")
    assert facts["updated"].endswith("Z")
    assert not facts.keys() & {"_id", "history", "_salt", "_tokens", "_outbox", "_first_use"}
    assert "state: FINISHED" in cli("show", UUID).out.splitlines()


def test_history(cli: Cli, jobs: Jobs) -> None:
    jobs.insert_one(catalogued("job-finished.json"))
    assert [entry["name"] for entry in cli.ok("history", UUID)] == ["create", "run", "update", "update", "finish"]
    lines = cli("history", UUID).out.splitlines()
    assert lines[0].split() == ["date", "(UTC)", "event", "state", "data"]
    assert len(lines) == 6


class TestExplain:
    def test_why_it_is_in_its_state(self, cli: Cli) -> None:
        uuid = cli.make()["uuid"]
        because = cli.ok("explain", uuid)["because"]
        assert (because["event"], because["implied"]) == ("create", False)
        cli.ok("send", uuid, "run", "--data", '{"by": "hand"}')
        cli.ok("send", uuid, "update", "--data", '{"half": "way"}')
        facts = cli.ok("explain", uuid)
        because = facts["because"]
        assert (facts["state"], because["event"], because["data"]) == ("RUNNING", "run", {"by": "hand"})
        assert facts["since_then"]["events"] == 1
        assert facts["since_then"]["last"]["event"] == "update"
        text = cli("explain", uuid).out
        assert "because of run at" in text
        assert "1 event since then kept the state" in text

    def test_what_is_owed_and_refused(self, cli: Cli) -> None:
        uuid = cli.make()["uuid"]
        cli("send", uuid, "retire")
        cli.ok("send", uuid, "run")
        cli.ok("send", uuid, "finish")
        text = cli("explain", uuid).out
        when = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        assert re.search(rf"\n  {when} retire.*, illegal while CREATED: ", text)
        assert re.search(rf"\n  index, pending since {when}, 0 attempts, next attempt at once\n", text)
        with Indexer(status=500) as indexer:
            cli("drain", _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url)
        text = cli("explain", uuid).out
        assert re.search(rf"\n  index, pending since {when}, 1 attempt, next attempt {when}; the last attempt", text)

    def test_what_may_come_next(self, cli: Cli) -> None:
        facts = cli.ok("explain", cli.make()["uuid"])
        events = {step["event"]: (step["state"], step["takes"]) for step in facts["next"]}
        assert events == {
            "run": ("RUNNING", "the job's token"),
            "update": ("CREATED", "the job's token"),
            "resource": ("CREATED", "the job's token"),
            "fail": ("FAILED", "the job's token"),
            "reset": ("RESET", "an administrative token"),
        }

    def test_what_was_refused_and_why(self, cli: Cli) -> None:
        job = cli.make()
        cli("send", job["uuid"], "finish")
        cli("send", job["uuid"], "run", "--token", "0123456789abcdef")
        refused = cli.ok("explain", job["uuid"])["refused"]
        assert [(row["event"], row["verdict"], row["state"]) for row in refused] == [
            ("finish", "illegal", "CREATED"),
            ("run", "unauthorised", "CREATED"),
        ]
        text = cli("explain", job["uuid"]).out
        assert "finish is not allowed while the job is CREATED" in text

    def test_what_is_owed_to_the_indexer(self, cli: Cli) -> None:
        uuid = cli.make()["uuid"]
        assert cli.ok("explain", uuid)["owed"] == []
        cli.ok("send", uuid, "run")
        cli.ok("send", uuid, "finish")
        (owed,) = cli.ok("explain", uuid)["owed"]
        assert (owed["name"], owed["status"], owed["attempts"]) == ("index", "pending", 0)
        assert "index, pending since" in cli("explain", uuid).out

    def test_what_is_wrong_with_it(self, cli: Cli, jobs: Jobs) -> None:
        uuid = cli.make()["uuid"]
        assert cli.ok("explain", uuid)["problems"] == []
        jobs.update_one({}, {"$set": {"state": "FINISHED"}})
        facts = cli.ok("explain", uuid)
        assert facts["problems"] == ["its state is FINISHED, but its history leads to CREATED"]
        assert facts["because"] is None
        text = cli("explain", uuid).out
        assert "its history does not show why" in text
        assert "  its state is FINISHED, but its history leads to CREATED" in text

    def test_a_damaged_job(self, cli: Cli, jobs: Jobs) -> None:
        jobs.insert_one({**catalogued("job-created.json"), "state": "LOST", "history": "none"})
        facts = cli.ok("explain", UUID)
        assert facts["next"] == []
        (problem,) = facts["problems"]
        assert problem.startswith(
            f"it cannot be changed: history is not an array (doctor --repair {facts['uuid']} says"
        )

    def test_a_token_that_cannot_be_known(self, cli: Cli, jobs: Jobs) -> None:
        jobs.insert_one(catalogued("job-finished.json"))
        assert "another program changed its salt" in cli.ok("explain", UUID)["notes"][0]
        assert "notes:" in cli("explain", UUID).out

    def test_says_nothing_where_there_is_nothing(self, cli: Cli) -> None:
        assert cli("explain", cli.make()["uuid"]).out.count("  nothing\n") == 3


class TestJobs:
    def test_lists_the_newest_changed_first(self, cli: Cli, jobs: Jobs) -> None:
        uuids = [cli.make(n=n)["uuid"] for n in range(3)]
        for day, uuid in enumerate(uuids):
            jobs.update_one({"uuid": uuid}, {"$set": {"updated": datetime(2026, 1, 1 + day, tzinfo=UTC)}})
        assert [job["uuid"] for job in cli.ok("jobs")] == uuids[::-1]
        assert [job["uuid"] for job in cli.ok("jobs", "--limit", "1")] == uuids[2:]
        assert [job["uuid"] for job in cli.ok("jobs", "--since", "2026-01-02T12:00:00Z")] == uuids[2:]
        lines = cli("jobs").out.splitlines()
        assert lines[0].split() == ["uuid", "state", "last", "event", "updated", "(UTC)"]
        assert lines[1].startswith(uuids[2])

    def test_filters(self, cli: Cli, jobs: Jobs) -> None:
        running, hidden = cli.make(n=1), cli.make(n=2)
        cli.ok("send", running["uuid"], "run")
        jobs.update_one({"uuid": hidden["uuid"]}, {"$set": {"_visible": False}})
        assert [job["uuid"] for job in cli.ok("jobs", "--state", "RUNNING")] == [running["uuid"]]
        assert [job["uuid"] for job in cli.ok("jobs", "--pipeline", running["pipeline_uuid"])] == [running["uuid"]]
        assert len(cli.ok("jobs", "--all")) == 2
        assert cli.ok("jobs", "--pipeline", UNKNOWN) == []
        assert cli.ok("jobs", "--undelivered") == []
        assert cli("jobs", "--undelivered").out == "no jobs\n"

    def test_by_text_and_time(self, cli: Cli, jobs: Jobs) -> None:
        old, new = cli.make(n=1), cli.make(n=2)
        jobs.update_one({"uuid": old["uuid"]}, {"$set": {"session": "Night (run) 7"}})
        jobs.update_one({"uuid": old["uuid"]}, {"$set": {"updated": datetime(2020, 1, 2, tzinfo=UTC)}})
        assert [job["uuid"] for job in cli.ok("jobs", "--text", "night (RUN)")] == [old["uuid"]]
        assert [job["uuid"] for job in cli.ok("jobs", "--text", new["uuid"])] == [new["uuid"]]
        assert cli.ok("jobs", "--text", "night .run.") == []
        assert [job["uuid"] for job in cli.ok("jobs", "--before", "2020-01-03")] == [old["uuid"]]
        assert cli.ok("jobs", "--since", "2020-01-01", "--before", "2020-01-02") == []
        done = cli("jobs", "--text", "x" * 201)
        assert done.exit_code != 0
        assert done.err == "jobs: parameter text: must be 1 to 200 printable characters\n"

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--state", "LOST"],
            ["--pipeline", "x"],
            ["--since", "yesterday"],
            ["--before", "yesterday"],
            ["--text", ""],
            ["--text", "two\nlines"],
            ["--since", "0001-01-01T00:00:00+14:00"],
            ["--since", "9999-12-31T23:00:00-14:00"],
            ["--limit", "0"],
            ["--limit", "-1"],
            ["--limit", "x"],
            ["--limit", "9" * 5000],
            ["--limit", "99999999999999999999"],
            ["--undelivered=1"],
        ],
    )
    def test_refuses_wrong_arguments_in_one_line(self, cli: Cli, arguments: list[str]) -> None:
        done = cli("jobs", *arguments)
        assert done.exit_code == 2
        assert len(done.err.splitlines()) == 1


class TestDiagram:
    def test_the_lifecycle_needs_no_database(self, cli: Cli) -> None:
        done = cli("diagram", _REACTOR_MONGODB_URI="nonsense")
        assert done.exit_code == 0
        assert done.out.startswith("stateDiagram-v2\n")
        assert cli.ok("diagram")["mermaid"].rstrip() == done.out.rstrip()

    def test_a_jobs_path(self, cli: Cli) -> None:
        uuid = cli.make()["uuid"]
        cli.ok("send", uuid, "run")
        assert "CREATED --> RUNNING: 1 run" in cli("diagram", uuid).out


class TestDrain:
    def test_sends_what_is_owed(self, cli: Cli) -> None:
        job = cli.make()
        cli.ok("send", job["uuid"], "run")
        cli.ok("send", job["uuid"], "finish")
        with Indexer() as indexer:
            done = cli("drain", "--json", _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url)
            assert (done.exit_code, done.json) == (0, {"sent": 1, "failed": 0, "waiting": 0, "owed": 0})
            (received,) = indexer.received
            assert received.body == {"message": {"uuid": job["uuid"], "name": "index", "token": job["token"]}}
            assert "1 message ..." in done.err
            assert job["token"] not in done.out + done.err
            assert cli("drain", _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url).out.startswith("0 delivered, ")

    def test_owes_and_sends_again_what_another_program_has_undone(
        self, cli: Cli, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reapply, "FIRST_LOOK_SECONDS", 0.0)
        job = insert_job(jobs)
        cli.ok("send", job.uuid, "run")
        datacatalog.writes(job, "update", "RUNNING", at_the_end=lambda: cli.ok("send", job.uuid, "finish"))
        assert job.state == "RUNNING"
        with Indexer() as indexer:
            cli("drain", _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url)
            assert len(indexer.received) == 1
        assert job.names == ["create", "run", "update", "finish"]

    def test_says_what_stays_owed(self, cli: Cli) -> None:
        uuid = cli.make()["uuid"]
        cli.ok("send", uuid, "run")
        cli.ok("send", uuid, "finish")
        with Indexer(status=500) as indexer:
            done = cli("drain", "--json", _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url)
        assert (done.exit_code, done.json) == (1, {"sent": 0, "failed": 1, "waiting": 0, "owed": 1})
        assert f"index of {uuid}: not delivered" in done.err
        (owed,) = cli.ok("explain", uuid)["owed"]
        assert owed["attempts"] == 1
        assert "the last attempt failed" in cli("explain", uuid).out

    def test_says_when_the_indexers_address_is_not_known(self, cli: Cli) -> None:
        done = cli("drain")
        assert done.exit_code == 1
        assert "pipelines.job_indexer_url" in done.err


def test_a_catalogued_job_takes_its_own_token(cli: Cli, jobs: Jobs) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    message = json.dumps({"uuid": UUID, "name": "run", "token": TOKEN}).encode()
    assert cli("send", "--message", "-", stdin=message).exit_code == 0
