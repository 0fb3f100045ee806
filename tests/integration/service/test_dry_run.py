"""A dry run answers what the delivery would be answered, and writes nothing."""

from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymongo.database import Database

from fsm.lifecycle import EVENTS
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.tokens import admin_token
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages import asked, event_id
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.external import External
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.store import Store, history
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.secret import Secret
from support.dump import everything
from support.factories import NOW
from support.lives import POLICY, REPORTS
from support.process import Documents, StoredJob, insert_job
from support.selection import examples

pytestmark = pytest.mark.promise("P12")

EMBEDDED: Final = 6
"""So few entries stay in a job that its history has to move again and again."""
NOWHERE: Final = "10700000-0000-5000-8000-000000000000"
JOBS: Final[dict[str, dict[str, Any]]] = {
    "new": {},
    "finished": {"sample": "job-finished.json"},
    "whose salt was changed": {"state": "RUNNING", "_properties": {"revision": 3}},
    "damaged": {"_outbox": {"a": 1}},
}
NO_NEWS: Final = {Verdict.STALE, Verdict.DUPLICATE}
"""What a report is that was asked for, if the job has it already: whether its entry is looked up does not matter."""
KEPT_OUTCOME: Final = ("verdict", "reason", "uuid", "event", "message")


@pytest.fixture
def manager(store: Store) -> Manager:
    store.history.limits = history.HistoryLimits(entries=EMBEDDED)
    return Manager(store, POLICY, OutboxRelay(store, None, Backoff()), clock=lambda: NOW)


def events(job: StoredJob) -> st.SearchStrategy[Event]:
    """Commands and reports, good and bad, with ids that come again and data that differ, and reports asked for."""
    admin = admin_token("secret", "key", 3600, NOW.timestamp())
    shown = st.sampled_from([job.token, job.token, job.token, admin, admin, "0" * 16, None])
    tokens = shown.map(lambda token: (Secret(token),) if token else ())
    data = st.sampled_from([None, {"n": 1}, {"n": 2}])
    numbers = st.integers(1, 3)
    uuids = st.sampled_from([job.uuid] * 9 + [NOWHERE])
    commands = st.builds(
        lambda uuid, name, number, data, tokens: Event(
            uuid, name, Kind.COMMAND, f"sender:{number}", data=data, tokens=tokens, sender="jdoe", message=data
        ),
        uuids,
        st.sampled_from(sorted(EVENTS)),
        st.integers(1, 12),
        data,
        tokens,
    )
    reports = st.builds(
        lambda uuid, status, run, tokens: Event(
            job=uuid,
            name=REPORTS[status],
            kind=Kind.REPORT,
            id=f"sha256:{status}-{run}",
            external=f"agave:{run}",
            data={"status": status, "id": run},
            status=status,
            tokens=tokens,
            sender="jdoe",
        ),
        uuids,
        st.sampled_from(sorted(REPORTS)),
        numbers,
        tokens,
    )
    answers = st.builds(
        lambda uuid, status, run: asked.report(uuid, External("agave", str(run)), status, {}, NOW),
        uuids,
        st.sampled_from(sorted(REPORTS)),
        numbers,
    )
    return commands | reports | answers


def was_asked(event: Event) -> bool:
    return event.id.startswith(event_id.ASKED)


def deliver(manager: Manager, event: Event) -> Outcome:
    """Delivers an event, and does the work after the answer."""
    judge = manager.asked if was_asked(event) else manager.handle
    told = judge(event, uuid4().hex)
    manager.settle(told, Deadline(20))
    return told


def made(jobs: Documents, kind: str) -> StoredJob:
    """A job with a life of its own: entries that have moved are found by it."""
    job = insert_job(jobs, **JOBS[kind])
    jobs.update_one({"uuid": job.uuid}, {"$set": {"history.0.uuid": f"108{str(uuid4())[3:]}"}})
    return job


@hypothesis_settings(max_examples=examples(300, 60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(JOBS)), known=st.booleans(), data=st.data())
def test_it_is_what_the_real_delivery_is_answered_and_changes_nothing(
    manager: Manager, database: Database[Any], jobs: Documents, kind: str, known: bool, data: st.DataObject
) -> None:
    for name in everything(database):
        database[name].delete_many({})  # of the example before
    job = made(jobs, kind)
    manager.others.known = known
    for event in data.draw(st.lists(events(job), max_size=8), label="before"):
        deliver(manager, event)
    event = data.draw(events(job), label="asked about")
    before, stored, known = everything(database), job.stored(), manager.others.known

    dry = manager.would(event, "dry", asked=was_asked(event))
    manager.settle(dry, Deadline(20))

    assert everything(database) == before
    assert manager.others.known is known, "the gateway would write this down"
    real = deliver(manager, event)
    if was_asked(event) and {dry.verdict, real.verdict} == NO_NEWS:
        dry = dry._replace(verdict=real.verdict, reason=real.reason)
    assert [getattr(dry, name) for name in KEPT_OUTCOME] == [getattr(real, name) for name in KEPT_OUTCOME]
    assert (dry.dry_run, dry.state_after) == (True, real.state)
    shown = (stored["state"], stored["last_event"]) if real.state is not None else (None, None)
    assert (dry.state, dry.last_event) == shown
    assert (dry.refusal, dry.owes, dry.first_use, dry.watch) == (None, False, False, None)
    assert (real.dry_run, real.state_after) == (False, None)


