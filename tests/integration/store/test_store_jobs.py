"""Reading jobs and applying changes under their guard, on a real server."""

import json
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.core.decide import Change, decide
from pipelinejobs.core.job import Job, Trusted
from pipelinejobs.core.tokens import Authority, job_token, token_hash
from pipelinejobs.messages.event import Event
from pipelinejobs.store import Store, Written
from pipelinejobs.store.listing import Filter
from support.factories import ADMIN, NOW, SALT, TOKEN, a_command, a_report, catalogued

UUID = "107b93f3-1eae-5e79-8a18-0a480f8aa3a5"


def loaded(store: Store) -> Job:
    job = store.jobs.load(UUID)
    assert job is not None
    return job


def change_of(job: Job, event: Event) -> Change:
    decision = decide(job, event, Authority.JOB, NOW)
    assert decision.change is not None, decision.reason
    return decision.change


def apply(store: Store, event: Event) -> None:
    job = loaded(store)
    assert store.jobs.apply([(job, change_of(job, event), "e")]) == [Written.YES]


def test_a_job_of_python_datacatalog_is_read(store: Store, jobs: Any) -> None:
    jobs.insert_one(catalogued("job-finished.json"))
    job = loaded(store)
    assert (job.state, job.last_event, job.revision, job.entries) == ("FINISHED", "finish", 4, 5)
    assert job.life == job.attempt == "1089e127-3b75-5dae-9098-e87a70a1fc49"
    assert job.tokens is None
    assert job.damage is None


def test_the_outline_of_a_job_is_all_but_the_data_of_its_history(store: Store, jobs: Any) -> None:
    jobs.insert_one(catalogued("job-finished.json"))
    document, outline = store.jobs.document(UUID), store.jobs.outline(UUID)
    assert document is not None
    for entry in document["history"]:
        del entry["data"]
    assert outline == document


def test_the_token_of_a_read_job_is_the_published_one(store: Store, jobs: Any) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    job = loaded(store)
    assert job.salt is not None
    assert job_token(job.uuid, job.salt, job.admin) == "f337c3508de01c67"


def test_an_unknown_job_is_none(store: Store) -> None:
    assert store.jobs.load(UUID) is None


def test_what_is_written_has_the_shared_fields_and_types(store: Store, jobs: Any) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    apply(store, a_command("run", data={"arbitrary": "key value data"}))
    written, before = jobs.find_one(), catalogued("job-created.json")
    assert written["state"] == "RUNNING"
    assert written["last_event"] == "run"
    assert written["updated"] == written["history"][1]["date"] == NOW.replace(tzinfo=None)
    assert written["_properties"] == {
        **before["_properties"],
        "revision": 1,
        "modified_date": NOW.replace(tzinfo=None),
    } | {"created_date": before["_properties"]["created_date"].replace(tzinfo=None)}
    assert list(written["history"][1]) == ["date", "data", "name", "uuid"]
    assert written["_salt"] == before["_salt"]
    assert list(written["_admin"].items()) == list(before["_admin"].items())
    untouched = {
        "_id",
        "uuid",
        "pipeline_uuid",
        "archive_path",
        "data",
        "child_of",
        "generated_by",
        "session",
        "_visible",
    }
    assert {name: written[name] for name in untouched} == {name: before[name] for name in untouched}
    extra = written.keys() - before.keys()
    assert all(name.startswith("_") for name in extra)
    raw = jobs.database.command("find", "jobs", projection={"t": {"$type": "$_properties.revision"}})
    assert raw["cursor"]["firstBatch"][0]["t"] == "int"


def test_nothing_is_written_to_the_update_log(store: Store, database: Database[dict[str, Any]]) -> None:
    database["jobs"].insert_one(catalogued("job-created.json"))
    apply(store, a_command("run"))
    assert set(database.list_collection_names()) == {"jobs"}


@pytest.mark.parametrize(
    "interference",
    [
        {"$set": {"state": "RUNNING"}},
        {"$inc": {"_properties.revision": 1}},
        {"$set": {"history.0.uuid": "108-another-life"}},
        {"$set": {"_moved": 3}},
    ],
)
def test_a_change_is_written_only_onto_the_job_it_was_decided_on(store: Store, jobs: Any, interference: Any) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    job = loaded(store)
    change = change_of(job, a_command("update"))
    jobs.update_one({}, interference)
    before = jobs.find_one()
    assert store.jobs.apply([(job, change, "e")]) == [Written.MISSED]
    assert jobs.find_one() == before


