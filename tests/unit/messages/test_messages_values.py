"""What a message may hold."""

import sys
from typing import Any

import pytest

from pipelinejobs.messages.values import DEPTH, Flaw, check, kind_of, path_of, problem_of, shown
from pipelinejobs.util.errors import Malformed


def refused(body: dict[str, Any]) -> str:
    with pytest.raises(Malformed) as caught:
        check(body)
    return caught.value.reason


@pytest.mark.parametrize(
    "value",
    [0, -0.0, 2**63 - 1, -(2**63), 1e308, 5e-324, True, None, "", "\U0001f600 \r\n\x1b", [], {}, 6.022e23],
)
def test_holds(value: object) -> None:
    check({"data": value})


@pytest.mark.promise("S7")
@pytest.mark.parametrize("key", ["$where", "$set", "a.b", "", "__proto__", "_id", "0.state", "message"])
def test_every_key_without_nul_is_data(key: str) -> None:
    check({key: {key: [key]}})


@pytest.mark.promise("S9")
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (2**63, "is an integer beyond 64 bits, which MongoDB cannot hold; send it as text"),
        (-(2**63) - 1, "is an integer beyond 64 bits, which MongoDB cannot hold; send it as text"),
        (float("inf"), "is not a finite number"),
        (float("nan"), "is not a finite number"),
        ("a\0b", "holds a NUL character"),
        ("\ud800", "holds a lone surrogate: half a character, or a byte that is not UTF-8"),
        (Flaw("is odd"), "is odd"),
        (b"", "is something that JSON does not have"),
    ],
)
def test_names_the_place_and_the_problem(value: object, problem: str) -> None:
    assert refused({"data": {"list": [0, {"x": value}]}}) == f"data.list[1].x: {problem}"


def test_names_the_object_of_a_bad_key() -> None:
    assert refused({"data": {"a\0": 1}}) == 'data: has the key "a\\u0000", which holds a NUL character'
    assert refused({"\udc00": 1}).startswith('body: has the key "\\udc00", which holds a lone surrogate')


@pytest.mark.promise("S10")
def test_depth_counts_objects_and_lists() -> None:
    body: Any = "the innermost value is not a level"
    for _ in range(DEPTH - 1):
        body = [body]
    check({"a": body})
    assert refused({"a": [body]}).endswith("is nested deeper than 32 levels")


def test_depth_beyond_the_stack() -> None:
    body: dict[str, Any] = {}
    for _ in range(sys.getrecursionlimit() * 5):
        body = {"a": body}
    reason = refused(body)
    assert reason.startswith("a.a.a.a.")
    assert len(reason) < 300


@pytest.mark.promise("S14")
def test_place_is_readable_and_harmless() -> None:
    assert path_of() == "body"
    assert path_of("data", "list", 3) == "data.list[3]"
    assert path_of("data", "a.b", "c") == 'data["a.b"].c'
    assert path_of("$set") == 'body["$set"]'
    assert path_of("data", "\x1b[31m\n") == 'data["\\u001b[31m\\n"]'
    assert len(path_of("x" * 10_000)) < 80
    assert len(path_of(*["key"] * 1000)) < 210


def test_shown_is_cut_and_escaped() -> None:
    assert shown("a\r\n\u202e") == '"a\\r\\n\\u202e"'
    assert shown("x" * 60) == '"' + "x" * 60 + '"'
    assert shown("x" * 61) == '"' + "x" * 60 + '..."'


def test_kinds_have_names() -> None:
    values = ["", True, 1, 1.5, None, [], {}]
    names = ["text", "true or false", "a number", "a number", "null", "a list", "an object"]
    assert [kind_of(value) for value in values] == names
    assert problem_of(()) == "is something that JSON does not have"
