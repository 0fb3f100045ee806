"""Asking job systems about jobs: what an answer changes, and that nothing else changes anything."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsm.lifecycle import STATES
from fsm.machine import destination
from pipelinejobs import job_systems
from pipelinejobs.core.tokens import Policy
from pipelinejobs.job_systems import Answer, Found, JobSystems
from pipelinejobs.messages.agave import LEFT_OUT
from pipelinejobs.messages.external import External
from pipelinejobs.messages.statuses import EVENT_OF, event_of
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.service.reconcile import Reconciled, Reconciler, Result
from pipelinejobs.settings.reconcile import ReconcileSection
from pipelinejobs.store import Store, Written
from pipelinejobs.store.quiet_jobs import QuietJob
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown, Unavailable
from support.factories import a_report
from support.job_systems import StandIn, StandInAgave, StandInTapis, error, html, redirect, says, too_many
from support.process import Documents, NewJob, StoredJob, callback

OLD = datetime(2026, 1, 1, tzinfo=UTC)
ID = "1-007"
EXTERNAL = External("agave", ID)


@pytest.fixture
def agave() -> Iterator[StandInAgave]:
    with StandInAgave() as standing_in:
        yield standing_in


@pytest.fixture
def manager(store: Store) -> Manager:
    return Manager(store, Policy(), OutboxRelay(store, None, Backoff()))


@pytest.fixture
def reconciler(store: Store, manager: Manager, agave: StandInAgave) -> Reconciler:
    return made(store, manager, agave)


def made(store: Store, manager: Manager, *standing_in: StandIn) -> Reconciler:
    values: dict[str, Any] = {}
    for one in standing_in:
        values |= {key: value for key, value in one.section()._asdict().items() if value is not None}
    section = ReconcileSection(**(values | {"rate": 1000.0}))
    return Reconciler(store, manager, job_systems.from_settings(section))


def told(manager: Manager, job: StoredJob, name: str, status: str, external: External | None = EXTERNAL) -> str:
    """The verdict on a callback."""
    named = str(external) if external is not None else None
    data: dict[str, Any] = {"status": status}
    if external is not None:
        data |= {"event": {"subject": external.id}} if external.system == "tapis" else {"id": external.id}
    event = a_report(name, status, named, job=job.uuid, token=job.token, data=data)
    return manager.handle(event, "callback").verdict.value


@pytest.fixture
def running(new_job: NewJob, manager: Manager) -> StoredJob:
    """A job that is RUNNING as its job system reported."""
    return begun(new_job, manager)


def begun(new_job: NewJob, manager: Manager, external: External = EXTERNAL) -> StoredJob:
    job = new_job()
    assert told(manager, job, "run", "RUNNING", external) == "applied"
    return job


def reconciled(reconciler: Reconciler, *jobs: StoredJob, dry_run: bool = False) -> list[Reconciled]:
    listed = [QuietJob(job.uuid, (job.stored().get("_external") or {}).get("system"), None) for job in jobs]  # type: ignore[arg-type]
    return list(reconciler.all_at_once(lambda: listed, dry_run=dry_run))


def one(reconciler: Reconciler, job: StoredJob, *, dry_run: bool = False) -> Reconciled:
    (found,) = reconciled(reconciler, job, dry_run=dry_run)
    return found


class TestStatuses:
    @pytest.mark.parametrize(
        ("status", "state"),
        [("FINISHED", "FINISHED"), ("FAILED", "FAILED"), ("KILLED", "FAILED"), ("STOPPED", "FAILED")],
    )
    def test_a_report_that_was_lost_is_applied(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, status: str, state: str
    ) -> None:
        agave.jobs[ID] = status
        found = one(reconciler, running)
        assert (found.result, found.state, found.status) == (Result.MISSED, state, status)
        assert running.state == state
        assert running.last["data"]["learned"] == "asked"
        assert len(running.stored().get("_outbox", [])) == (1 if state == "FINISHED" else 0)

    def test_the_start_that_was_lost_too_is_implied(
        self, reconciler: Reconciler, agave: StandInAgave, job: StoredJob, manager: Manager
    ) -> None:
        assert told(manager, job, "resource", "QUEUED") == "applied"
        agave.jobs[ID] = "FINISHED"
        assert one(reconciler, job).result is Result.MISSED
        assert job.names == ["create", "resource", "run", "finish"]

    @pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "PAUSED", "ARCHIVING"])
    def test_what_is_known_already_writes_nothing(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, status: str
    ) -> None:
        """QUEUED after RUNNING: Agave itself rolls jobs back."""
        before = running.stored()
        agave.jobs[ID] = status
        assert one(reconciler, running).result is Result.KNOWN
        assert running.stored() == before

    def test_asked_again_it_is_known(self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob) -> None:
        agave.jobs[ID] = "FINISHED"
        results = [one(reconciler, running).result for _ in range(3)]
        assert results == [Result.MISSED, Result.KNOWN, Result.KNOWN]
        assert len(running.stored()["_outbox"]) == 1

    def test_a_job_of_tapis(self, store: Store, manager: Manager, new_job: NewJob) -> None:
        job = begun(new_job, manager, External("tapis", ID))
        with StandInTapis() as tapis:
            tapis.jobs[ID] = "CANCELLED"
            assert one(made(store, manager, tapis), job).result is Result.MISSED
        assert job.state == "FAILED"

    def test_a_job_of_aloe_is_asked_about_at_agaves_server(
        self, reconciler: Reconciler, agave: StandInAgave, manager: Manager, new_job: NewJob
    ) -> None:
        job = begun(new_job, manager, External("aloe", ID))
        agave.jobs[ID] = "FINISHED"
        assert one(reconciler, job).result is Result.MISSED

    def test_of_a_former_version_the_external_job_is_found_in_the_history(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, jobs: Documents
    ) -> None:
        jobs.update_one({"uuid": running.uuid}, {"$unset": {"_external": ""}})
        agave.jobs[ID] = "FINISHED"
        assert one(reconciler, running, dry_run=True).result is Result.MISSED
        assert "_external" not in running.stored()
        assert one(reconciler, running).result is Result.MISSED

    @pytest.mark.parametrize("system", ["agave", "aloe"])
    @pytest.mark.parametrize("again", ["", "reset"])
    def test_a_job_of_the_original_manager(
        self, reconciler: Reconciler, agave: StandInAgave, job: StoredJob, jobs: Documents, system: str, again: str
    ) -> None:
        """It stored the callback RUNNING without its links as data of `run`, and nothing under other keys."""
        body = {key: value for key, value in callback(system, "RUNNING").items() if key not in LEFT_OUT}
        written = [("run", body), ("run", {"job_link": "agave://1"}), *([(again, None)] if again else [])]
        history = [
            {"date": OLD, "data": data, "name": name, "uuid": f"10800000-0000-5000-8000-00000000000{place}"}
            for place, (name, data) in enumerate(written)
        ]
        changed = {"state": "RUNNING", "_properties.revision": len(history)}
        jobs.update_one({"uuid": job.uuid}, {"$set": changed, "$push": {"history": {"$each": history}}})
        agave.jobs[body["id"]] = "FINISHED"
        found = one(reconciler, job)
        if again:
            assert (found.result, agave.asked) == (Result.NOT_KNOWN_WHERE, [])
        else:
            assert (found.result, found.system, found.external) == (Result.MISSED, system, body["id"])
            assert job.state == "FINISHED"

    def test_a_job_of_an_earlier_attempt_is_not_asked_about(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, jobs: Documents
    ) -> None:
        reset = {"date": OLD, "data": None, "name": "reset", "uuid": "10800000-0000-5000-8000-000000000001"}
        jobs.update_one({"uuid": running.uuid}, {"$set": {"state": "CREATED"}, "$push": {"history": reset}})
        agave.jobs[ID] = "FINISHED"
        assert one(reconciler, running).result is Result.NOT_KNOWN_WHERE
        assert agave.asked == []


class TestSilence:
    @pytest.mark.parametrize("spelling", ["error", "success"])
    def test_an_unknown_job(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, spelling: str
    ) -> None:
        agave.not_found = spelling
        self.changes_nothing(reconciler, running, Result.UNKNOWN, "404")

    def test_a_job_of_another_user(self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob) -> None:
        agave.forbidden.add(ID)
        self.changes_nothing(reconciler, running, Result.UNKNOWN, "403")

    @pytest.mark.parametrize(
        ("reply", "why"),
        [
            (error(500), "500"),
            (error(503), "503"),
            (too_many(60), "429"),
            (redirect("http://127.0.0.1:9/"), "307"),
            (html, "200"),
            (says(200, {"status": "success", "result": {"status": "NO_SUCH_STATUS"}}), "NO_SUCH_STATUS"),
            (says(200, {"status": "success", "result": {"status": "FINISHED", "id": "another"}}), "another job"),
        ],
    )
    def test_no_usable_answer(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, reply: Any, why: str
    ) -> None:
        agave.jobs[ID] = "FINISHED"
        agave.next(reply)
        self.changes_nothing(reconciler, running, Result.UNANSWERED, why)

    def test_a_token_that_has_expired(self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob) -> None:
        agave.expire()
        self.changes_nothing(reconciler, running, Result.UNANSWERED, "401")

    def changes_nothing(self, reconciler: Reconciler, job: StoredJob, result: Result, why: str) -> None:
        before = job.stored()
        found = one(reconciler, job)
        assert (found.result, found.state, found.status) == (result, "RUNNING", None)
        assert why in found.reason
        assert job.stored() == before

    def test_no_report_has_named_the_external_job(
        self, reconciler: Reconciler, agave: StandInAgave, job: StoredJob, manager: Manager
    ) -> None:
        assert told(manager, job, "run", "RUNNING", None) == "applied"
        found = one(reconciler, job)
        assert (found.result, found.system, found.external) == (Result.NOT_KNOWN_WHERE, None, None)
        assert "create --external" in found.reason
        assert agave.received == []

    def test_no_server_of_its_job_system_is_configured(
        self, reconciler: Reconciler, agave: StandInAgave, manager: Manager, new_job: NewJob
    ) -> None:
        found = one(reconciler, begun(new_job, manager, External("tapis", ID)))
        assert (found.result, found.system, found.external) == (Result.NOT_KNOWN_WHERE, "tapis", ID)
        assert "no server of tapis is configured" in found.reason
        assert agave.received == []

    @pytest.mark.promise("S26")
    def test_an_id_that_the_job_system_cannot_have_given(
        self, reconciler: Reconciler, agave: StandInAgave, manager: Manager, new_job: NewJob
    ) -> None:
        """Asking again would not help, so it is not `unanswered`."""
        found = one(reconciler, begun(new_job, manager, External("agave", "../token")))
        assert (found.result, found.system, found.external) == (Result.NOT_KNOWN_WHERE, "agave", "../token")
        assert "is not an id of a job of Agave" in found.reason
        assert agave.received == []


class Said(JobSystems):
    """Job systems that give the same answer to every question."""

    def __init__(self, answer: Answer) -> None:
        super().__init__({})
        self.answer = answer

    @property
    def names(self) -> frozenset[str]:
        return frozenset({"agave"})

    def server_of(self, system: str) -> str | None:
        return system if system in self.names else None

    def unaskable(self, system: str, id: str) -> str | None:  # noqa: A002
        return None

    def ask(self, system: str, id: str, deadline: Deadline) -> Answer:  # noqa: A002
        return self.answer


_ANSWERS = st.one_of(
    st.builds(Answer, st.just(Found.STATUS), st.sampled_from(sorted(EVENT_OF)), st.just({}), st.just("said")),
    st.builds(Answer, st.sampled_from([Found.UNKNOWN, Found.UNANSWERED]), st.none(), st.just({}), st.text(max_size=20)),
)


@pytest.mark.promise("P13")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=_ANSWERS, state=st.sampled_from(sorted(STATES)))
def test_only_a_status_that_leads_on_changes_a_job(
    store: Store, manager: Manager, new_job: NewJob, answer: Answer, state: str
) -> None:
    """Silence, 404 and errors never change a job, in whatever state; a status does only what its report would."""
    job = new_job(state=state, _external={"system": "agave", "id": ID}, _life="")
    document = job.stored()
    life = document["history"][0]["uuid"]
    own = {"_life": life, "_external": {"system": "agave", "id": ID, "attempt": life}}
    job.jobs.update_one({"uuid": job.uuid}, {"$set": own})
    before = job.stored()
    found = one(Reconciler(store, manager, Said(answer)), job)
    name = event_of(answer.status)
    after = destination(state, name) or (destination("RUNNING", name) if state == "CREATED" else None)
    if answer.found is Found.STATUS and after not in (None, state):
        assert (found.result, job.state) == (Result.MISSED, after)
    else:
        assert found.result.value == ("known" if answer.found is Found.STATUS else answer.found.value)
        assert job.stored() == before


class TestWhatIsStored:
    def test_the_newest_question(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, store: Store
    ) -> None:
        def row() -> Any:
            job = store.jobs.load(running.uuid)
            assert job is not None
            return store.asked.of(job)

        agave.jobs[ID] = "RUNNING"
        one(reconciler, running)
        assert row()[1:5] == ("agave", ID, "known", "RUNNING")
        agave.next(error(500), error(500))
        one(reconciler, running)
        one(reconciler, running)
        assert (row().result, row().unanswered, row().status) == ("unanswered", 2, None)
        assert "500" in row().why

    def test_a_dry_run_writes_nothing(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, database: Any
    ) -> None:
        before = running.stored()
        collections = set(database.list_collection_names())
        for status, result in (("FINISHED", Result.MISSED), ("RUNNING", Result.KNOWN)):
            agave.jobs[ID] = status
            found = one(reconciler, running, dry_run=True)
            assert (found.result, found.state, found.status, found.outcome) == (result, "RUNNING", status, None)
        assert running.stored() == before
        assert set(database.list_collection_names()) == collections

    def test_a_question_whose_result_cannot_be_stored_has_it_all_the_same(
        self,
        reconciler: Reconciler,
        agave: StandInAgave,
        running: StoredJob,
        store: Store,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fails(*_: Any, **__: Any) -> None:
            raise Unavailable

        monkeypatch.setattr(store.asked, "note", fails)
        agave.jobs[ID] = "FINISHED"
        assert one(reconciler, running).result is Result.MISSED


class TestRaces:
    """With the callback that was late, and not lost."""

    def test_it_comes_after(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, manager: Manager
    ) -> None:
        agave.jobs[ID] = "FINISHED"
        assert one(reconciler, running).result is Result.MISSED
        assert told(manager, running, "finish", "FINISHED") == "duplicate"
        assert running.names == ["create", "run", "finish"]
        assert len(running.stored()["_outbox"]) == 1

    def test_it_comes_between_question_and_answer(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, manager: Manager
    ) -> None:
        agave.jobs[ID] = "FINISHED"
        verdicts: list[str] = []
        agave.before_answer = lambda _: verdicts.append(told(manager, running, "finish", "FINISHED"))
        found = one(reconciler, running)
        assert verdicts == ["applied"]
        assert (found.result, found.state) == (Result.KNOWN, "FINISHED")
        assert running.names == ["create", "run", "finish"]
        assert len(running.stored()["_outbox"]) == 1

    def test_it_comes_between_answer_and_write(
        self,
        reconciler: Reconciler,
        agave: StandInAgave,
        running: StoredJob,
        manager: Manager,
        store: Store,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        agave.jobs[ID] = "FINISHED"
        apply, verdicts = store.jobs.apply, list[str]()

        def late(writes: Any) -> list[Written]:
            monkeypatch.setattr(store.jobs, "apply", apply)
            verdicts.append(told(manager, running, "finish", "FINISHED"))
            return apply(writes)

        monkeypatch.setattr(store.jobs, "apply", late)
        assert one(reconciler, running).result is Result.KNOWN
        assert verdicts == ["applied"]
        assert len(running.stored()["_outbox"]) == 1

    def test_another_end_comes_between(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, manager: Manager
    ) -> None:
        agave.jobs[ID] = "FINISHED"
        agave.before_answer = lambda _: (told(manager, running, "fail", "FAILED"), None)[1]
        assert one(reconciler, running).result is Result.KNOWN
        assert running.state == "FAILED"

    def test_two_ask_at_once(self, store: Store, manager: Manager, agave: StandInAgave, running: StoredJob) -> None:
        """An operator's command beside a gateway: one of them applies the report."""
        agave.jobs[ID] = "FINISHED"
        both = threading.Barrier(2)
        agave.before_answer = lambda _: (both.wait(30), None)[1]
        found: list[Reconciled] = []

        def ask() -> None:
            found.append(one(made(store, manager, agave), running))

        asking = [threading.Thread(target=ask) for _ in range(2)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        assert sorted(each.result.value for each in found) == ["known", "missed"]
        assert running.names == ["create", "run", "finish"]
        assert len(running.stored()["_outbox"]) == 1

    def test_the_job_is_deleted_meanwhile(
        self, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, jobs: Documents
    ) -> None:
        agave.jobs[ID] = "FINISHED"
        agave.before_answer = lambda _: (jobs.delete_one({"uuid": running.uuid}), None)[1]
        assert one(reconciler, running).result is Result.KNOWN
        assert jobs.find_one({"uuid": running.uuid}) is None


class TestDatabase:
    def test_it_is_away_when_the_answer_is_written(
        self,
        store: Store,
        manager: Manager,
        agave: StandInAgave,
        running: StoredJob,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        agave.jobs[ID] = "FINISHED"
        hasty = Reconciler(store, manager, job_systems.from_settings(agave.section(rate=1000)), database_seconds=0.2)
        with monkeypatch.context() as away:
            away.setattr(store.jobs, "apply", self.unavailable)
            with pytest.raises(Unavailable):
                one(hasty, running)
        assert running.state == "RUNNING"
        assert one(hasty, running).result is Result.MISSED

    def test_the_confirmation_of_the_write_is_lost(
        self,
        reconciler: Reconciler,
        agave: StandInAgave,
        running: StoredJob,
        store: Store,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The report is counted as missed all the same, once."""
        agave.jobs[ID] = "FINISHED"
        apply = store.jobs.apply

        def unconfirmed(writes: Any) -> Any:
            monkeypatch.setattr(store.jobs, "apply", apply)
            apply(writes)
            raise OutcomeUnknown

        monkeypatch.setattr(store.jobs, "apply", unconfirmed)
        assert one(reconciler, running).result is Result.MISSED
        assert one(reconciler, running).result is Result.KNOWN
        assert running.names == ["create", "run", "finish"]

    def unavailable(self, _: Any) -> Any:
        raise OutcomeUnknown

    def test_a_defect_at_one_job_does_not_keep_the_others_waiting(
        self,
        reconciler: Reconciler,
        agave: StandInAgave,
        new_job: NewJob,
        manager: Manager,
        store: Store,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        odd, sound = (begun(new_job, manager, External("agave", str(n))) for n in range(2))
        agave.jobs["1"] = "FINISHED"
        load: Callable[[str], Any] = store.jobs.load

        def broken(uuid: str) -> Any:
            if uuid == odd.uuid:
                raise ValueError("a value that nobody expected")
            return load(uuid)

        monkeypatch.setattr(store.jobs, "load", broken)
        found = reconciled(reconciler, odd, sound)
        assert [(each.job, each.result) for each in found] == [(sound.uuid, Result.MISSED)]
        assert "could not be reconciled; this is a defect" in caplog.text


def test_a_server_that_hangs_does_not_hold_up_the_other(
    store: Store, manager: Manager, agave: StandInAgave, new_job: NewJob
) -> None:
    """The answer of Agave is held back until the jobs of Tapis are done."""
    done = threading.Event()
    agave.jobs[ID] = "FINISHED"
    agave.before_answer = lambda _: (done.wait(30), None)[1]
    held = begun(new_job, manager)
    others = [begun(new_job, manager, External("tapis", str(n))) for n in range(5)]
    with StandInTapis() as tapis:
        tapis.jobs = {str(n): "FAILED" for n in range(5)}
        listed = [QuietJob(held.uuid, "agave", None)] + [QuietJob(job.uuid, "tapis", None) for job in others]  # type: ignore[arg-type]
        order = []
        for each in made(store, manager, agave, tapis).all_at_once(lambda: listed):
            order.append(each.system)
            if len(order) == 5:
                done.set()
    assert order == ["tapis"] * 5 + ["agave"]


def test_each_job_is_asked_about_once(store: Store, manager: Manager, agave: StandInAgave, new_job: NewJob) -> None:
    """Whichever servers there are, and whether or not it is known where the job runs."""
    where = [EXTERNAL, External("aloe", "2"), External("tapis", "3"), External("other", "4")]
    made_jobs = [begun(new_job, manager, external) for external in where] + [new_job()]
    former = begun(new_job, manager, External("tapis", "5"))
    former.jobs.update_one({"uuid": former.uuid}, {"$unset": {"_external": ""}})
    with StandInTapis() as tapis:
        found = reconciled(made(store, manager, agave, tapis), *made_jobs, former)
        assert sorted(each.job for each in found) == sorted(job.uuid for job in [*made_jobs, former])
        assert sorted(agave.asked + tapis.asked) == [ID, "2", "3", "5"]
    assert [each.result for each in found].count(Result.NOT_KNOWN_WHERE) == 2


def test_quiet_jobs_of_the_store(
    store: Store, reconciler: Reconciler, agave: StandInAgave, running: StoredJob, jobs: Documents
) -> None:
    agave.jobs[ID] = "FINISHED"
    jobs.update_one({"uuid": running.uuid}, {"$set": {"updated": OLD}})
    since = OLD + timedelta(days=1)
    found = list(reconciler.all_at_once(lambda: store.quiet_jobs.all(since)))
    assert [(each.job, each.result) for each in found] == [(running.uuid, Result.MISSED)]
    assert list(reconciler.all_at_once(lambda: store.quiet_jobs.all(since))) == []
