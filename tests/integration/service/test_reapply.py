"""Applied stays applied beside a program that replaces whole documents."""

import logging
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fsm.replay import final_state
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.tokens import Policy, admin_tokens
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.diagnose import checks
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.service import reapply
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.store import Store, history
from pipelinejobs.store.history import History
from pipelinejobs.store.pipelines import NewJob, Owner
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown, Unavailable
from pipelinejobs.util.secret import Secret
from support import datacatalog
from support.factories import NOW
from support.process import Documents, StoredJob, insert_job, job_token
from support.selection import examples

ADMINISTRATION: Final = Policy(admin_key=Secret("a key"), admin_secret=Secret("a secret"))
WINDOWS: Final = ("in_the_middle", "at_the_end")
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_KEYS = _TEXTS | st.sampled_from(["$ref", "$id", "$set", "a.b", "_id", ""])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)

pytestmark = pytest.mark.promise("P11")


@pytest.fixture(autouse=True)
def first_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reapply, "FIRST_LOOK_SECONDS", 0.0)


class World:
    """A manager, its jobs, and what it counts."""

    def __init__(self, store: Store, jobs: Documents) -> None:
        self.store = store
        self.jobs = jobs
        self.manager = Manager(store, ADMINISTRATION, OutboxRelay(store, None, Backoff()))
        self.counted: list[str] = []
        self.reapplier = reapply.Reapplier(store, self.manager.judge, self.manager.others, self.counted.append)
        self.number = 0

    def send(self, job: StoredJob, name: str, kind: Kind = Kind.COMMAND, **more: Any) -> Outcome:
        self.number += 1
        token = (
            admin_tokens(ADMINISTRATION, datetime.now(UTC).timestamp())[0] if name in ("reset", "ready") else job.token
        )
        fields = {"id": f"execution:{self.number}", "tokens": (Secret(token),), "sender": "jdoe"} | more
        return self.manager.handle(Event(job=job.uuid, name=name, kind=kind, **fields), f"e{self.number}")

    def report(self, job: StoredJob, status: str, name: str, external: str = "agave:1-007") -> Outcome:
        return self.send(job, name, Kind.REPORT, status=status, external=external, id=f"sha256:{external}{status}")

    def look(self) -> int:
        return self.reapplier.look(Deadline(30))

    def rows(self) -> list[dict[str, Any]]:
        return list(self.jobs.database["jobs_journal"].find({"applied": {"$exists": True}}))

    def owed(self, job: StoredJob) -> list[str]:
        return [row["name"] for row in job.stored().get("_outbox", ())]

    def problems(self, job: StoredJob) -> list[str]:
        read = self.store.jobs.load(job.uuid)
        assert read is not None
        return checks.problems(read, list(self.store.history.entries(job.uuid)))


@pytest.fixture
def world(store: Store, jobs: Documents) -> World:
    return World(store, jobs)


@pytest.fixture
def running(jobs: Documents, world: World) -> StoredJob:
    job = insert_job(jobs)
    assert world.send(job, "run").verdict is Verdict.APPLIED
    return job


def applied(handled: Outcome) -> None:
    assert handled.verdict is Verdict.APPLIED, handled


