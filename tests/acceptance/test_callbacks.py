"""Reports of Agave, Aloe and Tapis: what each status means, in any order and any number."""

import itertools
import random
from typing import Any

import pytest
from pymongo.database import Database

from fsm.replay import final_state
from support.process import CheckedAbaco, NewJob, StoredJob, admin_token, callback, verdicts
from tools.demo.indexer import Indexer

SYSTEMS = ("agave", "aloe", "tapis")

STATUSES = {
    "run": ["RUNNING"],
    "finish": ["FINISHED"],
    "fail": ["FAILED", "STOPPED", "KILLED", "CANCELLED", "ARCHIVING_FAILED"],
    "resource": [
        "CREATED", "ACCEPTED", "PENDING", "PROCESSING_INPUTS", "STAGING_INPUTS", "STAGED", "STAGING_JOB", "SUBMITTING",
        "SUBMITTING_JOB", "QUEUED", "PAUSED", "BLOCKED", "CLEANING_UP", "ARCHIVING", "ARCHIVING_FINISHED",
        "PERMISSION_GRANT", "PERMISSION_REVOKE",
    ],
    "update": ["UPDATED", "DELETED", "HEARTBEAT", "RESTORED", "NOBODY_KNOWS_THIS"],
}  # fmt: skip
STATE_AFTER = {"run": "RUNNING", "finish": "FINISHED", "fail": "FAILED", "resource": "CREATED", "update": "CREATED"}

FINISHES = ("PENDING", "QUEUED", "RUNNING", "ARCHIVING", "FINISHED")
FAILS = ("PENDING", "RUNNING", "FAILED")


class TestStatuses:
    @pytest.mark.parametrize("event", STATUSES)
    def test_every_status_of_every_system_means_its_event(
        self, abaco: CheckedAbaco, new_job: NewJob, event: str
    ) -> None:
        # Each status once; the systems and the letter case take turns.
        spelled = zip(STATUSES[event], itertools.cycle(SYSTEMS), itertools.cycle([str.upper, str.lower, str.title]))
        cases = [(new_job(), callback(system, case(status))) for status, system, case in spelled]
        runs = abaco.send_all([(body, job.url()) for job, body in cases])
        for (job, body), run in zip(cases, runs, strict=True):
            told = (run.verdict["verdict"], run.verdict["event"], run.verdict["state"])
            assert told == ("applied", event, STATE_AFTER[event]), body
            assert job.state == STATE_AFTER[event]
            assert job.names == ["create", *(["run"] if event == "finish" else []), event]

    @pytest.mark.parametrize("event", ["run", "finish", "fail"])
    def test_what_moves_a_job_does_so_from_every_system(self, abaco: CheckedAbaco, new_job: NewJob, event: str) -> None:
        cases = [(new_job(), system) for system in SYSTEMS]
        runs = abaco.send_all([(callback(system, STATUSES[event][-1]), job.url()) for job, system in cases])
        assert [run.verdict["state"] for run in runs] == [STATE_AFTER[event]] * 3

    def test_of_tapis_only_a_new_status_carries_one(self, abaco: CheckedAbaco, new_job: NewJob) -> None:
        kinds = ["JOB_ERROR_MESSAGE.FAILED", "JOB_USER_EVENT.FINISHED", "JOB_ARCHIVE_TRANSACTION_ID.FINISHED"]
        cases = [(new_job(), callback("tapis", "FINISHED", type=f"jobs.{kind}")) for kind in kinds]
        runs = abaco.send_all([(body, job.url()) for job, body in cases])
        assert [(run.verdict["event"], run.verdict["state"]) for run in runs] == [("update", "CREATED")] * 3

    @pytest.mark.parametrize("data", [None, "free text", "[1]", '{"newJobStatus": 5}', '{"newJobStatus": "\\u0000"}'])
    def test_where_the_data_of_tapis_are_of_no_use_the_type_tells(
        self, abaco: CheckedAbaco, job: StoredJob, data: str | None
    ) -> None:
        assert abaco.send(callback("tapis", "FINISHED", data=data), job.url()).verdict["state"] == "FINISHED"


@pytest.mark.promise("P3")
class TestOrder:
    """In any order of reports, the job ends in the same state, and its history can be replayed."""

    def deliver(self, abaco: CheckedAbaco, job: StoredJob, bodies: list[dict[str, Any]]) -> None:
        for body in bodies:
            assert abaco.send(body, job.url()).exit_code == 0
        assert final_state(job.names) == job.state

    @pytest.mark.parametrize("seed", range(6))
    def test_a_job_that_finishes(self, abaco: CheckedAbaco, job: StoredJob, seed: int) -> None:
        order = random.Random(seed).sample(FINISHES, len(FINISHES))
        self.deliver(abaco, job, [callback(SYSTEMS[seed % 3], status) for status in order])
        assert job.state == "FINISHED", order
        assert job.names.count("finish") == 1
        assert job.names.count("run") == 1

    @pytest.mark.parametrize("order", list(itertools.permutations(FAILS)))
    def test_a_job_that_fails(self, abaco: CheckedAbaco, job: StoredJob, order: tuple[str, ...]) -> None:
        self.deliver(abaco, job, [callback("agave", status) for status in order])
        assert job.state == "FAILED"
        assert "finish" not in job.names

    @pytest.mark.promise("P4")
    def test_all_at_once_and_twice(self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer) -> None:
        bodies = [callback("tapis", status) for status in FINISHES] * 2
        random.Random(7).shuffle(bodies)
        runs = abaco.send_all([(body, job.url()) for body in bodies])
        assert set(verdicts(runs)) <= {"applied", "duplicate", "stale"}
        assert job.state == "FINISHED"
        assert final_state(job.names) == "FINISHED"
        assert len({request.headers["Idempotency-Key"] for request in indexer.received}) == 1


