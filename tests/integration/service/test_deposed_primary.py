"""A primary that stood still while another was elected answers from the past until it learns so.

What it would refuse because of that is not refused: the event goes to where it can be judged.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from pipelinejobs.core.tokens import Policy
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.store import Store
from pipelinejobs.store.connection import connect
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.secret import Secret
from support.factories import TOKEN, UUID, a_command, catalogued
from tools.chaos import process
from tools.chaos.proxy import HOST
from tools.chaos.replica_set import Member, ReplicaSet

pytestmark = [pytest.mark.promise("P1"), pytest.mark.promise("F3"), pytest.mark.promise("F4")]

Document = dict[str, Any]
DATABASE = "deposed"


@pytest.fixture
def replica_set(nothing_left: None, tmp_path: Path) -> Iterator[ReplicaSet]:
    with ReplicaSet(tmp_path, election_seconds=2.0) as running:
        yield running


def insisting(write: Callable[[], Any], seconds: float = 60.0) -> None:
    """Repeats a call until it succeeds, which takes as long as an election."""
    until = time.monotonic() + seconds
    while True:
        with suppress(PyMongoError):
            write()
            return
        assert time.monotonic() < until
        time.sleep(0.2)


def behind_its_back(replica_set: ReplicaSet, member: Member, write: Callable[[Any], Any]) -> None:
    """Freezes a member, writes to the one that is elected in its place, and leaves it frozen."""
    process.freeze(member.process)
    with MongoClient[Document](replica_set.uri, timeoutMS=4000) as client:
        jobs = client.get_database(DATABASE, write_concern=WriteConcern("majority", j=True))["jobs"]
        insisting(lambda: write(jobs))


def asked_as_it_wakes(member: Member, question: Callable[[], Any]) -> Any:
    """The answer to a question that waits for the member when it goes on."""
    given: list[Any] = []
    asking = threading.Thread(target=lambda: given.append(question()))
    asking.start()
    time.sleep(0.5)
    process.thaw(member.process)
    asking.join()
    return given[0]


def manager_of(member: Member) -> tuple[Store, Manager]:
    """A manager that knows this member alone, as one does that has not heard of the election."""
    uri = f"mongodb://{HOST}:{member.port}/?directConnection=true"
    store = Store(connect(Secret(uri), DATABASE, timeout=4))
    store.server_version()
    return store, Manager(store, Policy(), OutboxRelay(store, None, Backoff()), database_seconds=4)


def judged(manager: Manager, event: Event) -> Verdict:
    return manager.handle(event, "e").verdict


def look_at(jobs: Any, seen: list[Any]) -> None:
    seen.append(jobs.find_one({"uuid": UUID}))


def make_job(jobs: Any) -> None:
    jobs.update_one({"uuid": UUID}, {"$setOnInsert": {**catalogued("job-created.json"), "_id": 1}}, upsert=True)


def let_it_run(jobs: Any) -> None:
    jobs.update_one({"uuid": UUID}, {"$set": {"state": "RUNNING"}})


@pytest.mark.parametrize(
    ("before", "meanwhile", "event"),
    [
        (lambda jobs: jobs.insert_one({"_id": 0, "uuid": "another"}), make_job, a_command("run")),
        (make_job, let_it_run, a_command("finish")),
    ],
    ids=["a job that it does not know", "a state that it does not know"],
)
def test_it_is_not_believed(replica_set: ReplicaSet, before: Any, meanwhile: Any, event: Event) -> None:
    assert [token.reveal() for token in event.tokens] == [TOKEN]
    with MongoClient[Document](replica_set.uri, timeoutMS=20_000) as client:
        before(client.get_database(DATABASE, write_concern=WriteConcern("majority", j=True))["jobs"])
    stale = 0
    for _ in range(5):
        deposed = replica_set.primary()
        store, manager = manager_of(deposed)
        behind_its_back(replica_set, deposed, meanwhile)
        plain = store.database.with_options(read_concern=ReadConcern("majority"))["jobs"]
        seen: list[Any] = []
        look = threading.Thread(target=partial(look_at, plain, seen))
        look.start()
        verdict = asked_as_it_wakes(deposed, partial(judged, manager, event))
        look.join()
        store.close()
        stale += seen[0] is None or seen[0]["state"] == "CREATED"
        assert verdict in (Verdict.UNAVAILABLE, Verdict.APPLIED)
        replica_set.wait_until_whole()
        if stale:
            break
        with MongoClient[Document](replica_set.uri, timeoutMS=20_000) as client:
            client[DATABASE]["jobs"].delete_many({"uuid": UUID})
            before(client[DATABASE]["jobs"])
    assert stale, "it was never asked before it knew"
