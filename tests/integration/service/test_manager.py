"""The use case on a real server: events in, answers out, and what is stored."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pymongo.collection
import pytest
from pymongo.database import Database

from fsm.replay import final_state
from pipelinejobs.core.job import Job
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.tokens import Policy, admin_tokens
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.store import Store, Written, history
from pipelinejobs.store.connection import connect
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown, Undelivered
from pipelinejobs.util.secret import Secret
from support.factories import TOKEN, UUID, a_command, a_report, catalogued

Jobs = pymongo.collection.Collection[dict[str, Any]]
ADMINISTRATION = Policy(admin_key=Secret("a key"), admin_secret=Secret("a secret"))


class Indexer:
    """An Indexer that stores the messages sent to it, or refuses all."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, object], str]] = []
        self.trouble: Undelivered | None = None

    def send(self, message: Mapping[str, object], *, key: str, deadline: float) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.received.append((dict(message), key))


@pytest.fixture
def indexer() -> Indexer:
    return Indexer()


@pytest.fixture
def job(jobs: Jobs) -> Jobs:
    """A new job of python-datacatalog; the collection it is in."""
    jobs.insert_one(catalogued("job-created.json"))
    return jobs


@pytest.fixture
def make(store: Store, indexer: Indexer) -> Callable[..., Manager]:
    def manager(policy: Policy = ADMINISTRATION, **changes: Any) -> Manager:
        outbox = OutboxRelay(store, indexer, Backoff(first=0.05, attempts=5), seconds=5)
        return Manager(store, policy, outbox, **changes)

    return manager


@pytest.fixture
def manager(make: Callable[..., Manager]) -> Manager:
    return make()