def test_the_same_event_is_not_written_twice(store: Store, jobs: Any) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    event = a_command("update")
    apply(store, event)
    job = loaded(store)
    assert store.jobs.apply([(job, change_of(job, event), "e")]) == [Written.MISSED]
    entry = store.jobs.entry(job, change_of(job, event).entries[0].uuid)
    assert entry is not None
    assert entry.name == "update"
    assert entry.date == NOW


def test_state_history_revision_and_outbox_change_together(store: Store, jobs: Any) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    apply(store, a_report("finish", "FINISHED"))
    written = jobs.find_one()
    assert written["state"] == "FINISHED"
    assert [entry["name"] for entry in written["history"]] == ["create", "run", "finish"]
    assert written["_properties"]["revision"] == 2
    assert [(row["name"], row["status"]) for row in written["_outbox"]] == [("index", "pending")]
    assert len(written["_externals"]) == 1


@pytest.mark.promise("S7")
def test_user_data_is_stored_as_it_came(store: Store, jobs: Any) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    data = {
        "$set": {"state": "RETIRED"}, "$where": "1", "a.b": 1, "": 2, "__proto__": {}, "_id": 3, "0.state": "x",
        "big": 2**63 - 1, "small": -(2**63), "float": -0.0, "list": [[], {}, None, True, "\u00e9\U0001f600"],
    }  # fmt: skip
    apply(store, a_command("update", data=data))
    stored = jobs.find_one()["history"][1]["data"]
    assert json.dumps(stored) == json.dumps(data)
    assert jobs.find_one()["state"] == "CREATED"


def test_salts_are_remembered_when_others_rotate_them(store: Store, jobs: Any) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    apply(store, a_command("run"))
    jobs.update_one({}, {"$set": {"_salt": "rotated"}, "$inc": {"_properties.revision": 1}})
    assert loaded(store).tokens == (token_hash(UUID, TOKEN),)
    apply(store, a_command("update", id="execution:2"))
    newest = job_token(UUID, "rotated", ADMIN)
    assert jobs.find_one()["_tokens"] == [token_hash(UUID, TOKEN), token_hash(UUID, newest)]


@pytest.mark.promise("S18")
def test_salts_that_a_former_version_stored_are_read_and_replaced_by_hashes(store: Store, jobs: Any) -> None:
    former = ["first==", "second=="]
    jobs.insert_one(catalogued("job-created.json") | {"_salts": former, "_token_pin": token_hash(UUID, "trusted")})
    hashes = [token_hash(UUID, job_token(UUID, salt, ADMIN)) for salt in former]
    job = loaded(store)
    assert job.tokens == tuple(hashes)
    assert job.trusted == (Trusted(None, token_hash(UUID, "trusted")),)
    apply(store, a_command("run"))
    stored = jobs.find_one()
    assert "_salts" not in stored
    assert "_token_pin" not in stored
    assert stored["_tokens"] == [*hashes, token_hash(UUID, TOKEN)]
    assert loaded(store).trusted == job.trusted
    text = str({name: value for name, value in stored.items() if name != "_salt"})
    assert not [secret for secret in (*former, SALT, TOKEN) if secret in text]


class TestAttempt:
    def test_the_newest_reset_by_whomever(self, store: Store, jobs: Any) -> None:
        document = catalogued("job-finished.json")
        jobs.insert_one(document)
        jobs.update_one({}, {"$push": {"history": {"name": "RESET", "uuid": "108-foreign", "data": None, "date": NOW}}})
        assert loaded(store).attempt == "108-foreign"

    def test_our_own_reset(self, store: Store, jobs: Any) -> None:
        jobs.insert_one(catalogued("job-finished.json"))
        apply(store, a_command("reset"))
        assert loaded(store).attempt == jobs.find_one()["history"][-1]["uuid"]


