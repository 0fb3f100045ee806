"""Edges of the decision: what a repetition is compared with, and what a sender is told of it."""

from typing import Any, Final

import pytest

from fsm.lifecycle import STATES
from fsm.machine import allowed
from pipelinejobs.core import identity
from pipelinejobs.core.decide import MOST_EXTERNALS, Change, decide, without_data
from pipelinejobs.core.job import Entry, Job, Trusted
from pipelinejobs.core.tokens import Authority, token_hash
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.util.secret import Secret
from support.factories import LIFE, NOW, TOKEN, a_command, a_job, a_report


def repeated(event: Event, data: Any, name: str | None = None) -> tuple[Verdict, str]:
    """The verdict on an event under whose id there is an entry with these data, and the reason."""
    job = a_job("RUNNING")
    seen = Entry(uuid=identity.entry_uuid(job, event), name=name or event.name, data=data, date=NOW)
    decision = decide(job, event, Authority.JOB, NOW, seen)
    assert decision.change is None
    return decision.verdict, decision.reason


class TestRepetition:
    def test_the_order_of_keys_says_nothing(self) -> None:
        event = a_command("update", id="sender:1", data={"a": 1, "b": {"c": 2, "d": 3}})
        assert repeated(event, {"b": {"d": 3, "c": 2}, "a": 1})[0] is Verdict.DUPLICATE

    def test_stored_data_may_be_what_json_has_no_word_for(self) -> None:
        event = a_command("update", id="sender:1", data={"at": "2026"})
        assert repeated(event, {"at": NOW})[0] is Verdict.MALFORMED

    @pytest.mark.parametrize("event", [a_command("update", id="sender:1"), a_report("update", id="tapis:1")])
    def test_data_for_which_there_was_no_room_are_not_compared(self, event: Event) -> None:
        stored = without_data(event._replace(data={"much": 1})).data
        assert stored == identity.LEFT_OUT
        assert repeated(event._replace(data={"much": 1}), stored)[0] is Verdict.DUPLICATE
        assert repeated(event, stored, name="resource")[0] is Verdict.MALFORMED

    def test_the_sender_is_told_which_event_and_how_the_job_stands(self) -> None:
        verdict, reason = repeated(a_command("update", id="sender:1"), None)
        assert verdict is Verdict.DUPLICATE
        assert "update" in reason
        assert "RUNNING" in reason

    def test_an_id_that_was_used_before_is_told_whole_but_not_for_ever(self) -> None:
        assert "the id a:b:c was used" in repeated(a_command("update", id="sender:a:b:c"), {"other": 1})[1]
        assert "x" * 129 not in repeated(a_command("update", id=f"sender:{'x' * 500}"), {"other": 1})[1]


def test_a_status_says_nothing_of_a_command_under_its_senders_id() -> None:
    command = a_command("update", id="sender:1")
    assert identity.entry_uuid(a_job(), command) == identity.entry_uuid(a_job(), command._replace(status="RUNNING"))


class TestWhatIsNotAllowed:
    @pytest.mark.parametrize("state", STATES)
    def test_a_command_is_told_what_is_allowed_in_its_place(self, state: str) -> None:
        decision = decide(a_job(state), a_command("create" if state != "CREATED" else "ready"), Authority.JOB, NOW)
        assert decision.verdict is Verdict.ILLEGAL
        told = decision.reason.partition("allowed now: ")[2]
        expected = [name for name in allowed(state) if name not in ("create", "reset", "ready")]
        assert told.split(", ") == (expected or ["nothing but administrative events"])

    @pytest.mark.parametrize(("status", "said"), [("PAUSED", "PAUSED"), (None, "run"), ("x" * 200, "x" * 128 + " ")])
    def test_a_report_is_told_how_the_job_stands(self, status: str | None, said: str) -> None:
        decision = decide(a_job("FINISHED"), a_report("run", status), Authority.JOB, NOW)
        assert decision.verdict is Verdict.STALE
        assert "FINISHED" in decision.reason
        assert f"the report of {said}" in decision.reason


