"""Health and readiness, metrics, log lines, and the gateway without its database."""

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from pipelinejobs.mongod import Mongod
from pipelinejobs.util import log
from support.gateway import ALIAS, TOKENS, Gateway, eventually, serving, settings
from support.process import NewJob, StoredJob, insert_job


def test_alive_and_ready(gateway: Gateway) -> None:
    for path, result in (("/healthz", {"alive": True}), ("/readyz", {"ready": True, "problems": []})):
        answer = gateway.client.get(path)
        assert answer.status_code == 200
        assert answer.json()["result"] == result


def test_not_ready_without_its_indexes(gateway: Gateway, database: Database[Any]) -> None:
    database["jobs_refused"].drop_indexes()
    gateway.parts._checked = 0.0
    answer = gateway.client.get("/readyz")
    assert answer.status_code == 503
    assert "jobs_refused.job_date" in answer.json()["message"]
    assert answer.headers["retry-after"]
    assert gateway.client.get("/healthz").status_code == 200


def test_not_ready_while_it_is_stopped(gateway: Gateway) -> None:
    gateway.parts.stopping = True
    assert gateway.client.get("/readyz").status_code == 503


def test_it_makes_the_indexes(mongodb_uri: str, database: Database[Any]) -> None:
    database.client.drop_database(database.name)
    with serving(settings(mongodb_uri, database.name)) as gateway:
        assert gateway.parts.store.missing_indexes() == []
    assert "uuid_1" in database["jobs"].index_information()


@pytest.mark.promise("P10")
def test_a_database_that_goes_away_and_comes_back(embedded: Mongod) -> None:
    uri = embedded.start().uri
    with MongoClient[dict[str, Any]](uri, timeoutMS=5000) as client:
        job = insert_job(client["away"]["jobs"])
    with serving(settings(uri, "away", limits__request="2")) as gateway:
        assert gateway.post(job.event("update")).status_code == 200
        embedded.stop()
        answer = gateway.post(job.event("update"))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["result"]["verdict"] == "unavailable"
        assert gateway.ask("GET", "/jobs").status_code == 503
        assert gateway.client.get("/healthz").status_code == 200
        assert eventually(lambda: gateway.client.get("/readyz").status_code == 503)
        assert gateway.client.get("/metrics").status_code == 200
        nonce = gateway.client.post(f"/actors/v2/{ALIAS}/messages", params={"x-nonce": "SD2E_JKx3PqOeWvLm"})
        assert nonce.status_code == 503  # whether the nonce is valid is not known
        counted = gateway.client.get("/metrics").text  # counted as an outage, not as an invalid credential
        assert 'pipelinejobs_verdicts_total{kind="unread",verdict="unavailable"} 1.0' in counted
        assert 'pipelinejobs_requests_refused_total{reason="unavailable"}' not in counted
        assert gateway.post({"uuid": "x"}).status_code == 400  # that is known without a database
        embedded.start()
        eventually(lambda: gateway.post(job.event("update")).status_code == 200)
        eventually(lambda: gateway.client.get("/readyz").status_code == 200)


