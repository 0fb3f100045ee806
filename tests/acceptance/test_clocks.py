"""Hosts whose clocks are wrong: verdicts, nonces, leases and expiry are the same as with right clocks."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo.database import Database

from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.store import Store
from pipelinejobs.store.nonces import NewNonce
from support.clock import STROBE
from support.gateway import ALIAS, TOKENS, eventually
from support.process import CheckedAbaco, Documents, NewJob, StoredJob, callback, insert_job
from support.served import Served, gateway_environment, served
from tools.demo.abaco import finished
from tools.demo.indexer import Indexer

pytestmark = pytest.mark.promise("F12")

CLOCK: Final = Path(__file__).resolve().parents[1] / "support" / "clock.py"
HOUR: Final = "3600"
HOSTS: Final = [(HOUR, f"-{HOUR}"), (f"-{HOUR}", HOUR), ("300", "0"), (STROBE, STROBE)]
"""Pairs of hosts, each by how many seconds its clock is wrong."""
SOON: Final = timedelta(minutes=1)


def command(error: str, *words: str) -> tuple[str, ...]:
    return (sys.executable, str(CLOCK), error, *words)


def databases_now(database: Database[Any]) -> datetime:
    now: datetime = database.client.admin.command("hello")["localTime"]
    return now


def test_the_clocks_are_wrong() -> None:
    """Or all of this would prove nothing."""
    asked = "import clock, datetime, sys, time; clock.set_clock(lambda: float(sys.argv[1]))"
    told = "print(time.time(), datetime.datetime.now(datetime.UTC).timestamp())"
    for error in (HOUR, f"-{HOUR}"):
        done = subprocess.run(
            [sys.executable, "-c", f"{asked}; {told}", error], cwd=CLOCK.parent, capture_output=True, check=True
        )
        for said in done.stdout.split():
            assert float(said) == pytest.approx(time.time() + float(error), abs=60)


class TestOneShot:
    def sends(self, abaco: CheckedAbaco, error: str, body: Any, parameters: dict[str, str]) -> str:
        process = subprocess.Popen(
            command(error, "reactor.py"),
            env=abaco.variables(body, parameters),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        verdict: str = abaco.check(finished(process)).verdict["verdict"]
        return verdict

    @pytest.mark.parametrize(("one", "other"), HOSTS)
    def test_verdicts_do_not_change(
        self,
        abaco: CheckedAbaco,
        new_job: NewJob,
        store: Store,
        indexer: Indexer,
        database: Database[Any],
        one: str,
        other: str,
    ) -> None:
        job = new_job()
        url = job.url()
        agave = [callback("agave", status) for status in ("RUNNING", "FINISHED")]
        deliveries = [
            (one, job.event("resource"), {"x_event_id": "first"}, "applied"),
            (other, agave[0], url, "applied"),
            (one, job.event("resource"), {"x_event_id": "first"}, "duplicate"),
            (one, job.event("update"), {}, "applied"),
            (other, agave[1], url, "applied"),
            (one, agave[1], url, "duplicate"),
            (one, agave[0] | {"status": "QUEUED"}, url, "stale"),
            (other, job.event("run"), {}, "illegal"),
            (one, job.event("update", token="0" * 16), {}, "unauthorised"),
        ]
        told = [self.sends(abaco, error, body, parameters) for error, body, parameters, _ in deliveries]
        assert told == [expected for *_, expected in deliveries]
        assert job.names == ["create", "resource", "run", "update", "finish"]
        read = take_snapshot(store, job.uuid)
        assert read is not None
        assert read.problems == []
        assert [received.body["message"]["uuid"] for received in indexer.received] == [job.uuid]
        dates = [row["date"] for row in database["jobs_refused"].find({"job": job.uuid})]
        assert len(dates) == 3
        assert all(abs(databases_now(database) - date) < SOON for date in dates)


@pytest.fixture(params=HOSTS, ids="/".join)
def gateways(
    request: pytest.FixtureRequest, mongodb_uri: str, database: Database[Any], indexer: Indexer, tmp_path: Path
) -> Iterator[list[Served]]:
    """Two gateways on one database, on hosts whose clocks differ."""
    variables = gateway_environment(
        mongodb_uri,
        database.name,
        _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url,
        _REACTOR_OUTBOX_FIRST_DELAY="0.2",
    )
    with ExitStack() as both:
        yield [
            both.enter_context(served(variables, tmp_path, command=command(error, "serve"))) for error in request.param
        ]


@pytest.fixture
def sent(jobs: Documents) -> StoredJob:
    """A job whose token may be shown to the gateways."""
    return insert_job(jobs)


class TestGateways:
    def made(self, gateway: Served, seconds: int) -> str:
        answer = httpx.post(
            f"{gateway.url}/actors/v2/aliases/{ALIAS}/nonces",
            json={"expiresIn": seconds},
            headers={"Authorization": f"Bearer {TOKENS['UPDATE']}"},
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        nonce: str = answer.json()["result"]["id"]
        return nonce

    def uses(self, gateway: Served, nonce: str, job: StoredJob) -> int:
        parameters = {**job.url("update"), "x-nonce": nonce}
        url = f"{gateway.url}/actors/v2/{ALIAS}/messages"
        return httpx.post(url, params=parameters, trust_env=False, verify=False, timeout=30).status_code

    def test_nonces_are_good_for_their_time(
        self, gateways: list[Served], sent: StoredJob, store: Store, database: Database[Any]
    ) -> None:
        """By the database's time: neither refused in mass where the clock is ahead, nor for ever good behind it."""
        good = [self.made(gateway, 600) for gateway in gateways]
        assert [self.uses(gateway, nonce, sent) for gateway in gateways for nonce in good] == [200] * 4
        for row in database["gateway_nonces"].find():
            assert abs(row["expires"] - timedelta(seconds=600) - databases_now(database)) < SOON
            assert abs(row["last_used"] - databases_now(database)) < SOON
        over = [self.made(gateway, 1) for gateway in gateways]
        over.append(
            store.nonces.make(NewNonce(scope=f"alias:{ALIAS}", tenant="SD2E", seconds=1, owner="x"))[0].reveal()
        )
        for gateway in gateways:
            for nonce in over:
                eventually(lambda: self.uses(gateway, nonce, sent) in (401, 403))  # noqa: B023
        assert [self.uses(gateway, nonce, sent) for gateway in gateways for nonce in good] == [200] * 4

    def test_what_is_owed_is_tried_again_when_it_is_due(
        self, gateways: list[Served], sent: StoredJob, indexer: Indexer, database: Database[Any]
    ) -> None:
        indexer.status = 500
        assert gateways[0].post(sent.event("run")).status_code == 200
        assert gateways[0].post(sent.event("finish")).status_code == 200
        eventually(lambda: len(indexer.received) >= 3)
        (row,) = sent.stored()["_outbox"]
        assert abs(row["next"] - databases_now(database)) < SOON
        indexer.status = 200
        eventually(lambda: not sent.stored()["_outbox"])

    def test_a_held_lease_is_not_taken(self, gateways: list[Served], sent: StoredJob, indexer: Indexer) -> None:
        """The Indexer is slow; meanwhile both gateways poll for due messages several times."""
        indexer.delay = 4.0
        for gateway, name in zip(gateways, ("run", "finish"), strict=True):
            assert gateway.post(sent.event(name)).status_code == 200
        eventually(lambda: not sent.stored()["_outbox"])
        assert len(indexer.received) == 1

    def test_verdicts_do_not_change(self, gateways: list[Served], sent: StoredJob) -> None:
        told = []
        for number in range(3):
            for gateway in gateways:
                answer = gateway.post(sent.event("update", {"n": number}), x_event_id=f"same-{number}")
                told.append(answer.json()["result"]["verdict"])
        assert told == ["applied", "duplicate"] * 3
        assert [gateway.post(sent.event("index")).status_code for gateway in gateways] == [409] * 2
