"""The page of one job."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelinejobs.gateway.pages import timeline
from pipelinejobs.messages import asked
from pipelinejobs.messages.external import External
from pipelinejobs.store import history
from support.gateway import ALIAS, TOKENS, Gateway, eventually
from support.pages import HOSTILE, assert_harmless, seen, visitor
from support.process import Documents, StoredJob, callback
from tools.demo.indexer import Indexer


def page_of(gateway: Gateway, job: StoredJob, permission: str = "READ", **query: str) -> str:
    with visitor(gateway, permission) as visiting:
        return visiting.get(f"/pages/jobs/{job.uuid}", **query)


def numbers(page: str) -> list[int]:
    """The numbers of the events on a page, from top to bottom."""
    return [int(number) for number in re.findall(r'<span class="number" aria-hidden="true">(\d+)<', page)]


def section(page: str, name: str) -> str:
    """The text of one part of the page."""
    return seen("<body>" + page.partition(f'id="part-{name}"')[2].partition("</section>")[0])


def of_its_own(new_job: Callable[..., StoredJob], **changes: Any) -> StoredJob:
    """A job with a life of its own, so that its older history belongs to no other test."""
    create = {"date": datetime.now(UTC), "data": {}, "name": "create", "uuid": f"108{str(uuid.uuid4())[3:]}"}
    return new_job(history=[create], **changes)


def test_everything_of_it(gateway: Gateway, indexer: Indexer, job: StoredJob) -> None:
    indexer.status = 500
    gateway.post(callback("agave", "FINISHED"), job.url())
    gateway.post(job.event("finalize", {"why": "early"}))
    eventually(lambda: list(gateway.parts.store.refused.of(job.uuid)))
    eventually(lambda: "500" in (job.stored()["_outbox"][0]["error"] or ""))
    page = page_of(gateway, job)
    stored = job.stored()
    text = seen(page)
    assert f'data-copy="{job.uuid}"' in page
    for value in (stored["archive_path"], stored["archive_system"], stored["session"], stored["pipeline_uuid"]):
        assert value in text
    assert "FINISHED Job has completed processing" in text
    assert numbers(page) == [3, 2, 1]
    timeline_text = section(page, "timeline")
    assert "finish RUNNING to FINISHED" in timeline_text
    assert "run CREATED to RUNNING implied by the report after it" in timeline_text
    assert "finalize illegal while FINISHED, from sender" in section(page, "refused")
    assert "finalize is not allowed while the job is FINISHED" in section(page, "refused")
    assert re.search(r"index pending \d+ attempts?, pending since", section(page, "outbox"))
    assert "500 Internal Server Error" in section(page, "outbox")
    next_text = section(page, "next")
    assert "validate to VALIDATING" in next_text
    assert "reset to RESET" in next_text
    assert "needs an administrative token" in next_text
    assert "finalize" not in next_text
    assert re.search(r'<g class="box s-finished visited present" data-state="FINISHED"', page)
    assert re.search(r'<g class="arrow walked" data-moves="RUNNING:finish">', page)
    assert "Its path, from CREATED: run to RUNNING, finish to FINISHED." in page


def test_what_could_not_be_read(gateway: Gateway, job: StoredJob) -> None:
    reason = gateway.post(b"nonsense", job.url()).json()["message"]
    eventually(lambda: list(gateway.parts.store.refused.of(job.uuid)))
    text = section(page_of(gateway, job), "refused")
    assert "a message that could not be read malformed while CREATED, from sender" in text
    assert reason in text


def test_a_new_one(gateway: Gateway, job: StoredJob) -> None:
    text = seen(page_of(gateway, job))
    assert "No message to the Indexer is pending." in text
    assert "Nothing was refused." in text


@pytest.mark.parametrize("name", ["107b93f3-1eae-5e79-8a18-ffffffffffff", "nonsense", "%2e%2e%2foutbox"])
def test_there_is_none(gateway: Gateway, name: str) -> None:
    with visitor(gateway) as visiting:
        assert "There is no such" in visiting.get(f"/pages/jobs/{name}", 404)


def test_problems_of_the_job_are_shown(gateway: Gateway, jobs: Documents, job: StoredJob) -> None:
    jobs.update_one({"uuid": job.uuid}, {"$set": {"state": "INDEXING"}})
    page = page_of(gateway, job)
    assert "its state is INDEXING, but its history leads to CREATED" in seen(page)


@pytest.mark.parametrize(
    "damage",
    [
        {"history": []},
        {"history": "none"},
        {"history": [{"name": "create"}, 7, {"name": HOSTILE, "date": HOSTILE, "uuid": "x", "data": HOSTILE}]},
        {"_outbox": [7, {"id": 1}]},
        {"state": None},
        {"_admin": HOSTILE},
        {"data": [HOSTILE]},
        {"updated": datetime(1, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
def test_a_damaged_one_is_shown(gateway: Gateway, jobs: Documents, job: StoredJob, damage: dict[str, Any]) -> None:
    jobs.update_one({"uuid": job.uuid}, {"$set": damage})
    assert_harmless(page_of(gateway, job))


class TestTimeline:
    def test_in_parts(self, gateway: Gateway, new_job: Callable[..., StoredJob]) -> None:
        gateway.parts.store.history.limits = history.HistoryLimits(entries=60)
        job = of_its_own(new_job)
        for number in range(2, 252):
            gateway.post(job.event("update", {"n": number}))
        with visitor(gateway) as visiting:
            page = visiting.get(f"/pages/jobs/{job.uuid}")
            found = numbers(page)
            assert "Timeline 251 events" in seen(page)
            while (older := re.search(r'rel="next" href="([^"]*)#h-timeline"', page)) is not None:
                page = visiting.get(older[1])
                assert "Newest" in page
                found += numbers(page)
                for number in numbers(page)[:-1]:
                    assert f'{{"n": {number}}}' in seen(page)
            assert found == list(range(251, 0, -1))
            again = visiting.get(f"/pages/jobs/{job.uuid}?upto=51")
            assert numbers(again) == list(range(51, 0, -1))
            assert f'href="/pages/jobs/{job.uuid}?upto=151#h-timeline"' in again

    def test_of_large_entries_fewer_are_shown_but_always_the_newest(self, gateway: Gateway, job: StoredJob) -> None:
        for number in range(6):
            gateway.post(job.event("update", {"n": number, "text": "x" * 400_000}))
        with visitor(gateway) as visiting:
            page = visiting.get(f"/pages/jobs/{job.uuid}")
            found = numbers(page)
            assert found[0] == 7
            assert len(found) < 7
            while (older := re.search(r'rel="next" href="([^"]*)#h-timeline"', page)) is not None:
                page = visiting.get(older[1])
                found += numbers(page)
            assert found == [7, 6, 5, 4, 3, 2, 1]

    @pytest.mark.parametrize("upto", ["0", "-1", "x", "999999999", "9" * 40, "1e3"])
    def test_a_part_that_is_none(self, gateway: Gateway, job: StoredJob, upto: str) -> None:
        assert numbers(page_of(gateway, job, upto=upto)) == [1]

    def test_long_data_is_folded(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("update", {"text": "word " * 100}))
        gateway.post(job.event("update", {"n": 1}))
        page = page_of(gateway, job)
        assert '<details class="data" data-key="event-2">' in page
        assert 'data-key="event-3"' not in page

    def test_how_many_are_read_at_once(self) -> None:
        assert list(timeline._counts(0)) == []
        assert list(timeline._counts(1)) == [1]
        assert list(timeline._counts(600)) == [100, 20, 4, 1]


@pytest.mark.promise("S21")
def test_whatever_was_sent_is_only_text(gateway: Gateway, jobs: Documents, job: StoredJob) -> None:
    fields = ("session", "archive_path", "archive_system", "agent", "task", "name", "pipeline_uuid")
    jobs.update_one({"uuid": job.uuid}, {"$set": {**dict.fromkeys(fields, HOSTILE), "_admin.owner": HOSTILE}})
    token = gateway.post(job.event("run", {HOSTILE: [HOSTILE, {"deep": HOSTILE}], "long": HOSTILE * 20}))
    assert token.status_code == 403  # the owner is a part of the token, which has changed with it
    jobs.update_one(
        {"uuid": job.uuid}, {"$set": {"_admin": {"owner": "sd2eadm", "project": "SD2E-Community", "tenant": "sd2e"}}}
    )
    assert gateway.post(job.event("run", {HOSTILE: [HOSTILE], "long": HOSTILE * 20})).status_code == 200
    url = job.url("validate", note=HOSTILE.replace("\u202e", ""), session="<i>s</i>")
    gateway.post({"x": HOSTILE}, url)
    rows = {
        "event": HOSTILE,
        "reason": HOSTILE,
        "sender": HOSTILE,
        "verdict": HOSTILE,
        "state": HOSTILE,
        "data": HOSTILE,
    }
    gateway.parts.store.database["jobs_refused"].insert_one({"job": job.uuid, "date": datetime.now(UTC), **rows})
    now = gateway.parts.store.outbox.now()
    row = {
        "id": HOSTILE.replace("\u202e", ""),
        "name": HOSTILE,
        "life": "x",
        "status": "undelivered",
        "attempts": 1,
        "next": now,
    }
    jobs.update_one({"uuid": job.uuid}, {"$set": {"_outbox": [{**row, "created": now, "error": HOSTILE}]}})
    page = page_of(gateway, job, "UPDATE")
    assert_harmless(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    with visitor(gateway, "UPDATE") as visiting:
        assert_harmless(visiting.get("/pages/outbox"))


@pytest.mark.keeps_secrets
@pytest.mark.promise("P6")
def test_no_secret_is_shown_wherever_a_writer_has_stored_it(gateway: Gateway, job: StoredJob) -> None:
    salt = job.stored()["_salt"]
    nonce = gateway.ask("POST", f"/actors/v2/{ALIAS}/nonces").json()["result"]["id"]
    data = {"note": f"token {job.token}, salt {salt}", "token": "whatever", "url": f"https://x/?x-nonce={nonce}"}
    for event in ("run", "validate"):
        headers = {"Authorization": f"Bearer {TOKENS['EXECUTE']}"}  # the answer repeats what its sender has said
        gateway.client.post(f"/actors/v2/{ALIAS}/messages", json=job.event(event, data), headers=headers)
    eventually(lambda: list(gateway.parts.store.refused.of(job.uuid)))
    page = page_of(gateway, job, "UPDATE")  # which looks for the job's token by itself
    for secret in (job.token, salt, nonce, "whatever", "_salt"):
        assert secret not in page


def test_what_the_job_system_was_asked(gateway: Gateway, job: StoredJob) -> None:
    """An event that was asked for, and the newest question; what a job system says is shown as text."""
    store = gateway.parts.store
    callback_of = callback("agave", "RUNNING")
    gateway.post(callback_of, job.url())
    external = External("agave", callback_of["id"])
    services = gateway.parts.deliveries._manager
    assert services.asked(asked.report(job.uuid, external, "FINISHED", {}, datetime.now(UTC)), "e").state == "FINISHED"
    read = store.jobs.load(job.uuid)
    assert read is not None
    page = page_of(gateway, job)
    assert "Job system asked" not in page
    assert f"External job agave {external.id}" in seen(page)
    for _ in range(2):
        store.asked.note(read, external, "unanswered", None, "500 <script>alert(1)</script>", is_answered=False)
    page = page_of(gateway, job)
    assert "finish RUNNING to FINISHED the job system was asked" in section(page, "timeline")
    text = seen(page)
    assert f"about agave {external.id} : unanswered" in text or f"about agave {external.id}: unanswered" in text
    assert "2 questions in a row without an answer" in text
    assert "<script>alert" not in page
