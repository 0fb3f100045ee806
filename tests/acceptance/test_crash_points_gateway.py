"""The gateway is killed before and after each of its effects; after a restart everything is as it should be.

The sender does what each sender should do: it sends a message without an answer again, with the same key. Nothing is
repaired by hand.
"""

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo.database import Database

from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.store import Store
from support.dump import dump
from support.gateway import ALIAS, TOKENS, eventually, serving, settings
from support.process import Documents, StoredJob, callback, insert_job
from support.served import NotServing, gateway_environment, served
from tools.demo.indexer import Indexer

pytestmark = [
    pytest.mark.promise("P8"),
    pytest.mark.promise("P1"),
    pytest.mark.promise("P2"),
    pytest.mark.promise("F6"),
    pytest.mark.promise("F7"),
    pytest.mark.promise("F18"),
]

LAUNCHER: Final = Path(__file__).resolve().parents[1] / "support" / "crash.py"
SECONDS: Final = 60.0
EFFECTS: Final = (
    "createIndexes jobs 1",
    "createIndexes jobs 3",
    "createIndexes jobs_history 1",
    "insert gateway_nonces 1",
    "update gateway_nonces 1",
    "update jobs 1",
    "update jobs_journal 1",
    "insert gateway_executions 1",
    "update jobs_refused 1",
    "update jobs 2",
    "findAndModify jobs 1",
    "send 1",
    "update jobs 3",
    "update jobs_journal 3",
    "update jobs 4",
    "update jobs 6",
)
"""What it does to the world in this scenario; of what happens many times, some."""
POINTS: Final = [f"{when} {effect}" for effect in EFFECTS for when in ("before", "after")]
SHORT: Final = {"limits__indexer": "0.5", "outbox__first_delay": "0.2"}


@dataclass
class Sender:
    """Sends a job's messages in order, each until it is answered, and remembers the answers.

    Attributes:
        url: where the gateway is at the moment.
    """

    job: StoredJob
    url: str = ""
    nonce: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)

    def send_all(self) -> None:
        """Sends the messages without an answer.

        Raises:
            httpx.TransportError: the gateway is gone.
        """
        if not self.nonce:
            answer = self._post(f"/actors/v2/aliases/{ALIAS}/nonces", {"maxUses": 50, "level": "EXECUTE"}, "UPDATE")
            assert answer.status_code == 200, answer.text
            self.nonce = answer.json()["result"]["id"]
        messages = [("run", None), ("retire", None), ("update", {"number": 1}), ("finish", None), ("finish", None)]
        for number, (name, data) in enumerate(messages):
            if name not in self.verdicts:
                self._event(f"{name}-{number}", self.job.event(name, data))
        if "callback" not in self.verdicts:
            self._event("callback", callback("agave", "FINISHED"), uuid=self.job.uuid, token=self.job.token)

    def _event(self, key: str, body: Any, **parameters: str) -> None:
        if key in self.verdicts:
            return
        query = {"x-nonce": self.nonce, **parameters}
        answer = self._post(f"/actors/v2/{ALIAS}/messages", body, None, query, {"Idempotency-Key": key})
        self.verdicts[key] = answer.json()["result"]["verdict"]

    def _post(
        self,
        path: str,
        body: Any,
        permission: str | None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        headers = dict(headers or {}) | ({"Authorization": f"Bearer {TOKENS[permission]}"} if permission else {})
        return httpx.post(
            f"{self.url}{path}", json=body, params=query, headers=headers, timeout=20, verify=False, trust_env=False
        )


@pytest.fixture
def sender(jobs: Documents) -> Sender:
    return Sender(insert_job(jobs))


@pytest.fixture
def variables(mongodb_uri: str, database: Database[Any], indexer: Indexer) -> dict[str, str]:
    return gateway_environment(
        mongodb_uri,
        database.name,
        _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url,
        **{f"_REACTOR_{name.upper().replace('__', '_')}": value for name, value in SHORT.items()},
    )


def launched(file: Path, point: str) -> tuple[str, ...]:
    return (sys.executable, str(LAUNCHER), str(file), point, "serve")


@pytest.fixture
def settled(sender: Sender, indexer: Indexer) -> Any:
    def settled() -> bool:
        return len(sender.verdicts) == 6 and not sender.job.stored().get("_outbox") and bool(indexer.received)

    return settled


def test_these_are_effects(
    variables: dict[str, str], tmp_path: Path, sender: Sender, settled: Any, database: Database[Any]
) -> None:
    """Each of the points is reached, so that each of the tests below kills something."""
    with served(variables, tmp_path, command=launched(tmp_path / "points", "none")) as gateway:
        sender.url = gateway.url
        sender.send_all()
        eventually(settled)
        eventually(lambda: database["gateway_executions"].count_documents({}) and database["jobs_refused"].find_one())
        assert gateway.end() == 0
    reached = (tmp_path / "points").read_text().splitlines()
    assert set(POINTS) <= set(reached), reached


@pytest.mark.parametrize("point", POINTS)
def test_killed(
    variables: dict[str, str],
    mongodb_uri: str,
    database: Database[Any],
    store: Store,
    indexer: Indexer,
    tmp_path: Path,
    sender: Sender,
    settled: Any,
    point: str,
) -> None:
    with (
        suppress(NotServing, httpx.TransportError),  # it may die before it serves, or in the middle of an answer
        served(variables, tmp_path, command=launched(tmp_path / "points", point)) as gateway,
    ):
        sender.url = gateway.url
        sender.send_all()
        gateway.process.wait(SECONDS)
    assert (tmp_path / "points").read_text().splitlines().count("killed") == 1
    answered = dict(sender.verdicts)
    sound(store, sender.job)

    again = settings(mongodb_uri, database.name, **SHORT, pipelines__job_indexer_url=indexer.url)
    with serving(again) as restarted:
        assert restarted.ask("GET", "/readyz").status_code == 200
        sender.url = restarted.url
        sender.send_all()
        eventually(settled)
    sound(store, sender.job)
    names = [entry.name for entry in store.history.entries(sender.job.uuid)]
    assert names == ["create", "run", "update", "finish", "finish", "finish"]
    assert sender.verdicts["retire-1"] == "illegal"
    assert {answered[key] for key in answered if key != "retire-1"} <= {"applied", "stale"}
    assert {sender.verdicts[key] for key in ("run-0", "update-2", "finish-3")} <= {"applied", "duplicate"}
    assert len({request.headers["Idempotency-Key"] for request in indexer.received}) == 1
    assert 1 <= len(indexer.received) <= 2
    assert not any(secret in dump(database) for secret in (sender.job.token, sender.nonce, *TOKENS.values()))


def sound(store: Store, job: StoredJob) -> None:
    read = take_snapshot(store, job.uuid)
    assert read is not None
    assert not read.problems
