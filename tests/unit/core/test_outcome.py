"""What is told to the sender of a delivery."""

import json

import pytest

from pipelinejobs.core import outcome
from pipelinejobs.core.outcome import Answer
from pipelinejobs.core.verdict import EXIT_CODES, EXIT_WRONG_SETTING, Verdict
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.util.errors import OutcomeUnknown, Unavailable, WrongSetting
from support.factories import TOKEN, UUID, a_command

NAMES = ["verdict", "uuid", "event", "state", "last_event", "reason", "execution"]


def read(body: str | None, **parameters: str) -> Event | Answer:
    return outcome.read(Delivery(id="exec-1", body=body, parameters=parameters, sender="jdoe"))


def test_a_message_becomes_its_event() -> None:
    event = read(json.dumps({"uuid": UUID, "name": "run", "token": TOKEN}))
    assert isinstance(event, Event)
    assert (event.job, event.name, event.sender) == (UUID, "run", "jdoe")


@pytest.mark.parametrize("body", [None, "", "{}", "[]", "nonsense", '{"uuid": 5, "name": "run"}', "{" * 100_000])
def test_what_cannot_be_read_is_malformed(body: str | None) -> None:
    given = read(body)
    assert isinstance(given, Answer)
    assert given.verdict is Verdict.MALFORMED
    assert given.execution == "exec-1"
    assert (given.uuid, given.event, given.state, given.last_event) == (None, None, None, None)
    assert given.reason


@pytest.mark.parametrize(("named", "uuid"), [(UUID, UUID), ("no uuid", None)])
def test_of_what_cannot_be_read_the_job_in_the_url_is_kept(named: str, uuid: str | None) -> None:
    given = read("nonsense", uuid=named)
    assert isinstance(given, Answer)
    assert (given.verdict, given.uuid) == (Verdict.MALFORMED, uuid)


def test_a_refusal_names_everything_that_is_wrong() -> None:
    given = read('{"uuid": 5, "name": 6, "more": 7}')
    assert isinstance(given, Answer)
    for place in ("uuid: ", "name: ", "more: "):
        assert place in given.reason


@pytest.mark.parametrize(
    "body",
    [
        {"uuid": TOKEN, "name": "run"},
        {"uuid": UUID, "name": TOKEN},
        {"uuid": UUID, "name": "run", "token": [TOKEN]},
        {"uuid": UUID, "name": "run", "token": TOKEN, "data": TOKEN},
        {"message": TOKEN},
    ],
)
def test_a_refusal_shows_no_token(body: dict[str, object]) -> None:
    given = read(json.dumps(body))
    assert isinstance(given, Answer)
    assert TOKEN not in json.dumps(given.as_dict())


def test_the_verdict_line() -> None:
    given = Answer(
        verdict=Verdict.APPLIED, reason="r", execution="e", uuid=UUID, event="run", state="RUNNING", last_event="run"
    )
    assert list(given.as_dict()) == NAMES
    assert list(given.as_dict().values()) == ["applied", UUID, "run", "RUNNING", "run", "r", "e"]
    assert type(given.as_dict()["verdict"]) is str


def test_an_answer_about_an_event_tells_nothing_of_the_job() -> None:
    given = outcome.about(a_command("run"), "e", Verdict.UNAVAILABLE, "why")
    assert list(given.as_dict().values()) == ["unavailable", UUID, "run", None, None, "why", "e"]


@pytest.mark.parametrize("error", [Unavailable(), OutcomeUnknown(), WrongSetting("mongodb.uri", "is missing")])
def test_unavailable(error: Unavailable | WrongSetting) -> None:
    given = outcome.unavailable(error, "e")
    assert list(given.as_dict().values()) == ["unavailable", None, None, None, None, error.reason, "e"]


def test_every_verdict_has_an_exit_code_and_a_meaning() -> None:
    assert set(EXIT_CODES) == set(Verdict)
    assert {verdict for verdict, code in EXIT_CODES.items() if code == 0} == {
        Verdict.APPLIED,
        Verdict.DUPLICATE,
        Verdict.STALE,
    }
    failures = [code for code in EXIT_CODES.values() if code] + [EXIT_WRONG_SETTING]
    assert len(set(failures)) == len(failures)
