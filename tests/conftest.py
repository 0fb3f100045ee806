"""Fixtures for all tests: a real MongoDB server, a database for each test, a free port.

A server that a test session starts is stopped by a small guard process, which waits for the end of the
session however that comes: a normal end, an interrupt, or a kill.

What a session takes over from the shell that started it, and what it must not leave behind, is in `support.session`;
which tests are slow, in `support.selection`.
"""

import logging
import os
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from pipelinejobs.mongod import Mongod, host
from pipelinejobs.store import Store
from pipelinejobs.store.connection import connect
from pipelinejobs.util import log
from pipelinejobs.util.secret import Secret
from support.canaries import assert_hidden, forget, seen_in
from support.dump import dump
from support.process import Documents, NewJob, StoredJob, insert_job
from support.selection import pytest_collection_modifyitems
from support.session import pytest_configure, pytest_configure_node, pytest_sessionfinish
from tools.demo.indexer import Indexer

__all__ = [  # hooks, which pytest looks for here
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_sessionfinish",
]

ROOT = Path(__file__).resolve().parent.parent

_GUARD = """
import shutil, sys
from pathlib import Path
from pipelinejobs.mongod import Mongod
sys.stdin.read()  # ends when the test session closes the pipe, or dies
Mongod(Path(sys.argv[1])).stop()
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""


@contextmanager
def guarded_mongod(directory: Path) -> Iterator[Mongod]:
    """An embedded server, not yet started, that is stopped and removed afterwards, whatever happens."""
    guard = subprocess.Popen(
        [sys.executable, "-c", _GUARD, str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in the terminal must not reach it
    )
    assert guard.stdin is not None
    try:
        yield Mongod(directory)
    finally:
        guard.stdin.close()
        assert guard.wait() == 0, f"the embedded mongod in {directory} could not be stopped"


@pytest.fixture(autouse=True)
def canaries() -> Iterator[None]:
    """Secrets are planted anew for each test, and looked for in its log lines as they would be written."""
    forget()
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(log.JsonFormatter())
    log.logger.addHandler(handler)
    yield
    log.logger.removeHandler(handler)
    assert_hidden(written.getvalue(), "the log")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test whose output, or that of its threads, shows a planted secret has failed, whatever else it proves."""
    report = yield
    # Of what is logged pytest shows the records before they were formatted, and so before any secret was hidden.
    seen = [secret for name, text in report.sections if "log" not in name for secret in seen_in(text)]
    if report.passed and seen:
        report.outcome = "failed"
        report.longrepr = f"the output of {item.nodeid} shows {sorted(set(seen))}"
    return report


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of a real server: the one of TEST_MONGODB_URI, else one of this session."""
    given = os.environ.get("TEST_MONGODB_URI")
    if given:
        yield given
        return
    with guarded_mongod(tmp_path_factory.mktemp("mongod")) as mongod:
        yield mongod.start(deadline=60).uri


@pytest.fixture(scope="session")
def mongodb_client(mongodb_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of that server, with a deadline of 10 s on everything."""
    with MongoClient[dict[str, Any]](mongodb_uri, timeoutMS=10_000) as client:
        yield client


@pytest.fixture
def database_name(mongodb_client: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """The name of a database that is not there; dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    yield name
    mongodb_client.drop_database(name)


@pytest.fixture
def database(
    mongodb_client: MongoClient[dict[str, Any]], database_name: str, request: pytest.FixtureRequest
) -> Iterator[Database[dict[str, Any]]]:
    """A database without documents that no other test uses meanwhile."""
    yield mongodb_client[database_name]
    if request.node.get_closest_marker("keeps_secrets") is None:
        assert_hidden(dump(mongodb_client[database_name]), "the database")


@pytest.fixture
def store(mongodb_uri: str, database: Database[dict[str, Any]]) -> Iterator[Store]:
    """The store over that database."""
    opened = Store(connect(Secret(mongodb_uri), database.name, timeout=10))
    yield opened
    opened.close()


@pytest.fixture
def jobs(database: Database[dict[str, Any]]) -> Collection[dict[str, Any]]:
    """The collection `jobs` of that database, for looking at what is stored."""
    return database["jobs"]


@pytest.fixture
def indexer() -> Iterator[Indexer]:
    """An Indexer that takes everything."""
    with Indexer() as listening:
        yield listening


@pytest.fixture
def new_job(jobs: Documents) -> NewJob:
    """Makes a job of python-datacatalog with a uuid of its own."""
    return lambda sample="job-created.json", **changes: insert_job(jobs, sample, **changes)


@pytest.fixture
def job(new_job: NewJob) -> StoredJob:
    """One new job."""
    return new_job()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Mongod]:
    """An embedded server of one's own, not yet started; stopped afterwards, and its directory removed."""
    with guarded_mongod(tmp_path / "mongod") as mongod:
        yield mongod


@pytest.fixture
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Afterwards no process may be left that has the test's directory on its command line."""
    yield
    commands = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            commands.append(f"{entry.parent.name}: {entry.read_bytes().decode(errors='replace')}")
    assert not [command for command in commands if str(tmp_path) in command]


@pytest.fixture
def free_port() -> int:
    """A loopback port on which nothing listens now."""
    return host.free_port()
