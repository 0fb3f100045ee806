"""Mending stored jobs: one guarded write of what was planned, on the very document it was planned for."""

import copy
from typing import Any

import pytest
from bson import SON, DBRef, Decimal128
from pymongo.database import Database

from integration.store.test_store_jobs import POISON
from pipelinejobs.core import decide, repair, repair_plan
from pipelinejobs.core.job import Job
from pipelinejobs.core.tokens import Authority
from pipelinejobs.core.uuids import ENTRY, random
from pipelinejobs.diagnose import checks
from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.store import Store
from pipelinejobs.store.history import HistoryLimits
from pipelinejobs.store.jobs import Written
from pipelinejobs.store.repairs import RawJob
from pipelinejobs.util.errors import CommandFailed
from support.factories import LIFE, NOW, UUID, a_command, catalogued

Jobs = Any
OLD = catalogued("job-of-2018.json")["uuid"]


def read(store: Store, uuid: str = UUID) -> RawJob:
    stored = store.repairs.read(uuid)
    assert stored is not None
    return stored


def mend(store: Store, uuid: str = UUID) -> repair.Plan:
    """Mends the job, and gives the plan."""
    stored = read(store, uuid)
    plan = repair_plan.plan(stored.document, stored.moved)
    assert store.repairs.write(stored, plan)
    return plan


def loaded(store: Store, uuid: str = UUID) -> Job:
    job = store.jobs.load(uuid)
    assert job is not None
    return job


def take(store: Store, *names: str, uuid: str = UUID) -> None:
    """Applies events."""
    for name in names:
        job = loaded(store, uuid)
        event = a_command(name, job=uuid, id=f"execution:{random(ENTRY)}")
        decision = decide.decide(job, event, Authority.ADMINISTRATIVE, NOW)
        assert decision.change is not None, decision.reason
        assert store.jobs.apply([(job, decision.change, "execution")]) == [Written.YES]


def test_a_job_of_2018_takes_events(store: Store, jobs: Jobs) -> None:
    jobs.insert_one(catalogued("job-of-2018.json"))
    before = jobs.find_one()
    assert loaded(store, OLD).damage is not None
    assert mend(store, OLD).left == []
    after = jobs.find_one()
    assert loaded(store, OLD).damage is None
    problems = take_snapshot(store, OLD)
    assert problems is not None
    assert problems.problems == []
    dates = [entry["date"].isoformat() for entry in after["history"]]
    assert dates == ["2018-11-05T17:20:11", "2018-11-05T17:25:40"]
    assert {key: after[key] for key in after if key not in ("history", "_properties")} == {
        key: before[key] for key in before if key not in ("history", "_properties")
    }
    assert [list(entry) for entry in after["history"]] == [["date", "name", "data", "uuid"]] * 2
    take(store, "finish", "reset", uuid=OLD)
    assert jobs.find_one()["_properties"]["revision"] == 3


def test_repeating_it_changes_nothing_and_after_it_was_undone_gives_the_same(store: Store, jobs: Jobs) -> None:
    document = catalogued("job-of-2018.json")
    jobs.insert_one(copy.deepcopy(document))
    mend(store, OLD)
    after = jobs.find_one()
    assert mend(store, OLD) == repair.Plan([], [])
    assert jobs.find_one() == after
    jobs.replace_one({}, document)  # as a program does that had read the job before
    mend(store, OLD)
    assert jobs.find_one() == after


LEFT = ("text", ["text", 5], [UUID, "z"])


