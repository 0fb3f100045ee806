"""What is said of a job that is quiet or overdue."""

from datetime import timedelta
from typing import Any

import pytest

from fsm.lifecycle import OPEN, STATES
from pipelinejobs.core.job import Job, TimeLimit
from pipelinejobs.diagnose.silence import remarks
from support.factories import LIFE, NOW, a_job

HOURS = timedelta(hours=1)
SIX_HOURS = 6 * 3600.0


def running(limit: Any = 4 * 3600, since: Any = NOW, updated: Any = NOW) -> Job:
    return a_job("RUNNING", updated=updated, time_limit=TimeLimit(LIFE, None, limit, since))


@pytest.mark.parametrize("state", STATES)
def test_quiet(state: str) -> None:
    job = a_job(state, updated=NOW)
    assert remarks(job, NOW + 6 * HOURS, SIX_HOURS) == []
    said = remarks(job, NOW + 7 * HOURS + timedelta(minutes=5), SIX_HOURS)
    assert said == (["no event for 7 h 5 min"] if state in OPEN else [])


def test_overdue() -> None:
    assert remarks(running(), NOW + 4 * HOURS, SIX_HOURS) == []
    assert remarks(running(), NOW + 5 * HOURS + timedelta(minutes=10), SIX_HOURS) == [
        "RUNNING for 5 h 10 min, longer than the job system's limit of 4 h"
    ]
    assert len(remarks(running(), NOW + 7 * HOURS, SIX_HOURS)) == 2


@pytest.mark.parametrize("job", [running(limit=None), running(since=None), running()._replace(state="FINISHED")])
def test_not_overdue(job: Job) -> None:
    assert remarks(job._replace(updated=None), NOW + 99 * HOURS, SIX_HOURS) == []


def test_a_job_from_the_future_is_not_quiet() -> None:
    assert remarks(running(since=NOW + HOURS, updated=NOW + HOURS), NOW, 0.0) == []
