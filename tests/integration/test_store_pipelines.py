"""Making jobs as other agents do."""

from typing import Any

import pytest
from pymongo.database import Database

from factories import NOW, catalogued
from pipelinejobs.errors import CommandFailed
from pipelinejobs.store import Store
from pipelinejobs.store.pipelines import NewJob, Owner
from pipelinejobs.tokens import job_token, token_hash

OWNER = Owner(owner="sd2eadm")


def like(document: dict[str, Any]) -> NewJob:
    return NewJob(
        pipeline_uuid=document["pipeline_uuid"],
        archive_path=document["archive_path"],
        archive_system=document["archive_system"],
        child_of=tuple(document["child_of"]),
        data=document["data"],
        session=document["session"],
    )


def test_a_job_is_made_like_python_datacatalogs(store: Store, database: Database[dict[str, Any]]) -> None:
    theirs = catalogued("job-created.json")
    store.pipelines.make_job(like(theirs), OWNER, NOW)
    ours = database["jobs"].find_one()
    assert ours is not None
    added = {name: ours.pop(name) for name in ("_life", "_tokens", "_alone")}
    token = job_token(ours["uuid"], ours["_salt"], ours["_admin"])
    assert added == {"_life": ours["history"][0]["uuid"], "_tokens": [token_hash(ours["uuid"], token)], "_alone": True}
    assert ours.keys() == theirs.keys()
    assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in theirs.items()}
    same = ours.keys() - {"_id", "updated", "history", "_properties", "_salt"}
    assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert list(ours["_admin"]) == list(theirs["_admin"])
    assert ours["history"][0].keys() == theirs["history"][0].keys()
    assert ours["history"][0]["data"] == theirs["history"][0]["data"]
    assert len(ours["_salt"]) == len(theirs["_salt"]) == 24


def test_a_job_that_exists_is_left_as_it_is(store: Store, database: Database[dict[str, Any]]) -> None:
    there = catalogued("job-finished.json")
    database["jobs"].insert_one(there)
    before = database["jobs"].find_one()
    with pytest.raises(CommandFailed, match=there["uuid"]):
        store.pipelines.make_job(like(there), OWNER, NOW)
    assert database["jobs"].find_one() == before
    assert database["jobs"].count_documents({}) == 1


def test_a_pipeline_is_made_once(store: Store, database: Database[dict[str, Any]]) -> None:
    uuid = store.pipelines.make_pipeline("demo", OWNER, NOW)
    assert uuid.startswith("106")
    assert not store.pipelines.has_pipeline("106-other")
    assert store.pipelines.make_pipeline("demo", OWNER, NOW) == uuid
    assert store.pipelines.has_pipeline(uuid)
    assert database["pipelines"].count_documents({}) == 1