class TestImpliedRun:
    @pytest.mark.parametrize("system", SYSTEMS)
    def test_it_is_written_with_the_finish_and_marked(self, abaco: CheckedAbaco, job: StoredJob, system: str) -> None:
        run = abaco.send(callback(system, "FINISHED"), job.url())
        assert "implied" in run.verdict["reason"]
        stored = job.stored()
        _, implied, finish = stored["history"]
        assert (implied["name"], implied["data"]["implied"]) == ("run", True)
        assert implied["uuid"] != finish["uuid"]
        assert stored["_properties"]["revision"] == 2
        assert stored["last_event"] == "finish"

    def test_the_late_running_is_stale(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        abaco.send(callback("agave", "FINISHED"), job.url())
        late = abaco.send(callback("agave", "RUNNING"), job.url())
        assert (late.verdict["verdict"], late.verdict["state"], late.exit_code) == ("stale", "FINISHED", 0)
        assert job.names == ["create", "run", "finish"]

    def test_failing_needs_none(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        abaco.send(callback("agave", "FAILED"), job.url())
        assert job.names == ["create", "fail"]


@pytest.mark.promise("P2")
class TestDuplicates:
    @pytest.mark.parametrize("system", SYSTEMS)
    def test_the_same_report_again_changes_nothing(
        self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer, system: str
    ) -> None:
        body = callback(system, "FINISHED")
        assert abaco.send(body, job.url()).verdict["verdict"] == "applied"
        before = job.stored()
        again = abaco.send(body, job.url())
        assert (again.verdict["verdict"], again.verdict["state"], again.exit_code) == ("duplicate", "FINISHED", 0)
        assert job.stored() == before
        assert len(indexer.received) == 1

    def test_what_is_not_kept_and_how_it_came_make_no_difference(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        first = callback("agave", "RUNNING")
        second = dict(reversed(first.items())) | {"retries": 3, "_links": {}}
        runs = [abaco.send(first, job.url()), abaco.send(second, job.url(status="running", note="again"))]
        assert verdicts(runs) == ["applied", "duplicate"]

    def test_a_second_subscription_of_tapis_tells_the_same_event(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        first, second = callback("tapis", "RUNNING"), callback("tapis", "RUNNING")
        second |= {"subscriptionName": "jobs~other~tacc~x~0000", "created": "2024-05-02T16:00:00Z"}
        assert first["uuid"] != second["uuid"]
        assert verdicts([abaco.send(first, job.url()), abaco.send(second, job.url())]) == ["applied", "duplicate"]

    def test_finished_once_more_with_other_words_adds_no_index_request(
        self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer
    ) -> None:
        abaco.send(callback("agave", "FINISHED"), job.url())
        again = abaco.send(callback("agave", "FINISHED", endTime="2019-09-17T10:00:00.000-05:00"), job.url())
        assert again.verdict["verdict"] == "applied"
        assert job.state == "FINISHED"
        assert len(indexer.received) == 1


class TestAfterAReset:
    def test_the_old_runs_reports_are_stale_and_a_new_run_is_not(
        self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer
    ) -> None:
        abaco.send(callback("agave", "RUNNING"), job.url())
        for name in ("reset", "ready"):
            assert abaco.send(job.event(name, token=admin_token())).verdict["verdict"] == "applied"
        old = abaco.send(callback("agave", "FINISHED"), job.url())
        assert (old.verdict["verdict"], old.verdict["state"]) == ("stale", "CREATED")
        new = abaco.send(callback("agave", "FINISHED", id="another-job-007"), job.url())
        assert (new.verdict["verdict"], new.verdict["state"]) == ("applied", "FINISHED")
        assert job.names == ["create", "run", "reset", "ready", "run", "finish"]
        assert len(indexer.received) == 1

    @pytest.mark.promise("P4")
    def test_every_attempt_that_finishes_has_an_index_request_of_its_own(
        self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer
    ) -> None:
        abaco.send(callback("aloe", "FINISHED"), job.url())
        for name in ("reset", "ready"):
            abaco.send(job.event(name, token=admin_token()))
        abaco.send(callback("aloe", "FINISHED", id="second-007"), job.url())
        assert len(indexer.received) == 2
        assert len({request.headers["Idempotency-Key"] for request in indexer.received}) == 2

    def test_while_it_is_reset_nothing_is_applied(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        abaco.send(job.event("reset", token=admin_token()))
        run = abaco.send(callback("agave", "RUNNING"), job.url())
        assert (run.verdict["verdict"], run.verdict["state"]) == ("stale", "RESET")


class TestRefusedReports:
    def test_what_is_stale_is_kept_with_its_reason(
        self, abaco: CheckedAbaco, new_job: NewJob, database: Database[dict[str, Any]]
    ) -> None:
        job = new_job("job-finished.json")
        run = abaco.send(callback("tapis", "RUNNING"), job.url())
        (row,) = database["jobs_refused"].find({"job": job.uuid})
        assert (row["verdict"], row["reason"], row["event"]) == ("stale", run.verdict["reason"], "run")
        assert job.token not in repr(row)

    def test_without_a_token_no_reason_is_given(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        run = abaco.send(callback("agave", "FINISHED"), {"uuid": job.uuid})
        assert (run.verdict["verdict"], run.verdict["state"], run.exit_code) == ("unauthorised", None, 77)
        assert job.state == "CREATED"
