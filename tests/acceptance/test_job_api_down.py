"""The job system's API is down while it reports: its reports are applied at once, and its API is not asked."""

import json
from typing import Any, Final

import pytest
from pymongo.database import Database

from support.gateway import eventually
from support.process import CheckedAbaco, NewJob, callback, insert_job
from support.served import gateway_environment, served
from support.server import RudeServer, then_hangs
from tools.demo.indexer import Indexer

pytestmark = pytest.mark.promise("F19")

SYSTEMS: Final = ("agave", "aloe", "tapis")


def told_by(system: str, status: str, api: str) -> dict[str, Any]:
    """A callback that names an API of the job system wherever a callback can name one."""
    text = json.dumps(callback(system, status))
    for theirs in ("https://api.sd2e.org", "https://tapis.io", "https://gateway.example.org"):
        text = text.replace(theirs, api)
    body: dict[str, Any] = json.loads(text)
    if system == "aloe":
        body["_links"] = {"history": {"href": f"{api}/jobs/v2/{body['id']}/history"}}
    assert api in json.dumps(body)
    return body


@pytest.mark.parametrize("system", SYSTEMS)
def test_one_shot(abaco: CheckedAbaco, new_job: NewJob, indexer: Indexer, system: str) -> None:
    job = new_job()
    with RudeServer(then_hangs()) as api:
        for status, state in (("RUNNING", "RUNNING"), ("FINISHED", "FINISHED")):
            run = abaco.send(told_by(system, status, api.url), job.url())
            assert (run.verdict["verdict"], run.verdict["state"], run.exit_code) == ("applied", state, 0)
        assert job.names == ["create", "run", "finish"]
        assert job.stored()["_outbox"] == []
        assert api.connections == 0
    assert [one.body["message"]["uuid"] for one in indexer.received] == [job.uuid]


def test_gateway(mongodb_uri: str, database: Database[Any], indexer: Indexer, tmp_path: Any) -> None:
    variables = gateway_environment(
        mongodb_uri,
        database.name,
        _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url,
    )
    jobs = [insert_job(database["jobs"]) for _ in SYSTEMS]
    with RudeServer(then_hangs()) as api, served(variables, tmp_path) as gateway:
        for job, system in zip(jobs, SYSTEMS, strict=True):
            for status, state in (("RUNNING", "RUNNING"), ("FINISHED", "FINISHED")):
                answer = gateway.post(told_by(system, status, api.url), **job.url())
                told = answer.json()["result"]
                assert (answer.status_code, told["verdict"], told["job"]["state"]) == (200, "applied", state)
            eventually(lambda: job.stored()["_outbox"] == [])  # noqa: B023
        assert api.connections == 0
        assert gateway.end() == 0


@pytest.mark.parametrize("system", SYSTEMS)
def test_where_the_whole_of_its_site_hangs(abaco: CheckedAbaco, new_job: NewJob, system: str) -> None:
    """The Indexer is an actor of that site. It gets its message later; the event and its verdict do not wait."""
    job = new_job()
    with RudeServer(then_hangs()) as site:
        there = abaco.configured(_REACTOR_PIPELINES_JOB_INDEXER_URL="", _REACTOR_LIMITS_INDEXER="5")
        named = CheckedAbaco(environment=there.environment, names={"_abaco_api_server": site.url}, hidden=there.hidden)
        with named.start(told_by(system, "FINISHED", site.url), job.url()) as running:
            assert running.stdout is not None
            verdict = json.loads(running.stdout.readline())
            eventually(lambda: job.stored()["_outbox"][0].get("holder"))  # it is at the Indexer, which says nothing
            assert (verdict["verdict"], verdict["state"], job.state) == ("applied", "FINISHED", "FINISHED")
            _, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
        assert [row["status"] for row in job.stored()["_outbox"]] == ["pending"]
        assert {request.path for request in site.requests} == {"/actors/v2/jobs-indexer.prod/messages"}
