"""What can be kept of a report's body, whatever is wrong with it."""

import gzip
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.lenient import LARGEST, Mended, read
from pipelinejobs.messages.marks import MOST, Marks
from support.message_samples import sample

FORM = "application/x-www-form-urlencoded"
MIB = 1024 * 1024


def mended(body: str | bytes | None, *, literal: bool = False, **headers: Any) -> tuple[Mended, list[str]]:
    marks = Marks()
    return read(Delivery(id="e", body=body, literal=literal, **headers), marks), marks.texts()


def value_of(body: str | bytes, *, literal: bool = False, **headers: Any) -> Any:
    """What the body is read as, where nothing has to be marked."""
    found, marks = mended(body, literal=literal, **headers)
    assert (marks, found.is_kept) == ([], True)
    return found.value


def test_a_good_body_is_taken_as_it_is() -> None:
    body = sample("agave-callback")
    for text in (json.dumps(body), json.dumps({"message": body}), json.dumps({"message": json.dumps(body)})):
        assert value_of(text) == value_of(text.encode()) == body
    assert value_of(repr(body), literal=True) == body


class TestEncodings:
    TEXT = '{"name": "\u00e9 \u00b0 \u00b5"}'

    @pytest.mark.parametrize(
        ("encoding", "content_type", "how"),
        [
            ("latin-1", None, "is not UTF-8; read as ISO-8859-1"),
            ("latin-1", "application/json", "is not UTF-8; read as ISO-8859-1"),
            ("latin-1", "application/json; charset=utf-8", "is not UTF-8; read as ISO-8859-1"),
            ("latin-1", "application/json; charset=no-such", "is not UTF-8; read as ISO-8859-1"),
            ("latin-1", "application/json; charset=unicode_escape", "is not UTF-8; read as ISO-8859-1"),
            ("latin-1", "application/json; charset=idna", "is not UTF-8; read as ISO-8859-1"),
            ("cp437", 'application/json; charset="CP437"', "is not UTF-8; read as CP437"),
            ("utf-8-sig", None, "begins with a byte order mark; read as UTF-8"),
            ("utf-16", None, "begins with a byte order mark; read as UTF-16-LE"),
            ("utf-32", None, "begins with a byte order mark; read as UTF-32-LE"),
            ("utf-16-be", None, "is not UTF-8; read as UTF-16-BE"),
        ],
    )
    def test_are_read_as_what_they_say(self, encoding: str, content_type: str | None, how: str) -> None:
        found, marks = mended(self.TEXT.encode(encoding), content_type=content_type)
        assert found.value == {"name": "\u00e9 \u00b0 \u00b5"}
        assert marks == [f"body: {how}"]

    def test_in_the_environment(self) -> None:
        text = self.TEXT.encode("latin-1").decode("utf-8", "surrogateescape")
        assert mended(text) == mended(self.TEXT.encode("latin-1"))
        assert mended("\ufeff" + self.TEXT)[1] == ["body: begins with a byte order mark; left out"]

    def test_the_label_does_not_count_where_it_is_wrong(self) -> None:
        assert value_of(self.TEXT.encode(), content_type="application/json; charset=iso-8859-1") == json.loads(
            self.TEXT
        )
        assert value_of(b"{}", content_type="application/octet-stream", content_encoding="gzip") == {}


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value", "mark"),
        [
            ("18446744073709551616", "18446744073709551616", "is an integer beyond 64 bits; kept as text"),
            ("-9223372036854775809", "-9223372036854775809", "is an integer beyond 64 bits; kept as text"),
            ("9" * 5000, "9" * 5000, "is an integer beyond 64 bits; kept as text"),
            ("1e400", "1e400", "is not a finite number; kept as text"),
            ("NaN", "NaN", "is not a finite number; kept as text"),
            ("-Infinity", "-Infinity", "is not a finite number; kept as text"),
            ('"a\\u0000b"', "a\ufffdb", "holds a NUL character; replaced by U+FFFD"),
            (
                '"\\ud83d"',
                "\ufffd",
                "holds a lone surrogate: half a character, or a byte that is not UTF-8; replaced by U+FFFD",
            ),
        ],
        ids=lambda value: value[:20],
    )
    def test_what_mongodb_cannot_hold(self, text: str, value: Any, mark: str) -> None:
        found, marks = mended(f'{{"parameters": {{"x": [1, {text}]}}}}')
        assert found.value == {"parameters": {"x": [1, value]}}
        assert type(found.value["parameters"]["x"][1]) is type(value)
        assert marks == [f"parameters.x[1]: {mark}"]

    @pytest.mark.parametrize(
        ("literal", "value"), [("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity"), (str(2**64), str(2**64))]
    )
    def test_as_abaco_writes_them(self, literal: str, value: str) -> None:
        text = f"{{'a': {literal}, 'b': \"it's nan\", 'c': 'True \"é\" \\n', 'd': [True, None, 1.5, '\\x00']}}"
        found, marks = mended(text, literal=True)
        assert found.value == {"a": value, "b": "it's nan", "c": 'True "é" \n', "d": [True, None, 1.5, "\ufffd"]}
        assert len(marks) == 2

    def test_the_largest_that_fit_stay(self) -> None:
        assert value_of(f'{{"a": [{2**63 - 1}, {-(2**63)}, 1.5e308, -0.0]}}') == {
            "a": [2**63 - 1, -(2**63), 1.5e308, -0.0]
        }

    def test_of_a_key_twice_the_last_counts(self) -> None:
        found, marks = mended('{"a": {"b": 1, "c": 2, "b": 3}}')
        assert found.value == {"a": {"b": 3, "c": 2}}
        assert marks == ["a: has a key twice; the last counts"]

    def test_keys_that_become_the_same(self) -> None:
        found, marks = mended('{"a\\u0000": 1, "a\\ud800": 2}')
        assert found.value == {"a\ufffd": 2}
        assert marks[-1] == "body: has a key twice; the last counts"

    def test_marks_have_an_end(self) -> None:
        _, marks = mended(json.dumps({f"k{number}": float("nan") for number in range(1000)}))
        assert len(marks) == MOST + 1
        assert marks[-1] == f"and {1000 - MOST} more"
        _, marks = mended('{"' + "k" * 500_000 + '": NaN}')
        assert len(marks[0]) < 300


