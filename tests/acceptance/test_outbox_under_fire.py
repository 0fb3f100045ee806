"""The index request with a faulty Indexer, and with senders that freeze: it arrives, or is shown as failed."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo.database import Database

from support.dump import dump
from support.gateway import Gateway, eventually, serving, settings
from support.process import NewJob, StoredJob, environment
from support.served import ROOT, gateway_environment, served
from support.server import RudeServer, Script, answers, says, then_drips, then_hangs

pytestmark = pytest.mark.promise("F9")

SHORT: Final = {"limits__indexer": "0.6", "outbox__first_delay": "0.2", "outbox__longest_delay": "0.4"}
TROUBLE: Final[dict[str, Script]] = {
    "answers 500": answers("500 Internal Server Error"),
    "answers 301": answers("301 Moved Permanently", Location="http://127.0.0.1:1/elsewhere"),
    "answers 429": answers("429 Too Many Requests", Retry_After="1"),
    "answers 500 and 10 MB": answers("500 Internal Server Error", b"x" * 10_000_000),
    "closes at once": says(),
    "closes half-way": says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "hangs": then_hangs(),
    "hangs in its headers": then_hangs(b"HTTP/1.1 200 OK\r\n"),
    "drips": then_drips(b"HTTP/1.1 ", b"2"),
}


class Moody:
    """An Indexer's script that can be changed while it serves."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        self.script(connection, over)


def finish(gateway: Gateway, job: StoredJob) -> None:
    for name in ("run", "finish"):
        assert gateway.post(job.event(name)).json()["result"]["verdict"] == "applied"


def one_key(indexer: RudeServer) -> None:
    """Checks that all received requests are the same message."""
    assert len({(request.headers["idempotency-key"], request.body) for request in indexer.requests}) == 1


@pytest.mark.promise("P4")
@pytest.mark.parametrize("trouble", TROUBLE)
def test_in_the_end_it_arrives(mongodb_uri: str, database: Database[Any], new_job: NewJob, trouble: str) -> None:
    mood = Moody(TROUBLE[trouble])
    with RudeServer(mood) as indexer:
        own = settings(mongodb_uri, database.name, pipelines__job_indexer_url=f"{indexer.url}/messages", **SHORT)
        with serving(own) as gateway:
            job, other = new_job(), new_job()
            finish(gateway, job)
            row = eventually(lambda: next((row for row in job.stored()["_outbox"] if row["error"]), None))
            assert row["status"] == "pending"
            assert job.token not in repr(row)
            for _ in range(5):  # others are not held up
                assert gateway.post(other.event("update")).status_code == 200
            mood.script = answers()
            eventually(lambda: job.stored()["_outbox"] == [])
        one_key(indexer)


def test_a_receiver_that_asks_for_time_gets_it(mongodb_uri: str, database: Database[Any], new_job: NewJob) -> None:
    came: list[float] = []

    def script(connection: socket.socket, over: threading.Event) -> None:
        came.append(time.monotonic())
        busy = answers("429 Too Many Requests", Retry_After="3")
        (busy if len(came) == 1 else answers())(connection, over)

    with RudeServer(script) as indexer:
        own = settings(mongodb_uri, database.name, pipelines__job_indexer_url=f"{indexer.url}/messages", **SHORT)
        with serving(own) as gateway:
            job = new_job()
            finish(gateway, job)
            eventually(lambda: job.stored()["_outbox"] == [])
    assert came[1] - came[0] >= 3


def command(variables: Mapping[str, str], *words: str) -> Any:
    """What an operator's command prints with --json."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelinejobs", *words, "--json"],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (0, 1), done
    return json.loads(done.stdout)


def test_a_dead_letter_is_seen_everywhere_and_comes_home(
    mongodb_uri: str, database: Database[Any], new_job: NewJob
) -> None:
    mood = Moody(answers("500 Internal Server Error"))
    with RudeServer(mood) as indexer:
        url = f"{indexer.url}/messages"
        own = settings(mongodb_uri, database.name, pipelines__job_indexer_url=url, **SHORT, outbox__attempts="2")
        variables = environment(mongodb_uri, database.name, _REACTOR_PIPELINES_JOB_INDEXER_URL=url)
        with serving(own) as gateway:
            job, sound = new_job(), new_job()
            assert gateway.post(sound.event("run")).status_code == 200
            finish(gateway, job)
            eventually(lambda: [row["status"] for row in job.stored()["_outbox"]] == ["undelivered"])
            assert len(indexer.requests) == 2

            shown = gateway.ask("GET", f"/jobs/{job.uuid}/explain").json()["result"]["owed"]
            assert [row["status"] for row in shown] == ["undelivered"]
            assert 'pipelinejobs_outbox_size{status="failed"} 1.0' in gateway.client.get("/metrics").text
            assert [row["status"] for row in command(variables, "explain", job.uuid)["owed"]] == ["undelivered"]
            assert job.uuid in json.dumps(command(variables, "jobs", "--undelivered"))
            assert sound.uuid not in json.dumps(command(variables, "jobs", "--undelivered"))
            doctor = command(variables, "doctor")
            assert any(one["what"] == "outbox" and one["level"] == "wrong" for one in doctor["findings"])

            mood.script = answers()
            assert command(variables, "drain")["sent"] == 1
            assert job.stored()["_outbox"] == []
            assert 'pipelinejobs_outbox_size{status="failed"} 0.0' in gateway.client.get("/metrics").text
        assert command(variables, "jobs", "--undelivered") == []
        one_key(indexer)


@pytest.mark.promise("F8")
@pytest.mark.promise("F3")
@pytest.mark.parametrize("late", ["200 OK", "500 Internal Server Error"])
def test_a_holder_that_was_frozen_past_its_lease_changes_nothing(
    mongodb_uri: str, database: Database[Any], new_job: NewJob, tmp_path: Path, late: str
) -> None:
    """It wakes up to an answer that it waited for. By then another has delivered the message; a new one is owed."""
    released = threading.Event()

    def first_waits(connection: socket.socket, over: threading.Event) -> None:
        if len(indexer.requests) == 1:
            released.wait(60)
            answers(late)(connection, over)
        else:
            answers()(connection, over)

    job = new_job()
    with RudeServer(first_waits) as indexer:
        url = f"{indexer.url}/messages"
        variables = gateway_environment(
            mongodb_uri,
            database.name,
            _REACTOR_PIPELINES_JOB_INDEXER_URL=url,
            _REACTOR_LIMITS_INDEXER="3",
        )
        with served(variables, tmp_path) as frozen:
            for name in ("run", "finish"):
                assert frozen.post(job.event(name)).status_code == 200
            eventually(lambda: indexer.requests)
            os.kill(frozen.process.pid, signal.SIGSTOP)
            (held,) = job.stored()["_outbox"]
            assert held["holder"]
            own = settings(mongodb_uri, database.name, pipelines__job_indexer_url=url, **SHORT)
            with serving(own) as awake:
                eventually(lambda: job.stored()["_outbox"] == [], 30)
                assert awake.post(job.event("index")).status_code == 200
                eventually(lambda: len(indexer.requests) == 3)
            before = job.stored()
            os.kill(frozen.process.pid, signal.SIGCONT)
            released.set()
            assert frozen.end() == 0
        assert job.stored() == before
        keys = [request.headers["idempotency-key"] for request in indexer.requests]
        assert keys[0] == keys[1] != keys[2]
        assert job.token not in dump(database)
