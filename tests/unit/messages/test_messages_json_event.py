"""JSON events."""

from typing import Any

import pytest

from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.util.errors import Malformed
from support.message_samples import JOB, TOKEN, event_of, token_of

GOOD = {"uuid": JOB, "name": "finish"}


def test_all_keys() -> None:
    event = event_of({**GOOD, "token": TOKEN, "data": {"any": "object"}})
    assert (event.job, event.name, event.data) == (JOB, "finish", {"any": "object"})
    assert token_of(event) == TOKEN
    assert TOKEN not in repr(event)


def test_token_and_data_are_optional() -> None:
    event = event_of(GOOD)
    assert event.tokens == ()
    assert event.data is None


def test_an_empty_token_is_a_token_and_empty_data_is_data() -> None:
    event = event_of({**GOOD, "token": "", "data": {}})
    assert token_of(event) == ""
    assert event.data == {}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (GOOD, True),
        ({"uuid": None, "name": []}, True),
        ({**GOOD, "token": 5, "data": 5}, True),
        ({**GOOD, "x": 1}, False),
        ({"uuid": JOB}, False),
        ({"name": "finish", "token": ""}, False),
        ({}, False),
    ],
)
def test_it_is_recognised_by_its_keys_alone(body: dict[str, Any], answer: bool) -> None:
    assert EVENT.has_keys(body) is answer


@pytest.mark.promise("S1")
@pytest.mark.promise("S6")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"uuid": {"$ne": None}}, "uuid: must be text, not an object"),
        ({"uuid": [JOB]}, "uuid: must be text, not a list"),
        ({"uuid": JOB.upper()}, "uuid: is a UUID with upper-case letters; write it in lower case"),
        ({"name": {"$regex": "."}}, "name: must be text, not an object"),
        ({"name": None}, "name: must be text, not null"),
        ({"token": None}, "token: must be text, not null"),
        ({"token": 5}, "token: must be text, not a number"),
        ({"token": {"$gt": ""}}, "token: must be text, not an object"),
        ({"data": None}, "data: must be an object, not null"),
        ({"data": []}, "data: must be an object, not a list"),
        ({"data": "{}"}, "data: must be an object, not text"),
        ({"event": "run"}, "event: is not a key of a JSON event; put the event's name under `name`"),
        ({"Data": {}}, "Data: is not a key of a JSON event, whose keys are uuid, name, token, data"),
        ({"$where": "1"}, 'body["$where"]: is not a key of a JSON event, whose keys are uuid, name, token, data'),
    ],
)
def test_refusals(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        EVENT.check(GOOD | change)
    assert caught.value.reason == reason


@pytest.mark.parametrize("key", ["uuid", "name"])
def test_required_keys(key: str) -> None:
    with pytest.raises(Malformed) as caught:
        EVENT.check({name: value for name, value in GOOD.items() if name != key})
    assert caught.value.reason == f"{key}: is missing"
