"""Quiet and overdue jobs: which are found, by the database's clock, and that each question is answered by an index."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from fsm.lifecycle import OPEN, STATES
from pipelinejobs.core.decide import decide
from pipelinejobs.core.job import TimeLimit
from pipelinejobs.core.tokens import Authority
from pipelinejobs.messages.event import Event
from pipelinejobs.store import Store, Written, open_jobs
from pipelinejobs.store.job_update import from_time_limit
from pipelinejobs.store.listing import Filter
from pipelinejobs.util.errors import Unavailable
from support.factories import NOW, a_command, a_report, catalogued
from support.process import Documents

HOUR = 3600.0
LIFE: Any = catalogued("job-created.json")["history"][0]["uuid"]


def insert(jobs: Documents, hours: list[float], state: str = "RUNNING", **changes: Any) -> list[str]:
    """Jobs that last changed so many hours ago; their uuids."""
    now = datetime.now(UTC)
    documents = [
        catalogued("job-created.json")
        | {"_id": ObjectId(), "uuid": f"107-{ObjectId()}", "state": state, "updated": now - timedelta(hours=ago)}
        | changes
        for ago in hours
    ]
    jobs.insert_many(documents)
    return [document["uuid"] for document in documents]


def limit(hours_over: float, **changes: Any) -> dict[str, Any]:
    """The fields of a job that has been overdue for so many hours."""
    since = datetime.now(UTC) - timedelta(hours=hours_over + 4)
    stored = from_time_limit(TimeLimit(LIFE, None, int(4 * HOUR), since))
    return {"_life": LIFE, "_attempt": LIFE, "_time_limit": stored} | changes


def found(store: Store, limit: int = 100, /, **wanted: Any) -> list[str]:
    """The uuids of all pages."""
    uuids, cursor = [], None
    while True:
        page = store.listing.page(Filter(**wanted), limit, cursor)
        uuids += [job["uuid"] for job in page.jobs]
        cursor = page.next
        if cursor is None:
            return uuids


@contextmanager
def profiled(store: Store) -> Iterator[list[dict[str, Any]]]:
    """The questions about jobs that are asked in the block, as the server saw them."""
    seen: list[dict[str, Any]] = []
    store.database.command("profile", 2)
    try:
        yield seen
    finally:
        store.database.command("profile", 0)
    ours = {"ns": f"{store.database.name}.jobs", "op": {"$in": ["query", "command"]}}
    seen += store.database["system.profile"].find(ours).sort("ts", 1)


class TestQuiet:
    def test_open_jobs_without_an_event_for_so_long(self, store: Store, jobs: Documents) -> None:
        running = insert(jobs, [1, 7, 30])
        created = insert(jobs, [2, 8], "CREATED")
        for state in set(STATES) - set(OPEN):
            insert(jobs, [100], state)
        for size in (1, 2, 100):
            assert found(store, size, quiet_for=6 * HOUR) == [running[1], created[1], running[2]]
        assert found(store, quiet_for=24 * HOUR) == [running[2]]
        assert found(store, quiet_for=0.0) == [running[0], created[0], running[1], created[1], running[2]]
        assert found(store, quiet_for=1e15) == []

    def test_with_other_filters(self, store: Store, jobs: Documents) -> None:
        (running,) = insert(jobs, [7], session="night run")
        (created,) = insert(jobs, [8], "CREATED")
        (hidden,) = insert(jobs, [9], _visible=False)
        assert found(store, quiet_for=HOUR, states=("CREATED",)) == [created]
        assert found(store, quiet_for=HOUR, states=("FINISHED",)) == []
        assert found(store, quiet_for=HOUR, text="NIGHT") == [running]
        assert found(store, quiet_for=HOUR, updated_before=datetime.now(UTC) - timedelta(hours=7.5)) == [created]
        assert found(store, quiet_for=HOUR, hidden=True) == [running, created, hidden]
        assert found(store, quiet_for=HOUR, overdue=True) == []

    def test_a_job_without_a_date_is_not_quiet(self, store: Store, jobs: Documents) -> None:
        insert(jobs, [7], updated=None)
        insert(jobs, [7], updated="yesterday")
        assert found(store, quiet_for=HOUR) == []

    def test_by_the_clock_of_the_database(self, store: Store, jobs: Documents, monkeypatch: Any) -> None:
        (uuid,) = insert(jobs, [7])

        class Wrong(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return datetime(1999, 1, 1, tzinfo=tz)

        monkeypatch.setattr("pipelinejobs.store.listing.datetime", Wrong)
        assert found(store, quiet_for=6 * HOUR) == [uuid]


class TestOverdue:
    def test_running_beyond_the_limit(self, store: Store, jobs: Documents) -> None:
        (late,), (later,) = insert(jobs, [1], **limit(1)), insert(jobs, [2], **limit(2))
        insert(jobs, [1], **limit(-1))
        insert(jobs, [1])
        for state in set(STATES) - {"RUNNING"}:
            insert(jobs, [1], state, **limit(1))
        for size in (1, 100):
            assert found(store, size, overdue=True) == [late, later]
        assert found(store, overdue=True, quiet_for=1.5 * HOUR) == [later]
        assert found(store, overdue=True, states=("CREATED",)) == []

    def test_a_limit_that_is_not_of_the_present_attempt(self, store: Store, jobs: Documents) -> None:
        """Another program has begun an attempt, or another life, and kept the fields that it does not know."""
        document = catalogued("job-created.json")
        reset = {"uuid": "108-reset", "name": "reset", "data": {}, "date": NOW}
        insert(jobs, [1], **limit(1), history=[*document["history"], reset])
        insert(jobs, [1], **limit(1, _life="108-former"))
        assert found(store, overdue=True) == []
        kept = limit(1) | {"_attempt": "108-reset"}
        kept["_time_limit"]["attempt"] = "108-reset"
        (again,) = insert(jobs, [1], **kept, history=[*document["history"], reset])
        (moved,) = insert(jobs, [2], **kept)  # the `reset` is in `jobs_history`
        assert found(store, overdue=True) == [again, moved]

    def test_odd_values_of_others(self, store: Store, jobs: Documents) -> None:
        odd: list[Any] = [None, 1, "soon", [], {}, {"overdue_from": "soon"}, {"overdue_from": None, "attempt": LIFE}]
        for value in odd:
            insert(jobs, [1], **limit(1, _time_limit=value))
        assert found(store, overdue=True) == []

    def test_what_events_leave_behind(self, store: Store, jobs: Documents) -> None:
        document = catalogued("job-created.json")
        jobs.insert_one(document)

        def apply(event: Event) -> None:
            job = store.jobs.load(document["uuid"])
            assert job is not None
            change = decide(job, event, Authority.JOB, NOW).change
            assert change is not None
            assert store.jobs.apply([(job, change, "e")]) == [Written.YES]

        def stored() -> Any:
            return (jobs.find_one() or {}).get("_time_limit")

        apply(a_command("run"))
        assert stored() is None
        apply(a_report("run", "RUNNING", data={"maxRunTime": "04:00:00"}))
        running = stored()
        assert running.pop("external")
        assert running == {
            "attempt": LIFE,
            "seconds": 4 * HOUR,
            "running_since": NOW.replace(tzinfo=None),
            "overdue_from": (NOW + timedelta(hours=4)).replace(tzinfo=None),
        }
        assert found(store, overdue=True) == [document["uuid"]]
        apply(a_report("resource", "ARCHIVING"))
        assert "overdue_from" not in stored()
        assert found(store, overdue=True) == []
        apply(a_report("run", "RUNNING", data={"maxRunTime": "04:00:00", "lastUpdated": 2}, id="sha256:2"))
        assert found(store, overdue=True) == [document["uuid"]]
        apply(a_report("finish", "FINISHED"))
        assert stored() is None

    @pytest.mark.parametrize(
        "value",
        [
            {"attempt": LIFE, "seconds": "60", "running_since": "x", "external": 1},
            {"attempt": LIFE, "seconds": -1},
            {"attempt": 1},
            "x",
        ],
    )
    def test_odd_values_do_not_cost_a_report(self, store: Store, jobs: Documents, value: Any) -> None:
        jobs.insert_one(catalogued("job-created.json") | {"_life": LIFE, "_time_limit": value})
        job = store.jobs.load(catalogued("job-created.json")["uuid"])
        assert job is not None
        assert job.time_limit is None or job.time_limit.overdue_from is None
        change = decide(job, a_report("run", "RUNNING", data={"maxMinutes": 1}), Authority.JOB, NOW).change
        assert change is not None
        assert store.jobs.apply([(job, change, "e")]) == [Written.YES]


class TestNumbers:
    def test_of_open_jobs(self, store: Store, jobs: Documents) -> None:
        store.ensure_indexes()
        empty = open_jobs.count(store.database)
        assert empty == ((("CREATED", 0, 0.0), ("RUNNING", 0, 0.0)), 0)
        insert(jobs, [1, 7])
        insert(jobs, [3], "CREATED")
        insert(jobs, [50], "CREATED", _visible=False)
        insert(jobs, [70], updated=None)
        insert(jobs, [1], **limit(1))
        insert(jobs, [1], **limit(1), _visible=False)
        insert(jobs, [90], "FINISHED")
        insert(jobs, [-1])  # of a host whose clock is ahead
        counted = open_jobs.count(store.database)
        assert [(one.state, one.jobs) for one in counted.states] == [("CREATED", 1), ("RUNNING", 5)]
        assert [one.quietest for one in counted.states] == pytest.approx([3 * HOUR, 7 * HOUR], abs=60)
        assert counted.overdue == 1

    def test_a_job_from_the_future_has_been_quiet_for_no_time(self, store: Store, jobs: Documents) -> None:
        store.ensure_indexes()
        insert(jobs, [-1])
        assert open_jobs.count(store.database).states[1] == ("RUNNING", 1, 0.0)

    def test_without_an_index_nothing_is_counted(self, store: Store, jobs: Documents) -> None:
        """Without it each look would read all jobs."""
        insert(jobs, [1])
        with pytest.raises(Unavailable):
            open_jobs.count(store.database)


class TestCost:
    """However many jobs have ended, they cost these questions nothing. Counted in keys and documents, not in time."""

    @pytest.fixture(autouse=True)
    def many(self, store: Store, jobs: Documents) -> None:
        store.ensure_indexes()
        insert(jobs, [float(hours) for hours in range(300)], "FINISHED")
        insert(jobs, [float(hours) for hours in range(300)], "FINISHED", **limit(1))
        self.running = insert(jobs, [1, 7, 30])
        self.created = insert(jobs, [2, 400], "CREATED")
        self.overdue = insert(jobs, [3], **limit(1))

    def test_of_lists(self, store: Store) -> None:
        with profiled(store) as seen:
            assert len(found(store, quiet_for=6 * HOUR)) == 3
            assert len(found(store, quiet_for=6 * HOUR, states=("RUNNING",))) == 2
            assert len(found(store, quiet_for=1000 * HOUR)) == 0
            assert found(store, overdue=True) == self.overdue
        examined = [(one["keysExamined"], one["docsExamined"]) for one in seen]
        assert len(examined) == 5  # overdue jobs are looked for among those with a date, and among those without
        assert all(keys <= 8 and documents <= 4 for keys, documents in examined), examined

    def test_of_numbers(self, store: Store) -> None:
        with profiled(store) as seen:
            assert open_jobs.count(store.database).overdue == 1
        plans = " ".join(one["planSummary"] for one in seen)
        assert len(seen) == 5
        assert "COLLSCAN" not in plans
        assert sum(one["docsExamined"] for one in seen) == 1  # the overdue one
        assert all(one["keysExamined"] <= 8 for one in seen), seen

    @pytest.mark.promise("P13")
    def test_nothing_of_it_writes(self, store: Store, jobs: Documents) -> None:
        before = list(jobs.find().sort("_id", 1))
        found(store, quiet_for=0.0)
        found(store, overdue=True)
        open_jobs.count(store.database)
        assert list(jobs.find().sort("_id", 1)) == before
