"""Events of jobs that this project made: the gateway checks some seconds later that they were not undone."""

from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.core.tokens import token_hash
from pipelinejobs.gateway.tasks import applied_watch
from support import datacatalog
from support.gateway import Gateway, eventually, serving, settings
from support.process import NewJob, StoredJob

pytestmark = pytest.mark.promise("P11")


@pytest.fixture
def own(new_job: NewJob) -> StoredJob:
    """A job as `create` makes it."""
    job = new_job()
    seen = {"_life": job.last["uuid"], "_tokens": [token_hash(job.uuid, job.token)], "_alone": True}
    job.jobs.update_one({"uuid": job.uuid}, {"$set": seen})
    return job


def run(gateway: Gateway, job: StoredJob) -> None:
    assert gateway.post(job.event("run")).status_code == 200


def test_one_that_another_program_undoes_is_applied_again(gateway: Gateway, own: StoredJob) -> None:
    datacatalog.writes(own, "update", "CREATED", at_the_end=lambda: run(gateway, own))
    assert own.names == ["create", "update"]
    eventually(lambda: own.names == ["create", "update", "run"], 60)


def test_a_large_one_is_in_the_journal_before_the_answer(
    gateway: Gateway, database: Database[Any], own: StoredJob
) -> None:
    assert gateway.post(own.event("run", {"text": "x" * 20_000})).status_code == 200
    assert [row["job"] for row in database["jobs_journal"].find()] == [own.uuid]


def test_a_gateway_that_ends_leaves_them_to_the_others(
    mongodb_uri: str, database: Database[Any], own: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applied_watch, "_SECONDS", (3600.0, 3600.0))
    with serving(settings(mongodb_uri, database.name)) as gateway:
        run(gateway, own)
        assert not database["jobs_journal"].count_documents({})
    assert [row["job"] for row in database["jobs_journal"].find()] == [own.uuid]
