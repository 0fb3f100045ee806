"""Changes to several jobs in one operation: what is said of each is what became of it."""

from typing import Any

import pytest
from pymongo.collection import Collection

from pipelinejobs.core.decide import Change, decide
from pipelinejobs.core.job import Job
from pipelinejobs.core.tokens import Authority
from pipelinejobs.messages.event import Event
from pipelinejobs.store import Store, Written
from pipelinejobs.util.errors import Unavailable
from support.factories import NOW, a_command, catalogued

Jobs = Collection[dict[str, Any]]
UUIDS = [f"107b93f3-1eae-5e79-8a18-0a480f8aa3a{number}" for number in range(5)]


@pytest.fixture
def five(jobs: Jobs) -> Jobs:
    """Five jobs."""
    for number, uuid in enumerate(UUIDS):
        document = catalogued("job-created.json") | {"_id": number, "uuid": uuid}
        document["history"][0]["uuid"] = f"108e1d5c-0000-5000-8000-00000000000{number}"
        jobs.insert_one(document)
    return jobs


def update_of(uuid: str, **more: Any) -> Event:
    return a_command("update", job=uuid, id="sender:mine", **more)


def change_of(job: Job, event: Event) -> Change:
    change = decide(job, event, Authority.JOB, NOW).change
    assert change is not None
    return change


def writes(store: Store, **more: Any) -> list[Any]:
    jobs = store.jobs.load_all(UUIDS)
    assert sorted(jobs) == UUIDS
    return [(jobs[uuid], change_of(jobs[uuid], update_of(uuid, **more)), "e") for uuid in UUIDS]


def lengths(jobs: Jobs) -> list[int]:
    return [len(job["history"]) for job in jobs.find().sort("_id")]


def test_all_are_written(store: Store, five: Jobs) -> None:
    assert store.jobs.apply(writes(store)) == [Written.YES] * 5
    assert lengths(five) == [2] * 5


@pytest.mark.promise("P2")
def test_those_that_lost_their_race_are_told_from_the_others(store: Store, five: Jobs) -> None:
    wanted = writes(store)
    five.update_one({"_id": 1}, {"$inc": {"_properties.revision": 1}})
    five.update_one({"_id": 3}, {"$set": {"state": "RUNNING"}})
    outcome = store.jobs.apply(wanted)
    assert outcome == [Written.YES, Written.MISSED, Written.YES, Written.MISSED, Written.YES]
    assert lengths(five) == [2, 1, 2, 1, 2]


def test_none(store: Store, five: Jobs) -> None:
    wanted = writes(store)
    five.update_many({}, {"$inc": {"_properties.revision": 1}})
    assert store.jobs.apply(wanted) == [Written.MISSED] * 5


@pytest.mark.promise("P2")
def test_the_same_event_by_another_process_cannot_be_attributed(store: Store, five: Jobs) -> None:
    wanted = writes(store)
    assert store.jobs.apply(wanted[:1]) == [Written.YES]
    outcome = store.jobs.apply(wanted)
    assert outcome == [Written.UNKNOWN] * 5
    assert lengths(five) == [2] * 5


@pytest.mark.promise("P2")
def test_a_repetition_is_told_from_what_is_new(store: Store, five: Jobs) -> None:
    first = writes(store)[2:4]
    assert store.jobs.apply(first) == [Written.YES] * 2
    again = writes(store)
    assert [job.entries for job, _, _ in again] == [1, 1, 2, 2, 1]
    assert store.jobs.apply(again) == [Written.YES, Written.YES, Written.MISSED, Written.MISSED, Written.YES]
    assert lengths(five) == [2] * 5


def test_alone_it_is_known(store: Store, five: Jobs) -> None:
    wanted = writes(store)[:1]
    assert store.jobs.apply(wanted) == [Written.YES]
    assert store.jobs.apply(wanted) == [Written.MISSED]


def test_an_entry_that_moved_away_at_once_may_have_been_written(
    store: Store, five: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = writes(store)
    five.update_one({"_id": 1}, {"$inc": {"_properties.revision": 1}})
    send = store.jobs._send

    def sent_and_moved(*arguments: Any) -> int:
        matched = send(*arguments)
        five.update_one({"_id": 0}, {"$pop": {"history": 1}})
        return matched

    monkeypatch.setattr(store.jobs, "_send", sent_and_moved)
    outcome = store.jobs.apply(wanted)
    assert outcome == [Written.UNKNOWN] * 5


def test_what_cannot_be_told_apart_may_have_been_written(
    store: Store, five: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = writes(store)
    five.update_one({"_id": 1}, {"$inc": {"_properties.revision": 1}})

    def away(*_: object) -> None:
        raise Unavailable

    monkeypatch.setattr(store.jobs._jobs, "find", away, raising=False)
    assert store.jobs.apply(wanted) == [Written.UNKNOWN] * 5


def test_one_that_is_too_large_delays_no_other(store: Store, five: Jobs) -> None:
    five.update_one({"_id": 2}, {"$set": {"data": {"ballast": "x" * (16 * 1024 * 1024 - 3000)}}})
    outcome = store.jobs.apply(writes(store, data={"more": "y" * 5000}))
    assert outcome == [Written.YES, Written.YES, Written.TOO_LARGE, Written.YES, Written.YES]
    assert lengths(five) == [2, 2, 1, 2, 2]
