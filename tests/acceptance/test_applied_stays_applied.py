"""Whole processes beside a program that replaces whole documents: what was said to be applied ends in the history."""

import random
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo.database import Database

from fsm.replay import final_state
from support import datacatalog
from support.gateway import eventually
from support.process import CheckedAbaco, Documents, NewJob, StoredJob, callback, insert_job
from support.served import SECONDS, Served, gateway_environment, served
from tools.demo.indexer import Indexer

pytestmark = pytest.mark.promise("P11")

RACES: Final = 40

Send = Callable[[StoredJob], str]
"""Sends `finish` for a job; gives the verdict."""


@pytest.fixture
def variables(mongodb_uri: str, database: Database[Any], indexer: Indexer) -> dict[str, str]:
    return gateway_environment(mongodb_uri, database.name, _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url)


_WITHOUT_UPDATE: Final[set[str]] = set()
"""Jobs to which the other program could not write, since it was too late."""


def race(job: StoredJob, send: Send, chance: random.Random) -> str:
    """One `finish` against one write of the other program, which begins at the same moment or a little before."""
    given: list[str] = []
    thread = threading.Thread(target=lambda: given.append(send(job)))
    moment = chance.choice(("in_the_middle", "at_the_end", "before"))
    if moment == "before":
        thread.start()
        try:
            datacatalog.writes(job, "update")
        except datacatalog.NotAllowed:  # it read the job after the `finish`
            _WITHOUT_UPDATE.add(job.uuid)
    else:

        def between() -> None:
            thread.start()
            if chance.random() < 0.7:
                thread.join()

        datacatalog.writes(job, "update", None, **{moment: between})
    thread.join()
    return given[0]


def is_whole(job: StoredJob) -> bool:
    """Whether the event of ours and that of the other program are in the history, each once, and nothing is wrong."""
    names = job.names
    updates = 0 if job.uuid in _WITHOUT_UPDATE else 1
    return (
        names.count("finish") == 1
        and names.count("update") == updates
        and final_state(names) == job.state == "FINISHED"
    )


def by(gateway: Served) -> Send:
    def send(job: StoredJob) -> str:
        answer = gateway.post(callback("agave", "FINISHED"), **job.url(status="FINISHED"))
        return str(answer.json()["result"]["verdict"])

    return send


def running_jobs(jobs: Documents, count: int) -> list[StoredJob]:
    made = [insert_job(jobs) for _ in range(count)]
    for job in made:
        datacatalog.writes(job, "run", "RUNNING")
    return made


def test_through_the_gateway(variables: dict[str, str], tmp_path: Path, jobs: Documents, indexer: Indexer) -> None:
    chance = random.Random(13)
    made = running_jobs(jobs, RACES)
    with served(variables, tmp_path) as gateway:
        assert [race(job, by(gateway), chance) for job in made] == ["applied"] * RACES
        eventually(lambda: all(map(is_whole, made)), SECONDS)
        eventually(lambda: not any(job.stored()["_outbox"] for job in made), SECONDS)
        assert {request.body["message"]["uuid"] for request in indexer.received} == {job.uuid for job in made}
        metrics = httpx.get(f"{gateway.url}/metrics", trust_env=False).text
        assert 'pipelinejobs_undone_events_total{outcome="applied again"}' in metrics
        rows = {"applied": {"$exists": True}}
        eventually(lambda: not jobs.database["jobs_journal"].count_documents(rows), SECONDS)
    assert all(map(is_whole, made))


def test_when_the_gateway_is_killed_before_it_looks(variables: dict[str, str], tmp_path: Path, jobs: Documents) -> None:
    made = running_jobs(jobs, 5)
    with served(variables, tmp_path) as gateway:
        for job in made:
            send = by(gateway)
            datacatalog.writes(job, "update", "RUNNING", at_the_end=partial(send, job))
            assert job.names.count("finish") == 0
        gateway.end(signal.SIGKILL)
    assert [job.names.count("finish") for job in made] == [0] * 5
    with served(variables, tmp_path):
        eventually(lambda: all(map(is_whole, made)), SECONDS)


def test_when_the_gateway_is_killed_again_and_again(variables: dict[str, str], tmp_path: Path, jobs: Documents) -> None:
    """All answered events are in the history at the end, wherever the gateways were killed."""
    chance = random.Random(31)
    made = running_jobs(jobs, 12)
    applied: list[StoredJob] = []
    for first in range(0, 12, 4):
        with served(variables, tmp_path) as gateway:
            killer = threading.Timer(chance.uniform(0.05, 0.4), gateway.process.kill)
            killer.start()
            for job in made[first : first + 4]:

                def finish(job: StoredJob = job, gateway: Served = gateway) -> None:
                    if by(gateway)(job) == "applied":
                        applied.append(job)

                with suppress(httpx.TransportError):
                    datacatalog.writes(job, "update", "RUNNING", at_the_end=finish)
            killer.join()
    with served(variables, tmp_path):
        eventually(lambda: all(job.names.count("finish") == 1 for job in applied), SECONDS)


def test_through_one_shot_runs_the_next_run_of_any_job_repairs(
    abaco: CheckedAbaco, new_job: NewJob, indexer: Indexer
) -> None:
    made = [new_job() for _ in range(3)]
    for job in made:
        assert abaco.send(job.event("run")).verdict["verdict"] == "applied"
        datacatalog.writes(
            job, "update", "RUNNING", at_the_end=partial(abaco.send, callback("tapis", "FINISHED"), job.url())
        )
        assert job.names == ["create", "run", "update"]
    other = new_job()

    def next_run() -> bool:
        abaco.send(other.event("resource"))
        return all(map(is_whole, made))

    eventually(next_run, SECONDS)
    assert all(job.stored()["_outbox"] == [] for job in made) or indexer.received


def test_what_the_other_program_has_ended_otherwise_is_kept_for_those_who_ask(
    abaco: CheckedAbaco, new_job: NewJob
) -> None:
    job, other = new_job(), new_job()
    assert abaco.send(job.event("run")).verdict["verdict"] == "applied"
    datacatalog.writes(job, "fail", "FAILED", at_the_end=lambda: abaco.send(job.event("finish")))

    def kept() -> list[Any]:
        abaco.send(other.event("resource"))
        return list(job.jobs.database["jobs_refused"].find({"job": job.uuid}))

    [refusal] = eventually(kept, SECONDS)
    assert (refusal["event"], refusal["state"]) == ("finish", "FAILED")
    assert job.names == ["create", "run", "fail"]
