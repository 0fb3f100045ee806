"""Dry runs on Abaco, where `dry_run=true` in the URL arrives as a variable: nothing is written, sent or requeued."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from support.dump import everything
from support.process import CheckedAbaco, StoredJob, callback
from support.queues import ActorQueue
from tools.demo.abaco import Execution
from tools.demo.indexer import Indexer

pytestmark = pytest.mark.promise("P12")

DRY = {"dry_run": "true"}
KEYS = ["verdict", "uuid", "event", "state", "last_event", "reason", "execution", "dry_run", "state_after"]


@pytest.fixture
def unchanged(job: StoredJob, database: Database[Any]) -> Iterator[None]:
    before = everything(database)
    yield
    assert everything(database) == before


def told(execution: Execution) -> tuple[int, str, bool, str | None, str | None]:
    assert list(execution.verdict) == KEYS
    line = execution.verdict
    return execution.exit_code, line["verdict"], line["dry_run"], line["state"], line["state_after"]


def warned(execution: Execution) -> bool:
    """Whether the operator is told, who may have set the variable in the actor's own environment."""
    lines = [json.loads(line) for line in execution.stderr.splitlines()]
    return any(line["level"] == "WARNING" and "variable) dry_run is true" in line["message"] for line in lines)


@pytest.mark.usefixtures("unchanged")
class TestNothingIsWritten:
    def test_of_a_command(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        run = abaco.send(job.event("run"), DRY)
        assert told(run) == (0, "applied", True, "CREATED", "RUNNING")
        assert run.verdict["reason"] == "run: CREATED -> RUNNING"
        assert warned(run)
        assert json.loads(run.stderr.splitlines()[-1])["message"].startswith("dry run: applied: run of job ")

    def test_of_url_parameters(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        assert told(abaco.send({}, job.url("run", dry_run="1"))) == (0, "applied", True, "CREATED", "RUNNING")

    @pytest.mark.parametrize("system", ["agave", "aloe", "tapis"])
    def test_of_a_report(self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer, system: str) -> None:
        run = abaco.send(callback(system, "FINISHED"), job.url(**DRY))
        assert told(run) == (0, "applied", True, "CREATED", "FINISHED")
        assert indexer.received == []

    def test_of_refusals(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        assert told(abaco.send(job.event("finish"), DRY)) == (70, "illegal", True, "CREATED", "CREATED")
        assert told(abaco.send(job.event("run", token="0" * 16), DRY)) == (77, "unauthorised", True, None, None)
        run = abaco.send({"uuid": job.uuid, "name": 5, "data": 6, "token": job.token}, DRY)
        assert told(run) == (65, "malformed", True, None, None)
        assert "data: " in run.verdict["reason"]

    def test_if_it_cannot_be_read_whether_it_is_one(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        run = abaco.send(callback("agave", "FINISHED"), {"uuid": job.uuid, "dry_run": "yes"})
        assert (run.exit_code, run.verdict["reason"]) == (
            65,
            "parameter dry_run: must be true or false (or 1 or 0)",
        )

    def test_of_an_actor_whose_own_environment_says_so(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        run = abaco.configured(**DRY).send(job.event("run"))
        assert told(run) == (0, "applied", True, "CREATED", "RUNNING")
        assert warned(run)


def test_a_parameter_says_otherwise_than_the_actors_own_environment(abaco: CheckedAbaco, job: StoredJob) -> None:
    run = abaco.configured(**DRY).send(job.event("run"), {"dry_run": "false"})
    assert "dry_run" not in run.verdict
    assert not warned(run)
    assert job.names == ["create", "run"]


def test_no_overdue_message_of_another_job_is_sent(
    abaco: CheckedAbaco, job: StoredJob, new_job: Any, indexer: Indexer, database: Database[Any]
) -> None:
    other = new_job()
    silent = abaco.configured(_REACTOR_PIPELINES_JOB_INDEXER_URL="http://127.0.0.1:9/")
    assert silent.send(callback("agave", "FINISHED"), other.url()).verdict["verdict"] == "applied"
    database["jobs"].update_one({"uuid": other.uuid}, {"$set": {"_outbox.0.next": other.stored()["updated"]}})
    before = everything(database)
    assert told(abaco.send(job.event("run"), DRY))[1] == "applied"
    assert (indexer.received, everything(database)) == ([], before)
    assert abaco.send(job.event("run")).verdict["verdict"] == "applied"
    assert len(indexer.received) == 1


class TestWithoutMongoDB:
    @pytest.fixture
    def queue(self) -> Iterator[ActorQueue]:
        """An actors API with one worker."""
        with ActorQueue(workers=1) as running:
            yield running

    def test_it_is_unavailable_and_not_requeued(
        self, abaco: CheckedAbaco, job: StoredJob, queue: ActorQueue, free_port: int
    ) -> None:
        uri = base64.urlsafe_b64encode(f"mongodb://127.0.0.1:{free_port}/".encode()).decode()
        away = abaco.configured(_REACTOR_MONGODB_AUTHN=uri, _REACTOR_LIMITS_DATABASE="0.5")
        run = queue.runs(away).send(job.event("run"), DRY)
        assert told(run) == (75, "unavailable", True, None, None)
        assert "requeue" not in run.verdict["reason"]
        assert "a message is lost" not in run.stderr
        assert queue.parameters == []

    def test_a_wrong_setting_loses_no_message(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        run = abaco.configured(_REACTOR_LIMITS_DATABASE="soon").send(job.event("run"), DRY)
        assert told(run) == (78, "unavailable", True, None, None)
        assert "a message is lost" not in run.stderr
