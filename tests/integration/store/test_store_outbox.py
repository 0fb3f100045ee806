"""Rows of the outbox: leases, fences and giving up, on a real server."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from pymongo.collection import Collection

from pipelinejobs.core.decide import decide
from pipelinejobs.core.tokens import Authority
from pipelinejobs.store import Store, Written
from pipelinejobs.store.outbox import FAILED, PENDING, OutboxMessage, rows_query
from support.factories import NOW, TOKEN, UUID, a_report, catalogued

Jobs = Collection[dict[str, Any]]


@pytest.fixture
def owed(store: Store, jobs: Jobs) -> OutboxMessage:
    """A finished job's index request."""
    jobs.insert_one(catalogued("job-created.json"))
    job = store.jobs.load(UUID)
    assert job is not None
    change = decide(job, a_report("finish", "FINISHED"), Authority.JOB, NOW).change
    assert change is not None
    assert store.jobs.apply([(job, change, "e")]) == [Written.YES]
    return the_row(store)


def the_row(store: Store, status: str = PENDING) -> OutboxMessage:
    (row,) = store.outbox.rows(statuses=(status,))
    return row


def test_the_row_says_what_is_owed_and_holds_no_token(store: Store, jobs: Jobs, owed: OutboxMessage) -> None:
    assert (owed.job, owed.name, owed.attempts, owed.leased, owed.error) == (UUID, "index", 0, False, None)
    assert TOKEN not in str(jobs.find_one()["_outbox"])  # type: ignore[index]


def test_it_is_due_at_once(store: Store, owed: OutboxMessage) -> None:
    assert [row.key for row in store.outbox.rows(job=UUID, due=store.outbox.now())] == [owed.key]
    assert list(store.outbox.rows(job="107-another", due=store.outbox.now())) == []


def test_a_lease_carries_the_present_token_and_keeps_others_away(store: Store, owed: OutboxMessage) -> None:
    now = store.outbox.now()
    leased = store.outbox.lease(owed, now, 30)
    assert leased is not None
    assert leased.token is not None
    assert leased.token.reveal() == TOKEN
    assert leased.attempts == 1
    assert list(store.outbox.rows(due=now)) == []
    assert store.outbox.lease(owed, now, 30) is None
    assert the_row(store).leased


def test_the_token_is_that_of_the_salt_of_the_moment(store: Store, jobs: Jobs, owed: OutboxMessage) -> None:
    jobs.update_one({}, {"$set": {"_salt": "rotated"}})
    leased = store.outbox.lease(owed, store.outbox.now(), 30)
    assert leased is not None
    assert leased.token is not None
    assert leased.token.reveal() not in (TOKEN, "")


def test_a_delivered_row_is_gone(store: Store, jobs: Jobs, owed: OutboxMessage) -> None:
    leased = store.outbox.lease(owed, store.outbox.now(), 30)
    assert leased is not None
    store.outbox.delivered(leased)
    assert jobs.find_one()["_outbox"] == []  # type: ignore[index]


def test_a_failed_row_comes_back_when_it_is_due(store: Store, owed: OutboxMessage) -> None:
    now = store.outbox.now()
    leased = store.outbox.lease(owed, now, 30)
    assert leased is not None
    store.outbox.failed(leased, "it answered 500", now + timedelta(seconds=5))
    row = the_row(store)
    assert (row.error, row.leased, row.attempts) == ("it answered 500", False, 1)
    assert list(store.outbox.rows(due=now + timedelta(seconds=4))) == []
    assert len(list(store.outbox.rows(due=now + timedelta(seconds=5)))) == 1


def test_a_given_up_row_stays_visible_and_can_be_leased_again(store: Store, owed: OutboxMessage) -> None:
    leased = store.outbox.lease(owed, store.outbox.now(), 30)
    assert leased is not None
    store.outbox.failed(leased, "no more", None)
    row = the_row(store, FAILED)
    assert list(store.outbox.rows()) == []
    assert store.outbox.lease(row, store.outbox.now(), 30) is not None


@pytest.mark.promise("F8")
def test_a_holder_that_wakes_up_late_changes_nothing(store: Store, jobs: Jobs, owed: OutboxMessage) -> None:
    long_ago = store.outbox.now() - timedelta(minutes=5)
    sleeper = store.outbox.lease(owed, long_ago, 30)
    assert sleeper is not None
    (expired,) = store.outbox.rows(due=store.outbox.now())
    successor = store.outbox.lease(expired, store.outbox.now(), 30)
    assert successor is not None
    before = jobs.find_one()
    store.outbox.delivered(sleeper)
    store.outbox.failed(sleeper, "late", None)
    assert jobs.find_one() == before
    assert successor.attempts == 2


def test_a_row_of_another_life_is_removed_unsent(store: Store, jobs: Jobs, owed: OutboxMessage) -> None:
    jobs.update_one({}, {"$set": {"history.0.uuid": "108-another-life"}})
    assert store.outbox.lease(owed, store.outbox.now(), 30) is None
    assert jobs.find_one()["_outbox"] == []  # type: ignore[index]


def test_a_job_without_salt_has_no_token_to_send(store: Store, jobs: Jobs, owed: OutboxMessage) -> None:
    jobs.update_one({}, {"$unset": {"_salt": ""}})
    leased = store.outbox.lease(owed, store.outbox.now(), 30)
    assert leased is not None
    assert leased.token is None


def test_taking_and_returning_does_not_count_as_an_event(store: Store, jobs: Jobs, owed: OutboxMessage) -> None:
    before = jobs.find_one()
    assert before is not None
    leased = store.outbox.lease(owed, store.outbox.now(), 30)
    assert leased is not None
    store.outbox.delivered(leased)
    after = jobs.find_one()
    assert after is not None
    assert {**before, "_outbox": []} == after


@pytest.mark.promise("F12")
def test_time_is_the_databases(store: Store) -> None:
    now = store.outbox.now()
    assert isinstance(now, datetime)
    assert now.utcoffset() == timedelta(0)


def test_due_rows_are_found_by_their_index(store: Store, owed: OutboxMessage, jobs: Jobs) -> None:
    store.ensure_indexes()
    plan = str(jobs.find(rows_query(None, NOW, (PENDING,))).explain()["queryPlanner"]["winningPlan"])
    assert "outbox_due" in plan
