"""A delivery becomes its event, or is refused with everything that is wrong with it."""

import json

import pytest

from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.service import reading
from support.factories import TOKEN, UUID


def read(body: str | None, **parameters: str) -> Event | Outcome:
    return reading.read(Delivery(id="exec-1", body=body, parameters=parameters, sender="jdoe"))


def test_a_message_becomes_its_event() -> None:
    event = read(json.dumps({"uuid": UUID, "name": "run", "token": TOKEN}))
    assert isinstance(event, Event)
    assert (event.job, event.name, event.sender) == (UUID, "run", "jdoe")


@pytest.mark.parametrize("body", [None, "", "{}", "[]", "nonsense", '{"uuid": 5, "name": "run"}', "{" * 100_000])
def test_what_cannot_be_read_is_malformed(body: str | None) -> None:
    told = read(body)
    assert isinstance(told, Outcome)
    assert told.verdict is Verdict.MALFORMED
    assert told.execution == "exec-1"
    assert (told.uuid, told.event, told.state, told.last_event) == (None, None, None, None)
    assert told.reason


def test_the_job_that_the_parameters_name_is_told() -> None:
    told = read("nonsense", uuid=UUID)
    assert isinstance(told, Outcome)
    assert told.uuid == UUID


def test_a_refusal_names_everything_that_is_wrong() -> None:
    told = read('{"uuid": 5, "name": 6, "more": 7}')
    assert isinstance(told, Outcome)
    for path in ("uuid: ", "name: ", "more: "):
        assert path in told.reason


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
    told = read(json.dumps(body))
    assert isinstance(told, Outcome)
    assert TOKEN not in json.dumps(told.as_dict())
