"""Fixtures for tests of whole processes: an actor on Abaco, an Indexer, and jobs in a database for each test."""

from typing import Any

import pytest
from pymongo.database import Database

from support.process import CheckedAbaco, Documents, NewJob, StoredJob, environment, insert_job
from tools.demo.indexer import Indexer


@pytest.fixture
def abaco(mongodb_uri: str, database: Database[dict[str, Any]], indexer: Indexer) -> CheckedAbaco:
    """The actor, deployed with the test's own database and Indexer; every run is checked."""
    return CheckedAbaco(
        environment=environment(mongodb_uri, database.name, _REACTOR_PIPELINES_JOB_INDEXER_URL=indexer.url)
    )


@pytest.fixture
def new_job(jobs: Documents, abaco: CheckedAbaco) -> NewJob:
    """Makes a job of python-datacatalog with a new uuid. No run may show its token."""

    def make(sample: str = "job-created.json", **changes: Any) -> StoredJob:
        job = insert_job(jobs, sample, **changes)
        abaco.hidden.add(job.token)
        return job

    return make
