"""The standard agent of SD2E: what every agent built on python-datacatalog's `ManagedPipelineJob` does, step by step.

`setup()` makes the job, whose first token goes into the callback URL for good. The job is submitted. `run()` writes to
MongoDB itself and changes the salt. Then the job system's callbacks come, with the first token. All settings are the
defaults.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo.database import Database

from support import datacatalog
from support.gateway import eventually
from support.process import CheckedAbaco, Document, Documents, NewJob, StoredJob, callback, insert_job
from support.served import Served, gateway_environment, served
from tools.demo.indexer import Indexer

SYSTEMS: Final = ("agave", "aloe", "tapis")

Post = Callable[[Any, Mapping[str, str]], Document]
"""Sends a body with URL parameters; gives the verdict, the reason and the state."""


def by_reactor(abaco: CheckedAbaco) -> Post:
    def post(body: Any, parameters: Mapping[str, str]) -> Document:
        return abaco.send(body, parameters).verdict

    return post


def by_gateway(gateway: Served) -> Post:
    def post(body: Any, parameters: Mapping[str, str]) -> Document:
        result: Document = gateway.post(body, **parameters).json()["result"]
        return result | {"state": (result.get("job") or {}).get("state")}

    return post


def runs(job: StoredJob, in_the_middle: Callable[[], Any] = datacatalog.nothing) -> str:
    """`job.run()`; returns the token of the new salt."""
    return datacatalog.writes(job, "run", "RUNNING", in_the_middle=in_the_middle)


def ends_well(post: Post, job: StoredJob, system: str) -> None:
    """RUNNING and FINISHED, each twice, as job systems send them; and a status before the second."""
    for status in ("RUNNING", "RUNNING", "ARCHIVING", "FINISHED", "FINISHED"):
        body = callback(system, status)
        answers = [post(body, job.url(status=status)), post(body, job.url(status=status))]
        assert answers[0]["verdict"] in ("applied", "duplicate"), answers
        assert answers[1]["verdict"] == "duplicate", answers
    assert job.state == "FINISHED"


@pytest.mark.promise("P4")
@pytest.mark.parametrize("system", SYSTEMS)
def test_through_the_reactor(abaco: CheckedAbaco, new_job: NewJob, indexer: Indexer, system: str) -> None:
    job = new_job()
    newest = runs(job)
    ends_well(by_reactor(abaco), job, system)
    assert [request.body["message"]["token"] for request in indexer.received] == [newest]


class TestThroughTheGateway:
    @pytest.fixture
    def variables(self, mongodb_uri: str, database: Database[Any], indexer: Indexer) -> dict[str, str]:
        return gateway_environment(mongodb_uri, database.name, _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url)

    @pytest.mark.parametrize("is_there", [True, False], ids=["which was there", "which came later"])
    def test_with_every_job_system(
        self, variables: dict[str, str], tmp_path: Path, jobs: Documents, indexer: Indexer, *, is_there: bool
    ) -> None:
        made = {system: insert_job(jobs) for system in SYSTEMS}
        newest = [] if is_there else [runs(job) for job in made.values()]
        with served(variables, tmp_path) as gateway:
            if is_there:
                eventually(lambda: all("_tokens" in job.stored() for job in made.values()))
                newest = [runs(job) for job in made.values()]
            for system, job in made.items():
                ends_well(by_gateway(gateway), job, system)

            def sent() -> list[str]:
                return sorted(request.body["message"]["token"] for request in indexer.received)

            eventually(lambda: sent() == sorted(newest))
            log = gateway.log.read_text()
            assert ("trusted on first use" in log) is not is_there
            assert not [job.token for job in made.values() if job.token in log]

    def test_strictly_its_first_token_is_known_to_a_gateway_that_was_looking(
        self, variables: dict[str, str], tmp_path: Path, jobs: Documents
    ) -> None:
        with served(variables | {"_REACTOR_TOKENS_TRUST_ON_FIRST_USE": "false"}, tmp_path) as gateway:
            seen, unseen = insert_job(jobs), insert_job(jobs, _properties={"revision": 1, "modified_date": None})
            eventually(lambda: "_tokens" in seen.stored())
            runs(seen)
            ends_well(by_gateway(gateway), seen, "agave")
            runs(unseen)
            refused = by_gateway(gateway)(callback("agave", "FINISHED"), unseen.url(status="FINISHED"))
            assert refused["verdict"] == "unauthorised"


@pytest.mark.promise("S18")
def test_a_stranger_who_comes_first_locks_no_sender_out(abaco: CheckedAbaco, new_job: NewJob) -> None:
    job = new_job()
    runs(job)
    stranger = abaco.of("stranger")
    assert stranger.send(job.event("update", token="0" * 16)).verdict["verdict"] == "applied"
    ends_well(by_reactor(abaco), job, "agave")
    other = abaco.send(callback("agave", "FAILED"), job.url(token="0" * 16, status="FAILED"))
    assert other.verdict["verdict"] == "unauthorised"
    assert "stranger" in str(job.stored()["_first_use"])


def test_an_old_token_in_the_url_beside_the_newest_in_the_body(abaco: CheckedAbaco, new_job: NewJob) -> None:
    strict = abaco.configured(_REACTOR_TOKENS_TRUST_ON_FIRST_USE="false")
    job = new_job()
    newest = runs(job)
    both = strict.send(job.event("update", token=newest), {"uuid": job.uuid, "token": job.token})
    assert both.verdict["verdict"] == "applied"
    neither = strict.send(job.event("update", token="wrong"), {"uuid": job.uuid, "token": "0" * 16})
    assert neither.verdict["verdict"] == "unauthorised"


class TestAnotherRunOfTheJob:
    """The agent makes the job again in place, or resets it, and puts the token of then into the callback URL."""

    def test_one_that_was_made_again(self, abaco: CheckedAbaco, new_job: NewJob, jobs: Documents) -> None:
        job = new_job()
        assert abaco.send(callback("agave", "RUNNING"), job.url()).verdict["verdict"] == "applied"
        again = StoredJob(jobs, job.uuid, datacatalog.makes_again(job))
        stranger = abaco.of("stranger").send(callback("agave", "FINISHED"), again.url(token="0" * 16))
        assert stranger.verdict["verdict"] == "unauthorised"
        runs(again)
        late = abaco.send(callback("agave", "FINISHED"), job.url())
        assert late.verdict["verdict"] == "unauthorised"
        ends_well(by_reactor(abaco), again, "aloe")
        assert abaco.send(callback("agave", "FINISHED"), job.url()).verdict["verdict"] == "unauthorised"

    def test_one_that_python_datacatalog_has_reset(
        self, abaco: CheckedAbaco, new_job: NewJob, jobs: Documents, indexer: Indexer
    ) -> None:
        job = new_job()
        runs(job)
        assert abaco.send(callback("agave", "FAILED"), job.url()).verdict["verdict"] == "applied"
        datacatalog.writes(job, "reset", "RESET")
        again = StoredJob(jobs, job.uuid, datacatalog.writes(job, "ready", "CREATED"))
        newest = runs(again)
        ends_well(by_reactor(abaco), again, "tapis")
        assert [request.body["message"]["token"] for request in indexer.received] == [newest]
        other = abaco.send(callback("tapis", "QUEUED"), again.url(token="0" * 16)).verdict
        assert other["verdict"] == "unauthorised"