class Sender:
    """Sends events and settles them, as an entry point does; every event has an id of its own."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._count = 0

    def __call__(self, event: Event) -> Outcome:
        self._count += 1
        handled = self._manager.handle(event, f"e{self._count}")
        self._manager.settle(handled, Deadline(20))
        return handled

    def command(self, name: str, **changes: Any) -> Verdict:
        self._count += 1
        return self(a_command(name, **({"id": f"execution:{self._count}"} | changes))).verdict

    def report(self, name: str, status: str, **changes: Any) -> Verdict:
        return self(a_report(name, status, **changes)).verdict


@pytest.fixture
def send(manager: Manager) -> Sender:
    return Sender(manager)


def stored(jobs: Jobs) -> dict[str, Any]:
    document = jobs.find_one()
    assert document is not None
    return document


def names(jobs: Jobs) -> list[str]:
    return [entry["name"] for entry in stored(jobs)["history"]]


def an_admin_token() -> str:
    import time

    return admin_tokens(ADMINISTRATION, time.time())[0]


def test_a_job_goes_through_its_life(job: Jobs, send: Sender, indexer: Indexer) -> None:
    assert send.command("run") is Verdict.APPLIED
    assert send.command("finish") is Verdict.APPLIED
    assert send.command("index") is Verdict.APPLIED
    assert send.command("indexed") is Verdict.APPLIED
    assert stored(job)["state"] == "FINISHED"
    assert names(job) == ["create", "run", "finish", "index", "indexed"]
    assert stored(job)["_properties"]["revision"] == 4
    assert [message for message, _ in indexer.received] == [{"uuid": UUID, "name": "index", "token": TOKEN}] * 2
    assert len({key for _, key in indexer.received}) == 2


def test_the_answer_says_where_the_job_is(job: Jobs, send: Sender) -> None:
    given = send(a_command("run"))
    assert (given.verdict, given.uuid, given.event, given.state, given.last_event) == (
        Verdict.APPLIED, UUID, "run", "RUNNING", "run",
    )  # fmt: skip
    refused = send(a_command("reject", id="execution:x"))
    assert (refused.verdict, refused.state) == (Verdict.ILLEGAL, "RUNNING")


@pytest.mark.promise("P2")
def test_the_same_event_twice_changes_nothing(job: Jobs, send: Sender, indexer: Indexer) -> None:
    event = a_report("finish", "FINISHED")
    assert send(event).verdict is Verdict.APPLIED
    before = stored(job)
    second = send(event)
    assert (second.verdict, second.state) == (Verdict.DUPLICATE, "FINISHED")
    assert stored(job) == before
    assert len(indexer.received) == 1


def test_a_command_that_would_now_be_illegal_is_still_a_duplicate(job: Jobs, send: Sender) -> None:
    event = a_command("run", id="sender:mine")
    send(event)
    send.command("finish")
    assert send(event).verdict is Verdict.DUPLICATE
    assert send(a_command("fail", id="sender:mine")).verdict is Verdict.MALFORMED


@pytest.mark.promise("S1")
def test_an_unknown_job_and_a_wrong_token_look_alike(job: Jobs, send: Sender) -> None:
    wrong = send(a_command("run", "wrong"))
    unknown = send(a_command("run", "wrong", job="10700000-0000-5000-8000-000000000000"))
    assert wrong.verdict is unknown.verdict is Verdict.UNAUTHORISED
    assert wrong.reason == unknown.reason
    assert wrong.state is unknown.state is wrong.last_event is unknown.last_event is None
    assert stored(job) == {**catalogued("job-created.json"), **stored(job)}
    assert names(job) == ["create"]


def test_reset_and_ready_take_an_administrative_token(job: Jobs, send: Sender) -> None:
    assert send.command("reset") is Verdict.UNAUTHORISED
    assert send.command("reset", token=an_admin_token()) is Verdict.APPLIED
    assert send.command("ready") is Verdict.UNAUTHORISED
    assert send.command("ready", token=an_admin_token()) is Verdict.APPLIED
    assert stored(job)["state"] == "CREATED"


def test_create_is_not_allowed(job: Jobs, send: Sender) -> None:
    assert send.command("create") is Verdict.UNAUTHORISED
    assert send.command("create", token=an_admin_token()) is Verdict.UNAUTHORISED
    assert names(job) == ["create"]


@pytest.mark.parametrize(
    "data",
    [{"$ref": "a", "$id": 1, "$db": None}, {"x": [{"z": 0, "$id": {"$ref": "b", "$id": []}, "$ref": "c"}]}],
)
def test_what_looks_like_a_reference_is_known_again(job: Jobs, send: Sender, data: dict[str, Any]) -> None:
    event = a_command("run", id="sender:mine", data={"of": data})
    assert [send(event).verdict for _ in range(2)] == [Verdict.APPLIED, Verdict.DUPLICATE]


def test_a_reset_sent_twice_is_applied_once(job: Jobs, send: Sender) -> None:
    event = a_command("reset", an_admin_token(), id="sender:reset-1")
    assert [send(event).verdict for _ in range(2)] == [Verdict.APPLIED, Verdict.DUPLICATE]
    assert names(job) == ["create", "reset"]


def test_reports_of_the_run_before_a_reset_are_stale(job: Jobs, send: Sender) -> None:
    send.report("run", "RUNNING")
    send.command("reset", token=an_admin_token())
    send.command("ready", token=an_admin_token())
    assert send.report("finish", "FINISHED") is Verdict.STALE
    assert send.report("run", "RUNNING") is Verdict.DUPLICATE
    assert send.report("run", "RUNNING", external="agave:2-007") is Verdict.APPLIED
    assert stored(job)["state"] == "RUNNING"


def test_refusals_are_kept_with_their_reason(job: Jobs, send: Sender, store: Store) -> None:
    send.command("validate")
    send.command("run", token="wrong")
    send.report("finish", "FINISHED")
    send.report("run", "RUNNING")
    assert [(row["event"], row["verdict"]) for row in store.refused.of(UUID)] == [
        ("validate", "illegal"),
        ("run", "unauthorised"),
        ("run", "stale"),
    ]


def test_refusals_for_unknown_jobs_are_not_kept(send: Sender, database: Database[dict[str, Any]]) -> None:
    assert send.command("run") is Verdict.UNAUTHORISED
    assert database.list_collection_names() == []


class TestTokensForLife:
    def test_a_token_stays_good_when_others_rotate_the_salt(self, job: Jobs, send: Sender) -> None:
        send.command("run")
        job.update_one({}, {"$set": {"_salt": "rotated by python-datacatalog"}, "$inc": {"_properties.revision": 1}})
        assert send.command("update") is Verdict.APPLIED

    def test_a_rotation_before_our_first_write_loses_it(self, job: Jobs, make: Callable[..., Manager]) -> None:
        job.update_one({}, {"$set": {"_salt": "rotated", "_properties.revision": 1, "state": "RUNNING"}})
        send = Sender(make(Policy(trust_on_first_use=False)))
        assert send.command("update") is Verdict.UNAUTHORISED

    def test_unless_it_is_trusted_on_first_use(self, job: Jobs, send: Sender, caplog: pytest.LogCaptureFixture) -> None:
        job.update_one({}, {"$set": {"_salt": "rotated", "_properties.revision": 1, "state": "RUNNING"}})
        assert send.command("validate") is Verdict.UNAUTHORISED
        assert send.command("update") is Verdict.APPLIED
        assert send.command("update") is Verdict.APPLIED
        assert send.command("update", token="another") is Verdict.UNAUTHORISED
        assert TOKEN not in str(stored(job))

    def test_the_indexers_own_message_needs_no_token_where_it_is_trusted(
        self, job: Jobs, make: Callable[..., Manager]
    ) -> None:
        send = Sender(make(Policy(trusted_indexers=frozenset({"sd2eadm"}))))
        send.command("run")
        send.command("finish")
        send.command("index")
        assert send.command("indexed", token=None) is Verdict.UNAUTHORISED
        assert send.command("indexed", token=None, sender="sd2eadm") is Verdict.APPLIED


class TestManyAtOnce:
    def race(self, manager: Manager, events: list[Event]) -> list[Verdict]:
        """Sends all events at the same moment, each from its own thread."""
        barrier, verdicts = threading.Barrier(len(events)), []

        def one(event: Event) -> None:
            barrier.wait()
            verdicts.append(manager.handle(event, "e").verdict)

        threads = [threading.Thread(target=one, args=(event,)) for event in events]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return verdicts

    @pytest.mark.promise("F13")
    def test_the_same_event_is_applied_once(self, job: Jobs, manager: Manager) -> None:
        verdicts = self.race(manager, [a_report("finish", "FINISHED")] * 32)
        assert sorted(verdicts) == [Verdict.APPLIED] + [Verdict.DUPLICATE] * 31
        assert names(job) == ["create", "run", "finish"]
        assert len(stored(job)["_outbox"]) == 1

    @pytest.mark.promise("P1")
    def test_different_events_are_all_applied(self, job: Jobs, make: Callable[..., Manager]) -> None:
        manager = make(database_seconds=30)
        events = [a_command("update", id=f"execution:{n}", data={"n": n}) for n in range(40)]
        assert self.race(manager, events) == [Verdict.APPLIED] * 40
        history = stored(job)["history"]
        assert {entry["data"]["n"] for entry in history[1:]} == set(range(40))
        assert stored(job)["_properties"]["revision"] == 40

    @pytest.mark.promise("P5")
    def test_finish_against_fail_leaves_one_state_that_replays(self, job: Jobs, manager: Manager) -> None:
        for round_ in range(10):
            job.delete_many({})
            job.insert_one(catalogued("job-created.json"))
            manager.handle(a_command("run"), "e")
            verdicts = self.race(manager, [a_command(name, id=f"execution:{name}") for name in ("finish", "fail")])
            assert sorted(verdicts) == [Verdict.APPLIED, Verdict.ILLEGAL], round_
            assert final_state(names(job)) == stored(job)["state"]


class TestUnknownOutcome:
    """A write was sent but never confirmed: it may or may not have happened."""

    @pytest.mark.promise("F5")
    @pytest.mark.parametrize("written", [True, False])
    def test_the_event_is_applied_once_and_answered_as_applied(
        self, job: Jobs, send: Sender, store: Store, monkeypatch: pytest.MonkeyPatch, written: bool
    ) -> None:
        apply, calls = store.jobs.apply, []

        def flaky(writes: Sequence[Any]) -> list[Written]:
            calls.append(1)
            if len(calls) == 1:
                if written:
                    assert apply(writes) == [Written.YES]
                raise OutcomeUnknown
            return apply(writes)

        monkeypatch.setattr(store.jobs, "apply", flaky)
        assert send.command("run") is Verdict.APPLIED
        assert names(job) == ["create", "run"]

    def test_a_repetition_is_no_application_because_a_move_was_unconfirmed(
        self, job: Jobs, send: Sender, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event = a_command("run", id="sender:mine")
        send(event)
        loads, load = [], store.jobs.load_all

        def flaky(uuids: Collection[str]) -> dict[str, Job]:
            loads.append(1)
            if len(loads) == 1:
                raise OutcomeUnknown
            return load(uuids)

        monkeypatch.setattr(store.jobs, "load_all", flaky)
        assert send(event).verdict is Verdict.DUPLICATE

    def test_a_repetition_after_a_look_at_the_past_is_a_duplicate(
        self, job: Jobs, make: Callable[..., Manager], store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A server that was the primary shows the job as it was before the event; and takes the write nowhere."""
        event = a_command("run", id="sender:mine")
        past = store.jobs.load(event.job)
        assert past is not None
        moment = datetime(2026, 11, 25, 4, 0, 0, tzinfo=UTC)
        manager = make(clock=lambda: moment)  # the same second, so that the entry is as if it were this delivery's
        assert manager.handle(event, "first").verdict is Verdict.APPLIED
        load, apply = store.jobs.load_all, store.jobs.apply
        shown: list[Job] = [past]

        def from_the_past(uuids: Collection[str]) -> dict[str, Job]:
            return {past.uuid: shown.pop()} if shown else load(uuids)

        def lost(writes: Sequence[Any]) -> list[Written]:
            monkeypatch.setattr(store.jobs, "apply", apply)
            raise OutcomeUnknown

        monkeypatch.setattr(store.jobs, "load_all", from_the_past)
        monkeypatch.setattr(store.jobs, "apply", lost)
        assert manager.handle(event, "second").verdict is Verdict.DUPLICATE
        assert names(job) == ["create", "run"]

    def test_it_is_a_duplicate_if_a_later_event_hides_whose_write_it_was(
        self, job: Jobs, make: Callable[..., Manager], store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        apply = store.jobs.apply

        def overtaken(writes: Sequence[Any]) -> list[Written]:
            monkeypatch.setattr(store.jobs, "apply", apply)
            assert apply(writes) == [Written.YES]
            assert make().handle(a_command("update"), "another").verdict is Verdict.APPLIED
            raise OutcomeUnknown

        monkeypatch.setattr(store.jobs, "apply", overtaken)
        assert make().handle(a_command("run", id="sender:mine"), "mine").verdict is Verdict.DUPLICATE
        assert names(job) == ["create", "run", "update"]

    def test_when_the_time_is_over_it_says_that_it_does_not_know(
        self, job: Jobs, make: Callable[..., Manager], store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lost(writes: Sequence[Any]) -> list[Written]:
            raise OutcomeUnknown

        monkeypatch.setattr(store.jobs, "apply", lost)
        given = make(database_seconds=0.5).handle(a_command("run"), "e")
        assert given.verdict is Verdict.UNAVAILABLE
        assert given.state is None
        assert given.reason == OutcomeUnknown().reason


def test_without_a_server_the_event_is_unavailable(free_port: int, indexer: Indexer) -> None:
    store = Store(connect(Secret(f"mongodb://127.0.0.1:{free_port}/"), "none", timeout=1))
    manager = Manager(store, ADMINISTRATION, OutboxRelay(store, indexer, Backoff()), database_seconds=1)
    handled = manager.handle(a_command("run"), "e")
    manager.settle(handled, Deadline(5))
    store.close()
    assert handled.verdict is Verdict.UNAVAILABLE


class TestLongHistory:
    @pytest.fixture
    def small(self, mongodb_uri: str, database: Database[dict[str, Any]]) -> Iterator[Store]:
        limits = history.HistoryLimits(entries=10, size=1024 * 1024)
        store = Store(connect(Secret(mongodb_uri), database.name, timeout=10), history_limits=limits)
        yield store
        store.close()

    def test_nothing_is_lost_and_nothing_is_applied_twice(self, job: Jobs, small: Store, indexer: Indexer) -> None:
        send = Sender(Manager(small, ADMINISTRATION, OutboxRelay(small, indexer, Backoff())))
        events = [a_command("update", id=f"sender:{n}", data={"n": n}) for n in range(60)]
        for event in events:
            assert send(event).verdict is Verdict.APPLIED
            assert len(stored(job)["history"]) <= 10
        assert [entry.data["n"] for entry in list(small.history.entries(UUID))[1:]] == list(range(60))
        for event in (events[0], events[30], events[59]):
            assert send(event).verdict is Verdict.DUPLICATE
        assert stored(job)["_properties"]["revision"] == 60
        assert names(job)[0] == "create"

    def test_many_writers_at_once(self, job: Jobs, small: Store, indexer: Indexer) -> None:
        def manager() -> Manager:
            return Manager(small, ADMINISTRATION, OutboxRelay(small, indexer, Backoff()), database_seconds=30)

        def writer(name: int) -> None:
            for n in range(20):
                event = a_command("update", id=f"sender:{name}.{n}", data={"n": [name, n]})
                assert manager().handle(event, "e").verdict is Verdict.APPLIED

        threads = [threading.Thread(target=writer, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = [tuple(entry.data["n"]) for entry in list(small.history.entries(UUID))[1:]]
        assert sorted(told) == [(name, n) for name in range(4) for n in range(20)]
        assert all([n for who, n in told if who == name] == list(range(20)) for name in range(4))

    def test_the_authority_is_asked_again_after_a_move(
        self, job: Jobs, small: Store, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The job is made again in place while its old history moves: the old life's token means nothing to it."""
        send = Sender(Manager(small, ADMINISTRATION, OutboxRelay(small, indexer, Backoff())))
        for _ in range(8):
            assert send.command("update") is Verdict.APPLIED
        move = small.history.move

        def move_and_lose_the_job(moved: Job) -> bool:
            result = move(moved)
            fresh = catalogued("job-created.json") | {"_salt": "salt of another life"}
            fresh["history"][0]["uuid"] = "1080000-another-life"
            job.replace_one({}, {key: value for key, value in fresh.items() if key != "_id"})
            return result

        monkeypatch.setattr(small.history, "move", move_and_lose_the_job)
        assert send.command("run") is Verdict.UNAUTHORISED
        assert stored(job)["state"] == "CREATED"


class TestIndexRequests:
    @pytest.mark.promise("P4")
    def test_a_dead_indexer_changes_nothing_and_gets_it_later(
        self, job: Jobs, send: Sender, indexer: Indexer, store: Store
    ) -> None:
        indexer.trouble = Undelivered("it answered 500")
        assert send.report("finish", "FINISHED") is Verdict.APPLIED
        (row,) = store.outbox.rows()
        assert row.error == "it answered 500"
        assert 1 <= row.attempts <= 4
        indexer.trouble = None
        job.update_one({}, {"$set": {"_outbox.0.next": store.outbox.now()}})
        send.report("run", "RUNNING")
        assert [message["name"] for message, _ in indexer.received] == ["index"]
        assert list(store.outbox.rows()) == []

    @pytest.mark.promise("F6")
    def test_what_a_dead_process_owed_is_sent_by_the_next_run_of_any_job(
        self, job: Jobs, manager: Manager, send: Sender, indexer: Indexer
    ) -> None:
        manager.handle(a_report("finish", "FINISHED"), "e")  # and then the process dies: nothing is settled
        other = catalogued("job-created.json")
        other |= {"_id": "another", "uuid": "10700000-0000-5000-8000-000000000001"}
        job.insert_one(other)
        from pipelinejobs.core.tokens import job_token

        token = job_token(other["uuid"], other["_salt"], other["_admin"])
        send(a_command("update", token, job=other["uuid"]))
        assert [message["uuid"] for message, _ in indexer.received] == [UUID]

    def test_a_refused_sender_makes_nothing_move(
        self, job: Jobs, manager: Manager, send: Sender, indexer: Indexer
    ) -> None:
        manager.handle(a_report("finish", "FINISHED"), "e")
        send.command("update", token="wrong")
        assert indexer.received == []

    def test_after_the_last_attempt_it_stays_visible_and_drain_sends_it(
        self, job: Jobs, store: Store, manager: Manager, indexer: Indexer
    ) -> None:
        indexer.trouble = Undelivered("no")
        manager.handle(a_report("finish", "FINISHED"), "e")
        outbox = OutboxRelay(store, indexer, Backoff(attempts=1), seconds=5)
        assert outbox.drain(Deadline(5)).failed == 1
        assert list(store.outbox.rows()) == []
        assert len(store.listing.page(_failed(), 10).jobs) == 1
        indexer.trouble = None
        assert outbox.drain(Deadline(5)).sent == 1
        assert len(indexer.received) == 1

    def test_drain_waits_for_a_lease_to_end(self, job: Jobs, store: Store, manager: Manager, indexer: Indexer) -> None:
        manager.handle(a_report("finish", "FINISHED"), "e")
        (row,) = store.outbox.rows()
        assert store.outbox.lease(row, store.outbox.now(), 1.0)  # by a process that dies now
        tally = OutboxRelay(store, indexer, Backoff(), seconds=5).drain(Deadline(20))
        assert (tally.sent, tally.failed) == (1, 0)

    def test_without_an_indexer_it_stays_owed(self, job: Jobs, store: Store) -> None:
        send = Sender(Manager(store, ADMINISTRATION, OutboxRelay(store, None, Backoff())))
        send.report("finish", "FINISHED")
        (row,) = store.outbox.rows()
        assert (row.attempts, row.status) == (0, "pending")


def _failed() -> Any:
    from pipelinejobs.store.listing import Filter

    return Filter(failed=True)
