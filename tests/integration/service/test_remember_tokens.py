"""The first token of a new job is remembered before another program changes the salt."""

import threading
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.core.tokens import job_token, token_hash
from pipelinejobs.service import remember_tokens
from pipelinejobs.service.remember_tokens import NewJobTokens
from pipelinejobs.store import Store
from pipelinejobs.util.errors import Unavailable
from support import datacatalog
from support.factories import ADMIN, TOKEN, UUID
from support.process import Documents, StoredJob, insert_job


@pytest.fixture
def looking(store: Store) -> NewJobTokens:
    store.ensure_indexes()
    return NewJobTokens(store)


def remembered(job: StoredJob) -> list[str] | None:
    """The hashes that the job remembers."""
    hashes: list[str] | None = job.stored().get("_tokens")
    return hashes


def first(job: StoredJob) -> list[str]:
    """The hash of its first token alone."""
    return [token_hash(job.uuid, job.token)]


def test_new_jobs_are_found_once(looking: NewJobTokens, jobs: Documents) -> None:
    made = [insert_job(jobs) for _ in range(3)]
    assert looking.look() == 3
    assert [remembered(job) for job in made] == [first(job) for job in made]
    assert looking.look() == 0


@pytest.mark.promise("S18")
def test_the_token_outlives_the_rotation_that_follows(looking: NewJobTokens, jobs: Documents) -> None:
    job = insert_job(jobs)
    looking.look()
    datacatalog.writes(job, "run", "RUNNING")
    assert remembered(job) == first(job)
    assert looking.look() == 0
    assert job.token not in str(job.stored())


def test_a_job_whose_salt_was_changed_before_is_left_alone(looking: NewJobTokens, jobs: Documents) -> None:
    job = insert_job(jobs)
    datacatalog.writes(job, "run", "RUNNING")
    assert looking.look() == 0
    assert remembered(job) is None


@pytest.mark.parametrize("window", ["in_the_middle", "at_the_end"])
def test_what_a_program_takes_away_that_had_read_the_job_before_is_remembered_again(
    looking: NewJobTokens, jobs: Documents, window: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remember_tokens, "_AGAIN_SECONDS", (0.0, 0.0))
    job = insert_job(jobs)
    datacatalog.writes(job, "run", "RUNNING", **{window: looking.look})
    looking.look()
    assert remembered(job) == first(job)


def test_a_database_that_was_away_costs_no_second_look(
    looking: NewJobTokens, jobs: Documents, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remember_tokens, "_AGAIN_SECONDS", (0.0,))
    job = insert_job(jobs)
    datacatalog.writes(job, "run", "RUNNING", at_the_end=looking.look)

    def away(_: Any) -> int:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store.new_jobs, "remember", away)
        with pytest.raises(Unavailable):
            looking.look()
    looking.look()
    assert remembered(job) == first(job)


def test_tokens_that_were_remembered_meanwhile_stay(
    looking: NewJobTokens, jobs: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remember_tokens, "_AGAIN_SECONDS", (0.0,))
    job = insert_job(jobs)
    newest = datacatalog.writes(job, "run", "RUNNING", at_the_end=looking.look)
    jobs.update_one({"uuid": job.uuid}, {"$set": {"_tokens": [token_hash(job.uuid, newest)]}})
    looking.look()
    assert remembered(job) == [*first(job), token_hash(job.uuid, newest)]


def test_nothing_is_put_into_a_job_that_was_made_again(
    looking: NewJobTokens, jobs: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remember_tokens, "_AGAIN_SECONDS", (0.0,))
    job = insert_job(jobs)
    datacatalog.writes(job, "run", "RUNNING", at_the_end=looking.look)
    datacatalog.makes_again(job)
    looking.look()
    assert remembered(job) is None