@pytest.mark.parametrize(
    ("before", "asked", "verdict", "state", "after"),
    [
        ([], "run", Verdict.APPLIED, "CREATED", "RUNNING"),
        (["run"], "run", Verdict.DUPLICATE, "RUNNING", "RUNNING"),
        (["update"], "run", Verdict.MALFORMED, "CREATED", "CREATED"),
        ([], "retire", Verdict.ILLEGAL, "CREATED", "CREATED"),
        ([], "reset", Verdict.UNAUTHORISED, "CREATED", "CREATED"),
    ],
)
def test_every_verdict(
    manager: Manager, job: StoredJob, before: list[str], asked: str, verdict: Verdict, state: str, after: str
) -> None:
    def event(name: str) -> Event:
        return Event(job.uuid, name, Kind.COMMAND, "sender:one", tokens=(Secret(job.token),), sender="jdoe")

    for name in before:
        deliver(manager, event(name))
    told = manager.would(event(asked), "dry")
    assert (told.verdict, told.state, told.state_after) == (verdict, state, after)


def report(job: StoredJob, status: str) -> Event:
    body = {"status": status, "id": 1}
    return Event(
        job=job.uuid,
        name=REPORTS[status],
        kind=Kind.REPORT,
        id=f"sha256:{status}",
        external="agave:1",
        data=body,
        status=status,
        tokens=(Secret(job.token),),
        sender="jdoe",
    )


def test_a_report_that_comes_late_is_stale_and_not_kept(
    manager: Manager, database: Database[Any], job: StoredJob
) -> None:
    deliver(manager, report(job, "FINISHED"))
    told = manager.would(report(job, "RUNNING"), "dry")
    manager.settle(told, Deadline(20))
    assert (told.verdict, told.state, told.state_after) == (Verdict.STALE, "FINISHED", "FINISHED")
    assert database["jobs_refused"].count_documents({}) == 0


def test_a_history_that_is_full_does_not_move(manager: Manager, database: Database[Any], job: StoredJob) -> None:
    for number in range(EMBEDDED - 2):
        deliver(manager, update(job, number))
    assert len(job.names) == EMBEDDED - 1, "the next event may add two, and then there are too many"
    before = everything(database)
    assert manager.would(update(job, 99), "dry").verdict is Verdict.APPLIED
    assert manager.would(update(job, 0), "dry").verdict is Verdict.DUPLICATE
    assert everything(database) == before
    deliver(manager, update(job, 99))
    assert database["jobs_history"].count_documents({}) > 0
    assert manager.would(update(job, 0), "dry").verdict is Verdict.DUPLICATE, "its entry has moved"


def update(job: StoredJob, number: int) -> Event:
    return Event(job.uuid, "update", Kind.COMMAND, f"sender:{number}", tokens=(Secret(job.token),), sender="jdoe")


def test_the_event_id_is_not_taken(manager: Manager, database: Database[Any], job: StoredJob) -> None:
    before = everything(database)
    for _ in range(2):
        assert manager.would(update(job, 1), "dry").verdict is Verdict.APPLIED
    assert everything(database) == before, "not even the journal, from which the event would be applied again"
    assert deliver(manager, update(job, 1)).verdict is Verdict.APPLIED


def test_no_token_is_trusted_on_first_use(manager: Manager, database: Database[Any], jobs: Documents) -> None:
    job = made(jobs, "whose salt was changed")
    before = everything(database)
    for token in ("a" * 16, "b" * 16):
        told = manager.would(update(job, 1)._replace(tokens=(Secret(token),)), "dry")
        assert (told.verdict, told.first_use, told.state_after) == (Verdict.APPLIED, False, "RUNNING")
    assert everything(database) == before


def test_no_other_message_is_sent(store: Store, job: StoredJob) -> None:
    """The work after an answer sends overdue messages of other jobs; that of a dry run would write."""
    sent: list[object] = []

    class Indexer:
        def send(self, message: object, *, key: str, deadline: float) -> None:
            sent.append(message)

    silent = Manager(store, POLICY, OutboxRelay(store, None, Backoff()))
    deliver(silent, report(job, "FINISHED"))
    manager = Manager(store, POLICY, OutboxRelay(store, Indexer(), Backoff(), seconds=5))
    manager.settle(manager.would(update(job, 1), "dry"), Deadline(20))
    assert sent == []
    deliver(manager, update(job, 2))
    assert len(sent) == 1


def test_a_refusal_of_an_unreadable_delivery_is_not_kept(
    manager: Manager, database: Database[Any], job: StoredJob
) -> None:
    told = Outcome(Verdict.MALFORMED, "why", "dry", uuid=job.uuid)
    claimed = update(job, 1)._replace(id="")
    manager.keep_unread(claimed, told._replace(dry_run=True), Deadline(20))
    assert database["jobs_refused"].count_documents({}) == 0
    manager.keep_unread(claimed, told, Deadline(20))
    assert database["jobs_refused"].count_documents({}) == 1


def test_applied_rests_on_a_confirmed_read(
    manager: Manager, store: Store, job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deposed primary answers with old data for a while. A write fails there; a dry run has nothing but its reads."""
    old = store.jobs.load(job.uuid)
    deliver(manager, update(job, 1)._replace(name="run"))
    monkeypatch.setattr(store.jobs, "load_all", lambda _: {job.uuid: old})
    told = manager.would(update(job, 2)._replace(name="run"), "dry")
    assert (told.reason, told.state) == ("run: RUNNING -> RUNNING", "RUNNING")


def test_without_a_database_it_is_unavailable_and_says_that_nothing_was_changed(
    manager: Manager, job: StoredJob
) -> None:
    told = manager.would(update(job, 1), "dry", seconds=0.0)
    assert (told.verdict, told.dry_run) == (Verdict.UNAVAILABLE, True)
    assert "nothing was changed" in told.reason
