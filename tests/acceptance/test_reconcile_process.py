"""Asking job systems, in whole processes: the command, and gateways that are killed while they ask."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo.database import Database

from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.store import Store
from support.canaries import CANARIES
from support.gateway import eventually
from support.job_systems import StandInAgave
from support.process import Documents, StoredJob, callback, insert_job
from support.served import NotServing, gateway_environment, served
from tools.demo.indexer import Indexer

pytestmark = [pytest.mark.promise("P13"), pytest.mark.promise("P8")]

ROOT: Final = Path(__file__).resolve().parents[2]
LAUNCHER: Final = ROOT / "tests" / "support" / "crash.py"
OLD: Final = datetime(2026, 1, 1, tzinfo=UTC)
EFFECTS: Final = (
    "findAndModify jobs_asked 1",
    "ask 1",
    "update jobs 1",
    "update jobs_asked 1",
    "update jobs_asked 2",
    "findAndModify jobs 1",
    "send 1",
)
"""What a gateway does when it asks about a job whose last report was lost, in this order: it takes the lease, asks,
applies the answer, stores what became of the question, ends the round, and sends the index request."""
POINTS: Final = [f"{when} {effect}" for effect in EFFECTS for when in ("before", "after")]


@pytest.fixture
def agave() -> Iterator[StandInAgave]:
    with StandInAgave() as standing_in:
        standing_in.jobs[callback("agave", "FINISHED")["id"]] = "FINISHED"
        yield standing_in


@pytest.fixture
def job(jobs: Documents) -> StoredJob:
    """A job that has been RUNNING for long, because the callback of its end was lost."""
    job = insert_job(jobs, state="RUNNING", updated=OLD, last_event="run")
    life = job.stored()["history"][0]["uuid"]
    run = {"date": OLD, "data": None, "name": "run", "uuid": "10800000-0000-5000-8000-000000000001"}
    own = {"_life": life, "_external": {"system": "agave", "id": callback("agave", "FINISHED")["id"], "attempt": life}}
    jobs.update_one({"uuid": job.uuid}, {"$set": {**own, "_properties.revision": 1}, "$push": {"history": run}})
    return job


@pytest.fixture
def variables(
    mongodb_uri: str, database: Database[Any], indexer: Indexer, agave: StandInAgave, job: StoredJob
) -> dict[str, str]:
    """The environment of a gateway that asks about the job."""
    return gateway_environment(
        mongodb_uri,
        database.name,
        _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url,
        _REACTOR_OUTBOX_FIRST_DELAY="0.2",
        _REACTOR_LIMITS_INDEXER="0.5",
        **agave.environment(rate=100, every="0.3", after="1"),
    )


def launched(file: Path, point: str) -> tuple[str, ...]:
    return (sys.executable, str(LAUNCHER), str(file), point, "serve")


def end_lease(database: Database[Any]) -> None:
    """As if the time of a dead gateway's lease was over. (test_gateway_reconcile waits for that.)"""
    database["jobs_asked"].update_many({"until": {"$exists": True}}, {"$set": {"until": OLD}})


def all_is_done(store: Store, job: StoredJob, indexer: Indexer) -> None:
    """The job has its end once, and the Indexer was told under one key."""
    eventually(lambda: job.state == "FINISHED" and not job.stored().get("_outbox"), 60)
    assert job.names == ["create", "run", "finish"]
    assert job.last["data"]["learned"] == "asked"
    read = take_snapshot(store, job.uuid)
    assert read is not None
    assert not read.problems
    assert len({request.headers["Idempotency-Key"] for request in indexer.received}) == 1
    assert 1 <= len(indexer.received) <= 2


def held(agave: StandInAgave) -> tuple[threading.Event, threading.Event]:
    """Two events: one that the stand-in sets when it is asked, and one for which its answer then waits."""
    asked, answers = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        asked.set()
        answers.wait(60)

    agave.before_answer = hold
    return asked, answers


