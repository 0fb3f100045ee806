"""MongoDB is unreachable while messages arrive, each once: none is lost, although Abaco ignores exit codes."""

import base64
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from pipelinejobs.mongod import Mongod
from pipelinejobs.service.requeue import COUNT
from support.process import CheckedAbaco, Document, StoredJob, callback, insert_job
from support.queues import ACCESS_TOKEN, ActorQueue
from support.server import RudeServer, answers
from tools.demo.abaco import Execution

pytestmark = pytest.mark.promise("F20")

MESSAGES = 100
FROZEN_SECONDS = 60.0
"""The figures of the fault list."""


def nowhere(abaco: CheckedAbaco, free_port: int, **settings: str) -> CheckedAbaco:
    """The actor over a server that is not there."""
    uri = base64.urlsafe_b64encode(f"mongodb://127.0.0.1:{free_port}/".encode()).decode()
    short = {"_REACTOR_LIMITS_DATABASE": "0.5", "_REACTOR_REQUEUE_LONGEST_DELAY": "0.1"}
    return abaco.configured(_REACTOR_MONGODB_AUTHN=uri, **short, **settings)


@pytest.fixture
def away(abaco: CheckedAbaco, free_port: int) -> CheckedAbaco:
    return nowhere(abaco, free_port)


@pytest.fixture
def queue() -> Iterator[ActorQueue]:
    """An actors API with one worker."""
    with ActorQueue(workers=1) as running:
        yield running


