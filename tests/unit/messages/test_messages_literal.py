"""Python literals, as Abaco makes them."""

import time
import warnings

import pytest

from pipelinejobs.messages.literal import MAX_BYTES, parse
from pipelinejobs.messages.values import Flaw
from pipelinejobs.util.errors import Malformed


def refused(text: str) -> str:
    with pytest.raises(Malformed) as caught:
        parse(text, "body")
    return caught.value.problem


@pytest.mark.parametrize(
    "value",
    [
        {"ok": True, "n": None, "s": "it's", "f": False},
        {"quotes": 'it\'s "both"', "back": "\\ \\n \\", "lines": "a\nb\rc\td"},
        {"control": "\x00\x1b\x7f\x85\xa0\xad", "far": "\u2028\ufeff\U0001f600\U000e0001", "half": "\ud83d"},
        {"numbers": [0, -1, 1.5, -0.0, 1e16, -1e-07, 2**63, -(2**63), 10**30, 5e-324, 1.7976931348623157e308]},
        {"": {}, "a": [], "b": [[], [{}]]},
        [1, 2],
        "text",
        -5,
        True,
        None,
    ],
)
def test_reads_what_repr_writes(value: object) -> None:
    result = parse(repr(value), "body")
    assert result == value
    assert repr(result) == repr(value)


def test_blanks_between_are_free() -> None:
    assert parse(" {\n\t'a' :[ 1 ,\r\n2 ] } ", "body") == {"a": [1, 2]}


@pytest.mark.promise("S6")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "(1, 2)",
        "{'a': (1,)}",
        "{1, 2}",
        "{'a', 'b'}",
        "set()",
        "b'x'",
        "{'a': b'x'}",
        "u'x'",
        "r'x'",
        "f'{1}'",
        "{'a': f'x'}",
        "'a' 'b'",
        "['a'\n\"b\"]",
        "'''a'''",
        "{'a': ''''''}",
        "1j",
        "{'a': 1+2j}",
        "inf",
        "{'a': nan}",
        "{'a': -inf}",
        "--1",
        "+1",
        "-True",
        "~1",
        "1_000",
        "0x10",
        "0o7",
        "007",
        "1.",
        ".5",
        "1if 1else 2",
        "Ellipsis",
        "...",
        "true",
        "null",
        "{1: 2}",
        "{None: 2}",
        "{True: 2}",
        "{-1: 2}",
        "{**{}}",
        "[*[]]",
        "[1, 2][0]",
        "[1][0:1]",
        "{'a': 1}['a']",
        "[1,]",
        "{'a': 1,}",
        "[,]",
        "{'a'}",
        "{'a': 1 'b': 2}",
        "[1 2]",
        "[[]",
        "[]]",
        "{'a': 1}{'b': 2}",
        "{'a': 1} # note",
        "'a\nb'",
        "'a\\\nb'",
        "'\\d'",
        "'\\0'",
        "'\\x4'",
        "'\\U00110000'",
        "'\\N{BULLET}'",
        "'a",
        "\"a'",
        "[x for x in []]",
        "lambda: 1",
        "(a := 1)",
        "__import__('os').system('true')",
        "'a'.upper()",
        "'%s' % 1",
        "[1]\n[2]",
        "[1]; [2]",
        "a = 1",
        "'a\0b'",
        "{'a': 1}\xa0",
        "[\u0661]",
    ],
)
def test_refuses_what_repr_of_json_never_writes(text: str) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert refused(text)
    assert seen == []


def test_names_the_character() -> None:
    assert refused("{'a': (1,)}") == "unexpected text at character 7"
    assert refused("{'a': [1][0]}") == "unexpected subscript at character 7"


def test_a_key_twice_leaves_a_flaw() -> None:
    assert parse("{'a': 1, 'b': {'c': 1, 'c': 2}}", "body") == {"a": 1, "b": Flaw('has the key "c" twice')}
    assert parse("{'a': 1, '\\x61': 2}", "body") == Flaw('has the key "a" twice')


@pytest.mark.promise("S12")
def test_longer_than_abaco_can_deliver() -> None:
    longest = "'" + "x" * (MAX_BYTES - 2) + "'"
    assert parse(longest, "body") == longest[1:-1]
    assert refused("'" + longest) == "is longer than the 131067 bytes that Abaco can deliver"
    assert refused("'" + "\xe9" * (MAX_BYTES // 2) + "'").startswith("is longer")


@pytest.mark.promise("S10")
@pytest.mark.promise("S17")
@pytest.mark.parametrize(
    "text",
    [
        "[" * 65_000 + "]" * 65_000,
        "[" * 130_000,
        "{'a':" * 26_000,
        "[" * 199 + "1 2" + "]" * 199,
        "-" * 130_000 + "1",
        "[1]" * 40_000,
        "1" * 130_000,
        "'" + "\\'" * 65_000,
        "'a' " * 30_000,
        "'a'" + " " * 130_000 + "x",
        "[" + " " * 130_000,
        "[" + "1 " * 60_000,
        "1" + "0.0" * 40_000,
        "{'a': 1, " * 14_000,
        "[" + "{}," * 43_000 + "x]",
    ],
)
def test_hostile_texts_are_refused_soon(text: str) -> None:
    begin = time.process_time()
    assert refused(text)
    assert time.process_time() - begin < 5  # they take well under a second; backtracking would take minutes