@pytest.mark.parametrize(
    "odd",
    [
        {"history": [{"name": "create", "date": "2018-11-05T17:20:11", "data": None}]},
        {"history": None},
        {"_tokens": None},
        {"state": "LOST"},
    ],
    ids=["no uuids", "no history", "null tokens", "unknown state"],
)
def test_odd_jobs_delay_no_other_job(looking: NewJobTokens, jobs: Documents, odd: dict[str, Any]) -> None:
    insert_job(jobs, **odd)
    job = insert_job(jobs)
    looking.look()
    assert remembered(job) == first(job)


@pytest.mark.parametrize("odd", [{"_salt": None}, {"_salt": 5}, {"uuid": 7}, {"uuid": ["x"]}])
def test_jobs_without_a_token_are_passed_over(looking: NewJobTokens, jobs: Documents, odd: dict[str, Any]) -> None:
    stored = insert_job(jobs).stored() | odd
    jobs.replace_one({"_id": stored["_id"]}, stored)
    assert looking.look() == 0
    assert jobs.find_one() == stored


def test_more_than_one_look_takes_are_found_one_after_the_other(
    looking: NewJobTokens, jobs: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remember_tokens, "_MOST", 2)
    made = [insert_job(jobs) for _ in range(5)]
    assert [looking.look() for _ in range(4)] == [2, 2, 1, 0]
    assert [remembered(job) for job in made] == [first(job) for job in made]


def test_several_may_look_at_once(store: Store, looking: NewJobTokens, jobs: Documents) -> None:
    made = [insert_job(jobs) for _ in range(50)]
    threads = [threading.Thread(target=NewJobTokens(store).look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [remembered(job) for job in made] == [first(job) for job in made]


def test_without_its_index_it_does_not_look_through_all_jobs(store: Store, jobs: Documents) -> None:
    insert_job(jobs)
    with pytest.raises(Unavailable):
        NewJobTokens(store).look()


def test_a_look_examines_new_jobs_alone(looking: NewJobTokens, jobs: Documents, database: Database[Any]) -> None:
    for _ in range(200):
        insert_job(jobs, "job-finished.json")
    insert_job(jobs)
    database.command("profile", 2)
    looking.look()
    database.command("profile", 0)
    found = database["system.profile"].find_one({"op": "query", "ns": f"{database.name}.jobs"})
    assert found is not None
    assert found["docsExamined"] == 1


class TestFormerVersions:
    """Salts that a former version remembered make tokens; they are replaced by hashes."""

    def test_all_of_them_are_replaced(self, store: Store, jobs: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remember_tokens, "_MOST", 2)
        made = [insert_job(jobs, _salts=[f"old-{number}", "older"]) for number in range(5)]
        remember_tokens.replace_salts(store)
        for number, job in enumerate(made):
            stored = job.stored()
            assert "_salts" not in stored
            assert stored["_tokens"] == [
                token_hash(job.uuid, job_token(job.uuid, salt, ADMIN)) for salt in (f"old-{number}", "older")
            ]

    def test_those_of_a_life_that_is_over_go(self, store: Store, jobs: Documents) -> None:
        job = insert_job(jobs, _salts=["old"], _life="another", _token_pin=token_hash(UUID, TOKEN))
        remember_tokens.replace_salts(store)
        assert not job.stored().keys() & {"_salts", "_token_pin", "_tokens", "_first_use"}

    @pytest.mark.parametrize("odd", [{"uuid": 7}, {"_properties": {"revision": "3"}}, {"_properties": None}])
    def test_damaged_jobs_delay_no_other_job(
        self, store: Store, jobs: Documents, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remember_tokens, "_MOST", 1)
        stored = insert_job(jobs, _salts=["old"]).stored()
        jobs.replace_one({"_id": stored["_id"]}, stored | odd)
        job = insert_job(jobs, _salts=["old"])
        assert remember_tokens.replace_salts(store) == 1
        assert "_salts" not in job.stored()

    def test_jobs_without_any_are_left_alone(self, store: Store, jobs: Documents) -> None:
        job = insert_job(jobs)
        before = job.stored()
        remember_tokens.replace_salts(store)
        assert job.stored() == before