def lost(execution: Execution) -> dict[str, Any]:
    """The one loud line of a run that gave its message up."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in execution.stderr.splitlines()]
    (line,) = [line for line in lines if line["message"].startswith("a message is lost")]
    assert line["level"] == "CRITICAL"
    return line


def is_silent(execution: Execution) -> bool:
    return "a message is lost" not in execution.stderr


def test_a_message_comes_back_until_it_is_applied(
    abaco: CheckedAbaco, away: CheckedAbaco, job: StoredJob, queue: ActorQueue
) -> None:
    first = queue.runs(away).send(job.event("run", {"node": "c401"}), execution="firstRun")
    assert (first.exit_code, first.verdict["verdict"]) == (75, "unavailable")
    assert "requeued: it is in the actor's own queue again (time 1 of at most 100)" in first.verdict["reason"]
    assert is_silent(first)
    queue.runs(abaco)  # by now the message has failed once more, or will find the server back
    queue.wait()
    assert queue.executions[-1].verdict["verdict"] == "applied"
    assert job.names == ["create", "run"]
    assert job.last["data"] == {"node": "c401"}
    assert {given["x_event_id"] for given in queue.parameters} == {"execution:firstRun"}
    assert [given[COUNT] for given in queue.parameters] == [str(n + 1) for n in range(len(queue.parameters))]
    # The delivery that Abaco had made first, and a sender that sends it again, are known as the same event.
    assert abaco.send(job.event("run", {"node": "c401"}), execution="firstRun").verdict["verdict"] == "duplicate"


@pytest.mark.promise("S1")
def test_a_message_without_a_token_is_not_sent_under_our_name(
    away: CheckedAbaco, abaco: CheckedAbaco, job: StoredJob, queue: ActorQueue
) -> None:
    run = queue.runs(away).send({"uuid": job.uuid, "name": "indexed"})
    assert "no token" in run.verdict["reason"]
    assert json.loads(lost(run)["send_message"]) == {"uuid": job.uuid, "name": "indexed"}
    assert not queue.parameters


def test_it_ends_loudly_with_all_that_is_needed(
    away: CheckedAbaco, abaco: CheckedAbaco, job: StoredJob, queue: ActorQueue
) -> None:
    data = {"text": "ü" * 5000, "password": "hunter2"}
    queue.runs(away.configured(_REACTOR_REQUEUE_ATTEMPTS="2")).send(data, {**job.url("update"), "x_event_id": "mine"})
    queue.wait()
    last = queue.executions[-1]
    assert "it was already requeued 2 times" in last.verdict["reason"]
    line = lost(last)
    assert job.token not in last.stderr
    assert "hunter2" not in last.stderr
    parameters = json.loads(line["send_parameters"]) | {"token": job.token}
    assert parameters["x_event_id"] == "mine"
    sent = abaco.send(json.loads(line["send_message"]), parameters)
    assert sent.verdict["verdict"] == "applied"
    assert job.last["data"]["text"] == data["text"]


def test_a_queue_that_refuses_is_logged_at_critical(away: CheckedAbaco, job: StoredJob, queue: ActorQueue) -> None:
    queue.status = 500
    run = queue.runs(away.configured(_REACTOR_LIMITS_ONE_SHOT="4")).send(callback("agave", "FINISHED"), job.url())
    assert (run.exit_code, run.verdict["verdict"]) == (75, "unavailable")
    assert "answered 500" in run.verdict["reason"]
    assert json.loads(lost(run)["send_parameters"])["uuid"] == job.uuid


def test_a_missing_queue_is_logged_at_critical(away: CheckedAbaco, job: StoredJob) -> None:
    run = away.send(job.event("run"))
    assert "not an actor of an Abaco with an actors API" in run.verdict["reason"]
    lost(run)


def test_what_is_refused_anyway_is_neither(away: CheckedAbaco, queue: ActorQueue) -> None:
    run = queue.runs(away).send({"uuid": "x", "name": "run"})
    assert run.verdict["verdict"] == "malformed"
    assert is_silent(run)
    assert not queue.parameters


@pytest.mark.promise("S13")
def test_no_caller_makes_us_show_our_nonce_to_another_actor(
    away: CheckedAbaco, job: StoredJob, queue: ActorQueue
) -> None:
    """Without job_manager_nonce, the message goes to the actor's own id, which Abaco sets last, with Abaco's token."""
    steered = {"_REACTOR_PIPELINES_JOB_MANAGER_ID": "evil.actor", "_abaco_actor_id": "evil.actor"}
    run = queue.runs(away).send(job.event("run"), steered)
    assert "requeued: " in run.verdict["reason"]


def test_with_a_nonce_of_its_alias_it_goes_there(away: CheckedAbaco, job: StoredJob) -> None:
    with RudeServer(answers()) as api:
        names = {"_abaco_api_server": api.url, "_abaco_access_token": ACCESS_TOKEN}
        actor = CheckedAbaco(environment=away.environment, names=names, hidden=away.hidden)
        nonce = "SD2E_canaryOwnNonce7"
        actor.hidden.add(nonce)
        run = actor.configured(_REACTOR_PIPELINES_JOB_MANAGER_NONCE=nonce).send(job.event("run"))
    assert "requeued: " in run.verdict["reason"]
    (request,) = api.requests
    assert request.path == "/actors/v2/jobs-manager.prod/messages"
    assert request.query["x-nonce"] == [nonce]
    assert "authorization" not in request.headers  # the nonce would not count beside it


@pytest.mark.promise("P1")
def test_a_hundred_messages_while_the_server_is_frozen_for_a_minute(
    nothing_left: None, abaco: CheckedAbaco, embedded: Mongod
) -> None:
    """With the limits as they are by default, and each message delivered once."""
    server = embedded.start()
    uri = base64.urlsafe_b64encode(server.uri.encode()).decode()
    with (
        MongoClient[Document](server.uri, timeoutMS=10_000) as client,
        ActorQueue(workers=34) as queue,
    ):
        job = insert_job(client["frozen"]["jobs"])
        abaco.hidden.add(job.token)
        actor = queue.runs(abaco.configured(_REACTOR_MONGODB_AUTHN=uri, _REACTOR_MONGODB_DATABASE="frozen"))
        os.kill(server.pid, signal.SIGSTOP)
        frozen_until = time.monotonic() + FROZEN_SECONDS
        try:
            for number in range(MESSAGES):
                if number % 2:
                    queue.put(job.event("update", {"number": number}), {})
                else:
                    queue.put({"number": number}, job.url("update"))
            time.sleep(max(0.0, frozen_until - time.monotonic()))
        finally:
            os.kill(server.pid, signal.SIGCONT)
        queue.wait()
        for execution in queue.executions:
            actor.check(execution)
            assert is_silent(execution)
        numbers = [entry["data"]["number"] for entry in job.stored()["history"][1:]]
        assert sorted(numbers) == list(range(MESSAGES))
        assert len(queue.parameters) >= MESSAGES  # every one of them was delivered while the server was away
