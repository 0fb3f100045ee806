"""Executions over HTTP: the stored outcomes of messages."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import monitoring
from pymongo.database import Database

from pipelinejobs.core.tokens import token_hash
from pipelinejobs.store.indexes import Days, missing
from support.gateway import ACTOR, ALIAS, Gateway, serving, settings
from support.process import EXIT_CODES, StoredJob

BASE = f"/actors/v2/{ALIAS}/executions"


def get(gateway: Gateway, path: str, status: int = 200) -> Any:
    answer = gateway.ask("GET", path, "READ")
    assert answer.status_code == status, answer.text
    return answer.json()


def test_every_verdict_has_one(gateway: Gateway, job: StoredJob) -> None:
    told = [
        gateway.post(body).json()["result"]
        for body in (
            job.event("run"),
            job.event("reset"),
            job.event("validate"),
            {"uuid": job.uuid},
        )
    ]
    assert [one["verdict"] for one in told] == ["applied", "unauthorised", "illegal", "malformed"]
    for one in told:
        execution = get(gateway, f"{BASE}/{one['executionId']}")["result"]
        assert execution["exitCode"] == EXIT_CODES[one["verdict"]]
        assert (execution["id"], execution["status"]) == (one["executionId"], "COMPLETE")
        assert (execution["actorId"], execution["executor"]) == (ACTOR, "sender")
        assert execution["messageReceivedTime"] <= execution["startTime"] <= execution["finishTime"]
        url = f"{gateway.url}/actors/v2/{ACTOR}/executions/{one['executionId']}"
        assert execution["_links"] == {
            "self": url,
            "owner": f"{gateway.url}/profiles/v2/reader",
            "logs": f"{url}/logs",
        }
        logs = get(gateway, f"{BASE}/{one['executionId']}/logs")
        assert logs["message"] == "Logs retrieved successfully."
        line = json.loads(logs["result"]["logs"])
        assert (line["verdict"], line["reason"]) == (one["verdict"], one["reason"])
        assert logs["result"]["_links"]["execution"] == url


def test_the_newest_come_first(gateway: Gateway, job: StoredJob) -> None:
    ids = [gateway.post(job.event("update")).json()["result"]["executionId"] for _ in range(5)]
    listed = get(gateway, BASE)["result"]
    assert [one["id"] for one in listed["executions"]] == ids[::-1]
    assert sorted(listed["executions"][0]) == ["finishTime", "id", "messageReceivedTime", "startTime", "status"]
    assert (listed["totalExecutions"], listed["actorId"], listed["apiServer"]) == (5, ACTOR, gateway.url)
    assert [one["id"] for one in get(gateway, f"{BASE}?limit=2")["result"]["executions"]] == ids[:2:-1]
    assert get(gateway, f"{BASE}?limit=0", 400)["message"].startswith("parameter limit")


def test_there_is_none_of_that_id(gateway: Gateway) -> None:
    for path in ("unknown", "unknown/logs", "%00", "x" * 128):
        assert get(gateway, f"{BASE}/{path}", 404)["result"] is None


def test_the_dialect_of_v3(gateway: Gateway, job: StoredJob) -> None:
    execution = gateway.post(job.event("run")).json()["result"]["executionId"]
    told = get(gateway, f"/v3/actors/{ALIAS}/executions/{execution}")["result"]
    assert (told["exit_code"], told["actor_id"]) == (0, ACTOR)
    listed = get(gateway, f"/v3/actors/{ALIAS}/executions")["result"]
    assert listed["executions"][0]["message_received_time"] == told["message_received_time"]


def test_one_of_another_gateway_on_the_same_database(mongodb_uri: str, database: Database[Any], job: StoredJob) -> None:
    configured = settings(mongodb_uri, database.name)
    with serving(configured) as one, serving(configured) as other:
        execution = one.post(job.event("run")).json()["result"]["executionId"]
        one.parts.executions.flush(10)
        assert get(other, f"{BASE}/{execution}")["result"]["exitCode"] == 0


def test_they_are_kept_for_days(mongodb_uri: str, database: Database[Any]) -> None:
    database.client.drop_database(database.name)
    with serving(settings(mongodb_uri, database.name)):
        pass
    index = database["gateway_executions"].index_information()["expiry"]
    assert index["expireAfterSeconds"] == 2 * 86400
    assert missing(database, Days()) == []


class Writes(monitoring.CommandListener):
    """Records the collections that are written to, with the write concern."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("insert", "update", "delete", "findAndModify"):
            self.seen.append((event.command[event.command_name], dict(event.command.get("writeConcern", {}))))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.mark.parametrize(
    ("own", "expected"),
    [(True, ["jobs"]), (False, ["jobs", "jobs_journal"])],
    ids=["of a job made here", "but for the journal, where another program writes to the job too"],
)
def test_no_second_durable_write(
    mongodb_uri: str, database: Database[Any], job: StoredJob, expected: list[str], *, own: bool
) -> None:
    if own:
        seen = {"_life": job.last["uuid"], "_tokens": [token_hash(job.uuid, job.token)], "_alone": True}
        job.jobs.update_one({"uuid": job.uuid}, {"$set": seen})
    writes = Writes()
    monitoring.register(writes)
    try:
        with serving(settings(mongodb_uri, database.name)) as gateway:
            writes.seen.clear()
            assert gateway.post(job.event("run")).status_code == 200
            gateway.parts.executions.flush(10)
            durable = {"w": "majority", "j": True}
            assert [name for name, concern in writes.seen if concern == durable] == expected
            others = [name for name, concern in writes.seen if concern != durable]
            assert [name for name in others if name != "jobs"] == ["gateway_executions"]
    finally:
        monitoring._LISTENERS.command_listeners.remove(writes)


def test_executions_that_cannot_be_stored_delay_no_answer(
    gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(gateway.parts.store.executions, "add", broken)
    assert gateway.post(job.event("run")).status_code == 200
    gateway.parts.executions.flush(10)
    assert 'pipelinejobs_dropped_total{what="executions"} 1.0' in gateway.client.get("/metrics").text


def test_times_are_abacos(gateway: Gateway, job: StoredJob) -> None:
    execution = gateway.post(job.event("run")).json()["result"]["executionId"]
    received = get(gateway, f"{BASE}/{execution}")["result"]["messageReceivedTime"]
    assert received.endswith("Z")
    assert abs(datetime.fromisoformat(received) - datetime.now(UTC)) < timedelta(minutes=1)
    assert time.gmtime().tm_year == int(received[:4])
