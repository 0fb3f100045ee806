"""The gateway as a process: `serve` and `make run`, from its start to any kind of end."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from pipelinejobs.mongod import Mongod
from support.gateway import eventually
from support.process import Documents, StoredJob, insert_job
from support.served import ROOT, SECONDS, Served, gateway_environment, served
from tools.demo.indexer import Indexer


@pytest.fixture
def variables(mongodb_uri: str, database: Database[Any], indexer: Indexer) -> dict[str, str]:
    return gateway_environment(
        mongodb_uri,
        database.name,
        _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url,
        _REACTOR_OUTBOX_FIRST_DELAY="0.2",
    )


@pytest.fixture
def sent(jobs: Documents) -> StoredJob:
    """A job whose token may be shown to the gateway."""
    return insert_job(jobs)


def test_it_serves_and_ends_well(
    variables: dict[str, str], tmp_path: Path, sent: StoredJob, nothing_left: None
) -> None:
    with served(variables, tmp_path) as gateway:
        assert httpx.get(f"{gateway.url}/readyz").status_code == 200
        assert gateway.post(sent.event("run")).json()["result"]["verdict"] == "applied"
        assert gateway.end() == 0
        lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
        assert [line["verdict"] for line in lines if "verdict" in line] == ["applied"]
        assert sent.token not in gateway.log.read_text()


@pytest.mark.promise("P10")
@pytest.mark.parametrize(("limit", "told"), [("-Sn 256", False), ("-n 400", True)])
def test_it_raises_the_soft_limit_of_open_files(
    variables: dict[str, str], tmp_path: Path, limit: str, *, told: bool
) -> None:
    command = f'ulimit {limit} && exec "$0" -m pipelinejobs serve'
    with served(variables, tmp_path, command=("sh", "-c", command, sys.executable)) as gateway, ExitStack() as ends:
        address = (httpx.URL(gateway.url).host, httpx.URL(gateway.url).port or 0)
        for _ in range(300):
            ends.enter_context(socket.create_connection(address, timeout=20)).sendall(b"GET /healthz HTTP/1.1\r\n")
        assert httpx.get(f"{gateway.url}/readyz", timeout=20).status_code == 200
        assert ("limit of open files" in gateway.log.read_text()) is told


@pytest.mark.promise("F15")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_finished(variables: dict[str, str], tmp_path: Path, sent: StoredJob, number: int) -> None:
    acknowledged: list[str] = []
    refused = threading.Event()
    with served(variables, tmp_path) as gateway:

        def send(lane: int) -> None:
            for count in range(10_000):
                event_id = f"{lane}-{count}"
                try:
                    answer = gateway.post(sent.event("update", {"id": event_id}), x_event_id=event_id)
                except httpx.ConnectError:
                    return refused.set()
                except httpx.TransportError as error:  # a line that was cut would be an answer that was lost
                    acknowledged.append(f"cut: {error!r}")
                    return refused.set()
                if answer.status_code != 200:
                    return refused.set()
                acknowledged.append(event_id)
            return None

        threads = [threading.Thread(target=send, args=(lane,)) for lane in range(6)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(acknowledged) > 50)
        assert gateway.end(number) == 0
        for thread in threads:
            thread.join(SECONDS)
        assert refused.is_set()
    stored = {entry["data"]["id"] for entry in sent.stored()["history"] if entry["name"] == "update"}
    assert stored == set(acknowledged)


@pytest.mark.promise("F15")
def test_killed_under_load_it_loses_nothing_that_it_has_answered(
    variables: dict[str, str], tmp_path: Path, jobs: Documents, indexer: Indexer
) -> None:
    jobs_sent = [insert_job(jobs) for _ in range(4)]
    acknowledged: set[tuple[str, str]] = set()

    def send(gateway: Served, job: StoredJob, round_: int) -> None:
        try:
            for count in range(1000):
                name = "finish" if count == 40 else "update" if count else "run"
                event_id = f"{round_}-{count}"
                answer = gateway.post(job.event(name), x_event_id=event_id)
                if answer.status_code == 200:
                    acknowledged.add((job.uuid, event_id))
                elif answer.status_code == 409:
                    return
        except httpx.TransportError:
            return

    for round_ in range(4):
        with served(variables, tmp_path) as gateway:
            threads = [threading.Thread(target=send, args=(gateway, job, round_)) for job in jobs_sent]
            before = len(acknowledged)
            for thread in threads:
                thread.start()
            eventually(lambda: len(acknowledged) >= before + 20 * (round_ < 1) + 4 or not any(map(alive, threads)))  # noqa: B023
            gateway.end(signal.SIGKILL)
            for thread in threads:
                thread.join(SECONDS)
    with served(variables, tmp_path) as gateway:
        for uuid, event_id in acknowledged:
            job = next(job for job in jobs_sent if job.uuid == uuid)
            name = "finish" if event_id.endswith("-40") else "run" if event_id.endswith("-0") else "update"
            told = gateway.post(job.event(name), x_event_id=event_id).json()["result"]
            assert told["verdict"] == "duplicate"
        for job in jobs_sent:
            if job.state == "FINISHED":
                eventually(lambda: job.stored()["_outbox"] == [], 40)  # noqa: B023
                assert any(request.body["message"]["uuid"] == job.uuid for request in indexer.received)
            stored = job.stored()
            assert stored["_properties"]["revision"] == len(stored["history"]) - 1
        assert gateway.end() == 0


def alive(thread: threading.Thread) -> bool:
    return thread.is_alive()


@pytest.mark.promise("P2")
def test_many_gateways_on_one_database(variables: dict[str, str], tmp_path: Path, sent: StoredJob) -> None:
    with served(variables, tmp_path) as one, served(variables, tmp_path) as other:
        verdicts: list[str] = []

        def send(gateway: Served) -> None:
            for count in range(40):
                answer = gateway.post(sent.event("update", {"n": count}), x_event_id=f"same-{count}")
                verdicts.append(answer.json()["result"]["verdict"])

        threads = [threading.Thread(target=send, args=(gateway,)) for gateway in (one, other, one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert sorted(verdicts) == ["applied"] * 40 + ["duplicate"] * 120
    stored = sent.stored()
    assert sorted(entry["data"]["n"] for entry in stored["history"][1:]) == list(range(40))
    assert stored["_properties"]["revision"] == 40


class TestStarting:
    def refused(self, variables: Mapping[str, str], *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "pipelinejobs", "serve", *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    def test_a_port_that_is_taken(self, variables: dict[str, str], tmp_path: Path) -> None:
        with served(variables, tmp_path) as gateway:
            port = gateway.url.rpartition(":")[2]
            code, said = self.refused(variables, "--port", port)
            assert code == 78
            assert said.startswith(f"serve: gateway.port: cannot listen at 127.0.0.1 port {port}")
            assert gateway.end() == 0

    @pytest.mark.parametrize(
        ("arguments", "setting"),
        [
            (("--port", "many"), "gateway.port"),
            (("--port", "65536"), "gateway.port"),
            (("--host", "x y"), "gateway.host"),
            (("--host", "192.0.2.1"), "gateway.host"),
        ],
    )
    def test_arguments_that_cannot_be(
        self, variables: dict[str, str], arguments: tuple[str, ...], setting: str
    ) -> None:
        code, said = self.refused(variables, *arguments)
        assert code == 78
        assert said.startswith(f"serve: {setting}: ")

    @pytest.mark.parametrize(
        ("name", "value", "setting"),
        [
            ("_REACTOR_GATEWAY_HOST", "no.such.host.invalid", "gateway.host"),
            ("_REACTOR_GATEWAY_TLS_KEY", "/nowhere/key.pem", "gateway.tls_certificate"),
            ("_REACTOR_GATEWAY_TOKENS", "jdoe:ROOT:sha256:00", "gateway.tokens"),
            ("_REACTOR_GATEWAY_TAPIS_TENANTS", "tacc", "gateway.tapis_server"),
        ],
    )
    def test_settings_that_cannot_be(self, variables: dict[str, str], name: str, value: str, setting: str) -> None:
        code, said = self.refused({**variables, name: value})
        assert code == 78
        assert said.startswith(f"serve: {setting}: ")

    def test_a_certificate_that_is_none(self, variables: dict[str, str], tmp_path: Path) -> None:
        files = {"_REACTOR_GATEWAY_TLS_KEY": "x.pem", "_REACTOR_GATEWAY_TLS_CERTIFICATE": "x.pem"}
        (tmp_path / "x.pem").write_text("nonsense")
        code, said = self.refused({**variables, **{name: str(tmp_path / file) for name, file in files.items()}})
        assert code == 78
        assert "serve: gateway.tls_certificate: " in said

    def test_no_database(self, variables: dict[str, str], free_port: int) -> None:
        uri = {"_REACTOR_MONGODB_AUTHN": "", "_REACTOR_MONGODB_URI": f"mongodb://127.0.0.1:{free_port}/"}
        code, said = self.refused({**variables, **uri, "_REACTOR_LIMITS_DATABASE": "1"})
        assert code == 75
        assert said.startswith("serve: no MongoDB server could be reached in time; nothing was changed (")
        assert f"127.0.0.1:{free_port}" in said


def commands(printed: list[str]) -> list[list[str]]:
    """The curl lines, as their words."""
    return [shlex.split(line) for line in printed if line.startswith("curl ")]


def called(words: list[str], root: Path = ROOT) -> httpx.Response:
    """Sends the request of a curl command line."""
    method, data, headers, url = "GET", None, {}, ""
    rest = iter(words[1:])
    for word in rest:
        match word:
            case "-X":
                method = next(rest)
            case "-H":
                name, _, headers[name] = next(rest).partition(": ")
            case "--data":
                data = next(rest)
            case _:
                url = word
    if data is not None and data.startswith("@"):
        data = (root / data[1:]).read_text()
    return httpx.request(method, url, content=data, headers=headers, trust_env=False)


def test_make_run(tmp_path: Path, nothing_left: None, free_port: int) -> None:
    make = ("make", "--no-print-directory", "run")
    background = ("sh", "-c", 'trap "" INT; exec "$@"', "sh", *make)  # of a script's `make run &`; it ends on SIGTERM
    variables = {"_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(tmp_path / "mongodb"), "PORT": str(free_port)}
    first: list[str] = []
    for start, command in enumerate((make, background)):
        with served(variables, tmp_path, command=command) as gateway:
            eventually(lambda: "Press Ctrl-C to stop the gateway.\n" in gateway.printed)
            text = "".join(gateway.printed)
            assert gateway.url == f"http://127.0.0.1:{free_port}"
            assert re.search(r"A job to try it with: 107[0-9a-f-]{33}", text)
            assert re.search(r"SD2E_[A-Za-z0-9]{24}", text)
            assert len(commands(gateway.printed)) == 4
            if start == 0:  # nothing is used up: the second start shows the same job
                first = re.findall("107[0-9a-f-]{33}", text)
                os.killpg(gateway.process.pid, signal.SIGINT)
                gateway.process.wait(SECONDS)
                continue
            assert re.findall("107[0-9a-f-]{33}", text) == first
            answers = [called(words) for words in commands(gateway.printed)]
            assert [answer.status_code for answer in answers] == [200] * 4
            verdicts = [answer.json()["result"].get("verdict") for answer in answers]
            assert verdicts == ["applied", "applied", "applied", None]
            assert answers[-1].json()["result"]["state"] == "FINISHED"
            gateway.end()


def test_make_run_on_a_given_database(
    mongodb_uri: str, database: Database[Any], tmp_path: Path, nothing_left: None
) -> None:
    variables = {
        "MONGODB_URI": mongodb_uri,
        "_REACTOR_MONGODB_DATABASE": database.name,
        "_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(tmp_path / "mongodb"),
        "HOST": "127.0.0.2",
        "PORT": "0",
    }
    with served(variables, tmp_path, command=("make", "--no-print-directory", "run")) as gateway:
        assert gateway.url.startswith("http://127.0.0.2:")
        assert database["jobs"].count_documents({}) == 1
        gateway.end()
    assert not (tmp_path / "mongodb").exists()


def test_the_directorys_own_database_ends_with_its_last_gateway(tmp_path: Path, nothing_left: None) -> None:
    """Whichever ends first, and however: the one that has started it too."""
    variables = {"_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(tmp_path / "mongodb"), "_REACTOR_GATEWAY_PORT": "0"}
    own = Mongod(tmp_path / "mongodb")
    with served(variables, tmp_path) as one, served(variables, tmp_path) as two, served(variables, tmp_path) as three:
        assert one.end() == 0
        two.end(signal.SIGKILL)
        assert httpx.get(f"{three.url}/readyz").status_code == 200
        assert own.status() is not None
        assert three.end() == 0
        assert own.status() is None
