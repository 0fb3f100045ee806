"""What became of questions, and the rounds of gateways with their leases."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from pipelinejobs.messages.external import External
from pipelinejobs.store import Store
from pipelinejobs.store.asked import AskedJobs
from pipelinejobs.store.quiet_jobs import Place
from support.factories import a_job
from support.process import NewJob, StoredJob

JOB = External("agave", "1-007")
OLD = datetime(2026, 1, 1, tzinfo=UTC)
DUE = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def rows(store: Store) -> AskedJobs:
    return store.asked


def note(rows: AskedJobs, result: str, uuid: str, *, is_answered: bool = True, why: str = "why") -> None:
    status = "RUNNING" if result == "known" else None
    rows.note(a_job(uuid=uuid), JOB, result, status, why, is_answered=is_answered)


class TestRows:
    def test_the_newest_question(self, rows: AskedJobs, job: StoredJob) -> None:
        assert rows.of(a_job(uuid=job.uuid)) is None
        note(rows, "known", job.uuid)
        row = rows.of(a_job(uuid=job.uuid))
        assert row is not None
        assert row[1:] == ("agave", "1-007", "known", "RUNNING", "why", 0)

    def test_it_counts_questions_in_a_row_without_an_answer(self, rows: AskedJobs, job: StoredJob) -> None:
        counts = []
        for is_answered in (False, False, True, False):
            note(rows, "unanswered" if not is_answered else "unknown", job.uuid, is_answered=is_answered)
            row = rows.of(a_job(uuid=job.uuid))
            assert row is not None
            counts.append(row.unanswered)
        assert counts == [1, 2, 0, 1]

    @pytest.mark.promise("F12")
    def test_its_time_is_the_databases(self, rows: AskedJobs, job: StoredJob, database: Database[Any]) -> None:
        """By it MongoDB removes the row, whatever our clock says."""
        note(rows, "known", job.uuid)
        (row,) = database["jobs_asked"].aggregate([{"$set": {"now": "$$NOW"}}])
        assert timedelta(0) <= row["now"] - row["asked"] < timedelta(minutes=1)

    def test_a_former_life_of_the_job_has_no_question(self, rows: AskedJobs, job: StoredJob) -> None:
        note(rows, "known", job.uuid)
        assert rows.of(a_job(uuid=job.uuid, life="another")) is None

    def test_texts_are_cut_and_storable(self, rows: AskedJobs, job: StoredJob) -> None:
        rows.note(a_job(uuid=job.uuid), JOB, "known", "S\ud800" + "x" * 999, "w" * 999, is_answered=True)
        row = rows.of(a_job(uuid=job.uuid))
        assert row is not None
        assert (len(row.status or ""), len(row.why)) == (64, 300)

    def test_open_jobs_are_counted_by_their_newest_result(self, rows: AskedJobs, new_job: NewJob) -> None:
        for result, state in (
            ("unknown", "RUNNING"),
            ("unknown", "CREATED"),
            ("unknown", "FINISHED"),
            ("unanswered", "RUNNING"),
            ("known", "RUNNING"),
        ):
            note(rows, result, new_job(state=state).uuid)
        assert rows.unresolved(("unknown", "unanswered", "missed")) == {"unknown": 2, "unanswered": 1, "missed": 0}


class TestRounds:
    def test_one_gateway_has_the_lease(self, rows: AskedJobs) -> None:
        assert rows.begin("agave", "one", 60) is not None
        assert rows.begin("agave", "another", 60) is None
        assert rows.begin("tapis", "another", 60) is not None, "each server has a lease of its own"
        assert rows.renew("agave", "one", 60)
        assert not rows.renew("agave", "another", 60)

    def test_the_lease_of_a_dead_gateway_ends(self, rows: AskedJobs) -> None:
        assert rows.begin("agave", "dead", 0) is not None
        begun = rows.begin("agave", "another", 60)
        assert begun is not None
        assert begun.holder == "another"
        assert not rows.renew("agave", "dead", 60)
        rows.end("agave", "dead", due=DUE, counts={"known": 1}, behind=None)
        assert rows.begin("agave", "third", 60) is None, "the dead one cannot give up what it has lost"

    def test_a_gateway_that_failed_itself_begins_again(self, rows: AskedJobs) -> None:
        assert rows.begin("agave", "one", 60) is not None
        assert rows.begin("agave", "one", 60) is not None

    def test_the_next_round_begins_when_it_is_due(self, rows: AskedJobs) -> None:
        begun = rows.begin("agave", "one", 60)
        assert begun is not None
        rows.end("agave", "one", due=begun.began + timedelta(hours=1), counts={"known": 3}, behind=None)
        assert rows.begin("agave", "one", 60) is None
        assert rows.begin("agave", "another", 60) is None
        rows._asked.update_one({}, {"$set": {"due": begun.began}})
        assert rows.begin("agave", "another", 60) is not None

    def test_what_is_kept_of_a_round(self, rows: AskedJobs) -> None:
        place = Place(OLD, ObjectId())
        assert rows.begin("agave", "one", 60) is not None
        rows.end("agave", "one", due=DUE, counts={"known": 3, "not known where": 1}, behind=place)
        rows.begin("tapis", "one", 60)
        agave, tapis = rows.rounds()
        assert (agave.system, agave.counts, agave.behind) == ("agave", {"known": 3, "not known where": 1}, place)
        assert agave.ended is not None
        assert agave.ended >= agave.began
        assert (tapis.system, tapis.counts, tapis.ended, tapis.behind) == ("tapis", {}, None, None)

    def test_a_round_that_was_broken_off_says_nothing(self, rows: AskedJobs) -> None:
        assert rows.begin("agave", "one", 60) is not None
        rows.end("agave", "one", due=DUE, counts=None, behind=None)
        (found,) = rows.rounds()
        assert found.ended is None

    def test_rounds_are_no_rows(self, rows: AskedJobs, job: StoredJob, database: Database[Any]) -> None:
        """MongoDB removes rows by the field `asked`, which a document about rounds lacks."""
        rows.begin("agave", "one", 60)
        note(rows, "known", job.uuid)
        assert [row.system for row in rows.rounds()] == ["agave"]
        assert database["jobs_asked"].count_documents({"asked": {"$exists": True}}) == 1
