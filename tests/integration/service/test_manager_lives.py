"""The real manager over a real server, driven through jobs' lives, with processes that die at the write."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from pymongo import MongoClient

from pipelinejobs.core import uuids
from pipelinejobs.core.tokens import job_token
from pipelinejobs.messages.event import Event
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.store import Store, Written, history
from pipelinejobs.store.connection import connect
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.secret import Secret
from support.factories import ADMIN, catalogued
from support.lives import BEGINNING, JOBS, POLICY, Crash, Lives, Look
from support.process import Documents, StoredJob, insert_job
from support.selection import examples

EMBEDDED = 6
"""So few entries stay in the job that most of a history has moved."""


class Real:
    """Jobs in a database of their own."""

    def __init__(self, uri: str, client: MongoClient[dict[str, Any]]) -> None:
        self._uri = uri
        self._client = client
        self._name = f"test_lives_{uuid4().hex}"
        self._jobs: list[StoredJob] = [_job(client[self._name]["jobs"]) for _ in range(JOBS)]
        self._salts = [[job.stored()["_salt"]] for job in self._jobs]
        self._store: Store | None = None
        self._crash: str | None = None
        self._now = BEGINNING
        self.restart()

    def deliver(self, event: Event, now: datetime, crash: str | None = None) -> str:
        self._now, self._crash = now, crash
        try:
            handled = self._manager.handle(event, "lives")
            self._manager.settle(handled, Deadline(60))
        finally:
            self._crash = None
        return handled.verdict.value

    def ask(self, event: Event, now: datetime) -> str:
        self._now = now
        return self._manager.asked(event, "lives").verdict.value

    def tokens(self, job: int) -> list[str]:
        return [job_token(self._jobs[job].uuid, salt, ADMIN) for salt in self._salts[job]]

    def uuid(self, job: int) -> str:
        return self._jobs[job].uuid

    def rotate(self, job: int) -> None:
        self._salts[job].append(f"salt-{len(self._salts[job])}==")
        stored = self._jobs[job]
        stored.jobs.update_one({"uuid": stored.uuid}, {"$set": {"_salt": self._salts[job][-1]}})

    def restart(self) -> None:
        if self._store is not None:
            self._store.close()
        database = connect(Secret(self._uri), self._name, timeout=10)
        store = self._store = Store(database, history_limits=history.HistoryLimits(entries=EMBEDDED))
        apply = store.jobs.apply

        def dying(writes: Sequence[Any]) -> list[Written]:
            if self._crash == "before":
                raise Crash
            done = apply(writes)
            if self._crash == "after":
                raise Crash
            return done

        store.jobs.apply = dying  # type: ignore[method-assign]
        outbox = OutboxRelay(store, None, Backoff())  # so all that was ever owed is there to be counted
        self._manager = Manager(store, POLICY, outbox, clock=lambda: self._now)

    def look(self, job: int) -> Look:
        assert self._store is not None
        stored = self._jobs[job].stored()
        entries = list(self._store.history.entries(stored["uuid"]))
        return Look(
            stored["state"],
            stored["_properties"]["revision"],
            [entry.name for entry in entries],
            [entry.uuid for entry in entries],
            [row["id"] for row in stored.get("_outbox", [])],
        )

    def close(self) -> None:
        assert self._store is not None
        self._store.close()
        self._client.drop_database(self._name)


def _job(jobs: Documents) -> StoredJob:
    """A new job with a life of its own."""
    (first,) = catalogued("job-created.json")["history"]
    return insert_job(jobs, history=[first | {"uuid": uuids.random(uuids.ENTRY)}])


class OverMongodb(Lives):
    """The machine over a real server."""

    make: ClassVar[Callable[[], Real]]

    def make_world(self) -> Real:
        self.real = type(self).make()
        return self.real

    def teardown(self) -> None:
        if hasattr(self, "real"):
            self.real.close()


@pytest.fixture
def server(mongodb_uri: str, mongodb_client: MongoClient[dict[str, Any]]) -> None:
    OverMongodb.make = staticmethod(lambda: Real(mongodb_uri, mongodb_client))


@pytest.mark.hypothesis
@pytest.mark.promise("P2")
@pytest.mark.promise("P4")
@pytest.mark.promise("P5")
@pytest.mark.promise("P8")
@pytest.mark.promise("P9")
@pytest.mark.usefixtures("server")
def test_lives() -> None:
    run_state_machine_as_test(
        OverMongodb,
        settings=settings(
            max_examples=examples(40, 8),
            stateful_step_count=40,
            derandomize=True,
            phases=[Phase.generate],  # to make a failure shorter would take longer than a test may
            suppress_health_check=list(HealthCheck),
        ),
    )
