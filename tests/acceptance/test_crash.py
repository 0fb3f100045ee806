"""Processes that are killed, and Indexers that are dead, slow or rude: the index request arrives all the same."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.process import CheckedAbaco, NewJob, StoredJob, callback
from support.server import RudeServer, Script, answers, says, then_drips, then_hangs
from tools.demo.abaco import ROOT, Execution
from tools.demo.indexer import Indexer

SHORT = "1.5"
"""Seconds for the Indexer in these tests, so that a lease that a dead process holds is soon over."""
BOUND = 30.0
"""Seconds that no run may take, whatever the Indexer does."""

INDEXER_URL = "_REACTOR_PIPELINES_JOB_INDEXER_URL"
INDEXER_SECONDS = "_REACTOR_LIMITS_INDEXER"


@pytest.fixture
def silence() -> Iterator[RudeServer]:
    """An Indexer that reads the request and never answers."""
    with RudeServer(then_hangs()) as server:
        yield server


def url_of(server: RudeServer) -> str:
    return f"{server.url}/actors/v2/jobs-indexer.prod/messages"


def to(abaco: CheckedAbaco, url: str) -> CheckedAbaco:
    """The actor, deployed with another Indexer."""
    return abaco.configured(**{INDEXER_URL: url, INDEXER_SECONDS: SHORT, "_REACTOR_OUTBOX_FIRST_DELAY": "0.2"})


def send_and_kill(abaco: CheckedAbaco, job: StoredJob, *, once: RudeServer | None = None) -> None:
    """Finishes the job, and kills the process as soon as its verdict line is out; or when it waits for `once`."""
    process = abaco.start(callback("agave", "FINISHED"), job.url())
    assert process.stdout is not None
    verdict = json.loads(process.stdout.readline())
    until = time.monotonic() + BOUND
    while once is not None and not once.requests and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=BOUND)
    assert process.returncode == -signal.SIGKILL
    assert (verdict["verdict"], verdict["state"]) == ("applied", "FINISHED")
    assert [row["status"] for row in job.stored()["_outbox"]] == ["pending"]


def wait_for_the_lease(job: StoredJob) -> None:
    """Waits until the lease that the dead process holds, if it got so far, is over."""
    (row,) = job.stored()["_outbox"]
    if row.get("holder") is not None:
        time.sleep(max(0.0, row["next"].timestamp() - time.time()) + 0.1)


def drain(abaco: CheckedAbaco) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **abaco.environment}
    return subprocess.run(
        [sys.executable, "-m", "pipelinejobs", "drain", "--json", "--seconds", "30"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def arrived_once_under_the_same_key(job: StoredJob, indexer: Indexer, silence: RudeServer) -> None:
    (request,) = indexer.received
    assert request.body == {"message": {"uuid": job.uuid, "name": "index", "token": job.token}}
    assert {first.headers["idempotency-key"] for first in silence.requests} <= {request.headers["Idempotency-Key"]}
    assert not job.stored()["_outbox"]


@pytest.mark.promise("F6")
@pytest.mark.promise("F7")
@pytest.mark.promise("P8")
@pytest.mark.parametrize("reached", [False, True], ids=["killed after the verdict", "killed while the Indexer has it"])
class TestKilled:
    @pytest.fixture
    def owing(self, abaco: CheckedAbaco, job: StoredJob, silence: RudeServer, reached: bool) -> StoredJob:
        """A job whose finish was applied by a process that then died."""
        send_and_kill(to(abaco, url_of(silence)), job, once=silence if reached else None)
        wait_for_the_lease(job)
        return job

    def test_the_next_run_of_the_same_job_sends_it(
        self, abaco: CheckedAbaco, owing: StoredJob, indexer: Indexer, silence: RudeServer
    ) -> None:
        again = abaco.send(callback("agave", "FINISHED"), owing.url())
        assert again.verdict["verdict"] == "duplicate"
        arrived_once_under_the_same_key(owing, indexer, silence)

    def test_the_next_run_of_another_job_sends_it(
        self, abaco: CheckedAbaco, owing: StoredJob, new_job: NewJob, indexer: Indexer, silence: RudeServer
    ) -> None:
        assert abaco.send(new_job().event("run")).exit_code == 0
        arrived_once_under_the_same_key(owing, indexer, silence)

    def test_drain_sends_it(self, abaco: CheckedAbaco, owing: StoredJob, indexer: Indexer, silence: RudeServer) -> None:
        drained = drain(abaco)
        assert drained.returncode == 0, drained
        assert json.loads(drained.stdout)["sent"] == 1
        assert owing.token not in drained.stdout + drained.stderr
        arrived_once_under_the_same_key(owing, indexer, silence)


@pytest.mark.promise("F7")
def test_drain_waits_for_the_lease_of_a_dead_process(
    abaco: CheckedAbaco, job: StoredJob, indexer: Indexer, silence: RudeServer
) -> None:
    send_and_kill(to(abaco, url_of(silence)), job, once=silence)
    assert drain(abaco).returncode == 0
    arrived_once_under_the_same_key(job, indexer, silence)


@pytest.mark.promise("P8")
def test_a_process_killed_before_it_says_anything_has_done_all_or_nothing(abaco: CheckedAbaco, new_job: NewJob) -> None:
    for delay in (0.05, 0.15, 0.2, 0.25, 0.3):
        job = new_job()
        process = abaco.start(callback("agave", "FINISHED"), job.url())
        time.sleep(delay)
        process.kill()
        process.communicate()
        stored = job.stored()
        if stored["state"] == "CREATED":
            assert job.names == ["create"]
            assert "_outbox" not in stored
        else:
            assert job.names == ["create", "run", "finish"]
            assert stored["_properties"]["revision"] == 2
        assert abaco.send(callback("agave", "FINISHED"), job.url()).verdict["state"] == "FINISHED"
        assert job.names == ["create", "run", "finish"]


def finished_as_ever(run: Execution, job: StoredJob) -> None:
    assert (run.exit_code, run.verdict["verdict"], run.verdict["state"]) == (0, "applied", "FINISHED")
    (row,) = job.stored()["_outbox"]
    assert row["status"] == "pending"
    assert job.token not in repr(row)


@pytest.mark.promise("F9")
class TestAnIndexerThat:
    """Does not take the request: the event does not care, and the request stays owed."""

    TROUBLE: dict[str, Script] = {  # noqa: RUF012 - read only
        "answers 500": answers("500 Internal Server Error"),
        "answers 301": answers("301 Moved Permanently", Location="http://127.0.0.1:1/elsewhere"),
        "answers 429": answers("429 Too Many Requests", Retry_After="3600"),
        "answers 10 MB": answers("500 Internal Server Error", b"x" * 10_000_000),
        "closes at once": says(),
        "closes in the middle": says(b"HTTP/1.1 20"),
        "does not speak HTTP": says(b"220 mail.example.org ESMTP\r\n\0\xff\r\n\r\n"),
        "hangs": then_hangs(),
        "hangs in its headers": then_hangs(b"HTTP/1.1 200 OK\r\n"),
        "drips": then_drips(b"HTTP/1.1 ", b"2"),
    }

    @pytest.mark.parametrize("trouble", TROUBLE)
    def test_changes_neither_verdict_nor_exit_code(self, abaco: CheckedAbaco, job: StoredJob, trouble: str) -> None:
        with RudeServer(self.TROUBLE[trouble]) as rude:
            began = time.monotonic()
            run = to(abaco, url_of(rude)).send(callback("agave", "FINISHED"), job.url())
            assert time.monotonic() - began < BOUND
            finished_as_ever(run, job)
            assert rude.requests
            assert len({request.headers["idempotency-key"] for request in rude.requests}) == 1

    def test_is_not_there(self, abaco: CheckedAbaco, job: StoredJob, free_port: int) -> None:
        run = to(abaco, f"http://127.0.0.1:{free_port}/messages").send(callback("agave", "FINISHED"), job.url())
        finished_as_ever(run, job)

    def test_has_an_unknown_name(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        began = time.monotonic()
        run = to(abaco, "http://indexer.invalid/messages").send(callback("agave", "FINISHED"), job.url())
        assert time.monotonic() - began < BOUND
        finished_as_ever(run, job)

    def test_speaks_no_tls(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        with RudeServer(answers()) as rude:
            url = url_of(rude).replace("http:", "https:")
            finished_as_ever(to(abaco, url).send(callback("agave", "FINISHED"), job.url()), job)

    def test_hangs_even_with_the_default_limits(self, abaco: CheckedAbaco, job: StoredJob, silence: RudeServer) -> None:
        began = time.monotonic()
        run = abaco.configured(**{INDEXER_URL: url_of(silence)}).send(callback("agave", "FINISHED"), job.url())
        assert time.monotonic() - began < BOUND
        finished_as_ever(run, job)

    def test_takes_it_and_sends_10_mb_back(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        with RudeServer(answers("200 OK", b"x" * 10_000_000)) as rude:
            run = to(abaco, url_of(rude)).send(callback("agave", "FINISHED"), job.url())
            assert run.verdict["verdict"] == "applied"
            assert not job.stored()["_outbox"]
            assert len(rude.requests) == 1


@pytest.mark.parametrize("seconds", ["0.5", "1", "2"])
def test_a_short_limit_for_the_indexer_still_lets_messages_out(
    abaco: CheckedAbaco, job: StoredJob, indexer: Indexer, seconds: str
) -> None:
    abaco.configured(**{INDEXER_SECONDS: seconds}).send(callback("agave", "FINISHED"), job.url())
    assert len(indexer.received) == 1


@pytest.mark.promise("P4")
class TestIntents:
    def requests(self, indexer: Indexer) -> list[Any]:
        return [request.body["message"]["name"] for request in indexer.received]

    def test_one_for_finish_and_none_for_the_way_back(
        self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer
    ) -> None:
        for name in ("run", "finish", "finish", "indexed"):
            assert abaco.send(job.event(name)).exit_code == 0
        assert self.requests(indexer) == ["index"]

    def test_one_more_for_each_entry_into_indexing(self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer) -> None:
        for name in ("run", "finish", "index", "index", "indexed", "index"):
            assert abaco.send(job.event(name)).exit_code == 0
        assert self.requests(indexer) == ["index"] * 3
        assert len({request.headers["Idempotency-Key"] for request in indexer.received}) == 3

    def test_none_for_a_job_that_fails(self, abaco: CheckedAbaco, job: StoredJob, indexer: Indexer) -> None:
        abaco.send(callback("agave", "FAILED"), job.url())
        abaco.send(callback("agave", "FINISHED"), job.url())
        assert indexer.received == []
        assert not job.stored().get("_outbox")
