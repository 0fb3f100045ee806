"""The command `wait`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo.collection import Collection

from integration.cli.conftest import Cli
from pipelinejobs.cli import wait
from pipelinejobs.store.changes import Changes
from pipelinejobs.store.jobs import Jobs
from pipelinejobs.util.errors import Unavailable
from support import datacatalog
from support.process import StoredJob

UNKNOWN = "1073f4ff-c2b9-5190-bd9a-e6a406d9796a"


@contextmanager
def after_looks(monkeypatch: pytest.MonkeyPatch, happenings: dict[int, Callable[[], Any]]) -> Iterator[list[int]]:
    """Has things happen before the looks with these numbers; time does not pass for the command's pauses.

    The numbers count small looks; the read of the whole job before the first of them is not counted.
    """
    looks: list[int] = []
    of = Changes.of

    def counted(changes: Changes, uuids: Any) -> Any:
        looks.append(len(looks) + 1)
        assert len(looks) < 100, "it waits for ever"
        happenings.get(len(looks), lambda: None)()
        return of(changes, uuids)

    with monkeypatch.context() as patch:
        patch.setattr(Changes, "of", counted)
        patch.setattr(wait, "_PAUSE_SECONDS", 0.01)
        yield looks


class TestAtOnce:
    @pytest.mark.parametrize(
        ("events", "until", "state", "exit_code", "reached"),
        [
            (["run", "finish"], None, "FINISHED", 0, True),
            (["run", "fail"], None, "FAILED", 0, True),
            (["run"], "running", "RUNNING", 0, True),
            (["run", "fail"], "FINISHED", "FAILED", 1, "never"),
            (["run", "finish", "retire"], None, "RETIRED", 1, "never"),
        ],
    )
    def test_a_job_that_is_there(
        self, cli: Cli, job: StoredJob, events: list[str], until: str | None, state: str, exit_code: int, reached: Any
    ) -> None:
        for event in events:
            datacatalog.writes(job, event)
        arguments = ["wait", job.uuid, *([] if until is None else ["--until", until])]
        done = cli(*arguments)
        assert (done.exit_code, done.out) == (exit_code, f"{state}\n")
        assert ("only an administrative event leads from there to" in done.err) is (reached == "never")
        told = cli(*arguments, "--json")
        assert told.exit_code == exit_code
        revision = job.stored()["_properties"]["revision"]
        assert told.json == {"uuid": job.uuid, "state": state, "revision": revision, "reached": reached}

    def test_an_unknown_job(self, cli: Cli) -> None:
        done = cli("wait", UNKNOWN)
        assert (done.exit_code, done.out) == (65, "")
        assert f"wait: uuid: there is no job {UNKNOWN} in the database test_" in done.err

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["--until", "FINSHED"], 'argument --until: "FINSHED" is not a state; did you mean FINISHED?'),
            (["--until", ""], "argument --until: must name states; the states are CREATED"),
            (["--timeout", "soon"], "argument --timeout: must be a number with a unit"),
            (["--timeout", "-1"], "--timeout"),
        ],
    )
    def test_wrong_arguments(self, cli: Cli, arguments: list[str], problem: str) -> None:
        done = cli("wait", UNKNOWN, *arguments)
        assert done.exit_code == 2
        assert problem in done.err
        assert len(done.err.splitlines()) == 1


class TestWaiting:
    def test_until_it_is_there(self, cli: Cli, job: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
        steps = {2: lambda: datacatalog.writes(job, "run"), 4: lambda: datacatalog.writes(job, "finish")}
        with after_looks(monkeypatch, steps) as looks:
            done = cli("wait", job.uuid)
        assert (done.exit_code, done.out) == (0, "FINISHED\n")
        assert done.err.splitlines() == [
            f"Waiting for {job.uuid} to be FAILED, FINISHED ...",
            "now CREATED",
            "now RUNNING",
            "now FINISHED",
        ]
        assert len(looks) == 4

    def test_a_state_that_was_left_between_two_looks(
        self, cli: Cli, job: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def both() -> None:
            datacatalog.writes(job, "run")
            datacatalog.writes(job, "finish")

        with after_looks(monkeypatch, {2: both}):
            done = cli("wait", job.uuid, "--until", "RUNNING")
        assert (done.exit_code, done.out) == (0, "FINISHED\n")

    def test_a_state_from_which_the_job_came_back_between_two_looks(
        self, cli: Cli, job: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def both() -> None:
            datacatalog.writes(job, "index")
            datacatalog.writes(job, "indexed")

        for event in ("run", "finish"):
            datacatalog.writes(job, event)
        with after_looks(monkeypatch, {2: both}):
            done = cli("wait", job.uuid, "--until", "INDEXING")
        assert (done.exit_code, done.out) == (0, "FINISHED\n")

    def test_another_end(self, cli: Cli, job: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
        with after_looks(monkeypatch, {2: lambda: datacatalog.writes(job, "fail")}):
            done = cli("wait", job.uuid, "--until", "FINISHED")
        assert (done.exit_code, done.out) == (1, "FAILED\n")
        assert "the job is FAILED; only an administrative event leads from there to FINISHED" in done.err

    @pytest.mark.parametrize("timeout", ["0", "0.2s"])
    def test_no_longer_than_the_timeout(self, cli: Cli, job: StoredJob, timeout: str) -> None:
        done = cli("wait", job.uuid, "--timeout", timeout)
        assert (done.exit_code, done.out) == (75, "CREATED\n")
        assert done.err.splitlines()[-1] == "timed out; the job is CREATED"

    def test_a_job_that_is_deleted(self, cli: Cli, job: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
        with after_looks(monkeypatch, {2: lambda: job.jobs.delete_one({"uuid": job.uuid})}):
            done = cli("wait", job.uuid)
        assert (done.exit_code, done.out) == (65, "")

    def test_while_the_database_is_away(self, cli: Cli, job: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
        def away() -> None:
            raise Unavailable("away")

        steps = {2: away, 3: away, 4: lambda: datacatalog.writes(job, "fail")}
        with after_looks(monkeypatch, steps):
            done = cli("wait", job.uuid)
        assert (done.exit_code, done.out) == (0, "FAILED\n")
        assert done.err.count("away; the command goes on waiting") == 1

    def test_a_database_that_never_answers(self, cli: Cli, job: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object) -> Any:
            raise Unavailable("away")

        monkeypatch.setattr(Jobs, "outline", away)
        done = cli("wait", job.uuid, "--timeout", "0.1")
        assert (done.exit_code, done.out) == (75, "")
        assert done.err.splitlines()[1:] == ["away; the command goes on waiting", "wait: away"]


def test_it_looks_once_a_second_at_most(cli: Cli, job: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(wait, "time", SimpleNamespace(sleep=slept.append))
    with after_looks(monkeypatch, {6: lambda: datacatalog.writes(job, "fail")}) as looks:
        monkeypatch.setattr(wait, "_PAUSE_SECONDS", 1.0)
        assert cli("wait", job.uuid).exit_code == 0
    assert slept == [1.0] * 6
    assert len(looks) == 6


def test_a_state_of_another_program(cli: Cli, jobs: Collection[dict[str, Any]], job: StoredJob) -> None:
    jobs.update_one({"uuid": job.uuid}, {"$set": {"state": "\x1b[31m"}})
    done = cli("wait", job.uuid, "--timeout", "0")
    assert (done.exit_code, done.out) == (75, "\\x1b[31m\n")
    assert "\x1b" not in done.err
