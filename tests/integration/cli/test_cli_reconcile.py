"""`reconcile`, and what `explain` and `doctor` say of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.database import Database

from integration.cli.conftest import Cli, Done
from pipelinejobs.service import reconcile
from pipelinejobs.store import Store
from pipelinejobs.store.quiet_jobs import Place
from pipelinejobs.util.errors import Unavailable
from support.factories import UUID
from support.job_systems import StandInAgave, StandInTapis, error
from support.process import Documents
from tools.demo.indexer import Indexer

OLD = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def agave() -> Iterator[StandInAgave]:
    with StandInAgave() as standing_in:
        yield standing_in


class Asking:
    """Jobs, and the command with the settings of a job system."""

    def __init__(self, cli: Cli, agave: StandInAgave, jobs: Documents) -> None:
        self.cli, self.agave, self.jobs = cli, agave, jobs

    def __call__(self, *arguments: str, **environment: str) -> Done:
        variables: dict[str, Any] = {**self.agave.environment(rate=1000), **environment}
        return self.cli("reconcile", *arguments, **variables)

    def json(self, *arguments: str, **environment: str) -> Any:
        return self(*arguments, "--json", **environment).json

    def job(self, external: str | None, *, is_quiet: bool = True) -> str:
        """A job that is RUNNING; for long, if it is to be quiet."""
        named = () if external is None else ("--external", external)
        job: str = self.cli.ok("create", "--pipeline-name", "s", "--data", json.dumps({"n": external}), *named)["uuid"]
        assert self.cli.ok("send", job, "run")["verdict"] == "applied"
        if is_quiet:
            self.jobs.update_one({"uuid": job}, {"$set": {"updated": OLD}})
        return job

    def state(self, job: str) -> str:
        stored = self.jobs.find_one({"uuid": job})
        assert stored is not None
        state: str = stored["state"]
        return state


@pytest.fixture
def asking(cli: Cli, agave: StandInAgave, jobs: Documents) -> Asking:
    return Asking(cli, agave, jobs)


def test_one_line_for_each_job_and_a_summary(asking: Asking, agave: StandInAgave) -> None:
    lost, known, gone, other, nameless = (
        asking.job(external) for external in ("agave:1", "agave:2", "agave:3", "tapis:4", None)
    )
    agave.jobs = {"1": "FINISHED", "2": "RUNNING"}
    done = asking()
    assert done.exit_code == 0, done
    lines = done.out.splitlines()
    assert lines[0].split() == ["uuid", "result", "state", "job", "system", "status", "reason"]
    shown = {line.split()[0]: line for line in lines[1:-1]}
    assert shown.keys() == {lost, known, gone, other, nameless}
    assert shown[lost].split()[1:6] == ["missed", "FINISHED", "agave", "1", "FINISHED"]
    assert shown[known].split()[1:6] == ["known", "RUNNING", "agave", "2", "RUNNING"]
    assert "404: no such job" in shown[gone]
    assert "no server of tapis is configured" in shown[other]
    assert "no report of this attempt has named the external job" in shown[nameless]
    assert lines[-1] == "5 jobs: 1 known, 1 missed, 1 unknown, 0 unanswered, 2 not known where"
    assert "Asking the job systems: 5 jobs ..." in done.err


def test_json(asking: Asking, agave: StandInAgave) -> None:
    job = asking.job("agave:1")
    agave.jobs["1"] = "FAILED"
    facts = asking.json()
    assert facts["jobs"] == [
        {
            "uuid": job,
            "result": "missed",
            "state": "FAILED",
            "system": "agave",
            "external": "1",
            "status": "FAILED",
            "reason": "fail: RUNNING -> FAILED",
        }
    ]
    assert facts["counts"] == {"known": 0, "missed": 1, "unknown": 0, "unanswered": 0, "not known where": 0}
    assert (facts["dry_run"], facts["ended_early"]) == (False, None)


def test_the_indexer_is_told(asking: Asking, agave: StandInAgave) -> None:
    job = asking.job("agave:1")
    agave.jobs["1"] = "FINISHED"
    with Indexer() as indexer:
        assert asking(_REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url).exit_code == 0
    assert [request.body["message"]["uuid"] for request in indexer.received] == [job]


class TestWhichJobs:
    def test_the_open_ones_that_are_quiet(self, asking: Asking, agave: StandInAgave, jobs: Documents) -> None:
        asking.job("agave:1")
        asking.job("agave:2", is_quiet=False)
        ended = asking.job("agave:3")
        jobs.update_one({"uuid": ended}, {"$set": {"state": "FAILED"}})
        assert len(asking.json()["jobs"]) == 1
        assert agave.asked == ["1"]
        assert len(asking.json("--quiet-for", "0s")["jobs"]) in (1, 2), "dates of changes are whole seconds"
        assert asking.json("--quiet-for", "5200w")["jobs"] == []
        assert asking.json(_REACTOR_RECONCILE_AFTER="30000000")["jobs"] == [], "the default is reconcile.after"

    def test_these_whatever_their_quietness(self, asking: Asking, agave: StandInAgave) -> None:
        quiet, fresh = asking.job("agave:1"), asking.job("agave:2", is_quiet=False)
        assert {job["uuid"] for job in asking.json(quiet, fresh)["jobs"]} == {quiet, fresh}
        assert [job["uuid"] for job in asking.json(quiet, fresh, "--quiet-for", "1h")["jobs"]] == [quiet]

    def test_none(self, asking: Asking) -> None:
        done = asking()
        assert (done.exit_code, done.out) == (
            0,
            "0 jobs: 0 known, 0 missed, 0 unknown, 0 unanswered, 0 not known where\n",
        )


class TestExitCodes:
    def test_one_that_was_not_answered(self, asking: Asking, agave: StandInAgave) -> None:
        job = asking.job("agave:1")
        agave.always(error(503))
        done = asking("--json")
        assert done.exit_code == 75
        assert done.json["counts"]["unanswered"] == 1
        assert asking.state(job) == "RUNNING"

    def test_no_server_is_configured(self, cli: Cli) -> None:
        done = cli("reconcile")
        assert (done.exit_code, done.out) == (78, "")
        assert done.err == (
            "reconcile: reconcile.agave_server: is not set, and neither is reconcile.tapis_server, "
            "so there is no job system to ask\n"
        )

    def test_a_server_without_a_credential(self, cli: Cli) -> None:
        done = cli("reconcile", _REACTOR_RECONCILE_TAPIS_SERVER="http://127.0.0.1:9")
        assert done.exit_code == 78
        assert "needs a credential" in done.err

    def test_an_unknown_job_before_anything_is_asked(self, asking: Asking, agave: StandInAgave) -> None:
        done = asking(asking.job("agave:1"), UUID)
        assert (done.exit_code, done.out) == (1, "")
        assert f"there is no job {UUID}" in done.err
        assert agave.received == []

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [(["x"], "argument UUID: "), (["--quiet-for", "6 hours"], "--quiet-for: must be a number with a unit")],
    )
    def test_wrong_arguments(self, asking: Asking, arguments: list[str], said: str) -> None:
        done = asking(*arguments)
        assert done.exit_code == 2
        assert said in done.err
        assert len(done.err.splitlines()) == 1

    def test_no_database(self, asking: Asking, free_port: int) -> None:
        done = asking(_REACTOR_MONGODB_URI=f"mongodb://127.0.0.1:{free_port}/", _REACTOR_LIMITS_DATABASE="0.3")
        assert done.exit_code == 75
        assert "no MongoDB server could be reached" in done.err

    def test_the_database_goes_away_meanwhile(
        self, asking: Asking, agave: StandInAgave, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was done until then is shown."""
        for n in range(3):
            asking.job(f"agave:{n}")
        whole = reconcile.Reconciler.reconcile
        asked = []

        def fails_at_last(self: Any, *arguments: Any, **more: Any) -> Any:
            asked.append(1)
            if len(asked) == 3:
                raise Unavailable("MongoDB could not be asked")
            return whole(self, *arguments, **more)

        monkeypatch.setattr(reconcile.Reconciler, "reconcile", fails_at_last)
        done = asking()
        assert done.exit_code == 75
        assert done.out.splitlines()[-2:] == [
            "2 jobs: 0 known, 0 missed, 2 unknown, 0 unanswered, 0 not known where",
            "ended early: MongoDB could not be asked",
        ]


