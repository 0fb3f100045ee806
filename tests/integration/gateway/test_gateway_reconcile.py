"""The gateway asks job systems about quiet jobs: in rounds, one gateway at a time, until it is stopped."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.gateway.tasks import job_asker
from pipelinejobs.gateway.tasks.job_asker import JobAsker
from pipelinejobs.service.reconcile import QUESTION_SECONDS, Reconciled, Reconciler
from pipelinejobs.settings import Settings
from pipelinejobs.store import Store
from support.gateway import Gateway, eventually, serving, settings
from support.job_systems import StandInAgave, StandInTapis, error, too_many
from support.process import NewJob, StoredJob
from tools.demo.indexer import Indexer

pytestmark = pytest.mark.promise("P13")

OLD = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def agave() -> Iterator[StandInAgave]:
    with StandInAgave() as standing_in:
        yield standing_in


def quiet(new_job: NewJob, external: str, system: str = "agave", updated: datetime = OLD) -> StoredJob:
    """A job that has been RUNNING there for long."""
    job = new_job(state="RUNNING", updated=updated)
    life = job.stored()["history"][0]["uuid"]
    run = {"date": OLD, "data": None, "name": "run", "uuid": "10800000-0000-5000-8000-000000000001"}
    own = {"_life": life, "_external": {"system": system, "id": external, "attempt": life}, "last_event": "run"}
    job.jobs.update_one({"uuid": job.uuid}, {"$set": {**own, "_properties.revision": 1}, "$push": {"history": run}})
    return job


def asking(uri: str, database: str, *systems: StandInAgave | StandInTapis, **more: str) -> Settings:
    """The settings of a gateway that asks these job systems all the time."""
    named = {}
    for system in systems:
        for name, value in system.environment(rate=1000, every="0.2").items():
            named[name.removeprefix("_REACTOR_").lower().replace("reconcile_", "reconcile__", 1)] = value
    return settings(uri, database, **named, **more)


@contextmanager
def gateway_of(uri: str, database: Database[Any], *systems: Any, **more: str) -> Iterator[Gateway]:
    with serving(asking(uri, database.name, *systems, **more)) as running:
        yield running


def counted(gateway: Gateway, result: str, system: str = "agave") -> float:
    wanted = f'pipelinejobs_reconciled_total{{result="{result}",system="{system}"}} '
    lines = gateway.client.get("/metrics").text.splitlines()
    return next(float(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))


def test_a_report_that_was_lost(
    mongodb_uri: str,
    database: Database[Any],
    agave: StandInAgave,
    new_job: NewJob,
    indexer: Indexer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is applied, told to the Indexer, counted, logged, and seen by the change feed, as one that was delivered."""
    job, began = quiet(new_job, "1-007"), datetime.now(UTC) - timedelta(seconds=5)
    agave.jobs["1-007"] = "FINISHED"
    with gateway_of(mongodb_uri, database, agave, pipelines__job_indexer_url=indexer.url) as gateway:
        eventually(lambda: job.stored().get("_outbox") == [])
        (change,) = gateway.parts.store.changes.since(began, 10)
        assert (change["uuid"], change["state"]) == (job.uuid, "FINISHED")
        assert counted(gateway, "missed") == 1
        assert counted(gateway, "unknown") == 0
        explained = gateway.ask("GET", f"/jobs/{job.uuid}/explain", "READ").json()["result"]
        assert gateway.post(job.event("update")).json()["result"]["verdict"] == "illegal", "it is FINISHED"
    assert [request.body["message"]["uuid"] for request in indexer.received] == [job.uuid]
    assert explained["asked"]["result"] == "missed"
    assert explained["because"]["data"]["learned"] == "asked"
    (line,) = [record for record in caplog.records if "lost on its way" in record.message]
    assert line.levelname == "WARNING"
    fields = line.fields  # type: ignore[attr-defined]
    assert [fields[name] for name in ("job", "system", "external", "status", "state")] == [
        job.uuid,
        "agave",
        "1-007",
        "FINISHED",
        "FINISHED",
    ]


