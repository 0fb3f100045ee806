"""The newest refresh token outlives its process, and several processes share it."""

import base64
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from bson import json_util
from pymongo.database import Database

from pipelinejobs.job_systems import Answer, Found, from_settings
from pipelinejobs.job_systems.agave import Agave, AgaveClient
from pipelinejobs.job_systems.host import Host, NoAnswer
from pipelinejobs.job_systems.refresh_token import Keeper
from pipelinejobs.settings.reconcile import ReconcileSection
from pipelinejobs.store import Store
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown, Unavailable
from pipelinejobs.util.secret import Secret
from support.canaries import assert_hidden
from support.job_systems import StandInAgave, says

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


class Away:
    """A database that is away at times."""

    def __init__(self, store: Store) -> None:
        self._tokens = store.refresh_tokens
        self.is_away = True

    def load(self, key: str) -> object:
        self._check()
        return self._tokens.load(key)

    def save(self, key: str, sealed: bytes, former: object) -> bool:
        self._check()
        return self._tokens.save(key, sealed, former)

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("MongoDB is away")


class Unconfirmed:
    """A database that writes, and does not confirm it at first."""

    def __init__(self, store: Store) -> None:
        self._tokens = store.refresh_tokens
        self.confirms = False

    def load(self, key: str) -> object:
        return self._tokens.load(key)

    def save(self, key: str, sealed: bytes, former: object) -> bool:
        is_done = self._tokens.save(key, sealed, former)
        if not self.confirms:
            raise OutcomeUnknown("MongoDB did not confirm the write in time")
        return is_done


class Between:
    """A database that lets something happen once, just after a process has read from it."""

    def __init__(self, store: Store) -> None:
        self._tokens = store.refresh_tokens
        self.after_load: Callable[[], object] | None = None

    def load(self, key: str) -> object:
        row = self._tokens.load(key)
        happens, self.after_load = self.after_load, None
        if happens is not None:
            happens()
        return row

    def save(self, key: str, sealed: bytes, former: object) -> bool:
        return self._tokens.save(key, sealed, former)


class Process:
    """One that asks; a new one stands for a restart."""

    def __init__(self, section: ReconcileSection, keeper: Keeper | None) -> None:
        self._systems = from_settings(section, keeper)

    def ask(self) -> Answer:
        return self._systems.ask("agave", JOB, Deadline(60))


@pytest.mark.promise("F23")
def test_a_restart_goes_on_with_the_newest(agave: StandInAgave, section: ReconcileSection, store: Store) -> None:
    for _ in range(3):
        assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


def test_processes_do_not_end_each_others(agave: StandInAgave, section: ReconcileSection, store: Store) -> None:
    both = [Process(section, store.refresh_tokens) for _ in range(2)]
    for _ in range(3):
        for process in both:
            agave.expire()
            assert process.ask().status == "RUNNING"


@pytest.mark.parametrize("life", [None, 3600])
def test_processes_that_renew_at_the_same_moment_break_nothing(
    agave: StandInAgave, section: ReconcileSection, store: Store, life: float | None
) -> None:
    """The one that is refused ends nothing that the other has got and kept."""
    agave.life = life
    Process(section, store.refresh_tokens).ask()
    newest = agave.refresh_token
    agave.expire()
    both = threading.Barrier(2, timeout=60)
    threads = []
    for _ in range(2):
        keeper = Between(store)
        keeper.after_load = both.wait  # both have read the same before one of them renews
        threads.append(threading.Thread(target=Process(section, keeper).ask))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert agave.refresh_token != newest
    for _ in range(2):
        assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


@pytest.mark.promise("F23")
def test_one_that_was_ended_by_another_process_is_replaced_at_once(
    agave: StandInAgave, section: ReconcileSection, store: Store
) -> None:
    between = Between(store)
    loser = Process(section, between)
    between.after_load = lambda: Process(section, store.refresh_tokens).ask()
    assert loser.ask().status == "RUNNING"
    assert len(agave.renewals) == 3  # the winner's, the refused one, and the second attempt


def test_one_that_another_process_keeps_late_is_found_at_the_next_attempt(
    agave: StandInAgave, section: ReconcileSection, store: Store
) -> None:
    configured = section.agave_refresh_token
    assert configured is not None
    key, secret = Secret(agave.client_key), Secret(agave.client_secret)
    loser = AgaveClient(Agave(agave.url), key, secret, configured, store.refresh_tokens)
    host = Host(agave.host, 1000.0)
    keeper = Away(store)
    winner = Process(section, keeper)
    winner.ask()
    with pytest.raises(NoAnswer, match="does not accept"):
        loser.renew(host, Deadline(60))
    keeper.is_away = False
    winner.ask()
    assert loser.renew(host, Deadline(60)).is_new


def test_a_short_process_renews_nothing(agave: StandInAgave, section: ReconcileSection, store: Store) -> None:
    agave.life = 3600
    for _ in range(3):
        assert Process(section, store.refresh_tokens).ask().status == "RUNNING"
    assert len(agave.renewals) == 1


def test_a_process_takes_the_access_token_of_the_one_that_ended_its_own(
    agave: StandInAgave, section: ReconcileSection, store: Store
) -> None:
    agave.life = 3600
    both = [Process(section, store.refresh_tokens) for _ in range(2)]
    for process in both:
        process.ask()
    for _ in range(3):
        agave.expire()
        for process in both:
            assert process.ask().status == "RUNNING"
    assert len(agave.renewals) == 4