def test_a_dry_run_writes_nothing(asking: Asking, agave: StandInAgave, database: Database[Any]) -> None:
    job = asking.job("agave:1")
    agave.jobs["1"] = "FINISHED"
    before = asking.jobs.find_one({"uuid": job})
    done = asking("--dry-run")
    assert done.exit_code == 0
    assert "would be applied: finish: RUNNING -> FINISHED" in done.out
    assert done.out.splitlines()[-1] == "dry run: nothing was written"
    assert asking.jobs.find_one({"uuid": job}) == before
    assert database["jobs_asked"].count_documents({}) == 0


def test_explain_says_what_became_of_it(asking: Asking, agave: StandInAgave, cli: Cli) -> None:
    job = asking.job("agave:1")
    explained = cli("explain", job).out
    assert "the job system was asked" not in explained
    assert "\nits external job is agave 1\n" in explained
    agave.always(error(500))
    asking(job)
    asking(job)
    explained = cli("explain", job).out
    assert "the job system was asked:" in explained
    assert f"UTC about agave 1: unanswered ({agave.host} answered 500" in explained
    assert "; 2 questions in a row without an answer" in explained
    agave.always(None)
    agave.jobs["1"] = "FINISHED"
    assert asking(job).exit_code == 0
    explained = cli("explain", job).out
    assert "because of finish (the job system was asked) at " in explained
    assert "UTC about agave 1: missed (finish: RUNNING -> FINISHED)" in explained
    assert cli.ok("explain", job)["asked"]["result"] == "missed"