def test_the_rows_of_jobs_that_are_asked_about(
    mongodb_uri: str, database: Database[Any], agave: StandInAgave, new_job: NewJob, caplog: pytest.LogCaptureFixture
) -> None:
    known, gone, hidden = (quiet(new_job, n) for n in ("1", "2", "3"))
    hidden.jobs.update_one({"uuid": hidden.uuid}, {"$set": {"_visible": False}})
    quiet(new_job, "4", updated=datetime.now(UTC))
    nameless = quiet(new_job, "5")
    nameless.jobs.update_one({"uuid": nameless.uuid}, {"$unset": {"_external": ""}})
    agave.jobs = {"1": "RUNNING", "3": "FINISHED", "4": "FINISHED"}
    with gateway_of(mongodb_uri, database, agave) as gateway:
        eventually(lambda: counted(gateway, "known") >= 2, 30)
        assert counted(gateway, "unknown") >= 1
        assert counted(gateway, "not_known_where", "none") >= 1
    assert set(agave.asked) == {"1", "2"}
    rows = {row["_id"]: row["result"] for row in database["jobs_asked"].find({"result": {"$exists": True}})}
    assert rows == {known.uuid: "known", gone.uuid: "unknown"}
    assert not [record for record in caplog.records if known.uuid in str(getattr(record, "fields", ""))]


def test_off_where_no_server_is_configured(
    mongodb_uri: str, database: Database[Any], new_job: NewJob, caplog: pytest.LogCaptureFixture
) -> None:
    quiet(new_job, "1")
    with caplog.at_level("INFO", logger="pipelinejobs"), serving(settings(mongodb_uri, database.name)):
        pass
    assert [record.message for record in caplog.records if "no job system is asked" in record.message] != []
    assert database["jobs_asked"].count_documents({}) == 0


class TestTwoGateways:
    def test_one_of_them_asks(
        self, mongodb_uri: str, database: Database[Any], agave: StandInAgave, new_job: NewJob
    ) -> None:
        for n in range(10):
            quiet(new_job, str(n))
            agave.jobs[str(n)] = "RUNNING"
        at_once, most, lock = 0, 0, threading.Lock()

        def count(_: str) -> None:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.002)
            with lock:
                at_once -= 1

        agave.before_answer = count
        with gateway_of(mongodb_uri, database, agave), gateway_of(mongodb_uri, database, agave):
            eventually(lambda: len(agave.asked) >= 50, 60)
        assert most == 1
        rounds = [agave.asked[n : n + 10] for n in range(0, 50, 10)]
        assert all(set(one) == {str(n) for n in range(10)} for one in rounds), "no job twice in one round"

    def test_the_other_goes_on_when_one_stops(
        self, mongodb_uri: str, database: Database[Any], agave: StandInAgave, new_job: NewJob
    ) -> None:
        quiet(new_job, "1")
        agave.jobs["1"] = "RUNNING"
        with gateway_of(mongodb_uri, database, agave):
            with gateway_of(mongodb_uri, database, agave):
                eventually(lambda: len(agave.asked) >= 3)
            before = len(agave.asked)
            eventually(lambda: len(agave.asked) >= before + 3)

    def test_the_other_goes_on_when_one_has_died(
        self,
        mongodb_uri: str,
        database: Database[Any],
        store: Store,
        agave: StandInAgave,
        new_job: NewJob,
    ) -> None:
        job = quiet(new_job, "1")
        agave.jobs["1"] = "FINISHED"
        assert store.asked.begin("agave", "a gateway that died", 2.0) is not None
        with gateway_of(mongodb_uri, database, agave):
            eventually(lambda: job.state == "FINISHED", 30)
        (found,) = store.asked.rounds()
        assert "died" not in found.holder


def test_a_server_that_fails_does_not_hold_up_the_other(
    mongodb_uri: str, database: Database[Any], agave: StandInAgave, new_job: NewJob
) -> None:
    held = [quiet(new_job, str(n)) for n in range(3)]
    others = [quiet(new_job, f"t{n}", "tapis") for n in range(10)]
    over = threading.Event()
    agave.before_answer = lambda _: (over.wait(60), None)[1]
    with StandInTapis() as tapis:
        tapis.jobs = {f"t{n}": "FINISHED" for n in range(10)}
        with gateway_of(mongodb_uri, database, agave, tapis):
            eventually(lambda: all(job.state == "FINISHED" for job in others), 30)
            over.set()
    assert {job.state for job in held} == {"RUNNING"}


