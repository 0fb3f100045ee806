"""Which jobs have changed lately."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pipelinejobs.store import Store
from support.factories import catalogued
from support.process import Documents

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def insert(jobs: Documents, count: int) -> list[str]:
    """Jobs that changed one second after the other; their uuids."""
    documents = [
        catalogued("job-created.json") | {"uuid": f"107-{n}", "_id": n, "updated": NOW + timedelta(seconds=n)}
        for n in range(count)
    ]
    jobs.insert_many(documents)
    return [document["uuid"] for document in documents]


def since(store: Store, moment: datetime, most: int = 100) -> list[Any]:
    return [change["uuid"] for change in store.changes.since(moment, most)]


def test_from_the_moment_on_the_oldest_first(store: Store, jobs: Documents) -> None:
    uuids = insert(jobs, 6)
    assert since(store, NOW) == uuids
    assert since(store, NOW + timedelta(seconds=4)) == uuids[4:]
    assert since(store, NOW + timedelta(seconds=6)) == []


def test_where_there_are_too_many_the_newest(store: Store, jobs: Documents) -> None:
    uuids = insert(jobs, 6)
    assert since(store, NOW, most=2) == uuids[4:]


def test_what_is_told_of_each(store: Store, jobs: Documents) -> None:
    jobs.insert_one(catalogued("job-finished.json") | {"updated": NOW, "_outbox": [{"id": "canary"}]})
    (change,) = store.changes.since(NOW, 5)
    stored = jobs.find_one()
    assert stored is not None
    assert change == {
        "uuid": stored["uuid"],
        "state": "FINISHED",
        "last_event": "finish",
        "updated": NOW,
        "revision": stored["_properties"]["revision"],
    }


def test_jobs_of_others_without_what_ours_have(store: Store, jobs: Documents) -> None:
    jobs.insert_many([{"updated": NOW, "_properties": 1}, {"uuid": "none"}, {"uuid": "null", "updated": None}])
    assert store.changes.since(NOW, 5) == [{"updated": NOW, "revision": None}]


def test_it_reads_no_more_than_it_gives(store: Store, jobs: Documents) -> None:
    insert(jobs, 300)
    store.ensure_indexes()
    store.database.command("profile", 2)
    try:
        assert len(since(store, NOW + timedelta(seconds=290))) == 10
        assert len(since(store, NOW, most=20)) == 20
        seen = list(store.database["system.profile"].find({"ns": jobs.full_name, "op": "query"}))
    finally:
        store.database.command("profile", 0)
    assert [query["docsExamined"] for query in seen] == [10, 20]
    assert not any("hasSortStage" in query for query in seen)
