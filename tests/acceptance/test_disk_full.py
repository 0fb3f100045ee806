"""The disk under MongoDB is full: events are refused and no applied one is lost; with space, all goes on."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo import MongoClient

from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.mongod import find, host
from pipelinejobs.store import Store
from pipelinejobs.store.connection import connect
from pipelinejobs.util.secret import Secret
from support.disk import Disk, small_disk
from support.gateway import eventually, grants
from support.process import CheckedAbaco, StoredJob, environment, insert_job
from support.served import Served, served
from tools.chaos import process
from tools.demo.indexer import Indexer

pytestmark = [pytest.mark.promise("F10"), pytest.mark.promise("P1")]

NAME: Final = "disk_full"
SECONDS: Final = 120.0
SIZE: Final = "420m"
"""Up to 300 MB of it are journals that mongod lays out in advance."""
TEXT: Final = "x" * 16_000
OUT_OF_DISK_SPACE: Final = 14031


@dataclass
class Server:
    """A mongod of the test's own, on its disk."""

    command: list[str]
    port: int
    log: Path
    running: Any = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def keep_running(self) -> None:
        """Starts it where it has not been started, or has given up."""
        if self.running is None or self.running.poll() is not None:
            self.running = process.start(self.command, self.log)


@contextmanager
def server(data: Path, log: Path, disk: Disk | None = None) -> Iterator[Server]:
    port = host.free_port()
    command = [str(find()), "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    command += ["--quiet", "--wiredTigerCacheSizeGB", "0.25", "--syncdelay", "1"]
    command += ["--setParameter", "enableTestCommands=1", "--setParameter", "diagnosticDataCollectionEnabled=false"]
    started = Server(disk.on(command) if disk is not None else command, port, log)
    started.keep_running()
    try:
        yield started
    finally:
        process.kill(started.running)


def variables(uri: str, indexer: Indexer) -> dict[str, str]:
    return environment(
        uri,
        NAME,
        _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url,
        _REACTOR_GATEWAY_PORT="0",
        _REACTOR_GATEWAY_TOKENS=grants(),
        _REACTOR_LIMITS_DATABASE="2",
        _REACTOR_LIMITS_ONE_SHOT="10",
        _REACTOR_OUTBOX_FIRST_DELAY="0.2",
        _REACTOR_OUTBOX_LONGEST_DELAY="1",
        _REACTOR_OUTBOX_ATTEMPTS="1000",
    )


@dataclass
class Sender:
    """Sends the events of one job in their order, each under its id until it is taken.

    Attributes:
        taken: the ids of those that were answered 200: the ledger.
        refused: how often one was not.
        odd: answers that are neither.
    """

    job: StoredJob
    gateway: Served
    ending: threading.Event
    taken: list[str] = field(default_factory=list)
    refused: int = 0
    odd: list[str] = field(default_factory=list)

    def run(self) -> None:
        self.send("run")
        while not self.ending.is_set():
            self.send("update")
        self.send("finish")

    def send(self, name: str) -> None:
        event_id = f"{name}-{len(self.taken)}"
        event = self.job.event(name, {"id": event_id, "text": TEXT})
        while True:
            answer = self.gateway.post(event, x_event_id=event_id)
            if answer.status_code == 200:
                self.taken.append(event_id)
                return
            if answer.status_code != 503 or not int(answer.headers.get("Retry-After", 0)):
                self.odd.append(f"{event_id}: {answer.status_code} {answer.text}")
                return
            self.refused += 1


@pytest.mark.promise("P5")
def test_a_disk_that_fills_up(tmp_path: Path, nothing_left: None) -> None:
    with (
        small_disk(tmp_path, SIZE) as disk,
        server(disk.path, tmp_path / "mongod.log", disk) as mongod,
        MongoClient[dict[str, Any]](mongod.uri, timeoutMS=60_000, w="majority", journal=True) as client,
        Indexer() as indexer,
    ):
        jobs = client[NAME]["jobs"]
        own = [insert_job(jobs) for _ in range(4)]
        ending = threading.Event()
        with served(variables(mongod.uri, indexer), tmp_path) as gateway:
            senders = [Sender(job, gateway, ending) for job in own]
            threads = [threading.Thread(target=sender.run) for sender in senders]
            for thread in threads:
                thread.start()
            try:
                eventually(lambda: all(len(sender.taken) > 5 for sender in senders), SECONDS)
                disk.fill()
                eventually(lambda: all(sender.refused for sender in senders), SECONDS)
                once = own[0].event("update", {"id": "alone"})  # whose sender sends it once and never again
                assert CheckedAbaco(environment=variables(mongod.uri, indexer)).send(once).exit_code == 75
                disk.empty()
                before = [len(sender.taken) for sender in senders]

                def goes_on() -> bool:
                    mongod.keep_running()
                    return all(len(sender.taken) > count + 5 for sender, count in zip(senders, before, strict=True))

                eventually(goes_on, SECONDS)
            finally:
                ending.set()
                disk.empty()
                mongod.keep_running()
                for thread in threads:
                    thread.join(SECONDS)
            assert [sender.odd for sender in senders] == [[]] * 4
            eventually(lambda: not jobs.count_documents({"_outbox.0": {"$exists": True}}), SECONDS)
            assert httpx.get(f"{gateway.url}/readyz", trust_env=False).status_code == 200
            assert gateway.end() == 0
        for sender in senders:
            stored = [entry["data"]["id"] for entry in history(mongod, sender.job)[1:]]
            assert [one for one in stored if one != "alone"] == sender.taken
            assert stored.count("alone") <= 1
            assert sender.job.state == "FINISHED"
        assert {one.body["message"]["uuid"] for one in indexer.received} == {job.uuid for job in own}


def history(mongod: Server, job: StoredJob) -> list[dict[str, Any]]:
    """All that happened to a job, of which nothing may be half done."""
    with closing(Store(connect(Secret(mongod.uri), NAME, timeout=10))) as store:
        read = take_snapshot(store, job.uuid, with_data=True)
        assert read is not None
        assert read.problems == []
        return [{"name": entry.name, "data": entry.data} for entry in read[1]]


def test_a_server_that_says_that_its_disk_is_full(tmp_path: Path, nothing_left: None) -> None:
    """Where mongod lives on and refuses, instead of giving up."""
    (tmp_path / "data").mkdir()
    with (
        server(tmp_path / "data", tmp_path / "mongod.log") as mongod,
        MongoClient[dict[str, Any]](mongod.uri, timeoutMS=60_000) as client,
        Indexer() as indexer,
    ):
        job = insert_job(client[NAME]["jobs"])
        abaco = CheckedAbaco(environment=variables(mongod.uri, indexer))
        with served(variables(mongod.uri, indexer), tmp_path) as gateway:
            told = {"failCommands": ["insert", "update", "findAndModify"], "errorCode": OUT_OF_DISK_SPACE}
            client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": told})
            answer = gateway.post(job.event("run"), x_event_id="one")
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert abaco.send(job.event("run")).exit_code == 75
            assert job.names == ["create"]
            client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})
            answer = gateway.post(job.event("run"), x_event_id="one")
            assert (answer.status_code, answer.json()["result"]["verdict"]) == (200, "applied")
            assert gateway.end() == 0
        assert job.names == ["create", "run"]
