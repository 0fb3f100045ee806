"""Pages of jobs."""

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import DatetimeMS, Int64, ObjectId

from pipelinejobs.store import Store
from pipelinejobs.store.listing import Filter
from pipelinejobs.util.errors import Malformed
from support.factories import catalogued
from support.process import Documents

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def insert(jobs: Documents, count: int, **changes: Any) -> list[str]:
    """Jobs that changed one second after the other; their uuids."""
    documents = []
    for number in range(count):
        document = catalogued("job-created.json") | {"uuid": f"107b93f3-1eae-5e79-8a18-{number:012d}"}
        documents.append(document | {"_id": ObjectId(), "updated": NOW + timedelta(seconds=number)} | changes)
    jobs.insert_many(documents)
    return [document["uuid"] for document in documents]


def pages(store: Store, limit: int, wanted: Filter | None = None) -> list[list[str]]:
    """All pages, from cursor to cursor."""
    found, cursor = [], None
    while True:
        page = store.listing.page(wanted or Filter(), limit, cursor)
        found.append([job["uuid"] for job in page.jobs])
        if page.next is None:
            return found
        cursor = page.next


@pytest.mark.parametrize(("count", "limit"), [(0, 3), (1, 3), (3, 3), (4, 3), (10, 3), (10, 1), (10, 100)])
def test_the_newest_come_first_and_each_once(store: Store, jobs: Documents, count: int, limit: int) -> None:
    uuids = insert(jobs, count) if count else []
    found = pages(store, limit)
    assert [uuid for page in found for uuid in page] == uuids[::-1]
    assert all(len(page) == limit for page in found[:-1])


def test_jobs_of_the_same_second_and_without_a_date(store: Store, jobs: Documents) -> None:
    uuids = insert(jobs, 12, updated=NOW)
    jobs.update_many({"uuid": {"$in": uuids[:2]}}, {"$unset": {"updated": ""}})
    jobs.update_many({"uuid": {"$in": uuids[2:4]}}, {"$set": {"updated": None}})
    jobs.update_one({"uuid": uuids[4]}, {"$set": {"updated": "yesterday"}})
    for limit in (1, 2, 5, 7, 100):
        found = [uuid for page in pages(store, limit) for uuid in page]
        assert sorted(found) == sorted(uuids)
        assert set(found[-5:]) == set(uuids[:5])


def test_dates_that_only_others_write(store: Store, jobs: Documents) -> None:
    """A year after 9999, an array of dates, an array without one: nothing of it may hide the jobs behind it."""
    uuids = insert(jobs, 6)
    jobs.update_one({"uuid": uuids[0]}, {"$set": {"updated": DatetimeMS(10**15)}})
    jobs.update_one({"uuid": uuids[1]}, {"$set": {"updated": [NOW - timedelta(days=9), NOW + timedelta(days=1)]}})
    jobs.update_one({"uuid": uuids[2]}, {"$set": {"updated": ["yesterday"]}})
    expected = [uuids[n] for n in (0, 1, 5, 4, 3, 2)]
    for limit in (1, 2, 3, 100):
        assert [uuid for page in pages(store, limit) for uuid in page] == expected


@pytest.mark.parametrize("updated", [NOW, None])
def test_keys_of_all_kinds_side_by_side(store: Store, jobs: Documents, updated: datetime | None) -> None:
    insert_keys = [ObjectId(), ObjectId(), "b", "$a", Int64(2**40), 7]
    jobs.insert_many([{"_id": key, "uuid": str(key), "updated": updated} for key in insert_keys])
    for limit in (1, 2, 4):
        found = [uuid for page in pages(store, limit) for uuid in page]
        assert sorted(found) == sorted(map(str, insert_keys))


def test_the_last_page_does_not_look_at_all_jobs(store: Store, jobs: Documents) -> None:
    """Jobs without a date come last; to see that there are none must not cost a look at each job that there is."""
    insert(jobs, 300)
    store.ensure_indexes()
    store.database.command("profile", 2)
    try:
        page = store.listing.page(Filter(updated_since=NOW + timedelta(seconds=295)), 10)
        last = store.listing.page(Filter(), 300)
        seen = list(store.database["system.profile"].find({"ns": jobs.full_name, "op": "query"}).sort("ts", 1))
    finally:
        store.database.command("profile", 0)
    assert (len(page.jobs), len(last.jobs), last.next) == (5, 300, None)
    assert len(seen) == 3  # of the page between two times, of the jobs with a date, and of those without
    assert seen[0]["docsExamined"] == 5
    assert seen[2]["docsExamined"] == 0
    assert seen[2]["keysExamined"] <= 2