def test_a_shared_access_token_that_has_ended_is_renewed_at_once(
    agave: StandInAgave, section: ReconcileSection, store: Store
) -> None:
    agave.life = 3600
    Process(section, store.refresh_tokens).ask()
    agave.expire()
    assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


def test_an_access_token_that_ends_soon_is_not_shared(
    agave: StandInAgave, section: ReconcileSection, store: Store
) -> None:
    agave.life = 59
    for _ in range(2):
        assert Process(section, store.refresh_tokens).ask().status == "RUNNING"
    assert len(agave.renewals) == 2


def test_one_beside_an_unusable_access_token_is_kept(
    agave: StandInAgave, section: ReconcileSection, store: Store
) -> None:
    agave.next_renewals(says(200, {"access_token": 7, "refresh_token": "pj-canary-refresh-next"}))
    assert Process(section, store.refresh_tokens).ask().found is Found.UNANSWERED
    agave.refresh_token = "pj-canary-refresh-next"
    assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


def test_a_new_one_in_the_settings_counts(agave: StandInAgave, section: ReconcileSection, store: Store) -> None:
    Process(section, store.refresh_tokens).ask()
    agave.refresh_token = "pj-canary-refresh-by-hand"
    assert Process(section, store.refresh_tokens).ask().found is Found.UNANSWERED
    section = section._replace(agave_refresh_token=Secret(agave.refresh_token))
    for _ in range(2):
        assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


def test_a_new_one_in_the_settings_of_another_process_stays(
    agave: StandInAgave, section: ReconcileSection, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A process with the former settings that still runs writes nothing over it."""
    agave.rotates = False
    agave.life = 3600
    old = Process(section, store.refresh_tokens)
    old.ask()
    agave.refresh_token = "pj-canary-refresh-by-hand"
    agave.rotates = True
    new = section._replace(agave_refresh_token=Secret(agave.refresh_token))
    assert Process(new, store.refresh_tokens).ask().status == "RUNNING"
    newest, agave.refresh_token = agave.refresh_token, section.agave_refresh_token.reveal()  # type: ignore[union-attr]
    agave.expire()
    assert old.ask().status == "RUNNING"
    assert "another one was configured" in str([record.__dict__ for record in caplog.records])
    agave.refresh_token = newest
    agave.expire()
    assert Process(new, store.refresh_tokens).ask().status == "RUNNING"


@pytest.mark.promise("S27")
def test_the_database_shows_no_secret(
    agave: StandInAgave, section: ReconcileSection, store: Store, database: Database[dict[str, Any]]
) -> None:
    agave.life = 3600
    Process(section, store.refresh_tokens).ask()
    (row,) = database["refresh_tokens"].find()
    assert row["sealed"]
    text = json_util.dumps(row) + row["sealed"].decode()
    text += base64.urlsafe_b64decode(row["sealed"]).decode("latin-1")
    assert_hidden(text, "the database")  # the stand-in has planted all tokens that it gave
    assert agave.refresh_token not in text


@pytest.mark.promise("S27")
@pytest.mark.parametrize("damage", ["another secret", "cut", "of another type"])
def test_what_cannot_be_opened_is_not_used(
    agave: StandInAgave,
    section: ReconcileSection,
    store: Store,
    database: Database[dict[str, Any]],
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
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
    assert "the kept refresh token is not used" in caplog.text
    assert_hidden(caplog.text, "the log")
    assert Process(section, store.refresh_tokens).ask().status == "RUNNING"  # what was damaged has been replaced


@pytest.mark.promise("F23")
@pytest.mark.parametrize("from_when", ["the first look", "the renewal"])
def test_it_is_kept_as_soon_as_the_database_is_back(
    agave: StandInAgave, section: ReconcileSection, store: Store, from_when: str
) -> None:
    """What an operator must not wait for: the next renewal, hours later."""
    keeper = Away(store)
    process = Process(section, keeper)
    if from_when == "the renewal":
        keeper.is_away = False
        process.ask()
        keeper.is_away = True
        agave.expire()
    assert process.ask().status == "RUNNING"
    keeper.is_away = False
    assert process.ask().status == "RUNNING"
    assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


def test_what_was_kept_without_a_confirmation_does_not_replace_a_newer_one(
    agave: StandInAgave, section: ReconcileSection, store: Store
) -> None:
    unsure = Unconfirmed(store)
    process = Process(section, unsure)
    assert process.ask().status == "RUNNING"
    agave.expire()
    assert Process(section, store.refresh_tokens).ask().status == "RUNNING"
    unsure.confirms = True
    assert process.ask().status == "RUNNING"
    agave.expire()
    assert Process(section, store.refresh_tokens).ask().status == "RUNNING"


def test_without_the_database_it_is_in_memory(
    agave: StandInAgave, section: ReconcileSection, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Away(store)
    process = Process(section, keeper)
    for _ in range(2):
        agave.expire()
        assert process.ask().status == "RUNNING"
    assert caplog.text.count("could not be") == 1
    assert "MongoDB is away" in str([record.__dict__ for record in caplog.records])
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
    assert str([record.__dict__ for record in caplog.records]).count("cryptography is not installed") == 1