@pytest.mark.parametrize("window", WINDOWS)
class TestUndone:
    """One event of ours against one write of the other program, which had read the job a moment before."""

    def test_a_finish_is_applied_again_and_owes_again(self, world: World, running: StoredJob, window: str) -> None:
        datacatalog.writes(running, "update", "RUNNING", **{window: lambda: applied(world.send(running, "finish"))})
        assert running.names == ["create", "run", "update"]
        assert world.look() == 1
        assert running.names == ["create", "run", "update", "finish"]
        assert (running.state, world.owed(running)) == ("FINISHED", ["index"])
        assert world.counted == [reapply.APPLIED_AGAIN]
        assert world.problems(running) == []
        assert world.look() == 0
        assert running.names == ["create", "run", "update", "finish"]

    def test_the_same_event_again_is_a_duplicate(self, world: World, running: StoredJob, window: str) -> None:
        def finish() -> Outcome:
            return world.send(running, "finish", id="sender:mine", data={"n": 1})

        datacatalog.writes(running, "update", "RUNNING", **{window: finish})
        world.look()
        assert finish().verdict is Verdict.DUPLICATE
        assert running.names.count("finish") == 1

    def test_a_report_with_the_run_that_it_implies(self, world: World, jobs: Documents, window: str) -> None:
        job = insert_job(jobs)
        datacatalog.writes(
            job, "update", "CREATED", **{window: lambda: applied(world.report(job, "FINISHED", "finish"))}
        )
        assert world.look() == 1
        assert job.names == ["create", "update", "run", "finish"]
        assert world.report(job, "FINISHED", "finish").verdict is Verdict.DUPLICATE
        assert world.problems(job) == []

    def test_several_events_of_one_job_in_their_order(self, world: World, jobs: Documents, window: str) -> None:
        job = insert_job(jobs)

        def all_of_it() -> None:
            for name in ("run", "update", "finish", "index"):
                applied(world.send(job, name))

        datacatalog.writes(job, "resource", "CREATED", **{window: all_of_it})
        assert world.look() == 4
        assert job.names == ["create", "resource", "run", "update", "finish", "index"]
        assert sorted(world.owed(job)) == ["index", "index"]
        assert world.problems(job) == []

    def test_the_other_program_has_finished_the_job_itself(self, world: World, running: StoredJob, window: str) -> None:
        datacatalog.writes(running, "finish", "FINISHED", **{window: lambda: applied(world.send(running, "finish"))})
        assert world.look() == 1
        assert (running.names, running.state) == (["create", "run", "finish", "finish"], "FINISHED")
        assert world.owed(running) == ["index"]  # as the sender was promised, and no program had asked the Indexer

    def test_what_is_no_longer_possible_is_kept_logged_and_counted(
        self, world: World, running: StoredJob, window: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        datacatalog.writes(running, "fail", "FAILED", **{window: lambda: applied(world.send(running, "finish"))})
        assert world.look() == 1
        assert (running.names, running.state) == (["create", "run", "fail"], "FAILED")
        assert world.counted == [reapply.LOST]
        [refusal] = world.store.refused.of(running.uuid)
        assert (refusal["event"], refusal["verdict"], refusal["state"]) == ("finish", "illegal", "FAILED")
        assert "undone by another program" in refusal["reason"]
        assert [record.levelno for record in caplog.records if "undone" in record.message] == [logging.ERROR]
        assert world.look() == 0
        assert len(list(world.store.refused.of(running.uuid))) == 1

    def test_a_reset_and_the_attempt_that_it_begins(self, world: World, running: StoredJob, window: str) -> None:
        datacatalog.writes(running, "update", "RUNNING", **{window: lambda: applied(world.send(running, "reset"))})
        world.look()
        read = world.store.jobs.load(running.uuid)
        assert read is not None
        assert (running.state, read.attempt) == ("RESET", running.last["uuid"])

    def test_a_report_of_an_attempt_that_is_over_is_not_of_the_new_one(
        self, world: World, running: StoredJob, window: str
    ) -> None:
        datacatalog.writes(
            running, "update", "RUNNING", **{window: lambda: applied(world.report(running, "FINISHED", "finish"))}
        )
        for name in ("reset", "ready", "run"):
            applied(world.send(running, name))
        world.look()
        assert running.state == "RUNNING"
        assert world.counted == [reapply.LOST]

    def test_the_tokens_that_were_remembered_with_it(self, world: World, jobs: Documents, window: str) -> None:
        job = insert_job(jobs)
        newest = datacatalog.writes(job, "run", "RUNNING", **{window: lambda: applied(world.send(job, "run"))})
        world.look()
        assert job.names.count("run") == 2
        datacatalog.writes(job, "update", "RUNNING")
        for token in (job.token, newest):
            applied(world.send(job, "update", tokens=(Secret(token),)))

    def test_the_token_that_was_trusted_with_it(self, world: World, jobs: Documents, window: str) -> None:
        job = insert_job(jobs)
        datacatalog.writes(job, "run", "RUNNING")
        datacatalog.writes(job, "update", "RUNNING", **{window: lambda: applied(world.send(job, "update"))})
        world.look()
        assert world.send(job, "update", tokens=(Secret("0" * 16),)).verdict is Verdict.UNAUTHORISED
        applied(world.send(job, "update"))

    def test_an_event_that_was_still_there_at_the_first_look(
        self, world: World, running: StoredJob, window: str
    ) -> None:
        def slowly() -> None:
            applied(world.send(running, "finish"))
            assert world.look() == 0

        datacatalog.writes(running, "update", "RUNNING", **{window: slowly})
        assert running.names == ["create", "run", "update"]
        assert world.look() == 1
        assert running.names == ["create", "run", "update", "finish"]

    def test_an_event_whose_application_is_undone_twice(self, world: World, running: StoredJob, window: str) -> None:
        datacatalog.writes(running, "update", "RUNNING", **{window: lambda: applied(world.send(running, "finish"))})
        datacatalog.writes(running, "update", "RUNNING", **{window: world.look})
        assert running.names.count("finish") == 0
        world.look()
        assert running.names.count("finish") == 1
        assert world.problems(running) == []


@pytest.mark.keeps_secrets
@hypothesis_settings(max_examples=examples(100, 15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(_KEYS, _VALUES, max_size=3))
def test_whatever_its_data_holds(world: World, jobs: Documents, data: dict[str, Any]) -> None:
    job = insert_job(jobs)
    datacatalog.writes(job, "update", "CREATED", at_the_end=lambda: applied(world.send(job, "update", data=data)))
    world.look()
    entry = list(world.store.history.entries(job.uuid))[-1]
    assert (entry.name, entry.data) == ("update", data)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("names", [("run", *["update"] * 9, "finish"), ("run", *["resource"] * 5)])
def test_entries_that_have_moved_out_of_the_job_meanwhile(
    store: Store, jobs: Documents, window: str, names: tuple[str, ...]
) -> None:
    store.history = History(jobs.database, history.HistoryLimits(4, 10**6))
    world = World(store, jobs)
    job = insert_job(jobs)

    def all_of_it() -> None:
        for name in names:
            applied(world.send(job, name))

    datacatalog.writes(job, "resource", "CREATED", **{window: all_of_it})
    for _ in range(3):
        world.look()
    entries = [entry.name for entry in world.store.history.entries(job.uuid)]
    assert sorted(entries) == sorted(["create", "resource", *names])
    assert final_state(entries) == job.state == final_state(["create", *names])
    assert world.problems(job) == []
    assert set(world.owed(job)) <= {"index"}


class TestWhatIsLeftAlone:
    def test_a_row_goes_when_the_time_of_such_writers_is_over(
        self, world: World, running: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.look()
        assert len(world.rows()) == 1
        monkeypatch.setattr(reapply, "SETTLED_SECONDS", 0.0)
        assert world.look() == 0
        assert world.rows() == []

    def test_an_entry_that_has_moved_out_of_the_job_is_there(
        self, world: World, running: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.store.history = History(world.jobs.database, history.HistoryLimits(3, 10**6))
        for _ in range(5):
            applied(world.send(running, "update"))
        assert len(running.names) < 7
        assert world.look() == 0
        monkeypatch.setattr(reapply, "SETTLED_SECONDS", 0.0)
        assert (world.look(), world.rows()) == (0, [])

    @pytest.mark.parametrize("make_again", [True, False])
    def test_nothing_touches_a_job_that_was_deleted_or_made_again(
        self, world: World, running: StoredJob, *, make_again: bool
    ) -> None:
        if make_again:
            datacatalog.makes_again(running)
        else:
            world.jobs.delete_one({"uuid": running.uuid})
        before = list(world.jobs.find())
        assert world.look() == 0
        assert list(world.jobs.find()) == before
        assert (world.rows(), world.counted) == ([], [])

    def test_refused_events_leave_nothing(self, world: World, running: StoredJob) -> None:
        rows = world.rows()
        assert world.send(running, "validate").verdict is Verdict.ILLEGAL
        assert world.send(running, "update", tokens=(Secret("wrong"),)).verdict is Verdict.UNAUTHORISED
        assert world.rows() == rows

    def test_nothing_secret_is_written_down(self, world: World, running: StoredJob) -> None:
        text = str(world.rows())
        assert running.token not in text
        assert running.stored()["_salt"] not in text


class TestJobsThatThisProjectMade:
    @pytest.fixture
    def own(self, world: World) -> StoredJob:
        world.manager.others.known = False
        owner = Owner(owner="jdoe")
        pipeline = world.store.pipelines.named("p", owner, NOW)
        new = NewJob(pipeline_uuid=pipeline, archive_path="/products/v2/x")
        document = world.store.pipelines.make_job(new, owner, NOW)
        token = job_token(document["uuid"], document["_salt"], document["_admin"])
        return StoredJob(world.jobs, document["uuid"], token)

    def test_they_pay_nothing_before_the_answer(self, world: World, own: StoredJob) -> None:
        handled = world.send(own, "run")
        applied(handled)
        assert world.rows() == []
        assert handled.watch is not None

    def test_the_first_write_of_another_program_is_found_by_looking_at_what_is_remembered(
        self, world: World, own: StoredJob
    ) -> None:
        seen: list[Outcome] = []
        datacatalog.writes(own, "update", "CREATED", at_the_end=lambda: seen.append(world.send(own, "run")))
        assert seen[0].watch is not None
        world.reapplier.look_at([seen[0].watch])
        assert own.names == ["create", "update", "run"]
        assert len(world.rows()) == 1  # from now on another program is known to write to it
        assert "_alone" not in own.stored()

    def test_one_that_was_undone_is_written_down_before_it_is_applied_again(
        self, world: World, own: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[Outcome] = []
        datacatalog.writes(own, "update", "CREATED", at_the_end=lambda: seen.append(world.send(own, "run")))
        assert seen[0].watch is not None

        def killed(_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(world.store.jobs, "apply", killed)
            with pytest.raises(KeyboardInterrupt):
                world.reapplier.look_at([seen[0].watch])
        assert own.names == ["create", "update"]
        assert world.look() == 1
        assert own.names == ["create", "update", "run"]

    def test_a_short_run_writes_them_down_before_its_answer(self, world: World, own: StoredJob) -> None:
        world.manager.others.known = True
        handled = world.send(own, "run")
        assert (handled.watch, len(world.rows())) == (None, 1)

    def test_once_another_program_is_known_they_are_like_any_other(
        self, world: World, own: StoredJob, jobs: Documents
    ) -> None:
        applied(world.send(insert_job(jobs), "run"))
        handled = world.send(own, "run")
        assert (handled.watch, len(world.rows())) == (None, 2)

    def test_what_one_gateway_knows_all_know_soon(self, world: World, own: StoredJob, jobs: Documents) -> None:
        other = World(world.store, world.jobs)
        other.manager.others.known = False
        for one in (world, other):
            one.manager.others.agree()
        assert not other.manager.others.known
        applied(world.send(insert_job(jobs), "run"))
        for one in (world, other):
            one.manager.others.agree()
        assert other.send(own, "run").watch is None
        assert world.store.journal.waiting()[0] == 2

    def test_after_the_first_salt_of_another_program_they_are_like_any_other(
        self, world: World, own: StoredJob
    ) -> None:
        datacatalog.writes(own, "run", "RUNNING")
        assert world.send(own, "update").watch is None
        assert len(world.rows()) == 1
        assert "_alone" not in own.stored()


class TestTheAnswerWaits:
    """The verdict `applied` is returned only after the event is in the journal."""

    @pytest.mark.parametrize("error", [OutcomeUnknown(), Unavailable("away")])
    def test_while_the_journal_cannot_be_written(
        self, world: World, running: StoredJob, monkeypatch: pytest.MonkeyPatch, error: Unavailable
    ) -> None:
        add, failures = world.store.journal.add, [error, error]

        def failing(rows: Any) -> None:
            if failures:
                raise failures.pop()
            add(rows)

        monkeypatch.setattr(world.store.journal, "add", failing)
        applied(world.send(running, "finish"))
        assert failures == []
        assert running.names == ["create", "run", "finish"]
        assert {row["name"] for row in world.rows()} == {"run", "finish"}

    def test_when_it_cannot_be_written_at_all_the_outcome_is_not_known(
        self, world: World, running: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(_: Any) -> None:
            raise Unavailable("away")

        monkeypatch.setattr(world.store.journal, "add", failing)
        event = world.send(running, "finish", id="sender:mine")
        assert (event.verdict, event.reason) == (Verdict.UNAVAILABLE, OutcomeUnknown().reason)
        monkeypatch.undo()
        assert world.send(running, "finish", id="sender:mine").verdict is Verdict.DUPLICATE
        assert {row["name"] for row in world.rows()} == {"run", "finish"}


class TestSeveralLookAtOnce:
    def test_what_one_of_them_made_owed_again_is_not_withdrawn_by_another(
        self, world: World, running: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        datacatalog.writes(running, "update", "RUNNING", at_the_end=lambda: applied(world.send(running, "finish")))
        other = World(world.store, world.jobs)
        withdraw = world.store.jobs.withdraw

        def late(*given: Any) -> None:
            monkeypatch.undo()
            monkeypatch.setattr(reapply, "FIRST_LOOK_SECONDS", 0.0)
            assert other.look() == 1
            withdraw(*given)

        monkeypatch.setattr(world.store.jobs, "withdraw", late)
        world.look()
        assert (running.names.count("finish"), world.owed(running)) == (1, ["index"])
        assert world.counted + other.counted == [reapply.APPLIED_AGAIN]

    def test_an_event_that_is_no_longer_possible_is_logged_once(
        self, world: World, running: StoredJob, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        datacatalog.writes(running, "fail", "FAILED", at_the_end=lambda: applied(world.send(running, "finish")))
        other = World(world.store, world.jobs)
        keep = world.store.refused.keep

        def late(*given: Any) -> bool:
            monkeypatch.setattr(world.store.refused, "keep", keep)
            assert other.look() == 1
            return keep(*given)

        monkeypatch.setattr(world.store.refused, "keep", late)
        world.look()
        assert len(list(world.store.refused.of(running.uuid))) == 1
        assert world.counted + other.counted == [reapply.LOST]
        assert [record.levelno for record in caplog.records if "undone" in record.message] == [logging.ERROR]

    def test_a_job_whose_uuid_is_damaged_stands_in_no_ones_way(self, world: World, running: StoredJob) -> None:
        world.jobs.update_one({"uuid": running.uuid}, {"$set": {"uuid": [running.uuid]}})
        job = insert_job(world.jobs)
        datacatalog.writes(job, "update", "CREATED", at_the_end=lambda: applied(world.send(job, "run")))
        assert world.look() == 1
        assert job.names == ["create", "update", "run"]

    def test_a_row_that_was_written_anew_meanwhile_is_not_forgotten(
        self, world: World, running: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reapply, "SETTLED_SECONDS", 0.0)
        look_for, later = world.store.journal.look_for, datetime(2999, 1, 1, tzinfo=UTC)

        def looked_for(rows: Any) -> Any:
            found = look_for(rows)
            world.jobs.database["jobs_journal"].update_many({}, {"$set": {"applied": later}})
            return found

        monkeypatch.setattr(world.store.journal, "look_for", looked_for)
        world.look()
        assert len(world.rows()) == 1


@pytest.mark.parametrize("count", [1, 40])
def test_many_undone_at_once(world: World, jobs: Documents, count: int) -> None:
    def one() -> StoredJob:
        job = insert_job(jobs)
        datacatalog.writes(job, "run", "RUNNING", at_the_end=lambda: applied(world.report(job, "RUNNING", "run")))
        return job

    made = [one() for _ in range(count)]
    assert world.look() == count
    for job in made:
        assert job.names == ["create", "run", "run"]
        assert final_state(job.names) == job.state


def test_looking_is_bounded_by_its_time(world: World, running: StoredJob) -> None:
    with pytest.raises(Unavailable):
        world.reapplier.look(Deadline(0))