@pytest.mark.parametrize("key", [lambda n: f"key-{n}", lambda n: n])
def test_other_kinds_of_key(store: Store, jobs: Documents, key: Any) -> None:
    for number in range(5):
        jobs.insert_one(catalogued("job-created.json") | {"_id": key(number), "uuid": str(number), "updated": NOW})
    assert pages(store, 2) == [["4", "3"], ["2", "1"], ["0"]]


def test_what_changes_meanwhile_disturbs_no_page(store: Store, jobs: Documents) -> None:
    uuids = insert(jobs, 9)
    first = store.listing.page(Filter(), 3)
    jobs.update_one({"uuid": uuids[8]}, {"$set": {"updated": NOW + timedelta(hours=1)}})
    insert(jobs, 1, updated=NOW + timedelta(hours=2), uuid="another", _id=ObjectId())
    second = store.listing.page(Filter(), 3, first.next)
    assert [job["uuid"] for job in second.jobs] == uuids[5:2:-1]


class TestFilters:
    def test_by_state_pipeline_and_time(self, store: Store, jobs: Documents) -> None:
        uuids = insert(jobs, 6)
        jobs.update_one({"uuid": uuids[1]}, {"$set": {"state": "RUNNING"}})
        jobs.update_one({"uuid": uuids[2]}, {"$set": {"pipeline_uuid": "106"}})
        jobs.update_one({"uuid": uuids[3]}, {"$set": {"_visible": False}})

        def found(**wanted: Any) -> list[str]:
            return [uuid for page in pages(store, 2, Filter(**wanted)) for uuid in page]

        assert found(states=("RUNNING",)) == [uuids[1]]
        assert found(states=("RUNNING", "CREATED")) == [uuids[n] for n in (5, 4, 2, 1, 0)]
        assert found(pipeline="106") == [uuids[2]]
        assert found() == [uuids[n] for n in (5, 4, 2, 1, 0)]
        assert found(hidden=True) == uuids[::-1]
        assert found(updated_since=NOW + timedelta(seconds=4)) == [uuids[5], uuids[4]]
        assert found(updated_before=NOW + timedelta(seconds=1)) == [uuids[0]]
        assert found(updated_since=NOW + timedelta(seconds=1), updated_before=NOW + timedelta(seconds=3)) == [
            uuids[2],
            uuids[1],
        ]

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"session": "Night Run 7"}, "night run"),
            ({"agent": "https://api.sd2e.org/apps/v2/aligner"}, "apps/v2/ALIGN"),
            ({"task": "urn:task"}, "task"),
            ({"archive_path": "/products/v2/(a+b)*"}, "(a+b)*"),
            ({"_admin": {"owner": "jdoe"}}, "JDOE"),
            ({"pipeline_uuid": "1064aaf1-459c-5e42-820d-b822aa4b3990"}, "1064aaf1-459c-5e42-820d-b822aa4b3990"),
        ],
    )
    def test_by_text(self, store: Store, jobs: Documents, fields: dict[str, Any], text: str) -> None:
        uuids = insert(jobs, 3)
        jobs.update_many({}, {"$set": {"archive_path": "/x", "_admin.owner": "root"}})
        jobs.update_one({"uuid": uuids[1]}, {"$set": fields})
        assert pages(store, 5, Filter(text=text)) == [[uuids[1]]]

    def test_by_uuid_and_by_a_part_of_it(self, store: Store, jobs: Documents) -> None:
        uuids = insert(jobs, 12)
        assert pages(store, 5, Filter(text=uuids[3])) == [[uuids[3]]]
        assert pages(store, 5, Filter(text="000000000011")) == [[uuids[11]]]

    @pytest.mark.promise("S17")
    @pytest.mark.parametrize("text", [".*", "^", "[", "(?i)x", "\\", "$where", "a{99999}", "((((((a*)*)*)*)*)*"])
    def test_a_pattern_is_no_pattern(self, store: Store, jobs: Documents, text: str) -> None:
        uuids = insert(jobs, 2)
        assert pages(store, 5, Filter(text=text)) == [[]]
        jobs.update_one({"uuid": uuids[0]}, {"$set": {"session": f"x{text}y"}})
        assert pages(store, 5, Filter(text=text)) == [[uuids[0]]]

    @pytest.mark.parametrize("text", ["", "x" * 201, "a\0b", "a\nb", "\ud800"])
    def test_texts_that_are_none(self, store: Store, text: str) -> None:
        with pytest.raises(Malformed, match="parameter text"):
            store.listing.page(Filter(text=text), 5)


