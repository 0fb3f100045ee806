"""The history that does not fit into the job moves out, and reading gives all of it."""

from typing import Any

import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database

from factories import NOW, UUID, a_command, a_job, catalogued
from pipelinejobs.decide import decide
from pipelinejobs.store import Store, documents
from pipelinejobs.store.history import History, Limits
from pipelinejobs.tokens import Authority

Jobs = Collection[dict[str, Any]]


@pytest.fixture
def history(database: Database[dict[str, Any]]) -> History:
    return History(database, Limits(entries=10, size=1024 * 1024))


def fill(jobs: Jobs, count: int, size: int = 10) -> list[str]:
    document = catalogued("job-created.json")
    document["history"] += [
        {"date": NOW, "data": {"n": n, "ballast": "x" * size}, "name": "update", "uuid": f"108-{n}"}
        for n in range(count)
    ]
    document["_properties"]["revision"] = count
    jobs.insert_one(document)
    return [entry["uuid"] for entry in document["history"]]


def move(store: Store, history: History) -> None:
    job = store.jobs.load(UUID)
    assert job is not None
    history.move(job)


def read(history: History) -> list[str]:
    return [entry.uuid for entry in history.entries(UUID)]


def test_older_entries_move_and_all_are_read_in_order(store: Store, jobs: Jobs, history: History) -> None:
    everything = fill(jobs, 30)
    move(store, history)
    embedded = jobs.find_one()["history"]  # type: ignore[index]
    assert [entry["uuid"] for entry in embedded] == [everything[0], *everything[-7:]]
    assert read(history) == everything


def test_many_moves(store: Store, jobs: Jobs, history: History) -> None:
    everything = fill(jobs, 5)
    for n in range(100, 140):
        jobs.update_one({}, {"$push": {"history": {"date": NOW, "data": None, "name": "update", "uuid": f"108-{n}"}}})
        everything.append(f"108-{n}")
        move(store, history)
        assert len(jobs.find_one()["history"]) <= 10  # type: ignore[index]
    assert read(history) == everything


def test_entries_that_are_few_but_large_move_too(store: Store, jobs: Jobs, history: History) -> None:
    everything = fill(jobs, 6, size=300_000)
    move(store, history)
    assert len(jobs.find_one()["history"]) == 3  # type: ignore[index]
    assert read(history) == everything


def test_the_newest_entry_stays_however_large(store: Store, jobs: Jobs, history: History) -> None:
    everything = fill(jobs, 2, size=2_000_000)
    move(store, history)
    assert [entry["uuid"] for entry in jobs.find_one()["history"]] == [everything[0], everything[-1]]  # type: ignore[index]


@pytest.mark.promise("P8")
def test_a_crash_between_copy_and_removal_is_no_harm(store: Store, jobs: Jobs, history: History) -> None:
    everything = fill(jobs, 30)
    before = jobs.find_one()
    assert before is not None
    move(store, history)
    jobs.replace_one({}, before)  # as if the removal had not happened
    assert read(history) == everything
    move(store, history)
    assert read(history) == everything
    assert jobs.database["jobs_history"].count_documents({}) == 23


def test_a_moved_entry_is_found_by_its_uuid_as_it_was(store: Store, jobs: Jobs, history: History) -> None:
    fill(jobs, 30)
    data = {"$set": 1, "a.b": {"": [None]}, "$where": {"$ne": 2}}
    jobs.update_one({"history.uuid": "108-3"}, {"$set": {"history.$.data": data}})
    move(store, history)
    job = store.jobs.load(UUID)
    assert job is not None
    assert job.moved == 23
    entry = history.moved_entry(job, "108-3")
    assert entry is not None
    assert entry.data == data
    assert history.moved_entry(job, "108-25") is None


def test_the_attempt_is_known_after_its_reset_has_moved(store: Store, jobs: Jobs, history: History) -> None:
    fill(jobs, 30)
    jobs.update_one({"history.uuid": "108-2"}, {"$set": {"history.$.name": "reset"}})
    move(store, history)
    job = store.jobs.load(UUID)
    assert job is not None
    assert job.attempt == "108-2"


def test_the_history_of_another_life_is_not_read(store: Store, jobs: Jobs, history: History) -> None:
    fill(jobs, 30)
    move(store, history)
    jobs.delete_many({})
    fresh = catalogued("job-created.json")
    fresh["history"][0]["uuid"] = "1080000-another-life"
    jobs.insert_one(fresh)
    assert read(history) == ["1080000-another-life"]


def test_entries_that_cannot_be_told_apart_stay(store: Store, jobs: Jobs, history: History) -> None:
    fill(jobs, 30)
    jobs.update_many({}, {"$set": {"history.2.uuid": "108-twice", "history.3.uuid": "108-twice", "history.4": "odd"}})
    move(store, history)
    kept = jobs.find_one()["history"]  # type: ignore[index]
    assert [entry["uuid"] for entry in kept if isinstance(entry, dict)].count("108-twice") == 2
    assert "odd" in kept


def test_a_long_foreign_history_moves_in_one_go(store: Store, jobs: Jobs, history: History) -> None:
    """python-datacatalog's jobs may come with a document full of small entries; one run has to get through."""
    everything = fill(jobs, 20_000, size=0)
    move(store, history)
    assert len(jobs.find_one()["history"]) == 8  # type: ignore[index]
    assert read(history) == everything


def test_an_entry_moves_as_the_bytes_that_it_is(store: Store, jobs: Jobs, history: History) -> None:
    fill(jobs, 30)
    odd = {"z": 1, "$id": 2, "$ref": "x", "a": {"$ref": "y", "$id": None}}
    raw = jobs.with_options(codec_options=CodecOptions(document_class=RawBSONDocument))
    jobs.update_one({"history.uuid": "108-3"}, {"$set": {"history.$.data": odd}})
    before = raw.find_one()["history"][4].raw  # type: ignore[index]
    move(store, history)
    moved = raw.database.get_collection("jobs_history", codec_options=raw.codec_options).find_one({"uuid": "108-3"})
    assert moved is not None
    assert moved["entry"].raw == before


def test_limits() -> None:
    limits = Limits(entries=10, size=1000)
    assert not limits.passed_by(a_job(entries=8, size=1000))
    assert limits.passed_by(a_job(entries=9))
    assert limits.passed_by(a_job(entries=3, size=1001))
    assert not limits.passed_by(a_job(entries=2, size=1001))


def test_a_write_decided_before_a_move_is_refused_by_the_guard(store: Store, jobs: Jobs, history: History) -> None:
    """The guard looks into the embedded history alone, so that it must not hold across a move."""
    fill(jobs, 30)
    job = store.jobs.load(UUID)
    assert job is not None
    change = decide(job, a_command("update"), Authority.JOB, NOW).change
    assert change is not None
    move(store, history)
    assert not store.jobs.apply(job, change)
    assert documents.moved(0) == {"$in": [0, None]}
