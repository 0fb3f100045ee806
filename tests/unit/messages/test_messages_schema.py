"""The JSON Schema in force, and the words of the reader beside it."""

import json
from typing import Any

import jsonschema
import pytest

from pipelinejobs.messages.recognition import MOST_PROBLEMS, problems
from pipelinejobs.messages.schema import accepts
from pipelinejobs.messages.schema_definition import definition
from support.message_samples import JOB, TOKEN, sample

EVENT = {"uuid": JOB, "name": "finish", "token": TOKEN, "data": {"any": "object"}}
SAMPLES = [EVENT, sample("agave-callback"), sample("aloe-callback"), sample("tapis-notification")]


@pytest.mark.parametrize("body", SAMPLES)
def test_accepts_every_form(body: dict[str, Any]) -> None:
    assert accepts(body)
    assert accepts({"message": body})
    assert problems(body) == []
    assert problems({"message": {"message": body}}) == []


@pytest.mark.parametrize("body", SAMPLES)
def test_other_validators_accept_every_form(body: dict[str, Any]) -> None:
    jsonschema.validate(body, definition(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "text",
        5,
        {"message": None},
        {"message": "text"},
        {"message": [EVENT]},
        {"message": EVENT, "x": 1},
        {"uuid": JOB},
        EVENT | {"uuid": JOB + "\n" + JOB},
        EVENT | {"uuid": JOB.upper()},
        EVENT | {"name": "FINISH!"},
        EVENT | {"token": None},
        EVENT | {"data": None},
        EVENT | {"x": 1},
        EVENT | {"data": {"x": 2**63}},
        EVENT | {"data": {"x": float("nan")}},
        EVENT | {"data": {"x": float("-inf")}},
        EVENT | {"data": {"x": ["a\0"]}},
        EVENT | {"data": {"x": ["\ud800"]}},
        EVENT | {"data": {"x": {"\ud800": 1}}},
        EVENT | {"token": "\0"},
    ],
)
def test_refuses(body: object) -> None:
    assert not accepts(body)


@pytest.mark.parametrize("body", SAMPLES)
def test_nesting(body: dict[str, Any]) -> None:
    # The body is level 1; the data of an event, level 2, holds what else it holds.
    depth = 30 if body is EVENT else 31
    value: Any = "x"
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    key = "data" if body is EVENT else "more"
    fits, too_deep = ({"a": value}, {"a": [value]}) if body is EVENT else (value, [value])
    assert accepts(body | {key: fits})
    assert not accepts(body | {key: too_deep})
    assert [text.partition(": ")[2] for text in problems(body | {key: too_deep})] == ["is nested deeper than 32 levels"]


@pytest.mark.promise("S10")
def test_bodies_beyond_the_stack() -> None:
    body: Any = EVENT
    for _ in range(100_000):
        body = {"message": body}
    assert not accepts(body)
    assert problems(body)
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert not accepts(EVENT | {"data": deep})


def test_names_every_problem() -> None:
    body = {
        "uuid": JOB.upper(),
        "token": 5,
        "data": {"big": 2**64, "text": ["\ud800"], "a\0": 1, "nan": float("nan")},
        "event": "run",
    }
    assert sorted(problems(body)) == [
        "data.big: is an integer beyond 64 bits, which MongoDB cannot hold; send it as text",
        "data.nan: is not a finite number",
        "data.text[0]: holds a lone surrogate: half a character, or a byte that is not UTF-8",
        'data: has the key "a\\u0000", which holds a NUL character',
        "event: is not a key of a JSON event; put the event's name under `name`",
        "name: is missing",
        "token: must be text, not a number",
        "uuid: is a UUID with upper-case letters; write it in lower case",
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], ["body: must be an object, not a list"]),
        ({"message": 5}, ["body: must be an object, not a number"]),
        (
            {"event": {"type": "files.x"}},
            ["event.type: must begin with `jobs.`: the only notifications of Tapis that are read are those of Jobs"],
        ),
        ({"event": {}}, ["event.type: is missing from what looks like a Tapis notification"]),
        (
            {"tenantId": "t", "tenantQueue": 5, "owner": "o", "status": "s", "appId": "a"},
            [
                "executionSystem: is missing from what looks like an Aloe callback",
                "tenantQueue: must be text, not a number",
            ],
        ),
    ],
)
def test_speaks_of_the_form_that_was_meant(body: object, expected: list[str]) -> None:
    assert problems(body) == expected


def test_a_body_that_looks_like_nothing() -> None:
    assert problems({"any": "object"})[0].startswith("body: names no event; send a JSON event")


def test_not_more_than_one_can_read() -> None:
    body = (
        EVENT | {"data": {f"k{number}": 2**64 for number in range(1000)}} | {f"x{number}": 1 for number in range(1000)}
    )
    assert len(problems(body)) == MOST_PROBLEMS


@pytest.mark.parametrize(
    "body", [{}, {"a": 1}, {"message": 1, "a": 2}, {"$set": {"a.b": [None, 1.5]}}, [], None, "x", 5, {"message": 5}]
)
def test_data_is_anything_that_can_be_stored(body: Any) -> None:
    schema = definition() | {"$ref": "#/$defs/data"}
    del schema["anyOf"]
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(body)
    wrongs: list[Any] = [[2**63], "\0", {"a": "\0"}, {"a": 2**63}]
    for wrong in wrongs:
        assert not validator.is_valid(wrong)


def test_bodies_come_out_as_they_went_in() -> None:
    body = {"uuid": 5, "data": {"a": [1]}}
    before = json.dumps(body)
    problems(body)
    accepts(body)
    assert json.dumps(body) == before