def cursor(*parts: Any) -> str:
    text = json.dumps(parts, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.promise("S6")
@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        "ä",
        "=" * 10,
        "x" * 501,
        cursor(),
        cursor(2, 0, "s", "x"),
        cursor(1, 0, "x", "x"),
        cursor(1, 0, "s", {"$gt": ""}),
        cursor(1, {"$gt": 0}, "s", "x"),
        cursor(1, "0", "s", "x"),
        cursor(1, 1.5, "s", "x"),
        cursor(1, 10**30, "s", "x"),
        cursor(1, 0, "o", "nonsense"),
        cursor(1, 0, "i", "nonsense"),
        cursor(1, 0, "i", "9" * 5000),
        cursor(1, 0, ["s"], "x"),
        cursor(1, 0, "s", "x", "y"),
        cursor(True, 0, "i", "1"),
        cursor(1, True, "i", "1"),
        cursor(1, 0, "i", "9" * 300),
        cursor(1, 0, "i", " 1_0 "),
        cursor(1, 0, "s", "\ud800"),
        base64.urlsafe_b64encode(b'[1, 0, "i", "1"]').decode().rstrip("="),  # but for its spaces it would be one
        base64.urlsafe_b64encode(b"[" * 300).decode(),
    ],
)
def test_a_cursor_that_was_not_given_out(store: Store, jobs: Documents, given: str) -> None:
    insert(jobs, 1)
    with pytest.raises(Malformed, match="parameter cursor"):
        store.listing.page(Filter(), 5, given)


def test_the_cursors_above_look_as_those_do_that_are_given_out(store: Store, jobs: Documents) -> None:
    for number in range(2):
        jobs.insert_one(catalogued("job-created.json") | {"_id": number, "uuid": str(number), "updated": NOW})
    assert store.listing.page(Filter(), 1).next == cursor(1, int(NOW.timestamp()) * 1000, "i", "1")


def test_nothing_secret_is_listed(store: Store, jobs: Documents) -> None:
    insert(jobs, 1, _salt="canary", _salts=["canary"], _token_pin="canary", data={"x": "canary"})
    assert "canary" not in str(store.listing.page(Filter(), 5).jobs)


def test_an_unfiltered_page_reads_no_more_than_it_gives(store: Store, jobs: Documents) -> None:
    insert(jobs, 300)
    store.ensure_indexes()
    database, seen = store.database, []
    database.command("profile", 2)
    try:
        first = store.listing.page(Filter(), 10)
        store.listing.page(Filter(), 10, first.next)
        seen = list(database["system.profile"].find({"ns": jobs.full_name, "op": "query"}))
    finally:
        database.command("profile", 0)
    assert len(seen) == 2
    for query in seen:
        assert query["docsExamined"] <= 24  # of 300
        assert "hasSortStage" not in query
        assert "newest" in query["planSummary"] or "updated" in query["planSummary"]


def test_going_on_while_others_write(store: Store, jobs: Documents) -> None:
    uuids = insert(jobs, 60)
    over = threading.Event()

    def write() -> None:
        later = 0
        while not over.is_set():
            later += 1
            jobs.update_one({"uuid": uuids[-1]}, {"$set": {"updated": NOW + timedelta(days=1, seconds=later)}})

    thread = threading.Thread(target=write)
    thread.start()
    try:
        found = [uuid for page in pages(store, 7) for uuid in page]
    finally:
        over.set()
        thread.join()
    assert found[-59:] == uuids[:-1][::-1]
