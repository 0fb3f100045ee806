"""The newest refresh token outlives its process, and several processes share it."""

import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest
from bson import json_util
from pymongo.database import Database

from pipelinejobs.job_systems import Answer, Found, from_settings
from pipelinejobs.job_systems.refresh_token import Keeper
from pipelinejobs.settings.reconcile import ReconcileSection
from pipelinejobs.store import Store
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.secret import Secret
from support.canaries import assert_hidden
from support.job_systems import StandInAgave

JOB: Final = "7381-4223007-007"


@pytest.fixture
def agave() -> Iterator[StandInAgave]:
    with StandInAgave() as stand_in:
        stand_in.jobs[JOB] = "RUNNING"
        yield stand_in


@pytest.fixture
def section(agave: StandInAgave) -> ReconcileSection:
    """The settings, with the refresh token that is valid at first."""
    return agave.section(account=True, rate=1000.0)


class Process:
    """One that asks; a new one stands for a restart."""

    def __init__(self, section: ReconcileSection, keeper: Keeper | None) -> None:
        self._systems = from_settings(section, keeper)

    def ask(self) -> Answer:
        return self._systems.ask("agave", JOB, Deadline(60))


def test_a_restart_goes_on_with_the_newest(agave: StandInAgave, section: ReconcileSection, store: Store) -> None:
    for _ in range(3):
        assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


def test_processes_do_not_end_each_others(agave: StandInAgave, section: ReconcileSection, store: Store) -> None:
    both = [Process(section, store.refresh_tokens) for _ in range(2)]
    for _ in range(3):
        for process in both:
            agave.expire()
            assert process.ask().status == "RUNNING"


def test_a_new_one_in_the_settings_counts(agave: StandInAgave, section: ReconcileSection, store: Store) -> None:
    Process(section, store.refresh_tokens).ask()
    agave.refresh_token = "pj-canary-refresh-by-hand"
    assert Process(section, store.refresh_tokens).ask().found is Found.UNANSWERED
    section = section._replace(agave_refresh_token=Secret(agave.refresh_token))
    for _ in range(2):
        assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


def test_the_database_shows_no_secret(
    agave: StandInAgave, section: ReconcileSection, store: Store, database: Database[dict[str, Any]]
) -> None:
    Process(section, store.refresh_tokens).ask()
    (row,) = database["refresh_tokens"].find()
    assert row["sealed"]
    text = json_util.dumps(row) + row["sealed"].decode()
    assert_hidden(text, "the database")
    assert agave.refresh_token not in text


@pytest.mark.parametrize("damage", ["another secret", "cut", "of another type"])
def test_what_cannot_be_opened_is_not_used(
    agave: StandInAgave,
    section: ReconcileSection,
    store: Store,
    database: Database[dict[str, Any]],
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    agave.rotates = True
    Process(section, store.refresh_tokens).ask()
    (row,) = database["refresh_tokens"].find()
    if damage == "another secret":
        agave.client_secret = "pj-canary-another-secret"
        section = section._replace(agave_client_secret=Secret(agave.client_secret))
    else:
        sealed = row["sealed"][:-5] if damage == "cut" else 7
        database["refresh_tokens"].update_one({}, {"$set": {"sealed": sealed}})
    agave.refresh_token = section.agave_refresh_token.reveal()  # type: ignore[union-attr]
    assert Process(section, store.refresh_tokens).ask().status == "RUNNING"
    assert ("the kept refresh token is not used" in caplog.text) == (damage != "of another type")


class Away:
    """A database that is away at times."""

    def __init__(self, store: Store) -> None:
        self._tokens = store.refresh_tokens
        self.is_away = True

    def load(self, key: str) -> bytes | None:
        self._check()
        return self._tokens.load(key)

    def save(self, key: str, sealed: bytes) -> None:
        self._check()
        self._tokens.save(key, sealed)

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("MongoDB is away")


def test_without_the_database_it_is_in_memory(
    agave: StandInAgave, section: ReconcileSection, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Away(store)
    process = Process(section, keeper)
    for _ in range(2):
        agave.expire()
        assert process.ask().status == "RUNNING"
    assert "could not be kept" in caplog.text
    assert_hidden(caplog.text, "the log")
    keeper.is_away = False
    agave.expire()
    assert process.ask().status == "RUNNING"
    assert Process(section, keeper).ask().status == "RUNNING"


def test_without_cryptography_it_is_in_memory(
    agave: StandInAgave,
    section: ReconcileSection,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    process = Process(section, store.refresh_tokens)
    for _ in range(2):
        agave.expire()
        assert process.ask().status == "RUNNING"
    assert "cryptography is not installed" in str([record.__dict__ for record in caplog.records])
