"""When a job is overdue: which report begins the time, which ends it, and what it is compared with."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from pipelinejobs.core.decide import decide
from pipelinejobs.core.job import Job, TimeLimit
from pipelinejobs.core.tokens import Authority
from pipelinejobs.messages.event import Event
from support.factories import LIFE, NOW, a_command, a_job, a_report

LIMIT = {"maxRunTime": "04:00:00"}
FOUR_HOURS = timedelta(hours=4)
LATER = NOW + timedelta(hours=1)


def after(job: Job, *events: Event, now: datetime = NOW) -> Job:
    """The job after these events, an hour apart, as the store would read it."""
    for number, event in enumerate(events):
        change = decide(job, event, Authority.JOB, now + number * timedelta(hours=1)).change
        assert change is not None, event
        job = job._replace(
            state=change.state,
            attempt=change.attempt,
            time_limit=change.time_limit,
            externals={**job.externals, **({change.external: job.attempt} if change.external else {})},
        )
    return job


def overdue_from(job: Job) -> datetime | None:
    return job.time_limit.overdue_from if job.time_limit is not None else None


def running(**data: Any) -> Event:
    return a_report("run", "RUNNING", data=data)


def other(name: str, status: str, **data: Any) -> Event:
    return a_report(name, status, data=data)


def test_the_time_begins_with_the_report_that_it_runs() -> None:
    assert overdue_from(after(a_job(), running(**LIMIT))) == NOW + FOUR_HOURS


def test_the_limit_may_come_before_or_after() -> None:
    assert overdue_from(after(a_job(), other("resource", "QUEUED", **LIMIT), running())) == LATER + FOUR_HOURS
    assert overdue_from(after(a_job(), running(), other("update", "HEARTBEAT", **LIMIT))) == NOW + FOUR_HOURS


def test_the_newest_limit_counts() -> None:
    job = after(a_job(), running(**LIMIT), other("update", "UPDATED", maxMinutes=60))
    assert overdue_from(job) == NOW + timedelta(hours=1)


def test_a_second_report_that_it_runs_does_not_begin_the_time_again() -> None:
    assert overdue_from(after(a_job(), running(**LIMIT), running(**LIMIT, lastUpdated="2"))) == NOW + FOUR_HOURS


def test_a_command_begins_no_time() -> None:
    """An agent sends `run` when it submits the job, which may then be in a queue for longer than its limit."""
    job = after(a_job(), a_command("run"), other("resource", "QUEUED", **LIMIT))
    assert job.state == "RUNNING"
    assert overdue_from(job) is None
    assert overdue_from(after(job, running(), now=LATER)) == LATER + FOUR_HOURS
    assert overdue_from(after(a_job(), a_command("run", data=LIMIT))) is None


@pytest.mark.parametrize("status", ["CLEANING_UP", "ARCHIVING", "PAUSED", "BLOCKED", "QUEUED"])
def test_a_report_of_another_phase_ends_the_time(status: str) -> None:
    """The limit is for running: a job whose outputs are archived for hours is not overdue."""
    job = after(a_job(), running(**LIMIT), other("resource", status))
    assert (job.state, overdue_from(job)) == ("RUNNING", None)
    assert overdue_from(after(job, running(), now=LATER)) == LATER + FOUR_HOURS


@pytest.mark.parametrize(
    ("name", "status"), [("update", "HEARTBEAT"), ("resource", "PERMISSION_GRANT"), ("update", "NEVER_HEARD_OF")]
)
def test_a_report_of_no_phase_ends_nothing(name: str, status: str) -> None:
    assert overdue_from(after(a_job(), running(**LIMIT), other(name, status))) == NOW + FOUR_HOURS


def test_a_command_ends_nothing() -> None:
    assert overdue_from(after(a_job(), running(**LIMIT), a_command("update"))) == NOW + FOUR_HOURS


def test_of_several_external_jobs_the_last_counts() -> None:
    second = a_report("run", "RUNNING", "agave:2-007", data={"maxMinutes": 60})
    job = after(a_job(), running(**LIMIT), second)
    assert overdue_from(job) == LATER + timedelta(hours=1)


@pytest.mark.parametrize("event", [a_report("finish", "FINISHED"), a_report("fail", "FAILED"), a_command("fail")])
def test_nothing_is_left_when_the_job_ends(event: Event) -> None:
    job = after(a_job(), running(**LIMIT), event)
    assert job.time_limit is None


def test_nothing_is_left_after_a_reset() -> None:
    job = after(a_job(), running(**LIMIT), a_command("reset"))
    assert job.time_limit is None


def test_a_limit_of_an_earlier_attempt_is_not_of_this_one() -> None:
    """Another program has begun the attempt."""
    job = a_job("RUNNING", attempt="108-new", time_limit=TimeLimit(LIFE, None, 60, NOW))
    assert after(job, a_command("update")).time_limit is None


def test_a_job_that_reports_nothing_of_it_remembers_nothing() -> None:
    assert after(a_job(), a_command("run"), a_command("update")).time_limit is None
    assert after(a_job(), other("resource", "QUEUED")).time_limit is None


@pytest.mark.parametrize("value", ["soon", "-1:00:00", "9" * 400 + ":00:00", 10**400, None, [], {"$gt": 0}])
def test_an_odd_limit_never_costs_a_report(value: Any) -> None:
    job = after(a_job(), running(maxRunTime=value, maxMinutes=value))
    assert (job.state, overdue_from(job)) == ("RUNNING", None)


def test_a_stored_time_at_the_end_of_the_calendar_is_no_error() -> None:
    assert TimeLimit(LIFE, None, 60, datetime.max.replace(tzinfo=NOW.tzinfo)).overdue_from is None
