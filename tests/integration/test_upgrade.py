"""What earlier states of this project have stored is read, and driven on, by today's code.

The dumps in tests/data/stored were made by running those states (`make.py` there). What python-datacatalog has written
is in tests/acceptance/test_foreign_jobs.py.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from bson import json_util
from pymongo.database import Database

from pipelinejobs import actors
from pipelinejobs.core.tokens import Policy, admin_token
from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.reader import read
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.store import Store, history
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.secret import Secret
from support.gateway import ALIAS, serving, settings
from support.served import ROOT
from tools.demo.indexer import Indexer

pytestmark = [pytest.mark.promise("F18"), pytest.mark.promise("P5")]

STORED: Final = Path(__file__).resolve().parents[1] / "data" / "stored"
STATES: Final = ["first-core", "reviewed-core", "before-the-gateway", "gateway", "last-writer", "hashes", "time-limit"]
"""In the order of time."""
ADMIN: Final = ("upgrade-secret", "upgrade-key")
POLICY: Final = Policy(admin_secret=Secret(ADMIN[0]), admin_key=Secret(ADMIN[1]), trust_on_first_use=True)

Document = dict[str, Any]


def test_every_dump_is_looked_at() -> None:
    assert {file.stem for file in STORED.glob("*.json")} == set(STATES)


@pytest.fixture(params=STATES)
def dump(request: pytest.FixtureRequest, database: Database[Document]) -> Document:
    """A dump, loaded into the test's database."""
    loaded: Document = json_util.loads((STORED / f"{request.param}.json").read_text("utf-8"))
    for name, documents in loaded["collections"].items():
        database[name].insert_many(documents)
    return loaded


class Today:
    """Today's manager over that database."""

    def __init__(self, store: Store, indexer: Indexer) -> None:
        self.store = store
        self.outbox = OutboxRelay(store, actors.at_url(Secret(indexer.url)), Backoff(), seconds=5)
        self._manager = Manager(store, POLICY, self.outbox)

    def send(self, body: Any, parameters: dict[str, str], execution: str) -> object:
        if isinstance(body, dict) and body.get("token") == "ADMIN":
            body = body | {"token": admin_token(*ADMIN, 3600, self.now().timestamp())}
        delivery = Delivery(id=execution, body=str(body), parameters=parameters, sender="jdoe")
        return self._manager.handle(read(delivery), execution).verdict.value

    def now(self) -> Any:
        return self.store.outbox.now()


@pytest.fixture
def indexer() -> Iterator[Indexer]:
    with Indexer() as listening:
        yield listening


@pytest.fixture
def today(database: Database[Document], store: Store, indexer: Indexer) -> Today:
    store.ensure_indexes()
    return Today(Store(store.database, history_limits=history.HistoryLimits(entries=4)), indexer)


def jobs_in(dump: Document) -> list[str]:
    return [job["uuid"] for job in dump["collections"]["jobs"]]


def test_every_job_is_read_and_sound(dump: Document, today: Today) -> None:
    for uuid in jobs_in(dump):
        read = take_snapshot(today.store, uuid)
        assert read is not None
        assert [one for one in read.problems if not (uuid == job_e(dump) and "revision" in one)] == []
        applied = [one for one in dump["messages"] if one["verdict"] == "applied" and uuid in repr(one)]
        implied = sum(bool(entry.data and entry.data.get("implied")) for entry in today.store.history.entries(uuid))
        assert len(read[1]) == 1 + len(applied) + implied


def job_e(dump: Document) -> str:
    """The job whose script simulates an earlier write by another program: its revision is one too high."""
    return str(next(one["body"]["uuid"] for one in dump["messages"] if one["execution"] == "exE1"))


@pytest.mark.promise("P2")
def test_what_was_applied_then_is_a_duplicate_now(dump: Document, today: Today) -> None:
    """The token of then is good, and the entry's uuid is derived as it was."""
    before = {uuid: list(today.store.history.entries(uuid)) for uuid in jobs_in(dump)}
    for one in dump["messages"]:
        if one["verdict"] == "applied":
            assert today.send(one["body"], one["parameters"], one["execution"]) == "duplicate", one
    assert {uuid: list(today.store.history.entries(uuid)) for uuid in jobs_in(dump)} == before


