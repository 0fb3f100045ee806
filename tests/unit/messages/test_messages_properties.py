"""Properties of every message, tried with generated messages."""

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fsm.lifecycle import EVENTS
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.messages.marks import KEY
from pipelinejobs.messages.parameters import NAMES
from pipelinejobs.messages.reader import explain, read
from pipelinejobs.messages.recognition import problems
from pipelinejobs.messages.schema import accepts
from pipelinejobs.messages.values import check
from pipelinejobs.util.errors import Malformed
from support.message_samples import JOB, OTHER_JOB, TOKEN, delivery, sample

FORMS: list[dict[str, Any]] = [
    {"uuid": JOB, "name": "finish"},
    {"uuid": JOB, "name": "update", "token": TOKEN, "data": {"a": [1]}},
    sample("agave-callback"),
    sample("aloe-callback"),
    sample("tapis-notification"),
]


def nest(value: Any, levels: int) -> Any:
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


any_text = st.text(st.characters())  # lone surrogates and NUL among them
good_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
good_values = st.recursive(
    st.none() | st.booleans() | numbers | good_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(good_text, inner, max_size=4),
    max_leaves=12,
)
good_objects = st.dictionaries(good_text, good_values, max_size=4)
odd_values: st.SearchStrategy[Any] = (
    good_values
    | any_text
    | st.integers(min_value=2**62)
    | st.sampled_from(
        [2**63, -(2**63) - 1, 1e300, "a\0", "\ud800", "", None, {}, [], JOB, JOB + "\n", "jobs.x", "finish"]
    )
    | st.builds(nest, st.just(1), st.integers(28, 34))
    | st.dictionaries(any_text, st.just(1), min_size=1, max_size=2)
)
known_keys = sorted({key for form in FORMS for key in form} | {"event", "message", "type", "_links", "note"})
keys = st.sampled_from(known_keys) | any_text


@st.composite
def nearly_messages(draw: Callable[..., Any]) -> dict[str, Any]:
    """A good message with a few keys changed, added or taken away, perhaps in wrappings."""
    body: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(FORMS)))
    for _ in range(draw(st.integers(0, 3))):
        inner = body["event"] if isinstance(body.get("event"), dict) and draw(st.booleans()) else body
        if draw(st.booleans()):
            inner[draw(keys)] = draw(odd_values)
        elif inner:
            del inner[draw(st.sampled_from(sorted(inner)))]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        body = {"message": body}
    return body


def is_read(text: str, **parameters: str) -> bool:
    """Whether a message is taken as it is, with nothing mended."""
    try:
        event = read(delivery(text, parameters, literal=False))
    except Malformed:
        return False
    return KEY not in (event.data or {})


@given(nearly_messages())
@example(FORMS[2] | {"id": None})
@example(FORMS[3] | {"_links": []})
@example({"uuid": JOB, "name": "run", "data": {"x": 6.02e23}})
@example({"message": {"uuid": JOB, "name": "run", "data": {"x": 1e300}}})
def test_schema_and_reader_agree_on_messages(body: dict[str, Any]) -> None:
    text = json.dumps(body)
    parsed = json.loads(text)  # a surrogate pair in two halves becomes a character here
    assume(not holds_message_text(parsed))
    # A callback needs the parameter uuid; a JSON event may disagree with it.
    assert accepts(parsed) == (is_read(text) or is_read(text, uuid=OTHER_JOB, token="other"))


def holds_message_text(body: Any) -> bool:
    """Whether a message is wrapped as text, or wraps nothing: what JSON Schema cannot look into."""
    while isinstance(body, dict) and set(body) == {"message"}:
        body = body["message"]
    return not isinstance(body, dict)


@given(nearly_messages())
def test_whatever_the_schema_refuses_it_can_word(body: dict[str, Any]) -> None:
    assert bool(problems(body)) == (not accepts(body))
    for problem in problems(body):
        assert problem.isascii()
        assert problem.isprintable()
        assert ": " in problem
        assert not problem.endswith("is not allowed here")


