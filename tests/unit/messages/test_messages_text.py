"""The text of a message, turned into a value."""

import pytest

from pipelinejobs.messages.text import json_value, parse
from pipelinejobs.messages.values import Flaw
from pipelinejobs.util.errors import Malformed


def refused(text: str, literal: bool = False) -> str:
    with pytest.raises(Malformed) as caught:
        parse(text, literal=literal)
    return caught.value.reason


def test_reads_json_and_literals() -> None:
    expected = {"uuid": "107", "a": True, "b": None}
    assert parse('{"uuid":"107","a":true,"b":null}', literal=False) == expected
    assert parse("{'uuid': '107', 'a': True, 'b': None}", literal=True) == expected


def test_a_literal_needs_leave() -> None:
    reason = refused("{'a': True}")
    assert reason == "body: is not JSON: Expecting property name enclosed in double quotes at line 1, column 2"


def test_json_comes_first() -> None:
    assert parse('{"a": "\\/"}', literal=True) == {"a": "/"}  # as a literal it would be refused


def test_says_why_it_is_neither() -> None:
    assert refused("hello", literal=True) == (
        "body: is neither JSON (Expecting value at line 1, column 1) "
        "nor a Python literal (unexpected text at character 1)"
    )


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize("literal", [True, False])
def test_a_backslash_at_the_end_of_a_line_is_the_shells(line_break: str, literal: bool) -> None:
    text = '{"uuid": "107", \\\n   "name": "finish", \\\n "data": {"a\\\nb": "x\\\\ny"}}'.replace("\n", line_break)
    expected = {"uuid": "107", "name": "finish", "data": {"ab": "x\\ny"}}
    assert parse(text, literal=literal) == expected


def test_the_pairs_are_removed_once() -> None:
    assert "is not JSON" in refused('{"a": 1, \\\\\n\n}')


@pytest.mark.promise("S9")
@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("NaN", "is NaN, which is not JSON"),
        ("Infinity", "is Infinity, which is not JSON"),
        ("-Infinity", "is -Infinity, which is not JSON"),
        ('{"a": 1, "b": 2, "a": 1}', 'has the key "a" twice'),
        ('{"a": 1, "\\u0061": 1}', 'has the key "a" twice'),
        ("9" * 4301, "is an integer beyond 64 bits, which MongoDB cannot hold; send it as text"),
        ("-" + "9" * 500_000, "is an integer beyond 64 bits, which MongoDB cannot hold; send it as text"),
        ("[" * 100_000, "is nested deeper than 32 levels"),
        ('{"a":' * 100_000, "is nested deeper than 32 levels"),
    ],
)
def test_what_json_allows_and_a_message_does_not_is_a_flaw(text: str, flaw: str) -> None:
    assert parse(text, literal=False) == Flaw(flaw)


def test_int64_is_read_exactly() -> None:
    assert json_value("[-9223372036854775808, 9223372036854775807]") == [-(2**63), 2**63 - 1]


@pytest.mark.promise("S9")
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1} x',
        '{"a": 1}{"b": 2}',
        '{"a": 1,}',
        "{'a': 1}",
        '{"a": 01}',
        '{"a": +1}',
        '{"a": 0x1}',
        '{"a": .5}',
        '{"a": "line\nbreak"}',
        '{"a": "\t"}',
        "{} // note",
        '{"a": undefined}',
        '{"a": "\\x41"}',
        '{"a": \u0661}',
        '{"a"',
        "uuid=107&name=finish",
    ],
)
def test_refuses_what_is_not_json(text: str) -> None:
    assert refused(text).startswith("body: is not JSON: ")


@pytest.mark.promise("S9")
def test_refuses_odd_encodings() -> None:
    assert refused("\ufeff{}") == "body: begins with a byte order mark; send UTF-8 without one"
    assert refused('{"a": "\udcff"}').startswith("body: holds a lone surrogate")
    assert refused('{\0"\0a\0"\0:\x001\0}\0') == "body: holds a NUL character"


def test_a_refusal_quotes_nothing_and_keeps_nothing() -> None:
    with pytest.raises(Malformed) as caught:
        parse('{"token": "f337c3508de01c67" "x"}', literal=True)
    error: BaseException | None = caught.value
    while error is not None:
        assert "f337c3508de01c67" not in repr(error) + str(vars(error))
        error = error.__cause__ or error.__context__
