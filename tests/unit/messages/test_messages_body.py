"""The object inside a message's text."""

import json
from typing import Any

import pytest

from pipelinejobs.messages.body import MAX_BYTES, WRAPPINGS, object_in
from pipelinejobs.util.errors import Malformed


def refused(text: str) -> str:
    with pytest.raises(Malformed) as caught:
        object_in(text, literal=True)
    return caught.value.reason


@pytest.mark.parametrize(
    "text",
    [None, "", " ", "\r\n\t", '{"message": null}', '{"message": ""}', '{"message": " \\n"}', "{'message': None}"],
)
def test_no_body(text: str | None) -> None:
    assert object_in(text, literal=True) is None


@pytest.mark.parametrize("body", [{}, {"a": 1}, {"message": "x", "a": 1}, {"Message": {}}])
def test_an_object_is_itself(body: dict[str, Any]) -> None:
    assert object_in(json.dumps(body), literal=False) == body


@pytest.mark.parametrize(
    "text",
    [
        '{"message": {"a": true}}',
        '{"message": "{\\"a\\": true}"}',
        '{"message": {"message": "{\\"message\\": {\\"a\\": true}}"}}',
        "{'message': {'a': True}}",
        "{'message': '{\"a\": true}'}",
        "{'message': \"{'a': True}\"}",
        '{"message": "{\\"a\\": \\\\\\n true}"}',
    ],
)
def test_wrappings_come_off(text: str) -> None:
    assert object_in(text, literal=True) == {"a": True}


def test_wrapped_often() -> None:
    text = '{"a": 1}'
    for _ in range(WRAPPINGS):
        text = f'{{"message": {text}}}'
    assert object_in(text, literal=False) == {"a": 1}
    assert refused(f'{{"message": {text}}}') == "body: is wrapped in `message` more than 32 times"
    assert refused('{"message":' * 50_000) == "body: is nested deeper than 32 levels"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "body: must be an object, not a list"),
        ("null", "body: must be an object, not null"),
        ("5", "body: must be an object, not a number"),
        ("True", "body: must be an object, not true or false"),
        ('"text"', "body: must be an object, not text"),
        ('{"message": [1]}', "message: must be an object, not a list"),
        ('{"message": 5}', "message: must be an object, not a number"),
        ('{"message": false}', "message: must be an object, not true or false"),
        ('{"message": NaN}', "message: is NaN, which is not JSON"),
        ('{"message": "[1]"}', "message: must be an object, not a list"),
        ('{"a": 1, "a": 2}', 'body: has the key "a" twice'),
        ('{"data": {"x": [{}, {"a": 1, "a": 2}]}}', 'data.x[1]: has the key "a" twice'),
        ('{"message": {"data": {"x": 1e400}}}', "data.x: is not a finite number"),
    ],
)
def test_refusals_name_the_place(text: str, reason: str) -> None:
    assert refused(text) == reason


def test_wrapped_text_that_is_no_message() -> None:
    assert refused('{"message": "hello"}').startswith("message: is neither JSON (")


def test_a_wrapping_is_no_level() -> None:
    inner = "[" * 31 + "]" * 31
    assert object_in(f'{{"message": {{"a": {inner}}}}}', literal=False) is not None
    assert refused(f'{{"a": [{inner}]}}').endswith("is nested deeper than 32 levels")


@pytest.mark.promise("S11")
@pytest.mark.parametrize("character", ["x", "\xe9", "\U0001f600"])
def test_size_is_in_bytes_of_utf8(character: str) -> None:
    room = MAX_BYTES - len('{"a":""}')
    size = len(character.encode())
    padding = " " * (room % size)
    longest = f'{{"a":"{character * (room // size)}"}}{padding}'
    assert len(longest.encode()) == MAX_BYTES
    assert object_in(longest, literal=False) is not None
    assert refused(longest + " ") == "body: is larger than 1048576 bytes"