class TestWhatIsLeftOut:
    @pytest.mark.parametrize("depth", [32, 100, 900, 5000, 90_000])
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    def test_what_is_too_deep_but_what_it_says(self, depth: int, opening: str, closing: str) -> None:
        found, marks = mended(f'{{"status": "FINISHED", "deep": {opening * depth}1{closing * depth}, "b": 2}}')
        assert not found.is_kept
        assert (found.value["status"], found.value["b"]) == ("FINISHED", 2)
        assert marks == ["body: is nested deeper than 32 levels; left out"]

    def test_a_literal_too(self) -> None:
        found, _ = mended(f"{{'status': 'FINISHED', 'deep': {'[' * 5000}{']' * 5000}}}", literal=True)
        assert not found.is_kept
        assert found.value["status"] == "FINISHED"

    def test_what_is_too_large_but_what_it_says(self) -> None:
        for body in (
            json.dumps({"status": "RUNNING", "x": "y" * MIB}),
            json.dumps({"status": "RUNNING", "x": "é" * 600_000}, ensure_ascii=False),
        ):
            found, marks = mended(body)
            assert not found.is_kept
            assert found.value["status"] == "RUNNING"
            assert marks == [f"body: is larger than {MIB} bytes; left out"]

    def test_what_is_too_large_to_be_looked_at(self) -> None:
        assert mended(b" " * (LARGEST + 1)) == (Mended(is_kept=False), [f"body: is larger than {MIB} bytes; left out"])
        assert mended(None, missing="is gone") == (Mended(is_kept=False), ["body: is gone; left out"])

    def test_compressed_and_binary_bodies(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"content_encoding": "gzip"}, 'header Content-Encoding: is "gzip"; the body is left out'),
            (
                {"content_type": "application/octet-stream"},
                "header Content-Type: is application/octet-stream; the body is left out",
            ),
        ]
        for headers, mark in cases:
            found, marks = mended(gzip.compress(b'{"a": 1}', mtime=0), **headers)
            assert (found.value, found.is_kept, marks[-1]) == (None, False, mark)


class TestText:
    @pytest.mark.parametrize(
        ("body", "content_type", "value"),
        [
            (b"Job failed", "text/plain", "Job failed"),
            (b"Job failed", FORM, "Job failed"),
            (b"a=1&b=2", FORM, "a=1&b=2"),
            (urlencode({"message": "Job failed", "x": "y"}).encode(), FORM, "Job failed"),
            (b"message=a&message=b", FORM, "a"),
            (b"a=1&" * 200, FORM, "a=1&" * 200),
            (b"--x\r\nContent", "multipart/form-data; boundary=x", "--x\r\nContent"),
            (b'{"a": ', "application/json", '{"a": '),
            (b"caf\xe9\0", None, "caf\u00e9\ufffd"),
            (b"{'a': 1}", None, "{'a': 1}"),
        ],
    )
    def test_that_says_nothing_is_kept(self, body: bytes, content_type: str | None, value: str) -> None:
        found, marks = mended(body, content_type=content_type)
        assert found.value == value
        assert marks[-1] == "body: is text and no object; kept under `body`"
        assert found.text is not None

    def test_other_values_as_well(self) -> None:
        assert mended("[1, NaN]")[0].value == [1, "NaN"]
        assert mended("5") == (Mended(5, text="5"), ["body: is a number and no object; kept under `body`"])

    @pytest.mark.parametrize("body", [None, "", " ", b"", b"\r\n", "null", '{"message": " "}', '{"message": null}'])
    def test_blank_is_no_body(self, body: str | bytes | None) -> None:
        found, marks = mended(body)
        assert (found.value, found.is_kept, marks) == (None, True, [])

    def test_a_message_in_a_form(self) -> None:
        assert value_of(urlencode({"message": '{"a": 1}'}).encode(), content_type=FORM) == {"a": 1}
        assert value_of(b"", parameters={"message": '{"a": 1}'}) == {"a": 1}

    def test_continued_lines(self) -> None:
        assert value_of('{"a": \\\n1}') == {"a": 1}


@pytest.mark.promise("S10")
@pytest.mark.parametrize(
    "body",
    [
        '"\\"' * 300_000,
        "'\\'" * 40_000,
        "[" * MIB,
        '{"a":' * 200_000,
        "[{" * 500_000,
        "\\\n" * 500_000,
        "-" * MIB,
        "]" * MIB,
    ],
    ids=lambda body: body[:6],
)
def test_large_nonsense_is_read_in_no_time_worth_speaking_of(body: str) -> None:
    for literal in (True, False):
        found, marks = mended(body, literal=literal)
        assert isinstance(found.value, str)
        assert marks