@given(st.dictionaries(keys, odd_values, max_size=4) | st.lists(odd_values, max_size=4))
def test_schema_and_reader_agree_on_data(body: Any) -> None:
    import jsonschema

    from pipelinejobs.messages.schema_definition import definition

    body = json.loads(json.dumps(body))
    assume(not isinstance(body, dict) or (set(body) != {"message"} and not EVENT.has_keys(body)))
    schema = definition() | {"$ref": "#/$defs/data"}
    del schema["anyOf"]
    fits = jsonschema.Draft202012Validator(schema).is_valid(body)
    with_whole_floats = "e+" in json.dumps(body)  # other validators take 1e+300 for an integer
    assert fits == is_read(json.dumps(body), uuid=JOB, event="update") or with_whole_floats


@given(good_objects, st.sampled_from(sorted(EVENTS)))
def test_json_and_its_python_repr_mean_the_same(data: dict[str, Any], name: str) -> None:
    body = {"uuid": JOB, "name": name, "data": data}
    with contextlib.suppress(Malformed):
        check(body)  # hypothesis may nest deeper than a message
        from_json = read(delivery(json.dumps(body), literal=False))
        from_repr = read(delivery(repr(body)))
        assert from_json == from_repr
        assert repr(from_json.data) == repr(from_repr.data) == repr(data)


@given(good_objects)
@example({"$set": {"a.b": 1, "": {"_id": None}}, "__proto__": {}})
def test_data_is_given_back_exactly(data: dict[str, Any]) -> None:
    assume(set(data) != {"message"})
    body = {"uuid": JOB, "name": "update", "data": data}
    assert repr(read(delivery(body)).data) == repr(data)


texts = (
    any_text
    | st.binary().map(lambda body: body.decode("utf-8", "surrogateescape"))
    | st.text("{}[]()'\",:\\\n\r 01e-.TrueFalsNoni")
    | odd_values.map(json.dumps)
    | odd_values.map(repr)
    | nearly_messages().map(json.dumps)
    | nearly_messages().map(repr)
    | st.builds(
        lambda piece, times: piece * times, st.sampled_from(["[", "{'a':", '{"a":', "-", "9", "'"]), st.just(3000)
    )
)


@given(
    st.none() | texts,
    st.dictionaries(st.sampled_from(NAMES), any_text | st.sampled_from([JOB, "run", "${X}"]), max_size=4),
    st.booleans(),
)
def test_nothing_but_a_refusal_is_ever_raised(body: str | None, parameters: dict[str, str], literal: bool) -> None:
    given = Delivery(id="exec-1", body=body, parameters=parameters, literal=literal)
    outcome = outcome_of(given)
    if isinstance(outcome, Malformed):
        assert outcome.reason.startswith(f"{outcome.path}: ")
        for reason in (outcome.reason, explain(given, outcome)):
            assert reason.isascii()
            assert reason.isprintable()
    else:
        assert outcome.name in EVENTS
        json.dumps(outcome.data, allow_nan=False)
        repr(outcome.data).encode()


def outcome_of(given: Delivery) -> Event | Malformed:
    try:
        return read(given)
    except Malformed as refusal:
        return refusal


@pytest.mark.promise("S10")
@pytest.mark.parametrize(
    "body",
    [
        '{"a":' * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"d":[' * 100 + "1" + "]}" * 100,
        json.dumps({str(number): 1 for number in range(80_000)}),
        json.dumps({"a": [0] * 300_000}),
        json.dumps({"uuid": JOB, "name": "x" * 1_000_000}),
        json.dumps({"uuid": JOB, "x" * 1_000_000: 1}),
        '{"a": ' + "9" * 1_000_000 + "}",
        '{"a": 0.' + "9" * 1_000_000 + "}",
        '{"a": "' + "\\\n" * 500_000 + '"}',
        "[" * 1_048_576,
    ],
)
def test_large_and_deep_bodies_get_an_answer(body: str) -> None:
    given = delivery(body)
    outcome = outcome_of(given)
    assert isinstance(outcome, Malformed)
    assert len(explain(given, outcome)) < 1000