class TestDoctor:
    def found(self, done: Done) -> list[tuple[str, str]]:
        return [(one["level"], one["text"]) for one in done.json["findings"] if one["what"] == "reconcile"]

    def test_off(self, cli: Cli) -> None:
        ((level, text),) = self.found(cli("doctor", "--json"))
        assert level == "note"
        assert text.endswith("reconcile.agave_server and reconcile.tapis_server are not set")

    def test_what_became_of_the_last_round(self, asking: Asking, agave: StandInAgave, cli: Cli, store: Store) -> None:
        with StandInTapis() as tapis:
            both: dict[str, Any] = {**agave.environment(), **tapis.environment()}
            assert self.found(cli("doctor", "--json", **both)) == [
                ("note", "agave: no gateway has asked yet"),
                ("note", "tapis: no gateway has asked yet"),
            ]
            asking(asking.job("agave:1"))
            begun = store.asked.begin("agave", "one", 60)
            assert begun is not None
            store.asked.end("agave", "one", due=begun.began, counts={"unknown": 1, "known": 2}, behind=None)
            assert store.asked.begin("tapis", "one", 60) is not None
            agave_round, tapis_round, unresolved = self.found(cli("doctor", "--json", **both))
        assert agave_round[0] == "ok"
        assert agave_round[1].endswith("UTC (2 known, 1 unknown)")
        assert tapis_round[1].startswith("tapis: the first round began at 20")
        begun = store.asked.begin("agave", "one", 60)
        assert begun is not None
        cut_short = Place(OLD, "a job")
        store.asked.end("agave", "one", due=begun.began, counts={"unanswered": 5}, behind=cut_short)
        level, text = self.found(cli("doctor", "--json", **both))[0]
        assert (level, text.partition("UTC ")[2].partition(",")[0]) == ("note", "(5 unanswered); it was cut short")
        assert unresolved == (
            "note",
            "1 open job: unknown when the job system was last asked; explain UUID says why",
        )
