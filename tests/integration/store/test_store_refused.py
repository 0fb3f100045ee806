"""Refused deliveries are kept, within bounds."""

from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.store.refused import RefusedDeliveries, RefusedLimits
from support.factories import TOKEN, UUID, a_command


def keep(refused: RefusedDeliveries, data: dict[str, Any] | None = None, execution: str = "e") -> None:
    event = a_command("finish", data=data)
    refused.keep(refused.row(event, Verdict.ILLEGAL, "not allowed", "CREATED", execution))


def test_what_is_kept(database: Database[dict[str, Any]]) -> None:
    refused = RefusedDeliveries(database, RefusedLimits())
    keep(refused, {"$ne": {"a.b": 1}})
    (row,) = refused.of(UUID)
    assert row["verdict"] == "illegal"
    assert row["reason"] == "not allowed"
    assert (row["event"], row["kind"], row["state"], row["sender"]) == ("finish", "event", "CREATED", "jdoe")
    assert row["data"] == '{"$ne": {"a.b": 1}}'
    assert TOKEN not in str(row)


@pytest.mark.promise("F12")
def test_the_date_is_the_databases(database: Database[dict[str, Any]]) -> None:
    """However wrong our clock is: by it MongoDB lets go of them, and the newest of a job are kept."""
    refused = RefusedDeliveries(database, RefusedLimits())
    assert "date" not in refused.row(a_command("finish"), Verdict.ILLEGAL, "not allowed", "CREATED", "e")
    keep(refused)
    (row,) = database["jobs_refused"].aggregate([{"$set": {"now": "$$NOW"}}])
    assert timedelta(0) <= row["now"] - row["date"] < timedelta(minutes=1)
    assert isinstance(row["_id"], ObjectId)


@pytest.mark.promise("S20")
def test_no_more_than_so_many_for_a_job(database: Database[dict[str, Any]]) -> None:
    refused = RefusedDeliveries(database, RefusedLimits(per_job=3))
    for n in range(7):
        keep(refused, execution=str(n))
    assert [row["execution"] for row in refused.of(UUID)] == ["4", "5", "6"]


def test_no_more_than_so_many_bytes_each(database: Database[dict[str, Any]]) -> None:
    refused = RefusedDeliveries(database, RefusedLimits(size=100))
    keep(refused, {"text": "\u00e9" * 5000})
    (row,) = refused.of(UUID)
    assert len(row["data"].encode()) == 100
    assert row["data"].endswith("...")
