"""Dry runs over HTTP: the answer is as it would be, and nothing but the nonce's use is written."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.gateway import app
from pipelinejobs.util import log
from support.dump import everything
from support.gateway import ALIAS, Gateway, eventually, serving, settings
from support.process import StoredJob, admin_token, callback

pytestmark = pytest.mark.promise("P12")

DRY = {"dry_run": "true"}


@pytest.fixture
def seen(gateway: Gateway, job: StoredJob) -> StoredJob:
    """A job whose token the gateway has stored already, which it does by itself."""
    eventually(lambda: "_tokens" in job.stored())
    return job


@pytest.fixture
def unchanged(gateway: Gateway, seen: StoredJob, database: Database[Any]) -> Iterator[None]:
    """Afterwards the database is as it was before, also when all that waits to be stored is stored."""
    before = everything(database)
    yield
    assert gateway.parts.executions.flush(20)
    assert gateway.parts.deliveries._refusals.flush(20)
    assert everything(database) == before


def dry(answer: Any, status: int = 200) -> dict[str, Any]:
    """The result of a dry run, which says that it was one."""
    assert answer.status_code == status, answer.text
    result: dict[str, Any] = answer.json()["result"]
    assert result["dry_run"] is True
    return result


@pytest.mark.usefixtures("unchanged")
class TestForms:
    def test_a_json_event(self, gateway: Gateway, seen: StoredJob) -> None:
        told = dry(gateway.post(seen.event("run"), DRY))
        assert (told["verdict"], told["reason"]) == ("applied", "run: CREATED -> RUNNING")
        assert told["job"] == {"uuid": seen.uuid, "state": "CREATED", "lastEvent": "create", "stateAfter": "RUNNING"}
        assert told["msg"] == seen.event("run") | {"token": "***"}
        assert told["_links"].keys() == {"owner", "messages"}
        execution = f"/actors/v2/{ALIAS}/executions/{told['executionId']}"
        assert gateway.ask("GET", execution).status_code == 404

    def test_url_parameters(self, gateway: Gateway, seen: StoredJob) -> None:
        told = dry(gateway.post({"progress": 1}, seen.url("update", dry_run="1")))
        assert told["reason"] == "update: CREATED -> CREATED"

    @pytest.mark.parametrize("system", ["agave", "aloe", "tapis"])
    def test_callbacks(self, gateway: Gateway, seen: StoredJob, system: str) -> None:
        told = dry(gateway.post(callback(system, "FINISHED"), seen.url(**DRY)))
        assert told["reason"].startswith("finish: CREATED -> FINISHED; no event had said that the job runs")
        assert told["job"]["stateAfter"] == "FINISHED"

    def test_a_callback_that_has_to_be_repaired(self, gateway: Gateway, seen: StoredJob) -> None:
        told = dry(gateway.post(b"\xff not JSON", seen.url(status="RUNNING", **DRY)))
        assert (told["verdict"], told["job"]["stateAfter"]) == ("applied", "RUNNING")

    def test_the_dialect_of_v3(self, gateway: Gateway, seen: StoredJob) -> None:
        told = dry(gateway.post(seen.event("run"), DRY, base="/v3/actors"))
        assert told["job"] == {"uuid": seen.uuid, "state": "CREATED", "last_event": "create", "state_after": "RUNNING"}

    def test_a_body_that_is_read_in_a_thread(self, gateway: Gateway, seen: StoredJob) -> None:
        told = dry(gateway.post(seen.event("run", {"text": "x" * 100_000}), DRY))
        assert told["job"]["stateAfter"] == "RUNNING"

    def test_index_requests_are_not_sent(self, gateway: Gateway, seen: StoredJob) -> None:
        assert dry(gateway.post(callback("agave", "FINISHED"), seen.url(**DRY)))["verdict"] == "applied"
        assert "_outbox" not in seen.stored()


@pytest.mark.usefixtures("unchanged")
class TestRefusals:
    def test_a_wrong_token_looks_like_an_unknown_job(self, gateway: Gateway, seen: StoredJob) -> None:
        bodies = [seen.event("run", token="0" * 16), seen.event("run", uuid="10700000-0000-5000-8000-000000000000")]
        dries = [dry(gateway.post(body, DRY), 403) for body in bodies]
        for told in dries:
            del told["executionId"]
        assert dries[0] == dries[1]
        assert set(dries[0]) == {"verdict", "reason", "dry_run"}

    def test_an_illegal_command(self, gateway: Gateway, seen: StoredJob) -> None:
        assert "allowed now: " in dry(gateway.post(seen.event("finish"), DRY), 409)["reason"]

    def test_an_unreadable_message_with_all_its_problems(self, gateway: Gateway, seen: StoredJob) -> None:
        told = dry(gateway.post({"uuid": seen.uuid, "name": 5, "data": 6, "token": seen.token}, DRY), 400)
        assert "name: " in told["reason"]
        assert "data: " in told["reason"]

    def test_a_body_that_is_too_large(self, gateway: Gateway, seen: StoredJob) -> None:
        body = seen.event("run", {"x": "y" * 5_000_000})
        assert dry(gateway.post(body, seen.url(**DRY)), 413)["verdict"] == "malformed"

    def test_no_credential(self, gateway: Gateway, seen: StoredJob) -> None:
        assert dry(gateway.post(seen.event("run"), DRY, permission=None), 401)["verdict"] == "unauthorised"
        assert dry(gateway.post(seen.event("run"), DRY, permission="READ"), 403)["verdict"] == "unauthorised"

    def test_too_many_at_once(self, gateway: Gateway, seen: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gateway.parts.batcher, "_most", 0)
        assert dry(gateway.post(seen.event("run"), DRY), 503)["verdict"] == "unavailable"


def test_without_the_fast_path(
    mongodb_uri: str, database: Database[Any], job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "FastPath", lambda through_fastapi, *_: through_fastapi)
    with serving(settings(mongodb_uri, database.name)) as gateway:
        assert dry(gateway.post(job.event("run"), DRY))["job"]["stateAfter"] == "RUNNING"
        assert dry(gateway.post(job.event("finish"), DRY), 409)["verdict"] == "illegal"
    assert job.names == ["create"]
    assert database["gateway_executions"].count_documents({}) == 0


@pytest.mark.parametrize("value", ["", "yes", "${DRY_RUN}", "2", "true,false", "\ufffd"])
def test_any_other_value_is_refused_also_of_a_report(gateway: Gateway, job: StoredJob, value: str) -> None:
    """The sender of a callback with such a URL may have meant that nothing is to be written."""
    for body in (job.event("run"), callback("agave", "FINISHED")):
        answer = gateway.post(body, job.url(dry_run=value))
        assert answer.status_code == 400
        assert answer.json()["message"] == "parameter dry_run: must be true or false (or 1 or 0)"
        assert "dry_run" not in answer.json()["result"]
    assert job.names == ["create"]


@pytest.mark.parametrize("value", ["false", "0", "False", " false\n"])
def test_false_is_none(gateway: Gateway, job: StoredJob, value: str) -> None:
    told = gateway.post(job.event("run"), {"dry_run": value}).json()["result"]
    assert (told["verdict"], told["job"]["state"]) == ("applied", "RUNNING")
    assert "dry_run" not in told
    assert job.names == ["create", "run"]


def test_in_the_body_it_is_refused_with_where_it_belongs(gateway: Gateway, job: StoredJob) -> None:
    answer = gateway.post(job.event("run", dry_run=True))
    assert answer.status_code == 400
    assert "put it into the URL, as the parameter dry_run" in answer.json()["message"]


def test_it_takes_no_event_id_and_the_real_delivery_follows(gateway: Gateway, job: StoredJob) -> None:
    headers = {"Idempotency-Key": "launch-1"}
    assert dry(gateway.post(job.event("run"), DRY, headers=headers))["verdict"] == "applied"
    assert gateway.post(job.event("run"), headers=headers).json()["result"]["verdict"] == "applied"
    told = dry(gateway.post(job.event("run"), DRY, headers=headers))
    assert (told["verdict"], told["job"]["state"], told["job"]["stateAfter"]) == ("duplicate", "RUNNING", "RUNNING")
    told = dry(gateway.post(job.event("update"), DRY, headers=headers), 400)
    assert told["verdict"] == "malformed"


def test_an_administrative_event(gateway: Gateway, job: StoredJob) -> None:
    told = dry(gateway.post(job.event("reset", token=admin_token()), DRY))
    assert (told["verdict"], told["job"]["stateAfter"]) == ("applied", "RESET")
    assert job.names == ["create"]


def test_of_a_nonce_it_costs_one_use(gateway: Gateway, seen: StoredJob, database: Database[Any]) -> None:
    path = f"/actors/v2/aliases/{ALIAS}/nonces"
    nonce = gateway.ask("POST", path, json={"maxUses": 2}).json()["result"]["id"]
    before = everything(database)
    answers = [gateway.post(seen.event("run"), {"x-nonce": nonce, **DRY}, permission=None) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    after = everything(database)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {"gateway_nonces"}
    (used,) = gateway.ask("GET", path).json()["result"]
    assert (used["currentUses"], used["remainingUses"]) == (2, 0)


def test_it_is_counted_apart(gateway: Gateway, job: StoredJob) -> None:
    gateway.post(job.event("run"), DRY)
    gateway.post(job.event("finish"), DRY)
    gateway.post(job.event("run"), DRY, permission=None)
    text = gateway.client.get("/metrics").text
    for verdict, count in (("applied", 1), ("illegal", 1), ("unauthorised", 1), ("stale", 0)):
        assert f'pipelinejobs_dry_runs_total{{verdict="{verdict}"}} {count}.0' in text
    assert 'pipelinejobs_verdicts_total{kind="command",verdict="applied"} 0.0' in text
    assert 'pipelinejobs_verdicts_total{kind="command",verdict="illegal"} 0.0' in text
    assert "pipelinejobs_durable_seconds_count 0.0" in text


def test_its_log_line_says_so(gateway: Gateway, job: StoredJob, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="pipelinejobs"):
        gateway.post(job.event("run"), DRY)
        gateway.post(job.event("run"), DRY, permission=None)
        gateway.post(job.event("run"))
    lines = [json.loads(log.JsonFormatter().format(record)) for record in caplog.records]
    told = [(line["verdict"], line.get("dry_run")) for line in lines if "verdict" in line]
    assert told == [("applied", True), ("unauthorised", True), ("applied", None)]


def test_one_that_takes_too_long_says_that_nothing_was_changed(
    mongodb_uri: str, database: Database[Any], job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    with serving(settings(mongodb_uri, database.name, limits__request="0.5")) as gateway:
        judge = gateway.parts.batcher._judge.judge
        monkeypatch.setattr(gateway.parts.batcher._judge, "judge", lambda *a: (goes_on.wait(20), judge(*a))[1])
        told = dry(gateway.post(job.event("run"), DRY), 503)
        goes_on.set()
        eventually(lambda: gateway.parts.batcher.inside == 0)
    assert told["reason"] == "timed out; it was a dry run, so nothing was changed"
    assert job.names == ["create"]


def test_a_defect_says_nothing_of_an_event_that_may_be_applied(
    gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(gateway.parts.batcher._judge, "judge", broken)
    assert dry(gateway.post(job.event("run"), DRY), 503)["reason"] == "unexpected error in the manager"
