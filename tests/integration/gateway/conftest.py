"""Fixtures for tests of the gateway over HTTP."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database

from demo.indexer import Indexer
from support_gateway import Gateway, serving, settings
from support_process import Documents, StoredJob, insert_job


@pytest.fixture
def indexer() -> Iterator[Indexer]:
    """An Indexer that takes everything."""
    with Indexer() as listening:
        yield listening


@pytest.fixture
def gateway(mongodb_uri: str, database: Database[dict[str, Any]], indexer: Indexer) -> Iterator[Gateway]:
    """A gateway over the test's own database and Indexer."""
    with serving(settings(mongodb_uri, database.name, pipelines__job_indexer_url=indexer.url)) as running:
        yield running


@pytest.fixture
def new_job(jobs: Documents) -> Callable[..., StoredJob]:
    """Makes a job of python-datacatalog with a uuid of its own."""
    return lambda sample="job-created.json", **changes: insert_job(jobs, sample, **changes)


@pytest.fixture
def job(new_job: Callable[..., StoredJob]) -> StoredJob:
    """One new job."""
    return new_job()
