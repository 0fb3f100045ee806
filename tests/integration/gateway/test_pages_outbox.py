"""The page of pending and failed outbox messages, and sending them again."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from support.gateway import Gateway, eventually, serving, settings
from support.pages import seen, visitor
from support.process import StoredJob, insert_job
from tools.demo.indexer import Indexer

FOR_GOOD = timedelta(days=300)


@pytest.fixture
def gateway(mongodb_uri: str, database: Database[dict[str, Any]], indexer: Indexer) -> Iterator[Gateway]:
    """A gateway whose messages fail with their first attempt."""
    indexer.status = 500
    more = {"pipelines__job_indexer_url": indexer.url, "outbox__attempts": "1"}
    with serving(settings(mongodb_uri, database.name, **more)) as running:
        yield running


@pytest.fixture
def failed(gateway: Gateway, new_job: Callable[..., StoredJob]) -> list[StoredJob]:
    """Two jobs whose messages have failed."""
    jobs = [new_job(), new_job()]
    for job in jobs:
        gateway.post(job.event("run"))
        gateway.post(job.event("finish"))
    eventually(lambda: all(row(job)["status"] == "undelivered" for job in jobs))
    return jobs


def row(job: StoredJob) -> dict[str, Any]:
    (only,) = job.stored()["_outbox"]
    found: dict[str, Any] = only
    return found


def test_the_messages_are_listed(gateway: Gateway, failed: list[StoredJob]) -> None:
    now = gateway.parts.store.outbox.now()
    pending = {"_outbox.0.status": "pending", "_outbox.0.next": now + FOR_GOOD}
    failed[1].jobs.update_one({"uuid": failed[1].uuid}, {"$set": pending})
    with visitor(gateway) as visiting:
        page = visiting.get("/pages/outbox")
    text = seen(page)
    assert text.index("Failed 1") < text.index(failed[0].uuid) < text.index("Pending 1") < text.index(failed[1].uuid)
    assert "500 Internal Server Error" in text
    assert page.count('<span class="tag failed">failed</span>') == 1
    assert "index to the Indexer" in text


def test_what_was_never_tried_is_due_at_once(mongodb_uri: str, database: Database[dict[str, Any]], jobs: Any) -> None:
    with serving(settings(mongodb_uri, database.name)) as nowhere:  # no Indexer is known here, so that nothing is tried
        job = insert_job(jobs)
        nowhere.post(job.event("run"))
        nowhere.post(job.event("finish"))
        assert row(job)["attempts"] == 0
        with visitor(nowhere) as visiting:
            for path in ("/pages/outbox", f"/pages/jobs/{job.uuid}"):
                text = seen(visiting.get(path))
                assert "at once" in text
                assert "1970" not in text


def test_no_message(gateway: Gateway) -> None:
    with visitor(gateway, "UPDATE") as visiting:
        text = seen(visiting.get("/pages/outbox"))
    assert "No message has failed." in text
    assert "No message is pending." in text
    assert "Send" not in text


@pytest.mark.parametrize("permission", ["READ", "EXECUTE"])
def test_without_the_permission_there_is_no_button_and_sending_is_refused(
    gateway: Gateway, indexer: Indexer, failed: list[StoredJob], permission: str
) -> None:
    indexer.status = 200
    with visitor(gateway, permission) as visiting:
        for path in ("/pages/outbox", f"/pages/jobs/{failed[0].uuid}"):
            assert "/pages/outbox/send" not in visiting.get(path)
        form = visiting.form
        for fields in ({}, {"job": failed[0].uuid, "key": row(failed[0])["id"]}):
            answer = visiting.post("/pages/outbox/send", {"form": form, **fields})
            assert answer.status_code == 403
            assert "lacks the UPDATE permission" in answer.text
    assert row(failed[0])["status"] == "undelivered"


class TestOne:
    def test_it_is_delivered(self, gateway: Gateway, indexer: Indexer, failed: list[StoredJob]) -> None:
        indexer.status = 200
        before = len(indexer.received)
        with visitor(gateway, "UPDATE") as visiting:
            fields = {"form": visiting.form, "job": failed[0].uuid, "key": row(failed[0])["id"], "back": "outbox"}
            answer = visiting.post("/pages/outbox/send", fields)
            assert answer.headers["location"] == "/pages/outbox?sent=1"
            assert "1 delivered to the Indexer." in seen(visiting.get(answer.headers["location"]))
            assert failed[0].stored()["_outbox"] == []
            again = visiting.post("/pages/outbox/send", fields)
            assert "There was no message to send." in seen(visiting.get(again.headers["location"]))
        assert [failed[0].uuid in str(one.body) for one in indexer.received[before:]] == [True]
        assert row(failed[1])["status"] == "undelivered"

    def test_it_is_not(self, gateway: Gateway, indexer: Indexer, failed: list[StoredJob]) -> None:
        indexer.status = 503
        with visitor(gateway, "UPDATE") as visiting:
            fields = {"form": visiting.form, "job": failed[0].uuid, "key": row(failed[0])["id"], "back": "job"}
            answer = visiting.post("/pages/outbox/send", fields)
            assert answer.headers["location"] == f"/pages/jobs/{failed[0].uuid}?failed=1"
            text = seen(visiting.get(answer.headers["location"]))
        assert "1 not delivered; the reason is shown with the message." in text
        assert "503 Service Unavailable" in text
        assert row(failed[0])["status"] == "undelivered"

    def test_a_message_that_another_process_sends_is_left_alone(
        self, gateway: Gateway, indexer: Indexer, failed: list[StoredJob]
    ) -> None:
        indexer.status = 200
        before = len(indexer.received)
        held = {"status": "pending", "holder": "another", "next": gateway.parts.store.outbox.now() + FOR_GOOD}
        changes = {f"_outbox.0.{name}": value for name, value in held.items()}
        failed[0].jobs.update_one({"uuid": failed[0].uuid}, {"$set": changes})
        with visitor(gateway, "UPDATE") as visiting:
            fields = {"form": visiting.form, "job": failed[0].uuid, "key": row(failed[0])["id"]}
            answer = visiting.post("/pages/outbox/send", fields)
            assert "1 being sent by another process" in seen(visiting.get(answer.headers["location"]))
        assert row(failed[0])["holder"] == "another"
        assert len(indexer.received) == before

    @pytest.mark.parametrize("fields", [{"job": "x", "key": "y"}, {"job": "x"}, {"key": "y"}, {"job": ""}])
    def test_an_unknown_message_sends_nothing(
        self, gateway: Gateway, indexer: Indexer, failed: list[StoredJob], fields: dict[str, str]
    ) -> None:
        before = len(indexer.received)
        with visitor(gateway, "UPDATE") as visiting:
            answer = visiting.post("/pages/outbox/send", {"form": visiting.form, **fields})
            assert answer.headers["location"] == "/pages/outbox?gone=1"
        assert len(indexer.received) == before


class TestAll:
    def test_failed_messages_are_sent_and_pending_ones_are_not(
        self, gateway: Gateway, indexer: Indexer, failed: list[StoredJob], new_job: Callable[..., StoredJob]
    ) -> None:
        waits = new_job()
        gateway.post(waits.event("run"))
        gateway.post(waits.event("finish"))
        eventually(lambda: row(waits)["status"] == "undelivered")
        now = gateway.parts.store.outbox.now()
        pending = {"_outbox.0.status": "pending", "_outbox.0.next": now + FOR_GOOD}
        waits.jobs.update_one({"uuid": waits.uuid}, {"$set": pending})
        indexer.status = 200
        with visitor(gateway, "UPDATE") as visiting:
            assert "Send all failed messages again" in visiting.get("/pages/outbox")
            answer = visiting.post("/pages/outbox/send", {"form": visiting.form})
            assert answer.headers["location"] == "/pages/outbox?sent=2"
        assert [job.stored()["_outbox"] for job in failed] == [[], []]
        assert row(waits)["status"] == "pending"

    def test_it_ends_in_time_and_says_what_is_left(
        self, mongodb_uri: str, database: Database[Any], indexer: Indexer, failed: list[StoredJob]
    ) -> None:
        indexer.status, indexer.delay = 200, 1.2
        more = {"pipelines__job_indexer_url": indexer.url, "outbox__attempts": "1", "limits__request": "2"}
        with serving(settings(mongodb_uri, database.name, **more)) as slow, visitor(slow, "UPDATE") as visiting:
            answer = visiting.post("/pages/outbox/send", {"form": visiting.form})
            assert answer.status_code == 303
            text = seen(visiting.get(answer.headers["location"]))
            assert "1 not attempted" in text

    def test_without_the_indexers_address_the_page_says_so(
        self, mongodb_uri: str, database: Database[Any], gateway: Gateway, failed: list[StoredJob]
    ) -> None:
        with serving(settings(mongodb_uri, database.name)) as mute, visitor(mute, "UPDATE") as visiting:
            page = visiting.get("/pages/outbox")
            assert "pipelines.job_indexer_url" in page
            assert "/pages/outbox/send" not in page
            assert visiting.post("/pages/outbox/send", {"form": visiting.form}).status_code == 409


@pytest.mark.parametrize("query", ["sent=x", "sent=-1", "sent=", "sent=<b>", "sent=999999999", "held=0"])
def test_an_address_that_says_nonsense_of_what_was_sent(gateway: Gateway, query: str) -> None:
    with visitor(gateway) as visiting:
        page = visiting.get(f"/pages/outbox?{query}")
    assert '<p class="said" role="status">' not in page


def test_the_old_addresses_lead_to_the_new_ones(gateway: Gateway) -> None:
    with visitor(gateway) as visiting:
        answer = visiting.client.get("/pages/owed?sent=1")
        assert (answer.status_code, answer.headers["location"]) == (308, "/pages/outbox?sent=1")
        answer = visiting.post("/pages/owed/send", {"form": visiting.form})
        assert (answer.status_code, answer.headers["location"]) == (308, "/pages/outbox/send")
