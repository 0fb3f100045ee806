"""Text of other programs, as the pages show it."""

from datetime import UTC, datetime

import pytest

from pipelinejobs.gateway.pages.safe_text import LONGEST, DisplayValue, safe, visible
from pipelinejobs.util.redaction import HIDDEN


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\u202eb", "a\\u202eb"),  # right-to-left override
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("\u200e\u061c", "\\u200e\\u061c"),
        ("a\0b", "a\\u0000b"),
        ("a\nb\tc", "a\\u000ab\\u0009c"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),  # a tag character, which is invisible
        ("Zürich, 東京", "Zürich, 東京"),
    ],
)
def test_invisible_characters_become_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert safe(text) == shown


def test_lines_stay_lines_where_there_is_room_for_them() -> None:
    assert visible("a\n\tb\r", lines=True) == "a\n\tb\\u000d"


def test_data_is_folded_when_it_is_long() -> None:
    assert not DisplayValue({"n": 1}).is_long
    long = DisplayValue({"text": "word " * 100})
    assert long.is_long
    assert "\n" not in long.brief
    assert long.whole.count("\n") == 2
    assert not long.is_cut
    assert DisplayValue("x" * 2 * LONGEST).is_cut
    assert len(DisplayValue("x" * 2 * LONGEST).whole) == LONGEST


def test_whatever_was_stored_can_be_shown() -> None:
    odd = {1: float("nan"), "when": datetime(2026, 1, 1, tzinfo=UTC), "deep": [object()], "$x": b"\xff"}
    assert "nan" in DisplayValue(odd).brief
    assert safe(None) == ""
    assert safe(7) == "7"
    assert safe({"a": 1}) == '{"a": 1}'


def test_secrets_are_hidden() -> None:
    token = "0123456789abcdef"

    def hide(text: str) -> str:
        return text.replace(token, HIDDEN)

    shown = DisplayValue({"note": f"see {token}", "token": "anything", "url": "https://u:p@h/?x-nonce=SD2E_abc"}, hide)
    for secret in (token, "anything", "SD2E_abc", "u:p"):
        assert secret not in shown.whole + shown.brief
    assert HIDDEN in shown.brief
    assert safe(f"the token {token}", hide) == f"the token {HIDDEN}"


@pytest.mark.parametrize("before", [LONGEST - 8, LONGEST + 2 * 4096 - 8])
def test_a_secret_at_the_cut_is_hidden_whole(before: int) -> None:
    token = "0123456789abcdef"
    many = " ".join(["token=" + "y" * 40] * (before // 47))
    for text in ("x" * (before - 1) + token, many + "x" * (before - 1 - len(many)) + token):
        shown = DisplayValue(text + "z" * 100_000, lambda shown: shown.replace(token, HIDDEN))
        assert token[:6] not in shown.whole
        assert shown.whole


def test_a_huge_value_takes_no_longer_than_a_large_one() -> None:
    assert len(safe("token=abc " * 1_000_000)) <= LONGEST
