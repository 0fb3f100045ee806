"""What came of a delivery, and what is told of it."""

import pytest

from pipelinejobs.core import outcome
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.util.errors import OutcomeUnknown, Unavailable, WrongSetting
from support.factories import TOKEN, UUID, a_command

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
