"""What came of a delivery, and what is told of it."""

import pytest

from pipelinejobs.core import outcome
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.util.errors import OutcomeUnknown, Unavailable, WrongSetting
from support.factories import TOKEN, UUID, a_command, a_job

NAMES = ["verdict", "uuid", "event", "state", "last_event", "reason", "execution"]


def test_the_verdict_line() -> None:
    told = Outcome(
        verdict=Verdict.APPLIED, reason="r", execution="e", uuid=UUID, event="run", state="RUNNING", last_event="run"
    )
    assert list(told.as_dict()) == NAMES
    assert list(told.as_dict().values()) == ["applied", UUID, "run", "RUNNING", "run", "r", "e"]
    assert type(told.as_dict()["verdict"]) is str


def test_what_is_left_to_do_is_not_told_and_what_is_secret_not_shown() -> None:
    came = Outcome(Verdict.ILLEGAL, "r", "e", message={"token": TOKEN}, refusal={"data": TOKEN}, owes=True)
    assert list(came.as_dict()) == NAMES
    assert TOKEN not in repr(came)


def test_an_outcome_about_an_event_tells_nothing_of_the_job() -> None:
    told = outcome.about(a_command("run"), "e", Verdict.UNAVAILABLE, "why")
    assert list(told.as_dict().values()) == ["unavailable", UUID, "run", None, None, "why", "e"]


@pytest.mark.parametrize("error", [Unavailable(), OutcomeUnknown(), WrongSetting("mongodb.uri", "is missing")])
def test_unavailable(error: Unavailable | WrongSetting) -> None:
    told = outcome.unavailable(error, "e")
    assert list(told.as_dict().values()) == ["unavailable", None, None, None, None, error.reason, "e"]


class TestDryRun:
    def test_the_verdict_line_says_so(self) -> None:
        told = Outcome(Verdict.APPLIED, "r", "e", state="CREATED", dry_run=True, state_after="RUNNING")
        assert list(told.as_dict()) == [*NAMES, "dry_run", "state_after"]
        assert told.as_dict()["dry_run"] is True
        assert told.as_dict()["state_after"] == "RUNNING"

    def test_it_shows_the_job_as_it_is_and_leaves_nothing_to_do(self) -> None:
        real = Outcome(Verdict.APPLIED, "r", "e", state="FINISHED", last_event="finish", owes=True, first_use=True)
        told = outcome.of_dry_run(real._replace(refusal={}), a_job("RUNNING", last_event="run"))
        assert (told.state, told.last_event, told.state_after) == ("RUNNING", "run", "FINISHED")
        assert (told.refusal, told.owes, told.first_use, told.dry_run) == (None, False, False, True)

    def test_a_state_that_is_not_shown_stays_hidden(self) -> None:
        told = outcome.of_dry_run(Outcome(Verdict.UNAUTHORISED, "r", "e"), a_job("RUNNING", last_event="run"))
        assert (told.state, told.last_event, told.state_after) == (None, None, None)

    def test_without_an_answer_nothing_was_changed(self) -> None:
        assert outcome.about(a_command("run", dry_run=True), "e", Verdict.UNAVAILABLE, "why").dry_run
        told = outcome.unavailable(OutcomeUnknown(), "e", dry_run=True)
        assert (told.dry_run, told.reason) == (True, "timed out; it was a dry run, so nothing was changed")
        assert outcome.unavailable(Unavailable(), "e", dry_run=True).reason == Unavailable().reason