@pytest.mark.parametrize(("poison", "named"), POISON)
def test_every_kind_of_damage_is_repaired_or_reported(store: Store, jobs: Jobs, poison: Any, named: str) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    before = jobs.find_one()
    jobs.update_one({}, poison)
    plan = mend(store)
    after = jobs.find_one()
    assert {key: after.get(key) for key in ("_salt", "_admin")} == {key: before[key] for key in ("_salt", "_admin")}
    if next(iter(poison.get("$set", {}).values()), None) in LEFT and named in ("history", "uuid"):
        assert any(named in one for one in plan.left)
        assert loaded(store).damage is not None
        return
    assert loaded(store).damage is None
    take(store, "run")
    assert jobs.find_one()["_properties"]["revision"] == len(after["history"])


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"$push": {"history": {"date": NOW, "name": "update", "data": None, "uuid": "108-x"}}},
        {"$set": {"state": "FINISHED"}},
        {"$set": {"_properties.revision": 5}},
        {"$set": {"history.0.uuid": "108-x"}},
        {"$set": {"history.1.date": NOW}},
        {"$set": {"uuid": "another"}},
        {"$unset": {"updated": ""}},
    ],
)
def test_a_job_that_has_changed_meanwhile_is_left_alone(store: Store, jobs: Jobs, meanwhile: Any) -> None:
    jobs.insert_one(catalogued("job-of-2018.json"))
    stored = read(store, OLD)
    jobs.update_one({}, meanwhile)
    before = jobs.find_one()
    assert not store.repairs.write(stored, repair_plan.plan(stored.document, stored.moved))
    assert jobs.find_one() == before


def test_data_stays_what_it_is_byte_for_byte(store: Store, jobs: Jobs, database: Database[Any]) -> None:
    data = SON([("$ref", "x"), ("$id", 5), ("a.b", {"$ne": Decimal128("1.10")}), ("", [DBRef("c", 1)])])
    document = catalogued("job-of-2018.json")
    document["history"][1]["data"] = data
    jobs.insert_one(document)
    at = {"$project": {"_id": 0, "data": {"$arrayElemAt": ["$history.data", 1]}}}
    before = read(store, OLD).raw["history"][1]["data"].raw
    mend(store, OLD)
    assert read(store, OLD).raw["history"][1]["data"].raw == before
    assert len(list(jobs.aggregate([at]))) == 1


def test_what_was_moved_belongs_to_the_history(store: Store, jobs: Jobs, database: Database[Any]) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    take(store, "run", *["update"] * 6, "finish")
    store.history.limits = HistoryLimits(entries=4)
    assert store.history.move(loaded(store))
    moved = jobs.find_one()["_moved"]
    assert moved > 3
    rows = database["jobs_history"]
    rows.update_one({"seq": 0}, {"$set": {"entry.date": "2018-11-05T17:20:11"}})
    jobs.update_one({}, {"$set": {"state": "RUNNING", "_properties.revision": 3, "_moved": "many", "_outbox": None}})
    plan = mend(store)
    assert plan.left == []
    after = jobs.find_one()
    assert (after["state"], after["_properties"]["revision"], after["_moved"]) == ("FINISHED", 8, moved)
    assert [row["entry"]["date"].isoformat() for row in rows.find({"seq": 0})] == ["2018-11-05T17:20:11"]
    told = take_snapshot(store, UUID)
    assert told is not None
    assert told.problems == []
    assert checks.cause(told.job, told.history) is not None
    assert [(row.name, row.status) for row in store.outbox.rows()] == [("index", "pending")]
    assert after["_outbox"][0]["life"] == LIFE
    assert mend(store) == repair.Plan([], [])


def test_the_index_request_that_is_owed_again_has_the_key_that_it_had(store: Store, jobs: Jobs) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    take(store, "run", "finish")
    before = jobs.find_one()["_outbox"]
    jobs.update_one({}, {"$set": {"_outbox": "lost"}})
    mend(store)
    assert jobs.find_one()["_outbox"] == before


def test_of_two_documents_with_one_uuid_none_is_touched(store: Store, jobs: Jobs) -> None:
    for _ in range(2):
        jobs.insert_one(_copy())
    with pytest.raises(CommandFailed, match="more than one document"):
        store.repairs.read(OLD)


def _copy() -> dict[str, Any]:
    document = catalogued("job-of-2018.json")
    del document["_id"]
    return document


def test_a_job_that_is_not_there(store: Store) -> None:
    assert store.repairs.read(UUID) is None
