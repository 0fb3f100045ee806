"""Indexes are made when asked, twice without harm, and conflicts are told."""

from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.store import Store
from pipelinejobs.util.errors import CommandFailed


def test_missing_ones_are_named_and_made(store: Store) -> None:
    assert store.missing_indexes() == [
        "jobs.uuid_1",
        "jobs.outbox_due",
        "jobs.new_tokens",
        "jobs.newest",
        "jobs_history.life_seq",
        "jobs_journal.oldest",
        "jobs_asked.expiry",
        "jobs_refused.job_date",
        "jobs_refused.expiry",
        "gateway_nonces.place",
        "gateway_nonces.expiry",
        "gateway_executions.actor_newest",
        "gateway_executions.expiry",
        "gateway_sessions.expiry",
    ]
    store.ensure_indexes()
    store.ensure_indexes()
    assert store.missing_indexes() == []


def test_the_index_of_python_datacatalog_is_taken(store: Store, database: Database[dict[str, Any]]) -> None:
    database["jobs"].create_index("uuid", unique=True, sparse=True)
    store.ensure_indexes()
    assert store.missing_indexes() == []


def test_jobs_with_one_uuid_stop_it_with_a_clear_sentence(store: Store, database: Database[dict[str, Any]]) -> None:
    database["jobs"].insert_many([{"uuid": "107-same"}, {"uuid": "107-same"}])
    with pytest.raises(CommandFailed, match="several documents have the same uuid"):
        store.ensure_indexes()


def test_another_definition_stops_it_with_a_clear_sentence(store: Store, database: Database[dict[str, Any]]) -> None:
    database["jobs"].create_index("uuid")
    assert "jobs.uuid_1" in store.missing_indexes()
    with pytest.raises(CommandFailed, match="uuid_1 of jobs exists with another definition"):
        store.ensure_indexes()