class TestAnotherLife:
    """A job that python-datacatalog made again in place keeps our fields, which then mean nothing."""

    def recreate(self, store: Store, jobs: Any) -> None:
        jobs.insert_one(catalogued("job-created.json"))
        apply(store, a_report("finish", "FINISHED"))
        fresh = catalogued("job-created.json")
        fresh["history"][0]["uuid"] = "1080000-another-life"
        fresh["_salt"] = "salt of the new life"
        del fresh["_id"]
        jobs.update_one({}, {"$set": fresh})

    def test_nothing_of_the_old_one_counts(self, store: Store, jobs: Any) -> None:
        self.recreate(store, jobs)
        job = loaded(store)
        assert (job.state, job.tokens, job.externals, job.moved) == ("CREATED", None, {}, 0)
        assert job.attempt == job.life == "1080000-another-life"

    def test_the_first_write_takes_it_off(self, store: Store, jobs: Any) -> None:
        self.recreate(store, jobs)
        assert jobs.find_one()["_outbox"]
        apply(store, a_command("run"))
        written = jobs.find_one()
        assert "_outbox" not in written
        assert "_externals" not in written
        assert written["_tokens"] == [token_hash(UUID, job_token(UUID, "salt of the new life", ADMIN))]
        assert written["_life"] == "1080000-another-life"

    def test_an_event_of_the_old_life_may_come_again(self, store: Store, jobs: Any) -> None:
        self.recreate(store, jobs)
        apply(store, a_report("finish", "FINISHED"))
        assert jobs.find_one()["state"] == "FINISHED"


POISON: list[tuple[dict[str, Any], str]] = [
    ({"$set": {"history": "text"}}, "history"),
    ({"$set": {"history": []}}, "history"),
    ({"$set": {"history": ["text", 5]}}, "history"),
    ({"$set": {"history": [{"uuid": {"$ne": 1}}]}}, "history"),
    ({"$unset": {"history": ""}}, "history"),
    ({"$set": {"state": "running"}}, "state"),
    ({"$set": {"state": {"$ne": None}}}, "state"),
    ({"$unset": {"state": ""}}, "state"),
    ({"$set": {"_properties": "text"}}, "revision"),
    ({"$set": {"_properties.revision": "4"}}, "revision"),
    ({"$set": {"_properties.revision": True}}, "revision"),
    ({"$unset": {"_properties": ""}}, "revision"),
    ({"$set": {"_properties.revision": 2**63 - 1}}, "revision"),
    ({"$set": {"_properties.revision": float("nan")}}, "revision"),
    ({"$set": {"_properties.revision": float("inf")}}, "revision"),
    ({"$set": {"_moved": "many"}}, "_moved"),
    ({"$set": {"_moved": float("nan")}}, "_moved"),
    ({"$set": {"_moved": 2.5}}, "_moved"),
    ({"$set": {"uuid": [UUID, "z"]}}, "uuid"),
    ({"$set": {"_outbox": {"a": 1}}}, "_outbox"),
]


@pytest.mark.parametrize(("poison", "named"), POISON)
def test_a_damaged_job_is_read_and_named(store: Store, jobs: Any, poison: Any, named: str) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    jobs.update_one({}, poison)
    damage = loaded(store).damage
    assert damage is not None
    assert named in damage


@pytest.mark.parametrize(
    "oddity",
    [
        {"$set": {"_salts": "text"}},
        {"$set": {"_externals": [1, {"id": 2}]}},
        {"$set": {"_attempt": 5}},
        {"$unset": {"_salt": ""}},
        {"$unset": {"_admin": ""}},
        {"$set": {"_admin": "text"}},
        {"$set": {"last_event": 7}},
        {"$push": {"history": {"name": {"$ne": 1}, "uuid": 5}}},
        {"$push": {"history": "text"}},
        {"$set": {"_outbox": [1, "x", {"status": "pending"}]}},
    ],
)
def test_an_odd_job_is_read_all_the_same(store: Store, jobs: Any, oddity: Any) -> None:
    jobs.insert_one(catalogued("job-created.json"))
    jobs.update_one({}, oddity)
    assert loaded(store).damage is None
    assert list(store.outbox.rows()) == []
    assert len(store.listing.page(Filter(), 10).jobs) == 1


def test_a_full_document_is_refused_whole(store: Store, jobs: Any) -> None:
    document = catalogued("job-created.json")
    document["data"] = {"ballast": "x" * (16 * 1024 * 1024 - 3000)}
    jobs.insert_one(document)
    job = loaded(store)
    change = change_of(job, a_command("update", data={"more": "y" * 5000}))
    assert store.jobs.apply([(job, change, "e")]) == [Written.TOO_LARGE]
    assert len(jobs.find_one()["history"]) == 1
