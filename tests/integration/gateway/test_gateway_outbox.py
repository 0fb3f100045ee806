"""Index requests, sent by the gateway itself: at once, again, by another gateway, and at its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from support.gateway import ALIAS, Gateway, eventually, serving, settings
from support.process import Documents, NewJob, StoredJob
from tools.demo.indexer import Indexer


def finish(gateway: Gateway, job: StoredJob) -> None:
    for name in ("run", "finish"):
        assert gateway.post(job.event(name)).status_code == 200


def wanted(job: StoredJob) -> dict[str, Any]:
    return {"message": {"uuid": job.uuid, "name": "index", "token": job.token}}


@contextmanager
def another(uri: str, database: str, indexer: Indexer, **more: str) -> Iterator[Gateway]:
    with serving(settings(uri, database, pipelines__job_indexer_url=indexer.url, **more)) as running:
        yield running


def test_it_is_sent_after_the_answer(gateway: Gateway, job: StoredJob, indexer: Indexer) -> None:
    finish(gateway, job)
    eventually(lambda: job.stored()["_outbox"] == [])
    assert [request.body for request in indexer.received] == [wanted(job)]


def test_an_indexer_that_hangs_holds_no_event_up(mongodb_uri: str, database: Database[Any], new_job: NewJob) -> None:
    with Indexer() as indexer:
        indexer.delay = 3.0
        with another(mongodb_uri, database.name, indexer) as gateway:
            jobs = [new_job() for _ in range(8)]
            began = time.monotonic()
            for job in jobs:
                finish(gateway, job)
            assert time.monotonic() - began < 3.0  # not even one of eight was waited for
            eventually(lambda: len(indexer.received) >= 8, 60)
        assert sorted(request.body["message"]["uuid"] for request in indexer.received) == sorted(
            job.uuid for job in jobs
        )


def test_a_failure_is_tried_again(mongodb_uri: str, database: Database[Any], job: StoredJob) -> None:
    with Indexer(status=500) as indexer:
        with another(mongodb_uri, database.name, indexer, outbox__first_delay="0.2") as gateway:
            finish(gateway, job)
            eventually(lambda: len(indexer.received) >= 2)
            metrics = gateway.client.get("/metrics").text
            assert 'pipelinejobs_outbox_size{status="pending"} 1.0' in metrics
            indexer.status = 200
            eventually(lambda: job.stored()["_outbox"] == [])
        keys = {request.headers["Idempotency-Key"] for request in indexer.received}
        assert len(keys) == 1


def test_one_that_is_given_up_is_seen(mongodb_uri: str, database: Database[Any], job: StoredJob) -> None:
    with Indexer(status=500) as indexer:
        more = {"outbox__first_delay": "0.05", "outbox__attempts": "2"}
        with another(mongodb_uri, database.name, indexer, **more) as gateway:
            finish(gateway, job)
            eventually(lambda: [row["status"] for row in job.stored()["_outbox"]] == ["undelivered"])
            metrics = gateway.client.get("/metrics").text
            assert 'pipelinejobs_outbox_size{status="failed"} 1.0' in metrics
            assert 'pipelinejobs_outbox_attempts_total{outcome="failed"} 2.0' in metrics
            (owed,) = gateway.ask("GET", f"/jobs/{job.uuid}/explain").json()["result"]["owed"]
            assert owed["status"] == "undelivered"


@pytest.mark.promise("F8")
def test_several_gateways_share_the_work(mongodb_uri: str, database: Database[Any], new_job: NewJob) -> None:
    with Indexer() as indexer:
        jobs = [new_job() for _ in range(30)]
        with (
            another(mongodb_uri, database.name, indexer) as one,
            another(mongodb_uri, database.name, indexer) as other,
        ):
            for number, job in enumerate(jobs):
                finish((one, other)[number % 2], job)
            eventually(lambda: not database["jobs"].count_documents({"_outbox.0": {"$exists": True}}))
        received = [request.body["message"]["uuid"] for request in indexer.received]
        assert sorted(received) == sorted(job.uuid for job in jobs)


@pytest.mark.promise("F8")
def test_what_a_dead_gateway_held_is_sent_when_its_lease_is_over(
    gateway: Gateway, job: StoredJob, jobs: Documents, mongodb_uri: str, database: Database[Any]
) -> None:
    with Indexer(status=500) as down, another(mongodb_uri, database.name, down, outbox__first_delay="600") as dead:
        finish(dead, job)
        eventually(lambda: job.stored()["_outbox"][0]["error"])
    now = gateway.parts.store.outbox.now()
    lease = {"_outbox.0.holder": "dead", "_outbox.0.next": now + timedelta(seconds=1.5)}
    jobs.update_one({"uuid": job.uuid}, {"$set": lease})
    eventually(lambda: job.stored()["_outbox"] == [], 30)


def test_what_is_owed_when_it_ends_is_sent(mongodb_uri: str, database: Database[Any], new_job: NewJob) -> None:
    jobs = [new_job() for _ in range(10)]
    with Indexer() as indexer:
        indexer.delay = 0.3
        with another(mongodb_uri, database.name, indexer) as gateway:
            for job in jobs:
                finish(gateway, job)
        assert len(indexer.received) == 10
        assert not database["jobs"].count_documents({"_outbox.0": {"$exists": True}})


def test_without_the_indexers_address_nothing_is_sent(
    mongodb_uri: str, database: Database[Any], job: StoredJob
) -> None:
    with serving(settings(mongodb_uri, database.name)) as gateway:
        finish(gateway, job)
        assert [row["status"] for row in job.stored()["_outbox"]] == ["pending"]
        assert gateway.ask("GET", f"/actors/v2/{ALIAS}/messages").status_code == 200
