"""The output of a command: strict JSON, and text that cannot control a terminal."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from bson import ObjectId

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output, printable, section, short, table, when
from pipelinejobs.core.views import plain

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (NOON, "2026-11-23T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=2))), "2026-11-23T12:00:00Z"),
        (ObjectId("6b047c42021d9cbd13ba28e4"), "6b047c42021d9cbd13ba28e4"),
        ({"a": [(NOON,), {"b": float("inf")}]}, {"a": [["2026-11-23T12:00:00Z"], {"b": "inf"}]}),
        ({1: "one"}, {"1": "one"}),
    ],
)
def test_all_stored_values_have_strict_json(value: Any, shown: Any) -> None:
    assert plain(value) == shown
    assert json.loads(Output(data=value).text(as_json=True)) == shown


def test_text_is_lines() -> None:
    output = Output(data={"a": 1}, lines=["one", "two"])
    assert output.text(as_json=False) == "one\ntwo"


@pytest.mark.parametrize("text", ["\x1b[31m", "a\nb", "\r", "\x9b", "\u202e", "\u2028", "\ud800", "\x00"])
def test_control_characters_are_shown_and_not_sent(text: str) -> None:
    shown = Output(data=None, lines=[text]).text(as_json=False)
    assert shown.isprintable()
    assert "\\" in shown


@pytest.mark.parametrize("text", ["", "plain", "Grüße", "日本語", "a\\b"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_short() -> None:
    assert short(None) == ""
    assert short({"ü": NOON}) == '{"ü": "2026-11-23T12:00:00Z"}'
    assert short("x" * 500, 20) == '"' + "x" * 16 + "..."
    assert short(float("nan")) == '"nan"'


def test_when() -> None:
    assert when(NOON) == "2026-11-23 12:00:00"
    assert when(None) == "None"
    assert when("soon") == "soon"


def test_table() -> None:
    assert table(("a", "bb"), [("1", "2"), ("333", "\n")]) == ["a    bb", "1    2", "333  \\n"]
    assert table(("a",), []) == ["a"]


def test_section() -> None:
    assert section("owed", []) == ["", "owed:", "  nothing"]
    assert section("owed", iter(["one"])) == ["", "owed:", "  one"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23T14:00:00+02:00", NOON),
    ],
)
def test_moments_are_utc(text: str, moment: datetime) -> None:
    assert inputs.moment(text) == moment
    assert inputs.moment(text).tzinfo is UTC


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert inputs.user().startswith("uid-")
