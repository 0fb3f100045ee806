"""Making jobs as other agents do."""

import dataclasses
from typing import Any

import jsonschema
import pytest
from pymongo.database import Database

from pipelinejobs.core.tokens import job_token, token_hash
from pipelinejobs.store import Store
from pipelinejobs.store.pipelines import NewJob, Owner
from pipelinejobs.util.errors import CommandFailed
from support.factories import NOW, catalogued

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
    uuid = store.pipelines.named("demo", OWNER, NOW)
    assert uuid.startswith("106")
    assert not store.pipelines.has_pipeline("106-other")
    assert store.pipelines.named("demo", OWNER, NOW) == uuid
    assert store.pipelines.has_pipeline(uuid)
    assert database["pipelines"].count_documents({}) == 1


def schema(name: str) -> Any:
    """A schema of python-datacatalog's, cut down to what it requires of the keys that we write."""
    items = {"type": "array", "minItems": 1}
    texts = {"type": "array", "items": {"type": "string"}}
    levels = {"enum": ["0", "1", "2", "3", "Reference", "User", "Unknown"]}
    service = {"type": "object", "required": ["uri"], "additionalProperties": False}
    service["properties"] = {"uri": {"type": "string", "pattern": r"^[a-z]+:\S+$"}, "identifier": {"type": "string"}}
    return {
        "pipeline": {
            "required": ["name", "components", "id", "processing_levels"],
            "properties": {
                "name": {"type": "string"},
                "id": {"type": "string"},
                "components": items | {"items": service},
                "processing_levels": items | {"items": levels},
                "uuid": {"pattern": "^106"},
                "_visible": {"type": "boolean"},
            }
            | {key: {} for key in ("_id", "_admin", "_properties", "_salt")},
            "additionalProperties": False,
        },
        "job": {
            "properties": {
                "archive_patterns": items
                | {
                    "items": {
                        "required": ["level", "patterns"],
                        "properties": {"level": levels, "patterns": texts, "generated_by": texts},
                        "additionalProperties": False,
                    }
                }
            }
        },
    }[name]


@pytest.mark.parametrize("name", ["demo", "a name / with % and é", "x" * 300])
def test_a_pipeline_is_valid_for_python_datacatalog(
    store: Store, database: Database[dict[str, Any]], name: str
) -> None:
    store.pipelines.named(name, OWNER, NOW)
    (document,) = database["pipelines"].find()
    jsonschema.validate(document, schema("pipeline"))


class TestRegistered:
    """Pipelines that others registered, whose uuids are made of their components."""

    @staticmethod
    def register(database: Database[dict[str, Any]], uuid: str, **fields: Any) -> str:
        database["pipelines"].insert_one({"uuid": uuid, "components": [{"id": "x"}], **fields})
        return uuid

    def test_is_found_by_its_name(self, store: Store, database: Database[dict[str, Any]]) -> None:
        theirs = self.register(database, "106-theirs", name="RNA-seq", id="rnaseq-0.1")
        assert store.pipelines.named("RNA-seq", OWNER, NOW) == theirs
        assert store.pipelines.named("rnaseq-0.1", OWNER, NOW) == theirs
        assert database["pipelines"].count_documents({}) == 1

    def test_a_name_comes_before_an_id(self, store: Store, database: Database[dict[str, Any]]) -> None:
        self.register(database, "106-a", name="other", id="demo")
        named = self.register(database, "106-b", name="demo", id="other")
        assert store.pipelines.named("demo", OWNER, NOW) == named

    @pytest.mark.parametrize("field", ["name", "id"])
    def test_of_several_none_is_chosen(self, store: Store, database: Database[dict[str, Any]], field: str) -> None:
        for number in (1, 2):
            self.register(database, f"106-{number}", **{"name": str(number), "id": f"id-{number}", field: "demo"})
        with pytest.raises(CommandFailed, match=rf"several pipelines have the {field} demo.*106-1 .*106-2 "):
            store.pipelines.named("demo", OWNER, NOW)
        assert database["pipelines"].count_documents({}) == 2

    def test_one_that_was_deleted_softly_does_not_count(self, store: Store, database: Database[dict[str, Any]]) -> None:
        self.register(database, "106-old", name="demo", _visible=False)
        theirs = self.register(database, "106-new", name="demo")
        assert store.pipelines.named("demo", OWNER, NOW) == theirs

    def test_a_name_is_text_and_no_query(self, store: Store, database: Database[dict[str, Any]]) -> None:
        self.register(database, "106-theirs", name="demo")
        assert store.pipelines.named("$ne", OWNER, NOW) != "106-theirs"


def test_a_job_says_what_the_indexer_is_to_index(store: Store, database: Database[dict[str, Any]]) -> None:
    theirs = catalogued("job-created.json")
    archive = ({"level": "1", "patterns": [r"\.csv$"]},)
    product = ({"patterns": [], "derived_from": ["a"], "derived_using": []},)
    new = dataclasses.replace(like(theirs), archive_patterns=archive, product_patterns=product)
    store.pipelines.make_job(new, OWNER, NOW)
    (job,) = database["jobs"].find()
    assert (job["archive_patterns"], job["product_patterns"]) == (list(archive), list(product))
    jsonschema.validate(job, schema("job"))
    assert job["uuid"] == theirs["uuid"], "they are no part of the job's identity"