def test_reports_of_an_earlier_attempt_are_still_stale(dump: Document, today: Today) -> None:
    (late,) = [one for one in dump["messages"] if one["verdict"] == "stale"]
    assert today.send(late["body"], late["parameters"], late["execution"]) == "stale"


@pytest.mark.promise("P4")
def test_what_was_owed_then_is_sent_now(dump: Document, today: Today, indexer: Indexer) -> None:
    rows = [row for job in dump["collections"]["jobs"] for row in job.get("_outbox", ())]
    assert sorted(row["status"] for row in rows) == ["pending"] * (len(rows) - 1) + ["undelivered"]
    tally = today.outbox.drain(Deadline(60))
    assert tally.sent == len(rows)
    assert sorted(request.headers["Idempotency-Key"] for request in indexer.received) == sorted(
        row["id"] for row in rows
    )


def test_every_job_goes_on(dump: Document, today: Today) -> None:
    for uuid in jobs_in(dump):
        for number in range(6):  # enough for histories to move
            name = "update" if number % 2 else "reset"
            body = {"uuid": uuid, "name": "reset" if number < 5 else "ready", "token": "ADMIN", "data": {"was": name}}
            assert today.send(body, {"x_event_id": f"on-{number}"}, "on") == "applied"
        read = take_snapshot(today.store, uuid)
        assert read is not None
        assert [problem for problem in read.problems if "revision" not in problem or uuid != job_e(dump)] == []
        assert read[0].moved


def test_refusals_are_shown(dump: Document, today: Today) -> None:
    kept = dump["collections"]["jobs_refused"]
    shown = [row for uuid in jobs_in(dump) for row in today.store.refused.of(uuid)]
    assert sorted(row["reason"] for row in shown) == sorted(row["reason"] for row in kept)


def test_a_gateway_takes_over(dump: Document, mongodb_uri: str, database: Database[Document]) -> None:
    own = settings(mongodb_uri, database.name, tokens__admin_secret=ADMIN[0], tokens__admin_key=ADMIN[1])
    first = dump["messages"][0]
    with serving(own) as gateway:
        assert gateway.ask("GET", "/readyz").status_code == 200
        listed = gateway.ask("GET", "/jobs").json()["result"]["jobs"]
        assert sorted(job["uuid"] for job in listed) == sorted(jobs_in(dump))
        nonce = {"x-nonce": dump["nonce"]} if dump["nonce"] else {}
        permission = None if nonce else "EXECUTE"
        answer = gateway.post(first["body"], first["parameters"] | nonce, permission=permission, name=ALIAS)
        assert answer.json()["result"]["verdict"] == "duplicate"


def forms(value: Any, place: str = "") -> Iterator[str]:
    """Every place in a document and the type that is there. What senders put into data is theirs."""
    yield f"{place}: {type(value).__name__}"
    if isinstance(value, dict) and not place.endswith("data"):
        for key, inner in value.items():
            yield from forms(inner, f"{place}.{key}")
    if isinstance(value, list):
        for inner in value:
            yield from forms(inner, f"{place}[]")


def test_the_form_of_today_is_that_of_the_newest_dump(mongodb_uri: str) -> None:
    """Else `make.py` has to be run once more, for today's state, under a new name."""
    command = [sys.executable, str(STORED / "make.py"), str(ROOT), "today"]
    environment = {**os.environ, "MONGODB_URI": mongodb_uri}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    now: Document = json_util.loads(done.stdout)
    newest: Document = json_util.loads((STORED / f"{STATES[-1]}.json").read_text("utf-8"))
    assert [one["verdict"] for one in now["messages"]] == [one["verdict"] for one in newest["messages"]]
    assert set(forms(now["collections"])) == set(forms(newest["collections"]))
