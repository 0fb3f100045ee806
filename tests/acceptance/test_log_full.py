"""No disk space for log lines or the verdict line: events are applied all the same, and the exit code is right."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import httpx
import pytest
from pymongo.database import Database

from support.disk import small_disk
from support.gateway import eventually, grants
from support.process import CheckedAbaco, Documents, NewJob, StoredJob, environment, insert_job
from support.served import SECONDS, Served
from tools.demo.abaco import ROOT
from tools.demo.indexer import Indexer

pytestmark = [pytest.mark.promise("F11"), pytest.mark.promise("P1")]

FULL: Final = Path("/dev/full")
UNKNOWN: Final = "1073f4ff-c2b9-5190-bd9a-e6a406d9796a"


@pytest.fixture(autouse=True)
def _full() -> None:
    if not FULL.is_char_device():
        pytest.skip("there is no /dev/full here")


def run(abaco: CheckedAbaco, body: dict[str, Any], *streams: str) -> int:
    """The exit code of one message's process whose streams of these names take nothing."""
    with FULL.open("w") as full:
        return subprocess.run(
            [sys.executable, "-Es", str(ROOT / "reactor.py")],
            env=abaco.variables(body, {}),
            stdin=subprocess.DEVNULL,
            stdout=full if "stdout" in streams else subprocess.DEVNULL,
            stderr=full if "stderr" in streams else subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        ).returncode


@pytest.mark.parametrize("streams", [("stderr",), ("stdout",), ("stdout", "stderr")])
def test_one_shot(abaco: CheckedAbaco, new_job: NewJob, indexer: Indexer, streams: tuple[str, ...]) -> None:
    loud = abaco.configured(_REACTOR_LOGS_LEVEL="DEBUG")
    job = new_job()
    assert run(loud, job.event("run", {"note": "n" * 9000}), *streams) == 0
    assert run(loud, job.event("finish"), *streams) == 0
    assert job.names == ["create", "run", "finish"]
    assert job.stored()["_outbox"] == []
    assert [one.body["message"]["uuid"] for one in indexer.received] == [job.uuid]
    assert run(loud, job.event("run"), *streams) == 70
    assert run(loud, job.event("update", token="0" * 16), *streams) == 77
    assert run(loud, job.event("no-such-event"), *streams) == 65
    assert run(loud.configured(_REACTOR_OUTBOX_ATTEMPTS="many"), job.event("update"), *streams) == 78
    assert job.names == ["create", "run", "finish"]


def test_one_shot_while_mongodb_is_away(abaco: CheckedAbaco, new_job: NewJob, free_port: int) -> None:
    away = {"_REACTOR_MONGODB_AUTHN": "", "_REACTOR_MONGODB_URI": f"mongodb://127.0.0.1:{free_port}/"}
    short = {"_REACTOR_LIMITS_DATABASE": "1", "_REACTOR_LIMITS_ONE_SHOT": "5"}
    assert run(abaco.configured(**away, **short), new_job().event("run"), "stdout", "stderr") == 75


@pytest.mark.parametrize(
    ("arguments", "stream", "exit_code"),
    [
        (["jobs"], "stderr", 0),
        (["show", UNKNOWN], "stderr", 1),
        (["show"], "stderr", 2),
        (["serve", "--port", "many"], "stderr", 78),
        (["jobs"], "stdout", 1),
    ],
)
def test_commands(abaco: CheckedAbaco, arguments: list[str], stream: str, exit_code: int) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pipelinejobs", *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **abaco.environment},
            stdout=full if stream == "stdout" else subprocess.PIPE,
            stderr=full if stream == "stderr" else subprocess.PIPE,
            timeout=SECONDS,
            check=False,
            text=True,
        )
    assert done.returncode == exit_code
    assert "Traceback" not in (done.stdout or "") + (done.stderr or "")
    if stream == "stdout":
        assert done.stderr == "the result cannot be written: No space left on device\n"


@contextmanager
def gateway_on(port: int, variables: dict[str, str], stdout: IO[str], stderr: IO[str]) -> Iterator[Served]:
    """A gateway with these streams. It cannot print its address, so the port is given."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelinejobs", "serve"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables, "_REACTOR_GATEWAY_PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
    )
    try:
        served = Served(process, f"http://127.0.0.1:{port}", [], FULL)

        def is_ready() -> bool:
            assert process.poll() is None, "the gateway has ended"
            with suppress(httpx.TransportError):
                return httpx.get(f"{served.url}/readyz", trust_env=False).status_code == 200
            return False

        eventually(is_ready, SECONDS)
        yield served
    finally:
        process.kill()
        process.wait()


class TestGateway:
    @pytest.fixture
    def variables(self, mongodb_uri: str, database: Database[Any], indexer: Indexer) -> dict[str, str]:
        return environment(
            mongodb_uri,
            database.name,
            _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url,
            _REACTOR_GATEWAY_TOKENS=grants(),
            _REACTOR_LOGS_LEVEL="DEBUG",
            _REACTOR_OUTBOX_FIRST_DELAY="0.2",
        )

    def sends(self, gateway: Served, job: StoredJob, begin: int) -> list[int]:
        """Sends some events, which must all be taken, and refusals among them; returns the numbers of those taken."""
        numbers = list(range(begin, begin + 20))
        for number in numbers:
            answer = gateway.post(job.event("update", {"n": number}), x_event_id=f"{number}")
            assert answer.json()["result"]["verdict"] == "applied"
            assert gateway.post(job.event("index")).status_code == 409
        return numbers

    @pytest.mark.parametrize("streams", [("stderr",), ("stdout", "stderr")])
    def test_from_the_start(
        self, variables: dict[str, str], jobs: Documents, free_port: int, indexer: Indexer, streams: tuple[str, ...]
    ) -> None:
        job = insert_job(jobs)
        with FULL.open("w") as full, open(os.devnull, "w") as nowhere:  # noqa: PTH123
            stdout, stderr = (full if name in streams else nowhere for name in ("stdout", "stderr"))
            with gateway_on(free_port, variables, stdout, stderr) as gateway:
                taken = self.sends(gateway, job, 0)
                assert gateway.post(job.event("run")).status_code == 200
                assert gateway.post(job.event("finish")).status_code == 200
                eventually(lambda: not job.stored()["_outbox"])
                assert gateway.end() == (1 if "stdout" in streams else 0)
        assert [entry["data"]["n"] for entry in job.stored()["history"][1:-2]] == taken
        assert [one.body["message"]["uuid"] for one in indexer.received] == [job.uuid]

    def test_a_disk_that_fills_up(
        self, variables: dict[str, str], jobs: Documents, free_port: int, tmp_path: Path
    ) -> None:
        job = insert_job(jobs)
        with small_disk(tmp_path, "1m") as disk:
            log = disk.seen / "gateway.log"
            with log.open("a") as stderr, open(os.devnull, "w") as nowhere:  # noqa: PTH123
                with gateway_on(free_port, variables, nowhere, stderr) as gateway:
                    taken = self.sends(gateway, job, 0)
                    disk.fill()
                    written = log.stat().st_size
                    taken += self.sends(gateway, job, 100)
                    assert log.stat().st_size - written < 4096  # what was left of its last page
                    disk.empty()
                    taken += self.sends(gateway, job, 200)
                    assert gateway.end() == 0
                newest = json.loads(log.read_text().splitlines()[-1])
                assert newest["job"] == job.uuid
        assert [entry["data"]["n"] for entry in job.stored()["history"][1:]] == taken
