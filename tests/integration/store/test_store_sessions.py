"""Sessions of the pages: known by a hash, ended by time or by request, for all who share the database."""

from typing import Any

from pymongo.database import Database

from pipelinejobs.store import Store
from pipelinejobs.util.secret import Secret

HOUR = 3600.0


def test_one_that_is_made_is_found(store: Store) -> None:
    made = store.sessions.make("jdoe", "token", "a-handle", HOUR)
    found = store.sessions.find(made)
    assert found is not None
    assert (found.user, found.by, found.handle) == ("jdoe", "token", "a-handle")
    assert 0 < (found.expires - store.outbox.now()).total_seconds() <= HOUR


def test_its_id_is_stored_nowhere_and_no_two_are_the_same(store: Store, database: Database[dict[str, Any]]) -> None:
    ids = {store.sessions.make("jdoe", "token", "", HOUR).reveal() for _ in range(20)}
    assert len(ids) == 20
    assert all(len(one) >= 43 for one in ids)
    stored = str(list(database["gateway_sessions"].find()))
    assert not any(one in stored for one in ids)


def test_it_ends_with_its_time_whether_or_not_it_was_removed(store: Store, database: Database[dict[str, Any]]) -> None:
    made = store.sessions.make("jdoe", "token", "", HOUR)
    database["gateway_sessions"].update_one({}, {"$set": {"expires": store.outbox.now()}})
    assert store.sessions.find(made) is None


def test_it_can_be_ended(store: Store) -> None:
    one, other = (store.sessions.make("jdoe", "token", "", HOUR) for _ in range(2))
    store.sessions.end(one)
    assert store.sessions.find(one) is None
    assert store.sessions.find(other) is not None
    store.sessions.end(one)  # which is no harm


def test_what_is_no_id_finds_nothing(store: Store) -> None:
    store.sessions.make("jdoe", "token", "", HOUR)
    for text in ("", "x", "x" * 10_000, "\ud800", "{'$ne': 1}"):
        assert store.sessions.find(Secret(text)) is None


def test_mongodb_removes_them(store: Store, database: Database[dict[str, Any]]) -> None:
    store.ensure_indexes()
    assert database["gateway_sessions"].index_information()["expiry"]["expireAfterSeconds"] == 0
