"""The declaration of a form, and what is checked by it."""

from typing import Any

import pytest

from pipelinejobs.messages.form import Form, Key
from pipelinejobs.util.errors import Malformed


def not_odd(value: int | str, path: str) -> None:
    if value == "odd":
        raise Malformed(path, "is odd")


CLOSED = Form(
    "closed",
    "a closed form",
    (Key("a", str, check=not_odd), Key("b", dict, keys=(Key("c", str),)), Key("d", str, required=False)),
    is_closed=True,
    hints={"aa": "is not a key; write `a`"},
)
OPEN = Form("open", "an open form", (Key("a", str), Key("d", str, required=False)), absent=("z",))


def said(form: Form, body: dict[str, Any]) -> list[str]:
    return [problem.reason for problem in form.problems(body)]


@pytest.mark.parametrize(
    ("form", "body", "has_keys", "fits"),
    [
        (CLOSED, {"a": "", "b": {"c": ""}}, True, True),
        (CLOSED, {"a": "", "b": {"c": "", "more": 1}, "d": ""}, True, True),
        (CLOSED, {"a": "odd", "b": {"c": ""}}, True, False),
        (CLOSED, {"a": 5, "b": {}}, True, False),
        (CLOSED, {"a": ""}, False, False),
        (CLOSED, {"a": "", "b": {"c": ""}, "more": 1}, False, False),
        (OPEN, {"a": "", "more": 1}, True, True),
        (OPEN, {"a": "", "d": None}, True, False),
        (OPEN, {"a": "", "z": None}, False, False),
        (OPEN, {}, False, False),
    ],
)
def test_which_bodies_are_of_a_form(form: Form, body: dict[str, Any], has_keys: bool, fits: bool) -> None:
    assert (form.has_keys(body), form.fits(body)) == (has_keys, fits)


def test_every_problem_is_said_unknown_keys_first_and_missing_ones_before_wrong_ones() -> None:
    assert said(CLOSED, {"a": "odd", "aa": 1, "x.y": 1, "d": None}) == [
        "aa: is not a key; write `a`",
        'body["x.y"]: is not a key of a closed form, whose keys are a, b, d',
        "b: is missing",
        "a: is odd",
        "d: must be text, not null",
    ]
    assert said(CLOSED, {"a": "", "b": {}}) == ["b.c: is missing"]
    assert said(CLOSED, {"a": "", "b": {"c": 5}}) == ["b.c: must be text, not a number"]
    assert said(OPEN, {}) == ["a: is missing from what looks like an open form"]


def test_a_check_raises_the_first() -> None:
    with pytest.raises(Malformed, match="a: is missing"):
        OPEN.check({"d": 5})
    OPEN.check({"a": ""})
