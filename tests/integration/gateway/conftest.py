"""Fixtures for tests of the gateway over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from support.gateway import Gateway, serving, settings
from support.indexed import IndexedDatabases
from tools.demo.indexer import Indexer


@pytest.fixture(scope="session")
def indexed_databases(mongodb_client: MongoClient[dict[str, Any]]) -> Iterator[IndexedDatabases]:
    """Databases that have the indexes already."""
    databases = IndexedDatabases(mongodb_client)
    yield databases
    databases.drop_all()


@pytest.fixture
def database_name(indexed_databases: IndexedDatabases) -> Iterator[str]:
    """The name of a database without documents, which has the indexes that a gateway makes as it starts."""
    name = indexed_databases.take()
    yield name
    indexed_databases.give_back(name)


@pytest.fixture
def gateway(mongodb_uri: str, database: Database[dict[str, Any]], indexer: Indexer) -> Iterator[Gateway]:
    """A gateway over the test's own database and Indexer."""
    with serving(settings(mongodb_uri, database.name, pipelines__job_indexer_url=indexer.url)) as running:
        yield running