def test_these_are_effects(
    variables: dict[str, str], tmp_path: Path, store: Store, job: StoredJob, indexer: Indexer
) -> None:
    """Each of the points is reached, so that each of the tests below kills something."""
    with served(variables, tmp_path, command=launched(tmp_path / "points", "none")) as gateway:
        all_is_done(store, job, indexer)
        eventually(lambda: set(POINTS) <= set((tmp_path / "points").read_text().splitlines()))
        assert gateway.end() == 0


@pytest.mark.parametrize("point", POINTS)
def test_killed(
    variables: dict[str, str],
    tmp_path: Path,
    database: Database[Any],
    store: Store,
    job: StoredJob,
    indexer: Indexer,
    point: str,
) -> None:
    """After that another gateway goes on; the callback that comes after all is no second end."""
    with (
        suppress(NotServing),  # it may die before it serves
        served(variables, tmp_path, command=launched(tmp_path / "points", point)) as gateway,
    ):
        gateway.process.wait(60)
    assert (tmp_path / "points").read_text().splitlines().count("killed") == 1
    end_lease(database)
    with served(variables, tmp_path) as gateway:
        all_is_done(store, job, indexer)
        answer = gateway.post(callback("agave", "FINISHED"), uuid=job.uuid, token=job.token)
        assert answer.json()["result"]["verdict"] == "duplicate"
        assert gateway.end() == 0
    assert job.names == ["create", "run", "finish"]
    assert 1 <= len(indexer.received) <= 2


def test_killed_while_the_job_system_answers(
    variables: dict[str, str],
    tmp_path: Path,
    database: Database[Any],
    store: Store,
    agave: StandInAgave,
    job: StoredJob,
    indexer: Indexer,
) -> None:
    asked, answers = held(agave)
    with served(variables, tmp_path) as gateway:
        assert asked.wait(60)
        gateway.end(signal.SIGKILL)
    answers.set()
    assert job.state == "RUNNING"
    end_lease(database)
    with served(variables, tmp_path) as gateway:
        all_is_done(store, job, indexer)
        assert gateway.end() == 0


def test_it_ends_although_the_job_system_does_not_answer(
    variables: dict[str, str], tmp_path: Path, agave: StandInAgave, job: StoredJob
) -> None:
    asked, over = held(agave)
    with served(variables, tmp_path) as gateway:
        assert asked.wait(60)
        assert gateway.end() == 0
    over.set()
    assert job.state == "RUNNING"


@pytest.mark.parametrize("processes", ["3"])
def test_of_several_processes_of_one_gateway_one_asks(
    variables: dict[str, str],
    tmp_path: Path,
    store: Store,
    agave: StandInAgave,
    indexer: Indexer,
    job: StoredJob,
    processes: str,
) -> None:
    with served({**variables, "_REACTOR_GATEWAY_PROCESSES": processes}, tmp_path) as gateway:
        all_is_done(store, job, indexer)
        assert gateway.end() == 0
    assert len(agave.asked) == 1


def command(variables: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "pipelinejobs", "reconcile", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class TestCommand:
    def test_asks_and_applies(
        self, variables: dict[str, str], store: Store, job: StoredJob, indexer: Indexer, agave: StandInAgave
    ) -> None:
        tried = command(variables, "--quiet-for", "1h", "--dry-run", "--json")
        assert (tried.returncode, json.loads(tried.stdout)["counts"]["missed"]) == (0, 1), tried
        assert job.state == "RUNNING"
        done = command(variables)
        assert done.returncode == 0, done
        assert done.stdout.splitlines()[-1] == "1 job: 0 known, 1 missed, 0 unknown, 0 unanswered, 0 not known where"
        all_is_done(store, job, indexer)
        again = command(variables, job.uuid, "--json")
        assert [each["result"] for each in json.loads(again.stdout)["jobs"]] == ["known"]
        for secret in (*CANARIES, agave.token):
            assert secret not in done.stdout + done.stderr + again.stdout + tried.stderr

    def test_no_answer(self, variables: dict[str, str], job: StoredJob, agave: StandInAgave) -> None:
        agave.expire()
        done = command(variables, job.uuid)
        assert done.returncode == 75, done
        assert "unanswered" in done.stdout
        assert job.state == "RUNNING"