def test_when_the_circuit_is_open_the_next_round_begins_where_this_one_ended(
    mongodb_uri: str, database: Database[Any], store: Store, agave: StandInAgave, new_job: NewJob
) -> None:
    """Else jobs at which the job system fails would keep it from being asked about any other for ever."""
    names = [str(n) for n in range(8)]
    for n in names:
        quiet(new_job, n, updated=OLD.replace(day=int(n) + 1))
    agave.always(error(500))
    with gateway_of(mongodb_uri, database, agave):
        eventually(lambda: store.asked.rounds() and store.asked.rounds()[0].ended)
    failed = len(agave.asked)
    assert 0 < failed < 8, "after some failures in a row the circuit is open"
    assert agave.asked == names[:failed]
    agave.always(None)
    agave.jobs = dict.fromkeys(names, "RUNNING")
    with gateway_of(mongodb_uri, database, agave):
        eventually(lambda: len(agave.asked) >= failed + 8)
    assert agave.asked[failed : failed + 8] == names[failed:] + names[:failed]


@pytest.mark.promise("F22")
def test_a_pause_costs_a_round_no_more_than_its_length(
    reconciler_of: "Made", store: Store, agave: StandInAgave, new_job: NewJob
) -> None:
    """The next round may be due much later. Meanwhile the lease keeps the other gateways from asking."""
    names = [str(n) for n in range(4)]
    for n in names:
        quiet(new_job, n, updated=OLD.replace(day=int(n) + 1))
        agave.jobs[n] = "RUNNING"
    agave.next(too_many(1))
    told: list[Reconciled] = []
    asker = JobAsker(
        reconciler_of(agave), store.asked, store.quiet_jobs, every=3600, after=1, tell=told.append, lease=0.0
    )
    asker._look("agave")
    assert agave.asked == names
    assert [one.result.value for one in told] == ["unanswered", "known", "known", "known"]
    (found,) = store.asked.rounds()
    assert (found.ended is not None, found.behind) == (True, None)


def test_it_stops_while_it_waits(reconciler_of: "Made", store: Store, agave: StandInAgave, new_job: NewJob) -> None:
    for n in range(4):
        quiet(new_job, str(n))
    agave.always(too_many(3600))
    asker = JobAsker(reconciler_of(agave), store.asked, store.quiet_jobs, every=3600, after=1, tell=lambda _: None)
    looking = threading.Thread(target=asker._look, args=("agave",))
    looking.start()
    eventually(lambda: agave.asked)
    asker.stop()
    looking.join(60)
    assert not looking.is_alive()
    assert len(agave.asked) == 1
    begun = store.asked.begin("agave", "the other", 60)
    assert begun is not None
    assert begun.behind is not None


def test_it_stops_between_two_jobs(
    mongodb_uri: str, database: Database[Any], store: Store, agave: StandInAgave, new_job: NewJob
) -> None:
    """However many there are; the other gateway goes on with the next one at once."""
    for n in range(50):
        quiet(new_job, str(n))
        agave.jobs[str(n)] = "RUNNING"
    asked, goes_on = threading.Event(), threading.Event()

    def hold(_: str) -> None:
        asked.set()
        goes_on.wait(60)

    agave.before_answer = hold
    with gateway_of(mongodb_uri, database, agave) as gateway:
        assert asked.wait(60)
        gateway.parts._asker.stop()  # type: ignore[union-attr]
        goes_on.set()
    assert len(agave.asked) == 1
    begun = store.asked.begin("agave", "the other", 60)
    assert begun is not None
    assert begun.ended is None
    assert begun.behind is not None


