"""The history that does not fit into the job moves out, and reading gives all of it."""

import tracemalloc
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database

from pipelinejobs.core.decide import decide
from pipelinejobs.core.tokens import Authority
from pipelinejobs.diagnose import snapshot
from pipelinejobs.store import Store, Written, job_update
from pipelinejobs.store.history import PAGE_BYTES, History, HistoryLimits, HistoryPage
from support.factories import NOW, UUID, a_command, a_job, catalogued

Jobs = Collection[dict[str, Any]]


@pytest.fixture
def history(database: Database[dict[str, Any]]) -> History:
    return History(database, HistoryLimits(entries=40, size=4 * 1024 * 1024))  # a fifth of both stays


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
    assert paged(history, 7) == everything  # by sequence number; rows with equal numbers are sorted right by chance


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
    entry = history.moved_entries([(job, "108-3")]).get("108-3")
    assert entry is not None
    assert entry.data == data
    assert history.moved_entries([(job, "108-25")]).get("108-25") is None


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


REFERENCES: dict[str, Any] = {
    "without a database": {"$ref": "a", "$id": 1},
    "of null": {"$ref": "a", "$id": 1, "$db": None},
    "of nothing but null": {"$ref": None, "$id": None, "$db": None},
    "in another order": {"z": 0, "$db": "d", "$id": 1, "a": [{"$id": 2, "$ref": "b"}], "$ref": "c"},
    "deep in lists": [[{"x": [{"$ref": "a", "$id": {"$ref": "b", "$db": None, "$id": []}}]}], {}, 1.5],
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_what_looks_like_a_reference_comes_back_as_it_was(
    store: Store, jobs: Jobs, history: History, kind: str
) -> None:
    fill(jobs, 30)
    stored = {"before": NOW, "of": REFERENCES[kind], "after": None}
    for place in (3, 29):
        jobs.update_one({"history.uuid": f"108-{place}"}, {"$set": {"history.$.data": stored}})
    move(store, history)
    job = store.jobs.load(UUID)
    assert job is not None
    moved = history.moved_entries([(job, "108-3")]).get("108-3")
    read = {entry.uuid: entry for entry in history.entries(UUID)}
    assert moved is not None
    for entry in (moved, read["108-3"], read["108-29"]):
        assert str(entry.data["of"]) == str(REFERENCES[kind])  # the order of keys too
        assert entry.data == moved.data


def test_limits() -> None:
    limits = HistoryLimits(entries=10, size=1000)
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
    assert store.jobs.apply([(job, change, "e")]) == [Written.MISSED]
    assert job_update.moved(0) == {"$in": [0, None]}


def paged(history: History, limit: int, size: int = PAGE_BYTES) -> list[str]:
    found: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = history.page(UUID, offset, limit, size)
        assert page is not None
        assert 1 <= len(page.entries) <= limit
        assert sum(len(bson.encode(job_update.from_entry(entry))) for entry in page.entries[1:]) <= size
        found += [entry.uuid for entry in page.entries]
        offset = page.next
        assert offset in (None, len(found))
    return found


def page_of(history: History, offset: int, limit: int) -> list[str]:
    page = history.page(UUID, offset, limit)
    assert page is not None
    return [entry.uuid for entry in page.entries]


@pytest.mark.parametrize("limit", [1, 7, 24, 1000])
def test_pages_go_over_moved_and_embedded_entries(store: Store, jobs: Jobs, history: History, limit: int) -> None:
    everything = fill(jobs, 30)
    assert paged(history, limit) == everything
    before = jobs.find_one()
    assert before is not None
    move(store, history)
    assert paged(history, limit) == everything
    jobs.replace_one({}, before)  # as if a crash had come before the removal
    assert paged(history, limit) == everything
    jobs.update_one({}, {"$set": {"_moved": 23}})  # as if python-datacatalog had undone the removal alone
    assert paged(history, limit) == everything


@pytest.mark.promise("S20")
@pytest.mark.parametrize("size", [0, 1000, 250_000, 1_000_000])
def test_pages_end_at_a_number_of_bytes(store: Store, jobs: Jobs, history: History, size: int) -> None:
    everything = fill(jobs, 20, size=100_000)
    assert paged(history, 1000, size) == everything
    move(store, history)
    assert paged(history, 1000, size) == everything
    assert paged(history, 3, size) == everything


@pytest.mark.promise("S20")
def test_a_page_of_large_entries_is_read_in_little_memory(store: Store, jobs: Jobs, history: History) -> None:
    everything = fill(jobs, 15, size=1_000_000)
    move(store, history)
    more = [{"date": NOW, "data": "x" * 1_000_000, "name": "update", "uuid": f"108-{n}"} for n in range(15, 65)]
    for entry in more:
        jobs.update_one({}, {"$push": {"history": entry}})
        move(store, history)
    assert paged(history, 1000) == everything + [entry["uuid"] for entry in more]
    tracemalloc.start()
    try:
        page = page_of(history, 0, 1000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(page) == 5  # the first one has nothing in it
    assert peak < 25_000_000  # of 65 MB


def test_pages_of_what_is_not_there(jobs: Jobs, history: History) -> None:
    assert history.page(UUID, 0, 5) is None
    everything = fill(jobs, 3)
    assert page_of(history, 4, 5) == []
    assert page_of(history, 2, 5) == everything[2:]
    jobs.update_one({}, {"$set": {"history": "none"}})
    assert history.page(UUID, 0, 5) == HistoryPage([], None)


@pytest.mark.parametrize("moved_before", [False, True])
def test_a_move_in_the_middle_of_a_page_shows_each_entry_once(
    store: Store, jobs: Jobs, history: History, monkeypatch: pytest.MonkeyPatch, moved_before: bool
) -> None:
    """The job has been read, then another process moves its entries, then the moved ones are read."""
    everything = fill(jobs, 30)
    if moved_before:
        move(store, history)
        more = [{"date": NOW, "data": None, "name": "update", "uuid": f"108-{n}"} for n in range(30, 50)]
        jobs.update_one({}, {"$push": {"history": {"$each": more}}})
        everything += [str(entry["uuid"]) for entry in more]
    moved = history._moved
    count = moved.count_documents({})
    found = moved.find_one

    def after_a_move(*given: Any, **more: Any) -> Any:
        answer = found(*given, **more)
        monkeypatch.undo()
        move(store, History(jobs.database, history.limits))
        return answer

    monkeypatch.setattr(moved, "find_one", after_a_move)
    page = page_of(history, 0, 100)
    assert moved.count_documents({}) > count  # it was moved indeed
    assert page == everything


def test_a_page_far_behind_reads_no_more_than_it_gives(
    store: Store, jobs: Jobs, history: History, database: Database[dict[str, Any]]
) -> None:
    fill(jobs, 2000)
    move(store, history)
    store.ensure_indexes()
    database.command("profile", 2)
    try:
        page = page_of(history, 1500, 20)
        seen = list(database["system.profile"].find({"ns": f"{database.name}.jobs_history"}))
    finally:
        database.command("profile", 0)
    assert page == [f"108-{n}" for n in range(1499, 1519)]
    assert sum(query["docsExamined"] for query in seen) <= 30


def test_explaining_holds_the_data_of_few_entries(store: Store, jobs: Jobs, history: History) -> None:
    fill(jobs, 150, size=100_000)
    jobs.update_one({}, {"$set": {"last_event": "update"}})
    move(store, history)
    snapshot.facts(store, UUID, 3600.0)  # what is made once and kept does not count
    tracemalloc.start()
    try:
        facts = snapshot.facts(store, UUID, 3600.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert facts is not None
    assert (facts["problems"], facts["since_then"]["events"]) == ([], 150)
    assert facts["because"]["data"] == catalogued("job-created.json")["history"][0]["data"]
    assert facts["since_then"]["last"]["data"]["n"] == 149
    assert peak < 3_000_000  # of 15 MB


def test_entries_without_their_data(store: Store, jobs: Jobs, history: History) -> None:
    fill(jobs, 30, size=1000)
    move(store, history)
    whole, outline = list(history.entries(UUID)), list(history.entries(UUID, with_data=False))
    assert [(e.uuid, e.name, e.date) for e in outline] == [(e.uuid, e.name, e.date) for e in whole]
    assert all(entry.data is None for entry in outline)
    assert whole[5].data["ballast"] == "x" * 1000
