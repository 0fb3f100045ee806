"""Quiet jobs: which there are, in which order, and by which clock."""

from datetime import UTC, datetime, timedelta

import pytest

from pipelinejobs.store import Store, quiet_jobs
from pipelinejobs.store.quiet_jobs import QuietJobs
from support.process import Documents, NewJob, insert_job

OLD = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def quiet(store: Store) -> QuietJobs:
    return store.quiet_jobs


def test_open_jobs_the_longest_quiet_first(quiet: QuietJobs, new_job: NewJob) -> None:
    made = [
        new_job(state=state, updated=OLD + timedelta(days=days)).uuid
        for days, state in enumerate(["RUNNING", "CREATED", "CREATED", "RUNNING"])
    ]
    new_job(state="FINISHED", updated=OLD)
    new_job(state="RUNNING", updated=OLD + timedelta(days=30))
    new_job(state="RUNNING", updated=OLD, _visible=False)
    new_job(state="RUNNING", updated="2018-01-01")
    new_job(state="RUNNING", updated=[OLD])
    since = OLD + timedelta(days=10)
    assert [job.uuid for job in quiet.all(since)] == made
    assert quiet.count(since) == 4


def test_pages_are_joined_without_a_gap(quiet: QuietJobs, new_job: NewJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many jobs have the same date, because dates of changes are whole seconds."""
    monkeypatch.setattr(quiet_jobs, "_PAGE", 3)
    made = [
        new_job(state=state, updated=OLD + timedelta(days=n // 4)).uuid
        for n in range(11)
        for state in ("CREATED", "RUNNING")
    ]
    found = [job.uuid for job in quiet.all(OLD + timedelta(days=30))]
    assert len(found) == len(made)
    assert set(found) == set(made)


def test_from_a_place_on(quiet: QuietJobs, new_job: NewJob) -> None:
    made = [new_job(state="RUNNING", updated=OLD + timedelta(days=n // 2)).uuid for n in range(6)]
    since = OLD + timedelta(days=30)
    places = [job.place for job in quiet.all(since)]
    for number, place in enumerate(places):
        assert [job.uuid for job in quiet.all(since, place)] == made[number + 1 :]


def test_quiet_by_the_databases_clock(quiet: QuietJobs, new_job: NewJob) -> None:
    new_job(state="RUNNING", updated=datetime.now(UTC) - timedelta(hours=2))
    assert [quiet.count(quiet.cutoff(hours * 3600)) for hours in (1, 3)] == [1, 0]


def test_the_jobs_with_these_uuids(quiet: QuietJobs, jobs: Documents) -> None:
    old = insert_job(jobs, state="RUNNING", updated=OLD).uuid
    ended = insert_job(jobs, state="FAILED", updated=OLD).uuid
    named = [ended, old, "10700000-0000-5000-8000-000000000000", old]
    assert [job.uuid for job in quiet.these(named, None)] == [ended, old]
    assert [job.uuid for job in quiet.these(named, OLD + timedelta(days=1))] == [old]
    assert quiet.these(named, OLD) == []


def test_the_job_system_is_what_the_job_says(quiet: QuietJobs, new_job: NewJob) -> None:
    for external in ({"system": "tapis", "id": "x", "attempt": "y"}, "odd", {"system": 7}):
        new_job(state="RUNNING", updated=OLD, _external=external)
    assert [job.system for job in quiet.all(OLD + timedelta(days=1))] == ["tapis", None, None]