class TestMetrics:
    def test_verdicts_by_kind(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"))
        gateway.post(None, job.url(status="RUNNING"))
        gateway.post(b"nonsense")
        text = gateway.client.get("/metrics").text
        assert 'pipelinejobs_verdicts_total{kind="command",verdict="applied"} 1.0' in text
        assert 'pipelinejobs_verdicts_total{kind="report",verdict="applied"} 1.0' in text
        assert 'pipelinejobs_verdicts_total{kind="unread",verdict="malformed"} 1.0' in text
        assert "pipelinejobs_durable_seconds_count 2.0" in text
        assert 'pipelinejobs_outbox_size{status="pending"} 0.0' in text
        assert 'pipelinejobs_outbox_oldest_age_seconds{status="failed"} 0.0' in text
        assert "pipelinejobs_messages_in_progress 0.0" in text

    def test_open_jobs(self, gateway: Gateway, new_job: NewJob) -> None:
        """Counted in the background: the scrape shows the last count."""
        new_job(updated=datetime.now(UTC) - timedelta(hours=1))
        late = {"attempt": "108-a", "overdue_from": datetime.now(UTC) - timedelta(hours=1)}
        history = [{"uuid": "108-a", "name": "create", "data": {}, "date": datetime.now(UTC)}]
        own = {"_life": "108-a", "_attempt": "108-a", "_time_limit": late, "history": history}
        new_job(state="RUNNING", updated=datetime.now(UTC) - timedelta(hours=2), **own)
        watch = gateway.parts._open_jobs
        eventually(lambda: watch.latest() is not None)
        watch._next = 0.0
        watch.look()
        text = gateway.client.get("/metrics").text
        assert 'pipelinejobs_jobs{state="CREATED"} 1.0' in text
        assert 'pipelinejobs_jobs{state="RUNNING"} 1.0' in text
        assert "pipelinejobs_overdue_jobs 1.0" in text
        ages = dict(re.findall(r'^pipelinejobs_quietest_seconds{state="(\w+)"} (\S+)', text, re.MULTILINE))
        assert {state: round(float(age) / 3600) for state, age in ages.items()} == {"CREATED": 1, "RUNNING": 2}

    def test_open_jobs_are_not_shown_while_they_cannot_be_counted(
        self, gateway: Gateway, database: Database[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watch = gateway.parts._open_jobs
        eventually(lambda: watch.latest() is not None)
        monkeypatch.setattr(watch, "_next", float("inf"))
        monkeypatch.setattr(watch, "_last", None)
        text = gateway.client.get("/metrics").text
        assert "pipelinejobs_jobs{" not in text
        assert "# TYPE pipelinejobs_jobs gauge" in text

    def test_old_names_are_kept_and_say_the_new_one(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"), permission="READ")
        gateway.post(job.event("run"))
        text = gateway.client.get("/metrics").text
        for line in (
            'pipelinejobs_deliveries_total{kind="event",verdict="applied"} 1.0',
            'pipelinejobs_deliveries_total{kind="unread",verdict="unauthorised"} 1.0',
            'pipelinejobs_credentials_refused_total{kind="right"} 1.0',
            'pipelinejobs_outbox_messages{status="undelivered"} 0.0',
            'pipelinejobs_outbox_oldest_seconds{status="undelivered"} 0.0',
            "pipelinejobs_messages_inside 0.0",
        ):
            assert line in text
        for old, new in re.findall(r"^# HELP (\S+) Deprecated: use (pipelinejobs_\w+)", text, re.MULTILINE):
            assert f"# HELP {new} " in text, old
        assert len(re.findall("Deprecated", text)) == 5

    def test_refused_requests_by_reason(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"), permission=None)
        gateway.post(job.event("run"), permission=None, headers={"Authorization": "Bearer wrong"})
        gateway.post(job.event("run"), {"x-nonce": "SD2E_JKx3PqOeWvLm"}, permission=None)
        gateway.post(job.event("run"), permission="READ")
        text = gateway.client.get("/metrics").text
        for reason in ("missing", "token", "nonce unknown", "permission"):
            assert f'pipelinejobs_requests_refused_total{{reason="{reason}"}} 1.0' in text

    @pytest.mark.promise("P6")
    def test_nothing_in_them_names_anybody(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"))
        gateway.ask("GET", f"/jobs/{job.uuid}", "READ")
        text = gateway.client.get("/metrics").text
        for name in (job.uuid, job.token, "sender", ALIAS, *TOKENS.values()):
            assert name not in text


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    """The log lines, parsed from JSON."""
    formatter = log.JsonFormatter()
    with caplog.at_level(logging.INFO, logger="pipelinejobs"):
        yield lambda: [json.loads(formatter.format(record)) for record in caplog.records]


class TestLogs:
    def test_one_line_for_each_delivery(self, gateway: Gateway, job: StoredJob, lines: Any) -> None:
        told = [gateway.post(body).json()["result"] for body in (job.event("run"), {"uuid": "x"})]
        told.append(gateway.post(job.event("run"), permission=None).json()["result"])
        for one in told:
            (line,) = [line for line in lines() if line.get("execution") == one["executionId"]]
            assert (line["verdict"], line["message"]) == (one["verdict"], one["reason"])
        (applied,) = [line for line in lines() if line.get("verdict") == "applied"]
        assert (applied["job"], applied["event"], applied["user"]) == (job.uuid, "run", "sender")
        assert applied["kind"] == "command"
        assert applied["ms"] > 0

    @pytest.mark.promise("P6")
    def test_no_query_and_no_secret(self, gateway: Gateway, job: StoredJob, lines: Any) -> None:
        gateway.post({"progress": "canary-data"}, job.url("update", note="canary-note"))
        gateway.post(None, {"uuid": job.uuid, "event": "run", "token": "canary-token", "x-nonce": "SD2E_canary"})
        gateway.ask("GET", "/jobs?text=canary-text", "READ")
        assert [line["verdict"] for line in lines() if "verdict" in line] == ["applied", "unauthorised"]
        written = json.dumps(lines())
        for secret in ("canary", job.token, *TOKENS.values(), "?"):
            assert secret not in written


@pytest.mark.parametrize("path", ["/nothing", "/actors/v2", "/actors/v2/", "/docs", "/redoc", "/actors", "/%2fjobs"])
def test_there_is_nothing_else(gateway: Gateway, path: str) -> None:
    answer = gateway.ask("GET", path)
    assert answer.status_code == 404
    assert answer.json() == {
        "message": "not found: no such path",
        "result": None,
        "status": "error",
        "version": answer.json()["version"],
    }


def test_answers_are_kept_out_of_caches(gateway: Gateway) -> None:
    for path in ("/healthz", "/jobs", "/nothing"):
        headers = gateway.ask("GET", path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_links_follow_the_host_that_was_asked_for(gateway: Gateway) -> None:
    def link(host: bytes) -> str:
        answer = gateway.ask("GET", f"/actors/v2/{ALIAS}/messages", headers={"Host": host})
        return str(answer.json()["result"]["_links"]["self"])

    assert link(b"jobs.example.org").startswith("http://jobs.example.org/actors/v2/")
    assert link(b'x"><script>').startswith(f"{gateway.url}/actors/v2/")


def test_links_follow_the_setting(mongodb_uri: str, database: Database[Any]) -> None:
    configured = settings(mongodb_uri, database.name, gateway__api_server="https://jobs.example.org/")
    with serving(configured) as gateway:
        answer = gateway.ask("GET", f"/actors/v2/{ALIAS}/messages").json()
        assert answer["result"]["_links"]["self"].startswith("https://jobs.example.org/actors/v2/")
