"""Reports that were asked for: what they change, and what the callbacks that come later are then."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.collection import Collection

from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.tokens import Policy
from pipelinejobs.messages import asked
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.external import External
from pipelinejobs.service.external_job import external_job
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.store import Store, history
from pipelinejobs.util.backoff import Backoff
from support.factories import UUID, a_command, a_report, catalogued

Jobs = Collection[dict[str, Any]]
JOB = External("agave", "1-007")
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def manager(store: Store, jobs: Jobs) -> Manager:
    jobs.insert_one(catalogued("job-created.json"))
    return Manager(store, Policy(), OutboxRelay(store, None, Backoff()))


def answer(status: str, external: External = JOB) -> Event:
    return asked.report(UUID, external, status, {}, AT)


def ask(manager: Manager, status: str, external: External = JOB) -> Outcome:
    return manager.asked(answer(status, external), "asking")


def tell(manager: Manager, status: str, name: str, external: str | None = "agave:1-007") -> str:
    event = a_report(name, status, external, data={"id": "1-007", "status": status})
    return manager.handle(event, "telling").verdict.value


def names(jobs: Jobs) -> list[str]:
    return [entry["name"] for entry in jobs.find_one({})["history"]]  # type: ignore[index]


def test_a_lost_end_is_applied_without_a_token_and_owes_one_index_request(manager: Manager, jobs: Jobs) -> None:
    tell(manager, "RUNNING", "run")
    outcome = ask(manager, "FINISHED")
    assert (outcome.verdict.value, outcome.state, outcome.refusal) == ("applied", "FINISHED", None)
    assert names(jobs) == ["create", "run", "finish"]
    assert tell(manager, "FINISHED", "finish") == "duplicate"
    assert names(jobs) == ["create", "run", "finish"]
    assert len(jobs.find_one({})["_outbox"]) == 1  # type: ignore[index]


def test_the_run_that_was_lost_too_is_implied(manager: Manager, jobs: Jobs) -> None:
    assert ask(manager, "FINISHED").verdict.value == "applied"
    assert names(jobs) == ["create", "run", "finish"]
    assert tell(manager, "FINISHED", "finish") == "duplicate"
    assert tell(manager, "RUNNING", "run") == "stale"


def test_a_callback_that_came_first_leaves_nothing_to_say(manager: Manager, jobs: Jobs) -> None:
    for status, name in (("RUNNING", "run"), ("FINISHED", "finish")):
        assert tell(manager, status, name) == "applied"
        before = jobs.find_one({})
        assert ask(manager, status).verdict.value == "stale"
        assert jobs.find_one({}) == before


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "PAUSED", "HEARTBEAT", "CLEANING_UP"])
def test_what_does_not_change_the_state_writes_nothing(manager: Manager, jobs: Jobs, store: Store, status: str) -> None:
    tell(manager, "RUNNING", "run")
    before = jobs.find_one({})
    outcome = ask(manager, status)
    assert outcome.verdict.value == "stale"
    assert status in outcome.reason
    assert jobs.find_one({}) == before
    assert not list(store.refused.of(UUID))


def test_the_same_answer_twice_is_one_event(manager: Manager, jobs: Jobs) -> None:
    assert ask(manager, "RUNNING").verdict.value == "applied"
    before = jobs.find_one({})
    assert ask(manager, "RUNNING").verdict.value in ("duplicate", "stale")
    assert jobs.find_one({}) == before


def test_answers_about_an_earlier_attempt_are_stale(manager: Manager, jobs: Jobs) -> None:
    tell(manager, "RUNNING", "run")
    reset = {"date": AT, "data": None, "name": "reset", "uuid": "10800000-0000-5000-8000-000000000001"}
    jobs.update_one({}, {"$set": {"state": "CREATED"}, "$push": {"history": reset}})
    before = jobs.find_one({})
    assert ask(manager, "FINISHED").verdict.value == "stale"
    assert jobs.find_one({}) == before
    assert ask(manager, "RUNNING", External("agave", "2-007")).verdict.value == "applied"


def test_a_callback_beside_the_answer_is_one_event(manager: Manager, store: Store, jobs: Jobs) -> None:
    """The callback was decided on before the answer was written: the guard of its write sees the answer."""
    tell(manager, "RUNNING", "run")
    apply, written = store.jobs.apply, list[bool]()

    def late(writes: Any) -> Any:
        if not written:
            written.append(True)
            assert ask(manager, "FINISHED").verdict.value == "applied"
            jobs.update_one({}, {"$set": {"state": "RUNNING"}, "$inc": {"_properties.revision": -1}})
        return apply(writes)

    store.jobs.apply = late  # type: ignore[method-assign]
    tell(manager, "FINISHED", "finish")
    assert names(jobs) == ["create", "run", "finish"]


def test_an_answer_whose_entry_has_moved_is_still_known(jobs: Jobs, database: Any) -> None:
    store = Store(database, history_limits=history.HistoryLimits(entries=4))
    jobs.insert_one(catalogued("job-created.json"))
    manager = Manager(store, Policy(), OutboxRelay(store, None, Backoff()))
    ask(manager, "RUNNING")
    for number in range(8):
        manager.handle(a_command("update", id=f"execution:{number}"), f"{number}")
    assert "run" not in names(jobs)
    assert tell(manager, "RUNNING", "run") == "duplicate"


class TestWhichExternalJob:
    def test_the_first_report_names_it(self, manager: Manager, store: Store) -> None:
        assert external_job(store, loaded(store)) is None
        tell(manager, "QUEUED", "resource")
        assert loaded(store).external == JOB
        tell(manager, "PENDING", "resource", "agave:2-007")
        tell(manager, "RUNNING", "run")
        assert loaded(store).external == External("agave", "2-007")

    def test_a_submitter_names_it(self, manager: Manager, store: Store, jobs: Jobs) -> None:
        event = a_command("resource", data={"job_system": {"system": "tapis", "id": "x"}})
        assert manager.handle(event, "e").verdict.value == "applied"
        assert loaded(store).external == External("tapis", "x")
        reset = {"date": AT, "data": None, "name": "reset", "uuid": "10800000-0000-5000-8000-000000000001"}
        jobs.update_one({}, {"$push": {"history": reset}})
        assert loaded(store).external is None
        assert tell(manager, "RUNNING", "run", "tapis:x") == "stale"
        assert manager.handle(event._replace(id="execution:2"), "e").verdict.value == "illegal"

    def test_it_is_found_in_the_history_of_older_jobs(self, manager: Manager, store: Store, jobs: Jobs) -> None:
        tell(manager, "RUNNING", "run")
        jobs.update_one({}, {"$unset": {"_external": ""}})
        assert external_job(store, loaded(store), remember=False) == JOB
        assert loaded(store).external is None
        assert external_job(store, loaded(store)) == JOB
        assert loaded(store).external == JOB

    def test_it_is_found_in_a_tapis_notification(self, manager: Manager, store: Store, jobs: Jobs) -> None:
        data = {"event": {"subject": "t-007"}, "id": "agave-like"}
        manager.handle(a_report("run", "RUNNING", "tapis:t-007", data=data), "e")
        jobs.update_one({}, {"$unset": {"_external": ""}})
        assert external_job(store, loaded(store)) == External("tapis", "t-007")

    def test_a_later_report_names_it_for_older_jobs(self, manager: Manager, store: Store, jobs: Jobs) -> None:
        tell(manager, "RUNNING", "run")
        jobs.update_one({}, {"$unset": {"_external": ""}})
        tell(manager, "CLEANING_UP", "resource")
        assert loaded(store).external == JOB

    def test_a_name_that_is_too_long_is_bound_and_not_kept(self, manager: Manager, store: Store, jobs: Jobs) -> None:
        assert tell(manager, "RUNNING", "run", "agave:" + "1" * 300) == "applied"
        assert loaded(store).external is None
        assert len(loaded(store).externals) == 1

    @pytest.mark.parametrize("row", [1, {}, {"system": 1, "id": [], "attempt": 2}, {"system": "a", "id": "b"}])
    def test_what_others_stored_there_is_no_name(self, manager: Manager, store: Store, jobs: Jobs, row: Any) -> None:
        jobs.update_one({}, {"$set": {"_external": row}})
        assert loaded(store).external is None


def loaded(store: Store) -> Any:
    job = store.jobs.load(UUID)
    assert job is not None
    return job