@pytest.mark.parametrize(("lease", "renewals"), [(0.0, 8), (3600.0, 0)])
def test_the_lease_is_renewed_while_it_asks(
    reconciler_of: "Made",
    store: Store,
    agave: StandInAgave,
    new_job: NewJob,
    monkeypatch: pytest.MonkeyPatch,
    lease: float,
    renewals: int,
) -> None:
    """When a third of it is over: so a round that takes longer than a lease lasts stays with its gateway."""
    for n in range(8):
        quiet(new_job, str(n))
        agave.jobs[str(n)] = "RUNNING"
    renew, renewed = store.asked.renew, list[bool]()

    def counting(*arguments: Any) -> bool:
        renewed.append(renew(*arguments))
        return renewed[-1]

    monkeypatch.setattr(store.asked, "renew", counting)
    told: list[Reconciled] = []
    asker = JobAsker(
        reconciler_of(agave), store.asked, store.quiet_jobs, every=3600, after=1, tell=told.append, lease=lease
    )
    asker._look("agave")
    assert (renewed, len(told)) == ([True] * renewals, 8)


def test_a_gateway_that_lost_its_lease_asks_no_more(
    reconciler_of: "Made", store: Store, agave: StandInAgave, new_job: NewJob, database: Database[Any]
) -> None:
    """Because it was suspended for longer than the lease lasts, for example."""
    for n in range(8):
        quiet(new_job, str(n))
        agave.jobs[str(n)] = "RUNNING"

    def lose(_: str) -> None:
        database["jobs_asked"].update_one({"_id": "round agave"}, {"$set": {"holder": "another"}})

    agave.before_answer = lose
    told: list[Reconciled] = []
    asker = JobAsker(
        reconciler_of(agave), store.asked, store.quiet_jobs, every=3600, after=1, tell=told.append, lease=0.0
    )
    asker._look("agave")
    assert len(agave.asked) == 1
    (found,) = store.asked.rounds()
    assert (found.holder, found.ended) == ("another", None)


def test_the_database_is_away_for_a_while(
    reconciler_of: "Made",
    store: Store,
    agave: StandInAgave,
    new_job: NewJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The round ends, nothing is counted, and the next one asks again."""
    from pipelinejobs.util.errors import Unavailable

    job = quiet(new_job, "1")
    agave.jobs["1"] = "FINISHED"
    told: list[Reconciled] = []
    reconciler = reconciler_of(agave, database_seconds=0.2)
    asker = JobAsker(reconciler, store.asked, store.quiet_jobs, every=3600, after=1, tell=told.append)

    def away(_: Any) -> Any:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(store.jobs, "apply", away)
        with pytest.raises(Unavailable):
            asker._look("agave")
    assert told == []
    assert job.state == "RUNNING"
    asker._look("agave")
    assert [one.result.value for one in told] == ["missed"]
    assert agave.asked == ["1", "1"]


class Made:
    """Makes reconcilers over the test's database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, *systems: StandInAgave, **more: Any) -> Reconciler:
        from pipelinejobs import job_systems
        from pipelinejobs.core.tokens import Policy
        from pipelinejobs.service.manager import Manager
        from pipelinejobs.service.outbox_relay import OutboxRelay
        from pipelinejobs.util.backoff import Backoff

        (system,) = systems
        manager = Manager(self._store, Policy(), OutboxRelay(self._store, None, Backoff()))
        return Reconciler(self._store, manager, job_systems.from_settings(system.section(rate=1000)), **more)


@pytest.fixture
def reconciler_of(store: Store) -> Made:
    return Made(store)


def test_no_pause_is_longer_than_the_lease() -> None:
    """So a dead gateway's work is taken over soon after its lease has ended."""
    assert job_asker._LOOK_SECONDS < job_asker.LEASE_SECONDS
    assert QUESTION_SECONDS < job_asker.LEASE_SECONDS * 2 / 3


def test_jobs_are_left_alone_by_questions(
    mongodb_uri: str, database: Database[Any], agave: StandInAgave, new_job: NewJob
) -> None:
    job = quiet(new_job, "1")
    before = job.stored()
    agave.jobs["1"] = "RUNNING"
    with gateway_of(mongodb_uri, database, agave) as gateway:
        eventually(lambda: counted(gateway, "known") >= 2)
    after = job.stored()
    assert {**after, "_tokens": None} == {**before, "_tokens": None}
