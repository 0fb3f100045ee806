"""What the tests of whole processes share: an actor on Abaco whose every run is checked, jobs, and tokens.

Tokens, exit codes and bodies are written down here a second time, from their public definitions, so that the tests do
not take the product's word for them.
"""

import base64
import copy
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pymongo.collection import Collection

from support.canaries import ADMIN_KEY, ADMIN_SECRET, CANARIES, NONCE, PASSWORD, plant
from support.factories import catalogued
from tools.demo.abaco import Abaco, Execution, finished

Document = dict[str, Any]
Documents = Collection[Document]

EXIT_CODES: Final = {
    "applied": 0,
    "duplicate": 0,
    "stale": 0,
    "malformed": 65,
    "illegal": 70,
    "unavailable": 75,
    "unauthorised": 77,
}
WRONG_SETTING: Final = 78

AT_ONCE: Final = 4
"""Processes that `run_all` keeps going side by side."""


def job_token(uuid: str, salt: str, admin: Mapping[str, Any]) -> str:
    """The token of a job under one salt, by python-datacatalog's formula."""
    return sha256(f"{salt}:{[uuid, dict(admin)]!r}".encode()).hexdigest()[:16]


def admin_token(windows: int = 0, *, secret: str = ADMIN_SECRET, key: str = ADMIN_KEY, lifetime: int = 3600) -> str:
    """The administrative token of the present window, or of one so many windows later.

    The last seconds of a window are waited for, so that a test means the same window as the process that it starts.
    """
    left = lifetime - time.time() % lifetime
    if windows and left < 5:
        time.sleep(left)
    window = str(int(time.time()) // lifetime + windows)
    return sha256(":".join((secret, key, *window)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A stored job and its token, with shortcuts for messages about it."""

    jobs: Documents
    uuid: str
    token: str

    def event(self, name: str, data: Document | None = None, **more: Any) -> Document:
        """A JSON event for it."""
        body = {"uuid": self.uuid, "name": name, "token": self.token}
        return body | ({} if data is None else {"data": data}) | more

    def url(self, event: str | None = None, **more: str) -> dict[str, str]:
        """URL parameters for it."""
        named = {} if event is None else {"event": event}
        return {"uuid": self.uuid, "token": self.token} | named | more

    def stored(self) -> Document:
        """The present document."""
        document = self.jobs.find_one({"uuid": self.uuid})
        assert document is not None
        return document

    @property
    def state(self) -> str:
        """The present state."""
        state: str = self.stored()["state"]
        return state

    @property
    def names(self) -> list[str]:
        """The names of its history entries."""
        return [entry["name"] for entry in self.stored()["history"]]

    @property
    def last(self) -> Document:
        """Its newest history entry."""
        entry: Document = self.stored()["history"][-1]
        return entry


def insert_job(jobs: Documents, sample: str = "job-created.json", **changes: Any) -> StoredJob:
    """Stores a job of python-datacatalog under a uuid of its own.

    Args:
        sample: which job.
        changes: fields that are to be otherwise.
    """
    document = catalogued(sample) | {"uuid": "107" + str(uuid.uuid4())[3:]} | changes
    del document["_id"]
    jobs.insert_one(document)
    token = job_token(document["uuid"], document["_salt"], document["_admin"])
    plant(token)
    return StoredJob(jobs, document["uuid"], token)


NewJob = Callable[..., StoredJob]
"""The fixture `new_job`: what `insert_job` takes but the collection."""


def environment(uri: str, database: str, **more: str) -> dict[str, str]:
    """The actor's own environment, as deployed: a database, secrets, and canaries."""
    return {
        "_REACTOR_MONGODB_AUTHN": base64.urlsafe_b64encode(uri.encode()).decode(),
        "_REACTOR_MONGODB_DATABASE": database,
        "_REACTOR_MONGODB_PASSWORD": PASSWORD,
        "_REACTOR_TOKENS_ADMIN_KEY": ADMIN_KEY,
        "_REACTOR_TOKENS_ADMIN_SECRET": ADMIN_SECRET,
        "_REACTOR_PIPELINES_JOB_INDEXER_NONCE": NONCE,
        "TMPDIR": tempfile.gettempdir(),
        **more,
    }


@dataclass(frozen=True, kw_only=True)
class CheckedAbaco(Abaco):
    """An actor whose runs are all held to what every run promises; see `check`.

    Attributes:
        hidden: further texts that no run may show.
    """

    hidden: set[str] = field(default_factory=set)

    def configured(self, **settings: str) -> "CheckedAbaco":
        """The same actor with further variables in its environment."""
        return CheckedAbaco(
            environment={**self.environment, **settings}, username=self.username, names=self.names, hidden=self.hidden
        )

    def of(self, username: str) -> "CheckedAbaco":
        """The same actor, called by another user."""
        return CheckedAbaco(environment=self.environment, username=username, names=self.names, hidden=self.hidden)

    def send(
        self, body: Any = None, parameters: Mapping[str, str] | None = None, execution: str | None = None
    ) -> Execution:
        """Runs the actor with one message, and checks the run."""
        return self.check(Abaco.send(self, body, parameters, execution))

    def send_all(self, deliveries: Sequence[tuple[Any, Mapping[str, str]]]) -> list[Execution]:
        """Runs the actor once for each delivery, a few side by side, and checks the runs."""
        executions: list[Execution] = []
        for first in range(0, len(deliveries), AT_ONCE):
            started = [self.start(body, parameters) for body, parameters in deliveries[first : first + AT_ONCE]]
            executions += [self.check(finished(process)) for process in started]
        return executions

    def check(self, execution: Execution) -> Execution:
        """The run itself. What every run promises: one verdict line at the end of stdout whose verdict the exit code
        repeats, log lines of one JSON object each, no traceback, and no secret anywhere."""
        shown = execution.stdout + execution.stderr
        assert "Traceback" not in shown, shown
        for secret in (*CANARIES, *self.hidden):
            assert secret not in shown, f"{secret!r} is shown in: {shown}"
        assert execution.stdout.endswith("\n"), execution
        assert {"verdict", "uuid", "event", "state", "reason"} <= execution.verdict.keys(), execution
        assert execution.verdict["reason"], execution
        assert "defect" not in execution.stderr, execution.stderr
        for line in execution.stderr.splitlines():
            assert isinstance(json.loads(line), dict), line
        if execution.exit_code != WRONG_SETTING:
            assert execution.exit_code == EXIT_CODES[execution.verdict["verdict"]], execution
        return execution


def verdicts(executions: Iterable[Execution]) -> list[str]:
    """Only the verdicts."""
    return [execution.verdict["verdict"] for execution in executions]


def callback(system: str, status: str, **changes: Any) -> Document:
    """A job system's callback with this status: the sample of `agave`, `aloe` or `tapis`."""
    name = "tapis-notification.json" if system == "tapis" else f"{system}-callback.json"
    body: Document = json.loads((Path(__file__).parents[1] / "data" / name).read_text("utf-8"))
    if system != "tapis":
        return body | {"status": status} | changes
    body = copy.deepcopy(body)
    said = json.loads(body["event"]["data"]) | {"newJobStatus": status}
    body["uuid"] = str(uuid.uuid4())
    body["event"]["type"] = f"jobs.JOB_NEW_STATUS.{status}"
    body["event"]["data"] = json.dumps(said)
    body["event"]["uuid"] = body["eventUuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{status} {changes}"))
    body["event"] |= changes
    return body
