"""Fixtures for tests of the gateway over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from support.gateway import Gateway, serving, settings
from tools.demo.indexer import Indexer


@pytest.fixture
def gateway(mongodb_uri: str, database: Database[dict[str, Any]], indexer: Indexer) -> Iterator[Gateway]:
    """A gateway over the test's own database and Indexer."""
    with serving(settings(mongodb_uri, database.name, pipelines__job_indexer_url=indexer.url)) as running:
        yield running
