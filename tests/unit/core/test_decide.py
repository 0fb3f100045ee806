"""The decision: every cell of the lifecycle judged twice, repetitions, attempts, and what is owed."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from fsm.lifecycle import STATES
from fsm.replay import final_state
from pipelinejobs.core import identity
from pipelinejobs.core.decide import MOST_EXTERNALS, Decision, decide
from pipelinejobs.core.job import Entry, Job, Trusted
from pipelinejobs.core.tokens import Authority, token_hash
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.external import External
from support.factories import LIFE, NOW, TOKEN, UUID, a_command, a_job, a_report

TABLE = Path(__file__).parents[2] / "data" / "verdicts.txt"
CELLS = [line.split() for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]


def judge(job: Job, event: Event, seen: Entry | None = None, authority: Authority = Authority.JOB) -> Decision:
    return decide(job, event, authority, NOW, seen)


def names(decision: Decision) -> list[str]:
    return [entry.name for entry in decision.change.entries] if decision.change else []


@pytest.mark.parametrize(("state", "event", "command", "report"), CELLS)
def test_a_command_is_strict(state: str, event: str, command: str, report: str) -> None:
    decision = judge(a_job(state), a_command(event))
    if command == "-":
        assert decision.verdict is Verdict.ILLEGAL
        assert decision.change is None
        assert state in decision.reason
    else:
        assert decision.verdict is Verdict.APPLIED
        assert decision.change is not None
        assert decision.change.state == command
        assert names(decision) == [event]


@pytest.mark.parametrize(("state", "event", "command", "report"), CELLS)
def test_a_report_is_never_illegal(state: str, event: str, command: str, report: str) -> None:
    decision = judge(a_job(state), a_report(event))
    if report == "-":
        assert decision.verdict is Verdict.STALE
        assert decision.change is None
    else:
        after, _, implied = report.partition("+")
        assert decision.verdict is Verdict.APPLIED
        assert decision.change is not None
        assert decision.change.state == after
        assert names(decision) == ([implied, event] if implied else [event])


def test_the_implied_run_says_so() -> None:
    decision = judge(a_job(), a_report("finish", "FINISHED"))
    assert decision.change is not None
    implied, finish = decision.change.entries
    assert implied.data == {"implied": True, "implied_by": finish.uuid}
    assert implied.uuid != finish.uuid
    assert implied.uuid.startswith("108")


def test_entries_have_whole_seconds() -> None:
    decision = decide(a_job(), a_command("run"), Authority.JOB, NOW.replace(microsecond=123456))
    assert decision.change is not None
    assert decision.change.entries[0].date == NOW


class TestRepetition:
    def entry(self, event: Event, job: Job, **changes: Any) -> Entry:
        fields = {"uuid": identity.entry_uuid(job, event), "name": event.name, "data": event.data, "date": NOW}
        return Entry(**(fields | changes))

    def test_the_same_event_is_a_duplicate_even_where_it_is_not_allowed_any_more(self) -> None:
        job, event = a_job("RETIRED"), a_command("run", data={"a": [1, {"b": None}]})
        decision = judge(job, event, self.entry(event, job))
        assert decision.verdict is Verdict.DUPLICATE
        assert decision.change is None

    def test_the_same_id_with_another_event_is_malformed(self) -> None:
        job, event = a_job("RUNNING"), a_command("finish", id="sender:abc")
        decision = judge(job, event, self.entry(event, job, name="run"))
        assert decision.verdict is Verdict.MALFORMED
        assert "abc" in decision.reason

    def test_the_same_id_with_other_data_is_malformed(self) -> None:
        job, event = a_job("RUNNING"), a_command("update", data={"a": 1}, id="sender:abc")
        assert judge(job, event, self.entry(event, job, data={"a": 2})).verdict is Verdict.MALFORMED

    @pytest.mark.parametrize(("first", "second"), [(1, True), (1, 1.0), (0, False), ("1", 1), (None, {})])
    def test_values_that_only_python_takes_for_equal_are_other_data(self, first: Any, second: Any) -> None:
        job, event = a_job("RUNNING"), a_command("update", data={"a": first}, id="sender:abc")
        assert judge(job, event, self.entry(event, job, data={"a": second})).verdict is Verdict.MALFORMED

    def test_a_digest_is_its_content(self) -> None:
        job, event = a_job("RUNNING"), a_report("update", data={"note": "came this way"})
        assert judge(job, event, self.entry(event, job, data={"note": "another way"})).verdict is Verdict.DUPLICATE

    def test_two_notifications_of_one_tapis_event_are_duplicates(self) -> None:
        inner = {"uuid": "e1", "type": "jobs.JOB_NEW_STATUS.RUNNING"}
        job = a_job("RUNNING")
        event = a_report("run", id="tapis:e1", external="tapis:1-007", data={"uuid": "n2", "event": inner})
        first = self.entry(event, job, data={"uuid": "n1", "event": inner})
        assert judge(job, event, first).verdict is Verdict.DUPLICATE
        other = self.entry(event, job, data={"uuid": "n1", "event": {**inner, "type": "jobs.JOB_NEW_STATUS.FAILED"}})
        assert judge(job, event, other).verdict is Verdict.MALFORMED

    def test_a_reset_sent_twice_has_one_identity(self) -> None:
        reset = a_command("reset", id="sender:r1")
        before = a_job("FAILED")
        decision = judge(before, reset)
        assert decision.change is not None
        after = a_job("RESET", attempt=decision.change.attempt)
        assert after.attempt != before.attempt
        assert identity.entry_uuid(after, reset) == identity.entry_uuid(before, reset)


class TestIdentity:
    def test_it_depends_on_kind_life_and_id(self) -> None:
        job = a_job()
        uuids = {
            identity.entry_uuid(job, a_command("run", id="execution:1")),
            identity.entry_uuid(job, a_command("run", id="execution:2")),
            identity.entry_uuid(job, a_command("run", id="sender:1")),
            identity.entry_uuid(job, a_report("run", id="execution:1", external=None)),
            identity.entry_uuid(a_job(life="another"), a_command("run", id="execution:1")),
        }
        assert len(uuids) == 5
        assert all(uuid.startswith("108") for uuid in uuids)


class TestAttempts:
    external = identity.external_digest("agave:1-007")

    def test_the_first_applied_report_binds_its_external_job(self) -> None:
        decision = judge(a_job(), a_report("run"))
        assert decision.change is not None
        assert decision.change.external == "agave:1-007"

    def test_a_bound_one_is_not_bound_again(self) -> None:
        job = a_job("RUNNING", externals={self.external: LIFE}, external=External("agave", "1-007"))
        decision = judge(job, a_report("update"))
        assert decision.change is not None
        assert decision.change.external is None

    @pytest.mark.parametrize("is_newest", [True, False])
    def test_the_newest_is_named_where_a_former_version_did_not(self, is_newest: bool) -> None:
        other = identity.external_digest("agave:2-007")
        order = [other, self.external] if is_newest else [self.external, other]
        decision = judge(a_job("RUNNING", externals=dict.fromkeys(order, LIFE)), a_report("update"))
        assert decision.change is not None
        assert decision.change.external == ("agave:1-007" if is_newest else None)

    def test_reports_of_an_earlier_attempt_are_stale(self) -> None:
        job = a_job("CREATED", attempt="108-second", externals={self.external: LIFE})
        decision = judge(job, a_report("finish", "FINISHED"))
        assert decision.verdict is Verdict.STALE
        assert "earlier attempt" in decision.reason

    def test_another_external_job_belongs_to_the_new_attempt(self) -> None:
        job = a_job("CREATED", attempt="108-second", externals={self.external: LIFE})
        assert judge(job, a_report("run", external="agave:2-007")).verdict is Verdict.APPLIED

    def test_the_same_report_in_another_attempt_has_another_identity(self) -> None:
        report = a_report("run", external="agave:2-007")
        assert identity.entry_uuid(a_job(), report) != identity.entry_uuid(a_job(attempt="108-second"), report)

    def test_reset_begins_a_new_attempt(self) -> None:
        decision = judge(a_job("FAILED"), a_command("reset"), authority=Authority.ADMINISTRATIVE)
        assert decision.change is not None
        assert decision.change.attempt == decision.change.entries[0].uuid


@pytest.mark.promise("P4")
class TestIndexRequests:
    @pytest.mark.parametrize(
        ("job", "event", "owes"),
        [
            (a_job("RUNNING"), a_command("finish"), True),
            (a_job("RUNNING"), a_report("finish"), True),
            (a_job("CREATED"), a_report("finish"), True),
            (a_job("FINISHED"), a_command("finish"), False),
            (a_job("FINISHED"), a_report("finish"), False),
            (a_job("FINISHED"), a_command("index"), True),
            (a_job("INDEXING"), a_command("index"), False),
            (a_job("INDEXING"), a_command("indexed"), False),
            (a_job("FINISHED"), a_command("indexed"), False),
            (a_job("RUNNING"), a_command("fail"), False),
            (a_job("CREATED"), a_command("run"), False),
        ],
    )
    def test_one_for_each_entry(self, job: Job, event: Event, owes: bool) -> None:
        decision = judge(job, event)
        assert decision.change is not None
        assert decision.change.owes_index is owes


@pytest.mark.promise("P3")
@pytest.mark.parametrize("final", [("finish", "FINISHED"), ("fail", "FAILED")])
def test_reports_lead_to_one_state_in_every_order(final: tuple[str, str]) -> None:
    reports = [
        a_report("resource", "QUEUED"),
        a_report("run", "RUNNING"),
        a_report("resource", "ARCHIVING"),
        a_report("update", "HEARTBEAT"),
        a_report(*final),
    ]
    for order in permutations(reports):
        state, history = "CREATED", ["create"]
        for report in order:
            decision = judge(a_job(state), report)
            assert decision.verdict in (Verdict.APPLIED, Verdict.STALE)
            if decision.change is not None:
                state = decision.change.state
                history += names(decision)
        assert state == final[1], [report.status for report in order]
        assert final_state(history) == state


class TestDamage:
    @pytest.mark.parametrize("state", STATES)
    def test_nothing_is_written_to_a_damaged_job(self, state: str) -> None:
        job = a_job(state, damage="history is not an array")
        assert judge(job, a_command("update")).verdict is Verdict.ILLEGAL
        report = judge(job, a_report("update"))
        assert report.verdict is Verdict.STALE
        assert "history is not an array" in report.reason


class TestFirstUse:
    def test_an_applied_event_pins_its_token(self) -> None:
        job = a_job("RUNNING", revision=1, salt="rotated")
        decision = judge(job, a_command("update"), authority=Authority.FIRST_USE)
        assert decision.change is not None
        assert decision.change.trusted == (Trusted("jdoe", token_hash(UUID, TOKEN), LIFE),)
        assert TOKEN not in repr(decision.change)

    def test_each_sender_has_one_of_its_own(self) -> None:
        strangers = (Trusted("stranger", token_hash(UUID, "0" * 16)),)
        job = a_job("RUNNING", revision=1, salt="rotated", tokens=(), trusted=strangers)
        decision = judge(job, a_command("update"), authority=Authority.FIRST_USE)
        assert decision.change is not None
        assert decision.change.trusted == (*strangers, Trusted("jdoe", token_hash(UUID, TOKEN), LIFE))

    @pytest.mark.parametrize(
        ("event", "verdict"), [(a_command("run"), Verdict.UNAUTHORISED), (a_report("run"), Verdict.STALE)]
    )
    def test_what_is_not_applied_has_shown_nothing(self, event: Event, verdict: Verdict) -> None:
        decision = judge(a_job("RETIRED", revision=1), event, authority=Authority.FIRST_USE)
        assert decision.verdict is verdict
        assert "RETIRED" not in decision.reason

    def test_a_known_token_is_trusted_no_further(self) -> None:
        decision = judge(a_job("RUNNING"), a_command("update"))
        assert decision.change is not None
        assert decision.change.trusted is None

    def test_that_the_salt_was_changed_before_is_kept_from_the_first_event_on(self) -> None:
        decision = judge(a_job("RUNNING", revision=1), a_command("update"))
        assert decision.change is not None
        assert decision.change.trusted == ()


def test_the_present_token_is_remembered_with_every_event() -> None:
    decision = judge(a_job(tokens=("first",)), a_command("run"))
    assert decision.change is not None
    assert decision.change.tokens == ("first", token_hash(UUID, TOKEN))


@pytest.mark.parametrize(
    ("job", "alone"),
    [
        (a_job(tokens=(token_hash(UUID, TOKEN),), alone=True), True),
        (a_job(tokens=(token_hash(UUID, TOKEN),)), False),
        (a_job(tokens=(token_hash(UUID, TOKEN),), alone=True, salt="changed by another program"), False),
    ],
    ids=["made here", "made elsewhere", "its salt was changed"],
)
def test_a_job_is_alone_until_another_program_changes_its_salt(job: Job, alone: bool) -> None:
    decision = judge(job, a_command("run"))
    assert decision.change is not None
    assert decision.change.alone is alone


@pytest.mark.promise("P3")
def test_an_external_job_is_never_forgotten() -> None:
    """Else a late report of an earlier attempt would finish the present one."""
    known = {identity.external_digest(f"agave:{number}"): "108-former" for number in range(MOST_EXTERNALS)}
    job = a_job("RUNNING", externals=known, attempt="108-present")
    assert judge(job, a_report("finish", "FINISHED", "agave:0")).verdict is Verdict.STALE
    one_more = judge(job, a_report("finish", "FINISHED", "agave:new"))
    assert one_more.verdict is Verdict.STALE
    assert str(MOST_EXTERNALS) in one_more.reason
    assert judge(job, a_command("finish")).verdict is Verdict.APPLIED


class TestReportsUnderTheSendersId:
    """The id stands in the URL of a callback, which a job system calls with whatever it has to say."""

    def test_each_status_is_another_report(self) -> None:
        job = a_job("RUNNING")
        running = a_report("run", "RUNNING", id="sender:x", external=None)
        finished = a_report("finish", "FINISHED", id="sender:x", external=None)
        assert identity.entry_uuid(job, running) != identity.entry_uuid(job, finished)

    def test_the_same_status_is_the_same_report_whatever_is_around_it(self) -> None:
        job, event = a_job("RUNNING"), a_report("run", "RUNNING", id="sender:x", external=None, data={"mended": ["a"]})
        seen = Entry(uuid=identity.entry_uuid(job, event), name="run", data={"other": 1}, date=NOW)
        assert judge(job, event, seen).verdict is Verdict.DUPLICATE

    def test_marks_make_no_other_report(self) -> None:
        job = a_job("RUNNING")
        event = a_report("run", "RUNNING", id="execution:x", external=None, data={"a": 1, "mended": ["b"]})
        seen = Entry(uuid=identity.entry_uuid(job, event), name="run", data={"a": 1}, date=NOW)
        assert judge(job, event, seen).verdict is Verdict.DUPLICATE
