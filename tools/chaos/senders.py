"""Senders: each takes jobs through their lives over HTTP. An unanswered event is sent again with the same id."""

import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from pipelinejobs.core.tokens import job_token
from pipelinejobs.store import Store
from pipelinejobs.store.pipelines import NewJob, Owner
from pipelinejobs.util.errors import Unavailable
from tools.chaos.gateways import TOKEN, Gateway
from tools.chaos.ledger import Ledger
from tools.chaos.proxy import HOST

PATH: Final = "/actors/v2/jobs-manager.prod/messages"
_SECONDS: Final = 20.0
"""How long to wait for an answer; longer than a gateway may take."""
_UPDATES: Final = 12
_AGAIN: Final = 0.05
"""The share of events that is sent again although it was answered."""


@dataclass(frozen=True)
class Job:
    """A job for which events are sent."""

    uuid: str
    token: str


def new_job(store: Store) -> Job:
    """Creates a job, as an agent does; retries while the database is unreachable."""
    while True:
        now = datetime.now(UTC)
        new = NewJob(
            pipeline_uuid="106d46ff-0000-5000-8000-00000000beef", archive_path="/", data={"id": uuid.uuid4().hex}
        )
        try:
            made = store.pipelines.make_job(new, Owner(owner="chaos"), now)
            return Job(made["uuid"], job_token(made["uuid"], made["_salt"], made["_admin"]))
        except Unavailable:
            time.sleep(0.2)


class Sender(threading.Thread):
    """One sender. When it is stopped, it first finishes its present job, so that no event is left without an answer.

    Args:
        shared: a job that all senders report about.
    """

    def __init__(
        self, number: int, seed: int, gateways: Sequence[Gateway], store: Store, shared: Job, ledger: Ledger
    ) -> None:
        super().__init__(name=f"sender-{number}", daemon=True)
        self._random = random.Random(f"{seed}-{number}")  # noqa: S311 - a schedule that can be repeated
        self._gateways = gateways
        self._at = number
        self._store = store
        self._shared = shared
        self._ledger = ledger
        self._over = threading.Event()
        self._given_up = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def stop(self) -> None:
        """Stops the sender after its present job."""
        self._over.set()

    def give_up(self) -> None:
        """Stops the sender at once; for runs without an account."""
        self._over.set()
        self._given_up.set()

    def run(self) -> None:
        """Takes one job after another through its life."""
        try:
            while not self._over.is_set():
                self._life(new_job(self._store))
        finally:
            self._drop()

    def _life(self, job: Job) -> None:
        self._event(job, "run")
        for _ in range(self._random.randint(1, _UPDATES)):
            self._event(self._shared if self._random.random() < 0.1 else job, "update")
            if self._over.is_set():
                break
        if self._random.random() < 0.5:
            self._event(job, "finish")
        self._report(job, self._random.choice(("FINISHED", "FINISHED", "FAILED")))

    def _event(self, job: Job, name: str) -> None:
        event = uuid.uuid4().hex
        body = {"uuid": job.uuid, "name": name, "token": job.token, "data": {"id": event}}
        verdict = self._until_answered(body, {}, {"Idempotency-Key": event})
        if verdict not in ("applied", "duplicate"):
            self._ledger.surprise(f"{name}: {verdict}")
            return
        self._ledger.acknowledge(job.uuid, event, verdict)
        if self._random.random() < _AGAIN:
            again = self._until_answered(body, {}, {"Idempotency-Key": event})
            self._ledger.count(f"again {again}")
            if again != "duplicate":
                self._ledger.surprise(f"{name} sent again: {again}")

    def _report(self, job: Job, status: str) -> None:
        body = {
            "appId": "chaos-0.1",
            "executionSystem": "loopback",
            "owner": "chaos",
            "id": f"{job.uuid}-007",
            "status": status,
            "_links": {},
        }
        verdict = self._until_answered(body, {"uuid": job.uuid, "token": job.token}, {})
        self._ledger.report(job.uuid, verdict)
        if verdict not in ("applied", "duplicate", "stale"):
            self._ledger.surprise(f"report of {status}: {verdict}")

    def _until_answered(self, body: Any, parameters: dict[str, str], headers: dict[str, str]) -> str:
        """Sends the event to any gateway until one answers with a verdict, and returns the verdict."""
        while not self._given_up.is_set():
            try:
                status, verdict = self._post(body, parameters, headers)
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self._ledger.count(f"no answer ({type(error).__name__})")
                self._drop()
            else:
                if status != 503:
                    return verdict if status < 500 else f"HTTP {status}"
                self._ledger.count("503")
                self._at += 1
                self._drop()
            time.sleep(self._random.uniform(0.05, 0.3))
        raise SystemExit  # ends this thread only

    def _post(self, body: Any, parameters: dict[str, str], headers: dict[str, str]) -> tuple[int, str]:
        if self._connection is None:
            self._at += 1
            gateway = self._gateways[self._at % len(self._gateways)]
            self._connection = http.client.HTTPConnection(HOST, gateway.port, timeout=_SECONDS)
        own = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
        self._connection.request("POST", f"{PATH}?{urlencode(parameters)}", json.dumps(body), own)
        answer = self._connection.getresponse()
        result = json.loads(answer.read())["result"]
        return answer.status, str(result["verdict"]) if result else f"HTTP {answer.status}"

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