BOUND: Final = identity.external_digest("agave:1-007")


@pytest.mark.promise("S18")
@pytest.mark.parametrize(
    "job",
    [
        a_job("RUNNING", damage="it is damaged"),
        a_job("RUNNING", attempt="108-second", externals={BOUND: LIFE}),
        a_job("RUNNING", externals={str(number): LIFE for number in range(MOST_EXTERNALS)}),
        a_job("RETIRED"),
    ],
    ids=["damaged", "an earlier attempt", "one external job too many", "not allowed"],
)
def test_a_token_of_first_use_that_is_not_applied_is_told_nothing_of_the_job(job: Job) -> None:
    decision = decide(job, a_report("finish", "FINISHED"), Authority.FIRST_USE, NOW)
    assert (decision.verdict, decision.change) == (Verdict.STALE, None)
    for secret in (job.state, "damage", "attempt", "external"):
        assert secret not in decision.reason
    known = decide(job, a_report("finish", "FINISHED"), Authority.JOB, NOW)
    assert known.verdict is Verdict.STALE
    assert len(known.reason) > len(decision.reason)


def test_the_sender_of_an_applied_event_is_told_which_way_the_job_went() -> None:
    assert decide(a_job(), a_command("run"), Authority.JOB, NOW).reason == "run: CREATED -> RUNNING"


def applied(job: Job, event: Event) -> Change:
    change = decide(job, event, Authority.JOB, NOW).change
    assert change is not None
    return change


class TestWhatIsWritten:
    def test_the_entry_is_found_again_by_its_uuid_and_holds_what_was_said(self) -> None:
        job, event = a_job("RUNNING"), a_command("update", data={"a": [1]})
        (entry,) = applied(job, event).entries
        assert entry == Entry(uuid=identity.entry_uuid(job, event), name="update", data={"a": [1]}, date=NOW)

    def test_the_implied_run_has_the_date_of_its_report_and_a_uuid_that_only_this_report_gives(self) -> None:
        run, finish = applied(a_job(), a_report("finish", "FINISHED")).entries
        other, _ = applied(a_job(), a_report("finish", "FINISHED", id="sha256:another")).entries
        assert run.date == finish.date == NOW
        assert run.uuid == identity.implied_uuid(finish.uuid) != other.uuid

    def test_a_token_of_first_use_is_trusted_also_where_run_is_implied(self) -> None:
        job, event = a_job(revision=1, entries=2), a_report("finish", "FINISHED", tokens=(Secret("unknown"),))
        change = decide(job, event, Authority.FIRST_USE, NOW).change
        assert change is not None
        assert [entry.name for entry in change.entries] == ["run", "finish"]
        assert change.trusted == (Trusted("jdoe", token_hash(job.uuid, "unknown"), job.attempt),)

    def test_the_reason_says_what_is_implied(self) -> None:
        reason = decide(a_job(), a_report("finish", "FINISHED"), Authority.JOB, NOW).reason
        assert reason.startswith("finish: CREATED -> FINISHED;")
        assert "implied" in reason

    @pytest.mark.parametrize("name", ["update", "finish", "fail"])
    def test_only_a_reset_begins_an_attempt(self, name: str) -> None:
        assert applied(a_job("RUNNING", attempt="108-present"), a_command(name)).attempt == "108-present"


def test_a_job_and_an_event_show_no_secret_where_they_are_printed() -> None:
    """A traceback, a debugger or a failing test prints them."""
    trusted = Trusted("jdoe", "v1:trusted")
    job = a_job(tokens=("v1:hash-of-a-token",), trusted=(trusted,), former_tokens=("v1:former",), salt="the-salt")
    shown = repr(job)
    assert job.uuid in shown
    assert "CREATED" in shown
    for secret in ("the-salt", "v1:hash-of-a-token", "v1:trusted", "v1:former"):
        assert secret not in shown
    assert TOKEN not in repr(a_command("run"))
