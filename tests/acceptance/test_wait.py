"""Waiting in whole processes: the command over a restart of MongoDB and on a terminal, and a gateway that ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo import MongoClient
from pymongo.database import Database

from pipelinejobs.client import Job
from pipelinejobs.mongod import Mongod
from support import datacatalog
from support.gateway import ALIAS, TOKENS, eventually
from support.process import StoredJob, insert_job
from support.served import gateway_environment, served
from support.terminal import CTRL_C, ROOT, SECONDS, terminal

WAIT: Final = (sys.executable, "-m", "pipelinejobs", "wait")


@pytest.fixture
def variables(mongodb_uri: str, database: Database[Any]) -> dict[str, str]:
    return {"_REACTOR_MONGODB_URI": mongodb_uri, "_REACTOR_MONGODB_DATABASE": database.name}


class Command:
    """The command as it runs, with the lines on stderr so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def wait_for(self, text: str) -> None:
        eventually(lambda: text in "".join(self.lines) or self.process.poll() is not None, SECONDS)
        assert text in "".join(self.lines)

    def end(self) -> tuple[int, str]:
        """Its exit code, and its stdout."""
        assert self.process.stdout is not None
        return self.process.wait(SECONDS), self.process.stdout.read()


@contextmanager
def waiting(variables: Mapping[str, str], *arguments: str) -> Iterator[Command]:
    process = subprocess.Popen(
        [*WAIT, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    command = Command(process)
    try:
        yield command
    finally:
        process.kill()
        process.wait()
        command.reader.join()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def test_over_a_restart_of_mongodb(nothing_left: None, embedded: Mongod) -> None:
    uri = embedded.start().uri
    variables = {"_REACTOR_MONGODB_URI": uri, "_REACTOR_MONGODB_DATABASE": "waited"}
    with MongoClient[dict[str, Any]](uri, timeoutMS=20_000) as client:
        job = insert_job(client["waited"]["jobs"])
        with waiting(variables, job.uuid, "--until", "FINISHED") as command:
            command.wait_for("now CREATED")
            assert embedded.stop()
            command.wait_for("the command goes on waiting")
            assert embedded.start().uri == uri
            datacatalog.writes(job, "run")
            command.wait_for("now RUNNING")
            datacatalog.writes(job, "finish")
            assert command.end() == (0, "FINISHED\n")
            assert "".join(command.lines).count("goes on waiting") == 1
    assert embedded.stop()


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_ends_it(variables: dict[str, str], job: StoredJob, number: signal.Signals, expected: int) -> None:
    with waiting(variables, job.uuid) as command:
        command.wait_for("now CREATED")
        command.process.send_signal(number)
        assert command.end() == (expected, "")
        assert "Traceback" not in "".join(command.lines)


def test_on_a_terminal(variables: dict[str, str], job: StoredJob) -> None:
    with terminal((*WAIT, job.uuid), variables) as seen:
        seen.wait_for("now CREATED")
        seen.wait_for("0:00:0")
        datacatalog.writes(job, "run")
        seen.wait_for("now RUNNING")
        datacatalog.writes(job, "finish")
        assert seen.end() == 0
        assert seen.printed == "FINISHED\n"
        assert seen.is_whole


def test_ctrl_c_on_a_terminal(variables: dict[str, str], job: StoredJob) -> None:
    with terminal((*WAIT, job.uuid), variables) as seen:
        seen.wait_for("now CREATED")
        seen.press(CTRL_C)
        assert seen.end() == 130
        assert seen.printed == ""
        assert seen.is_whole


def test_a_gateway_that_ends_answers_its_waiters(
    mongodb_uri: str, database: Database[Any], job: StoredJob, tmp_path: Path
) -> None:
    """It does not wait for them, however long it may drain, and its log shows no token of their URLs."""
    headers = {"Authorization": f"Bearer {TOKENS['EXECUTE']}"}
    variables = gateway_environment(mongodb_uri, database.name, _REACTOR_LIMITS_DRAIN="600")

    def ask(url: str) -> httpx.Response:
        query: dict[str, Any] = {"until": "FINISHED", "wait": 50, "token": job.token}
        return httpx.get(f"{url}/jobs/{job.uuid}", params=query, headers=headers, timeout=90, trust_env=False)

    def waiters(url: str) -> bool:
        return "\npipelinejobs_waiters 20.0\n" in httpx.get(f"{url}/metrics", trust_env=False).text

    with served(variables, tmp_path) as gateway, ThreadPoolExecutor(20) as threads:
        asked = [threads.submit(ask, gateway.url) for _ in range(20)]
        eventually(lambda: waiters(gateway.url), SECONDS)
        began = time.monotonic()
        assert gateway.end() == 0
        answers = [one.result(SECONDS) for one in asked]
        assert [answer.json()["result"]["reached"] for answer in answers] == [False] * 20
        assert time.monotonic() - began < 50, "sooner than the wait of any of them"
        assert job.token not in gateway.log.read_text()


@pytest.mark.promise("P10")
def test_a_client_misses_nothing_over_the_death_of_the_gateway(
    mongodb_uri: str, database: Database[Any], job: StoredJob, tmp_path: Path, free_port: int
) -> None:
    """The job is finished and left that state again while the gateway is away."""
    variables = gateway_environment(mongodb_uri, database.name) | {"_REACTOR_GATEWAY_PORT": str(free_port)}
    datacatalog.writes(job, "run")
    sender = Job(f"http://127.0.0.1:{free_port}/actors/v2/{ALIAS}/messages", job.uuid, job.token, bearer=TOKENS["READ"])

    def waiters(url: str) -> bool:
        return "\npipelinejobs_waiters 1.0\n" in httpx.get(f"{url}/metrics", trust_env=False).text

    with ThreadPoolExecutor(1) as thread:
        with served(variables, tmp_path) as gateway:
            waited = thread.submit(sender.wait, ["FINISHED"], SECONDS)
            eventually(lambda: waiters(gateway.url), SECONDS)
            gateway.end(signal.SIGKILL)
        for event in ("finish", "index", "indexed", "validate"):
            datacatalog.writes(job, event)
        with served(variables, tmp_path):
            found = waited.result(SECONDS)
    assert (found.state, found.reached, found.never) == ("VALIDATING", True, False)
